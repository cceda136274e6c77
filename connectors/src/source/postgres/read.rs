//! Reads one partition: enters its snapshot, makes sure that the table is what was planned, copies.

use std::sync::Arc;

use protocol::{ConfiguredStream, Emitter, Error, ErrorKind, Result};

use super::answer::ask;
use super::connect::Client;
use super::copy::copy_out;
use super::decode::Decoder;
use super::error::SQLSTATE;
use super::layout::Layout;
use super::partition::{Partition, Table};
use super::session::Turn;
use super::snapshot::{SAVE, named};
use super::{Postgres, discover};

/// Tables locked by this transaction whose file is another than in its snapshot. To that snapshot a
/// truncated or rewritten table is empty. Read from the table, the number is the snapshot's; from the
/// function, today's.
const REWRITTEN: &str = "\
    SELECT c.oid::regclass FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
     WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation >= 16384 \
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
       AND c.relkind IN ('r', 'm', 't') AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)";

const WHAT: &str = "could not lock and check the table";

/// Reads one partition into `out`.
pub(super) async fn read(
    source: &Postgres,
    stream: &ConfiguredStream,
    partition: &Partition,
    out: &mut Emitter<'_, Postgres>,
) -> Result<()> {
    let layout = source.layout(stream, partition).await?;
    let snapshot = partition.snapshot.as_deref();
    let turn = match snapshot {
        Some(id) => source.sessions.turn(id).await,
        None => source.sessions.own_turn(partition.replayed).await,
    };
    let done = match turn {
        Ok(turn) => copied(turn, stream, partition, &layout, out).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => {
            protocol::point!("read.finished");
            source.sessions.read(&stream.target, snapshot);
            Ok(())
        }
        Err(error) => {
            if let Some(id) = snapshot {
                if error.kind() == ErrorKind::Stale {
                    source.sessions.retire(id).await;
                } else if error.kind().is_retryable() && source.sessions.is_lost(id) {
                    return Err(lost_by(&error));
                }
            }
            Err(error)
        }
    }
}

/// What broke the session that kept the snapshot: it says more than that the snapshot is gone.
fn lost_by(error: &Error) -> Error {
    let message = format!("{}; the snapshot is gone with its session", error.message());
    let pairs = error.context_pairs().iter().cloned();
    let lost = pairs.fold(stale(&message), |lost, (key, value)| lost.context(key, value));
    match error.advice() {
        Some(advice) => lost.hint(advice),
        None => lost,
    }
}

async fn copied(
    mut turn: Turn<'_>,
    stream: &ConfiguredStream,
    partition: &Partition,
    layout: &Layout,
    out: &mut Emitter<'_, Postgres>,
) -> Result<()> {
    let table = partition.table();
    check(&turn, partition, layout).await.map_err(|error| gone(error, table, layout))?;
    protocol::point!("read.checked");
    let decoder =
        Decoder::new(&layout.columns, Arc::clone(&stream.schema), stream.on_unfit, out.batch_bytes())?;
    let what = format!("could not read {}", table.qualified());
    let rows = copy_out(&mut turn, &partition.copy(&layout.expressions()), &what, decoder, out).await?;
    protocol::point!("read.copied");
    tracing::debug!(stream = stream.name, table = table.name, rows, "partition read");
    if !table.lockable {
        let answers = ask(&turn, WHAT, REWRITTEN).await?;
        rewritten(answers.into_iter().next().unwrap_or_default().first().and_then(|row| row.text(0)))?;
    }
    turn.finish().await
}

/// What is gone since the plan: the table, or a column of it.
pub(super) fn gone(error: Error, table: &Table, layout: &Layout) -> Error {
    match error.context_value(SQLSTATE) {
        Some("42P01" | "3F000") => stale(&format!("{} is gone", table.qualified())).with_source(error),
        _ => layout.explain(error),
    }
}

/// Locks the table against changes of its shape, and checks that there were none since the plan.
pub(super) async fn check(client: &Client, partition: &Partition, layout: &Layout) -> Result<()> {
    let table = partition.table();
    let qualified = table.qualified();
    let mut sql = lock(partition, table);
    // All that follows takes a snapshot, if the transaction has none yet.
    let own = partition.snapshot.is_none();
    sql = if own { format!("{sql}; {}", named()) } else { format!("{SAVE}; {sql}") };
    sql = format!("{sql}; SELECT {}::regclass::oid", super::answer::quote_literal(&qualified));
    if let Some(types) = layout.types_now(&qualified) {
        sql = format!("{sql}; {types}");
    }
    sql = format!("{sql}; {REWRITTEN}");
    let mut answers =
        ask(client, WHAT, &sql).await?.into_iter().skip(usize::from(own) + usize::from(!table.lockable));
    let oid = answers.next().and_then(|rows| rows.first().and_then(|row| row.number::<u32>(0)));
    if oid != Some(table.oid) {
        return Err(stale(&format!("{qualified} is another table than the one that was planned")));
    }
    if !layout.types.is_empty() {
        let types = answers.next().and_then(|rows| rows.first().and_then(super::answer::Row::numbers));
        layout.check(&types.unwrap_or_default())?;
    }
    let last = answers.next().unwrap_or_default();
    rewritten(last.first().and_then(|row| row.text(0)))
}

/// What keeps the table as it is until the transaction ends. `LOCK TABLE` takes no snapshot; what it
/// can't lock is locked by a query that returns nothing.
fn lock(partition: &Partition, table: &Table) -> String {
    let only = if partition.leaf.is_some() { "ONLY " } else { "" };
    if table.lockable {
        format!("LOCK TABLE {only}{} IN ACCESS SHARE MODE", table.qualified())
    } else {
        format!("SELECT FROM {only}{} WHERE false", table.qualified())
    }
}

fn rewritten(table: Option<&str>) -> Result<()> {
    match table {
        None => Ok(()),
        Some(table) => {
            Err(stale(&format!("{table} was truncated, rewritten or refreshed while the sync was under way")))
        }
    }
}

fn stale(message: &str) -> Error {
    Error::new(ErrorKind::Stale, message)
}

impl Postgres {
    /// The columns of a stream: as the plan found them, or, in another process, as they are now.
    pub(super) async fn layout(
        &self,
        stream: &ConfiguredStream,
        partition: &Partition,
    ) -> Result<Arc<Layout>> {
        let known = self.layouts.lock().await.get(&stream.target).cloned();
        let names = |layout: &Layout| {
            layout.columns.iter().map(super::types::Column::name).eq(stream
                .schema
                .fields()
                .iter()
                .map(|field| field.name()))
        };
        if let Some(layout) = known.filter(|layout| layout.types == partition.types && names(layout)) {
            return Ok(layout);
        }
        let lease = self.sessions.lease().await?;
        let relation = discover::relation(&lease, &stream.name).await?;
        lease.give_back();
        let layout = Arc::new(Layout::of(&relation, &stream.schema)?);
        layout.check(&partition.types)?;
        self.layouts.lock().await.insert(stream.target.clone(), Arc::clone(&layout));
        Ok(layout)
    }
}
