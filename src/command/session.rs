//! A connection with both its ends open.

use std::sync::Arc;

use engine::{ConnectionConfig, Sync};
use protocol::{DynDestination, DynSource};

use crate::config::{Config, Kind, Section};
use crate::failure::Failure;

/// A connection with both its ends open.
pub(super) struct Session {
    pub(super) name: String,
    pub(super) config: ConnectionConfig,
    pub(super) source: Arc<dyn DynSource>,
    pub(super) destination: Arc<dyn DynDestination>,
}

impl Session {
    /// Opens the connection of that name, or the only one.
    pub(super) async fn open(config: &Config, name: Option<&str>) -> Result<Self, Failure> {
        let setup = config.connection(pick(config, Kind::Connection, name)?)?;
        let source =
            (setup.source.open)().await.map_err(|error| error.context("source", setup.source.name))?;
        let destination = (setup.destination.open)()
            .await
            .map_err(|error| error.context("destination", setup.destination.name))?;
        Ok(Self {
            name: setup.name,
            config: setup.config,
            source: Arc::from(source),
            destination: Arc::from(destination),
        })
    }

    /// The connection as the engine takes it, with the streams that fit `patterns`.
    pub(super) fn sync(&self, patterns: &[String]) -> Sync {
        let (source, destination) = (Arc::clone(&self.source), Arc::clone(&self.destination));
        Sync::new(&self.name, self.config.clone(), source, destination).only(patterns.to_vec())
    }
}

/// The section of that name; the only one, where no name is given.
pub(super) fn pick<'a>(config: &'a Config, kind: Kind, name: Option<&str>) -> Result<&'a Section, Failure> {
    if let Some(name) = name {
        return config
            .section(kind, name)
            .map_err(|message| Failure::usage(format!("{message} (in {})", config.shown)));
    }
    let sections: Vec<&Section> = config.sections(kind).collect();
    match sections.as_slice() {
        [only] => Ok(only),
        [] => Err(Failure::Usage {
            message: format!("{} configures no {}", config.shown, kind.noun()),
            hint: Some("`tidegate init` writes an example".to_owned()),
        }),
        many => Err(Failure::Usage {
            message: format!("{} configures {} {}: name one", config.shown, many.len(), kind.key()),
            hint: Some(names(many)),
        }),
    }
}

fn names(sections: &[&Section]) -> String {
    sections.iter().map(|section| section.name.as_str()).collect::<Vec<_>>().join(", ")
}
