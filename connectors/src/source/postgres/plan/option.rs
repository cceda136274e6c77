//! Settings of a stream that only this source understands.

use protocol::{ConfiguredStream, Error, Period, Result};
use serde::Deserialize;

use super::mode::Wanted;

/// `options` of a stream.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    /// The time zone whose wall clocks a cursor without time zone shows.
    pub(super) cursor_timezone: Option<String>,
    /// What to do when the table, its database or its cluster is not the one that was read before.
    pub(super) on_replaced: OnReplaced,
    /// How the stream makes sure that nothing is lost.
    pub(super) mode: Wanted,
    /// When to look at all rows, and not only where the cursor says.
    pub(super) sweep: Sweep,
    /// How long a transaction may be open that a lookback does not lose.
    pub(super) lookback: Option<Period>,
}

/// The lookback where none is configured.
const LOOKBACK: Period = Period::from_secs(3600);

/// When a seen set looks at all rows for new ones: those with an old cursor are found as well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sweep {
    /// Where the table is so small that it costs nothing.
    #[default]
    Auto,
    Always,
    Never,
    /// Where the last time is so long ago.
    #[serde(untagged)]
    Every(Period),
}

/// What to do when another table has taken the place of the one that was read before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum OnReplaced {
    /// Stop.
    Fail,
    /// Take it for the same table: go on where the cursor stands.
    Continue,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            cursor_timezone: None,
            on_replaced: OnReplaced::Fail,
            mode: Wanted::Auto,
            sweep: Sweep::Auto,
            lookback: None,
        }
    }
}

impl Options {
    pub(super) fn of(stream: &ConfiguredStream) -> Result<Self> {
        let options = stream.options.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let options: Self =
            serde_json::from_value(serde_json::Value::Object(options)).map_err(|error| {
                Error::config(format!("`options` of the stream: {error}")).hint(
                    "there are `cursor_timezone: Europe/Berlin`, `on_replaced: fail` or `continue`, \
                     `mode: auto`, `seen_set`, `settled_window` or `lookback`, `lookback: 1h`, and `sweep: auto`, \
                     `always`, `never` or an age such as `7d`",
                )
            })?;
        if options.lookback.is_some() && options.mode != Wanted::Lookback {
            return Err(Error::config("`options` of the stream: `lookback` means nothing to its mode")
                .hint("set `mode: lookback` as well, or leave `lookback` out"));
        }
        Ok(options)
    }

    /// How long a transaction may be open that a lookback does not lose.
    pub(super) fn lookback(&self) -> Period {
        self.lookback.unwrap_or(LOOKBACK)
    }
}
