//! Reads a part that may be committed apart from the others: in the snapshot that it was planned in while
//! that is there, and else in one of its own. What it returns says which, and what that showed of it.
//!
//! A snapshot of its own may be of another process, after a crash of the server, hours later. What must be
//! the same as when the part was planned is checked, and what else may differ is told: the state is not
//! settled then, and the next plan reads what moved meanwhile (`plan/repair.rs`).

use protocol::{ConfiguredStream, Emitter, Error, ErrorKind, Result};

use super::Postgres;
use super::answer::{ask, ask_one, quote_literal, unexpected};
use super::barrier::Server;
use super::connect::Client;
use super::durable;
use super::layout::Layout;
use super::partition::{Partition, Range, Table};
use super::patchwork::{Origin, Own};
use super::read::{checked, rows, stale};
use super::session::Turn;
use super::sight::Sight;
use super::xids::{Ends, Xids, ends, since};

/// Most transactions that are remembered for one part.
const MOST: usize = 100_000;

const WHAT: &str = "could not ask what a part's snapshot shows";

/// Reads one part into `out`.
pub(super) async fn read(
    source: &Postgres,
    stream: &ConfiguredStream,
    partition: &Partition,
    origin: &Origin,
    layout: &Layout,
    out: &mut Emitter<'_, Postgres>,
) -> Result<Sight> {
    let sessions = &source.sessions;
    if let Some(id) = &partition.snapshot
        && sessions.serves(id, &stream.target).await
    {
        match entered(source, partition, layout, id).await {
            Ok(mut turn) => {
                let sight = rows(&mut turn, stream, partition, layout, out).await.map_err(passing)?;
                let xids = writers(&turn, partition, origin.ends()).await?;
                turn.finish().await?;
                sessions.read(&stream.target, Some(id));
                return Ok(Sight { xids, ..sight });
            }
            // It is gone, or its table has another file than it knows.
            Err(error) if error.kind() == ErrorKind::Stale => {
                tracing::debug!(stream = stream.name, "read in a snapshot of its own: {error:#}");
                if sessions.is_lost(id) {
                    sessions.retire(id).await;
                }
            }
            Err(error) => return Err(error),
        }
    }
    alone(source, stream, partition, origin, layout, out).await
}

async fn entered<'a>(
    source: &'a Postgres,
    partition: &Partition,
    layout: &Layout,
    id: &str,
) -> Result<Turn<'a>> {
    let turn = source.sessions.turn(id).await?;
    checked(&turn, partition, layout).await?;
    Ok(turn)
}

/// Rows have been handed over already: only another attempt can read the part elsewhere.
fn passing(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Stale => Error::transient(error.message().to_owned()).with_source(error),
        _ => error,
    }
}

/// In a snapshot of its own.
async fn alone(
    source: &Postgres,
    stream: &ConfiguredStream,
    partition: &Partition,
    origin: &Origin,
    layout: &Layout,
    out: &mut Emitter<'_, Postgres>,
) -> Result<Sight> {
    let partition = &Partition { snapshot: None, ..partition.clone() };
    let lease = source.sessions.lease().await?;
    is_same_server(&lease, origin).await?;
    let mut turn = source.sessions.own_turn_of(lease, partition.replayed).await?;
    if let Err(error) = checked(&turn, partition, layout).await {
        drop(turn);
        return match error.kind() {
            ErrorKind::Stale => gone(source, stream, partition, error).await.map(|()| Sight::default()),
            _ => Err(error),
        };
    }
    let own = shown(&turn, partition, origin).await?;
    durable::settled(&turn, true).await?;
    let sight = rows(&mut turn, stream, partition, layout, out).await.map_err(passing)?;
    let xids = writers(&turn, partition, Ends { xmin: own.xmin, xmax: own.xmax }).await?;
    turn.finish().await?;
    Ok(Sight { xids, own: Some(own), ..sight })
}

/// Fails with [`Stale`](ErrorKind::Stale) where the server has another cluster's or database's rows.
async fn is_same_server(client: &Client, origin: &Origin) -> Result<()> {
    let now = Server::ask(client).await?;
    let is_other = matches!((&now.system, &origin.system), (Some(now), Some(then)) if now != then);
    if is_other || now.database != origin.database {
        return Err(stale(
            "the server is another cluster, or the database was created anew, since the load began",
        ));
    }
    Ok(())
}

/// What the transaction's snapshot is, if blocks and transactions mean in it what they did.
async fn shown(client: &Client, partition: &Partition, origin: &Origin) -> Result<Own> {
    let table = partition.table();
    let sql = format!("SELECT txid_current_snapshot(), pg_relation_filenode({}::oid)", table.oid);
    let row = ask_one(client, WHAT, &sql).await?;
    let (Some(now), Some(file)) = (row.text(0).and_then(ends), row.number(1)) else {
        return Err(unexpected(WHAT));
    };
    let goes_on = now.follows(origin.xmin, origin.xmax);
    let knows = partition.window.as_ref().is_some_and(|window| window.unseen.is_some());
    if !goes_on && knows {
        return Err(stale("the server's numbers of transactions do not go on from those of the plan"));
    }
    if file != origin.file && !(goes_on && is_new(client, table, origin).await?) {
        return Err(stale(&format!(
            "{} was rewritten, as by VACUUM FULL or CLUSTER, since parts of it were read",
            table.qualified()
        )));
    }
    Ok(Own { xmin: now.xmin, xmax: now.xmax, file })
}

/// Whether all rows of the table's new file were written after the planned snapshot, as after TRUNCATE:
/// then none of them was read, and it does not matter that their blocks are others.
async fn is_new(client: &Client, table: &Table, origin: &Origin) -> Result<bool> {
    let young = since(origin.xmax).join(" AND ");
    let sql = format!("SELECT EXISTS (SELECT FROM ONLY {} WHERE NOT ({young}))", table.qualified());
    Ok(!ask_one(client, WHAT, &sql).await?.is_true(0))
}

/// The transactions from the snapshot's first open one on that wrote rows of the part. To remember those
/// of rows that were not wanted does no harm: they are seen as well.
async fn writers(client: &Client, partition: &Partition, ends: Ends) -> Result<Xids> {
    if ends.xmin >= ends.xmax {
        return Ok(Xids::default());
    }
    let range = partition.range.as_ref().map(Range::conditions).unwrap_or_default();
    let conditions: Vec<String> = range.into_iter().chain(since(ends.xmin)).collect();
    let (table, conditions) = (partition.table().qualified(), conditions.join(" AND "));
    let sql = format!("SELECT DISTINCT xmin FROM ONLY {table} WHERE {conditions} LIMIT {}", MOST + 1);
    let found = ask(client, WHAT, &sql).await?.into_iter().next().unwrap_or_default();
    if found.len() > MOST {
        return Err(Error::transient(format!(
            "too many transactions have written rows of {table} since the oldest began that has not ended"
        ))
        .hint("end what has been running for long, and sync again"));
    }
    let xids = found.iter().map(|row| row.number(0).map(|xmin| ends.widened(xmin)));
    xids.collect::<Option<_>>().ok_or_else(|| unexpected(WHAT))
}

/// What became of a table that is not where it was. One below the stream's that was dropped has no rows
/// any more, and all is read of it that there is.
async fn gone(
    source: &Postgres,
    stream: &ConfiguredStream,
    partition: &Partition,
    error: Error,
) -> Result<()> {
    let table = partition.table();
    let sql = format!(
        "SELECT EXISTS (SELECT FROM pg_class WHERE oid = {oid}), \
         coalesce(to_regclass({name})::oid = {oid}, false)",
        oid = table.oid,
        name = quote_literal(&table.qualified())
    );
    let lease = source.sessions.lease().await?;
    let row = ask_one(&lease, WHAT, &sql).await?;
    lease.give_back();
    match (row.is_true(0), row.is_true(1)) {
        (false, _) if partition.leaf.is_some() => {
            tracing::warn!(
                stream = stream.name,
                table = table.name,
                "a partition was dropped before it was read"
            );
            Ok(())
        }
        // It was rewritten between the lock and the snapshot: the next one shows it.
        (true, true) => Err(passing(error)),
        _ => Err(error),
    }
}
