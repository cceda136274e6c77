//! Parquet files in a local directory or an object store, committed by manifests.
//!
//! The engine writes the files; this destination says where, keeps them from being seen before their
//! commit, and makes commits one create-only object each. `README.md` beside this file explains the
//! layout and what readers can rely on.

mod check;
mod checkpoint;
mod claim;
mod clean;
mod commit;
mod config;
mod fence;
mod forward;
mod head;
mod holder;
mod layout;
mod manifest;
mod prepare;
mod probe;
mod readback;
mod repair;
mod seal;
mod stage;
mod store;
mod target;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arrow_schema::SchemaRef;
use chrono::{DateTime, Utc};
use protocol::{
    Audit, Commit, CommittedFile, ConfiguredStream, Destination, FileOptions, FileReader, Head, Prepared,
    Repair, Result,
};
use tokio::sync::OnceCell;

use crate::storage::error;
pub use config::Config;
use layout::{Layout, checked};
use store::Store;
use target::Target;

/// Parquet files below one URL.
pub struct Parquet {
    store: Arc<Store>,
    options: FileOptions,
    targets: Mutex<HashMap<String, Arc<Target>>>,
    /// Set once this store was seen to keep commits apart.
    proven: OnceCell<()>,
}

impl Parquet {
    fn new(store: Store, options: FileOptions) -> Self {
        Self { store: Arc::new(store), options, targets: Mutex::default(), proven: OnceCell::new() }
    }

    fn target(&self, name: &str) -> Result<Arc<Target>> {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(target) = targets.get(name) {
            return Ok(target.clone());
        }
        let target = Arc::new(Target::new(name)?);
        targets.insert(name.to_owned(), target.clone());
        Ok(target)
    }
}

impl Destination for Parquet {
    const NAME: &'static str = "parquet";
    type Config = Config;

    async fn open(config: Config) -> Result<Self> {
        let options = config.file_options()?;
        Ok(Self::new(Store::open(&config)?, options))
    }

    async fn check(&self) -> Result<Vec<String>> {
        check::check(self).await
    }

    async fn head(&self, target: &str) -> Result<Head> {
        Ok(head::find(&self.store, &Layout::new(target)?).await?.head())
    }

    async fn prepare(&self, stream: &ConfiguredStream, schema: &SchemaRef) -> Result<Prepared> {
        prepare::prepare(self, stream, schema).await
    }

    async fn commit(&self, target: &str, commit: &Commit) -> Result<Head> {
        commit::commit(&self.store, self.target(target)?.as_ref(), commit).await
    }

    async fn repair(&self, target: &str, apply: bool, at: DateTime<Utc>) -> Result<Option<Repair>> {
        repair::repair(&self.store, self.target(target)?.as_ref(), apply, at).await
    }

    async fn visible(&self, target: &str) -> Result<Vec<CommittedFile>> {
        readback::visible(&self.store, &Layout::new(target)?).await
    }

    async fn audit(&self, target: &str) -> Result<Audit> {
        readback::audit(&self.store, &Layout::new(target)?).await
    }

    async fn open_file(&self, target: &str, path: &str) -> Result<Option<Box<dyn FileReader>>> {
        self.store.open_file(&Layout::new(target)?.file(checked(path)?)).await
    }
}
