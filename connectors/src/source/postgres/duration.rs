//! Durations as configuration files have them: `30s`, `500ms`, `2m`, or a number of seconds.

use std::fmt;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserializer;
use serde::de::{Error, Visitor};

/// Stands for a duration in the JSON schema.
pub(super) struct Text;

impl JsonSchema for Text {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A time span: `30s`, `500ms`, `2m`, `1h`, or a number of seconds.",
            "oneOf": [
                { "type": "string", "pattern": r"^\d+(\.\d+)?\s*(ms|s|m|h|d)$" },
                { "type": "number", "minimum": 0 },
            ],
        })
    }
}

/// Reads a duration: `#[serde(deserialize_with = "duration::read")]`.
pub(super) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    deserializer.deserialize_any(Reader)
}

struct Reader;

impl Visitor<'_> for Reader {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a duration like \"30s\", \"500ms\" or \"2m\", or a number of seconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Duration, E> {
        parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Duration, E> {
        Ok(Duration::from_secs(seconds))
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Duration, E> {
        u64::try_from(seconds)
            .map(Duration::from_secs)
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Signed(seconds), &self))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Duration, E> {
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| E::invalid_value(serde::de::Unexpected::Float(seconds), &self))
    }
}

/// A number and its unit; without a unit, seconds.
fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let seconds = match text[end..].trim() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return None,
    };
    Duration::try_from_secs_f64(number * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn reads(value: &Value) -> Option<Duration> {
        read(value).ok()
    }

    #[test]
    fn reads_units_and_plain_seconds() {
        for (value, milliseconds) in [
            (json!("30s"), 30_000),
            (json!("500ms"), 500),
            (json!("1.5 s"), 1500),
            (json!("2m"), 120_000),
            (json!("1h"), 3_600_000),
            (json!("10"), 10_000),
            (json!(10), 10_000),
            (json!(0.25), 250),
            (json!(0), 0),
        ] {
            assert_eq!(reads(&value), Some(Duration::from_millis(milliseconds)), "{value}");
        }
    }

    #[test]
    fn refuses_what_is_no_duration() {
        for value in [json!("soon"), json!("-1s"), json!(-1), json!("10 parsecs"), json!(true), json!("")] {
            assert_eq!(reads(&value), None, "{value}");
        }
    }
}
