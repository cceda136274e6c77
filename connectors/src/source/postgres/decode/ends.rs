//! Where each text or list ends among the bytes or elements of all, and which of them are NULL.

use arrow_buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};

use super::fault::Fault;
use super::room::Room;
use super::validity::Validity;

pub(super) struct Ends {
    /// A zero, then the ends.
    offsets: Vec<i32>,
    room: Room<i32>,
    validity: Validity,
}

impl Default for Ends {
    fn default() -> Self {
        Self { offsets: vec![0], room: Room::default(), validity: Validity::default() }
    }
}

impl Ends {
    /// Bits of each: the offset and the validity.
    pub(super) const BITS: usize = 32 + 1;

    pub(super) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    pub(super) fn push(&mut self, end: usize) -> Result<(), Fault> {
        self.offsets.push(i32::try_from(end).map_err(|_| Fault::TooLong)?);
        Ok(())
    }

    pub(super) fn push_null(&mut self) {
        let len = self.len();
        self.validity.set_null(len);
        self.offsets.push(self.offsets[len]);
    }

    pub(super) fn finish(&mut self) -> (OffsetBuffer<i32>, Option<NullBuffer>) {
        let nulls = self.validity.finish(self.len());
        let offsets = self.room.take(&mut self.offsets);
        self.offsets.push(0);
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), nulls)
    }
}
