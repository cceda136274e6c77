//! What was compressed with gzip.

use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use protocol::{Error, Result};

/// More than this comes out of no file.
pub(super) const MOST: u64 = 1 << 30;

/// What is in gzip; other octets as they are.
pub(super) fn open(body: &Bytes) -> Result<Bytes> {
    if !body.starts_with(&[0x1f, 0x8b]) {
        return Ok(body.clone());
    }
    read(MultiGzDecoder::new(&body[..]), "gzip")
}

/// All that a decompressor gives, within bounds.
pub(super) fn read(decoder: impl Read, what: &str) -> Result<Bytes> {
    let mut out = Vec::new();
    decoder
        .take(MOST + 1)
        .read_to_end(&mut out)
        .map_err(|error| Error::data(format!("{what} data in an answer is malformed")).with_source(error))?;
    if u64::try_from(out.len()).is_ok_and(|length| length > MOST) {
        return Err(Error::data(format!("{what} data in an answer holds more than 1 GiB")));
    }
    Ok(out.into())
}
