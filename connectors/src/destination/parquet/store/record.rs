//! What a process that stages in an object store notes there: that it is at work, and which uploads it
//! has begun. Object stores list unfinished uploads to few; without a note nobody could abort those of
//! a process that was killed.
//!
//! `stage/run-<id>-<page>.json`, written by that process alone. Uploads of many files go on several
//! pages, so that none is written again and again; page 0 tells that the process lives.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::destination::parquet::holder::Holder;

/// Version of the document.
const FORMAT: u32 = 1;

/// One page.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct Record {
    format: u32,
    pub(in super::super) run: Uuid,
    /// No upload is meant for an earlier commit.
    pub(in super::super) sequence: u64,
    /// Whether only this process can commit the uploads, and nobody else should work meanwhile.
    pub(in super::super) claims: bool,
    /// Whether it has made sure that it is alone.
    #[serde(default)]
    pub(in super::super) held: bool,
    /// Whether it has given up the claim.
    #[serde(default)]
    pub(in super::super) released: bool,
    pub(in super::super) holder: Holder,
    /// Another number each time: while it changes, the process lives.
    pub(in super::super) beat: u64,
    pub(in super::super) uploads: Vec<Begun>,
}

/// An upload that may be open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in super::super) struct Begun {
    /// Path of its staged file.
    pub(in super::super) path: String,
    pub(in super::super) upload: String,
}

impl Record {
    pub(super) fn new(run: Uuid, sequence: u64, claims: bool, beat: u64, uploads: Vec<Begun>) -> Self {
        Self {
            format: FORMAT,
            run,
            sequence,
            claims,
            held: false,
            released: false,
            holder: Holder::me(),
            beat,
            uploads,
        }
    }

    pub(super) fn encode(&self) -> Bytes {
        serde_json::to_vec(self).expect("texts and numbers serialise").into()
    }

    /// `None` where it is damaged or of a newer version: then it is left alone.
    pub(in super::super) fn read(document: &[u8]) -> Option<Self> {
        serde_json::from_slice(document).ok().filter(|record: &Self| record.format <= FORMAT)
    }

    /// Since when its process is at work.
    pub(in super::super) fn since(&self) -> Option<DateTime<Utc>> {
        let (seconds, nanos) = self.run.get_timestamp()?.to_unix();
        DateTime::from_timestamp(i64::try_from(seconds).ok()?, nanos)
    }
}

/// Name of a page in the stage folder.
pub(super) fn name(run: Uuid, page: u32) -> String {
    format!("run-{}-{page}.json", run.simple())
}

/// The run and the page of such a name.
pub(in super::super) fn parse(name: &str) -> Option<(Uuid, u32)> {
    let (run, page) = name.strip_prefix("run-")?.strip_suffix(".json")?.split_once('-')?;
    Some((Uuid::try_parse(run).ok()?, page.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        let run = Uuid::now_v7();
        assert_eq!(parse(&name(run, 12)), Some((run, 12)));
        for other in ["run-x-0.json", "run-0-0", "00000001-0.json", "run-.json"] {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn what_a_newer_version_wrote_is_left_alone() {
        let mut record = Record::new(Uuid::now_v7(), 3, true, 1, vec![]);
        assert_eq!(Record::read(&record.encode()).unwrap().sequence, 3);
        assert!(record.since().is_some());
        record.format = 2;
        assert!(Record::read(&record.encode()).is_none());
        assert!(Record::read(b"{").is_none());
    }
}
