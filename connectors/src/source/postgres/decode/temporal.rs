//! Dates, times and timestamps: from PostgreSQL's epoch, 2000, to Arrow's, 1970.
//!
//! Every finite value that Arrow's type can hold is delivered as it is, from 4713 BC on. Clamped
//! values become the first or last of the years 1 to 9999: the nearest that every reader of Parquet
//! and every database has, where the ends of 64 bits are an error to one and infinity to another.

use arrow_array::types::{Date32Type, Time64MicrosecondType, TimestampMicrosecondType};

use super::context::{Context, Instead};
use super::fault::{Fault, Reason};
use super::fixed::Convert;
use super::wire::FromWire;

/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;
const DAY_MICROS: i64 = 86_400_000_000;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * DAY_MICROS;

/// 0001-01-01 and 9999-12-31.
const FIRST_DAY: i32 = -719_162;
const LAST_DAY: i32 = 2_932_896;
/// 0001-01-01T00:00:00 and 9999-12-31T23:59:59.999999.
const FIRST_MICRO: i64 = FIRST_DAY as i64 * DAY_MICROS;
const LAST_MICRO: i64 = (LAST_DAY as i64 + 1) * DAY_MICROS - 1;

/// `date`: days.
pub(super) struct Date;

impl Convert for Date {
    type Arrow = Date32Type;

    #[inline]
    fn convert(&self, bytes: &[u8], context: &mut Context) -> Result<Option<i32>, Fault> {
        let days = i32::from_wire(bytes)?;
        if let Some(days) = days.checked_add(EPOCH_DAYS).filter(|_| days != i32::MIN) {
            return Ok(Some(days));
        }
        // The last day of PostgreSQL is in the year 5874897, far below where the sum overflows.
        let is_infinite = matches!(days, i32::MIN | i32::MAX);
        Ok(match context.unfit(if is_infinite { Reason::Infinity } else { Reason::OutOfRange })? {
            Instead::Null => None,
            Instead::Nearest => Some(if days < 0 { FIRST_DAY } else { LAST_DAY }),
        })
    }
}

/// `time`: microseconds since midnight.
pub(super) struct Time;

impl Convert for Time {
    type Arrow = Time64MicrosecondType;

    #[inline]
    fn convert(&self, bytes: &[u8], context: &mut Context) -> Result<Option<i64>, Fault> {
        match i64::from_wire(bytes)? {
            micros @ 0..DAY_MICROS => Ok(Some(micros)),
            // 24:00:00 is a time of its own in SQL, and none in Arrow and Parquet.
            DAY_MICROS => Ok(match context.unfit(Reason::OutOfRange)? {
                Instead::Null => None,
                Instead::Nearest => Some(DAY_MICROS - 1),
            }),
            _ => Err(Fault::Malformed),
        }
    }
}

/// `timestamp` and `timestamptz`: microseconds.
pub(super) struct Timestamp;

impl Convert for Timestamp {
    type Arrow = TimestampMicrosecondType;

    #[inline]
    fn convert(&self, bytes: &[u8], context: &mut Context) -> Result<Option<i64>, Fault> {
        let micros = i64::from_wire(bytes)?;
        if let Some(micros) = micros.checked_add(EPOCH_MICROS).filter(|_| micros != i64::MIN) {
            return Ok(Some(micros));
        }
        // The last thirty years before 294277, where PostgreSQL ends, are beyond 64 bits from 1970.
        let is_infinite = matches!(micros, i64::MIN | i64::MAX);
        Ok(match context.unfit(if is_infinite { Reason::Infinity } else { Reason::OutOfRange })? {
            Instead::Null => None,
            Instead::Nearest => Some(if micros < 0 { FIRST_MICRO } else { LAST_MICRO }),
        })
    }
}
