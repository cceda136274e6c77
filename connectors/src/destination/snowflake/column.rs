//! How a column travels: its type in the stream, in the files, in the table they are copied to, and in the
//! table that people read.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use protocol::{Error, Result, Stream};
use schemars::JsonSchema;
use serde::Deserialize;

use super::name::{Identifier, Spelling};

/// Key of the metadata of a file's field that holds the stream's field, where they differ.
const LOGICAL: &str = "tidegate.logical";
const EXTENSION: &str = "ARROW:extension:name";
const EXTENSION_METADATA: &str = "ARROW:extension:metadata";
/// Most digits of a NUMBER.
const MAX_DIGITS: u8 = 38;

/// What JSON becomes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum JsonAs {
    /// VARIANT. Numbers of more than 38 digits lose some there, and of equal keys the text may have one.
    #[default]
    Variant,
    /// VARCHAR, every character kept.
    Text,
}

/// What values of a column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Whole,
    Decimal(u8, i8),
    Float,
    Boolean,
    Text,
    Uuid,
    Binary,
    Date,
    Time,
    Timestamp,
    Instant,
    Json,
    Array,
    Variant,
}

impl Kind {
    fn of(field: &Field, json: JsonAs) -> Option<Self> {
        use DataType::{
            Binary, Boolean, Date32, Decimal128, Decimal256, FixedSizeBinary, Float32, Float64, Int16, Int32,
            Int64, List, Map, Struct, Time64, Timestamp, UInt32, Utf8,
        };
        let extension = field.metadata().get(EXTENSION).map(String::as_str);
        Some(match (field.data_type(), extension) {
            (Int16 | Int32 | Int64 | UInt32, _) => Self::Whole,
            (Decimal128(digits, scale) | Decimal256(digits, scale), _)
                if *digits <= MAX_DIGITS && *scale >= 0 =>
            {
                Self::Decimal(*digits, *scale)
            }
            (Float32 | Float64, _) => Self::Float,
            (Boolean, _) => Self::Boolean,
            (Utf8, Some("arrow.json")) if json == JsonAs::Variant => Self::Json,
            (Utf8 | Decimal128(..) | Decimal256(..), _) => Self::Text,
            (FixedSizeBinary(16), Some("arrow.uuid")) => Self::Uuid,
            (Binary, _) => Self::Binary,
            (Date32, _) => Self::Date,
            (Time64(TimeUnit::Microsecond), _) => Self::Time,
            (Timestamp(TimeUnit::Microsecond, None), _) => Self::Timestamp,
            (Timestamp(TimeUnit::Microsecond, Some(_)), _) => Self::Instant,
            (List(_), _) => Self::Array,
            (Struct(_) | Map(..), _) => Self::Variant,
            _ => return None,
        })
    }

    /// The type of the column that people read.
    pub(super) fn table_type(self) -> String {
        match self {
            Self::Whole => "NUMBER(38, 0)".to_owned(),
            Self::Decimal(digits, scale) => format!("NUMBER({digits}, {scale})"),
            Self::Float => "FLOAT".to_owned(),
            Self::Boolean => "BOOLEAN".to_owned(),
            Self::Text => "VARCHAR".to_owned(),
            Self::Uuid => "VARCHAR(36)".to_owned(),
            Self::Binary => "BINARY".to_owned(),
            Self::Date => "DATE".to_owned(),
            Self::Time => "TIME(6)".to_owned(),
            Self::Timestamp => "TIMESTAMP_NTZ(6)".to_owned(),
            Self::Instant => "TIMESTAMP_TZ(6)".to_owned(),
            Self::Json | Self::Variant => "VARIANT".to_owned(),
            Self::Array => "ARRAY".to_owned(),
        }
    }

    /// The type of the column that files are copied to.
    pub(super) fn copied_type(self) -> String {
        match self {
            Self::Time | Self::Json | Self::Array | Self::Variant => "VARCHAR".to_owned(),
            other => other.table_type(),
        }
    }

    /// From the column that files are copied to, to the one that people read.
    fn cast(self, column: &Identifier) -> String {
        match self {
            Self::Time => format!("TO_TIME({column})"),
            // JSON's null stays one, and is not NULL: values are exact.
            Self::Json | Self::Variant => format!("PARSE_JSON({column})"),
            Self::Array => format!("PARSE_JSON({column})::ARRAY"),
            _ => column.to_string(),
        }
    }

    /// Whether files can't be copied straight into the column that people read.
    fn needs_cast(self) -> bool {
        self.copied_type() != self.table_type()
    }
}

/// One column on its way.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its name in the stream, in files and where they are copied to.
    pub(super) source: Identifier,
    /// Its name where people read it.
    pub(super) name: Identifier,
    pub(super) kind: Kind,
    pub(super) comment: Option<String>,
}

impl Column {
    /// The value, read from where files were copied to.
    pub(super) fn value(&self) -> String {
        self.kind.cast(&self.source)
    }

    pub(super) fn needs_cast(&self) -> bool {
        self.kind.needs_cast()
    }
}

/// The columns of a schema, which may be a stream's or its files'.
///
/// Fails with `Schema` for a type that nobody has thought of, and with `Config` where two columns would
/// have one name.
pub(super) fn columns(schema: &Schema, spelling: Spelling, json: JsonAs) -> Result<Vec<Column>> {
    let mut taken = BTreeMap::new();
    let mut columns = Vec::with_capacity(schema.fields().len());
    for field in logical(schema)?.fields() {
        let source = field.name().clone();
        let kind = Kind::of(field, json).ok_or_else(|| {
            Error::schema(format!("column {source:?} is {}, which snowflake can't hold", field.data_type()))
                .context("column", source.clone())
                .hint("leave it out by `exclude`")
        })?;
        let name = Identifier::of_source(&source, spelling, "column")
            .map_err(|error| error.context("column", source.clone()))?;
        if let Some(other) = taken.insert(name.clone(), source.clone()) {
            return Err(Error::config(format!("columns {other:?} and {source:?} would both be {name}"))
                .context("column", source)
                .hint("set `names: source`, or leave one of them out by `exclude`"));
        }
        let comment = field.metadata().get(Stream::COMMENT).cloned();
        columns.push(Column { source: Identifier::new(source), name, kind, comment });
    }
    Ok(columns)
}

/// The schema that files of a stream have: of types that Snowflake's reader of Parquet takes as they are.
pub(super) fn file_schema(logical: &Schema) -> SchemaRef {
    let fields = logical.fields().iter().map(|field| Arc::new(file_field(field)));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

fn file_field(field: &Field) -> Field {
    use DataType::{Decimal128, Decimal256, FixedSizeBinary, Int64, List, Map, Struct, Time64, UInt32, Utf8};
    let is_json = field.metadata().get(EXTENSION).is_some();
    let data_type = match field.data_type() {
        UInt32 => Int64,
        Decimal256(digits, scale) if *digits <= MAX_DIGITS && *scale >= 0 => Decimal128(*digits, *scale),
        Decimal128(_, scale) if *scale >= 0 => field.data_type().clone(),
        Decimal128(..) | Decimal256(..) | FixedSizeBinary(_) | Time64(_) | List(_) | Struct(_) | Map(..) => {
            Utf8
        }
        other => other.clone(),
    };
    if data_type == *field.data_type() && !is_json {
        return field.clone();
    }
    let mut metadata = field.metadata().clone();
    metadata.remove(EXTENSION);
    metadata.remove(EXTENSION_METADATA);
    let whole = serde_json::to_string(field).expect("a field serialises");
    metadata.insert(LOGICAL, whole);
    Field::new(field.name(), data_type, field.is_nullable()).with_metadata(metadata)
}

/// The stream's schema, from its files'.
pub(super) fn logical(schema: &Schema) -> Result<SchemaRef> {
    let whole = |field: &Arc<Field>| match field.metadata().get(LOGICAL) {
        None => Ok(Arc::clone(field)),
        Some(text) => serde_json::from_str::<Field>(text).map(Arc::new).map_err(|error| {
            Error::internal(format!("the type of column {:?} can't be read", field.name())).with_source(error)
        }),
    };
    Ok(Arc::new(Schema::new(schema.fields().iter().map(whole).collect::<Result<Vec<_>>>()?)))
}

#[cfg(test)]
mod tests;
