//! What is left to do for a stream, and how a commit changes it: pure functions.

use std::num::NonZeroUsize;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Adjustment, Error, Result, StagedFile, SyncId};

/// A source's own value, with the source's name and the version it was written with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Versioned {
    /// [`Source::NAME`](crate::Source::NAME).
    pub source: String,
    /// [`Source::STATE_VERSION`](crate::Source::STATE_VERSION).
    pub version: u32,
    /// The value.
    pub value: Value,
}

/// Where the next sync starts, and the rest of an unfinished one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StreamState {
    /// Where the last finished sync left the stream; `None` before the first.
    pub source: Option<Versioned>,
    /// What a sync that was interrupted between two commits left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unfinished: Option<Unfinished>,
}

/// A sync of which a part is committed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unfinished {
    /// The sync.
    pub sync: SyncId,
    /// [`ConfiguredStream::fingerprint`](crate::ConfiguredStream::fingerprint) of the stream it was
    /// planned for: the rest can't be read as something else.
    pub fingerprint: String,
    /// The mode that the source named in its plan.
    pub mode: String,
    /// The source's state once `remaining` is empty.
    pub next: Versioned,
    /// Most partitions that the source endures at once, as it said in its plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_in_flight: Option<NonZeroUsize>,
    /// Partitions that are not committed.
    pub remaining: Vec<Value>,
}

/// A partition of which all rows, or all but those of `rest`, are staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// The partition as it stands in the state.
    pub partition: Value,
    /// What is left of it after the last checkpoint.
    pub rest: Option<Value>,
    /// What was seen, one value per checkpoint and one for the end.
    pub seen: Vec<Value>,
}

/// What one read yields: files, and the partitions whose rows are in them and nowhere else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged {
    /// The sync whose plan the partitions are of, where it was read apart from its commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncId>,
    /// The files.
    pub files: Vec<StagedFile>,
    /// The partitions they account for.
    pub done: Vec<Done>,
    /// Rows that were read.
    pub rows: u64,
    /// Bytes of Arrow memory that were read.
    pub bytes: u64,
    /// Values that were changed because they did not fit.
    pub adjusted: Vec<Adjustment>,
    /// Rows that the stream's `soft_delete` column calls deleted.
    #[serde(default)]
    pub soft_deleted: u64,
}

impl Staged {
    /// Joins two reads into one.
    pub fn merge(&mut self, other: Self) {
        self.files.extend(other.files);
        self.done.extend(other.done);
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.soft_deleted += other.soft_deleted;
        self.adjust(other.adjusted);
    }

    /// Adds to the counts of changed values.
    pub fn adjust(&mut self, adjusted: impl IntoIterator<Item = Adjustment>) {
        for new in adjusted {
            match self.adjusted.iter_mut().find(|old| old.column == new.column && old.reason == new.reason) {
                Some(old) => old.values += new.values,
                None => self.adjusted.push(new),
            }
        }
    }
}

impl Unfinished {
    /// Takes `done` off what remains, folding what was seen into `next` by `advance`, which is
    /// [`Source::advance`](crate::Source::advance).
    ///
    /// Fails with [`ErrorKind::Conflict`](crate::ErrorKind::Conflict) when a partition does not
    /// remain: its rows are committed already, and committing them again would double them.
    pub fn settle(
        &mut self,
        done: &[Done],
        mut advance: impl FnMut(&mut Versioned, &Value, Value) -> Result<()>,
    ) -> Result<()> {
        for part in done {
            let Some(at) = self.remaining.iter().position(|partition| *partition == part.partition) else {
                return Err(Error::conflict("a partition is already committed").hint(
                    "plan again: the plan that this partition belongs to is finished or was replaced",
                ));
            };
            match &part.rest {
                Some(rest) => self.remaining[at] = rest.clone(),
                None => drop(self.remaining.remove(at)),
            }
            for seen in &part.seen {
                advance(&mut self.next, &part.partition, seen.clone())?;
            }
        }
        Ok(())
    }

    /// The state to commit: unfinished while partitions remain, else the next sync's start.
    #[must_use]
    pub fn into_state(self, before: Option<Versioned>) -> StreamState {
        if self.remaining.is_empty() {
            StreamState { source: Some(self.next), unfinished: None }
        } else {
            StreamState { source: before, unfinished: Some(self) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn unfinished(remaining: Vec<Value>) -> Unfinished {
        Unfinished {
            sync: SyncId::new(),
            fingerprint: String::new(),
            mode: "test".into(),
            max_in_flight: None,
            next: Versioned { source: "test".into(), version: 1, value: json!(0) },
            remaining,
        }
    }

    #[expect(
        clippy::needless_pass_by_value,
        clippy::unnecessary_wraps,
        reason = "the shape of `Source::advance`"
    )]
    fn add(state: &mut Versioned, _: &Value, seen: Value) -> Result<()> {
        state.value = json!(state.value.as_u64().unwrap() + seen.as_u64().unwrap());
        Ok(())
    }

    #[test]
    fn finished_partitions_leave_and_fold_into_next() {
        let mut left = unfinished(vec![json!("a"), json!("b")]);
        left.settle(&[Done { partition: json!("a"), rest: None, seen: vec![json!(2), json!(3)] }], add)
            .unwrap();
        assert_eq!(left.remaining, [json!("b")]);
        let state = left.clone().into_state(None);
        assert_eq!(state.source, None);
        assert!(state.unfinished.is_some());
        left.settle(&[Done { partition: json!("b"), rest: None, seen: vec![] }], add).unwrap();
        assert_eq!(left.into_state(None).source.unwrap().value, json!(5));
    }

    #[test]
    fn a_checkpoint_leaves_the_rest() {
        let mut left = unfinished(vec![json!("0..9")]);
        left.settle(&[Done { partition: json!("0..9"), rest: Some(json!("5..9")), seen: vec![] }], add)
            .unwrap();
        assert_eq!(left.remaining, [json!("5..9")]);
    }

    #[test]
    fn a_partition_is_never_settled_twice() {
        let mut left = unfinished(vec![json!("a")]);
        let done = [Done { partition: json!("a"), rest: None, seen: vec![] }];
        left.settle(&done, add).unwrap();
        assert_eq!(left.settle(&done, add).unwrap_err().kind(), crate::ErrorKind::Conflict);
    }
}
