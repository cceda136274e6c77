//! Texts and bytes: values of any length, one after the other.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, FixedSizeBinaryArray, StringArray};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::ArrowError;

use super::context::Context;
use super::fault::Fault;
use super::primitive::renew;
use super::validity::Validity;

/// Values of any length. That texts are UTF-8 is checked for a whole batch at once.
#[derive(Debug)]
pub(super) struct Variable {
    values: Vec<u8>,
    offsets: Vec<i32>,
    validity: Validity,
}

impl Variable {
    pub(super) fn new() -> Self {
        Self { values: Vec::new(), offsets: vec![0], validity: Validity::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
        self.values.extend_from_slice(bytes);
        context.bytes += bytes.len();
        self.end_value()
    }

    /// Appends what `write` adds to the values.
    #[inline]
    pub(super) fn append_with(
        &mut self,
        context: &mut Context,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let before = self.values.len();
        write(&mut self.values)?;
        context.bytes += self.values.len() - before;
        self.end_value()
    }

    #[inline]
    fn end_value(&mut self) -> Result<(), Fault> {
        let end = i32::try_from(self.values.len()).map_err(|_| Fault::TooLong)?;
        self.offsets.push(end);
        Ok(())
    }

    /// Appends a `jsonb`: a version, which is 1 since there is `jsonb`, and the text.
    #[inline]
    pub(super) fn append_jsonb(&mut self, bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
        match bytes {
            [1, json @ ..] => self.append(json, context),
            _ => Err(Fault::Malformed),
        }
    }

    /// Appends a `"char"`, which is a byte: nothing for 0, an octal escape for what is not ASCII, as
    /// PostgreSQL 16 prints it.
    pub(super) fn append_char(&mut self, bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
        match bytes {
            [0] => self.append(&[], context),
            [ascii @ 1..=0x7f] => self.append(&[*ascii], context),
            [byte] => {
                let octal = |shift: u8| b'0' + (byte >> shift & 7);
                self.append(&[b'\\', octal(6), octal(3), octal(0)], context)
            }
            _ => Err(Fault::Malformed),
        }
    }

    #[inline]
    pub(super) fn append_null(&mut self) {
        let len = self.len();
        self.validity.set_null(len);
        self.offsets.push(self.offsets[len]);
    }

    fn parts(&mut self) -> (OffsetBuffer<i32>, Buffer, Option<NullBuffer>) {
        let nulls = self.validity.finish(self.len());
        let offsets = renew(&mut self.offsets);
        self.offsets.push(0);
        let values = Buffer::from_vec(renew(&mut self.values));
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), values, nulls)
    }

    /// Fails when the values are not UTF-8.
    pub(super) fn finish_text(&mut self) -> Result<ArrayRef, ArrowError> {
        let (offsets, values, nulls) = self.parts();
        Ok(Arc::new(StringArray::try_new(offsets, values, nulls)?))
    }

    pub(super) fn finish_binary(&mut self) -> Result<ArrayRef, ArrowError> {
        let (offsets, values, nulls) = self.parts();
        Ok(Arc::new(BinaryArray::try_new(offsets, values, nulls)?))
    }
}

const UUID_BYTES: usize = 16;

/// UUIDs.
#[derive(Debug)]
pub(super) struct Uuid {
    values: Vec<u8>,
    validity: Validity,
}

impl Uuid {
    pub(super) fn new() -> Self {
        Self { values: Vec::new(), validity: Validity::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len() / UUID_BYTES
    }

    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        let bytes: &[u8; UUID_BYTES] = bytes.try_into().map_err(|_| Fault::Malformed)?;
        self.values.extend_from_slice(bytes);
        Ok(())
    }

    pub(super) fn append_null(&mut self) {
        self.validity.set_null(self.len());
        self.values.extend_from_slice(&[0; UUID_BYTES]);
    }

    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        let nulls = self.validity.finish(self.len());
        let values = Buffer::from_vec(renew(&mut self.values));
        let width = i32::try_from(UUID_BYTES).expect("16 is an i32");
        Ok(Arc::new(FixedSizeBinaryArray::try_new(width, values, nulls)?))
    }
}
