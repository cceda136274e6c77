//! What all components of one manifest share.

use std::path::PathBuf;
use std::sync::Arc;

use super::auth::Vault;
use super::clock::Clock;
use super::template::Context;
use super::value::Value;
use crate::http::Client;

/// What the components of one manifest are built with. Cheap to clone.
#[derive(Clone)]
pub struct Scope(Arc<Shared>);

struct Shared {
    config: Value,
    clock: Clock,
    client: Client,
    folder: Option<PathBuf>,
    vault: Vault,
}

impl Scope {
    /// Of a configuration (after its migrations), the clock of the run, the one client, and the folder of the manifest
    /// where it came from a file.
    #[must_use]
    pub fn new(config: Value, clock: Clock, client: Client, folder: Option<PathBuf>) -> Self {
        Self(Arc::new(Shared { config, clock, client, folder, vault: Vault::default() }))
    }

    /// The user's configuration.
    #[must_use]
    pub fn config(&self) -> &Value {
        &self.0.config
    }

    /// The clock of the run.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The client that all requests of this source go through.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.0.client
    }

    /// What the streams of this source share of tokens.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.0.vault
    }

    /// Where the manifest's schema files are.
    #[must_use]
    pub fn folder(&self) -> Option<&PathBuf> {
        self.0.folder.as_ref()
    }

    /// Variables of a template of a component with these parameters: `config` and `parameters`.
    #[must_use]
    pub fn context<'a>(&'a self, parameters: &'a Value) -> Context<'a> {
        Context::new(self.clock(), self.config()).with("parameters", parameters)
    }
}
