//! What all builders of Arrow arrays are, and which one a type gets.

use arrow_array::ArrayRef;
use arrow_array::types::{Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, UInt32Type};
use arrow_schema::{ArrowError, DataType};

use super::bytes::{Binary, Bytes, Char, Json, NumericText, Text};
use super::context::Context;
use super::decimal::{Decimal128, Decimal256, Decimals};
use super::fault::Fault;
use super::fixed::{Boolean, Fixed, Number, Uuid};
use super::nested::{Lists, Maps, Structs};
use super::temporal::{Date, Time, Timestamp};
use crate::source::postgres::types::Codec;

/// Gathers the values of one column, or of one place inside a nested one.
pub(super) trait Builder: Send {
    /// Values that were gathered since the last [`finish`](Self::finish).
    fn len(&self) -> usize;

    /// Bits that each value takes whatever it is: the number or the offset, and the validity.
    fn fixed_bits(&self) -> usize;

    /// Appends the value that `bytes` are, all of them.
    fn append(&mut self, bytes: &[u8], context: &mut Context) -> Result<(), Fault>;

    /// Appends a part of a value, in order; returns false where values are taken only whole, before
    /// anything of one was appended.
    fn append_part(&mut self, part: &[u8], is_last: bool, context: &mut Context) -> Result<bool, Fault> {
        let _ = (part, is_last, context);
        Ok(false)
    }

    fn append_null(&mut self);

    /// Takes all values as an array of `data_type`, which the codec was made for. Fails when a text
    /// is not UTF-8.
    fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef, ArrowError>;
}

pub(super) fn builder(codec: &Codec) -> Box<dyn Builder> {
    match codec {
        Codec::Boolean => Box::new(Boolean::default()),
        Codec::Int16 => Box::new(Fixed::new(Number::<Int16Type>::default())),
        Codec::Int32 => Box::new(Fixed::new(Number::<Int32Type>::default())),
        Codec::Int64 => Box::new(Fixed::new(Number::<Int64Type>::default())),
        Codec::UInt32 => Box::new(Fixed::new(Number::<UInt32Type>::default())),
        Codec::Float32 => Box::new(Fixed::new(Number::<Float32Type>::default())),
        Codec::Float64 => Box::new(Fixed::new(Number::<Float64Type>::default())),
        Codec::Decimal128 { precision, scale } => {
            Box::new(Fixed::new(Decimals::<Decimal128>::new(*precision, *scale)))
        }
        Codec::Decimal256 { precision, scale } => {
            Box::new(Fixed::new(Decimals::<Decimal256>::new(*precision, *scale)))
        }
        Codec::Date => Box::new(Fixed::new(Date)),
        Codec::Time => Box::new(Fixed::new(Time)),
        Codec::Timestamp => Box::new(Fixed::new(Timestamp)),
        Codec::Uuid => Box::new(Uuid::default()),
        Codec::NumericText => Box::new(Bytes::new(NumericText)),
        Codec::Text => Box::new(Bytes::new(Text)),
        Codec::Char => Box::new(Bytes::new(Char)),
        Codec::Jsonb => Box::new(Bytes::new(Json)),
        Codec::Binary => Box::new(Bytes::new(Binary)),
        Codec::List(element) => Box::new(Lists::new(builder(element))),
        Codec::Struct(attributes) => Box::new(Structs::new(attributes.iter().map(builder).collect())),
        Codec::Map => Box::new(Maps::new()),
    }
}
