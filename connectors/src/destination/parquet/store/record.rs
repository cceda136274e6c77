//! What a process that stages in an object store notes there: that it is at work, and which uploads it
//! has begun. Object stores list unfinished uploads to few; without a note nobody could abort those of
//! a process that was killed.
//!
//! `stage/run-<sequence>-<id>-<page>.json`, written by that process alone. The sequence is that of the commit
//! it aimed at first: without reading it one knows that there is nothing to abort yet. Uploads of many
//! files go on several pages, so that none is written again and again; page 0 tells that the process lives.

use std::fmt;

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

/// The name of a page in the stage folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct RecordName {
    pub(in super::super) sequence: u64,
    pub(in super::super) run: Uuid,
    pub(in super::super) page: u32,
}

impl RecordName {
    pub(in super::super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("run-")?.strip_suffix(".json")?.split('-');
        let sequence = parts.next()?.parse().ok()?;
        let run = Uuid::try_parse(parts.next()?).ok()?;
        let page = parts.next()?.parse().ok()?;
        parts.next().is_none().then_some(Self { sequence, run, page })
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "run-{:08}-{}-{}.json", self.sequence, self.run.simple(), self.page)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        let name = RecordName { sequence: 7, run: Uuid::now_v7(), page: 12 };
        assert_eq!(RecordName::parse(&name.to_string()), Some(name));
        for other in ["run-1-x-0.json", "run-1-0-0", "00000001-0.json", "run-.json"] {
            assert_eq!(RecordName::parse(other), None, "{other}");
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
