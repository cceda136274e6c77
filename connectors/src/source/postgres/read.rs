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
use super::sight::Sight;
use super::snapshot::{SAVE, named};
use super::tally;
use super::{Postgres, discover, resume};

/// Tables locked by this transaction, whichever they are, whose file is another than in its snapshot. To that snapshot a
/// truncated or rewritten table is empty. Read from the table, the number is the snapshot's; from the
/// function, today's.
const REWRITTEN: &str = "\
    SELECT c.oid::regclass FROM pg_locks l JOIN pg_class c ON c.oid = l.relation \
     WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation >= 16384 \
       AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) \
       AND c.relkind IN ('r', 'm', 't') AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)";

/// The same for a table that `LOCK TABLE` takes, with what lies below it.
fn rewritten_below(partition: &Partition, table: &Table) -> String {
    let below = if partition.leaf.is_some() {
        ""
    } else {
        " UNION SELECT i.inhrelid FROM pg_inherits i JOIN below ON i.inhparent = below.oid"
    };
    format!(
        "WITH RECURSIVE below AS (SELECT '{}'::oid AS oid{below}) \
         SELECT c.oid::regclass FROM below JOIN pg_class c USING (oid) \
          WHERE c.relkind IN ('r', 'm') AND c.relfilenode IS DISTINCT FROM pg_relation_filenode(c.oid)",
        table.oid
    )
}

const WHAT: &str = "could not lock and check the table";

/// Reads one partition into `out`.
pub(super) async fn read(
    source: &Postgres,
    stream: &ConfiguredStream,
    partition: &Partition,
    out: &mut Emitter<'_, Postgres>,
) -> Result<Sight> {
    let layout = source.layout(stream, partition).await?;
    let sight = match &partition.origin {
        Some(origin) => resume::read(source, stream, partition, origin, &layout, out).await?,
        None => whole(source, stream, partition, &layout, out).await?,
    };
    protocol::point!("read.finished");
    Ok(sight)
}

/// Reads a partition of a plan that is committed as a whole.
async fn whole(
    source: &Postgres,
    stream: &ConfiguredStream,
    partition: &Partition,
    layout: &Layout,
    out: &mut Emitter<'_, Postgres>,
) -> Result<Sight> {
    let snapshot = partition.snapshot.as_deref();
    let turn = match snapshot {
        Some(id) => source.sessions.turn(id).await,
        None => source.sessions.own_turn(partition.replayed).await,
    };
    let done = match turn {
        Ok(turn) => copied(turn, stream, partition, layout, out).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(sight) => {
            source.sessions.read(&stream.target, snapshot);
            Ok(sight)
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
) -> Result<Sight> {
    checked(&turn, partition, layout).await?;
    let sight = rows(&mut turn, stream, partition, layout, out).await?;
    turn.finish().await?;
    Ok(sight)
}

/// Locks the partition's table and makes sure that it is what was planned.
pub(super) async fn checked(client: &Client, partition: &Partition, layout: &Layout) -> Result<()> {
    let table = partition.table();
    check(client, partition, layout).await.map_err(|error| gone(error, table, layout))?;
    protocol::point!("read.checked");
    Ok(())
}

/// Copies the rows of a partition whose table is locked.
pub(super) async fn rows(
    turn: &mut Turn<'_>,
    stream: &ConfiguredStream,
    partition: &Partition,
    layout: &Layout,
    out: &mut Emitter<'_, Postgres>,
) -> Result<Sight> {
    let table = partition.table();
    let what = format!("could not read {}", table.qualified());
    let told = partition.window.as_ref().and_then(|window| window.told.as_ref().map(|told| (window, told)));
    let sight = if let Some((window, told)) = told {
        tally::copied(turn, stream, partition, layout, (window, told), out).await?
    } else {
        let schema = Arc::clone(&stream.schema);
        let decoder = Decoder::new(&layout.columns, schema, stream.on_unfit, out.batch_bytes())?;
        let rows = copy_out(turn, &partition.copy(&layout.expressions()), &what, decoder, out).await?;
        Sight { rows, ..Sight::default() }
    };
    let rows = sight.rows;
    protocol::point!("read.copied");
    tracing::debug!(stream = stream.name, table = table.name, rows, "partition read");
    if !table.lockable {
        let answers = ask(turn, WHAT, REWRITTEN).await?;
        rewritten(answers.into_iter().next().unwrap_or_default().first().and_then(|row| row.text(0)))?;
    }
    Ok(sight)
}

/// What is gone since the plan: the table, or a column of it.
fn gone(error: Error, table: &Table, layout: &Layout) -> Error {
    match error.context_value(SQLSTATE) {
        Some("42P01" | "3F000") => stale(&format!("{} is gone", table.qualified())).with_source(error),
        _ => layout.explain(error),
    }
}

/// Locks the table against changes of its shape, and checks that there were none since the plan.
async fn check(client: &Client, partition: &Partition, layout: &Layout) -> Result<()> {
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
    let rewritten_since =
        if table.lockable { rewritten_below(partition, table) } else { REWRITTEN.to_owned() };
    sql = format!("{sql}; {rewritten_since}");
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

pub(super) fn stale(message: &str) -> Error {
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
