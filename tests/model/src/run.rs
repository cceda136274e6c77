//! Where processes stand. A process that crashes is another one afterwards: nothing that it knew is kept.

/// Where a sync stands between two steps.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum At {
    /// It has not looked yet.
    Begin,
    /// Makes visible what commit `head` names; `own` tells whether it made that commit.
    Publish { head: u8, own: bool },
    /// Removes what commit `head` makes void, file by file.
    Void { head: u8, next: usize, own: bool },
    /// Notes that all of commit `head` is done.
    Hint { head: u8, own: bool },
    /// Knows that all of `head` is done, and what is new since.
    Read { head: u8 },
    /// Has staged files, of which the first are about to be committed.
    Commit(Attempt),
    /// Has sent a commit. `created` is the answer, once there is one.
    Sent { attempt: Attempt, created: Option<bool> },
    /// The answer was lost: looks for itself.
    Unknown(Attempt),
    /// Another was faster: removes what it staged.
    Lost { file: u8 },
    /// Ended well, with whatever it committed.
    Done,
    /// Ended with exit code 75.
    Failed,
    /// Ended because a committed file is gone.
    Stuck,
}

/// A commit on its way.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Attempt {
    /// The commit that it is to follow.
    pub head: u8,
    pub file: u8,
    /// Rows of the source that the target has afterwards.
    pub upto: u8,
}

/// One of the syncs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    /// What this process calls itself.
    pub id: u8,
    pub at: At,
    /// Files that it commits after the one that is under way, each with the rows that the target then has.
    pub rest: Vec<(u8, u8)>,
}

/// The clean-up, which every sync does after it has looked. Here by itself, and at any time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Cleaner {
    Idle,
    /// Has seen the last commit, and is about to abort these uploads, one after the other.
    Aborts {
        files: Vec<u8>,
    },
}
