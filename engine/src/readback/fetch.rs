//! Ranges of a file, in few requests.

use std::ops::Range;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use protocol::{Error, FileReader, Result};

/// Requests for one file at once.
const PARALLEL: usize = 4;
/// Bytes between two ranges that cost less to read than a request does.
const GAP: u64 = 64 << 10;
/// Bytes of one request, unless one range alone has more.
const REQUEST_BYTES: u64 = 8 << 20;

/// The bytes of `ranges`, in their order. Fails with `Data` where the file ends before.
pub(super) async fn fetch(reader: &dyn FileReader, path: &str, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
    let size = reader.size();
    if let Some(outside) = ranges.iter().find(|range| range.start > range.end || range.end > size) {
        return Err(Error::data(format!(
            "file {path:?} is damaged: it has {size} bytes and its footer points to byte {}",
            outside.end.max(outside.start)
        ))
        .context("file", path));
    }
    let requests = join(ranges);
    let reads: Vec<_> = requests.iter().map(|request| reader.read(request.clone())).collect();
    let read: Vec<Bytes> = stream::iter(reads).buffered(PARALLEL).try_collect().await?;
    ranges
        .iter()
        .map(|range| {
            let inside = |request: &Range<u64>| request.start <= range.start && range.end <= request.end;
            let at = requests.iter().position(inside);
            let found = at.and_then(|at| {
                let start = usize::try_from(range.start - requests[at].start).ok()?;
                let end = usize::try_from(range.end - requests[at].start).ok()?;
                (end <= read[at].len()).then(|| read[at].slice(start..end))
            });
            found.ok_or_else(|| Error::internal("bytes that were asked for are not there"))
        })
        .collect()
}

/// Few ranges that hold all of `ranges`.
fn join(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted = ranges.to_vec();
    sorted.sort_unstable_by_key(|range| (range.start, range.end));
    let mut joined: Vec<Range<u64>> = Vec::new();
    for range in sorted {
        match joined.last_mut() {
            Some(last)
                if range.end <= last.end
                    || (range.start <= last.end + GAP && range.end - last.start <= REQUEST_BYTES) =>
            {
                last.end = last.end.max(range.end);
            }
            _ => joined.push(range),
        }
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(ranges: &[Range<u64>]) -> Vec<(u64, u64)> {
        join(ranges).into_iter().map(|range| (range.start, range.end)).collect()
    }

    #[test]
    fn near_ranges_share_a_request() {
        assert_eq!(joined(&[10..20, 0..10, 30..40, 5..8]), [(0, 40)]);
        let far = 40 + GAP + 1;
        assert_eq!(joined(&[0..40, far..far + 1]), [(0, 40), (far, far + 1)]);
    }

    #[test]
    fn a_request_has_a_bound() {
        let step = REQUEST_BYTES / 2;
        let ranges: Vec<_> = (0..4).map(|at| at * step..(at + 1) * step).collect();
        assert_eq!(joined(&ranges), [(0, REQUEST_BYTES), (REQUEST_BYTES, 2 * REQUEST_BYTES)]);
        let large = 0..10 * REQUEST_BYTES;
        assert_eq!(joined(std::slice::from_ref(&large)), [(0, large.end)]);
    }
}
