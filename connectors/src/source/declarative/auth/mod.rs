//! Who a request comes from: the authenticators of a manifest.
//!
//! A component is read and its templates are evaluated here; what a token is, how it is kept and signed is the kit's
//! (`http::auth`). Tokens are shared by all streams of a source that ask for the same one, by the scope's [`Vault`].

mod authenticator;
mod form;
mod jwt;
mod legacy;
mod oauth;
mod quota;
mod refresh;
mod rotation;
mod session;
#[cfg(test)]
mod tests;
mod token;
mod vault;

pub use authenticator::Authenticator;
pub use vault::{Keeper, Vault};
