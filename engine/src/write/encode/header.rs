//! What stands before each page: `PageHeader` of the format, in Thrift's compact protocol.

use parquet::basic::Encoding;

const I32: u8 = 5;
const STRUCT: u8 = 12;
const FALSE: u8 = 2;

/// A header has fewer bytes.
pub(super) const BYTES: usize = 40;

/// What a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Data(Encoding),
    Dictionary,
}

/// Appends the header of a page of `values` values, NULLs among them.
pub(super) fn put(out: &mut Vec<u8>, kind: Kind, values: usize, uncompressed: i32, compressed: i32) {
    let values = i32::try_from(values).unwrap_or(i32::MAX);
    put_field(out, 1, I32, if kind == Kind::Dictionary { 2 } else { 0 });
    put_field(out, 1, I32, uncompressed);
    put_field(out, 1, I32, compressed);
    match kind {
        Kind::Data(encoding) => {
            out.push(2 << 4 | STRUCT);
            put_field(out, 1, I32, values);
            put_field(out, 1, I32, encoding as i32);
            // Levels of definition and of repetition, if there are any.
            put_field(out, 1, I32, Encoding::RLE as i32);
            put_field(out, 1, I32, Encoding::RLE as i32);
        }
        Kind::Dictionary => {
            out.push(4 << 4 | STRUCT);
            put_field(out, 1, I32, values);
            put_field(out, 1, I32, Encoding::PLAIN as i32);
            // Whether it is sorted.
            out.push(1 << 4 | FALSE);
        }
    }
    out.extend_from_slice(&[0, 0]);
}

/// A number whose field is the `step`-th after the one before.
#[expect(clippy::cast_possible_truncation, reason = "7 bits are left")]
fn put_field(out: &mut Vec<u8>, step: u8, kind: u8, value: i32) {
    out.push(step << 4 | kind);
    let mut value = (value << 1 ^ value >> 31).cast_unsigned();
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
