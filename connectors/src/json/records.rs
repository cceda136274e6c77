//! Records of a page.

use bytes::Bytes;
use protocol::Result;

use super::Value;

/// A whole JSON text.
pub struct Page {}

impl Page {
    /// Takes the text; it is read where records are asked for.
    pub fn new(text: Bytes) -> Result<Self> {
        let _ = text;
        todo!()
    }

    /// The records at `path`: the items of a list, or the object there.
    pub fn records(&self, path: &[&str]) -> Result<Records> {
        let _ = path;
        todo!()
    }
}

/// Records of one page: spans of its text, or values where something had to look inside.
pub struct Records {}

impl Records {
    /// Of values.
    #[must_use]
    pub fn from_values(values: Vec<Value>) -> Self {
        let _ = values;
        todo!()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        todo!()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        todo!()
    }

    /// The record at `index`, whole.
    pub fn value(&self, index: usize) -> Result<Value> {
        let _ = index;
        todo!()
    }

    /// The last one, whole.
    pub fn last(&self) -> Result<Option<Value>> {
        todo!()
    }

    /// The field of the record at `index`, by a plain key; the rest of the record is not looked at.
    pub fn field(&self, index: usize, key: &str) -> Result<Option<Value>> {
        let _ = (index, key);
        todo!()
    }

    /// All of them, whole.
    pub fn into_values(self) -> Result<Vec<Value>> {
        todo!()
    }

    /// Appends the record at `index` to `out` as compact JSON in one line.
    pub fn write_json(&self, index: usize, out: &mut String) {
        let _ = (index, out);
        todo!()
    }

    /// Appends all of them to `out`, a line each.
    pub fn write_json_lines(&self, out: &mut String) {
        let _ = out;
        todo!()
    }
}
