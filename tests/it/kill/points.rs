//! Every place in the code where a sync can be killed, and which syncs come by.
//!
//! A place that is in the code and not here fails `tidy`; one that is here and never reached fails its
//! test.

/// What kind of sync is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A full refresh that overwrites an earlier one.
    Full,
    /// An incremental stream's first sync.
    First,
    /// One of its later ones.
    Later,
}

/// Where its target is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    Directory,
    Bucket,
}

/// What goes before the sync that is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// A sync that was killed at that place.
    Killed(&'static str),
    /// One that ended well.
    Synced,
    /// As many that the next commit is one that lists all files.
    Aged,
}

/// A place in the code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Point {
    pub(crate) name: &'static str,
    modes: &'static [Mode],
    stores: &'static [Store],
    pub(crate) before: &'static [Before],
    /// Whether it takes more than a few rows to come by.
    pub(crate) much: bool,
    /// Whether the source may have no more than one connection.
    pub(crate) alone: bool,
}

use Before::{Aged, Killed, Synced};
use Mode::{First, Full, Later};
use Store::{Bucket, Directory};

const fn at(name: &'static str) -> Point {
    let (modes, stores) = (&[Full, First, Later], &[Directory, Bucket]);
    Point { name, modes, stores, before: &[], much: false, alone: false }
}

impl Point {
    const fn modes(self, modes: &'static [Mode]) -> Self {
        Self { modes, ..self }
    }

    const fn directory(self) -> Self {
        Self { stores: &[Directory], ..self }
    }

    const fn bucket(self) -> Self {
        Self { stores: &[Bucket], ..self }
    }

    const fn after(self, before: &'static [Before]) -> Self {
        Self { before, ..self }
    }

    const fn much(self) -> Self {
        Self { much: true, ..self }
    }

    const fn alone(self) -> Self {
        Self { alone: true, ..self }
    }

    /// Whether such a sync comes by.
    pub(crate) fn is_in(&self, mode: Mode, store: Store) -> bool {
        self.modes.contains(&mode) && self.stores.contains(&store)
    }
}

/// Nobody but the next sync makes it visible.
const COMMITTED: &[Before] = &[Killed("manifest.created")];
/// The same, half done.
const HALF_IN_DIRECTORY: &[Before] = &[Killed("publish.renamed")];
const HALF_IN_BUCKET: &[Before] = &[Killed("publish.completed")];
/// A killed sync's file waits in its own folder.
const STAGED: &[Before] = &[Killed("file.finished")];
/// One waits under the number of a commit that another sync has made since.
const OUTDATED: &[Before] = &[Killed("manifest.sealed"), Synced];

/// Two of them wait, for the same number.
const PILED: &[Before] = &[Killed("upload.noted"), Killed("upload.noted")];
/// Commits between two that list all files.
pub(crate) const EVERY: u64 = 100;

/// In the order in which a sync comes by.
pub(crate) const POINTS: &[Point] = &[
    // The state is read, what a crash left is done and cleaned up.
    at("prepare.found"),
    at("forward.begun").after(COMMITTED),
    at("publish.renamed").directory().after(COMMITTED),
    at("publish.completed").bucket().after(COMMITTED),
    at("publish.renamed").directory().after(HALF_IN_DIRECTORY).modes(&[Full, First]),
    at("publish.done").bucket().after(HALF_IN_BUCKET),
    at("publish.done").after(COMMITTED),
    at("directory.removed").directory().after(COMMITTED).modes(&[Full]),
    at("objects.removed").bucket().after(COMMITTED).modes(&[Full]),
    at("void.done").after(COMMITTED),
    at("hint.aside").directory().after(COMMITTED),
    at("hint.written").after(COMMITTED),
    at("prepare.settled").after(COMMITTED),
    at("prepare.settled"),
    at("probe.created").modes(&[First]),
    at("prepare.proven").modes(&[First]),
    at("sweep.begun").directory(),
    at("sweep.cleared").directory().after(STAGED),
    at("sweep.removed").directory().after(OUTDATED).modes(&[Full, Later]),
    at("prepare.swept"),
    at("sync.prepared"),
    // The plan: what is settled, and in which snapshot it is read.
    at("plan.begun"),
    at("plan.described"),
    at("barrier.marked").modes(&[First, Later]),
    at("barrier.waited").modes(&[First]),
    // The fallback: with one connection later syncs read windows as well.
    at("barrier.waited").modes(&[Later]).alone(),
    at("snapshot.exported"),
    at("seen.begun").modes(&[First, Later]),
    at("sync.planned"),
    // Rows.
    at("snapshot.imported").modes(&[Full, First]),
    at("snapshot.own").alone(),
    at("read.checked"),
    at("copy.begun"),
    at("copy.decoded"),
    at("copy.emitted").much(),
    at("read.copied"),
    at("read.finished"),
    // Files that nobody sees.
    at("run.opened").directory(),
    at("local.created").directory(),
    at("upload.created").bucket(),
    at("upload.noted").bucket(),
    at("claim.met").bucket().after(STAGED),
    at("claim.passed").bucket().after(STAGED),
    at("claim.alone"),
    at("claim.held"),
    at("fence.begun").bucket().after(PILED),
    at("fence.raised").bucket().after(PILED),
    at("file.created"),
    at("file.encoded"),
    at("file.row_group"),
    at("file.flushed"),
    at("upload.part").bucket(),
    at("local.synced").directory(),
    at("file.finished"),
    at("lane.cut"),
    // The commit.
    at("commit.begun"),
    at("commit.settled"),
    at("adopt.moved").directory(),
    at("manifest.sealed"),
    at("link.aside").directory().modes(&[Full, Later]),
    at("link.made").directory().modes(&[Full, Later]),
    at("put.begun").bucket().modes(&[Full, Later]),
    at("put.answered").bucket().modes(&[Full, Later]),
    at("manifest.created"),
    at("publish.renamed").directory(),
    at("publish.completed").bucket(),
    at("publish.done"),
    at("directory.removed").directory().modes(&[Full]),
    at("objects.removed").bucket().modes(&[Full]),
    at("void.done"),
    at("hint.aside").directory(),
    at("hint.written"),
    at("commit.answered"),
    // What others left that can't commit any more.
    at("claim.released"),
    at("clean.aborted").bucket().after(STAGED),
    at("clean.removed").bucket().after(STAGED),
    // Last, as many commits are to be read from here on.
    at("checkpoint.begun").after(&[Aged]).modes(&[Later]),
    at("checkpoint.created").after(&[Aged]).modes(&[Later]),
];
