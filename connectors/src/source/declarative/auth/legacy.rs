//! `LegacySessionTokenAuthenticator`: a session that the user has, or one by name and password.

use std::sync::Arc;

use protocol::{Error, ErrorKind, Result, Secret};
use url::Url;

use super::jwt::filled;
use crate::http::auth::{Fetch, Keeper, NoStore, Tokens};
use crate::http::{Body, Request};
use crate::source::declarative::component::Component;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::{TextTemplate, text_of};
use crate::source::declarative::value::{Map, Value};

pub(super) struct Legacy {
    base: TextTemplate,
    header: TextTemplate,
    login: TextTemplate,
    validate: TextTemplate,
    session: Option<TextTemplate>,
    response_key: Option<TextTemplate>,
    user: Option<TextTemplate>,
    password: Option<TextTemplate>,
    parameters: Value,
}

/// What the templates evaluate to.
struct Known {
    header: String,
    login: String,
    validate: String,
    session: String,
    response_key: String,
    user: String,
    password: String,
}

impl Legacy {
    pub(super) fn build(component: &Component<'_>, url_base: &str) -> Result<Self> {
        Ok(Self {
            base: TextTemplate::compile(url_base)?,
            header: component.required_template("header")?,
            login: component.required_template("login_url")?,
            validate: component.required_template("validate_session_url")?,
            session: filled(component, "session_token")?,
            response_key: filled(component, "session_token_response_key")?,
            user: filled(component, "username")?,
            password: filled(component, "password")?,
            parameters: component.parameters(),
        })
    }

    fn known(&self, scope: &Scope) -> Result<Known> {
        let context = scope.context(&self.parameters);
        let text = |template: &Option<TextTemplate>| -> Result<String> {
            template.as_ref().map_or_else(|| Ok(String::new()), |template| template.eval_text(&context))
        };
        let base = self.base.eval_text(&context)?;
        Ok(Known {
            header: self.header.eval_text(&context)?,
            login: format!("{base}{}", self.login.eval_text(&context)?),
            validate: format!("{base}{}", self.validate.eval_text(&context)?),
            session: text(&self.session)?,
            response_key: text(&self.response_key)?,
            user: text(&self.user)?,
            password: text(&self.password)?,
        })
    }

    /// Name and value of the header.
    pub(super) async fn header(&self, scope: &Scope) -> Result<(String, String)> {
        let known = self.known(scope)?;
        let header = known.header.clone();
        let key = format!("legacy {} {} {} {}", known.login, known.session, known.user, known.password);
        let keeper = scope.vault().token(key, || {
            let (known, scope) = (Arc::new(known), scope.clone());
            let fetch: Fetch = Arc::new(move |_| {
                let (known, scope) = (Arc::clone(&known), scope.clone());
                Box::pin(async move {
                    let access = Secret::new(known.token(&scope).await?);
                    let expires = scope.vault().now(scope.clock()) + chrono::TimeDelta::days(1);
                    Ok(Tokens { access, expires: Some(expires), refresh: None })
                })
            });
            Keeper::new(None, fetch, Arc::new(NoStore))
        });
        let tokens = keeper.tokens(scope.vault().now(scope.clock())).await?;
        Ok((header, tokens.access.reveal().to_owned()))
    }
}

impl Known {
    async fn token(&self, scope: &Scope) -> Result<String> {
        if !self.session.is_empty() && self.is_valid(scope).await? {
            return Ok(self.session.clone());
        }
        if self.user.is_empty() || self.password.is_empty() {
            return Err(Error::new(ErrorKind::Auth, "the session token is not valid")
                .hint("Give a new session token, or a user name and a password."));
        }
        let body: Map =
            [("username", self.user.as_str()), ("password", self.password.as_str())].into_iter().collect();
        let mut request = Request::new(reqwest::Method::POST, address(&self.login)?);
        request.body = Body::Json(Value::from(body).to_json().into());
        request.secret_body = true;
        let answer = scope.client().send(&request).await?;
        if answer.status >= 400 {
            return Err(refused("the login", answer.status));
        }
        let body = Value::from_json(&answer.body).map_err(|error| {
            Error::new(ErrorKind::Auth, "the login's answer is no JSON").with_source(error)
        })?;
        let token = body.get(&self.response_key).ok_or_else(|| {
            Error::new(ErrorKind::Auth, "the login's answer has no session token")
                .context("key", self.response_key.clone())
        })?;
        let token = text_of(token);
        scope.vault().mask().add(&token);
        Ok(token)
    }

    async fn is_valid(&self, scope: &Scope) -> Result<bool> {
        let mut request = Request::get(address(&self.validate)?);
        request.set_header(&self.header, self.session.as_str());
        match scope.client().send(&request).await?.status {
            401 => Ok(false),
            ..=399 => Ok(true),
            status => Err(refused("validating the session token", status)),
        }
    }
}

fn refused(what: &str, status: u16) -> Error {
    let kind = if status >= 500 || status == 429 { ErrorKind::Transient } else { ErrorKind::Auth };
    Error::new(kind, format!("{what} was answered with {status}"))
}

pub(super) fn address(text: &str) -> Result<Url> {
    Url::parse(text)
        .map_err(|error| Error::config("a URL of an authenticator is malformed").with_source(error))
}
