//! Templates that say yes or no.

use protocol::Result;

use super::{Context, Reach, Template, Types};
use crate::source::declarative::value::Value;

/// A condition: a filter of records, a stop condition, a predicate.
#[derive(Debug)]
pub struct Condition(Kind);

#[derive(Debug)]
enum Kind {
    Constant(bool),
    Template(Template),
}

impl Condition {
    /// Compiles `source`.
    pub fn compile(source: &str) -> Result<Self> {
        Template::compile(source).map(|template| Self(Kind::Template(template)))
    }

    /// One that always says `truth`.
    #[must_use]
    pub fn constant(truth: bool) -> Self {
        Self(Kind::Constant(truth))
    }

    /// What of `variable` it looks at.
    pub(crate) fn reach(&self, variable: &str) -> Reach {
        match &self.0 {
            Kind::Constant(_) => Reach::Paths(Vec::new()),
            Kind::Template(template) => template.reach(variable),
        }
    }

    /// Whether it holds; what is empty or undefined does not.
    pub fn eval<'a>(&'a self, context: &'a Context<'a>) -> Result<bool> {
        match &self.0 {
            Kind::Constant(truth) => Ok(*truth),
            Kind::Template(template) => {
                Ok(template.eval(context, Types::ANY)?.is_some_and(|value| holds(&value)))
            }
        }
    }
}

/// Whether the reference takes a result for true: all but a list of values and texts. `"no"` and `"0.00"` are true.
fn holds(value: &Value) -> bool {
    match value {
        Value::Text(text) => {
            !matches!(text.as_str(), "False" | "false" | "{}" | "[]" | "()" | "" | "0" | "0.0")
        }
        // Only what equals `b""` is nothing, and that is not on the list.
        Value::Bytes(_) => true,
        other => other.is_true(),
    }
}
