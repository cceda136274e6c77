//! Goes on after files of a commit were lost before they became visible.
//!
//! The commit that follows names the files that stood before, and brings back the state of then: what the
//! lost commit had read is read again. In form it is an overwrite whose files are there already, so readers
//! need no rule of their own for it. What is left of the lost commit is removed: its rows come again.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::TryStreamExt;
use protocol::{CommitId, Error, Repair, Result, StagedFile, SyncId, Totals, WriteMode};

use super::commit::{Fate, WRITTEN_BY, settle_creation};
use super::manifest::{FORMAT, Manifest, Void, Voids};
use super::store::{Freshness, Store};
use super::target::{Known, Target};
use super::{forward, head};

/// What is lost, and what stood before.
struct Loss {
    head: Arc<Manifest>,
    before: Option<Manifest>,
    kept: Vec<StagedFile>,
    repair: Repair,
}

/// Finishes the last commit, or finds out that it can't be. With `apply`, repairs it then.
pub(super) async fn repair(
    store: &Store,
    target: &Target,
    apply: bool,
    at: DateTime<Utc>,
) -> Result<Option<Repair>> {
    let Some(loss) = find(store, target).await? else { return Ok(None) };
    if !apply {
        return Ok(Some(loss.repair));
    }
    protocol::point!("repair.found");
    let mut manifest = next(&loss, at);
    let document = manifest.seal()?;
    match settle_creation(store, &target.layout, manifest.sequence, document).await? {
        Fate::Created => {}
        Fate::Found(found) if found.id == manifest.id => {}
        Fate::Found(_) => {
            target.forget();
            return Err(Error::conflict(format!(
                "the repair of target {:?} comes too late: another process has committed",
                target.layout.target
            )));
        }
        Fate::Refused(error) => return Err(error),
    }
    protocol::point!("repair.created");
    let manifest = Arc::new(manifest);
    target.learn(Known { head: Some(Arc::clone(&manifest)), finished: false });
    forward::carry_out(store, &target.layout, &manifest, Freshness::Unknown).await?;
    target.forget();
    Ok(Some(loss.repair))
}

async fn find(store: &Store, target: &Target) -> Result<Option<Loss>> {
    let layout = &target.layout;
    let known = head::find(store, layout).await?;
    let Some(head) = known.head.clone().filter(|head| !known.finished && head.is_visible()) else {
        return Ok(None);
    };
    let lost = store.publish(layout, &head.files, Freshness::Unknown).await?;
    if lost.is_empty() {
        forward::settle(store, target, known).await?;
        return Ok(None);
    }
    let before = before(store, target, &head).await?;
    let kept = match &before {
        Some(before) => {
            let commits = head::commits(store, layout, before.generation_start, before.sequence);
            let commits: Vec<Manifest> = commits.try_collect().await?;
            commits.into_iter().filter(Manifest::is_visible).flat_map(|commit| commit.files).collect()
        }
        None => Vec::new(),
    };
    let rows = |files: &mut dyn Iterator<Item = &StagedFile>| files.map(|file| file.rows).sum::<u64>();
    let repair = Repair {
        sequence: head.sequence,
        lost_files: lost.len() as u64,
        lost_rows: rows(&mut head.files.iter().filter(|file| lost.contains(&file.path))),
        removed_rows: rows(&mut head.files.iter().filter(|file| !lost.contains(&file.path))),
        state: before.as_ref().map(|before| before.state.clone()).unwrap_or_default(),
    };
    Ok(Some(Loss { head, before, kept, repair }))
}

/// The last commit before the lost one that can be gone on from; `None` where that is the beginning.
async fn before(store: &Store, target: &Target, head: &Manifest) -> Result<Option<Manifest>> {
    let at = async |sequence| match sequence {
        0 => Ok(None),
        sequence => head::commit(store, &target.layout, sequence).await.map(Some),
    };
    let parent = at(head.sequence - 1).await?;
    let goes_on = |parent: &Manifest| head.write_mode == WriteMode::Append && parent.is_visible();
    let mut before = match parent {
        Some(parent) if goes_on(&parent) => return Ok(Some(parent)),
        // It names files that earlier commits of its sync kept: all of the sync is read again.
        _ => at(head.sync_start - 1).await?,
    };
    // Nor can an overwrite that was given up be gone on with.
    while let Some(given_up) = before.as_ref().filter(|before| !before.is_visible()) {
        before = at(given_up.sync_start - 1).await?;
    }
    Ok(before)
}

fn next(loss: &Loss, at: DateTime<Utc>) -> Manifest {
    let Loss { head, before, kept, repair } = loss;
    let sequence = head.sequence + 1;
    let mut totals = Totals::default();
    totals.add(kept);
    let first = before.as_ref().map_or(1, |before| before.generation_start);
    Manifest {
        format: FORMAT,
        target: head.target.clone(),
        connection: head.connection.clone(),
        sequence,
        id: CommitId::new(),
        sync: SyncId::new(),
        parent: Some(head.as_parent()),
        write_mode: WriteMode::Overwrite,
        ends_sync: true,
        files: kept.clone(),
        generation_start: sequence,
        sync_start: sequence,
        voids: Some(Voids { first, last: head.sequence, what: Void::Generation }),
        schema: head.schema.clone(),
        state: repair.state.clone(),
        totals,
        run: None,
        written_by: WRITTEN_BY.to_owned(),
        at,
        checksum: String::new(),
    }
}
