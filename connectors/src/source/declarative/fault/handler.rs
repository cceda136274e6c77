//! `DefaultErrorHandler` and `CompositeErrorHandler`.

use std::time::Duration;

use protocol::{Error, ErrorKind, Result};

use super::answer::Seen;
use super::backoff::Strategy;
use super::filter::Filter;
use super::resolution::{Action, Failure, Resolution};
use super::verdict::{Tries, Verdict, Wait};
use crate::http::{Answer, retry_after};
use crate::source::declarative::component::Component;
use crate::source::declarative::number;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::value::Value;

/// Retries where a manifest does not say how many.
const RETRIES: u32 = 5;
/// A wait that a server asks for by itself is not taken beyond this.
const LONGEST_ASKED: Duration = Duration::from_hours(2);
/// How long a rate limit waits where another token is at hand.
const ROTATION: f64 = 0.1;

/// Judges answers as a manifest's error handler says.
pub struct ErrorHandler {
    root: Node,
    /// Those of all handlers: the first that says how long to wait is heard, whatever handler matched.
    strategies: Vec<Strategy>,
    tries: u32,
    scope: Scope,
}

enum Node {
    Default(Vec<Filter>),
    Composite(Vec<Node>),
}

impl ErrorHandler {
    /// Of the component in `error_handler`; the reference's default without one.
    pub fn build(component: Option<&Component<'_>>, scope: &Scope) -> Result<Self> {
        let mut strategies = Vec::new();
        let (root, retries) = match component {
            None => (Node::Default(Vec::new()), RETRIES),
            Some(component) => Node::build(component, scope, &mut strategies)?,
        };
        Ok(Self { root, strategies, tries: retries.saturating_add(1), scope: scope.clone() })
    }

    /// What `outcome` means. Counts it as a try.
    pub fn judge(&self, outcome: Result<&Answer, &Error>, tries: &mut Tries) -> Verdict {
        let attempt = tries.begin();
        match outcome {
            Err(error) if !error.kind().is_retryable() => {
                Verdict::Fail(self.scope.vault().mask().error(error))
            }
            Err(error) => {
                let resolution = Resolution::new(Action::Retry, Failure::Transient);
                self.act(&resolution, None, Some(error), attempt, tries)
            }
            Ok(answer) => {
                let seen = Seen::new(answer);
                match self.root.resolve(&seen, &self.scope) {
                    Ok(resolution) => self.act(&resolution, Some(&seen), None, attempt, tries),
                    Err(error) => Verdict::Fail(error),
                }
            }
        }
    }

    fn act(
        &self,
        resolution: &Resolution,
        seen: Option<&Seen<'_>>,
        lost: Option<&Error>,
        attempt: u32,
        tries: &mut Tries,
    ) -> Verdict {
        let message = resolution.message.clone();
        match resolution.action {
            Action::Success => Verdict::Success,
            Action::Ignore => Verdict::Ignore(message),
            Action::ResetPagination => Verdict::ResetPagination,
            Action::ReducePageSize => Verdict::ReducePageSize(message),
            Action::SplitWindow => Verdict::SplitWindow(message),
            Action::Fail => Verdict::Fail(self.error(resolution, seen, lost)),
            Action::RefreshToken if tries.refresh().is_some() => {
                let kind = if tries.refresh() == Some(true) { ErrorKind::Auth } else { ErrorKind::Transient };
                let what = if tries.refresh() == Some(true) {
                    "the server rejects the token that it has just given"
                } else {
                    "the server rejects the token, and a new one can't be had"
                };
                Verdict::Fail(Error::new(kind, what).with_source(self.error(resolution, seen, lost)))
            }
            Action::Retry | Action::RateLimited | Action::RefreshToken => {
                self.again(resolution, seen, lost, attempt, tries)
            }
        }
    }

    fn again(
        &self,
        resolution: &Resolution,
        seen: Option<&Seen<'_>>,
        lost: Option<&Error>,
        attempt: u32,
        tries: &mut Tries,
    ) -> Verdict {
        let limited = resolution.action == Action::RateLimited;
        let wait = if limited && tries.can_rotate() {
            Wait::Set(ROTATION)
        } else {
            match self.strategy(seen, attempt) {
                Err(error) => return Verdict::Fail(error),
                Ok(Some(seconds)) => Wait::Set(seconds),
                Ok(None) if limited => Wait::Limited,
                Ok(None) => Wait::Other,
            }
        };
        let asked = seen.map(|seen| seen.answer).filter(|answer| matches!(answer.status, 429 | 503));
        let asked = asked.and_then(retry_after).filter(|_| !matches!(wait, Wait::Set(_)));
        let why = self.error(resolution, seen, lost);
        let Some(wait) = tries.failed(wait, self.tries) else {
            return Verdict::Fail(why.context("tries", attempt.to_string()));
        };
        if asked.is_some_and(|asked| asked > LONGEST_ASKED) {
            let kind = ErrorKind::RateLimited { retry_after: asked };
            return Verdict::Fail(
                Error::new(kind, "the server asks to wait longer than two hours").with_source(why),
            );
        }
        let wait = asked.map_or(wait, |asked| asked.max(wait));
        match resolution.action {
            Action::RateLimited => Verdict::RateLimited { wait, why },
            Action::RefreshToken => Verdict::RefreshToken { wait, why },
            _ => Verdict::Retry { wait, why },
        }
    }

    /// Seconds to wait, by the first strategy that says so; zero says nothing.
    fn strategy(&self, seen: Option<&Seen<'_>>, attempt: u32) -> Result<Option<f64>> {
        for strategy in &self.strategies {
            if let Some(wait) = strategy.wait(seen, attempt, &self.scope)?.filter(|wait| *wait != 0.0) {
                return Ok(Some(wait));
            }
        }
        Ok(None)
    }

    /// The failure, in the manifest's words or ours, without secrets.
    fn error(&self, resolution: &Resolution, seen: Option<&Seen<'_>>, lost: Option<&Error>) -> Error {
        let mask = self.scope.vault().mask();
        if let Some(lost) = lost {
            return mask.error(lost);
        }
        let status = seen.map(|seen| seen.answer.status);
        let kind = match resolution.failure.kind(status) {
            ErrorKind::RateLimited { .. } => {
                ErrorKind::RateLimited { retry_after: seen.and_then(|seen| retry_after(seen.answer)) }
            }
            kind => kind,
        };
        let message = match (&resolution.message, seen) {
            (Some(message), _) => message.clone(),
            (None, Some(seen)) => said(seen),
            (None, None) => "a request failed".to_owned(),
        };
        let mut error = Error::new(kind, mask.apply(&message));
        if let Some(seen) = seen {
            error = error.context("url", mask.apply(seen.url().as_text().unwrap_or_default()));
            if resolution.message.is_some() {
                error = error.context("status", seen.answer.status.to_string());
            }
        }
        error
    }
}

/// What the server answered, with its own words where it refused.
fn said(seen: &Seen<'_>) -> String {
    let status = seen.answer.status;
    let reason = reqwest::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let reason = reason.map(|reason| format!(" ({})", reason.to_lowercase())).unwrap_or_default();
    let told = if status >= 400 { seen.told() } else { None };
    let told = told.map(|told| format!(": {told}")).unwrap_or_default();
    format!("the server answered {status}{reason}{told}")
}

impl Node {
    /// The handler and how many retries it allows.
    fn build(
        component: &Component<'_>,
        scope: &Scope,
        strategies: &mut Vec<Strategy>,
    ) -> Result<(Self, u32)> {
        if component.value("class_name").is_some() {
            return Err(component.unknown("error handler"));
        }
        match component.kind() {
            "DefaultErrorHandler" => {
                for strategy in component.children("backoff_strategies")? {
                    strategies.push(Strategy::build(&strategy, scope)?);
                }
                let mut filters = Vec::new();
                for filter in component.children("response_filters")? {
                    filters.extend(Filter::build(&filter)?);
                }
                Ok((Self::Default(filters), retries(component, scope)?))
            }
            "CompositeErrorHandler" => {
                let mut nodes = Vec::new();
                let mut first = None;
                for child in component.children("error_handlers")? {
                    let (node, retries) = Self::build(&child, scope, strategies)?;
                    first.get_or_insert(retries);
                    nodes.push(node);
                }
                let retries = first.ok_or_else(|| component.fail("`error_handlers` is empty"))?;
                Ok((Self::Composite(nodes), retries))
            }
            _ => Err(component.unknown("error handler")),
        }
    }

    fn resolve(&self, seen: &Seen<'_>, scope: &Scope) -> Result<Resolution> {
        match self {
            Self::Default(filters) => {
                for filter in filters {
                    if let Some(resolution) = filter.resolve(seen, scope)? {
                        return Ok(resolution);
                    }
                }
                Ok(Resolution::of_status(seen.answer.status))
            }
            Self::Composite(nodes) => {
                let mut last = Resolution::of_status(seen.answer.status);
                for node in nodes {
                    last = node.resolve(seen, scope)?;
                    if !matches!(last.action, Action::Fail | Action::RateLimited | Action::RefreshToken) {
                        break;
                    }
                }
                Ok(last)
            }
        }
    }
}

/// `max_retries`: a number, or a template that evaluates to one.
fn retries(component: &Component<'_>, scope: &Scope) -> Result<u32> {
    let Some(template) = component.template("max_retries")? else { return Ok(RETRIES) };
    let value = match component.value("max_retries") {
        Some(value @ (Value::Int(_) | Value::Float(_))) => value.clone(),
        _ => template.eval(&scope.context(&component.parameters()))?,
    };
    let count = match &value {
        Value::Int(number) => Some(*number),
        Value::Bool(truth) => Some(i64::from(*truth)),
        #[expect(clippy::cast_possible_truncation, reason = "so does int()")]
        Value::Float(number) if number.is_finite() => Some(number.trunc() as i64),
        Value::Text(text) => number::parse_int(text, 10).and_then(|number| i64::try_from(&number).ok()),
        _ => None,
    };
    let count = count.ok_or_else(|| component.fail("`max_retries` does not evaluate to an integer"))?;
    Ok(u32::try_from(count.max(0)).unwrap_or(u32::MAX))
}
