//! Text that must appear in no log, error, state or snapshot.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

/// A password, key or token. It can be read from configuration and used, but neither printed nor
/// serialised: `Debug` shows dots, and there is no `Display` and no `Serialize`.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(extend("format" = "password", "writeOnly" = true))]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret that did not come from configuration.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The text itself, for the one call that needs it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("•••")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_printed() {
        assert_eq!(format!("{:?}", Secret::new("canary")), "•••");
    }
}
