//! Makes files visible and a state current, by one manifest that is created or not.
//!
//! | step | a crash after it |
//! |---|---|
//! | staged files are adopted | nothing happened |
//! | **`manifest/<n+1>` is created, if it is not there** | the next [`prepare`](super::prepare) goes on |
//! | the files become visible | the same |
//! | files that it makes void are removed | the same |
//! | the hint is written | costs the next sync a few requests |

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use protocol::{Commit, Error, Head, Result, StagedFile, Totals, WriteMode};

use super::layout::{Layout, checked};
use super::manifest::{FORMAT, Manifest, Void, Voids};
use super::store::{Creation, Freshness, Store};
use super::target::{Known, Target};
use super::{checkpoint, forward, head};

/// Attempts to create a manifest whose fate is unknown.
const ATTEMPTS: u32 = 4;
/// Program and version, as a manifest names them.
pub(super) const WRITTEN_BY: &str = concat!("tidegate ", env!("CARGO_PKG_VERSION"));

/// Who has the number that a commit was to have.
enum Created {
    Mine(Box<Manifest>),
    Another(Box<Manifest>),
}

impl Created {
    fn by(found: Manifest, commit: &Commit) -> Self {
        if found.id == commit.id { Self::Mine(Box::new(found)) } else { Self::Another(Box::new(found)) }
    }
}

/// What became of a manifest that was sent.
pub(super) enum Fate {
    Created,
    /// There is one of that number, this or another.
    Found(Box<Manifest>),
    /// It certainly is not there.
    Refused(Error),
}

pub(super) async fn commit(store: &Store, target: &Target, commit: &Commit) -> Result<Head> {
    commit.files.iter().try_for_each(|file| checked(&file.path).map(drop))?;
    let known = match target.known() {
        // What a crashed or cancelled commit left undone is done first: see `forward`.
        Some(known) if commit.sequence == known.sequence() + 1 => {
            forward::settle(store, target, known).await?
        }
        _ => forward::settle(store, target, head::find(store, &target.layout).await?).await?,
    };
    if known.head.as_ref().is_some_and(|head| head.id == commit.id) {
        return Ok(known.head());
    }
    known.check_owner(&commit.connection)?;
    if commit.sequence != known.sequence() + 1 {
        return late(store, target, commit, &known).await;
    }
    match create(store, target, commit, &known).await? {
        Created::Mine(manifest) => finish(store, target, *manifest).await,
        Created::Another(winner) => Err(give_up(store, target, commit, &winner).await),
    }
}

/// Creates the manifest that follows `known`, or finds it created.
async fn create(store: &Store, target: &Target, commit: &Commit, known: &Known) -> Result<Created> {
    let layout = &target.layout;
    target.refuse_overtaken(&commit.files)?;
    protocol::point!("commit.settled");
    let adopted = match store.adopt(layout, commit.sequence, commit.files.clone()).await {
        Ok(adopted) => adopted,
        // A commit that was cancelled halfway may stand, and its files be where it put them.
        Err(error) => {
            return match head::find_commit(store, layout, commit.sequence).await? {
                Some(found) => Ok(Created::by(found, commit)),
                None => Err(refuse(store, target, &commit.files, error).await),
            };
        }
    };
    let mut manifest = next(store, target, commit, adopted, known.head.as_deref()).await?;
    let document = manifest.seal()?;
    let was_in_doubt = commit.files.iter().any(|file| target.is_in_doubt(file));
    target.doubt(&commit.files);
    protocol::point!("manifest.sealed");
    let fate = match settle_creation(store, layout, commit.sequence, document).await? {
        // This try was refused, and an earlier one may arrive yet: its files are kept.
        Fate::Refused(error) if was_in_doubt => return Err(error),
        fate => fate,
    };
    protocol::point!("manifest.created");
    target.resolve(&commit.files);
    match fate {
        Fate::Created => Ok(Created::Mine(Box::new(manifest))),
        Fate::Found(found) => Ok(Created::by(*found, commit)),
        Fate::Refused(error) => Err(refuse(store, target, &commit.files, error).await),
    }
}

/// Removes the files of a commit that can't be made, where it is not going to be repeated.
async fn refuse(store: &Store, target: &Target, files: &[StagedFile], error: Error) -> Error {
    if !error.kind().is_retryable() {
        discard(store, target, files).await;
    }
    error
}

/// Carries out a commit that stands.
async fn finish(store: &Store, target: &Target, manifest: Manifest) -> Result<Head> {
    target.run.ended(&manifest.files);
    let manifest = Arc::new(manifest);
    target.learn(Known { head: Some(manifest.clone()), finished: false });
    match forward::carry_out(store, &target.layout, &manifest, Freshness::Waiting).await? {
        forward::Outcome::Finished => {
            target.learn(Known { head: Some(manifest.clone()), finished: true });
            checkpoint::write(store, &target.layout, &manifest).await;
        }
        forward::Outcome::Overtaken => target.forget(),
    }
    Ok(manifest.head())
}

/// A commit with a number that is not the next: a repeated one that took effect, or a conflict.
async fn late(store: &Store, target: &Target, commit: &Commit, known: &Known) -> Result<Head> {
    if commit.sequence > known.sequence() || commit.sequence == 0 {
        return Err(conflict(target, commit));
    }
    let stands = head::commit(store, &target.layout, commit.sequence).await?;
    if stands.id == commit.id {
        return Ok(known.head());
    }
    Err(give_up(store, target, commit, &stands).await)
}

/// Removes the files of a commit that another one was faster than, and returns the failure.
async fn give_up(store: &Store, target: &Target, commit: &Commit, winner: &Manifest) -> Error {
    target.forget();
    let taken: HashSet<&str> = winner.files.iter().map(|file| file.path.as_str()).collect();
    let mine: Vec<StagedFile> =
        commit.files.iter().filter(|file| !taken.contains(file.path.as_str())).cloned().collect();
    discard(store, target, &mine).await;
    conflict(target, commit)
}

/// Removes staged files on the way to a failure that says more than what fails here.
async fn discard(store: &Store, target: &Target, files: &[StagedFile]) {
    let discarded = store.discard(&target.layout, files).await;
    if discarded.is_ok() {
        target.run.ended(files);
    }
    if let Err(error) = discarded {
        tracing::warn!(
            target_name = target.layout.target,
            error = format!("{error:#}"),
            "files of a commit that was not made could not be removed"
        );
    }
}

fn conflict(target: &Target, commit: &Commit) -> Error {
    Error::conflict(format!(
        "commit {} of target {:?} comes too late: another sync has committed",
        commit.sequence, target.layout.target
    ))
    .hint("run one sync of a connection at a time; running it again is safe")
}

/// Creates the manifest, or finds out what became of it. Fails while that is not known.
pub(super) async fn settle_creation(
    store: &Store,
    layout: &Layout,
    sequence: u64,
    document: Bytes,
) -> Result<Fate> {
    let key = layout.manifest(sequence);
    let mut attempt = 0;
    loop {
        let result = store.create(&key, document.clone()).await;
        if matches!(result, Ok(Creation::Created)) {
            return Ok(Fate::Created);
        }
        // The key exists, or the answer was lost: what is there says whose it is.
        match (head::find_commit(store, layout, sequence).await, result) {
            (Ok(Some(found)), _) => return Ok(Fate::Found(Box::new(found))),
            (Ok(None), Err(error)) if !error.kind().is_retryable() => {
                // What was sent before, and had no answer, may arrive yet.
                return if attempt == 0 { Ok(Fate::Refused(error)) } else { Err(error) };
            }
            (Err(_), Err(error)) | (Err(error), Ok(_)) => return Err(error),
            (Ok(None), result) => {
                attempt += 1;
                if attempt == ATTEMPTS {
                    return Err(result.err().unwrap_or_else(|| {
                        Error::transient(format!("{} is being created by others", store.place(&key)))
                    }));
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
    }
}

/// The manifest of a commit that follows `head`.
async fn next(
    store: &Store,
    target: &Target,
    commit: &Commit,
    adopted: Vec<StagedFile>,
    head: Option<&Manifest>,
) -> Result<Manifest> {
    let same_sync = head.filter(|head| head.sync == commit.sync);
    let replaces = commit.write_mode == WriteMode::Overwrite && commit.ends_sync;
    // An overwrite that ends names all its files; an append names those that wait for it, where the
    // write mode was changed while the sync was unfinished.
    let mut files = match same_sync {
        Some(head) if replaces => {
            let earlier = head::sync_files(store, &target.layout, head).await?;
            [earlier.visible, earlier.pending].concat()
        }
        Some(head) if commit.write_mode == WriteMode::Append && !head.is_visible() => {
            head::sync_files(store, &target.layout, head).await?.pending
        }
        _ => Vec::new(),
    };
    files.extend(adopted);
    let mut manifest = Manifest {
        format: FORMAT,
        target: target.layout.target.clone(),
        connection: commit.connection.clone(),
        sequence: commit.sequence,
        id: commit.id,
        sync: commit.sync,
        parent: head.map(Manifest::as_parent),
        write_mode: commit.write_mode,
        ends_sync: commit.ends_sync,
        files,
        generation_start: head.map_or(1, |head| head.generation_start),
        sync_start: same_sync.map_or(commit.sequence, |head| head.sync_start),
        voids: None,
        schema: commit.schema.clone(),
        state: commit.state.clone(),
        totals: head.map(|head| head.totals).unwrap_or_default(),
        run: Some(target.run.id()).filter(|run| !run.is_nil()),
        written_by: WRITTEN_BY.to_owned(),
        at: commit.at,
        checksum: String::new(),
    };
    if replaces {
        manifest.generation_start = manifest.sequence;
        manifest.totals = Totals::default();
        manifest.voids = head.map(|head| Voids {
            first: head.generation_start,
            last: head.sequence,
            what: Void::Generation,
        });
    } else if let Some(head) = head.filter(|head| !head.is_visible() && head.sync != commit.sync) {
        manifest.voids = Some(Voids { first: head.sync_start, last: head.sequence, what: Void::Pending });
    }
    if manifest.is_visible() {
        manifest.totals.add(&manifest.files);
    }
    Ok(manifest)
}
