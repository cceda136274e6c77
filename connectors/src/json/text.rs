//! A page's text.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{Error, Result};

/// UTF-8 of less than 4 GiB. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Text(Arc<str>);

impl Text {
    /// Checks `bytes`; a byte order mark is left out.
    pub(crate) fn new(bytes: &Bytes) -> Result<Self> {
        if u32::try_from(bytes.len()).is_err() {
            return Err(Error::data("an answer is longer than 4 GiB").hint("ask for smaller pages"));
        }
        let text = simdutf8::basic::from_utf8(bytes)
            .map_err(|error| Error::data("JSON is not UTF-8").with_source(error))?;
        Ok(Self(text.strip_prefix('\u{feff}').unwrap_or(text).into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}
