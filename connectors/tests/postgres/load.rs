//! A large first load without an engine: its parts are committed one by one, by one process or several.

use std::collections::HashMap;

use lab::Database;
use protocol::{DynPlan, Grain, Planned};
use serde_json::Value;

use crate::harness::{Rowlet, Rows, Sync, open};

/// Rows, each with a version that no other row version has; eight to a block, so that few make many blocks.
pub(crate) const ROWS: i64 = 9_000;
const TABLE: &str = "CREATE SEQUENCE versions; \
     CREATE TABLE t (version int8 NOT NULL DEFAULT nextval('versions'), id int8, at timestamptz DEFAULT now(), \
     pad text DEFAULT repeat('x', 40)) WITH (fillfactor = 10, autovacuum_enabled = off); CREATE INDEX ON t (at)";

/// Moves rows, with and without a new value of the cursor, adds some and deletes some.
const CHURN: &str = "\
     UPDATE t SET version = DEFAULT, at = now() WHERE id % 3 = 0; \
     UPDATE t SET version = DEFAULT WHERE id % 5 = 0; \
     DELETE FROM t WHERE id % 7 = 0; \
     INSERT INTO t (id) SELECT generate_series(100000, 100200); \
     UPDATE t SET version = DEFAULT, at = '2001-01-01' WHERE id % 11 = 0";

/// The second time it finds blocks that the first time left free.
pub(crate) async fn churn(database: &Database) {
    for sql in [CHURN, "VACUUM t", CHURN] {
        database.execute(sql).await;
    }
}

pub(crate) async fn table(database: &Database) {
    table_of(database, ROWS).await;
}

pub(crate) async fn table_of(database: &Database, rows: i64) {
    let rows = format!("INSERT INTO t (id) SELECT generate_series(1, {rows})");
    database.execute(&format!("{TABLE}; {rows}; ANALYZE t")).await;
}

/// A stream of versions whose first load has several parts.
pub(crate) async fn first_load(database: &Database, settings: Value) -> Sync {
    let mut sync = Sync::full_of(open(&database.url(), settings).await, "public.t").await.by("at").ids();
    sync.parallelism = 8;
    sync
}

/// A large load, committed part by part.
pub(crate) struct Load {
    pub(crate) plan: DynPlan,
    pub(crate) left: Vec<Planned<Value>>,
    /// What was committed, as often as it was.
    pub(crate) times: HashMap<String, u32>,
}

impl Load {
    pub(crate) async fn begin(sync: &Sync) -> Self {
        Self::planned(sync, "seen_set", HashMap::new()).await
    }

    /// A look at all rows, after what was read so far.
    pub(crate) async fn sweep(self, sync: &mut Sync) -> Self {
        sync.sweep = true;
        let load = Self::planned(sync, "sweep", self.times).await;
        sync.sweep = false;
        load
    }

    async fn planned(sync: &Sync, mode: &str, times: HashMap<String, u32>) -> Self {
        let mut plan = sync.plan().await.unwrap();
        assert_eq!((plan.grain, plan.mode.as_str()), (Grain::Partition, mode));
        assert!(plan.partitions.len() >= 4, "{} parts", plan.partitions.len());
        let left = std::mem::take(&mut plan.partitions);
        Self { plan, left, times }
    }

    /// What a later process knows: only what a commit keeps.
    pub(crate) fn take(&mut self, rows: Rows) {
        for row in rows {
            *self.times.entry(row).or_default() += 1;
        }
    }

    /// Reads a part and commits it.
    pub(crate) async fn part(&mut self, sync: &Sync, at: usize) -> protocol::Result<()> {
        let partition = self.left[at].partition.clone();
        let mut outlet = Rowlet::default();
        let seen = sync.source.read(&sync.stream, partition.clone(), &mut outlet).await?;
        sync.source.advance(&mut self.plan.next, &partition, seen)?;
        self.left.remove(at);
        self.take(outlet.rows);
        Ok(())
    }

    pub(crate) async fn parts(&mut self, sync: &Sync, count: usize) {
        for _ in 0..count.min(self.left.len()) {
            self.part(sync, 0).await.unwrap();
        }
    }

    /// Reads what is left, and all rounds that follow. Returns how many there were, and their notes.
    pub(crate) async fn end(&mut self, sync: &mut Sync) -> (usize, Vec<String>) {
        self.parts(sync, usize::MAX).await;
        let mut state = self.plan.next.clone();
        let (mut rounds, mut notes) = (0, Vec::new());
        while !sync.source.is_settled(&state) {
            rounds += 1;
            assert!(rounds < 8, "it does not settle: {notes:?}");
            sync.state = Some(state);
            let mut plan = sync.plan().await.unwrap();
            assert_eq!(plan.grain, Grain::Plan);
            for planned in std::mem::take(&mut plan.partitions) {
                let mut outlet = Rowlet::default();
                let seen =
                    sync.source.read(&sync.stream, planned.partition.clone(), &mut outlet).await.unwrap();
                sync.source.advance(&mut plan.next, &planned.partition, seen).unwrap();
                self.take(outlet.rows);
            }
            notes.extend(plan.notes);
            state = plan.next;
        }
        sync.state = Some(state);
        (rounds, notes)
    }

    /// Every row of the table is there as it is, and nothing twice.
    pub(crate) async fn is_whole(&self, database: &Database) {
        let doubled: Vec<_> = self.times.iter().filter(|(_, times)| **times > 1).take(5).collect();
        assert!(doubled.is_empty(), "doubled {doubled:?}");
        let lost = self.lost(database).await;
        assert!(lost.is_empty(), "{} lost, such as {:?}", lost.len(), &lost[..lost.len().min(5)]);
    }

    pub(crate) async fn lost(&self, database: &Database) -> Vec<String> {
        let rows = database.query("SELECT version FROM t").await;
        let versions = rows.into_iter().map(|row| row[0].clone().unwrap());
        versions.filter(|version| !self.times.contains_key(version)).collect()
    }
}

/// A new process: it has nothing but the state.
pub(crate) async fn restarted(sync: &mut Sync, database: &Database, settings: Value) {
    sync.source.close().await;
    sync.source = open(&database.url(), settings).await;
}
