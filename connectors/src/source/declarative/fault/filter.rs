//! `HttpResponseFilter`: an action for answers of some status, message or content.

use protocol::Result;

use super::answer::Seen;
use super::resolution::{Action, Failure, Resolution};
use crate::source::declarative::component::Component;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::{Condition, TextTemplate};
use crate::source::declarative::value::Value;

pub(super) struct Filter {
    action: Action,
    failure: Option<Failure>,
    codes: Vec<u16>,
    contains: Option<String>,
    predicate: Option<(String, Condition)>,
    message: Option<TextTemplate>,
    parameters: Value,
}

impl Filter {
    /// Of its component. One without an action never matches.
    pub(super) fn build(component: &Component<'_>) -> Result<Option<Self>> {
        if component.value("class_name").is_some() {
            return Err(component.unknown("response filter"));
        }
        let Some(action) = component.text("action")?.filter(|action| !action.is_empty()) else {
            return Ok(None);
        };
        let action = Action::named(&action)
            .ok_or_else(|| component.fail(format!("{action:?} is no action of a response filter")))?;
        let failure = match component.text("failure_type")?.filter(|failure| !failure.is_empty()) {
            None => None,
            Some(name) => Some(
                Failure::named(&name)
                    .ok_or_else(|| component.fail(format!("{name:?} is no type of failure")))?,
            ),
        };
        let codes = component.texts("http_codes")?.into_iter().filter_map(|code| code.trim().parse().ok());
        let source = component.text("predicate")?.unwrap_or_default();
        Ok(Some(Self {
            action,
            failure,
            codes: codes.collect(),
            contains: component.text("error_message_contains")?.filter(|text| !text.is_empty()),
            predicate: component.condition("predicate")?.map(|condition| (source, condition)),
            message: match component.text("error_message")?.filter(|text| !text.is_empty()) {
                Some(_) => component.template("error_message")?,
                None => None,
            },
            parameters: component.parameters(),
        }))
    }

    /// What it says about an answer; `None` where it is not for it.
    pub(super) fn resolve(&self, seen: &Seen<'_>, scope: &Scope) -> Result<Option<Resolution>> {
        if !self.matches(seen, scope)? {
            return Ok(None);
        }
        let listed = Resolution::listed(seen.answer.status);
        let failure = match (self.failure, listed) {
            (Some(failure), _) if self.action == Action::Fail => failure,
            (_, Some(listed)) => listed.failure,
            (_, None) => Failure::System,
        };
        let message = match &self.message {
            None => None,
            Some(template) => {
                let headers = seen.headers(template.template().source());
                let context = scope
                    .context(&self.parameters)
                    .with("response", seen.json())
                    .with("headers", &headers)
                    .with("request_url", seen.url());
                Some(template.eval_text(&context)?).filter(|message| !message.is_empty())
            }
        };
        Ok(Some(Resolution { action: self.action, failure, message }))
    }

    fn matches(&self, seen: &Seen<'_>, scope: &Scope) -> Result<bool> {
        if self.codes.contains(&seen.answer.status) {
            return Ok(true);
        }
        if let Some((source, predicate)) = &self.predicate {
            let headers = seen.headers(source);
            // Predicates see no configuration: the reference hands them none.
            let context = scope
                .context(&self.parameters)
                .with("config", &Value::None)
                .with("response", seen.json())
                .with("headers", &headers)
                .with("request_url", seen.url());
            if predicate.eval(&context)? {
                return Ok(true);
            }
        }
        Ok(self
            .contains
            .as_ref()
            .is_some_and(|wanted| seen.message().is_some_and(|message| message.contains(wanted.as_str()))))
    }
}
