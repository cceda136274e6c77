//! One builder per column: the single place where the types of columns are told apart.

use arrow_array::ArrayRef;
use arrow_array::types::{
    Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type, UInt32Type,
};
use arrow_schema::{ArrowError, DataType};

use super::context::Context;
use super::decimal::Decimals;
use super::fault::Fault;
use super::nested::{Lists, Maps, Structs};
use super::numeric::Numeric;
use super::primitive::{Boolean, Primitive};
use super::temporal::{self, Dates, Times, Timestamps};
use super::variable::{Uuid, Variable};
use crate::source::postgres::types::Codec;

/// Gathers the values of one column, or of one place inside a nested one.
#[derive(Debug)]
pub(super) enum Builder {
    Boolean(Boolean),
    Int16(Primitive<Int16Type>),
    Int32(Primitive<Int32Type>),
    Int64(Primitive<Int64Type>),
    UInt32(Primitive<UInt32Type>),
    Float32(Primitive<Float32Type>),
    Float64(Primitive<Float64Type>),
    Decimal128(Decimals<Decimal128Type>),
    Decimal256(Decimals<Decimal256Type>),
    NumericText(Variable),
    Text(Variable),
    Char(Variable),
    Jsonb(Variable),
    Binary(Variable),
    Uuid(Uuid),
    Date(Dates),
    Time(Times),
    Timestamp(Timestamps),
    List(Lists),
    Struct(Structs),
    Map(Maps),
}

impl Builder {
    pub(super) fn new(codec: &Codec) -> Self {
        match codec {
            Codec::Boolean => Self::Boolean(Boolean::new()),
            Codec::Int16 => Self::Int16(Primitive::new()),
            Codec::Int32 => Self::Int32(Primitive::new()),
            Codec::Int64 => Self::Int64(Primitive::new()),
            Codec::UInt32 => Self::UInt32(Primitive::new()),
            Codec::Float32 => Self::Float32(Primitive::new()),
            Codec::Float64 => Self::Float64(Primitive::new()),
            Codec::Decimal128 { precision, scale } => Self::Decimal128(Decimals::new(*precision, *scale)),
            Codec::Decimal256 { precision, scale } => Self::Decimal256(Decimals::new(*precision, *scale)),
            Codec::NumericText => Self::NumericText(Variable::new()),
            Codec::Text => Self::Text(Variable::new()),
            Codec::Char => Self::Char(Variable::new()),
            Codec::Jsonb => Self::Jsonb(Variable::new()),
            Codec::Binary => Self::Binary(Variable::new()),
            Codec::Uuid => Self::Uuid(Uuid::new()),
            Codec::Date => Self::Date(Primitive::new()),
            Codec::Time => Self::Time(Primitive::new()),
            Codec::Timestamp => Self::Timestamp(Primitive::new()),
            Codec::List(element) => Self::List(Lists::new(Self::new(element))),
            Codec::Struct(attributes) => {
                Self::Struct(Structs::new(attributes.iter().map(Self::new).collect()))
            }
            Codec::Map => Self::Map(Maps::new()),
        }
    }

    /// Appends the value that `bytes` are, all of them.
    #[inline]
    pub(super) fn append(&mut self, bytes: &[u8], context: &mut Context) -> Result<(), Fault> {
        match self {
            Self::Boolean(to) => to.append(bytes),
            Self::Int16(to) => to.append(bytes),
            Self::Int32(to) => to.append(bytes),
            Self::Int64(to) => to.append(bytes),
            Self::UInt32(to) => to.append(bytes),
            Self::Float32(to) => to.append(bytes),
            Self::Float64(to) => to.append(bytes),
            Self::Decimal128(to) => to.append(bytes, context),
            Self::Decimal256(to) => to.append(bytes, context),
            Self::NumericText(to) => {
                let numeric = Numeric::parse(bytes)?;
                to.append_with(context, |text| numeric.write(text))
            }
            Self::Text(to) | Self::Binary(to) => to.append(bytes, context),
            Self::Char(to) => to.append_char(bytes, context),
            Self::Jsonb(to) => to.append_jsonb(bytes, context),
            Self::Uuid(to) => to.append(bytes),
            Self::Date(to) => temporal::append_date(to, bytes, context),
            Self::Time(to) => temporal::append_time(to, bytes, context),
            Self::Timestamp(to) => temporal::append_timestamp(to, bytes, context),
            Self::List(to) => to.append(bytes, context),
            Self::Struct(to) => to.append(bytes, context),
            Self::Map(to) => to.append(bytes, context),
        }
    }

    #[inline]
    pub(super) fn append_null(&mut self) {
        match self {
            Self::Boolean(to) => to.append_null(),
            Self::Int16(to) => to.push_null(),
            Self::Int32(to) => to.push_null(),
            Self::Int64(to) => to.push_null(),
            Self::UInt32(to) => to.push_null(),
            Self::Float32(to) => to.push_null(),
            Self::Float64(to) => to.push_null(),
            Self::Decimal128(to) => to.values.push_null(),
            Self::Decimal256(to) => to.values.push_null(),
            Self::NumericText(to) | Self::Text(to) | Self::Char(to) | Self::Jsonb(to) | Self::Binary(to) => {
                to.append_null();
            }
            Self::Uuid(to) => to.append_null(),
            Self::Date(to) => to.push_null(),
            Self::Time(to) => to.push_null(),
            Self::Timestamp(to) => to.push_null(),
            Self::List(to) => to.append_null(),
            Self::Struct(to) => to.append_null(),
            Self::Map(to) => to.append_null(),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Boolean(of) => of.len(),
            Self::Int16(of) => of.len(),
            Self::Int32(of) => of.len(),
            Self::Int64(of) => of.len(),
            Self::UInt32(of) => of.len(),
            Self::Float32(of) => of.len(),
            Self::Float64(of) => of.len(),
            Self::Decimal128(of) => of.values.len(),
            Self::Decimal256(of) => of.values.len(),
            Self::NumericText(of) | Self::Text(of) | Self::Char(of) | Self::Jsonb(of) | Self::Binary(of) => {
                of.len()
            }
            Self::Uuid(of) => of.len(),
            Self::Date(of) => of.len(),
            Self::Time(of) => of.len(),
            Self::Timestamp(of) => of.len(),
            Self::List(of) => of.len(),
            Self::Struct(of) => of.len(),
            Self::Map(of) => of.len(),
        }
    }

    /// Bits that each value takes whatever it is: the number or the offset, and the validity.
    pub(super) fn fixed_bits(&self) -> usize {
        match self {
            Self::Boolean(_) => 1 + 1,
            Self::Int16(_) => 16 + 1,
            Self::Int64(_) | Self::Float64(_) | Self::Time(_) | Self::Timestamp(_) => 64 + 1,
            Self::Decimal128(_) | Self::Uuid(_) => 128 + 1,
            Self::Decimal256(_) => 256 + 1,
            // A number, or the offset of a value's end.
            Self::Int32(_)
            | Self::UInt32(_)
            | Self::Float32(_)
            | Self::Date(_)
            | Self::NumericText(_)
            | Self::Text(_)
            | Self::Char(_)
            | Self::Jsonb(_)
            | Self::Binary(_)
            | Self::List(_)
            | Self::Map(_) => 32 + 1,
            Self::Struct(of) => of.fixed_bits(),
        }
    }

    /// Takes all values as an array of `data_type`, which the codec was made for. Fails when a text
    /// is not UTF-8.
    pub(super) fn finish(&mut self, data_type: &DataType) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Boolean(of) => of.finish(),
            Self::Int16(of) => of.finish(data_type),
            Self::Int32(of) => of.finish(data_type),
            Self::Int64(of) => of.finish(data_type),
            Self::UInt32(of) => of.finish(data_type),
            Self::Float32(of) => of.finish(data_type),
            Self::Float64(of) => of.finish(data_type),
            Self::Decimal128(of) => of.values.finish(data_type),
            Self::Decimal256(of) => of.values.finish(data_type),
            Self::Date(of) => of.finish(data_type),
            Self::Time(of) => of.finish(data_type),
            Self::Timestamp(of) => of.finish(data_type),
            Self::NumericText(of) | Self::Text(of) | Self::Char(of) | Self::Jsonb(of) => of.finish_text()?,
            Self::Binary(of) => of.finish_binary()?,
            Self::Uuid(of) => of.finish()?,
            Self::List(of) => match data_type {
                DataType::List(element) => of.finish(element)?,
                _ => return Err(mismatch(data_type)),
            },
            Self::Struct(of) => match data_type {
                DataType::Struct(fields) => of.finish(fields)?,
                _ => return Err(mismatch(data_type)),
            },
            Self::Map(of) => match data_type {
                DataType::Map(entries, ordered) => of.finish(entries, *ordered)?,
                _ => return Err(mismatch(data_type)),
            },
        })
    }
}

#[cold]
fn mismatch(data_type: &DataType) -> ArrowError {
    ArrowError::SchemaError(format!("a codec of another type than {data_type}"))
}
