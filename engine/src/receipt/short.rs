//! XXH3 with 64 bits of few bytes, which most values are: without a call and a look at the processor for
//! each of them, and without a test of the length where it is known.

use twox_hash::XxHash3_64;

/// What XXH3 begins with where it is not told otherwise.
const SECRET: [u64; 8] = [
    0xbe4b_a423_396c_feb8,
    0x1cad_21f7_2c81_017c,
    0xdb97_9083_e96d_d4de,
    0x1f67_b3b7_a4a4_4072,
    0x78e5_c0cc_4ee6_79cb,
    0x2172_ffcc_7dd0_5a82,
    0x8e24_43f7_7446_08b8,
    0x4c26_3a81_e690_35e0,
];

/// The hash of the 8 bytes of `value`, least significant first.
#[inline]
pub(super) fn of_8(seed: u64, value: u64) -> u64 {
    of_halves(seed, 8, value.rotate_left(32))
}

/// The hash of 4 to 8 bytes, of which these are the last 4 and, above them, the first 4.
#[inline]
fn of_halves(seed: u64, length: u64, halves: u64) -> u64 {
    const FACTOR: u64 = 0x9fb2_1c65_1e98_df25;
    let seed = seed ^ (seed & 0xffff_ffff).swap_bytes();
    let keyed = halves ^ (SECRET[1] ^ SECRET[2]).wrapping_sub(seed);
    let mixed = (keyed ^ keyed.rotate_left(49) ^ keyed.rotate_left(24)).wrapping_mul(FACTOR);
    let mixed = (mixed ^ (mixed >> 35).wrapping_add(length)).wrapping_mul(FACTOR);
    mixed ^ (mixed >> 28)
}

/// The hash of the 16 bytes of `value`, least significant first.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "halves of the number")]
pub(super) fn of_16(seed: u64, value: u128) -> u64 {
    of_ends(seed, 16, value as u64, (value >> 64) as u64)
}

/// The hash of 9 to 16 bytes, of which these are the first and the last 8.
#[inline]
fn of_ends(seed: u64, length: u64, first: u64, last: u64) -> u64 {
    let low = (SECRET[3] ^ SECRET[4]).wrapping_add(seed) ^ first;
    let high = (SECRET[5] ^ SECRET[6]).wrapping_sub(seed) ^ last;
    avalanche(length.wrapping_add(low.swap_bytes()).wrapping_add(high).wrapping_add(fold(low, high)))
}

/// The hash of any bytes.
#[inline]
pub(super) fn of(seed: u64, bytes: &[u8]) -> u64 {
    match bytes.len() {
        4..=8 => of_4_to_8(seed, bytes),
        9..=16 => of_ends(seed, bytes.len() as u64, first_8(bytes), last_8(bytes)),
        17..=64 => of_17_to_64(seed, bytes),
        _ => XxHash3_64::oneshot_with_seed(seed, bytes),
    }
}

#[inline]
fn first_8(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline]
fn last_8(bytes: &[u8]) -> u64 {
    bytes.last_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "halves of the number")]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

#[inline]
fn avalanche(hash: u64) -> u64 {
    let mixed = (hash ^ (hash >> 37)).wrapping_mul(0x1656_6791_9e37_79f9);
    mixed ^ (mixed >> 32)
}

#[inline]
fn of_4_to_8(seed: u64, bytes: &[u8]) -> u64 {
    let four = |bytes: Option<&[u8; 4]>| u64::from(bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes)));
    let halves = four(bytes.first_chunk()) << 32 | four(bytes.last_chunk());
    of_halves(seed, bytes.len() as u64, halves)
}

#[inline]
fn of_17_to_64(seed: u64, bytes: &[u8]) -> u64 {
    const PRIME: u64 = 0x9e37_79b1_85eb_ca87;
    let mixed = |sixteen: &[u8], at: usize| {
        let low = first_8(sixteen) ^ SECRET[at].wrapping_add(seed);
        fold(low, last_8(sixteen) ^ SECRET[at + 1].wrapping_sub(seed))
    };
    let length = bytes.len();
    let mut sum = (length as u64).wrapping_mul(PRIME);
    if length > 32 {
        sum = sum.wrapping_add(mixed(&bytes[16..32], 4));
        sum = sum.wrapping_add(mixed(&bytes[length - 32..length - 16], 6));
    }
    sum = sum.wrapping_add(mixed(&bytes[..16], 0));
    avalanche(sum.wrapping_add(mixed(&bytes[length - 16..], 2)))
}

#[cfg(test)]
mod tests {
    use super::super::mix;
    use super::*;

    #[test]
    fn they_are_what_xxh3_says() {
        let ends = [(0, 0, 0), (u64::MAX, u64::MAX, u64::MAX)];
        let many = (0..1000).map(|at| (mix(at), mix(at ^ 0x5555), mix(at ^ 0xffff_0000)));
        for (seed, low, high) in ends.into_iter().chain(many) {
            assert_eq!(
                of_8(seed, low),
                XxHash3_64::oneshot_with_seed(seed, &low.to_le_bytes()),
                "{seed} {low}"
            );
            let wide = u128::from(high) << 64 | u128::from(low);
            let expected = XxHash3_64::oneshot_with_seed(seed, &wide.to_le_bytes());
            assert_eq!(of_16(seed, wide), expected, "{seed} {wide}");
        }
    }

    #[test]
    fn bytes_of_any_length_are_hashed_as_xxh3_does() {
        let bytes: Vec<u8> = (0..300).map(|at| mix(at).to_le_bytes()[0]).collect();
        for length in 0..200 {
            for seed in [0, 1, 0xffff_ffff, u64::MAX, mix(length as u64)] {
                let bytes = &bytes[length % 7..length % 7 + length];
                assert_eq!(of(seed, bytes), XxHash3_64::oneshot_with_seed(seed, bytes), "{seed} {length}");
            }
        }
    }
}
