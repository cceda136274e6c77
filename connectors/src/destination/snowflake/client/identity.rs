//! Who logs in, and what proves it.

use std::fs;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use protocol::{Error, Result, Secret};
use serde_json::{Map, Value};

use super::account::Account;
use super::jwt;
use super::key::SigningKey;

/// The user, and the proof.
pub(super) struct Identity {
    user: Option<String>,
    proof: Proof,
}

enum Proof {
    KeyPair(SigningKey),
    AccessToken(Token),
    OAuth(Token),
    Password(Secret),
}

/// A token, or where it is read at each login.
enum Token {
    Given(Secret),
    File { setting: &'static str, path: PathBuf },
}

impl Token {
    fn read(&self) -> Result<Secret> {
        match self {
            Self::Given(secret) => Ok(secret.clone()),
            Self::File { setting, path } => {
                let in_file = |error: Error| error.context(setting, path.display().to_string());
                let text = fs::read_to_string(path).map_err(|error| {
                    in_file(Error::config(format!("`{setting}` can't be read")).with_source(error))
                })?;
                match text.trim() {
                    "" => Err(in_file(Error::config(format!("`{setting}` is empty")))),
                    token => Ok(Secret::new(token)),
                }
            }
        }
    }
}

impl Identity {
    /// Who the account's settings say. Exactly one proof may be set.
    pub(super) fn of(account: &Account) -> Result<Self> {
        let given = [
            ("private_key", account.private_key.is_some()),
            ("private_key_file", account.private_key_file.is_some()),
            ("access_token", account.access_token.is_some()),
            ("access_token_file", account.access_token_file.is_some()),
            ("oauth_token", account.oauth_token.is_some()),
            ("oauth_token_file", account.oauth_token_file.is_some()),
            ("password", account.password.is_some()),
        ];
        let set: Vec<&str> = given.into_iter().filter_map(|(name, set)| set.then_some(name)).collect();
        if let [one, other, ..] = set[..] {
            return Err(Error::config(format!("`{one}` and `{other}` are both set"))
                .hint("one of them proves who logs in: take the other out"));
        }
        let proof = Self::proof(account)?;
        let user = account.user.clone().filter(|user| !user.trim().is_empty());
        if user.is_none() && !matches!(proof, Proof::OAuth(_)) {
            return Err(Error::config("`user` is not set").hint("it is the name of the user in Snowflake"));
        }
        Ok(Self { user, proof })
    }

    fn proof(account: &Account) -> Result<Proof> {
        let passphrase = account.private_key_passphrase.as_ref();
        if let Some(key) = &account.private_key {
            return SigningKey::from_text(key.reveal(), passphrase).map(Proof::KeyPair);
        }
        if let Some(path) = &account.private_key_file {
            return SigningKey::from_file(path, passphrase).map(Proof::KeyPair);
        }
        let token = |setting, given: &Option<Secret>, file: &Option<PathBuf>| match (given, file) {
            (Some(secret), _) => Some(Token::Given(secret.clone())),
            (None, Some(path)) => Some(Token::File { setting, path: path.clone() }),
            (None, None) => None,
        };
        if let Some(found) = token("access_token_file", &account.access_token, &account.access_token_file) {
            return Ok(Proof::AccessToken(found));
        }
        if let Some(found) = token("oauth_token_file", &account.oauth_token, &account.oauth_token_file) {
            return Ok(Proof::OAuth(found));
        }
        account.password.clone().map(Proof::Password).ok_or_else(|| {
            Error::config("nothing is set that proves who logs in").hint(
                "set `private_key_file` (a service's user has a key pair), `access_token`, `oauth_token` or `password`",
            )
        })
    }

    /// What of a login's `data` says who it is. A key pair signs anew each time.
    pub(super) fn claims(&self, account: &str, now: DateTime<Utc>) -> Result<Map<String, Value>> {
        let mut claims = Map::new();
        claims.insert("ACCOUNT_NAME".to_owned(), account.into());
        let user = self.user.as_deref().unwrap_or_default();
        if !user.is_empty() {
            claims.insert("LOGIN_NAME".to_owned(), user.into());
        }
        let (authenticator, token) = match &self.proof {
            Proof::Password(password) => {
                claims.insert("PASSWORD".to_owned(), password.reveal().into());
                return Ok(claims);
            }
            Proof::KeyPair(key) => ("SNOWFLAKE_JWT", jwt::token(key, account, user, now)?),
            Proof::AccessToken(token) => ("PROGRAMMATIC_ACCESS_TOKEN", token.read()?),
            Proof::OAuth(token) => ("OAUTH", token.read()?),
        };
        claims.insert("AUTHENTICATOR".to_owned(), authenticator.into());
        claims.insert("TOKEN".to_owned(), token.reveal().into());
        Ok(claims)
    }

    /// The fingerprint of the key pair, which is no secret: what the user in Snowflake must show.
    pub(super) fn fingerprint(&self) -> Option<&str> {
        match &self.proof {
            Proof::KeyPair(key) => Some(key.fingerprint()),
            _ => None,
        }
    }
}
