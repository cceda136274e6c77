//! Numbers of transactions: which ones were seen, and the condition that finds the others' rows.
//!
//! A row carries 32 bits of the number of the transaction that wrote it. Next to a snapshot they stand
//! for one number of 64 bits: none of those that it shows is 2³¹ away.

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD as BASE64;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A snapshot's ends. What was written by transactions before `xmin` is seen by it or never; none from
/// `xmax` on is seen by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) xmin: u64,
    pub(super) xmax: u64,
}

/// What `SELECT txid_current_snapshot()` says: `10:20:10,14,15`.
pub(super) fn ends(snapshot: &str) -> Option<Ends> {
    let mut parts = snapshot.splitn(3, ':');
    let (xmin, xmax) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    (xmin <= xmax).then_some(Ends { xmin, xmax })
}

impl Ends {
    /// The number whose lower half a row of this snapshot carries.
    pub(super) fn widened(self, xmin: u32) -> u64 {
        self.xmax.saturating_sub(u64::from(narrowed(self.xmax).wrapping_sub(xmin)))
    }

    /// Whether rows of this snapshot can be told from those of one that ended with `xmax` and began with
    /// `xmin`: numbers go on from there, and have not come round.
    pub(super) fn follows(self, xmin: u64, xmax: u64) -> bool {
        // A row that is read shall not be as old as to look young.
        const ROUND: u64 = (1 << 31) - (1 << 24);
        self.xmax >= xmax && self.xmax - xmin.min(xmax) < ROUND
    }
}

#[expect(clippy::cast_possible_truncation, reason = "what a row carries is the lower half")]
pub(super) fn narrowed(xid: u64) -> u32 {
    xid as u32
}

/// A set of transactions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Xids(Vec<u64>);

impl FromIterator<u64> for Xids {
    fn from_iter<I: IntoIterator<Item = u64>>(xids: I) -> Self {
        let mut xids: Vec<u64> = xids.into_iter().collect();
        xids.sort_unstable();
        xids.dedup();
        Self(xids)
    }
}

impl Xids {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        self.0.iter().copied()
    }

    /// Adds all of `others`.
    pub(super) fn merge(&mut self, others: &Self) {
        if !others.is_empty() {
            *self = self.iter().chain(others.iter()).collect();
        }
    }

    #[cfg(test)]
    pub(super) fn contains(&self, xid: u64) -> bool {
        self.0.binary_search(&xid).is_ok()
    }

    /// As differences, seven bits a byte, the lowest first: most take one byte.
    fn packed(&self) -> String {
        let mut bytes = Vec::with_capacity(self.0.len() * 2);
        let mut before = 0;
        for xid in &self.0 {
            let mut rest = xid - before;
            while rest >= 0x80 {
                bytes.push((rest & 0x7f) as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push((rest & 0x7f) as u8);
            before = *xid;
        }
        BASE64.encode(bytes)
    }

    fn unpacked(text: &str) -> Option<Self> {
        let (mut xids, mut before, mut rest, mut shift) = (Vec::new(), 0_u64, 0_u64, 0_u32);
        for byte in BASE64.decode(text).ok()? {
            if shift > 63 {
                return None;
            }
            rest |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                before = before.checked_add(rest)?;
                xids.push(before);
                (rest, shift) = (0, 0);
            }
        }
        (shift == 0).then_some(Self(xids))
    }

    fn array(&self) -> String {
        let xids: Vec<String> = self.0.iter().map(|xid| narrowed(*xid).to_string()).collect();
        format!("'{{{}}}'::xid[]", xids.join(","))
    }
}

impl Serialize for Xids {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.packed())
    }
}

impl<'de> Deserialize<'de> for Xids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::unpacked(&text).ok_or_else(|| D::Error::custom("these are no transaction numbers"))
    }
}

/// Conditions for rows that transactions from `xmin` on have written. Ages are counted from one number
/// for a whole transaction of the reader, on a standby too, so two of them compare as the numbers do,
/// round the clock. A row from before the last round has an age below 0 or one that is greater. What most
/// rows fail comes first, and the number's own age is asked for once, not for each row.
pub(super) fn since(xmin: u64) -> Vec<String> {
    vec![format!("age(xmin) <= (SELECT age('{}'::xid))", narrowed(xmin)), "age(xmin) >= 0".to_owned()]
}

/// The same, but for what the transactions in `seen` have written.
pub(super) fn since_without(xmin: u64, seen: &Xids) -> Vec<String> {
    // More are looked up in a hash table, which servers before 15 build for a query only.
    const FEW: usize = 64;
    let mut conditions = since(xmin);
    match seen.0.len() {
        0 => {}
        1..=FEW => conditions.push(format!("xmin <> ALL ({})", seen.array())),
        _ => conditions.push(format!("xmin NOT IN (SELECT unnest({}))", seen.array())),
    }
    conditions
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_snapshot_is_understood() {
        assert_eq!(ends("765:768:765"), Some(Ends { xmin: 765, xmax: 768 }));
        assert_eq!(ends("768:768:"), Some(Ends { xmin: 768, xmax: 768 }));
        for wrong in ["", "1", "2:1:", "a:b:"] {
            assert_eq!(ends(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn numbers_are_widened_over_the_end_of_a_round() {
        let ends = Ends { xmin: (5 << 32) - 10, xmax: (5 << 32) + 10 };
        assert_eq!(ends.widened(9), (5 << 32) + 9);
        assert_eq!(ends.widened(u32::MAX), (5 << 32) - 1);
    }

    #[test]
    fn what_went_back_or_round_does_not_follow() {
        let now = Ends { xmin: 100, xmax: 120 };
        assert!(now.follows(90, 110) && now.follows(120, 120));
        assert!(!now.follows(100, 121), "numbers were given out again");
        let later = Ends { xmin: (1 << 31) + 100, xmax: (1 << 31) + 120 };
        assert!(!later.follows(90, 110));
    }

    #[test]
    fn many_seen_ones_are_looked_up_in_a_table() {
        let xids = |count: u64| (7..7 + count).map(|xid| (3 << 32) + xid).collect::<Xids>();
        assert_eq!(since_without((3 << 32) + 5, &Xids::default()), since(5));
        assert_eq!(since_without(5, &xids(2))[2], "xmin <> ALL ('{7,8}'::xid[])");
        assert!(since_without(5, &xids(65))[2].starts_with("xmin NOT IN (SELECT unnest('{7,8,"));
    }

    #[test]
    fn two_sets_are_one() {
        let xids = |xids: &[u64]| xids.iter().copied().collect::<Xids>();
        let mut both = xids(&[7, 9]);
        both.merge(&xids(&[8, 9]));
        assert_eq!(both, xids(&[7, 8, 9]));
    }

    proptest! {
        #[test]
        fn sets_read_back(xids: Vec<u64>) {
            let xids: Xids = xids.into_iter().collect();
            let json = serde_json::to_string(&xids).unwrap();
            prop_assert_eq!(serde_json::from_str::<Xids>(&json).unwrap(), xids);
        }

        #[test]
        fn no_text_panics(text: String) {
            let _ = Xids::unpacked(&text);
            let _ = Xids::unpacked(&BASE64.encode(text));
        }
    }
}
