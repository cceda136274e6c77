//! Which records are to be kept, by their cursor's values.

use std::sync::Arc;

use protocol::Result;

use super::definition::Definition;
use super::point::Point;
use crate::source::declarative::value::Value;

/// Which records of one page are to be kept, by their cursor's values.
pub struct Sieve {
    range: Option<(Arc<Definition>, Point, Point)>,
    last: Option<(String, bool)>,
}

impl Sieve {
    pub(super) fn all() -> Self {
        Self { range: None, last: None }
    }

    pub(super) fn new(definition: Arc<Definition>, (lower, upper): (Point, Point)) -> Self {
        Self { range: Some((definition, lower, upper)), last: None }
    }

    /// Whether a record with this value (or [`Value::None`]) is to be kept. One that fits no format is.
    pub fn keeps(&mut self, value: &Value) -> Result<bool> {
        let Some((definition, lower, upper)) = &self.range else { return Ok(true) };
        if value.is_none() {
            return Ok(true);
        }
        if let (Some((last, keeps)), Some(text)) = (&self.last, value.as_text())
            && last == text
        {
            return Ok(*keeps);
        }
        let Some(point) = definition.axis.read(value) else { return Ok(true) };
        let keeps = !point.before(lower)? && !upper.before(&point)?;
        if let Some(text) = value.as_text() {
            self.last = Some((text.to_owned(), keeps));
        }
        Ok(keeps)
    }
}
