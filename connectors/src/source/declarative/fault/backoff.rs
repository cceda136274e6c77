//! Backoff strategies: how long to wait before a request is sent again.

use std::time::Duration;

use fancy_regex::{Regex, RegexBuilder};
use protocol::{Error, ErrorKind, Result};

use super::answer::Seen;
use crate::source::declarative::component::Component;
use crate::source::declarative::number;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::{Template, TextTemplate, Types};
use crate::source::declarative::value::Value;

/// Steps back that a regular expression may take.
const BACKTRACKS: usize = 100_000;

pub(super) struct Strategy {
    kind: Kind,
    parameters: Value,
    /// From this many seconds on it fails instead of waiting.
    most: Option<f64>,
}

enum Kind {
    Constant { seconds: TextTemplate, jitter: f64 },
    Exponential { factor: TextTemplate, jitter: f64 },
    FromHeader(Header),
    UntilHeader { header: Header, least: Option<TextTemplate> },
    FromResponse(Template),
}

struct Header {
    name: TextTemplate,
    pattern: Option<TextTemplate>,
}

impl Strategy {
    pub(super) fn build(component: &Component<'_>, scope: &Scope) -> Result<Self> {
        let parameters = component.parameters();
        let kind = match component.kind() {
            _ if component.value("class_name").is_some() => return Err(component.unknown("backoff strategy")),
            "ConstantBackoffStrategy" => Kind::Constant {
                seconds: component.required_template("backoff_time_in_seconds")?,
                jitter: jitter(component)?,
            },
            "ExponentialBackoffStrategy" => {
                let given = component.value("factor").is_some_and(Value::is_true);
                let factor =
                    if given { component.required_template("factor")? } else { TextTemplate::compile("5")? };
                Kind::Exponential { factor, jitter: jitter(component)? }
            }
            "WaitTimeFromHeader" => Kind::FromHeader(Header::build(component)?),
            "WaitUntilTimeFromHeader" => Kind::UntilHeader {
                header: Header::build(component)?,
                least: component.template("min_wait")?,
            },
            "WaitTimeFromResponse" => {
                Kind::FromResponse(Template::compile(&component.required_text("wait_time_in_seconds")?)?)
            }
            _ => return Err(component.unknown("backoff strategy")),
        };
        let most = match component.template("max_waiting_time_in_seconds")? {
            None => None,
            Some(template) => {
                let value = template.eval(&scope.context(&parameters))?;
                let most = float(&value).filter(|most| most.is_finite());
                Some(most.ok_or_else(|| {
                    component.fail("`max_waiting_time_in_seconds` does not evaluate to a number")
                })?)
            }
        };
        let most = most.filter(|_| !matches!(kind, Kind::Constant { .. } | Kind::Exponential { .. }));
        Ok(Self { kind, parameters, most })
    }

    /// Seconds to wait after the try of that number; `None` where it has nothing to say.
    pub(super) fn wait(&self, seen: Option<&Seen<'_>>, attempt: u32, scope: &Scope) -> Result<Option<f64>> {
        let context = scope.context(&self.parameters);
        let number = |template: &TextTemplate, name: &str| -> Result<f64> {
            let value = template.eval(&context)?;
            float(&value).ok_or_else(|| Error::config(format!("`{name}` does not evaluate to a number")))
        };
        let wait = match &self.kind {
            Kind::Constant { seconds, jitter } => {
                Some(number(seconds, "backoff_time_in_seconds")? + spread(*jitter))
            }
            Kind::Exponential { factor, jitter } => {
                let factor = number(factor, "factor")?;
                Some(factor * f64::from(attempt).exp2() + spread(*jitter))
            }
            Kind::FromHeader(header) => {
                let wait = header.read(seen, &context)?;
                self.bound(wait.filter(|wait| *wait != 0.0))?
            }
            Kind::UntilHeader { header, least } => {
                let until = header.read(seen, &context)?.filter(|until| *until != 0.0);
                let least = match least {
                    None => None,
                    Some(template) => {
                        let value = template.eval(&context)?;
                        if value.is_true() { Some(number(template, "min_wait")?) } else { None }
                    }
                };
                let now = scope.clock().now();
                #[expect(clippy::cast_precision_loss, reason = "microseconds of this age fit a double")]
                let now = now.timestamp_micros() as f64 / 1e6;
                match (until.map(|until| until - now), least) {
                    (None, None) => None,
                    (None, Some(least)) => self.bound(Some(least))?,
                    (Some(wait), Some(least)) => self.bound(Some(wait.max(least)))?,
                    (Some(wait), None) if wait < 0.0 => None,
                    (Some(wait), None) => self.bound(Some(wait))?,
                }
            }
            Kind::FromResponse(template) => self.of_response(template, seen, scope)?,
        };
        Ok(wait.filter(|wait| wait.is_finite()))
    }

    fn of_response(
        &self,
        template: &Template,
        seen: Option<&Seen<'_>>,
        scope: &Scope,
    ) -> Result<Option<f64>> {
        let empty = Value::Map(crate::source::declarative::value::Map::new());
        let headers = seen.map_or_else(|| empty.clone(), |seen| seen.headers(template.source()));
        let context = scope
            .context(&self.parameters)
            .with("response", seen.map_or(&empty, Seen::json))
            .with("headers", &headers);
        // A body of another shape leaves the wait to the next strategy.
        let Ok(Some(value)) = template.eval(&context, Types::ANY) else { return Ok(None) };
        self.bound(float(&value).filter(|wait| wait.is_finite() && *wait > 0.0))
    }

    fn bound(&self, wait: Option<f64>) -> Result<Option<f64>> {
        match (wait, self.most) {
            (Some(wait), Some(most)) if wait >= most => Err(Error::new(
                ErrorKind::RateLimited { retry_after: duration(wait) },
                "the server asks to wait longer than the manifest allows",
            )),
            (wait, _) => Ok(wait),
        }
    }
}

impl Header {
    fn build(component: &Component<'_>) -> Result<Self> {
        let pattern = match component.text("regex")?.filter(|regex| !regex.is_empty()) {
            Some(_) => component.template("regex")?,
            None => None,
        };
        Ok(Self { name: component.required_template("header")?, pattern })
    }

    /// The number in the header: the whole match of the pattern at its beginning, or all of it where none matches.
    fn read(
        &self,
        seen: Option<&Seen<'_>>,
        context: &crate::source::declarative::template::Context<'_>,
    ) -> Result<Option<f64>> {
        let name = self.name.eval_text(context)?;
        let pattern = match &self.pattern {
            Some(pattern) => Some(anchored(&pattern.eval_text(context)?)?),
            None => None,
        };
        let Some(text) = seen.and_then(|seen| seen.answer.header(&name)) else { return Ok(None) };
        let found = pattern.and_then(|regex| regex.find(text).ok().flatten().map(|found| found.as_str()));
        Ok(number::parse_float(found.unwrap_or(text)))
    }
}

fn anchored(pattern: &str) -> Result<Regex> {
    RegexBuilder::new(&format!(r"\A(?:{pattern})"))
        .backtrack_limit(BACKTRACKS)
        .build()
        .map_err(|error| Error::config(format!("`regex` is malformed: {pattern:?}")).with_source(error))
}

fn jitter(component: &Component<'_>) -> Result<f64> {
    match component.value("jitter_range_in_seconds") {
        None => Ok(0.0),
        Some(value) => float(value)
            .filter(|jitter| *jitter >= 0.0)
            .ok_or_else(|| component.fail("`jitter_range_in_seconds` must be a number of 0 or more")),
    }
}

fn spread(jitter: f64) -> f64 {
    if jitter > 0.0 { fastrand::f64() * 2.0 * jitter } else { 0.0 }
}

/// A number as Python's `float()` takes it.
fn float(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "so does float()")]
        Value::Int(number) => Some(*number as f64),
        Value::Big(number) => number::to_float(number),
        Value::Float(number) => Some(*number),
        Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
        Value::Text(text) => number::parse_float(text),
        _ => None,
    }
}

/// Seconds as a duration; none for what is no length of time.
pub(super) fn duration(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}
