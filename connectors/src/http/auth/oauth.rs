//! OAuth 2: tokens by a refresh token or by the client's own credentials.

use std::sync::Arc;

use chrono::TimeDelta;
use futures::future::BoxFuture;
use protocol::{Error, ErrorKind, Result, Secret};
use serde_json::Value;
use url::Url;

use super::keeper::{Keeper, TokenStore, Tokens};
use super::{Auth, basic};
use crate::http::pause::wall;
use crate::http::{Answer, Client, Manners, Outcome, Polite, Request, Retries, Verdict, exchange};

/// How long a token is good for where its server does not say.
const LIFETIME: TimeDelta = TimeDelta::hours(1);
/// So much earlier it is replaced.
const MARGIN: TimeDelta = TimeDelta::seconds(10);

/// What a token is asked for with.
#[derive(Clone)]
pub enum Grant {
    /// A refresh token.
    Refresh(Secret),
    /// The client's id and secret alone.
    ClientCredentials,
}

/// How tokens are asked for.
#[derive(Clone)]
pub struct OAuth {
    /// Where tokens are given.
    pub url: Url,
    /// What for.
    pub grant: Grant,
    /// The client.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// Whether the client's credentials go into a header rather than the form.
    pub credentials_in_header: bool,
    /// More fields of the form: `scope`, `audience`.
    pub fields: Vec<(String, String)>,
}

impl OAuth {
    /// Keeps the tokens that are asked for by `client`. `current` is what is known from an earlier run.
    #[must_use]
    pub fn keeper(self, client: Client, current: Option<Tokens>, store: Arc<dyn TokenStore>) -> Keeper {
        let oauth = Arc::new(self);
        Keeper::new(
            current,
            Arc::new(move |before| {
                let (oauth, client) = (oauth.clone(), client.clone());
                Box::pin(async move { oauth.ask(&client, before).await })
            }),
            store,
        )
    }

    async fn ask(&self, client: &Client, before: Option<Tokens>) -> Result<Tokens> {
        let mut fields: Vec<(&str, &str)> = Vec::new();
        let latest = before.and_then(|tokens| tokens.refresh);
        match &self.grant {
            Grant::Refresh(first) => {
                let token = latest.as_ref().unwrap_or(first).reveal();
                fields.extend([("grant_type", "refresh_token"), ("refresh_token", token)]);
            }
            Grant::ClientCredentials => fields.push(("grant_type", "client_credentials")),
        }
        if !self.credentials_in_header {
            fields.extend([("client_id", &*self.client_id), ("client_secret", self.client_secret.reveal())]);
        }
        fields.extend(self.fields.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut request = Request::post_form(self.url.clone(), fields);
        request.secret_body = true;
        request.set_header("Accept", "application/json");
        if self.credentials_in_header {
            request.set_header("Authorization", basic(&self.client_id, self.client_secret.reveal()));
        }
        let now = wall();
        match exchange(client, &request, &Asking, Retries::default()).await? {
            Outcome::Success(answer) => read(&answer, now),
            Outcome::Ignored(_) | Outcome::Adapt(_) => Err(Error::internal("nothing was ignored")),
        }
    }
}

/// Manners at the token's server: a refusal is final, and says which of the known ones it is.
struct Asking;

impl Manners for Asking {
    fn sign<'a>(&'a self, _: &'a Client, _: &'a mut Request) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn judge(&self, outcome: Result<&Answer, &Error>, attempt: u32) -> Verdict {
        match outcome {
            Ok(answer)
                if (400..500).contains(&answer.status) && !matches!(answer.status, 408 | 425 | 429) =>
            {
                Verdict::Fail(refused(answer))
            }
            other => Polite { auth: Auth::None }.judge(other, attempt),
        }
    }
}

fn refused(answer: &Answer) -> Error {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    // Only a name as RFC 6749 has it: descriptions hold what was sent.
    let code = body["error"].as_str().filter(|code| {
        code.len() <= 40 && code.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
    });
    let error = Error::new(ErrorKind::Auth, "the token's server refuses a new token")
        .context("status", answer.status.to_string());
    match code {
        Some("invalid_grant") => error
            .context("error", "invalid_grant")
            .hint("the refresh token is revoked, too old, or was used by somebody else: sign in anew"),
        Some(code) => error.context("error", code),
        None => error,
    }
}

fn read(answer: &Answer, now: chrono::DateTime<chrono::Utc>) -> Result<Tokens> {
    let wrong = |message: &str| Error::new(ErrorKind::Auth, message);
    let body: Value = serde_json::from_slice(&answer.body)
        .map_err(|_| wrong("the token's server answers with something that is not JSON"))?;
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty()).map(Secret::new);
    let access = text("access_token").ok_or_else(|| wrong("the token's server gives no `access_token`"))?;
    let seconds = match &body["expires_in"] {
        Value::String(text) => text.parse().ok(),
        number => number.as_f64(),
    };
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a lifetime without end is cut to the longest there is"
    )]
    let lifetime = seconds.and_then(|seconds: f64| TimeDelta::try_milliseconds((seconds * 1000.0) as i64));
    let expires = now.checked_add_signed(lifetime.unwrap_or(LIFETIME) - MARGIN);
    Ok(Tokens { access, expires, refresh: text("refresh_token") })
}
