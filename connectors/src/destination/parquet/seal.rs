//! Documents that are created once and never changed: JSON whose last field is the SHA-256 of all that
//! stands before it.

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use protocol::{Error, Result};
use serde::Serialize;

/// A value as a sealed document, and its checksum.
pub(super) fn seal<T: Serialize>(value: &T) -> Result<(Bytes, String)> {
    let mut document = serde_json::to_vec(value)
        .map_err(|error| Error::internal("a document does not serialise").with_source(error))?;
    let checksum = sha256(&document);
    document.pop();
    document.extend_from_slice(end(&checksum).as_bytes());
    Ok((document.into(), checksum))
}

/// The checksum at the end of a document, where it fits.
pub(super) fn unseal(document: &[u8]) -> Option<String> {
    let document = document.trim_ascii_end();
    let (body, found) = document.split_at_checked(document.len().checked_sub(end(&sha256(b"")).len())?)?;
    let checksum = sha256(&[body, b"}"].concat());
    (found == end(&checksum).as_bytes()).then_some(checksum)
}

/// The end of a document with that checksum, in place of its closing brace.
fn end(checksum: &str) -> String {
    format!(",\"checksum\":\"{checksum}\"}}")
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut hex = String::with_capacity(64);
    for byte in digest(&SHA256, bytes).as_ref() {
        write!(hex, "{byte:02x}").expect("a String takes all that is written to it");
    }
    hex
}
