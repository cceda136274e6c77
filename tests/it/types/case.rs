//! A type, values of it, what it must be in the files, and how SQL writes what must be read there.

/// How PostgreSQL's words for a value and a reader's are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text by text.
    Text,
    /// As one number of 64 bits, the sign of zero included.
    Float,
    /// PostgreSQL writes JSON: lists and objects of texts.
    Nested,
}

/// A column of a table of edge values.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Case {
    /// Its type, as `CREATE TABLE` takes it.
    pub(crate) sql: &'static str,
    /// What `PyArrow` must call the type in the file.
    pub(crate) arrow: &'static str,
    /// Physical and logical type of the Parquet column, or of each leaf below it.
    pub(crate) leaves: &'static [[&'static str; 2]],
    /// What `DuckDB` must call it.
    pub(crate) duckdb: &'static str,
    /// SQL for the value as `read_values.py` prints it; `{c}` stands for the column.
    pub(crate) expected: &'static str,
    pub(crate) kind: Kind,
    /// Literals; what begins with `=` is an expression.
    pub(crate) values: &'static [&'static str],
    /// The first major version that has the type and all the values.
    pub(crate) since: u32,
}

pub(crate) const TEXT: &str = "{c}::text";
pub(crate) const FLOAT: &str = "{c}::float8::text";
pub(crate) const DAYS: &str = "({c} - date '1970-01-01')::text";
/// As integers: up to version 13 `extract` gives floats, which are exact in small parts only.
pub(crate) const MICROS: &str = "(extract(day from {c} - timestamp 'epoch')::numeric * 86400000000 \
     + extract(hour from {c} - timestamp 'epoch')::numeric * 3600000000 \
     + extract(minute from {c} - timestamp 'epoch')::numeric * 60000000 \
     + extract(microseconds from {c} - timestamp 'epoch')::numeric)::numeric(30)::text";
pub(crate) const MICROS_UTC: &str = "(extract(day from {c} - timestamptz 'epoch')::numeric * 86400000000 \
     + extract(hour from {c} - timestamptz 'epoch')::numeric * 3600000000 \
     + extract(minute from {c} - timestamptz 'epoch')::numeric * 60000000 \
     + extract(microseconds from {c} - timestamptz 'epoch')::numeric)::numeric(30)::text";
pub(crate) const MICROS_OF_DAY: &str = "(extract(epoch from {c})::numeric * 1000000)::numeric(30)::text";
pub(crate) const LIST: &str = "to_json({c}::text[])::text";

/// Physical and logical types of Parquet columns, in `PyArrow`'s words.
#[rustfmt::skip]
pub(super) mod leaf {
    pub(crate) const BOOLEAN: [&str; 2] = ["BOOLEAN", "None"];
    pub(crate) const INT16: [&str; 2] = ["INT32", "Int(bitWidth=16, isSigned=true)"];
    pub(crate) const INT32: [&str; 2] = ["INT32", "None"];
    pub(crate) const INT64: [&str; 2] = ["INT64", "None"];
    pub(crate) const UINT32: [&str; 2] = ["INT32", "Int(bitWidth=32, isSigned=false)"];
    pub(crate) const FLOAT: [&str; 2] = ["FLOAT", "None"];
    pub(crate) const DOUBLE: [&str; 2] = ["DOUBLE", "None"];
    pub(crate) const STRING: [&str; 2] = ["BYTE_ARRAY", "String"];
    pub(crate) const JSON: [&str; 2] = ["BYTE_ARRAY", "JSON"];
    pub(crate) const BINARY: [&str; 2] = ["BYTE_ARRAY", "None"];
    pub(crate) const UUID: [&str; 2] = ["FIXED_LEN_BYTE_ARRAY", "UUID"];
    pub(crate) const DATE: [&str; 2] = ["INT32", "Date"];
    pub(crate) const TIME: [&str; 2] = ["INT64", "Time(isAdjustedToUTC=false, timeUnit=microseconds)"];
    pub(crate) const LOCAL: [&str; 2] = ["INT64", "Timestamp(isAdjustedToUTC=false, timeUnit=microseconds, is_from_converted_type=false, force_set_converted_type=false)"];
    pub(crate) const UTC: [&str; 2] = ["INT64", "Timestamp(isAdjustedToUTC=true, timeUnit=microseconds, is_from_converted_type=false, force_set_converted_type=false)"];
}

impl Case {
    /// What becomes text, by the server or by its bytes.
    pub(crate) const fn text(sql: &'static str, values: &'static [&'static str]) -> Self {
        Self {
            sql,
            arrow: "string",
            leaves: &[leaf::STRING],
            duckdb: "VARCHAR",
            expected: TEXT,
            kind: Kind::Text,
            values,
            since: 0,
        }
    }

    /// What has an Arrow type of its own.
    pub(crate) const fn typed(
        sql: &'static str,
        arrow: &'static str,
        leaves: &'static [[&'static str; 2]],
        duckdb: &'static str,
        values: &'static [&'static str],
    ) -> Self {
        Self { sql, arrow, leaves, duckdb, expected: TEXT, kind: Kind::Text, values, since: 0 }
    }

    pub(crate) const fn expected(mut self, expected: &'static str) -> Self {
        self.expected = expected;
        self
    }

    pub(crate) const fn float(mut self) -> Self {
        self.expected = FLOAT;
        self.kind = Kind::Float;
        self
    }

    pub(crate) const fn nested(mut self, expected: &'static str) -> Self {
        self.expected = expected;
        self.kind = Kind::Nested;
        self
    }

    pub(crate) const fn since(mut self, major: u32) -> Self {
        self.since = major;
        self
    }
}
