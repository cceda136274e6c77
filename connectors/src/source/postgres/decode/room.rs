//! Room for the values of the next batch: what a batch before had, once nobody reads that any more.
//!
//! Batches of one table are alike. Memory that is given back and taken anew for each of them costs
//! page faults, and allocators keep more of it than anybody uses.

use std::marker::PhantomData;

use arrow_buffer::{ArrowNativeType, Buffer};

/// Batches that exist at once: one is filled, one waits to be handed over, one waits to be encoded,
/// one is being encoded.
const BATCHES: usize = 4;
/// Memory of one column that is kept for the next batch at most.
const KEPT_BYTES: usize = 4 << 20;

/// Buffers of the last batches.
pub(super) struct Room<T> {
    lent: Vec<Buffer>,
    /// Of what the vectors are.
    _values: PhantomData<fn() -> T>,
}

impl<T> Default for Room<T> {
    fn default() -> Self {
        Self { lent: Vec::new(), _values: PhantomData }
    }
}

impl<T: ArrowNativeType> Room<T> {
    /// Takes what was gathered, and leaves room for as much again.
    pub(super) fn take(&mut self, values: &mut Vec<T>) -> Buffer {
        let expected = values.len() + values.len() / 16;
        let next = self.back().unwrap_or_else(|| {
            Vec::with_capacity(if expected * size_of::<T>() <= KEPT_BYTES { expected } else { 0 })
        });
        let mut taken = std::mem::replace(values, next);
        // What grew by doubling would hold memory that the batch does not need.
        if taken.capacity() > expected + expected / 2 {
            taken.shrink_to_fit();
        }
        let is_kept = taken.capacity() * size_of::<T>() <= KEPT_BYTES;
        let buffer = Buffer::from_vec(taken);
        if is_kept {
            if self.lent.len() == BATCHES {
                self.lent.remove(0);
            }
            self.lent.push(buffer.clone());
        }
        buffer
    }

    /// A vector that nobody else uses any more, empty.
    fn back(&mut self) -> Option<Vec<T>> {
        // Nobody else can begin to use what only this has.
        let free = self.lent.iter().position(|buffer| buffer.strong_count() == 1)?;
        let mut values = self.lent.remove(free).into_vec().ok()?;
        values.clear();
        Some(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(values: &mut Vec<i32>, length: i32) -> *const i32 {
        values.extend(0..length);
        values.as_ptr()
    }

    #[test]
    fn what_nobody_reads_any_more_is_written_again() {
        let (mut room, mut values) = (Room::default(), Vec::new());
        let first = filled(&mut values, 1000);
        let first_buffer = room.take(&mut values);
        let second = filled(&mut values, 1000);
        let second_buffer = room.take(&mut values);
        assert_ne!(first, second, "the first is still read");
        drop(first_buffer);
        filled(&mut values, 1000);
        let third_buffer = room.take(&mut values);
        assert_eq!(third_buffer.typed_data::<i32>()[999], 999);
        assert_eq!(filled(&mut values, 1000), first);
        assert!([second_buffer, third_buffer].iter().all(|buffer| buffer.as_ptr().cast() != first));
    }

    #[test]
    fn a_huge_column_is_not_kept() {
        let (mut room, mut values) = (Room::<u8>::default(), vec![7; KEPT_BYTES + 1]);
        assert_eq!(room.take(&mut values).len(), KEPT_BYTES + 1);
        assert!(room.lent.is_empty());
        assert_eq!(values.capacity(), 0);
    }

    #[test]
    fn readers_that_keep_all_batches_get_new_ones() {
        let (mut room, mut values) = (Room::default(), Vec::new());
        let kept: Vec<Buffer> = (0..10)
            .map(|_| {
                filled(&mut values, 100);
                room.take(&mut values)
            })
            .collect();
        let all: std::collections::HashSet<_> = kept.iter().map(Buffer::as_ptr).collect();
        assert_eq!(all.len(), 10);
        assert!(kept.iter().all(|buffer| buffer.typed_data::<i32>() == (0..100).collect::<Vec<_>>()));
    }
}
