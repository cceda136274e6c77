//! What is sent to prove who one is, from wherever it comes.

use futures::future::BoxFuture;
use protocol::Result;

use super::jwt::Jwt;
use super::session::Session;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::TextTemplate;
use crate::source::declarative::value::Value;

pub(super) enum Token {
    /// Out of the configuration.
    Template { template: TextTemplate, parameters: Value },
    /// A session's, as it is.
    Session(Session),
    /// A session's, in a template that sees it as `session_token`.
    Wrapped { session: Session, template: TextTemplate, parameters: Value },
    /// Signed for the occasion.
    Jwt(Box<Jwt>),
}

impl Token {
    pub(super) fn get<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<String>> {
        Box::pin(async move {
            match self {
                Self::Template { template, parameters } => template.eval_text(&scope.context(parameters)),
                Self::Session(session) => session.token(scope).await,
                Self::Wrapped { session, template, parameters } => {
                    let token = Value::Text(session.token(scope).await?);
                    template.eval_text(&scope.context(parameters).with("session_token", &token))
                }
                Self::Jwt(jwt) => jwt.token(scope),
            }
        })
    }
}
