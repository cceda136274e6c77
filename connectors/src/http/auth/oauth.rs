//! OAuth 2: tokens by a refresh token or by the client's own credentials.

use protocol::{Result, Secret};
use url::Url;

use super::keeper::{Keeper, Tokens};
use crate::http::Client;

/// What a token is asked for with.
#[derive(Clone)]
pub enum Grant {
    /// A refresh token.
    Refresh(Secret),
    /// The client's id and secret alone.
    ClientCredentials,
}

/// Asks a server for tokens and keeps them.
pub struct OAuth {
    /// Where tokens are given.
    pub url: Url,
    keeper: Keeper,
}

impl OAuth {
    /// The token to sign with.
    pub async fn tokens(&self, client: &Client) -> Result<Tokens> {
        let _ = client;
        self.keeper.tokens(chrono::Utc::now()).await
    }
}
