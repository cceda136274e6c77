//! One type after the other, ten columns of it.

use connectors::source::postgres::types::{NativeType, TypeKind};

use crate::random::Random;
use crate::wire::Wire;

/// What all columns of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Bool,
    Bigint,
    Float,
    /// `numeric(38,2)`: 128 bits.
    Numeric,
    /// `numeric(38,30)`: nearly all digits are behind the point.
    DeepNumeric,
    /// `numeric(60,4)`: 256 bits.
    WideNumeric,
    /// `numeric`: text, exact however many digits there are.
    UnboundedNumeric,
    /// Of up to 20 bytes.
    ShortText,
    /// Of 2,000 bytes: what is not yet moved out of the row.
    LongText,
    Bytea,
    Uuid,
    Date,
    Time,
    Timestamptz,
    Jsonb,
    /// `text[]` of two.
    Texts,
    /// `bigint`, nine of ten of them NULL.
    Nulls,
}

impl Kind {
    pub const ALL: [Self; 17] = [
        Self::Bool,
        Self::Bigint,
        Self::Float,
        Self::Numeric,
        Self::DeepNumeric,
        Self::WideNumeric,
        Self::UnboundedNumeric,
        Self::ShortText,
        Self::LongText,
        Self::Bytea,
        Self::Uuid,
        Self::Date,
        Self::Time,
        Self::Timestamptz,
        Self::Jsonb,
        Self::Texts,
        Self::Nulls,
    ];

    /// The type of a column.
    pub(crate) fn native(self) -> NativeType {
        match self {
            Self::Bool => BOOL.into(),
            Self::Bigint | Self::Nulls => BIGINT.into(),
            Self::Float => FLOAT8.into(),
            Self::Numeric => numeric(38, 2),
            Self::DeepNumeric => numeric(38, 30),
            Self::WideNumeric => numeric(60, 4),
            Self::UnboundedNumeric => NUMERIC.into(),
            Self::ShortText | Self::LongText => TEXT.into(),
            Self::Bytea => BYTEA.into(),
            Self::Uuid => UUID.into(),
            Self::Date => DATE.into(),
            Self::Time => TIME.into(),
            Self::Timestamptz => TIMESTAMPTZ.into(),
            Self::Jsonb => JSONB.into(),
            Self::Texts => texts(),
        }
    }

    /// Writes a value.
    pub(crate) fn write(self, row: &mut Wire, random: &mut Random) {
        match self {
            Self::Bool => row.field(&[u8::from(random.below(2) == 0)]),
            Self::Bigint => row.field(&random.long(1 << 40).to_be_bytes()),
            Self::Float => row.field(&f64::from(random.below(1 << 20)).to_be_bytes()),
            Self::Numeric => row.numeric(random.long(1 << 40), 2),
            Self::DeepNumeric => row.numeric(random.long(1 << 40), 30),
            Self::WideNumeric | Self::UnboundedNumeric => row.numeric(random.long(1 << 40), 4),
            Self::ShortText => row.text(random.small(20)),
            Self::LongText => row.field(&[b'x'; 2000]),
            Self::Bytea => row.field(&[0xff; 32]),
            Self::Uuid => row.field(&[random.next(), random.next()].map(u64::to_be_bytes).concat()),
            Self::Date => row.field(&random.small(9000).to_be_bytes()),
            Self::Time => row.field(&random.long(86_400_000_000).to_be_bytes()),
            Self::Timestamptz => row.field(&random.long(1 << 50).to_be_bytes()),
            Self::Jsonb => row.field(JSON),
            Self::Texts => row.field(TWO_TEXTS),
            Self::Nulls => row.optional(random.below(10) == 0, &random.long(1 << 40).to_be_bytes()),
        }
    }
}

pub(crate) const JSON: &[u8] = b"\x01{\"ip\": \"10.1.2.3\", \"3ds\": true, \"risk\": 12.34, \"order\": \"ord_0123456789abcdef01\", \
    \"address\": {\"zip\": \"01234\", \"city\": \"Jakarta\"}, \"session\": \"d41d8cd98f00b204e9800998ecf8427e\"}";

pub(crate) const TWO_TEXTS: &[u8] =
    b"\0\0\0\x01\0\0\0\0\0\0\0\x19\0\0\0\x02\0\0\0\x01\0\0\0\x06retail\0\0\0\x06tier 1";

/// A type of `pg_catalog` without modifier.
#[derive(Clone, Copy)]
pub(crate) struct Named(&'static str, u32);

pub(crate) const BOOL: Named = Named("bool", 16);
pub(crate) const BYTEA: Named = Named("bytea", 17);
pub(crate) const BIGINT: Named = Named("int8", 20);
pub(crate) const INT: Named = Named("int4", 23);
pub(crate) const TEXT: Named = Named("text", 25);
pub(crate) const FLOAT8: Named = Named("float8", 701);
pub(crate) const BPCHAR: Named = Named("bpchar", 1042);
pub(crate) const VARCHAR: Named = Named("varchar", 1043);
pub(crate) const DATE: Named = Named("date", 1082);
pub(crate) const TIME: Named = Named("time", 1083);
pub(crate) const TIMESTAMPTZ: Named = Named("timestamptz", 1184);
pub(crate) const NUMERIC: Named = Named("numeric", 1700);
pub(crate) const UUID: Named = Named("uuid", 2950);
pub(crate) const JSONB: Named = Named("jsonb", 3802);

impl From<Named> for NativeType {
    fn from(Named(name, oid): Named) -> Self {
        let (schema, name, display) = ("pg_catalog".to_owned(), name.to_owned(), name.to_owned());
        Self { oid, schema, name, display, modifier: -1, kind: TypeKind::Base }
    }
}

pub(crate) fn numeric(precision: i32, scale: i32) -> NativeType {
    NativeType { modifier: (precision << 16 | scale) + 4, ..NUMERIC.into() }
}

pub(crate) fn texts() -> NativeType {
    NativeType { kind: TypeKind::Array(Box::new(TEXT.into())), ..Named("_text", 1009).into() }
}
