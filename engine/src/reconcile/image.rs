//! What the destination holds of each key, as far as memory goes: the latest version's digest and place.
//!
//! An image covers a range of key hashes. One that grows beyond its limit gives up the upper half of its
//! range, and with it those keys: another pass over both sides covers them. So a pass is exact for the
//! keys of its range, and memory stays what it is however many keys there are.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A key, by its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(pub(super) u128);

impl Key {
    /// What ranges are of.
    fn high(self) -> u64 {
        (self.0 >> 64) as u64
    }
}

/// The halves of a [`Key`], aligned so that an entry wastes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot([u64; 2]);

impl From<Key> for Slot {
    fn from(key: Key) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the lower half of 128 bits")]
        let low = key.0 as u64;
        Self([key.high(), low])
    }
}

impl std::hash::Hash for Slot {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0[1]);
    }
}

/// Keys are hashes already.
#[derive(Debug, Default)]
struct Same(u64);

impl Hasher for Same {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only keys are hashed, and they are one number");
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = number;
    }
}

/// Where a row is: which of the files, and which of its rows, both counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: u32,
    pub(super) row: u32,
}

/// A row of the destination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Version {
    pub(super) key: Key,
    /// Digest of what is compared besides the key.
    pub(super) content: u64,
    /// Its cursor, which decides between versions of one commit.
    pub(super) cursor: i64,
    pub(super) place: Place,
    /// Whether it says that the row is deleted.
    pub(super) is_deleted: bool,
}

/// The latest version of a key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) content: u64,
    cursor: i64,
    pub(super) place: Place,
    pub(super) is_deleted: bool,
    /// Whether the source has been asked for it in this pass.
    pub(super) is_met: bool,
}

/// The latest versions of the keys of one range.
#[derive(Debug)]
pub(super) struct Image {
    entries: HashMap<Slot, Entry, BuildHasherDefault<Same>>,
    /// The range: both ends belong to it.
    first: u64,
    last: u64,
    limit: usize,
    /// The commit of each file.
    commits: Vec<u64>,
}

impl Image {
    /// An empty image of all keys, of which about `bytes` of memory may be taken. `commits` are those
    /// of the files that versions are placed in.
    pub(super) fn new(bytes: u64, commits: Vec<u64>) -> Self {
        Self { entries: HashMap::default(), first: 0, last: u64::MAX, limit: limit(bytes), commits }
    }

    /// Takes a version of a key. Versions may come in any order.
    pub(super) fn put(&mut self, version: &Version) {
        if !self.covers(version.key) {
            return;
        }
        let order = |place: Place, cursor: i64| (self.commits.get(place.file as usize), cursor, place);
        let entry = Entry {
            content: version.content,
            cursor: version.cursor,
            place: version.place,
            is_deleted: version.is_deleted,
            is_met: false,
        };
        let latest = self.entries.entry(version.key.into()).or_insert(entry);
        if order(latest.place, latest.cursor) < order(entry.place, entry.cursor) {
            *latest = entry;
        }
        while self.entries.len() > self.limit && self.last > self.first {
            self.last = self.first + (self.last - self.first) / 2;
            let last = self.last;
            self.entries.retain(|slot, _| slot.0[0] <= last);
        }
    }

    /// Whether `key` is in the range.
    pub(super) fn covers(&self, key: Key) -> bool {
        (self.first..=self.last).contains(&key.high())
    }

    /// The latest version of a key of the range.
    pub(super) fn get(&mut self, key: Key) -> Option<&mut Entry> {
        self.entries.get_mut(&key.into())
    }

    /// Forgets what the source was asked for: it is asked anew.
    pub(super) fn rewind(&mut self) {
        self.entries.values_mut().for_each(|entry| entry.is_met = false);
    }

    /// Keys that are not deleted.
    pub(super) fn living(&self) -> u64 {
        self.entries.values().filter(|entry| !entry.is_deleted).count() as u64
    }

    /// Rows that live here and that the source was not asked for, in the order of their places.
    pub(super) fn unmet(&self) -> Vec<Place> {
        let is_unmet = |entry: &&Entry| !entry.is_met && !entry.is_deleted;
        let mut places: Vec<Place> =
            self.entries.values().filter(is_unmet).map(|entry| entry.place).collect();
        places.sort_unstable();
        places
    }

    /// Goes on to the keys beyond the range; false where there are none.
    pub(super) fn advance(&mut self) -> bool {
        let Some(first) = self.last.checked_add(1) else { return false };
        self.entries.clear();
        (self.first, self.last) = (first, u64::MAX);
        true
    }
}

/// Entries that fit into `bytes`, also in the moment when the table moves to one of twice the size.
fn limit(bytes: u64) -> usize {
    const LEAST: u64 = 64;
    // One byte of control beside each, and the old table beside the new one.
    let each = (size_of::<(Slot, Entry)>() as u64 + 1) * 3 / 2;
    let buckets = (bytes / each).max(LEAST);
    // Tables have a power of two of buckets, of which one in eight stays free.
    let buckets = 1_u64 << buckets.ilog2();
    usize::try_from(buckets / 8 * 7).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u64) -> Key {
        // Spread over the range, as hashes are.
        Key(u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(number))
    }

    fn version(number: u64, content: u64, file: u32, cursor: i64) -> Version {
        Version { key: key(number), content, cursor, place: Place { file, row: 0 }, is_deleted: false }
    }

    #[test]
    fn an_entry_wastes_no_memory() {
        assert_eq!(size_of::<(Slot, Entry)>(), 48);
    }

    #[test]
    fn the_latest_commit_wins_and_within_one_the_greatest_cursor() {
        let mut image = Image::new(1 << 20, vec![1, 2, 2]);
        for (content, file, cursor) in [(10, 1, 5), (11, 0, 9), (12, 2, 7), (13, 1, 6)] {
            image.put(&version(1, content, file, cursor));
        }
        assert_eq!(image.get(key(1)).unwrap().content, 12);
        assert_eq!(image.living(), 1);
    }

    #[test]
    fn passes_cover_every_key_once_whatever_fits() {
        for bytes in [0, 10_000, 1 << 30] {
            let mut image = Image::new(bytes, vec![1]);
            let (mut seen, mut passes) = (vec![0; 5000], 0);
            loop {
                (0..5000).for_each(|number| image.put(&version(number, number, 0, 0)));
                passes += 1;
                for (number, seen) in (0..).zip(&mut seen) {
                    if image.covers(key(number)) {
                        assert_eq!(image.get(key(number)).unwrap().content, number);
                        *seen += 1;
                    }
                }
                assert!(image.entries.len() <= image.limit);
                if !image.advance() {
                    break;
                }
            }
            assert_eq!(seen, vec![1; 5000], "{bytes}");
            assert_eq!(passes > 1, bytes < 1 << 20, "{passes} passes with {bytes}");
        }
    }

    #[test]
    fn what_the_source_was_not_asked_for_is_left() {
        let mut image = Image::new(1 << 20, vec![1]);
        for number in 0..4 {
            image.put(&Version { is_deleted: number == 3, ..version(number, 0, 0, 0) });
        }
        image.get(key(1)).unwrap().is_met = true;
        assert_eq!(image.unmet().len(), 2);
        image.rewind();
        assert_eq!(image.unmet().len(), 3);
    }
}
