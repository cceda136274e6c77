//! XXH3 with 64 bits of exactly 8 and of exactly 16 bytes, which most values are: without a call, a test
//! of the length and a look at the processor for each of them.

const SECRET: [u64; 6] = [
    0x1cad_21f7_2c81_017c,
    0xdb97_9083_e96d_d4de,
    0x1f67_b3b7_a4a4_4072,
    0x78e5_c0cc_4ee6_79cb,
    0x2172_ffcc_7dd0_5a82,
    0x8e24_43f7_7446_08b8,
];

/// The hash of the 8 bytes of `value`, least significant first.
#[inline]
pub(super) fn of_8(seed: u64, value: u64) -> u64 {
    const FACTOR: u64 = 0x9fb2_1c65_1e98_df25;
    let seed = seed ^ (seed & 0xffff_ffff).swap_bytes();
    let keyed = value.rotate_left(32) ^ (SECRET[0] ^ SECRET[1]).wrapping_sub(seed);
    let mixed = (keyed ^ keyed.rotate_left(49) ^ keyed.rotate_left(24)).wrapping_mul(FACTOR);
    let mixed = (mixed ^ (mixed >> 35).wrapping_add(8)).wrapping_mul(FACTOR);
    mixed ^ (mixed >> 28)
}

/// The hash of the 16 bytes of `value`, least significant first.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "halves of the number")]
pub(super) fn of_16(seed: u64, value: u128) -> u64 {
    const FACTOR: u64 = 0x1656_6791_9e37_79f9;
    let low = (SECRET[2] ^ SECRET[3]).wrapping_add(seed) ^ value as u64;
    let high = (SECRET[4] ^ SECRET[5]).wrapping_sub(seed) ^ (value >> 64) as u64;
    let product = u128::from(low) * u128::from(high);
    let folded = product as u64 ^ (product >> 64) as u64;
    let sum = low.swap_bytes().wrapping_add(16).wrapping_add(high).wrapping_add(folded);
    let mixed = (sum ^ (sum >> 37)).wrapping_mul(FACTOR);
    mixed ^ (mixed >> 32)
}

#[cfg(test)]
mod tests {
    use twox_hash::XxHash3_64;

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
}
