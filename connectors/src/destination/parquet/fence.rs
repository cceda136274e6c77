//! Takes the number that processes aim at which have stopped: a commit that changes nothing, after which
//! none of them can commit, and what they have staged is garbage.
//!
//! Without it, what a sync leaves that is killed again and again would be kept until one succeeds: nobody
//! else may abort it, for a process that seems dead may still wake up and commit it.

use arrow_schema::SchemaRef;
use chrono::Utc;
use protocol::{Commit, CommitId, Result, SyncId, WriteMode};

use super::commit;
use super::store::Store;
use super::target::Target;

/// Commits the state that stands, without files. `schema` is that of a target without commits.
pub(super) async fn raise(
    store: &Store,
    target: &Target,
    connection: &str,
    schema: &SchemaRef,
) -> Result<()> {
    let head = target.known().and_then(|known| known.head);
    let state = head.as_ref().map(|head| head.state.clone()).unwrap_or_default();
    let unfinished = state.unfinished.as_ref().map(|unfinished| unfinished.sync);
    let commit = Commit {
        id: CommitId::new(),
        sequence: target.next_sequence(),
        sync: unfinished.unwrap_or_else(SyncId::new),
        connection: connection.to_owned(),
        files: Vec::new(),
        // What is there stays there; what waits for the end of an unfinished overwrite goes on waiting.
        write_mode: match (&head, unfinished) {
            (Some(head), Some(_)) => head.write_mode,
            _ => WriteMode::Append,
        },
        ends_sync: unfinished.is_none(),
        schema: head.map_or_else(|| schema.clone(), |head| head.schema.clone()),
        state,
        at: Utc::now(),
    };
    protocol::point!("fence.begun");
    commit::commit(store, target, &commit).await?;
    protocol::point!("fence.raised");
    Ok(())
}
