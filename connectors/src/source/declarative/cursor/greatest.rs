//! The greatest of many values, each read once.

use protocol::Result;

use super::point::{Axis, Point};
use crate::source::declarative::value::Value;

/// The greatest value of some records: as a point, and as a text where texts are what is compared.
pub(super) struct Greatest<'a> {
    axis: &'a Axis,
    /// Whether the text is asked for: cursors of partitions compare what they share as it is written.
    wants_text: bool,
    last: Option<String>,
    pub(super) point: Option<Point>,
    pub(super) text: Option<Value>,
}

impl<'a> Greatest<'a> {
    pub(super) fn new(axis: &'a Axis, wants_text: bool) -> Self {
        Self { axis, wants_text, last: None, point: None, text: None }
    }

    /// Takes a value into account. One that is missing or fits no format counts for nothing.
    pub(super) fn add(&mut self, value: &Value) -> Result<()> {
        if value.is_none() {
            return Ok(());
        }
        if let Value::Text(text) = value {
            // Records of one page often share their value.
            if self.last.as_deref() == Some(text) {
                return Ok(());
            }
            let last = self.last.get_or_insert_default();
            last.clear();
            last.push_str(text);
        }
        let Some(point) = self.axis.read(value) else { return Ok(()) };
        if self.wants_text {
            let text = self.axis.write(&point);
            if self.text.as_ref().is_none_or(|known| known.as_text() < text.as_text()) {
                self.text = Some(text);
            }
        }
        if match &self.point {
            Some(known) => known.before(&point)?,
            None => true,
        } {
            self.point = Some(point);
        }
        Ok(())
    }
}
