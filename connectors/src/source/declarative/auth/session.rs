//! `SessionTokenAuthenticator`: a token that a login gives.

use std::sync::Arc;

use protocol::{Error, ErrorKind, Result, Secret};

use crate::http::auth::{Fetch, Keeper, NoStore, Tokens};
use crate::source::declarative::component::Component;
use crate::source::declarative::config::place;
use crate::source::declarative::decode::Decoder;
use crate::source::declarative::moment::Duration;
use crate::source::declarative::request::{Call, Outcome, Requester};
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::text_of;

#[derive(Clone)]
pub(super) struct Session {
    login: Arc<Login>,
    /// How long a token lasts; without it each request logs in.
    lasts: Option<Duration>,
    /// By which streams share it.
    key: String,
}

struct Login {
    requester: Requester,
    decoder: Decoder,
    path: Vec<String>,
}

impl Session {
    pub(super) fn build(component: &Component<'_>, scope: &Scope, name: &str) -> Result<Self> {
        let requester = component.required("login_requester")?;
        let decoder = component.child("decoder")?;
        let path = component.texts("session_token_path")?;
        if path.is_empty() {
            return Err(component.fail("`session_token_path` is missing"));
        }
        let lasts = component.text("expiration_duration")?.filter(|text| !text.is_empty());
        let lasts = lasts.map(|text| Duration::parse(&text)).transpose()?;
        let key = format!(
            "session {} {path:?} {lasts:?}",
            crate::source::declarative::value::Value::from(requester.fields().clone()).to_json()
        );
        let login = Login {
            requester: Requester::build(&requester, scope, &format!("{name}_login_requester"))?,
            decoder: Decoder::build(decoder.as_ref(), scope)?,
            path,
        };
        Ok(Self { login: Arc::new(login), lasts, key })
    }

    pub(super) async fn token(&self, scope: &Scope) -> Result<String> {
        let vault = scope.vault();
        let Some(lasts) = self.lasts else {
            return self.login.token(scope).await;
        };
        let keeper = vault.token(self.key.clone(), || {
            let (login, scope) = (Arc::clone(&self.login), scope.clone());
            let fetch: Fetch = Arc::new(move |_| {
                let (login, scope) = (Arc::clone(&login), scope.clone());
                Box::pin(async move {
                    let access = Secret::new(login.token(&scope).await?);
                    let expires = lasts.after(&scope.vault().now(scope.clock()));
                    Ok(Tokens { access, expires, refresh: None })
                })
            });
            Keeper::new(None, fetch, Arc::new(NoStore))
        });
        let tokens = keeper.tokens(vault.now(scope.clock())).await?;
        Ok(tokens.access.reveal().to_owned())
    }
}

impl Login {
    async fn token(&self, scope: &Scope) -> Result<String> {
        let outcome = Box::pin(self.requester.send(Call::default())).await?;
        let Outcome::Answer(answer) = outcome else {
            return Err(Error::new(
                ErrorKind::Auth,
                "the login gave no session token: its answer was passed over",
            ));
        };
        let body = self.decoder.decode(&answer)?.first()?;
        let token = place::get(&body, &self.path).filter(|token| !token.is_none()).ok_or_else(|| {
            Error::new(ErrorKind::Auth, "the login's answer has no session token")
                .context("session_token_path", self.path.join("."))
        })?;
        let token = text_of(token);
        scope.vault().mask().add(&token);
        Ok(token)
    }
}
