//! Numbers of few bits, as Parquet has them: runs of one value and groups of eight packed ones, in turn.

use arrow_buffer::BooleanBufferBuilder;

/// Values that are looked at together for being all the same; a multiple of the eight of a group.
const BLOCK: usize = 64;

/// Bits that the numbers below `count` need.
pub(super) fn width_of(count: usize) -> usize {
    (usize::BITS - count.saturating_sub(1).leading_zeros()) as usize
}

#[expect(clippy::cast_possible_truncation, reason = "7 bits are left")]
fn put_varint(out: &mut Vec<u8>, mut value: usize) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// A run of one value.
fn put_run(out: &mut Vec<u8>, value: u16, length: usize, width: usize) {
    put_varint(out, length << 1);
    out.extend_from_slice(&value.to_le_bytes()[..width.div_ceil(8)]);
}

/// Values of `width` bits each, 16 at most, side by side, up to a whole group.
fn put_packed(out: &mut Vec<u8>, values: &[u16], width: usize) {
    put_varint(out, values.len().div_ceil(8) << 1 | 1);
    let (groups, rest) = values.as_chunks::<8>();
    for group in groups {
        put_group(out, *group, width);
    }
    if !rest.is_empty() {
        let mut group = [0; 8];
        group[..rest.len()].copy_from_slice(rest);
        put_group(out, group, width);
    }
}

#[inline]
fn put_group(out: &mut Vec<u8>, group: [u16; 8], width: usize) {
    if width <= 8 {
        let packed = group.iter().rev().fold(0, |packed, value| packed << width | u64::from(*value));
        out.extend_from_slice(&packed.to_le_bytes()[..width]);
    } else {
        let half =
            |values: &[u16]| values.iter().rev().fold(0, |packed, value| packed << width | u64::from(*value));
        let (low, high) = group.split_at(4);
        let packed = u128::from(half(high)) << (4 * width) | u128::from(half(low));
        out.extend_from_slice(&packed.to_le_bytes()[..width]);
    }
}

/// The whole of a page's indices, their width first.
pub(super) fn put_indices(out: &mut Vec<u8>, indices: &[u16], width: usize) {
    out.extend(u8::try_from(width));
    put_runs(out, indices, width);
}

pub(super) fn put_runs(out: &mut Vec<u8>, values: &[u16], width: usize) {
    let mut packed_from = 0;
    let mut at = 0;
    while at < values.len() {
        let block = &values[at..values.len().min(at + BLOCK)];
        if block.len() < BLOCK || block.iter().any(|value| *value != block[0]) {
            at += block.len();
            continue;
        }
        if packed_from < at {
            put_packed(out, &values[packed_from..at], width);
        }
        let length = values[at..].iter().take_while(|value| **value == block[0]).count();
        // What follows begins with a group of its own.
        put_run(out, block[0], length, width);
        at += length;
        packed_from = at;
    }
    if packed_from < values.len() {
        put_packed(out, &values[packed_from..], width);
    }
}

/// Which rows are not NULL, as bits that Arrow has the same.
pub(super) fn put_valid(out: &mut Vec<u8>, valid: &BooleanBufferBuilder, nulls: usize) {
    if nulls == 0 || nulls == valid.len() {
        put_run(out, u16::from(nulls == 0), valid.len(), 1);
    } else {
        put_varint(out, valid.len().div_ceil(8) << 1 | 1);
        out.extend_from_slice(valid.as_slice());
    }
}

/// Levels have their length before them.
pub(super) fn put_levels(out: &mut Vec<u8>, put: impl FnOnce(&mut Vec<u8>)) {
    let length_at = out.len();
    out.extend_from_slice(&[0; 4]);
    put(out);
    // Of a page, which is smaller than 2 GiB.
    let length = u32::try_from(out.len() - length_at - 4).unwrap_or(u32::MAX);
    out[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
}
