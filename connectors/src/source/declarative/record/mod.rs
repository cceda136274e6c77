//! Stands in until the room of records is here.

/// Records of one page.
pub struct Records;

impl Records {
    /// How many.
    pub fn len(&self) -> usize {
        0
    }
}
