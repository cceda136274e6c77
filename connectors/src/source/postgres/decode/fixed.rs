//! Values of fixed width: numbers and all that is a number to Arrow, booleans, UUIDs.

use std::marker::PhantomData;
use std::sync::Arc;

use arrow_array::{ArrayRef, ArrowPrimitiveType, BooleanArray, FixedSizeBinaryArray, PrimitiveArray};
use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::{ArrowError, DataType};

use super::builder::Builder;
use super::context::Context;
use super::fault::Fault;
use super::room::Room;
use super::validity::Validity;
use super::wire::FromWire;

/// How bytes become a number of Arrow.
pub(super) trait Convert: Send {
    type Arrow: ArrowPrimitiveType;

    /// The number; `None` where the policy makes NULL of a value that does not fit.
    fn convert(&self, bytes: &[u8], context: &mut Context) -> Result<Option<Native<Self>>, Fault>;
}

/// What an array of the converted values holds.
pub(super) type Native<C> = <<C as Convert>::Arrow as ArrowPrimitiveType>::Native;

/// Numbers and their validity.
pub(super) struct Fixed<C: Convert> {
    convert: C,
    values: Vec<Native<C>>,
    room: Room<Native<C>>,
    validity: Validity,
}

impl<C: Convert> Fixed<C> {
    pub(super) fn new(convert: C) -> Self {
        Self { convert, values: Vec::new(), room: Room::default(), validity: Validity::default() }
    }
}

impl<C: Convert> Builder for Fixed<C> {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn fixed_bits(&self) -> usize {
        8 * size_of::<Native<C>>() + 1
    }

    fn append(&mut self, bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
        match self.convert.convert(bytes, context)? {
            Some(value) => self.values.push(value),
            None => self.append_null(),
        }
        Ok(())
    }

    fn append_null(&mut self) {
        self.validity.set_null(self.values.len());
        self.values.push(Native::<C>::default());
    }

    fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        let nulls = self.validity.finish(self.values.len());
        let values = self.room.take(&mut self.values);
        let array = PrimitiveArray::<C::Arrow>::try_new(values.into(), nulls)?;
        Ok(Arc::new(array.with_data_type(data_type.clone())))
    }
}

/// A number whose wire form is Arrow's but for the order of its bytes.
pub(super) struct Number<T>(PhantomData<fn() -> T>);

impl<T> Default for Number<T> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T: ArrowPrimitiveType<Native: FromWire>> Convert for Number<T> {
    type Arrow = T;

    #[inline]
    fn convert(&self, bytes: &[u8], _: &mut Context) -> Result<Option<T::Native>, Fault> {
        T::Native::from_wire(bytes).map(Some)
    }
}

/// Bits and their validity.
pub(super) struct Boolean {
    values: BooleanBufferBuilder,
    validity: Validity,
}

impl Default for Boolean {
    fn default() -> Self {
        Self { values: BooleanBufferBuilder::new(0), validity: Validity::default() }
    }
}

impl Builder for Boolean {
    fn len(&self) -> usize {
        self.values.len()
    }

    fn fixed_bits(&self) -> usize {
        1 + 1
    }

    fn append(&mut self, bytes: &[u8], _: &mut Context) -> Result<(), Fault> {
        let [byte] = bytes else { return Err(Fault::Malformed) };
        self.values.append(*byte != 0);
        Ok(())
    }

    fn append_null(&mut self) {
        self.validity.set_null(self.values.len());
        self.values.append(false);
    }

    fn finish(&mut self, _: &DataType) -> Result<ArrayRef, ArrowError> {
        let nulls = self.validity.finish(self.values.len());
        Ok(Arc::new(BooleanArray::new(self.values.finish(), nulls)))
    }
}

const UUID_BYTES: usize = 16;

/// UUIDs and their validity.
#[derive(Default)]
pub(super) struct Uuid {
    /// All of them, one after the other.
    values: Vec<u8>,
    room: Room<u8>,
    validity: Validity,
}

impl Builder for Uuid {
    fn len(&self) -> usize {
        self.values.len() / UUID_BYTES
    }

    fn fixed_bits(&self) -> usize {
        8 * UUID_BYTES + 1
    }

    fn append(&mut self, bytes: &[u8], _: &mut Context) -> Result<(), Fault> {
        let uuid: &[u8; UUID_BYTES] = bytes.try_into().map_err(|_| Fault::Malformed)?;
        self.values.extend_from_slice(uuid);
        Ok(())
    }

    fn append_null(&mut self) {
        self.validity.set_null(self.len());
        self.values.extend_from_slice(&[0; UUID_BYTES]);
    }

    fn finish(&mut self, _: &DataType) -> Result<ArrayRef, ArrowError> {
        let nulls = self.validity.finish(self.len());
        let values = self.room.take(&mut self.values);
        let width = i32::try_from(UUID_BYTES).expect("16 is an i32");
        Ok(Arc::new(FixedSizeBinaryArray::try_new(width, values, nulls)?))
    }
}
