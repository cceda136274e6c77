//! What every answer of the server is wrapped in.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

/// `{"data": …, "code": …, "message": …, "success": …}`
#[derive(Deserialize)]
pub(super) struct Reply {
    /// What was asked for.
    #[serde(default)]
    pub(super) data: Option<Box<RawValue>>,
    #[serde(default)]
    pub(super) code: Cell,
    #[serde(default)]
    pub(super) message: Option<String>,
    #[serde(default)]
    pub(super) success: bool,
    /// What the server's clock said.
    #[serde(skip)]
    pub(super) clock: Option<DateTime<Utc>>,
    /// Whether an earlier try of the same request may have been done.
    #[serde(skip)]
    pub(super) after_uncertain: bool,
}

impl Reply {
    pub(super) fn read(bytes: &[u8], clock: Option<DateTime<Utc>>) -> serde_json::Result<Self> {
        Ok(Self { clock, ..serde_json::from_slice(bytes)? })
    }

    /// The code of a failure or of a state, six digits.
    pub(super) fn code(&self) -> &str {
        self.code.0.as_deref().unwrap_or_default()
    }

    /// What the server says.
    pub(super) fn message(&self) -> &str {
        self.message.as_deref().unwrap_or_default()
    }

    /// The data as what it should be.
    pub(super) fn data<'de, T: Deserialize<'de>>(&'de self) -> Option<T> {
        serde_json::from_str(self.data.as_deref()?.get()).ok()
    }
}

/// A value that some servers write as text and some as a number or a truth; `None` for null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Cell(pub(super) Option<String>);

impl<'de> Deserialize<'de> for Cell {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Cell;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a number, a truth or null")
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Cell, E> {
                Ok(Cell(Some(value.to_owned())))
            }

            fn visit_string<E: de::Error>(self, value: String) -> Result<Cell, E> {
                Ok(Cell(Some(value)))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Cell, E> {
                Ok(Cell(Some(value.to_string())))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Cell, E> {
                Ok(Cell(Some(value.to_string())))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Cell, E> {
                Ok(Cell(Some(value.to_string())))
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Cell, E> {
                Ok(Cell(Some(value.to_string())))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Cell, E> {
                Ok(Cell(None))
            }
        }

        deserializer.deserialize_any(Reader)
    }
}
