//! Who we are to a server: what a request is signed with, and tokens that are fetched, kept and renewed.

mod jwt;
mod keeper;
mod oauth;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::{Result, Secret};

pub use jwt::{Algorithm, Key, jwt};
pub use keeper::{Fetch, Keeper, NoStore, TokenStore, Tokens};
pub use oauth::{Grant, OAuth};

use super::{Client, Request};

/// What requests are signed with.
#[derive(Clone, Default)]
pub enum Auth {
    /// Nothing.
    #[default]
    None,
    /// A header: an API key under a name of its own.
    Header {
        /// The header's name.
        name: String,
        /// The key.
        value: Secret,
    },
    /// A parameter of the query.
    Query {
        /// The parameter's name.
        name: String,
        /// The key.
        value: Secret,
    },
    /// `Authorization: Bearer ...`.
    Bearer(Secret),
    /// `Authorization: Basic ...`.
    Basic {
        /// The user.
        user: String,
        /// The password, often empty.
        password: Secret,
    },
    /// A token that OAuth 2 gives.
    OAuth(Arc<OAuth>),
}

impl Auth {
    /// Puts the credentials on a request.
    pub async fn sign(&self, client: &Client, request: &mut Request) -> Result<()> {
        match self {
            Self::None => {}
            Self::Header { name, value } => request.set_header(name, value.reveal()),
            Self::Query { name, value } => {
                request.url.query_pairs_mut().append_pair(name, value.reveal());
            }
            Self::Bearer(token) => request.set_header("Authorization", bearer(token.reveal())),
            Self::Basic { user, password } => {
                request.set_header("Authorization", basic(user, password.reveal()));
            }
            Self::OAuth(oauth) => {
                let tokens = oauth.tokens(client).await?;
                request.set_header("Authorization", bearer(tokens.access.reveal()));
            }
        }
        Ok(())
    }
}

/// The header's value for a token.
#[must_use]
pub fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// The header's value for a user and a password.
#[must_use]
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}
