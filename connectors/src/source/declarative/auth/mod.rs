//! Who a request comes from: the authenticators of a manifest.

mod authenticator;
mod vault;

pub use authenticator::Authenticator;
pub use vault::{Keeper, Vault};
