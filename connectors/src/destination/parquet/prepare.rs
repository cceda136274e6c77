//! Makes a target ready for files.

use std::sync::Arc;

use arrow_schema::SchemaRef;
use protocol::{Change, ConfiguredStream, Error, Prepared, Result, StreamState, WriteMode, reconcile};

use super::layout::{first_file, is_file};
use super::stage::ParquetStage;
use super::store::{Store, Sweep};
use super::target::{Known, Target};
use super::{Parquet, clean, forward, head, probe};

pub(super) async fn prepare(
    parquet: &Parquet,
    stream: &ConfiguredStream,
    schema: &SchemaRef,
) -> Result<Prepared> {
    if stream.write_mode == WriteMode::Merge {
        return Err(Error::unsupported("files are never changed, so rows can't be merged into them")
            .hint("use `write: append`, and take the latest row of each key when you read"));
    }
    let target = parquet.target(&stream.target)?;
    let store = &parquet.store;
    let (known, notes) = head::look(store, &target.layout).await?;
    protocol::point!("prepare.found");
    known.check_owner(&stream.connection)?;
    let known = forward::settle(store, &target, known).await?;
    protocol::point!("prepare.settled");
    known.check_owner(&stream.connection)?;
    if known.head.is_some() {
        refuse_later_files(store, &target, &known).await?;
    } else {
        refuse_leftovers(store, &target).await?;
        parquet.proven.get_or_try_init(|| probe::conditional_create(store, &target.layout)).await?;
        protocol::point!("prepare.proven");
    }
    let swept = sweep(store, &target, &known).await;
    if let Err(error) = swept.and(clean::clean(store, &target, &known, &notes).await) {
        tracing::warn!(
            target_name = stream.target,
            error = format!("{error:#}"),
            "the stage was not cleaned up"
        );
    }
    protocol::point!("prepare.swept");
    let (schema, changes) = join_schemas(&known, stream, schema)?;
    let head = known.head();
    let stage = ParquetStage {
        store: Arc::clone(store),
        target,
        options: parquet.options.clone(),
        connection: stream.connection.clone(),
        schema: schema.clone(),
    };
    Ok(Prepared { head, stage: Box::new(stage), schema, changes })
}

/// Before the first commit the target's folder must not hold files of ours: their commits would be
/// lost, and loading again would double their rows.
async fn refuse_leftovers(store: &Store, target: &Target) -> Result<()> {
    let layout = &target.layout;
    if !store.any_below(layout.data(), is_file).await? {
        return Ok(());
    }
    let (data, metadata) = (store.place(layout.data()), store.place(&layout.metadata()));
    Err(Error::config(format!("{data} holds files of tidegate, but the commits in {metadata} are gone"))
        .hint("restore the commits, or remove the files to load everything again"))
}

/// Where visible files were begun after the last commit, an older state of the commits was put back:
/// to go on from there would double their rows. Files in folders are not looked at.
async fn refuse_later_files(store: &Store, target: &Target, known: &Known) -> Result<()> {
    let (layout, last) = (&target.layout, known.sequence());
    let is_later = store.any_file_after(layout.data(), &first_file(last + 1)).await?;
    // Or somebody has committed since.
    if !is_later || head::last_sequence(store, layout, last).await? > last {
        return Ok(());
    }
    let (data, manifests) = (store.place(layout.data()), store.place(&layout.manifests()));
    Err(Error::config(format!(
        "{data} holds files of a later commit than {last}, the last one in {manifests}"
    ))
    .hint("restore the commits, or give the stream a new `target` to load everything again"))
}

async fn sweep(store: &Store, target: &Target, known: &Known) -> Result<()> {
    if !store.can_sweep() {
        return Ok(());
    }
    let Some(head) = &known.head else { return store.sweep(&target.layout, Sweep::default()).await };
    let pending = if head.is_visible() {
        Vec::new()
    } else {
        head::sync_files(store, &target.layout, head).await?.pending
    };
    let sweep = Sweep { sequence: head.sequence, unfinished: head.state.unfinished.is_some(), pending };
    store.sweep(&target.layout, sweep).await
}

/// The schema that files shall have. An overwrite after its state was reset starts over: no file of
/// the old schema stays.
fn join_schemas(
    known: &Known,
    stream: &ConfiguredStream,
    schema: &SchemaRef,
) -> Result<(SchemaRef, Vec<Change>)> {
    match &known.head {
        Some(head) if stream.write_mode == WriteMode::Overwrite && head.state == StreamState::default() => {
            Ok((schema.clone(), Vec::new()))
        }
        Some(head) => reconcile(&head.schema, schema, stream.on_drift),
        None => Ok((schema.clone(), Vec::new())),
    }
}
