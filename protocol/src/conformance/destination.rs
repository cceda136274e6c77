//! What every destination must pass: one suite, called by the tests of each.
//!
//! A destination offers a [`DestinationFixture`], which opens instances on one place, as different
//! processes would, and tells what a reader sees there. The suite plays the engine and the crashes.

mod claims;
mod commits;
mod crashes;
mod process;
mod readback;
mod stages;
mod targets;
mod writes;

use std::future::Future;

use bytes::Bytes;

use crate::{Destination, Result};

/// A place that the suite works on, on targets with names of its own.
pub trait DestinationFixture: Send + Sync {
    /// The destination.
    type Destination: Destination;

    /// Opens another instance on the same place, as another process would.
    fn open(&self) -> impl Future<Output = Result<Self::Destination>> + Send;

    /// A file with one row for each id, in a schema with the one column `id` of type `Int64`.
    fn encode(&self, ids: &[i64]) -> Bytes;

    /// The ids that a reader of a target sees now, in any order, doubled where rows are doubled; none
    /// where there is no such target.
    fn read(&self, target: &str) -> impl Future<Output = Vec<i64>> + Send;
}

/// Runs the whole suite.
///
/// # Panics
///
/// At the first fact that does not hold, naming it.
pub async fn destination<F: DestinationFixture>(fixture: &F) {
    checks(fixture).await;
    stages(fixture).await;
    commits(fixture).await;
    writes(fixture).await;
    readback(fixture).await;
    claims(fixture).await;
    targets(fixture).await;
    crashes(fixture).await;
}

/// The destination's own check holds, twice.
async fn checks<F: DestinationFixture>(fixture: &F) {
    let destination = fixture.open().await.expect("the place can be opened");
    for _ in 0..2 {
        let lines = destination.check().await.expect("the check holds");
        assert!(!lines.is_empty(), "the check says what it found");
    }
}

/// Staged files: unseen, whole, and gone when they are given up.
///
/// # Panics
///
/// At the first fact that does not hold, naming it.
pub async fn stages<F: DestinationFixture>(fixture: &F) {
    stages::what_is_staged_is_unseen(fixture).await;
    stages::large_files_arrive_whole(fixture).await;
    stages::files_are_written_at_once(fixture).await;
    stages::what_one_process_staged_another_commits(fixture).await;
    stages::files_may_wait_for_a_later_commit_of_their_sync(fixture).await;
}

/// Commits: numbered, repeated, late, racing.
///
/// # Panics
///
/// At the first fact that does not hold, naming it.
pub async fn commits<F: DestinationFixture>(fixture: &F) {
    commits::a_new_target_is_empty(fixture).await;
    commits::files_and_state_become_current_together(fixture).await;
    commits::a_commit_without_files_moves_the_state(fixture).await;
    commits::a_repeated_commit_changes_nothing(fixture).await;
    commits::a_late_or_early_commit_is_a_conflict(fixture).await;
    commits::of_many_at_once_one_wins(fixture).await;
    commits::any_state_comes_back_as_it_was(fixture).await;
}

/// Write modes: what an overwrite shows, hides and removes.
///
/// # Panics
///
/// At the first fact that does not hold, naming it.
pub async fn writes<F: DestinationFixture>(fixture: &F) {
    writes::an_overwrite_becomes_visible_with_its_last_commit(fixture).await;
    writes::an_overwrite_with_no_rows_empties_the_target(fixture).await;
    writes::an_interrupted_overwrite_is_continued_by_another_process(fixture).await;
    writes::an_overwrite_that_was_given_up_is_never_seen(fixture).await;
    writes::appends_follow_an_overwrite(fixture).await;
    writes::a_changed_write_mode_loses_and_doubles_nothing(fixture).await;
}

/// Reading back: which files are visible, and what is in them.
///
/// # Panics
///
/// At the first fact that does not hold, naming it.
pub async fn readback<F: DestinationFixture>(fixture: &F) {
    readback::visible_files_are_those_of_the_commits(fixture).await;
    readback::visible_files_can_be_read_by_ranges(fixture).await;
    readback::an_audit_finds_what_the_commits_say(fixture).await;
}

/// Claims and repairs: processes that meet others, and targets that have lost nothing.
///
/// # Panics
///
/// At the first fact that does not hold, naming it.
pub async fn claims<F: DestinationFixture>(fixture: &F) {
    claims::who_claims_commits_as_often_as_it_likes(fixture).await;
    claims::of_two_that_claim_one_commits(fixture).await;
    claims::what_has_lost_nothing_is_not_repaired(fixture).await;
}

/// Targets: owners, schemas and names.
///
/// # Panics
///
/// At the first fact that does not hold, naming it.
pub async fn targets<F: DestinationFixture>(fixture: &F) {
    targets::a_target_belongs_to_one_connection(fixture).await;
    targets::schemas_widen_and_never_change_their_meaning(fixture).await;
    targets::hostile_names_are_kept_apart(fixture).await;
    targets::different_targets_are_committed_at_once(fixture).await;
}

/// Crashes and cancelled calls at every point where one can happen.
///
/// # Panics
///
/// At the first fact that does not hold, naming it.
pub async fn crashes<F: DestinationFixture>(fixture: &F) {
    crashes::a_cancelled_commit_can_be_repeated(fixture).await;
    crashes::a_crashed_commit_is_finished_or_undone(fixture).await;
    crashes::a_crashed_overwrite_is_finished_or_undone(fixture).await;
    crashes::a_cancelled_prepare_can_be_repeated(fixture).await;
    crashes::a_dropped_writer_leaves_nothing_visible(fixture).await;
}
