//! Typed tables in Snowflake, loaded from staged Parquet files in the transaction that moves the state.
//!
//! `client` is the session, `stage` is where files go; here is what a target is: names, types, statements,
//! the row of state, and the protocol of a commit. `README.md` beside this file explains what readers and
//! administrators can rely on.

mod check;
#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "it offers more than the load needs"))]
#[cfg_attr(test, expect(dead_code, reason = "it offers more than the load needs"))]
mod client;
mod column;
mod commit;
mod config;
mod desk;
mod head;
mod load;
mod name;
mod prepare;
mod record;
mod sql;
#[cfg_attr(not(test), expect(dead_code, reason = "it offers more than the load needs"))]
#[cfg_attr(test, expect(dead_code, reason = "it offers more than the load needs"))]
mod stage;
mod sweep;
mod table;
mod target;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use arrow_schema::SchemaRef;
use protocol::{Commit, ConfiguredStream, Destination, FileOptions, Head, Period, Prepared, Result, Spent};

use crate::storage::{Access, Network};
use client::{QueryTag, Session};
pub use config::Config;
use config::ExternalStage;
use desk::Desk;
use name::{Name, Places};
use stage::{Area, StageName};
use target::{Target, locked};

/// The internal stage, in tidegate's own schema.
const STAGE: &str = "LOAD";

/// Who holds a lock of a row of state for longer is dead.
const LOCK_TIMEOUT: Period = Period::from_secs(60);

/// Tables in one database.
pub struct Snowflake(Arc<Inner>);

/// What its targets and stages share.
struct Inner {
    config: Config,
    places: Places,
    options: FileOptions,
    desk: Desk,
    /// The session of uploads: they do not wait for transactions.
    uploads: Session,
    area: Area,
    /// Whether the stage is made by tidegate.
    is_stage_ours: bool,
    targets: Mutex<HashMap<String, Arc<Target>>>,
}

impl Inner {
    fn open(config: Config) -> Result<Self> {
        let (places, options) = (config.places()?, config.file_options()?);
        let account = config.account.clone().waiting_for_locks(LOCK_TIMEOUT);
        let session = Session::open(account, QueryTag::new(""))?;
        let uploads = session.sibling();
        let network = Network {
            ca_file: config.account.ca_file().map(PathBuf::from),
            proxy: config.account.proxy().cloned(),
            ..Network::default()
        };
        let area = if let Some(stage) = &config.external_stage {
            external(stage, network)?
        } else {
            let name = StageName::new(places.own(STAGE).to_string());
            let spool = config.spool.clone().unwrap_or_else(stage::default_spool);
            Area::internal(Arc::new(uploads.clone()), name, network, &spool)
        };
        let is_stage_ours = config.external_stage.is_none();
        let (desk, targets) = (Desk::new(session), Mutex::default());
        Ok(Self { config, places, options, desk, uploads, area, is_stage_ours, targets })
    }

    /// What is known of a target. Fails with `Config` where its name can't be a table's.
    fn target(&self, name: &str) -> Result<Arc<Target>> {
        let mut targets = locked(&self.targets);
        if let Some(target) = targets.get(name) {
            return Ok(Arc::clone(target));
        }
        let target = Arc::new(Target::new(name, &self.places)?);
        if let Some(other) = targets.values().find(|other| other.table == target.table) {
            return Err(record::both(&other.name, name, &target.table));
        }
        targets.insert(name.to_owned(), Arc::clone(&target));
        Ok(target)
    }

    fn state_table(&self, target: &Target) -> Name {
        self.places.own(format!("STATE_{}", target.key))
    }
}

fn external(stage: &ExternalStage, network: Network) -> Result<Area> {
    let access = Access {
        endpoint: stage.endpoint.clone(),
        region: stage.region.clone(),
        access_key_id: stage.access_key_id.clone(),
        secret_access_key: stage.secret_access_key.clone(),
        session_token: stage.session_token.clone(),
        network,
        ..Access::default()
    };
    Area::external(StageName::new(stage.name.clone()), &stage.url, &access)
}

impl Destination for Snowflake {
    const NAME: &'static str = "snowflake";
    type Config = Config;
    const GRANTS: Option<&'static str> = Some(include_str!("grants.sql"));

    async fn open(config: Config) -> Result<Self> {
        Ok(Self(Arc::new(Inner::open(config)?)))
    }

    async fn check(&self) -> Result<Vec<String>> {
        check::check(&self.0).await
    }

    async fn head(&self, target: &str) -> Result<Head> {
        let target = self.0.target(target)?;
        let standing = match self.0.copy(&target).await? {
            // To look wakes no warehouse up.
            Some(copy) => Some(copy),
            None => self.0.row(&target, &QueryTag::new("").with("target", &target.name)).await?,
        };
        let mine =
            standing.filter(|row| row.record.as_ref().is_none_or(|record| record.target == target.name));
        Ok(mine.map(|standing| standing.head()).unwrap_or_default())
    }

    async fn prepare(&self, stream: &ConfiguredStream, schema: &SchemaRef) -> Result<Prepared> {
        prepare::prepare(&self.0, stream, schema).await
    }

    async fn commit(&self, target: &str, commit: &Commit) -> Result<Head> {
        let target = self.0.target(target)?;
        commit::commit(&self.0, &target, commit).await
    }

    fn spent(&self) -> Option<Spent> {
        Some(self.0.desk.spent())
    }

    async fn close(&self) {
        futures::join!(self.0.desk.session.close(), self.0.uploads.close());
    }
}
