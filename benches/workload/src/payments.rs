//! `payments`, as services have them: each value follows from the row's id.

use std::fmt::{self, Write};

use chrono::{DateTime, Days, TimeDelta};
use fastrand::Rng;

use crate::Scale;

pub(crate) const COLUMNS: &str = "\
  id            bigint        NOT NULL,
  payment_id    uuid          NOT NULL,
  merchant_id   integer       NOT NULL,
  amount        numeric(18,4) NOT NULL,
  currency      char(3)       NOT NULL,
  status        text          NOT NULL,
  status_reason text,
  bank_code     text          NOT NULL,
  created_at    timestamptz   NOT NULL,
  updated_at    timestamptz   NOT NULL,
  metadata      jsonb         NOT NULL,
  tags          text[]        NOT NULL,
  is_test       boolean       NOT NULL,
  fee           double precision,
  settled_on    date
";

/// Rows at scale 1.
pub(crate) const ROWS: u64 = 3_000_000;

/// 2026-01-01, midnight UTC.
const FIRST_SECOND: i64 = 1_767_225_600;
const PERIOD_MICROSECONDS: u64 = 90 * 24 * 3600 * 1_000_000;
const TWO_DAYS_MICROSECONDS: f64 = 172_800e6;

const CURRENCIES: [&str; 8] = ["EUR", "USD", "GBP", "INR", "SGD", "CHF", "JPY", "KWD"];
const STATUSES: [&str; 8] =
    ["succeeded", "created", "pending", "failed", "refunded", "disputed", "cancelled", "expired"];
const REASONS: [&str; 4] = ["insufficient funds", "refused by issuer", "expired card", "no answer in time"];
const CHANNELS: [&str; 4] = ["web", "ios", "android", "api"];
const CITIES: [&str; 5] = ["Berlin", "Zürich", "São Paulo", "Łódź", "東京"];

pub(crate) fn rows(scale: Scale) -> impl FnMut(&mut String) -> bool + Send {
    let rows = scale.of(ROWS);
    let mut id = 0;
    move |text| {
        if id == rows {
            return false;
        }
        id += 1;
        write(text, id, rows).is_ok()
    }
}

/// One of `words`, the first ones more often.
fn skewed<'a>(random: &mut Rng, words: &[&'a str]) -> &'a str {
    let (a, b) = (random.usize(..words.len()), random.usize(..words.len()));
    words[a * b / (words.len() - 1)]
}

fn write(text: &mut String, id: u64, rows: u64) -> fmt::Result {
    // Seeds that follow each other give streams that don't.
    let mut random = Rng::with_seed(id.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let random = &mut random;
    let key = random.u128(..);
    let merchant = 1 + random.u32(..5000) * random.u32(..1000) / 1000;
    write!(text, "{id}\t{key:032x}\t{merchant}\t{}.{:04}\t", random.u32(7..25_000), random.u32(..10_000))?;
    let status = skewed(random, &STATUSES);
    write!(text, "{}\t{status}\t", skewed(random, &CURRENCIES))?;
    match status {
        "failed" => write!(text, "declined: {}", random.choice(REASONS).unwrap_or_default())?,
        _ => text.push_str("\\N"),
    }
    write!(text, "\tBNK{:04}\t", random.u32(..180))?;
    times(text, random, id, rows)?;
    text.push('\t');
    metadata(text, random)?;
    text.push('\t');
    match random.u8(..10) {
        0..3 => text.push_str("{}"),
        3..7 => text.push_str("{retail}"),
        // A quote within quotes, as COPY wants it.
        _ => write!(text, r#"{{retail,"tier {}","a\\"b,c"}}"#, random.u8(..4))?,
    }
    write!(text, "\t{}\t", if random.u8(..50) == 0 { 't' } else { 'f' })?;
    if random.u8(..5) > 0 {
        write!(text, "{}\t", random.f64() * 12.5)?;
    } else {
        text.push_str("\\N\t");
    }
    match status {
        "succeeded" | "refunded" => {
            let settled = created(id, rows).date_naive().checked_add_days(Days::new(3));
            writeln!(text, "{}", settled.unwrap_or_default())
        }
        _ => writeln!(text, "\\N"),
    }
}

/// Grows with the id.
fn created(id: u64, rows: u64) -> DateTime<chrono::Utc> {
    let since = u128::from(PERIOD_MICROSECONDS) * u128::from(id) / u128::from(rows);
    let microseconds = i64::try_from(since).unwrap_or_default();
    DateTime::from_timestamp(FIRST_SECOND, 0).unwrap_or_default() + TimeDelta::microseconds(microseconds)
}

/// `created_at` and `updated_at`. A tenth of the updates are of whole seconds, as batch jobs make them.
#[expect(clippy::cast_possible_truncation, reason = "two days of microseconds fit")]
fn times(text: &mut String, random: &mut Rng, id: u64, rows: u64) -> fmt::Result {
    let created = created(id, rows);
    let delay = random.f64();
    let updated = created + TimeDelta::microseconds((delay * delay * TWO_DAYS_MICROSECONDS) as i64);
    write!(text, "{}\t", created.format("%Y-%m-%d %H:%M:%S%.6f+00"))?;
    if random.u8(..10) == 0 {
        write!(text, "{}", (updated + TimeDelta::seconds(1)).format("%Y-%m-%d %H:%M:%S+00"))
    } else {
        write!(text, "{}", updated.format("%Y-%m-%d %H:%M:%S%.6f+00"))
    }
}

fn metadata(text: &mut String, random: &mut Rng) -> fmt::Result {
    let [a, b, c, d] = random.u32(..).to_be_bytes();
    write!(
        text,
        r#"{{"3ds": {}, "ip": "{a}.{b}.{c}.{d}", "risk": {:.2}, "order": "ord_{:018x}", "#,
        random.bool(),
        random.f64() * 100.0,
        random.u64(..),
    )?;
    write!(
        text,
        r#""address": {{"zip": "{:05}", "city": "{}"}}, "attempt": {}, "channel": "{}", "session": "{:032x}"}}"#,
        random.u32(..99_999),
        random.choice(CITIES).unwrap_or_default(),
        random.u8(1..4),
        random.choice(CHANNELS).unwrap_or_default(),
        random.u128(..),
    )
}
