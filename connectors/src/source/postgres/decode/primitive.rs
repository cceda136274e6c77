//! Numbers of fixed width.

use std::sync::Arc;

use arrow_array::{ArrayRef, ArrowPrimitiveType, BooleanArray, PrimitiveArray};
use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::DataType;

use super::fault::Fault;
use super::validity::Validity;
use super::wire::FromWire;

/// Values of one Arrow type and their validity.
#[derive(Debug)]
pub(super) struct Primitive<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    validity: Validity,
}

impl<T: ArrowPrimitiveType> Primitive<T> {
    pub(super) fn new() -> Self {
        Self { values: Vec::new(), validity: Validity::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    #[inline]
    pub(super) fn push(&mut self, value: T::Native) {
        self.values.push(value);
    }

    #[inline]
    pub(super) fn push_null(&mut self) {
        self.validity.set_null(self.values.len());
        self.values.push(T::Native::default());
    }

    /// Appends a value whose wire form is the Arrow form but for the order of its bytes.
    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Fault>
    where
        T::Native: FromWire,
    {
        self.push(T::Native::from_wire(bytes)?);
        Ok(())
    }

    pub(super) fn finish(&mut self, data_type: &DataType) -> ArrayRef {
        let values = renew(&mut self.values);
        let nulls = self.validity.finish(values.len());
        Arc::new(PrimitiveArray::<T>::new(values.into(), nulls).with_data_type(data_type.clone()))
    }
}

/// Bits and their validity.
#[derive(Debug)]
pub(super) struct Boolean {
    values: BooleanBufferBuilder,
    validity: Validity,
}

impl Boolean {
    pub(super) fn new() -> Self {
        Self { values: BooleanBufferBuilder::new(0), validity: Validity::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let [byte] = bytes else { return Err(Fault::Malformed) };
        self.values.append(*byte != 0);
        Ok(())
    }

    pub(super) fn append_null(&mut self) {
        self.validity.set_null(self.values.len());
        self.values.append(false);
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        let nulls = self.validity.finish(self.values.len());
        Arc::new(BooleanArray::new(self.values.finish(), nulls))
    }
}

/// Takes what was gathered and leaves room for as much again: batches of one table are alike.
pub(super) fn renew<T>(values: &mut Vec<T>) -> Vec<T> {
    let capacity = values.len() + values.len() / 16;
    let mut taken = std::mem::replace(values, Vec::with_capacity(capacity));
    // What grew by doubling would hold memory that the batch is not charged for.
    if taken.capacity() > capacity + capacity / 8 {
        taken.shrink_to_fit();
    }
    taken
}
