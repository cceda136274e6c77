//! The Arrow field that a column is delivered as unless something else is requested.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, TimeUnit};
use protocol::Stream;

use super::native::{NativeType, TypeKind};
use super::{numeric, oid};

/// Names of nested fields are those of the Parquet specification.
const ELEMENT: &str = "element";
const ENTRIES: &str = "key_value";
const KEY: &str = "key";
const VALUE: &str = "value";

/// The Arrow field that a column is delivered as by default: with the server's name of its type,
/// and the canonical extension where Arrow has one.
#[must_use]
pub fn arrow_field(name: &str, native: &NativeType, nullable: bool) -> Field {
    let mut field = natural_field(name, native, nullable);
    field.metadata_mut().insert(Stream::NATIVE_TYPE.to_owned(), native.display.clone());
    field
}

fn natural_field(name: &str, native: &NativeType, nullable: bool) -> Field {
    let metadata = match native.base().oid {
        oid::UUID => extension("arrow.uuid"),
        oid::JSON | oid::JSONB => extension("arrow.json"),
        _ => HashMap::new(),
    };
    Field::new(name, natural_type(native), nullable).with_metadata(metadata)
}

/// What marks a field as of a canonical extension type without parameters.
fn extension(name: &str) -> HashMap<String, String> {
    HashMap::from([
        ("ARROW:extension:name".to_owned(), name.to_owned()),
        ("ARROW:extension:metadata".to_owned(), String::new()),
    ])
}

/// The Arrow type of a native type; `Utf8` for all that the server casts to text.
pub(super) fn natural_type(native: &NativeType) -> DataType {
    let native = native.base();
    if is_vector(native) {
        return DataType::Utf8;
    }
    match &native.kind {
        TypeKind::Array(element) => DataType::List(Arc::new(element_field(element))),
        TypeKind::Composite(attributes) if reads_binary(native) => {
            let fields = attributes.iter().map(|(name, native)| natural_field(name, native, true));
            DataType::Struct(fields.collect())
        }
        TypeKind::Base => scalar_type(native).unwrap_or(DataType::Utf8),
        _ => DataType::Utf8,
    }
}

fn element_field(element: &NativeType) -> Field {
    let is_array = matches!(element.base().kind, TypeKind::Array(_));
    if is_array && !reads_binary(element) {
        // Only a whole array can be cast, so the inner ones become text.
        return Field::new(ELEMENT, DataType::Utf8, true);
    }
    natural_field(ELEMENT, element, true)
}

/// Whether values of this type are decoded as they come, without a cast by the server.
pub(super) fn reads_binary(native: &NativeType) -> bool {
    let native = native.base();
    match &native.kind {
        TypeKind::Array(element) => !is_vector(native) && reads_binary(element),
        // Parquet has no group without fields.
        TypeKind::Composite(attributes) => {
            !attributes.is_empty() && attributes.iter().all(|(_, native)| reads_binary(native))
        }
        TypeKind::Enum => true,
        TypeKind::Base => scalar_type(native).is_some(),
        TypeKind::Range | TypeKind::Multirange | TypeKind::Pseudo | TypeKind::Domain(_) => false,
    }
}

/// `int2vector` and `oidvector` look like arrays in the catalogs and are printed without braces.
pub(super) fn is_vector(native: &NativeType) -> bool {
    matches!(native.oid, oid::INT2VECTOR | oid::OIDVECTOR)
}

fn scalar_type(native: &NativeType) -> Option<DataType> {
    Some(match native.oid {
        oid::BOOL => DataType::Boolean,
        oid::INT2 => DataType::Int16,
        oid::INT4 => DataType::Int32,
        oid::INT8 => DataType::Int64,
        oid::OID => DataType::UInt32,
        oid::FLOAT4 => DataType::Float32,
        oid::FLOAT8 => DataType::Float64,
        oid::NUMERIC => numeric::decimal(native.modifier).unwrap_or(DataType::Utf8),
        oid::TEXT | oid::VARCHAR | oid::BPCHAR | oid::NAME | oid::CHAR | oid::JSON | oid::JSONB => {
            DataType::Utf8
        }
        oid::BYTEA => DataType::Binary,
        oid::UUID => DataType::FixedSizeBinary(16),
        oid::DATE => DataType::Date32,
        oid::TIME => DataType::Time64(TimeUnit::Microsecond),
        oid::TIMESTAMP => DataType::Timestamp(TimeUnit::Microsecond, None),
        oid::TIMESTAMPTZ => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
        _ if is_extension(native, "citext") => DataType::Utf8,
        _ if is_extension(native, "hstore") => map_type(),
        _ => return None,
    })
}

/// Extensions get their identifiers when they are created, so that only their name is known.
pub(super) fn is_extension(native: &NativeType, name: &str) -> bool {
    native.oid >= oid::FIRST_USER && native.name == name
}

fn map_type() -> DataType {
    let key = Field::new(KEY, DataType::Utf8, false);
    let value = Field::new(VALUE, DataType::Utf8, true);
    let entries = Field::new(ENTRIES, DataType::Struct([key, value].into_iter().collect()), false);
    DataType::Map(Arc::new(entries), false)
}
