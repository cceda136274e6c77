//! One authenticator, of whatever kind.

use std::sync::Arc;

use protocol::{Error, Result};

use super::jwt::{Jwt, filled};
use super::legacy::Legacy;
use super::oauth::OAuth;
use super::rotation::Rotation;
use super::session::Session;
use super::token::Token;
use crate::http::auth::{basic, bearer};
use crate::http::{Answer, Request};
use crate::source::declarative::component::Component;
use crate::source::declarative::config::place;
use crate::source::declarative::fault::Tries;
use crate::source::declarative::request::{Parts, Place, RequestOption};
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::{TextTemplate, text_of};
use crate::source::declarative::value::Value;

/// Makes requests known to a server. Streams of one source share their tokens through the scope's vault.
pub struct Authenticator {
    kind: Kind,
    scope: Scope,
}

enum Kind {
    None,
    /// A token where an option says.
    Option(RequestOption, Token),
    Bearer(Token),
    Basic {
        user: TextTemplate,
        password: Option<TextTemplate>,
        parameters: Value,
    },
    OAuth(Box<OAuth>),
    Legacy(Box<Legacy>),
    /// Several tokens in turn.
    Rotation(Arc<Rotation>),
}

impl Authenticator {
    /// Of the component in `authenticator`; none signs nothing. `url_base` is the requester's `url` or `url_base` as it
    /// stands in the manifest; `name` is the stream's.
    pub fn build(
        component: Option<&Component<'_>>,
        scope: &Scope,
        url_base: &str,
        name: &str,
    ) -> Result<Self> {
        let kind = match component {
            Some(component) => Kind::build(component, scope, url_base, name)?,
            None => Kind::None,
        };
        Ok(Self { kind, scope: scope.clone() })
    }

    /// What it adds to parameters and bodies (never headers): to be merged with what the other components add, before
    /// the request is put together. Once for each request.
    pub async fn parts(&self) -> Result<Parts> {
        let mut parts = Parts::default();
        if let Kind::Option(option, token) = &self.kind
            && option.place() != Place::Header
        {
            option.inject(&mut parts, self.told(token).await?.into());
        }
        Ok(parts)
    }

    /// Sets the headers, before each try.
    pub async fn sign(&self, request: &mut Request) -> Result<()> {
        let scope = &self.scope;
        match &self.kind {
            Kind::Option(option, token) if option.place() == Place::Header => {
                let mut parts = Parts::default();
                option.inject(&mut parts, "".into());
                let name = parts.headers.keys().next().unwrap_or_default();
                if !name.is_empty() {
                    request.set_header(name, self.told(token).await?);
                }
            }
            Kind::None | Kind::Option(..) => {}
            Kind::Bearer(token) => request.set_header("Authorization", bearer(&self.told(token).await?)),
            Kind::Basic { user, password, parameters } => {
                let context = scope.context(parameters);
                let password = password.as_ref().map(|password| password.eval_text(&context)).transpose()?;
                let password = password.unwrap_or_default();
                scope.vault().mask().add(&password);
                let value = basic(&user.eval_text(&context)?, &password);
                scope.vault().mask().add(value.trim_start_matches("Basic "));
                request.set_header("Authorization", value);
            }
            Kind::Rotation(rotation) => rotation.sign(request, scope).await?,
            Kind::OAuth(oauth) => request.set_header("Authorization", bearer(&oauth.token(scope).await?)),
            Kind::Legacy(legacy) => {
                let (name, value) = legacy.header(scope).await?;
                request.set_header(&name, value);
            }
        }
        Ok(())
    }

    /// After [`Verdict::RefreshToken`](crate::source::declarative::fault::Verdict::RefreshToken): makes a new token,
    /// unless `request` was not sent with the one that there is, and remembers in `tries` how that went. An error where
    /// it never will.
    pub async fn refresh(&self, request: &Request, tries: &mut Tries) -> Result<()> {
        let Kind::OAuth(oauth) = &self.kind else { return Ok(()) };
        let sent = request.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("authorization"));
        let sent = sent.and_then(|(_, value)| value.strip_prefix("Bearer ")).unwrap_or_default();
        match oauth.refresh(sent, &self.scope).await {
            Ok(worked) => tries.refreshed(worked),
            Err(error) if error.kind().is_retryable() => tries.refreshed(false),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Takes note of what an answer says about quotas. After each answer that did not come from a cache.
    pub fn observe(&self, request: &Request, answer: &Answer) {
        if let Kind::Rotation(rotation) = &self.kind {
            rotation.observe(request, answer);
        }
    }

    /// Whether a rate-limited request can go out with another token at once (after a tenth of a second).
    #[must_use]
    pub fn has_alternative(&self, request: &Request) -> bool {
        matches!(&self.kind, Kind::Rotation(rotation) if rotation.has_alternative(request))
    }

    /// An error without the secrets of this source.
    #[must_use]
    pub fn mask(&self, error: &Error) -> Error {
        self.scope.vault().mask().error(error)
    }

    async fn told(&self, token: &Token) -> Result<String> {
        let token = token.get(&self.scope).await?;
        self.scope.vault().mask().add(&token);
        Ok(token)
    }
}

impl Kind {
    fn build(component: &Component<'_>, scope: &Scope, url_base: &str, name: &str) -> Result<Self> {
        if component.value("class_name").is_some() {
            return Err(component.unknown("authenticator"));
        }
        Ok(match component.kind() {
            "NoAuth" => Self::None,
            "ApiKeyAuthenticator" => Self::Option(key_option(component, scope)?, api_token(component)?),
            "BearerAuthenticator" => Self::Bearer(api_token(component)?),
            "BasicHttpAuthenticator" => Self::Basic {
                user: component.required_template("username")?,
                password: filled(component, "password")?,
                parameters: component.parameters(),
            },
            "OAuthAuthenticator" => Self::OAuth(Box::new(OAuth::build(component, scope)?)),
            "SessionTokenAuthenticator" => Self::session(component, scope, name)?,
            "LegacySessionTokenAuthenticator" => Self::Legacy(Box::new(Legacy::build(component, url_base)?)),
            "RateLimitedMultipleTokenAuthenticator" => Self::Rotation(Rotation::build(component, scope)?),
            "JwtAuthenticator" => {
                let option = match component.child("request_option")? {
                    Some(option) => RequestOption::build(&option, scope)?,
                    None => RequestOption::new(Place::Header, "Authorization"),
                };
                Self::Option(option, Token::Jwt(Box::new(Jwt::build(component)?)))
            }
            "SelectiveAuthenticator" => {
                let path = component.texts("authenticator_selection_path")?;
                let selected = place::get(scope.config(), &path).map(text_of).ok_or_else(|| {
                    component.fail(format!(
                        "the configuration has no {:?}, which selects the authenticator",
                        path.join(".")
                    ))
                })?;
                let authenticators = component.required("authenticators")?;
                let chosen = authenticators.child(&selected)?.ok_or_else(|| {
                    component.fail(format!(
                        "there is no authenticator for the one that {:?} selects",
                        path.join(".")
                    ))
                })?;
                Self::build(&chosen, scope, url_base, name)?
            }
            _ => return Err(component.unknown("authenticator")),
        })
    }

    fn session(component: &Component<'_>, scope: &Scope, name: &str) -> Result<Self> {
        let session = Session::build(component, scope, name)?;
        let way = component.required("request_authentication")?;
        match way.kind() {
            "Bearer" => Ok(Self::Bearer(Token::Session(session))),
            "ApiKey" => {
                let option = RequestOption::build(&way.required("inject_into")?, scope)?;
                let template = filled(&way, "api_token")?
                    .map_or_else(|| TextTemplate::compile("{{ session_token }}"), Ok)?;
                let parameters = component.parameters();
                Ok(Self::Option(option, Token::Wrapped { session, template, parameters }))
            }
            _ => Err(way.unknown("way to send a session token")),
        }
    }
}

fn api_token(component: &Component<'_>) -> Result<Token> {
    let template = match component.template("api_token")? {
        Some(template) => template,
        None => TextTemplate::compile("")?,
    };
    Ok(Token::Template { template, parameters: component.parameters() })
}

fn key_option(component: &Component<'_>, scope: &Scope) -> Result<RequestOption> {
    match (component.child("inject_into")?, component.template("header")?) {
        (Some(_), Some(_)) => Err(both(component)),
        (Some(option), None) => RequestOption::build(&option, scope),
        (None, Some(header)) => {
            let name = header.eval_text(&scope.context(&component.parameters()))?;
            Ok(RequestOption::new(Place::Header, name))
        }
        (None, None) => Err(component.fail("`inject_into` or `header` is missing")),
    }
}

fn both(component: &Component<'_>) -> Error {
    component.fail("only one of `inject_into` and `header` can be given")
}
