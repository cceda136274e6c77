//! Records that a read gives again. Most APIs include their bound, so that an increment begins with the records that the
//! one before ended with; a cursor's `lookback_window` brings more of them. What was handed over is known by its hash, and
//! not handed over again while it is the same.

use std::collections::{BTreeMap, HashMap};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use protocol::Result;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::source::declarative::cursor::Cursor;
use crate::source::declarative::partition::Slice;
use crate::source::declarative::record::Records;
use crate::source::declarative::value::Value;

/// Records that are known at most: a state is written with each commit.
const MOST: usize = 10_000;

/// Records at which the next read begins: by partition, and by what their cursor says, one hash after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Memory(BTreeMap<String, BTreeMap<i64, String>>);

impl Memory {
    /// Whether no record is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The memory of a stream while it is read.
pub struct Recall {
    /// What was handed over before this read, and how often.
    before: HashMap<String, Before>,
    known: HashMap<String, Known>,
}

struct Before {
    counts: HashMap<(i64, u64), u32>,
    newest: i64,
}

/// Records of a partition that the next read gives again.
#[derive(Default)]
struct Known {
    /// Where that begins, once a record was seen.
    from: Option<i64>,
    rows: BTreeMap<i64, Vec<u64>>,
    count: usize,
}

impl Known {
    fn advance(&mut self, from: i64) {
        if self.from.is_none_or(|known| known < from) {
            self.from = Some(from);
            self.rows = self.rows.split_off(&from);
            self.count = self.rows.values().map(Vec::len).sum();
        }
    }

    fn add(&mut self, at: i64, hash: u64) {
        // Beyond the limit records come twice, and the state stays small.
        if self.from.is_some_and(|from| at >= from) && self.count <= MOST {
            self.rows.entry(at).or_default().push(hash);
            self.count += 1;
        }
    }
}

impl Recall {
    /// With what earlier reads handed over.
    #[must_use]
    pub fn new(memory: &Memory) -> Self {
        let mut recall = Self { before: HashMap::new(), known: HashMap::new() };
        for (partition, moments) in &memory.0 {
            let known = recall.known.entry(partition.clone()).or_default();
            let mut before = Before { counts: HashMap::new(), newest: i64::MIN };
            for (at, hashes) in moments {
                let hashes = hashes_of(hashes);
                for hash in &hashes {
                    *before.counts.entry((*at, *hash)).or_default() += 1;
                }
                known.count += hashes.len();
                known.rows.insert(*at, hashes);
                before.newest = before.newest.max(*at);
            }
            recall.before.insert(partition.clone(), before);
        }
        recall
    }

    /// What the next read is to know.
    #[must_use]
    pub fn memory(&self) -> Memory {
        let mut known: Vec<(&String, &Known)> =
            self.known.iter().filter(|(_, known)| known.count > 0 && known.count <= MOST).collect();
        // Where there are too many, as many partitions as possible are known.
        known.sort_by_key(|(partition, known)| (known.count, *partition));
        let mut left = MOST;
        let mut memory = Memory::default();
        for (partition, known) in known {
            let Some(rest) = left.checked_sub(known.count) else { break };
            left = rest;
            let moments = known.rows.iter().map(|(at, hashes)| (*at, text_of(hashes)));
            memory.0.insert(partition.clone(), moments.collect());
        }
        memory
    }

    /// The records of a page that were not handed over before, whose cursors have these values.
    pub(super) fn sift(
        &mut self,
        cursor: &Cursor,
        slice: &Slice,
        mut records: Records,
        values: &[Value],
    ) -> Result<Records> {
        let instants: Vec<Option<i64>> = values.iter().map(|value| cursor.instant(value)).collect();
        let newest = instants.iter().zip(values).filter_map(|(at, value)| Some(((*at)?, value)));
        let Some((_, newest)) = newest.max_by_key(|(at, _)| *at) else { return Ok(records) };
        let partition = slice
            .partition()
            .map_or_else(String::new, |partition| format!("{:x}", XxHash3_64::oneshot(partition.as_bytes())));
        let known = self.known.entry(partition.clone()).or_default();
        if let Some(from) = cursor.again_from(newest) {
            known.advance(from);
        }
        let mut before = self.before.get_mut(&partition);
        let (mut json, mut again) = (String::new(), vec![false; records.len()]);
        for (index, at) in instants.iter().enumerate() {
            let Some(at) = *at else { continue };
            let may_be_known = before.as_ref().is_some_and(|before| at <= before.newest);
            let is_new = known.from.is_some_and(|from| at >= from);
            if !may_be_known && !is_new {
                continue;
            }
            json.clear();
            records.write_json(index, &mut json);
            let hash = XxHash3_64::oneshot(json.as_bytes());
            let count = before.as_mut().and_then(|before| before.counts.get_mut(&(at, hash)));
            match count {
                Some(count) if *count > 0 => {
                    *count -= 1;
                    again[index] = true;
                }
                _ => known.add(at, hash),
            }
        }
        if again.contains(&true) {
            records.retain(|_, index| Ok(!again[index]))?;
        }
        Ok(records)
    }
}

fn text_of(hashes: &[u64]) -> String {
    STANDARD_NO_PAD.encode(hashes.iter().flat_map(|hash| hash.to_le_bytes()).collect::<Vec<_>>())
}

/// What is no list of hashes says nothing.
fn hashes_of(text: &str) -> Vec<u64> {
    let bytes = STANDARD_NO_PAD.decode(text).unwrap_or_default();
    bytes.as_chunks().0.iter().map(|chunk| u64::from_le_bytes(*chunk)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_is_what_was_put_into_it() {
        let mut recall = Recall::new(&Memory::default());
        let known = recall.known.entry("p".to_owned()).or_default();
        known.advance(5);
        known.add(4, 1);
        known.add(5, u64::MAX);
        known.add(5, 2);
        known.add(7, 3);
        let memory = recall.memory();
        let text = serde_json::to_value(&memory).unwrap();
        assert_eq!(serde_json::from_value::<Memory>(text).unwrap(), memory);
        let recall = Recall::new(&memory);
        assert_eq!(recall.memory(), memory, "a read that sees nothing forgets nothing");
        assert_eq!(recall.before["p"].counts.len(), 3);
        assert_eq!(recall.before["p"].newest, 7);
    }

    #[test]
    fn what_lies_behind_is_forgotten_and_what_is_too_much_too() {
        let mut recall = Recall::new(&Memory::default());
        let known = recall.known.entry(String::new()).or_default();
        known.advance(1);
        (0..20_000).for_each(|hash| known.add(1, hash));
        assert!(recall.memory().is_empty());
        let known = recall.known.entry(String::new()).or_default();
        known.advance(2);
        known.add(2, 7);
        assert_eq!(recall.memory().0[""].keys().collect::<Vec<_>>(), [&2]);
    }
}
