//! What is wrong with one row, and the counts of all: pure.

use protocol::Covered;

use super::image::Entry;

/// What a stream's state promises of rows that the destination does not have as the source has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Promise {
    /// Nothing was synced: all rows are still to come.
    Nothing,
    /// The source does not say where it stands: what differs is called wrong.
    Everything,
    /// All rows of these values are there.
    Covered(Covered),
}

impl Promise {
    /// Whether a row with this cursor must be at the destination as it is.
    pub(super) fn covers(&self, cursor: Option<i64>) -> bool {
        match (self, cursor) {
            (Self::Nothing, _) => false,
            (Self::Everything, _) => true,
            (Self::Covered(covered), None) => covered.nulls,
            (Self::Covered(covered), Some(cursor)) => covered.below.is_some_and(|below| cursor < below),
        }
    }
}

/// A row of the source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Found {
    pub(super) content: u64,
    /// Whether its `soft_delete` column calls it deleted.
    pub(super) is_deleted: bool,
    /// Whether the destination must have it as it is.
    pub(super) is_promised: bool,
}

/// How a row of the source compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Both sides have it, and it is the same.
    Equal,
    /// Neither side has it, or both call it deleted.
    Deleted,
    /// It comes with a later sync.
    Pending,
    /// The destination does not have it and no later sync brings it.
    Missing,
    /// Both have it, it is not the same, and no later sync mends it.
    Differing,
}

/// Compares a row of the source with the latest version at the destination.
pub(super) fn judge(found: Found, latest: Option<&Entry>) -> Verdict {
    let held = latest.filter(|latest| !latest.is_deleted);
    let wrong = match (found.is_deleted, held) {
        (true, None) => return Verdict::Deleted,
        (false, Some(held)) if held.content == found.content => return Verdict::Equal,
        (false, None) => Verdict::Missing,
        (_, Some(_)) => Verdict::Differing,
    };
    if found.is_promised { wrong } else { Verdict::Pending }
}

/// Rows by their verdict.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) source: u64,
    pub(super) equal: u64,
    pub(super) deleted: u64,
    pub(super) pending: u64,
    pub(super) missing: u64,
    pub(super) differing: u64,
}

impl Counts {
    /// Counts one row.
    pub(super) fn add(&mut self, verdict: Verdict) {
        self.source += 1;
        *match verdict {
            Verdict::Equal => &mut self.equal,
            Verdict::Deleted => &mut self.deleted,
            Verdict::Pending => &mut self.pending,
            Verdict::Missing => &mut self.missing,
            Verdict::Differing => &mut self.differing,
        } += 1;
    }

    /// Adds those of another pass.
    pub(super) fn merge(&mut self, other: Self) {
        self.source += other.source;
        self.equal += other.equal;
        self.deleted += other.deleted;
        self.pending += other.pending;
        self.missing += other.missing;
        self.differing += other.differing;
    }
}

#[cfg(test)]
mod tests {
    use super::super::image::{Image, Key, Place, Version};
    use super::*;

    #[test]
    fn a_row_is_wrong_only_where_it_was_promised() {
        let place = Place { file: 0, row: 0 };
        let mut image = Image::new(1 << 20, vec![1]);
        image.put(&Version { key: Key(1), content: 5, cursor: 0, place, is_deleted: false });
        image.put(&Version { key: Key(2), content: 5, cursor: 0, place, is_deleted: true });
        let mut verdict = |key, content, is_deleted, is_promised| {
            judge(Found { content, is_deleted, is_promised }, image.get(Key(key)).map(|entry| &*entry))
        };
        for (key, content, is_deleted, expected) in [
            (1, 5, false, Verdict::Equal),
            (1, 6, false, Verdict::Differing),
            (1, 5, true, Verdict::Differing),
            (2, 5, false, Verdict::Missing),
            (2, 6, true, Verdict::Deleted),
            (3, 5, false, Verdict::Missing),
            (3, 5, true, Verdict::Deleted),
        ] {
            assert_eq!(verdict(key, content, is_deleted, true), expected, "{key} {content} {is_deleted}");
            let not_promised = match expected {
                Verdict::Missing | Verdict::Differing => Verdict::Pending,
                right => right,
            };
            assert_eq!(verdict(key, content, is_deleted, false), not_promised);
        }
    }

    #[test]
    fn a_promise_ends_where_the_window_ended() {
        let covered = |below, nulls| Promise::Covered(Covered { column: "at".into(), below, nulls });
        assert!(covered(Some(5), false).covers(Some(4)) && !covered(Some(5), false).covers(Some(5)));
        assert!(covered(None, true).covers(None) && !covered(None, true).covers(Some(i64::MIN)));
        assert!(!covered(Some(5), false).covers(None));
        assert!(Promise::Everything.covers(None) && !Promise::Nothing.covers(Some(0)));
    }
}
