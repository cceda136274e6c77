//! Object identifiers of built-in types. They are the same in every PostgreSQL since 8.

pub(super) const BOOL: u32 = 16;
pub(super) const BYTEA: u32 = 17;
pub(super) const CHAR: u32 = 18;
pub(super) const NAME: u32 = 19;
pub(super) const INT8: u32 = 20;
pub(super) const INT2: u32 = 21;
pub(super) const INT2VECTOR: u32 = 22;
pub(super) const INT4: u32 = 23;
pub(super) const TEXT: u32 = 25;
pub(super) const OID: u32 = 26;
pub(super) const OIDVECTOR: u32 = 30;
pub(super) const JSON: u32 = 114;
pub(super) const FLOAT4: u32 = 700;
pub(super) const FLOAT8: u32 = 701;
pub(super) const INT4_ARRAY: u32 = 1007;
pub(super) const TEXT_ARRAY: u32 = 1009;
pub(super) const INT8_ARRAY: u32 = 1016;
pub(super) const FLOAT8_ARRAY: u32 = 1022;
pub(super) const BPCHAR: u32 = 1042;
pub(super) const VARCHAR: u32 = 1043;
pub(super) const DATE: u32 = 1082;
pub(super) const TIME: u32 = 1083;
pub(super) const TIMESTAMP: u32 = 1114;
pub(super) const TIMESTAMPTZ: u32 = 1184;
pub(super) const NUMERIC: u32 = 1700;
pub(super) const UUID: u32 = 2950;
pub(super) const JSONB: u32 = 3802;

/// The first identifier that a database gives to types of its own; extensions are above it.
pub(super) const FIRST_USER: u32 = 16_384;
