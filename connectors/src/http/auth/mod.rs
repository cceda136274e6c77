//! Who we are to a server: what a request is signed with, and tokens that are fetched, kept and renewed.

mod jwt;
mod keeper;
mod oauth;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use protocol::{Result, Secret};

pub use jwt::{Algorithm, Key, jwt};
pub use keeper::{Fetch, Keeper, NoStore, TokenStore, Tokens};
pub use oauth::{Grant, OAuth};

use super::Request;
use super::pause::wall;

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
    /// A token that runs out: of OAuth 2, of a session that one signs in to, a JSON web token.
    Token {
        /// Who keeps it.
        keeper: Keeper,
        /// The header that it goes into.
        header: String,
        /// What stands before it, a space included: `Bearer `.
        prefix: String,
    },
}

impl Auth {
    /// A token in `Authorization: Bearer ...`.
    #[must_use]
    pub fn token(keeper: Keeper) -> Self {
        Self::Token { keeper, header: "Authorization".to_owned(), prefix: "Bearer ".to_owned() }
    }

    /// Puts the credentials on a request.
    pub async fn sign(&self, request: &mut Request) -> Result<()> {
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
            Self::Token { keeper, header, prefix } => {
                let tokens = keeper.tokens(wall()).await?;
                request.set_header(header, format!("{prefix}{}", tokens.access.reveal()));
            }
        }
        Ok(())
    }

    /// Whether there is something to replace where a server rejects it.
    #[must_use]
    pub fn is_renewable(&self) -> bool {
        matches!(self, Self::Token { .. })
    }

    /// Replaces the token that `sent` was signed with. `false` where there is none that could be.
    pub async fn renew(&self, sent: &Request) -> Result<bool> {
        let Self::Token { keeper, header, prefix } = self else { return Ok(false) };
        let Some(rejected) = sent.header(header).and_then(|value| value.strip_prefix(prefix.as_str())) else {
            return Ok(false);
        };
        keeper.after(rejected).await.map(|_| true)
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
