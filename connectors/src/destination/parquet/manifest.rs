//! One commit as it is stored: a JSON document that is created once and never changed.
//!
//! Its last field is the SHA-256 of all that stands before it, and each names that of the one
//! before: a changed byte and a changed history are both seen.

use arrow_schema::SchemaRef;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use protocol::{CommitId, Error, Head, Result, StagedFile, StreamState, SyncId, Totals, WriteMode};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::seal::{seal, unseal};

/// Version of the document. Fields may be added without raising it; a changed meaning raises it.
pub(super) const FORMAT: u32 = 1;

/// One commit.
///
/// What a target holds: the files of all visible commits from `generation_start` up to the last.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Manifest {
    /// [`FORMAT`].
    pub(super) format: u32,
    /// The target as it is configured.
    pub(super) target: String,
    /// The connection that owns the target.
    pub(super) connection: String,
    pub(super) sequence: u64,
    pub(super) id: CommitId,
    pub(super) sync: SyncId,
    /// The commit before; `None` for the first.
    pub(super) parent: Option<Parent>,
    pub(super) write_mode: WriteMode,
    pub(super) ends_sync: bool,
    /// Files that this commit makes visible, or that it keeps for the commit that ends the sync.
    pub(super) files: Vec<StagedFile>,
    /// First commit whose files are still there.
    pub(super) generation_start: u64,
    /// First commit of this sync.
    pub(super) sync_start: u64,
    /// Files of former commits that this one makes void.
    pub(super) voids: Option<Voids>,
    pub(super) schema: SchemaRef,
    pub(super) state: StreamState,
    /// What is visible after this commit.
    pub(super) totals: Totals,
    /// What the process that made it called itself in its notes; `None` where it staged nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) run: Option<Uuid>,
    /// Program and version.
    pub(super) written_by: String,
    pub(super) at: DateTime<Utc>,
    /// Of this document; stands at its end.
    #[serde(skip)]
    pub(super) checksum: String,
}

/// A former commit, and what it must look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Parent {
    pub(super) sequence: u64,
    pub(super) sha256: String,
}

/// Former commits of which files are removed, both ends included. Files that the voiding commit
/// names itself are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Voids {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) what: Void,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Void {
    /// Files that never became visible: their overwrite was given up.
    Pending,
    /// Every file: another generation takes their place.
    Generation,
}

impl Manifest {
    /// Whether readers see its files. Those of an overwrite wait for the commit that ends its sync,
    /// which names them again.
    pub(super) fn is_visible(&self) -> bool {
        self.write_mode == WriteMode::Append || self.ends_sync
    }

    /// What the engine and `state` are told.
    pub(super) fn head(&self) -> Head {
        Head {
            sequence: self.sequence,
            id: Some(self.id),
            connection: Some(self.connection.clone()),
            state: self.state.clone(),
            schema: Some(self.schema.clone()),
            at: Some(self.at),
            totals: self.totals,
        }
    }

    /// Sets the checksum and returns the document.
    pub(super) fn seal(&mut self) -> Result<Bytes> {
        let (document, checksum) = seal(self)?;
        self.checksum = checksum;
        Ok(document)
    }

    /// What the next commit says of this one.
    pub(super) fn as_parent(&self) -> Parent {
        Parent { sequence: self.sequence, sha256: self.checksum.clone() }
    }

    /// Reads the document at `place`, which must be commit `sequence` of `target`.
    pub(super) fn read(document: &[u8], target: &str, sequence: u64, place: &str) -> Result<Self> {
        let damaged = |why: &str| {
            Error::data(format!("{place} is damaged: {why}")).hint(
                "restore it from a version or backup of the bucket or directory; tidegate will not guess \
                 where the stream stands",
            )
        };
        // The version first: a newer document may be sealed in another way.
        let Version { format } = serde_json::from_slice(document)
            .map_err(|error| damaged("it is not the JSON of a manifest").with_source(error))?;
        if format > FORMAT {
            return Err(Error::config(format!(
                "{place} has format {format}, this version reads up to {FORMAT}: a newer tidegate wrote it"
            ))
            .hint("use that version or a later one for this target"));
        }
        let checksum = unseal(document).ok_or_else(|| damaged("its checksum does not fit"))?;
        let mut manifest: Self = serde_json::from_slice(document)
            .map_err(|error| damaged("it can't be read").with_source(error))?;
        if manifest.target != target || manifest.sequence != sequence {
            return Err(damaged(&format!(
                "it is commit {} of target {:?}",
                manifest.sequence, manifest.target
            )));
        }
        manifest.checksum = checksum;
        Ok(manifest)
    }

    /// Fails when `before` is not the commit that this one was made after.
    pub(super) fn follows(&self, before: &Parent, place: &str) -> Result<()> {
        if self.parent.as_ref() == Some(before) {
            return Ok(());
        }
        Err(Error::data(format!("{place} was not made after the commit that stands before it")).hint(
            "commits of two histories are mixed here: restore the folder as a whole, or give the stream a \
             new `target`",
        ))
    }
}

/// What every version of the document has.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::HashMap;
    use std::sync::Arc;

    use arrow_schema::{DataType, Field, Schema, TimeUnit};
    use protocol::{Digest, ErrorKind, Receipt, Versioned};
    use serde_json::json;

    use super::super::seal::sha256;
    use super::*;

    pub(in super::super) fn manifest() -> Manifest {
        let uuid = Field::new("id", DataType::FixedSizeBinary(16), false)
            .with_metadata(HashMap::from([("ARROW:extension:name".to_owned(), "arrow.uuid".to_owned())]));
        let tags = Field::new_list("tags", Field::new_list_field(DataType::Utf8, true), true);
        let at = Field::new("at", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true);
        let sum = Field::new("sum", DataType::Decimal256(76, 18), true);
        let mut totals = Totals::default();
        let files = vec![StagedFile {
            path: "at_day=2026-11-22/00000007-0192f0c0000070008000000000000001.parquet".into(),
            rows: 3,
            bytes: 1234,
            placement: json!({ "upload": "u", "parts": ["\"etag\""] }),
            receipt: Some(Receipt {
                version: Receipt::VERSION,
                content: Digest::new(u128::MAX),
                encoded: Digest::new(1),
                written: None,
            }),
        }];
        totals.add(&files);
        Manifest {
            format: FORMAT,
            target: "we\"ird; drop table x;--/../é".into(),
            connection: "shop".into(),
            sequence: 7,
            id: CommitId::new(),
            sync: SyncId::new(),
            parent: Some(Parent { sequence: 6, sha256: sha256(b"six") }),
            write_mode: WriteMode::Append,
            ends_sync: true,
            files,
            generation_start: 1,
            sync_start: 7,
            voids: Some(Voids { first: 5, last: 6, what: Void::Pending }),
            schema: Arc::new(Schema::new(vec![uuid, tags, at, sum])),
            state: StreamState {
                source: Some(Versioned {
                    source: "postgres".into(),
                    version: 1,
                    value: json!({ "xmin": u64::MAX, "text": "\u{0}\u{1F600}\"" }),
                }),
                unfinished: None,
            },
            totals,
            run: None,
            written_by: "tidegate 0.1.0".into(),
            at: "2026-11-22T10:00:00.000001Z".parse().unwrap(),
            checksum: String::new(),
        }
    }

    fn read(document: &[u8]) -> Result<Manifest> {
        Manifest::read(document, &manifest().target, 7, "m.json")
    }

    #[test]
    fn round_trips_with_its_checksum() {
        let mut written = manifest();
        let document = written.seal().unwrap();
        let read = read(&document).unwrap();
        assert_eq!(read.checksum, written.checksum);
        assert_eq!(format!("{read:?}"), format!("{written:?}"));
        assert_eq!(read.head().schema.unwrap().field(0).metadata()["ARROW:extension:name"], "arrow.uuid");
    }

    #[test]
    fn every_flipped_bit_is_seen() {
        let document = manifest().seal().unwrap();
        for at in 0..document.len() {
            let mut flipped = document.to_vec();
            flipped[at] ^= 1 << (at % 8);
            let error = read(&flipped).expect_err(&format!("byte {at}"));
            assert!(matches!(error.kind(), ErrorKind::Data | ErrorKind::Config), "{error}");
            assert!(error.advice().is_some(), "{error}");
        }
    }

    #[test]
    fn every_truncation_is_seen() {
        let document = manifest().seal().unwrap();
        for length in 0..document.len() {
            assert_eq!(read(&document[..length]).unwrap_err().kind(), ErrorKind::Data, "{length} bytes");
        }
    }

    #[test]
    fn a_newer_format_is_named_as_such() {
        let error = read(br#"{"format":2,"sealed":"otherwise"}"#).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("a newer tidegate wrote it"), "{error}");
    }

    #[test]
    fn another_targets_or_another_commits_document_is_refused() {
        let document = manifest().seal().unwrap();
        assert!(Manifest::read(&document, "other", 7, "m.json").is_err());
        assert!(Manifest::read(&document, &manifest().target, 8, "m.json").is_err());
    }

    #[test]
    fn a_commit_follows_only_its_parent() {
        let mut before = manifest();
        before.sequence = 6;
        before.seal().unwrap();
        let mut after = manifest();
        after.parent = Some(before.as_parent());
        assert!(after.follows(&before.as_parent(), "m.json").is_ok());
        before.ends_sync = false;
        before.seal().unwrap();
        assert_eq!(after.follows(&before.as_parent(), "m.json").unwrap_err().kind(), ErrorKind::Data);
    }

    #[test]
    fn reads_what_format_1_looked_like() {
        let document = include_bytes!("fixtures/manifest-1.json");
        let manifest = Manifest::read(document, "public.orders", 3, "m.json").unwrap();
        assert_eq!(manifest.totals, Totals { files: 2, rows: 30, bytes: 4321, content: None });
        assert_eq!(manifest.schema.fields().len(), 12);
        assert_eq!(manifest.schema.field(1).data_type(), &DataType::Decimal128(18, 4));
        assert_eq!(manifest.schema.field(0).metadata()["ARROW:extension:name"], "arrow.uuid");
        assert_eq!(manifest.state.source.unwrap().value, json!({ "watermark": "2026-11-22T10:00:00Z" }));
    }
}
