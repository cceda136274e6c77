//! Files of a zip archive.

use bytes::Bytes;
use flate2::read::DeflateDecoder;
use protocol::{Error, Result};

use super::gzip;

/// The files of an archive in the order of its directory, all in memory.
pub(super) fn files(body: &Bytes) -> Result<Vec<Bytes>> {
    let (mut at, count) = directory(body).ok_or_else(malformed)?;
    let (mut files, mut total) = (Vec::new(), 0_u64);
    for _ in 0..count {
        let entry = Entry::read(body, at).ok_or_else(malformed)?;
        at = entry.next;
        let packed = entry.packed(body).ok_or_else(malformed)?;
        let file = match entry.method {
            0 => packed,
            8 => gzip::read(DeflateDecoder::new(&packed[..]), "zip")?,
            other => {
                return Err(Error::unsupported(format!("a zip archive is compressed with method {other}")));
            }
        };
        total += file.len() as u64;
        if total > gzip::MOST {
            return Err(Error::data("a zip archive in an answer holds more than 1 GiB"));
        }
        files.push(file);
    }
    Ok(files)
}

fn malformed() -> Error {
    Error::data("an answer is no zip archive that can be read")
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<usize> {
    let taken = bytes.get(at..at.checked_add(N)?)?;
    Some(taken.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte)))
}

/// Where the directory begins and how many files it names.
fn directory(bytes: &[u8]) -> Option<(usize, usize)> {
    const LONGEST: usize = 22 + 65_535;
    let from = bytes.len().saturating_sub(LONGEST);
    let end = from + memchr::memmem::rfind(&bytes[from..], b"PK\x05\x06")?;
    let (count, start) = (number::<2>(bytes, end + 10)?, number::<4>(bytes, end + 16)?);
    if count < 0xffff && start < 0xffff_ffff {
        return Some((start, count));
    }
    // Zip64.
    let locator = end.checked_sub(20)?;
    if bytes.get(locator..locator + 4)? != b"PK\x06\x07" {
        return Some((start, count));
    }
    let record = number::<8>(bytes, locator + 8)?;
    Some((number::<8>(bytes, record.checked_add(48)?)?, number::<8>(bytes, record.checked_add(32)?)?))
}

struct Entry {
    method: usize,
    packed: usize,
    header: usize,
    next: usize,
}

impl Entry {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        if bytes.get(at..at.checked_add(4)?)? != b"PK\x01\x02" {
            return None;
        }
        let lengths =
            [number::<2>(bytes, at + 28)?, number::<2>(bytes, at + 30)?, number::<2>(bytes, at + 32)?];
        let mut entry = Self {
            method: number::<2>(bytes, at + 10)?,
            packed: number::<4>(bytes, at + 20)?,
            header: number::<4>(bytes, at + 42)?,
            next: at + 46 + lengths.iter().sum::<usize>(),
        };
        entry.widen(bytes, at, lengths[0], lengths[1]);
        Some(entry)
    }

    /// Sizes that take more than 32 bits stand in a field of their own.
    fn widen(&mut self, bytes: &[u8], at: usize, name: usize, extra: usize) -> Option<()> {
        const WIDE: usize = 0xffff_ffff;
        let (mut place, end) = (at + 46 + name, at + 46 + name + extra);
        while place + 4 <= end {
            let (kind, length) = (number::<2>(bytes, place)?, number::<2>(bytes, place + 2)?);
            if kind == 1 {
                let mut field = place + 4;
                if number::<4>(bytes, at + 24)? == WIDE {
                    field += 8;
                }
                if self.packed == WIDE {
                    self.packed = number::<8>(bytes, field)?;
                    field += 8;
                }
                if self.header == WIDE {
                    self.header = number::<8>(bytes, field)?;
                }
            }
            place += 4 + length;
        }
        Some(())
    }

    fn packed(&self, bytes: &Bytes) -> Option<Bytes> {
        let skipped =
            number::<2>(bytes, self.header.checked_add(26)?)? + number::<2>(bytes, self.header + 28)?;
        let start = self.header + 30 + skipped;
        let end = start.checked_add(self.packed)?;
        (end <= bytes.len()).then(|| bytes.slice(start..end))
    }
}
