//! Texts and bytes: values of any length, one after the other.

use std::sync::Arc;

use arrow_array::{ArrayRef, BinaryArray, StringArray};
use arrow_schema::{ArrowError, DataType};

use super::builder::Builder;
use super::context::Context;
use super::ends::Ends;
use super::fault::Fault;
use super::numeric::Numeric;
use super::room::Room;

/// How bytes of the wire become bytes of Arrow.
pub(super) trait Write: Send {
    /// Whether they must be UTF-8. That is checked for a whole batch at once.
    const IS_TEXT: bool = true;
    /// Whether they stay as they are.
    const IS_VERBATIM: bool = false;

    fn write(&self, bytes: &[u8], to: &mut Vec<u8>) -> Result<(), Fault>;
}

/// Values of any length.
pub(super) struct Bytes<W> {
    write: W,
    values: Vec<u8>,
    room: Room<u8>,
    ends: Ends,
}

impl<W: Write> Bytes<W> {
    pub(super) fn new(write: W) -> Self {
        Self { write, values: Vec::new(), room: Room::default(), ends: Ends::default() }
    }
}

impl<W: Write> Builder for Bytes<W> {
    fn len(&self) -> usize {
        self.ends.len()
    }

    fn fixed_bits(&self) -> usize {
        Ends::BITS
    }

    fn append(&mut self, bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
        let before = self.values.len();
        self.write.write(bytes, &mut self.values)?;
        context.bytes += self.values.len() - before;
        self.ends.push(self.values.len())
    }

    fn append_part(&mut self, part: &[u8], is_last: bool, context: &mut Context) -> Result<bool, Fault> {
        if W::IS_VERBATIM {
            self.values.extend_from_slice(part);
            context.bytes += part.len();
            if is_last {
                self.ends.push(self.values.len())?;
            }
        }
        Ok(W::IS_VERBATIM)
    }

    fn append_null(&mut self) {
        self.ends.push_null();
    }

    fn finish(&mut self, _: &DataType) -> Result<ArrayRef, ArrowError> {
        let (offsets, nulls) = self.ends.finish();
        let values = self.room.take(&mut self.values);
        Ok(if W::IS_TEXT {
            Arc::new(StringArray::try_new(offsets, values, nulls)?)
        } else {
            Arc::new(BinaryArray::try_new(offsets, values, nulls)?)
        })
    }
}

/// What is text already.
pub(super) struct Text;

impl Write for Text {
    const IS_VERBATIM: bool = true;

    #[inline]
    fn write(&self, bytes: &[u8], to: &mut Vec<u8>) -> Result<(), Fault> {
        to.extend_from_slice(bytes);
        Ok(())
    }
}

/// `bytea`.
pub(super) struct Binary;

impl Write for Binary {
    const IS_VERBATIM: bool = true;
    const IS_TEXT: bool = false;

    #[inline]
    fn write(&self, bytes: &[u8], to: &mut Vec<u8>) -> Result<(), Fault> {
        to.extend_from_slice(bytes);
        Ok(())
    }
}

/// `jsonb`: a version, which is 1 since there is `jsonb`, and the text.
pub(super) struct Json;

impl Write for Json {
    #[inline]
    fn write(&self, bytes: &[u8], to: &mut Vec<u8>) -> Result<(), Fault> {
        let [1, json @ ..] = bytes else { return Err(Fault::Malformed) };
        to.extend_from_slice(json);
        Ok(())
    }
}

/// `"char"`, a byte: nothing for 0, an octal escape for what is not ASCII, as PostgreSQL 16 prints it.
pub(super) struct Char;

impl Write for Char {
    fn write(&self, bytes: &[u8], to: &mut Vec<u8>) -> Result<(), Fault> {
        match bytes {
            [0] => {}
            [ascii @ 1..=0x7f] => to.push(*ascii),
            [byte] => {
                let octal = |shift: u8| b'0' + (byte >> shift & 7);
                to.extend([b'\\', octal(6), octal(3), octal(0)]);
            }
            _ => return Err(Fault::Malformed),
        }
        Ok(())
    }
}

/// `numeric` as the text that PostgreSQL prints.
pub(super) struct NumericText;

impl Write for NumericText {
    #[inline]
    fn write(&self, bytes: &[u8], to: &mut Vec<u8>) -> Result<(), Fault> {
        Numeric::parse(bytes)?.write(to)
    }
}
