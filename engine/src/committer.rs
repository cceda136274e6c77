//! Gathers what lanes have finished, decides when to commit, and settles commits of unknown outcome.

use std::sync::Arc;
use std::time::Duration;

use arrow_schema::SchemaRef;
use protocol::{
    Commit, CommitId, DynDestination, DynSource, Error, Grain, Head, Period, Result, Staged, Totals,
    Unfinished,
};
use tokio::sync::mpsc;

use crate::clock::{self, Watch};
use crate::retry::{Patience, retrying};
use crate::{Stop, StreamPlan, StreamProgress};

/// What was committed, for the report.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Committed {
    pub(crate) commits: u64,
    pub(crate) sum: Totals,
    pub(crate) seconds: f64,
    /// A commit without files that the destination did not need to make yet.
    pub(crate) kept: bool,
}

/// Commits for one stream and one sync. The only one who does.
pub(crate) struct Committer<'a> {
    pub(crate) source: &'a dyn DynSource,
    pub(crate) destination: &'a dyn DynDestination,
    pub(crate) plan: &'a StreamPlan,
    pub(crate) schema: SchemaRef,
    pub(crate) head: Head,
    pub(crate) interval: Period,
    pub(crate) patience: Patience,
    pub(crate) progress: Arc<StreamProgress>,
    unfinished: Unfinished,
    held: Staged,
    /// A commit failed, or its outcome is unknown: nothing that this committer knows is true any more.
    is_lost: bool,
    pub(crate) committed: Committed,
}

impl<'a> Committer<'a> {
    pub(crate) fn new(
        source: &'a dyn DynSource,
        destination: &'a dyn DynDestination,
        plan: &'a StreamPlan,
        schema: SchemaRef,
        head: Head,
        progress: Arc<StreamProgress>,
    ) -> Self {
        Self {
            source,
            destination,
            plan,
            schema,
            head,
            interval: Period::from_secs(60),
            patience: Patience { retries: 0, wait: Duration::ZERO },
            progress,
            unfinished: plan.unfinished.clone(),
            held: Staged::default(),
            is_lost: false,
            committed: Committed::default(),
        }
    }

    /// Takes what lanes finish until all have ended, committing in between where the grain allows.
    pub(crate) async fn collect(
        &mut self,
        finished: &mut mpsc::Receiver<Staged>,
        sum: &mut Staged,
    ) -> Result<()> {
        let mut since = Watch::start();
        while let Some(staged) = finished.recv().await {
            sum.rows += staged.rows;
            sum.bytes += staged.bytes;
            sum.soft_deleted += staged.soft_deleted;
            sum.adjust(staged.adjusted.iter().cloned());
            self.hold(staged)?;
            let due = since.elapsed() >= self.interval.duration();
            if self.plan.grain == Grain::Partition && due && !self.unfinished.remaining.is_empty() {
                self.commit().await?;
                since = Watch::start();
            }
        }
        Ok(())
    }

    /// Adds to what the next commit covers.
    pub(crate) fn hold(&mut self, staged: Staged) -> Result<()> {
        let source = self.source;
        let settled = self
            .unfinished
            .settle(&staged.done, |state, partition, seen| source.advance(state, partition, seen));
        self.held.merge(staged);
        // What is left to do may be half changed by now.
        self.is_lost |= settled.is_err();
        settled
    }

    /// Whether a part of the plan is committed, by this sync or by an earlier one.
    pub(crate) fn is_begun(&self) -> bool {
        self.plan.resumed || self.committed.commits > 0
    }

    /// What is held and not committed.
    pub(crate) fn held(&self) -> &Staged {
        &self.held
    }

    /// Whether every partition of the plan is held or committed.
    pub(crate) fn is_complete(&self) -> bool {
        self.unfinished.remaining.is_empty()
    }

    /// Whether a commit may be made now: of the whole, or of a part where the grain allows.
    pub(crate) fn may_commit(&self) -> bool {
        let apart = self.plan.grain == Grain::Partition && !self.held.done.is_empty();
        !self.is_lost && (self.is_complete() || apart)
    }

    /// Commits what is held. A commit whose outcome is unknown is repeated as it is: the destination
    /// recognises it.
    pub(crate) async fn commit(&mut self) -> Result<()> {
        let state = self.unfinished.clone().into_state(self.plan.before.clone());
        if self.held.files.is_empty() && self.head.id.is_some() && state == self.head.state {
            return Ok(());
        }
        let commit = Commit {
            id: CommitId::new(),
            sequence: self.head.sequence + 1,
            sync: self.plan.sync,
            connection: self.plan.stream.connection.clone(),
            files: std::mem::take(&mut self.held.files),
            ends_sync: state.unfinished.is_none(),
            state,
            schema: self.schema.clone(),
            write_mode: self.plan.stream.write_mode,
            at: clock::now(),
        };
        self.held = Staged::default();
        // Invariant: state never moves without its files, so no commit follows one that failed.
        self.is_lost = true;
        protocol::point!("commit.begun");
        let watch = Watch::start();
        let (destination, target) = (self.destination, &self.plan.stream.target);
        // A commit under way is not given up for a signal: its outcome would stay unknown.
        let result = retrying(self.patience, &Stop::default(), &self.progress.retries, || {
            destination.commit(target, &commit)
        })
        .await;
        self.committed.seconds += watch.seconds();
        let head = result.map_err(|error| self.located(error))?;
        protocol::point!("commit.answered");
        if head.sequence < commit.sequence {
            // Nothing that readers could see: the destination waits for more. The next sync starts where
            // this one did.
            self.head = Head { state: commit.state, ..head };
            self.is_lost = false;
            self.committed.kept = true;
            return Ok(());
        }
        self.head = head;
        self.committed.commits += 1;
        self.committed.sum.add(&commit.files);
        if self.head.id == Some(commit.id) {
            self.is_lost = false;
        } else if !commit.ends_sync {
            // It took effect, its answer was lost, and before it was repeated another sync went on from
            // there: what we hold is what it has read as well.
            return Err(self.located(Error::conflict("another sync has taken over what was left to do")));
        }
        Ok(())
    }

    fn located(&self, error: Error) -> Error {
        error.context("stream", self.plan.stream.name.clone())
    }
}
