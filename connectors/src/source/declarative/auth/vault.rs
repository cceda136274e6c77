//! What the streams of one source share: tokens, and the configuration in which single-use tokens are kept.

use std::sync::{Arc, OnceLock};

use protocol::Result;

use crate::source::declarative::value::Value;

/// Who keeps a configuration that has changed. Called before the token in it is used; an error stops the stream.
pub type Keeper = Box<dyn Fn(&Value) -> Result<()> + Send + Sync>;

/// Tokens of one source, and the configuration that changes with them. Cheap to clone.
#[derive(Clone, Default)]
pub struct Vault(Arc<Shared>);

#[derive(Default)]
struct Shared {
    keeper: OnceLock<Keeper>,
}

impl Vault {
    /// Says who keeps changed configurations. The first one counts.
    pub fn set_keeper(&self, keeper: Keeper) {
        let _ = self.0.keeper.set(keeper);
    }
}
