//! How one selected column is read: what stands in `SELECT`, and how its bytes are decoded.

use arrow_schema::{DataType, Field, TimeUnit};
use protocol::{Error, Result};

use super::codec::Codec;
use super::field::{is_extension, is_vector, reads_binary};
use super::native::{NativeType, TypeKind};
use super::{numeric, oid};
use crate::source::postgres::quote_identifier;

/// A selected column.
#[derive(Debug, Clone)]
pub struct Column {
    field: Field,
    native: String,
    expression: String,
    wire_type: u32,
    codec: Codec,
}

impl Column {
    /// How `native` is read as `requested`, which is what [`arrow_field`](super::arrow_field) gives,
    /// or differs from it in one of these ways: `Utf8` for any type; a decimal for `numeric`,
    /// also inside arrays and composites; a wider number for a number.
    ///
    /// Fails with [`ErrorKind::Config`](protocol::ErrorKind::Config), naming the column, when it
    /// can't be read so.
    pub fn new(native: &NativeType, requested: &Field) -> Result<Self> {
        let name = requested.name();
        let reading = Reading::of(native, requested.data_type()).ok_or_else(|| {
            Error::config(format!(
                "column {name:?} is {} and can't be read as {}",
                native.display,
                requested.data_type()
            ))
            .context("column", name)
            .hint("only numbers can be read as another type: check the stream's `decimals`")
        })?;
        let quoted = quote_identifier(name);
        let (expression, wire_type) = match &reading.cast {
            // The schema keeps a type of the same name on the search path from taking its place.
            Some(cast) => (format!("{quoted}::pg_catalog.{}", cast.sql()), cast.oid()),
            None => (quoted, native.base().oid),
        };
        Ok(Self {
            field: requested.clone(),
            native: native.display.clone(),
            expression,
            wire_type,
            codec: reading.codec,
        })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.field.name()
    }

    /// The field that was requested.
    #[must_use]
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// What the server calls its type.
    #[must_use]
    pub fn native(&self) -> &str {
        &self.native
    }

    /// What stands for it in `SELECT`: `"name"` or `"name"::pg_catalog.text`.
    #[must_use]
    pub fn select_expression(&self) -> &str {
        &self.expression
    }

    /// The type of [`select_expression`](Self::select_expression) as a row description tells it: the
    /// base of a domain, the target of a cast. Where the server tells another, the table was altered.
    #[must_use]
    pub fn wire_type(&self) -> u32 {
        self.wire_type
    }

    /// How its bytes are decoded.
    #[must_use]
    pub fn codec(&self) -> &Codec {
        &self.codec
    }
}

/// How values of one type are read.
struct Reading {
    cast: Option<Cast>,
    codec: Codec,
}

/// What the server turns values into before it sends them.
struct Cast {
    to: Target,
    array: bool,
}

#[derive(Clone, Copy)]
enum Target {
    Text,
    Int4,
    Int8,
    Float8,
}

impl Cast {
    fn sql(&self) -> &'static str {
        match (self.to, self.array) {
            (Target::Text, false) => "text",
            (Target::Text, true) => "text[]",
            (Target::Int4, false) => "int4",
            (Target::Int4, true) => "int4[]",
            (Target::Int8, false) => "int8",
            (Target::Int8, true) => "int8[]",
            (Target::Float8, false) => "float8",
            (Target::Float8, true) => "float8[]",
        }
    }

    fn oid(&self) -> u32 {
        match (self.to, self.array) {
            (Target::Text, false) => oid::TEXT,
            (Target::Text, true) => oid::TEXT_ARRAY,
            (Target::Int4, false) => oid::INT4,
            (Target::Int4, true) => oid::INT4_ARRAY,
            (Target::Int8, false) => oid::INT8,
            (Target::Int8, true) => oid::INT8_ARRAY,
            (Target::Float8, false) => oid::FLOAT8,
            (Target::Float8, true) => oid::FLOAT8_ARRAY,
        }
    }
}

impl Reading {
    fn plain(codec: Codec) -> Self {
        Self { cast: None, codec }
    }

    fn cast(to: Target, codec: Codec) -> Self {
        Self { cast: Some(Cast { to, array: false }), codec }
    }

    fn of(native: &NativeType, requested: &DataType) -> Option<Self> {
        let native = native.base();
        let reading = match &native.kind {
            TypeKind::Base => Self::scalar(native, requested),
            TypeKind::Enum if *requested == DataType::Utf8 => Some(Self::plain(Codec::Text)),
            TypeKind::Array(element) if !is_vector(native) => Self::array(element, requested),
            TypeKind::Composite(attributes) if reads_binary(native) => Self::composite(attributes, requested),
            _ => None,
        };
        // Everything has a text.
        reading.or_else(|| (*requested == DataType::Utf8).then(|| Self::cast(Target::Text, Codec::Text)))
    }

    fn array(element: &NativeType, requested: &DataType) -> Option<Self> {
        let DataType::List(field) = requested else { return None };
        let element = Self::of(element, field.data_type())?;
        let cast = match element.cast {
            None => None,
            Some(Cast { to, array: false }) => Some(Cast { to, array: true }),
            Some(Cast { array: true, .. }) => return None,
        };
        Some(Self { cast, codec: Codec::List(Box::new(element.codec)) })
    }

    fn composite(attributes: &[(String, NativeType)], requested: &DataType) -> Option<Self> {
        let DataType::Struct(fields) = requested else { return None };
        if fields.len() != attributes.len() {
            return None;
        }
        let codecs = attributes.iter().zip(fields).map(|((name, native), field)| {
            let reading = (field.name() == name).then(|| Self::of(native, field.data_type()))??;
            // A cast of one attribute would need a new row around it.
            reading.cast.is_none().then_some(reading.codec)
        });
        Some(Self::plain(Codec::Struct(codecs.collect::<Option<_>>()?)))
    }

    fn scalar(native: &NativeType, requested: &DataType) -> Option<Self> {
        use DataType::{
            Binary, Boolean, Date32, FixedSizeBinary, Float32, Float64, Int16, Int32, Int64, Map, Time64,
            Timestamp, UInt32, Utf8,
        };
        let codec = match (native.oid, requested) {
            (oid::BOOL, Boolean) => Codec::Boolean,
            (oid::INT2, Int16) => Codec::Int16,
            (oid::INT4, Int32) => Codec::Int32,
            (oid::INT8, Int64) => Codec::Int64,
            (oid::OID, UInt32) => Codec::UInt32,
            (oid::FLOAT4, Float32) => Codec::Float32,
            (oid::FLOAT8, Float64) => Codec::Float64,
            (oid::INT2, Int32) => return Some(Self::cast(Target::Int4, Codec::Int32)),
            (oid::INT2 | oid::INT4 | oid::OID, Int64) => return Some(Self::cast(Target::Int8, Codec::Int64)),
            (oid::FLOAT4, Float64) => return Some(Self::cast(Target::Float8, Codec::Float64)),
            (oid::NUMERIC, requested) => numeric::codec(requested)?,
            (oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::JSON, Utf8) => Codec::Text,
            (oid::CHAR, Utf8) => Codec::Char,
            (oid::JSONB, Utf8) => Codec::Jsonb,
            (oid::BYTEA, Binary) => Codec::Binary,
            (oid::UUID, FixedSizeBinary(16)) => Codec::Uuid,
            (oid::DATE, Date32) => Codec::Date,
            (oid::TIME, Time64(TimeUnit::Microsecond)) => Codec::Time,
            (oid::TIMESTAMP, Timestamp(TimeUnit::Microsecond, None)) => Codec::Timestamp,
            (oid::TIMESTAMPTZ, Timestamp(TimeUnit::Microsecond, Some(zone))) if &**zone == "UTC" => {
                Codec::Timestamp
            }
            (_, Utf8) if is_extension(native, "citext") => Codec::Text,
            (_, Map(..)) if is_extension(native, "hstore") => Codec::Map,
            _ => return None,
        };
        Some(Self::plain(codec))
    }
}

#[cfg(test)]
mod tests;
