//! Keeps two syncs of one target from doing the same work.
//!
//! A sync notes that it is at work with its first file, then looks who else does. Whoever was first goes
//! on; the other one waits until it sees a sign of life, and leaves. One that has ended is passed at once
//! where that can be known, else after [`PATIENCE`] without a sign of life: no clock is compared with
//! another's. All of it is a courtesy. Who was wrongly taken for dead, or not seen, is kept apart by the
//! commit, and loses nothing but time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use arrow_schema::SchemaRef;
use protocol::{Error, ErrorKind, Result};
use tokio::time::Instant;

use super::store::{BEAT, Record, Store, Worker};
use super::target::{Known, Target};
use super::{clean, fence, head};

/// Without a sign of life for so long, a process is taken for dead.
const PATIENCE: Duration = Duration::from_secs(30);
/// Processes that have stopped and aim at one number, until the number is taken from them.
const PILE: usize = 2;
/// Time between two looks.
const POLL: Duration = Duration::from_millis(500);

/// What a person does who is refused.
const ADVICE: &str = "wait for it to end, or end it: running this one again is safe, and takes over from a \
                      process that is gone";

/// What a process knows of its own claim.
#[derive(Debug, Default)]
pub(super) enum Claim {
    #[default]
    Open,
    Held,
    Refused(ErrorKind, String),
}

/// What became of another process that is at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Works,
    Stopped,
    Left,
}

/// Makes sure, once per sync, that no other is at work on the target. Fails with `Conflict` where one is,
/// or has committed while we waited, and with `Stale` where the plan must be made again.
pub(super) async fn hold(store: &Store, target: &Target, connection: &str, schema: &SchemaRef) -> Result<()> {
    if !target.run.claims() {
        return Ok(());
    }
    let mut claim = target.claim.lock().await;
    match &*claim {
        Claim::Held => return Ok(()),
        // Other lanes need not wait for the same answer.
        Claim::Refused(kind, message) => return Err(Error::new(*kind, message.clone()).hint(ADVICE)),
        Claim::Open => {}
    }
    let asked = ask(store, target, connection, schema).await;
    match &asked {
        Ok(()) => {
            *claim = Claim::Held;
            target.run.hold();
            protocol::point!("claim.held");
        }
        Err(error) if !error.kind().is_retryable() => {
            *claim = Claim::Refused(error.kind(), error.message().to_owned());
        }
        Err(_) => {}
    }
    asked
}

async fn ask(store: &Store, target: &Target, connection: &str, schema: &SchemaRef) -> Result<()> {
    let (mut met, mut stopped) = (false, 0);
    for worker in store.workers(&target.layout, &target.run).await? {
        let Some(record) = store.worker(&target.layout, &worker).await? else {
            met = true;
            continue;
        };
        if !is_ahead(target, &record) {
            continue;
        }
        met = true;
        protocol::point!("claim.met");
        match watch(store, target, &worker, &record).await? {
            Fate::Works => return Err(at_work(target, &record)),
            Fate::Stopped => {
                stopped += 1;
                tracing::warn!(
                    target_name = target.layout.target,
                    "{} has stopped working on this target: its work is done again",
                    record.holder
                );
            }
            Fate::Left => {}
        }
    }
    if met {
        protocol::point!("claim.passed");
        target.others.store(true, Ordering::Relaxed);
        let known = target.known().as_ref().map_or(0, Known::sequence);
        if head::last_sequence(store, &target.layout, known).await? > known {
            return Err(Error::conflict(format!(
                "another sync of target {:?} was at work and has committed",
                target.layout.target
            ))
            .hint(ADVICE));
        }
    }
    if stopped >= PILE && matches!(store, Store::Objects(_)) {
        fence::raise(store, target, connection, schema).await?;
        return Err(Error::new(
            ErrorKind::Stale,
            format!("what {stopped} syncs of target {:?} left is removed first", target.layout.target),
        ));
    }
    protocol::point!("claim.alone");
    Ok(())
}

/// Whether the other one goes first.
fn is_ahead(target: &Target, record: &Record) -> bool {
    record.claims && !record.released && (record.held || record.run < target.run.id())
}

/// Waits until one can tell whether it works.
async fn watch(store: &Store, target: &Target, worker: &Worker, first: &Record) -> Result<Fate> {
    let begin = Instant::now();
    // A lock says more than a sign of life: its holder lives.
    let patience = if matches!(store, Store::Directory(_)) { BEAT } else { PATIENCE };
    loop {
        if first.holder.works() == Some(false) {
            return Ok(Fate::Stopped);
        }
        tokio::time::sleep(POLL).await;
        match store.worker(&target.layout, worker).await? {
            None => return Ok(Fate::Left),
            Some(record) if record.released => return Ok(Fate::Left),
            Some(record) if record.beat != first.beat => return Ok(Fate::Works),
            Some(_) if begin.elapsed() < patience => {}
            Some(_) if matches!(store, Store::Directory(_)) => return Ok(Fate::Works),
            Some(_) => return Ok(Fate::Stopped),
        }
    }
}

fn at_work(target: &Target, record: &Record) -> Error {
    let since =
        record.since().map_or_else(String::new, |since| format!(", since {}", since.format("%F %TZ")));
    Error::conflict(format!(
        "another sync of target {:?} is at work: {}{since}",
        target.layout.target, record.holder
    ))
    .hint(ADVICE)
}

/// Ends the work of this process on the target, and removes what others left that can't commit any more.
pub(super) async fn release(store: &Store, target: &Target) {
    *target.claim.lock().await = Claim::Open;
    let released = store.release(&target.layout, &target.run, |path| target.is_doubted(path)).await;
    protocol::point!("claim.released");
    let cleaned =
        if target.others.load(Ordering::Relaxed) { clean::again(store, target).await } else { Ok(()) };
    if let Err(error) = released.and(cleaned) {
        tracing::warn!(
            target_name = target.layout.target,
            error = format!("{error:#}"),
            "not all that was staged could be removed: the next sync does it"
        );
    }
}
