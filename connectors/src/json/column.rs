//! One column that grows value by value.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Date32Builder, Decimal128Builder, Float64Builder, Int64Builder, NullBufferBuilder,
    StringBuilder, Time64MicrosecondBuilder, TimestampMicrosecondBuilder,
};
use arrow_array::{ArrayRef, ListArray, StructArray};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, FieldRef, Fields, TimeUnit};
use num_traits::ToPrimitive;
use protocol::{Error, Result, UnfitPolicy};

use super::cell::Cell;
use super::{Value, schema, time};

/// How a value went into its column.
pub(super) enum Fit {
    /// As it is.
    Whole,
    /// In another form: counted by this reason.
    Changed(&'static str),
    /// Not as it is: counted by this reason where the policy lets it.
    Unfit(&'static str),
}

/// What a value is for a column of `T`.
enum Read<T> {
    Null,
    Whole(T),
    Changed(T, &'static str),
    /// Why not, and the nearest that fits.
    Unfit(&'static str, Option<T>),
}

pub(super) enum Column {
    Bool(BooleanBuilder),
    Int(Int64Builder),
    Float(Float64Builder),
    Decimal(Decimal128Builder),
    Text(StringBuilder),
    Json(StringBuilder),
    Timestamp(TimestampMicrosecondBuilder),
    Date(Date32Builder),
    Time(Time64MicrosecondBuilder),
    Struct(Fields, Vec<Column>, NullBufferBuilder),
    List(FieldRef, Box<Column>, Vec<i32>, NullBufferBuilder),
}

const OUT_OF_RANGE: &str = "out_of_range";

impl Column {
    pub(super) fn new(field: &Field) -> Result<Self> {
        let made = match field.data_type() {
            DataType::Boolean => Self::Bool(BooleanBuilder::new()),
            DataType::Int64 => Self::Int(Int64Builder::new()),
            DataType::Float64 => Self::Float(Float64Builder::new()),
            DataType::Decimal128(_, 0) => {
                Self::Decimal(Decimal128Builder::new().with_data_type(field.data_type().clone()))
            }
            DataType::Utf8 if schema::is_json(field) => Self::Json(StringBuilder::new()),
            DataType::Utf8 => Self::Text(StringBuilder::new()),
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                Self::Timestamp(TimestampMicrosecondBuilder::new().with_data_type(field.data_type().clone()))
            }
            DataType::Date32 => Self::Date(Date32Builder::new()),
            DataType::Time64(TimeUnit::Microsecond) => Self::Time(Time64MicrosecondBuilder::new()),
            DataType::Struct(fields) => {
                let children = fields.iter().map(|field| Self::new(field)).collect::<Result<_>>()?;
                Self::Struct(fields.clone(), children, NullBufferBuilder::new(0))
            }
            DataType::List(item) => {
                let child = Box::new(Self::new(item)?);
                Self::List(item.clone(), child, vec![0], NullBufferBuilder::new(0))
            }
            other => {
                return Err(Error::unsupported(format!("JSON does not become a column of type {other}"))
                    .context("column", field.name().clone()));
            }
        };
        Ok(made)
    }

    /// Appends `cell`; with the policy `Error`, what does not fit is only told.
    pub(super) fn push(&mut self, cell: Cell<'_>, policy: UnfitPolicy) -> Fit {
        macro_rules! settle {
            ($builder:expr, $read:expr) => {{
                let (value, fit) = settle($read, policy);
                $builder.append_option(value);
                fit
            }};
        }
        match self {
            Self::Bool(builder) => settle!(builder, boolean(cell)),
            Self::Int(builder) => settle!(builder, integer(cell)),
            Self::Float(builder) => settle!(builder, float(cell)),
            Self::Decimal(builder) => settle!(builder, decimal(cell)),
            Self::Timestamp(builder) => settle!(builder, moment(cell, time::timestamp)),
            Self::Time(builder) => settle!(builder, moment(cell, time::time)),
            Self::Date(builder) => settle!(builder, date(cell)),
            Self::Text(builder) => text(builder, cell),
            Self::Json(builder) => json(builder, cell),
            Self::Struct(..) | Self::List(..) => self.push_nested(cell, policy),
        }
    }

    fn push_nested(&mut self, cell: Cell<'_>, policy: UnfitPolicy) -> Fit {
        let read;
        let value = match cell {
            Cell::Nested(raw) => {
                read = Value::from_json(raw.as_bytes()).unwrap_or_default();
                &read
            }
            Cell::Value(value) => value,
            Cell::Null => &Value::None,
            other => {
                self.push_null();
                return Fit::Unfit(other.kind());
            }
        };
        let mut worst = Fit::Whole;
        match (&mut *self, value) {
            (Self::Struct(fields, children, valid), Value::Map(map)) => {
                valid.append_non_null();
                for (field, child) in fields.iter().zip(children) {
                    let cell = map.get(field.name()).map_or(Cell::Null, Cell::of_value);
                    worst = worse(worst, child.push(cell, policy));
                }
                let is_known = |key: &str| fields.iter().any(|field| field.name() == key);
                if map.keys().any(|key| !is_known(key)) {
                    worst = worse(worst, Fit::Changed("undeclared"));
                }
                worst
            }
            (Self::List(_, child, offsets, valid), Value::List(items)) => {
                valid.append_non_null();
                for item in items {
                    worst = worse(worst, child.push(Cell::of_value(item), policy));
                }
                offsets.push(end_of(offsets, items.len()));
                worst
            }
            (column, Value::None) => {
                column.push_null();
                Fit::Whole
            }
            (column, _) => {
                column.push_null();
                Fit::Unfit(cell.kind())
            }
        }
    }

    pub(super) fn push_null(&mut self) {
        match self {
            Self::Bool(builder) => builder.append_null(),
            Self::Int(builder) => builder.append_null(),
            Self::Float(builder) => builder.append_null(),
            Self::Decimal(builder) => builder.append_null(),
            Self::Text(builder) | Self::Json(builder) => builder.append_null(),
            Self::Timestamp(builder) => builder.append_null(),
            Self::Date(builder) => builder.append_null(),
            Self::Time(builder) => builder.append_null(),
            Self::Struct(_, children, valid) => {
                valid.append_null();
                children.iter_mut().for_each(Self::push_null);
            }
            Self::List(_, _, offsets, valid) => {
                valid.append_null();
                offsets.push(end_of(offsets, 0));
            }
        }
    }

    /// About how many bytes it holds.
    pub(super) fn bytes(&self, rows: usize) -> usize {
        match self {
            Self::Text(builder) | Self::Json(builder) => builder.values_slice().len() + rows * 4,
            Self::Bool(_) => rows / 4,
            Self::Decimal(_) => rows * 16,
            Self::Date(_) => rows * 4,
            Self::Struct(_, children, _) => children.iter().map(|child| child.bytes(rows)).sum(),
            Self::List(_, child, offsets, _) => {
                child.bytes(offsets.last().map_or(0, |end| usize::try_from(*end).unwrap_or(0))) + rows * 4
            }
            Self::Int(_) | Self::Float(_) | Self::Timestamp(_) | Self::Time(_) => rows * 8,
        }
    }

    /// The array; the column is empty then.
    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        Ok(match self {
            Self::Bool(builder) => Arc::new(builder.finish()),
            Self::Int(builder) => Arc::new(builder.finish()),
            Self::Float(builder) => Arc::new(builder.finish()),
            Self::Decimal(builder) => Arc::new(builder.finish()),
            Self::Text(builder) | Self::Json(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::Time(builder) => Arc::new(builder.finish()),
            Self::Struct(fields, children, valid) => {
                let arrays = children.iter_mut().map(Self::finish).collect::<Result<Vec<_>>>()?;
                let made = StructArray::try_new(fields.clone(), arrays, valid.finish());
                Arc::new(made.map_err(misfit)?) as ArrayRef
            }
            Self::List(item, child, offsets, valid) => {
                let offsets = OffsetBuffer::new(ScalarBuffer::from(std::mem::replace(offsets, vec![0])));
                let made = ListArray::try_new(item.clone(), offsets, child.finish()?, valid.finish());
                Arc::new(made.map_err(misfit)?) as ArrayRef
            }
        })
    }
}

fn misfit(error: arrow_schema::ArrowError) -> Error {
    Error::internal("columns of JSON do not fit together").with_source(error)
}

/// Where a list of so many items ends. A batch is cut long before 2^31 items.
fn end_of(offsets: &[i32], items: usize) -> i32 {
    offsets.last().copied().unwrap_or(0).saturating_add(i32::try_from(items).unwrap_or(i32::MAX))
}

fn worse(one: Fit, other: Fit) -> Fit {
    match (&one, &other) {
        (Fit::Unfit(_), _) | (_, Fit::Whole) => one,
        (_, Fit::Unfit(_)) | (Fit::Whole, _) => other,
        _ => one,
    }
}

fn settle<T>(read: Read<T>, policy: UnfitPolicy) -> (Option<T>, Fit) {
    match read {
        Read::Null => (None, Fit::Whole),
        Read::Whole(value) => (Some(value), Fit::Whole),
        Read::Changed(value, reason) => (Some(value), Fit::Changed(reason)),
        Read::Unfit(reason, nearest) => {
            (nearest.filter(|_| policy == UnfitPolicy::Clamp), Fit::Unfit(reason))
        }
    }
}

fn boolean(cell: Cell<'_>) -> Read<bool> {
    match cell {
        Cell::Null => Read::Null,
        Cell::Bool(truth) => Read::Whole(truth),
        Cell::Number("0") | Cell::Int(0) => Read::Changed(false, "number"),
        Cell::Number("1") | Cell::Int(1) => Read::Changed(true, "number"),
        Cell::Text(text) if text.eq_ignore_ascii_case("true") => Read::Changed(true, "text"),
        Cell::Text(text) if text.eq_ignore_ascii_case("false") => Read::Changed(false, "text"),
        other => Read::Unfit(other.kind(), None),
    }
}

fn integer(cell: Cell<'_>) -> Read<i64> {
    match cell {
        Cell::Null => Read::Null,
        Cell::Int(number) => Read::Whole(number),
        Cell::Number(raw) => match raw.parse() {
            Ok(number) => Read::Whole(number),
            Err(_) => whole(raw.parse().unwrap_or(f64::NAN)),
        },
        Cell::Float(number) => whole(number),
        Cell::Value(Value::Big(number)) => {
            let is_negative = number.sign() == num_bigint::Sign::Minus;
            Read::Unfit(OUT_OF_RANGE, Some(if is_negative { i64::MIN } else { i64::MAX }))
        }
        Cell::Text(text) => match text.trim_ascii().parse() {
            Ok(number) => Read::Changed(number, "text"),
            Err(_) => Read::Unfit("text", None),
        },
        Cell::Bool(truth) => Read::Changed(i64::from(truth), "boolean"),
        other => Read::Unfit(other.kind(), None),
    }
}

/// `5.0` is an integer, `5.5` is near one.
fn whole(number: f64) -> Read<i64> {
    const BOUND: f64 = 9_223_372_036_854_775_808.0;
    if number.is_nan() {
        return Read::Unfit("nan", None);
    }
    if !(-BOUND..BOUND).contains(&number) {
        return Read::Unfit(OUT_OF_RANGE, Some(if number < 0.0 { i64::MIN } else { i64::MAX }));
    }
    let rounded = number.round_ties_even().to_i64();
    match rounded {
        Some(integer) if number.fract() == 0.0 => Read::Whole(integer),
        rounded => Read::Unfit("fraction", rounded),
    }
}

fn float(cell: Cell<'_>) -> Read<f64> {
    match cell {
        Cell::Null => Read::Null,
        Cell::Float(number) if number.is_infinite() => Read::Changed(number, "infinity"),
        Cell::Float(number) => Read::Whole(number),
        #[expect(clippy::cast_precision_loss, reason = "told where it rounds")]
        Cell::Int(number) => {
            let near = number as f64;
            if near.to_i64() == Some(number) { Read::Whole(near) } else { Read::Changed(near, "rounded") }
        }
        Cell::Number(raw) => match raw.parse::<f64>() {
            Ok(number) if number.is_infinite() => Read::Changed(number, "infinity"),
            Ok(number) if is_exact(raw, number) => Read::Whole(number),
            Ok(number) => Read::Changed(number, "rounded"),
            Err(_) => Read::Unfit("number", None),
        },
        Cell::Value(Value::Big(number)) => match number.to_f64().filter(|number| number.is_finite()) {
            Some(near) => Read::Changed(near, "rounded"),
            None => Read::Unfit(OUT_OF_RANGE, None),
        },
        Cell::Text(text) => match text.trim_ascii().parse::<f64>() {
            Ok(number) if number.is_finite() => Read::Changed(number, "text"),
            _ => Read::Unfit("text", None),
        },
        Cell::Bool(truth) => Read::Changed(f64::from(u8::from(truth)), "boolean"),
        other => Read::Unfit(other.kind(), None),
    }
}

/// Whether an integer is the same as a double. Fractions are what doubles are for.
fn is_exact(raw: &str, near: f64) -> bool {
    const SURE: usize = 15;
    raw.len() <= SURE
        || raw.bytes().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
        || raw.parse::<i128>().is_ok_and(|number| near.to_i128() == Some(number))
}

fn decimal(cell: Cell<'_>) -> Read<i128> {
    const MOST: i128 = 10_i128.pow(38) - 1;
    let bounded = |number: i128| {
        if number.abs() <= MOST {
            Read::Whole(number)
        } else {
            Read::Unfit(OUT_OF_RANGE, Some(number.clamp(-MOST, MOST)))
        }
    };
    match cell {
        Cell::Null => Read::Null,
        Cell::Int(number) => Read::Whole(i128::from(number)),
        Cell::Value(Value::Big(number)) => match number.to_i128() {
            Some(number) => bounded(number),
            None => Read::Unfit(OUT_OF_RANGE, None),
        },
        Cell::Number(raw) => match raw.parse() {
            Ok(number) => bounded(number),
            Err(_) => Read::Unfit("fraction", None),
        },
        Cell::Text(text) => match text.trim_ascii().parse::<i128>() {
            Ok(number) if number.abs() <= MOST => Read::Changed(number, "text"),
            _ => Read::Unfit("text", None),
        },
        other => Read::Unfit(other.kind(), None),
    }
}

fn moment(cell: Cell<'_>, read: impl Fn(&str) -> Option<time::Read>) -> Read<i64> {
    match cell {
        Cell::Null => Read::Null,
        Cell::Text(text) => match read(text) {
            Some(read) if read.is_cut => Read::Changed(read.micros, "digits"),
            Some(read) => Read::Whole(read.micros),
            None => Read::Unfit(if text.is_empty() { "empty" } else { "text" }, None),
        },
        other => Read::Unfit(other.kind(), None),
    }
}

fn date(cell: Cell<'_>) -> Read<i32> {
    match cell {
        Cell::Null => Read::Null,
        Cell::Text(text) => match time::date(text.trim_ascii()) {
            Some(day) => Read::Whole(day),
            None => match time::timestamp(text) {
                Some(read) => {
                    let day = i32::try_from(read.micros.div_euclid(86_400_000_000)).ok();
                    let is_midnight = read.micros.rem_euclid(86_400_000_000) == 0;
                    match day {
                        Some(day) if is_midnight => Read::Whole(day),
                        day => Read::Unfit("time_of_day", day),
                    }
                }
                None => Read::Unfit(if text.is_empty() { "empty" } else { "text" }, None),
            },
        },
        other => Read::Unfit(other.kind(), None),
    }
}

/// Nothing is too odd for text: what is none is written as JSON, and counted.
fn text(builder: &mut StringBuilder, cell: Cell<'_>) -> Fit {
    match cell {
        Cell::Null => builder.append_null(),
        Cell::Text(text) => builder.append_value(text),
        Cell::Float(number) if !number.is_finite() => {
            builder.append_value(if number.is_nan() {
                "NaN"
            } else if number > 0.0 {
                "Infinity"
            } else {
                "-Infinity"
            });
            return Fit::Changed(odd_kind(number));
        }
        other => {
            append_json(builder, other);
            return Fit::Changed(other.kind());
        }
    }
    Fit::Whole
}

fn json(builder: &mut StringBuilder, cell: Cell<'_>) -> Fit {
    let mut fit = Fit::Whole;
    match cell {
        Cell::Null => builder.append_null(),
        Cell::Nested(raw) => {
            let octets = raw.as_bytes();
            if memchr::memmem::find(octets, b"\\ud").or(memchr::memmem::find(octets, b"\\uD")).is_some() {
                fit = mended(builder, raw);
            } else if octets.iter().any(|octet| matches!(octet, b' ' | b'\n' | b'\r' | b'\t')) {
                append_json(builder, cell);
            } else {
                builder.append_value(raw);
            }
        }
        Cell::Float(number) if !number.is_finite() => {
            builder.append_null();
            fit = Fit::Changed(odd_kind(number));
        }
        Cell::Value(value) => {
            append_json(builder, cell);
            fit = odd(value).map_or(Fit::Whole, |number| Fit::Changed(odd_kind(number)));
        }
        other => append_json(builder, other),
    }
    fit
}

fn append_json(builder: &mut StringBuilder, cell: Cell<'_>) {
    let mut out = String::new();
    cell.write_json(&mut out);
    builder.append_value(&out);
}

/// JSON with surrogates in escapes: half of a pair is what readers of JSON stumble over.
fn mended(builder: &mut StringBuilder, raw: &str) -> Fit {
    let is_mended = super::scan::unescape_into(raw, &mut String::new());
    match Value::from_json(raw.as_bytes()) {
        Ok(value) if is_mended => {
            append_json(builder, Cell::Value(&value));
            Fit::Changed("surrogate")
        }
        _ => {
            append_json(builder, Cell::Nested(raw));
            Fit::Whole
        }
    }
}

/// A number in a value that JSON has no word for: `null` is written for it.
fn odd(value: &Value) -> Option<f64> {
    match value {
        Value::Float(number) if !number.is_finite() => Some(*number),
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => items.iter().find_map(odd),
        Value::Map(map) => map.values().find_map(odd),
        Value::Dict(entries) => entries.iter().find_map(|(_, value)| odd(value)),
        _ => None,
    }
}

fn odd_kind(number: f64) -> &'static str {
    if number.is_nan() { "nan" } else { "infinity" }
}
