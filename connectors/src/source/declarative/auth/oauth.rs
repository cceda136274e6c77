//! `OAuthAuthenticator`, with refresh tokens that stay and with those that may be used once.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::BoxFuture;
use protocol::{Error, ErrorKind, Result, Secret};

use super::jwt::{Jwt, filled};
use super::refresh::{Refresh, Rejection, date, expiry, find};
use crate::http::auth::{Fetch, Keeper, TokenStore, Tokens};
use crate::source::declarative::component::Component;
use crate::source::declarative::config::place;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::{MappingTemplate, TextTemplate, Types, text_of};
use crate::source::declarative::value::{Map, Value};

/// How long a token is good whose answer does not say so.
const UNSAID: TimeDelta = TimeDelta::hours(1);

pub(super) struct OAuth {
    options: Arc<Options>,
    keeper: tokio::sync::OnceCell<Option<Keeper>>,
}

struct Options {
    endpoint: Option<TextTemplate>,
    grant: TextTemplate,
    client_id: Option<TextTemplate>,
    client_secret: Option<TextTemplate>,
    refresh_token: Option<TextTemplate>,
    access_token: Option<TextTemplate>,
    expiry: Option<TextTemplate>,
    has_format: bool,
    names: Names,
    scopes: Vec<String>,
    body: Option<MappingTemplate>,
    headers: Option<MappingTemplate>,
    in_query: bool,
    assertion: Option<Jwt>,
    updater: Option<Updater>,
    rejection: Rejection,
    parameters: Value,
}

/// What the fields of request and answer are called.
struct Names {
    grant: TextTemplate,
    client_id: TextTemplate,
    client_secret: TextTemplate,
    refresh_token: TextTemplate,
    access_token: TextTemplate,
    expires_in: TextTemplate,
}

/// Where single-use tokens are kept in the configuration.
struct Updater {
    access: Vec<String>,
    refresh: Vec<String>,
    expiry: Vec<String>,
}

impl OAuth {
    pub(super) fn build(component: &Component<'_>, scope: &Scope) -> Result<Self> {
        let options = Options::build(component)?;
        let grant = options.grant.eval_text(&scope.context(&options.parameters))?;
        if options.assertion.is_none() && options.updater.is_none() {
            if component.value("client_id").is_none() || component.value("client_secret").is_none() {
                return Err(component.fail("`client_id` and `client_secret` are both needed"));
            }
            if grant == "refresh_token" && component.value("refresh_token").is_none() {
                return Err(component.fail("`refresh_token` is needed where `grant_type` is refresh_token"));
            }
        }
        Ok(Self { options: Arc::new(options), keeper: tokio::sync::OnceCell::new() })
    }

    /// The token to sign with.
    pub(super) async fn token(&self, scope: &Scope) -> Result<String> {
        match self.keeper(scope).await? {
            Some(keeper) => {
                let tokens = keeper.tokens(scope.vault().now(scope.clock())).await?;
                Ok(tokens.access.reveal().to_owned())
            }
            None => Ok(self
                .options
                .given(scope)?
                .map(|tokens| tokens.access.reveal().to_owned())
                .unwrap_or_default()),
        }
    }

    /// A token instead of the one that was rejected; false where there can be none.
    pub(super) async fn refresh(&self, rejected: &str, scope: &Scope) -> Result<bool> {
        match self.keeper(scope).await? {
            Some(keeper) => keeper.after(rejected).await.map(|_| true),
            None => Ok(false),
        }
    }

    /// What keeps the token; nothing where the one that is given is all there is.
    async fn keeper(&self, scope: &Scope) -> Result<Option<&Keeper>> {
        let make = || async { self.options.keeper(&self.options, scope) };
        self.keeper.get_or_try_init(make).await.map(Option::as_ref)
    }
}

impl Options {
    fn build(component: &Component<'_>) -> Result<Self> {
        let named = |field: &str, default: &str| -> Result<TextTemplate> {
            filled(component, field)?.map_or_else(|| TextTemplate::compile(default), Ok)
        };
        let uses_assertion = component.flag("use_profile_assertion", false)?;
        let assertion = match component.child("profile_assertion")?.filter(|_| uses_assertion) {
            Some(assertion) if assertion.kind() == "JwtAuthenticator" => Some(Jwt::build(&assertion)?),
            Some(other) => return Err(other.unknown("profile assertion")),
            None if uses_assertion => return Err(component.fail("`profile_assertion` is missing")),
            None => None,
        };
        let updater = component.child("refresh_token_updater")?;
        let refresh_name = match &updater {
            Some(updater) => filled(updater, "refresh_token_name")?
                .map_or_else(|| TextTemplate::compile("refresh_token"), Ok)?,
            None => named("refresh_token_name", "refresh_token")?,
        };
        let grant = match &assertion {
            Some(_) => TextTemplate::compile("urn:ietf:params:oauth:grant-type:jwt-bearer")?,
            None => named("grant_type", "refresh_token")?,
        };
        Ok(Self {
            endpoint: component.template("token_refresh_endpoint")?,
            grant,
            client_id: filled(component, "client_id")?,
            client_secret: filled(component, "client_secret")?,
            refresh_token: component.template("refresh_token")?,
            access_token: filled(component, "access_token_value")?,
            expiry: filled(component, "token_expiry_date")?,
            has_format: component.value("token_expiry_date_format").is_some_and(Value::is_true),
            names: Names {
                grant: named("grant_type_name", "grant_type")?,
                client_id: named("client_id_name", "client_id")?,
                client_secret: named("client_secret_name", "client_secret")?,
                refresh_token: refresh_name,
                access_token: named("access_token_name", "access_token")?,
                expires_in: named("expires_in_name", "expires_in")?,
            },
            scopes: component.texts("scopes")?,
            body: component.mapping("refresh_request_body")?,
            headers: component.mapping("refresh_request_headers")?,
            in_query: component.flag("send_refresh_request_as_query_params", false)?,
            assertion,
            rejection: rejection(component, updater.as_ref())?,
            updater: updater.as_ref().map(Updater::build).transpose()?,
            parameters: component.parameters(),
        })
    }

    /// The token that the configuration gives, as it stands now.
    fn given(&self, scope: &Scope) -> Result<Option<Tokens>> {
        let (access, expires) = if let Some(updater) = &self.updater {
            let read = |path: &[String]| text_of(&scope.vault().read(scope.config(), path));
            (read(&updater.access), Some(read(&updater.expiry)).filter(|text| !text.is_empty()))
        } else {
            let text = |template: &Option<TextTemplate>| {
                template.as_ref().map(|template| self.text(template, scope)).transpose()
            };
            (text(&self.access_token)?.unwrap_or_default(), text(&self.expiry)?)
        };
        if access.is_empty() {
            return Ok(None);
        }
        scope.vault().mask().add(&access);
        let expires = match expires {
            Some(text) => {
                date(&text).ok_or_else(|| Error::config("the token's date of expiry is malformed"))?
            }
            None => DateTime::UNIX_EPOCH,
        };
        Ok(Some(Tokens { access: Secret::new(access), expires: Some(expires), refresh: None }))
    }

    /// What keeps the token, shared by all streams that would ask for it in the same way.
    fn keeper(&self, options: &Arc<Self>, scope: &Scope) -> Result<Option<Keeper>> {
        let given = self.given(scope)?;
        if self.endpoint.is_none() {
            return match given {
                Some(_) => Ok(None),
                None => Err(Error::config("an OAuth authenticator has neither a token nor an endpoint")),
            };
        }
        let (options, scope) = (Arc::clone(options), scope.clone());
        let vault = scope.vault().clone();
        let store = Arc::new(Store { options: Arc::clone(&options), scope: scope.clone() });
        let key = self.key(&scope)?;
        let fetch: Fetch = Arc::new(move |current| {
            let (options, scope) = (Arc::clone(&options), scope.clone());
            Box::pin(async move { options.fetch(&scope, current).await })
        });
        Ok(Some(vault.token(key, || Keeper::new(given, fetch, store))))
    }

    /// What tells this token from others. Single-use tokens are the configuration's, whatever is asked beside.
    fn key(&self, scope: &Scope) -> Result<String> {
        let text = |template: &Option<TextTemplate>| -> Result<String> {
            template.as_ref().map_or_else(|| Ok(String::new()), |template| self.text(template, scope))
        };
        let endpoint = text(&self.endpoint)?;
        if let Some(updater) = &self.updater {
            return Ok(format!("oauth {endpoint} {:?} {:?}", updater.access, updater.refresh));
        }
        if let Some(jwt) = &self.assertion {
            return Ok(format!("oauth {endpoint} {}", jwt.key_text(scope)?));
        }
        let query = self.arguments(scope)?;
        let headers = self.mapping(self.headers.as_ref(), scope)?;
        let access = text(&self.access_token)?;
        let name = text_of(&self.names.access_token.eval(&scope.context(&self.parameters))?);
        Ok(format!(
            "oauth {endpoint} {} {} {} {access} {name}",
            self.in_query,
            Value::from(query).to_json(),
            Value::from(headers).to_json()
        ))
    }

    async fn fetch(&self, scope: &Scope, current: Option<Tokens>) -> Result<Tokens> {
        let answer = self.request(scope)?.send(scope).await?;
        let context = scope.context(&self.parameters);
        let name = |template: &TextTemplate| template.eval_text(&context);
        let access_name = name(&self.names.access_token)?;
        let access = find(&answer, &access_name)?.map(text_of).filter(|token| !token.is_empty());
        let access = access.ok_or_else(|| {
            Error::new(ErrorKind::Auth, format!("the token's answer has no {access_name:?}"))
        })?;
        scope.vault().mask().add(&access);
        let now = scope.vault().now(scope.clock());
        let expires = match find(&answer, &name(&self.names.expires_in)?)? {
            Some(value) => expiry(value, self.has_format, now)?,
            None => current.and_then(|tokens| tokens.expires).filter(|at| *at >= now).unwrap_or(now + UNSAID),
        };
        let refresh = match &self.updater {
            Some(_) => find(&answer, &name(&self.names.refresh_token)?)?.map(text_of),
            None => None,
        };
        if let Some(token) = &refresh {
            scope.vault().mask().add(token);
        }
        Ok(Tokens { access: Secret::new(access), expires: Some(expires), refresh: refresh.map(Secret::new) })
    }

    pub(super) fn request(&self, scope: &Scope) -> Result<Refresh> {
        let Some(endpoint) = &self.endpoint else {
            return Err(Error::config("an OAuth authenticator has no `token_refresh_endpoint`"));
        };
        let url = self.text(endpoint, scope)?;
        if url.is_empty() {
            return Err(Error::config("`token_refresh_endpoint` evaluates to nothing"));
        }
        let arguments =
            if self.assertion.is_none() || self.in_query { self.arguments(scope)? } else { Map::new() };
        let (query, body) = match &self.assertion {
            Some(jwt) => {
                let grant = self.names.grant.eval_text(&scope.context(&self.parameters))?;
                let assertion =
                    [(grant, self.text(&self.grant, scope)?), ("assertion".to_owned(), jwt.token(scope)?)];
                (Some(arguments).filter(|_| self.in_query), assertion.into_iter().collect())
            }
            None if self.in_query => (Some(arguments), Map::new()),
            None => (None, arguments),
        };
        let headers = self.mapping(self.headers.as_ref(), scope)?;
        Ok(Refresh { url, query, body, headers, rejection: self.rejection.clone() })
    }

    /// What is sent of grant, client and token. The client's own where no header has it.
    fn arguments(&self, scope: &Scope) -> Result<Map> {
        let context = scope.context(&self.parameters);
        let name = |template: &TextTemplate| template.eval_text(&context);
        let headers = self.mapping(self.headers.as_ref(), scope)?;
        let mut arguments = Map::new();
        arguments.insert(name(&self.names.grant)?, self.grant.eval(&context)?);
        if !headers.contains("Authorization") {
            let id = self.client(self.client_id.as_ref(), "client_id", scope)?;
            if !id.is_true() {
                return Err(Error::config("`client_id` evaluates to nothing"));
            }
            arguments.insert(name(&self.names.client_id)?, id);
            let secret = self.client(self.client_secret.as_ref(), "client_secret", scope)?;
            scope.vault().mask().add(&text_of(&secret));
            arguments.insert(name(&self.names.client_secret)?, secret);
        }
        let refresh = match (&self.updater, &self.refresh_token) {
            (Some(updater), _) => Value::Text(text_of(&scope.vault().read(scope.config(), &updater.refresh))),
            (None, Some(template)) => Value::Text(template.eval_text(&context)?),
            (None, None) => Value::None,
        };
        scope.vault().mask().add(refresh.as_text().unwrap_or_default());
        arguments.insert(name(&self.names.refresh_token)?, refresh);
        if !self.scopes.is_empty() {
            let scopes: Vec<Value> = self.scopes.iter().map(|scope| scope.as_str().into()).collect();
            arguments.insert("scopes", scopes);
        }
        for (key, value) in self.mapping(self.body.as_ref(), scope)? {
            if !arguments.contains(&key) {
                arguments.insert(key, value);
            }
        }
        Ok(arguments)
    }

    /// The client's id or secret: with single-use tokens first what the configuration has in `credentials`.
    fn client(&self, template: Option<&TextTemplate>, field: &str, scope: &Scope) -> Result<Value> {
        if self.updater.is_some() {
            let path = ["credentials".to_owned(), field.to_owned()];
            if let Some(value) = place::get(scope.config(), &path) {
                return Ok(value.clone());
            }
        }
        template
            .map_or_else(|| Ok(Value::from("")), |template| template.eval(&scope.context(&self.parameters)))
    }

    fn text(&self, template: &TextTemplate, scope: &Scope) -> Result<String> {
        template.eval_text(&scope.context(&self.parameters))
    }

    fn mapping(&self, template: Option<&MappingTemplate>, scope: &Scope) -> Result<Map> {
        let Some(template) = template else { return Ok(Map::new()) };
        let value = template.eval(&scope.context(&self.parameters), Types::ANY)?;
        Ok(value.as_map().cloned().unwrap_or_default())
    }
}

impl Updater {
    fn build(component: &Component<'_>) -> Result<Self> {
        let path = |field: &str, default: &str| -> Result<Vec<String>> {
            let path = component.texts(field)?;
            Ok(if path.is_empty() { vec!["credentials".to_owned(), default.to_owned()] } else { path })
        };
        Ok(Self {
            access: path("access_token_config_path", "access_token")?,
            refresh: path("refresh_token_config_path", "refresh_token")?,
            expiry: path("token_expiry_date_config_path", "token_expiry_date")?,
        })
    }
}

/// Keeps single-use tokens in the configuration, before they are used.
struct Store {
    options: Arc<Options>,
    scope: Scope,
}

impl TokenStore for Store {
    fn save<'a>(&'a self, tokens: &'a Tokens) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let Some(updater) = &self.options.updater else { return Ok(()) };
            let mut changes = vec![(updater.access.as_slice(), Value::from(tokens.access.reveal()))];
            if let Some(refresh) = &tokens.refresh {
                changes.push((updater.refresh.as_slice(), Value::from(refresh.reveal())));
            }
            if let Some(expires) = tokens.expires {
                changes.push((
                    updater.expiry.as_slice(),
                    Value::from(written(self.scope.vault().told(self.scope.clock(), expires))),
                ));
            }
            self.scope.vault().write(self.scope.config(), changes)
        })
    }
}

/// A date as the reference writes it into a configuration.
fn written(at: DateTime<Utc>) -> String {
    let micros = at.timestamp_subsec_micros();
    let format = if micros == 0 { "%Y-%m-%dT%H:%M:%S+00:00" } else { "%Y-%m-%dT%H:%M:%S%.6f+00:00" };
    at.format(format).to_string()
}

/// `refresh_token_error_*`, of the authenticator or of its updater, but not of both.
fn rejection(component: &Component<'_>, updater: Option<&Component<'_>>) -> Result<Rejection> {
    const FIELDS: [&str; 3] =
        ["refresh_token_error_status_codes", "refresh_token_error_key", "refresh_token_error_values"];
    let says = |component: &Component<'_>| {
        FIELDS.iter().any(|field| component.value(field).is_some_and(Value::is_true))
    };
    let of = |component: &Component<'_>| -> Result<Rejection> {
        Ok(Rejection {
            statuses: component
                .texts(FIELDS[0])?
                .iter()
                .filter_map(|status| status.trim().parse().ok())
                .collect(),
            key: component.text(FIELDS[1])?.unwrap_or_default(),
            values: component.texts(FIELDS[2])?,
        })
    };
    match updater.filter(|updater| says(updater)) {
        Some(_) if says(component) => {
            Err(component.fail("`refresh_token_error_*` stands in the authenticator and in its updater"))
        }
        Some(updater) => of(updater),
        None if says(component) => of(component),
        None => Ok(Rejection {
            statuses: vec![400],
            key: "error".to_owned(),
            values: vec!["invalid_grant".to_owned(), "invalid_permissions".to_owned()],
        }),
    }
}
