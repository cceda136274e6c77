//! The configuration: found, read, and turned into what the engine and the connectors take.
//!
//! Sections are read as typed values only when a command uses them: a missing secret of one source
//! does not break another. The environment is read here and nowhere else.

mod document;
mod error;
mod files;
mod reference;
mod schema;
mod secrecy;
mod shape;
#[cfg(test)]
mod tests;
mod typed;

use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, Utc};
use connectors::registry;
use engine::ConnectionConfig;
use protocol::{DestinationFactory, InvalidConfig, OpenDestination, OpenSource, SourceFactory};
use schemars::Schema;
use serde::Deserialize;
use serde_json::Value;

use document::{Node, Span};
use error::{SourceFile, listed, unknown};
use reference::Environment;
use secrecy::Secrets;
use shape::Shape;

pub(crate) use error::{ConfigError, Problem, nearest};
pub(crate) use files::DEFAULT_FILE;
pub(crate) use schema::schema;

/// What a section configures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Source,
    Destination,
    Connection,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Source, Self::Destination, Self::Connection];

    /// The key and the folder that hold sections of this kind.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Source => "sources",
            Self::Destination => "destinations",
            Self::Connection => "connections",
        }
    }

    /// What one of them is called.
    pub(crate) fn noun(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
            Self::Connection => "connection",
        }
    }
}

/// A source, a destination or a connection as its file has it.
pub(crate) struct Section {
    pub(crate) kind: Kind,
    pub(crate) name: String,
    /// `sources.shop`.
    path: String,
    file: Arc<SourceFile>,
    /// Where its name stands, or where its file begins.
    key_span: Span,
    node: Node,
    may_hold_secrets: bool,
}

impl Section {
    fn new(kind: Kind, name: &str, file: Arc<SourceFile>, key_span: Span, node: Node) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            path: format!("{}.{name}", kind.key()),
            file,
            key_span,
            node,
            may_hold_secrets: kind != Kind::Connection,
        }
    }

    /// A problem with the value of `key`, which stands at `span`.
    fn problem(&self, key: &str, span: Span, message: String) -> Problem {
        let secrets = Secrets::of(&self.node, &Shape::new(&Value::Null));
        Problem::at(&self.file, span, message, &secrets.spans).path(format!("{}.{key}", self.path))
    }

    /// The connector that `type` names.
    fn connector<'a, Open>(&self, known: &'a [Connector<Open>]) -> Result<&'a Connector<Open>, Vec<Problem>> {
        let names: Vec<&str> = known.iter().map(|connector| connector.name).collect();
        let what = format!("{} type", self.kind.noun());
        let problem = match self.node.get("type") {
            None => {
                let message =
                    format!("missing field \"type\", expected one of {}", listed(names.iter().copied()));
                Problem::unread(&self.file, self.key_span, message).path(&self.path)
            }
            Some(node) => {
                let given = node.text().unwrap_or_default();
                match known.iter().find(|connector| connector.name == given) {
                    Some(connector) => return Ok(connector),
                    None if given.is_empty() => {
                        let message = format!("expected a {what}, found {}", node.kind());
                        self.problem("type", node.span, message)
                    }
                    None => self.problem("type", node.span, unknown(&what, given, &names)),
                }
            }
        };
        Err(vec![problem])
    }
}

/// A line of the connectors' registry, for either side.
pub(crate) struct Connector<Open> {
    pub(crate) name: &'static str,
    pub(crate) schema: fn() -> Schema,
    pub(crate) grants: Option<&'static str>,
    configure: fn(Value) -> Result<Open, InvalidConfig>,
}

/// Which connectors there are.
#[derive(Default)]
pub(crate) struct Registry {
    pub(crate) sources: Vec<Connector<OpenSource>>,
    pub(crate) destinations: Vec<Connector<OpenDestination>>,
}

impl Registry {
    /// Those of this program.
    pub(crate) fn built_in() -> Self {
        let sources = registry::sources().into_iter();
        let destinations = registry::destinations().into_iter();
        Self {
            sources: sources
                .map(|SourceFactory { name, schema, configure }| Connector {
                    name,
                    schema,
                    grants: None,
                    configure,
                })
                .collect(),
            destinations: destinations
                .map(|DestinationFactory { name, schema, grants, configure }| Connector {
                    name,
                    schema,
                    grants,
                    configure,
                })
                .collect(),
        }
    }
}

/// A configured source or destination that is ready to be opened.
pub(crate) struct Setup<Open> {
    /// Its name in the configuration.
    pub(crate) name: String,
    /// The connector.
    pub(crate) connector: &'static str,
    pub(crate) open: Open,
}

/// A connection with both its ends.
pub(crate) struct ConnectionSetup {
    pub(crate) name: String,
    pub(crate) config: ConnectionConfig,
    pub(crate) source: Setup<OpenSource>,
    pub(crate) destination: Setup<OpenDestination>,
}

/// All sections of the configuration.
pub(crate) struct Config {
    sections: Vec<Section>,
    /// The file or folder it was read from.
    pub(crate) shown: String,
    registry: Registry,
    environment: Box<Environment>,
    now: Option<DateTime<Utc>>,
}

impl Config {
    /// Reads the file or folder at `path`, or the one in the working folder.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        Self::read(path, Registry::built_in(), Box::new(reference::process_environment))
    }

    fn read(
        path: Option<&Path>,
        registry: Registry,
        environment: Box<Environment>,
    ) -> Result<Self, ConfigError> {
        let (sections, problems, shown) = files::read(path);
        ConfigError::check(problems)?;
        Ok(Self { sections, shown, registry, environment, now: None })
    }

    /// The same for connectors that go by a time which is `now`, instead of the machine's.
    pub(crate) fn at(self, now: Option<DateTime<Utc>>) -> Self {
        Self { now, ..self }
    }

    /// The sections of one kind, in the order of the files.
    pub(crate) fn sections(&self, kind: Kind) -> impl Iterator<Item = &Section> {
        self.sections.iter().filter(move |section| section.kind == kind)
    }

    /// The section of that name, or what is wrong with the name.
    pub(crate) fn section(&self, kind: Kind, name: &str) -> Result<&Section, String> {
        self.sections(kind).find(|section| section.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.sections(kind).map(|section| section.name.as_str()).collect();
            unknown(kind.noun(), name, &known)
        })
    }

    /// Reads a connection with its source and its destination.
    pub(crate) fn connection(&self, section: &Section) -> Result<ConnectionSetup, ConfigError> {
        let mut problems = Vec::new();
        let schema = schema::connection();
        let config: Option<ConnectionConfig> =
            kept(typed::read(section, &schema, None, &*self.environment, typed::parse), &mut problems);
        let name = config.as_ref().map(|config| config.source.as_str());
        let source = self.end(section, Kind::Source, name, &mut problems);
        let source = source.and_then(|end| kept(self.opened(end, &self.registry.sources), &mut problems));
        let name = config.as_ref().map(|config| config.destination.as_str());
        let destination = self.end(section, Kind::Destination, name, &mut problems);
        let destination =
            destination.and_then(|end| kept(self.opened(end, &self.registry.destinations), &mut problems));
        match (config, source, destination) {
            (Some(config), Some(source), Some(destination)) => {
                Ok(ConnectionSetup { name: section.name.clone(), config, source, destination })
            }
            _ => Err(problems.into()),
        }
    }

    /// The section that a connection names as its source or destination.
    fn end(
        &self,
        section: &Section,
        kind: Kind,
        name: Option<&str>,
        problems: &mut Vec<Problem>,
    ) -> Option<&Section> {
        let node = section.node.get(kind.noun())?;
        // Where the connection's own settings are wrong, the name is taken from the file as it is.
        let found = self.section(kind, name.or(node.text())?);
        found.map_err(|message| problems.push(section.problem(kind.noun(), node.span, message))).ok()
    }

    /// The section of the source that a connection names. Its other settings may be wrong.
    pub(crate) fn source_of(&self, section: &Section) -> Result<&Section, ConfigError> {
        #[derive(Deserialize)]
        struct Ends {
            source: String,
        }
        let schema = schema::connection();
        let ends: Ends = typed::read(section, &schema, None, &*self.environment, typed::parse)?;
        let mut problems = Vec::new();
        let found = self.end(section, Kind::Source, Some(&ends.source), &mut problems);
        found.ok_or_else(|| problems.into())
    }

    /// The type of the source of that connection, or of the only one, as it stands in the file: the rest may be wrong.
    pub(crate) fn type_of_source(&self, connection: Option<&str>) -> Option<&str> {
        let mut connections = self.sections(Kind::Connection);
        let connection = connections.find(|section| connection.is_none_or(|name| section.name == name))?;
        let source = connection.node.get(Kind::Source.noun())?.text()?;
        self.section(Kind::Source, source).ok()?.node.get("type")?.text()
    }

    /// Reads a source.
    pub(crate) fn source(&self, section: &Section) -> Result<Setup<OpenSource>, ConfigError> {
        Ok(self.opened(section, &self.registry.sources)?)
    }

    /// Reads a destination.
    pub(crate) fn destination(&self, section: &Section) -> Result<Setup<OpenDestination>, ConfigError> {
        Ok(self.opened(section, &self.registry.destinations)?)
    }

    fn opened<Open>(
        &self,
        section: &Section,
        known: &[Connector<Open>],
    ) -> Result<Setup<Open>, Vec<Problem>> {
        let connector = section.connector(known)?;
        let schema = (connector.schema)().to_value();
        let configure = |value| (connector.configure)(timed(value, &schema, self.now));
        let open = typed::read(section, &schema, Some("type"), &*self.environment, configure)?;
        Ok(Setup { name: section.name.clone(), connector: connector.name, open })
    }
}

/// The settings with the time that the command line gives, where the connector goes by one.
pub(crate) fn timed(mut settings: Value, schema: &Value, now: Option<DateTime<Utc>>) -> Value {
    let goes_by_time = schema.pointer("/properties/now").is_some();
    if let (Some(now), Value::Object(settings), true) = (now, &mut settings, goes_by_time) {
        settings.insert("now".to_owned(), now.to_rfc3339_opts(SecondsFormat::AutoSi, true).into());
    }
    settings
}

/// The value of `result`, or `None` after its problems were added to `problems`.
fn kept<T>(result: Result<T, Vec<Problem>>, problems: &mut Vec<Problem>) -> Option<T> {
    result.map_err(|found| problems.extend(found)).ok()
}
