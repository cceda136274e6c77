//! Both systems and what is asked of them whatever happened: no row lost, none doubled.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, RecordBatch};
use arrow_cast::cast;
use arrow_schema::DataType;
use engine::{ConnectionConfig, Report, Sync};
use protocol::WriteMode;
use serde_json::{Value, json};

use super::source::Position;
use super::{Faults, MemoryDestination, MemorySource, Store, Table, Tables};

/// No sync of a few rows takes this long: one that does hangs.
const HANGS: Duration = Duration::from_mins(1);

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) tables: Arc<Tables>,
    pub(crate) store: Arc<Store>,
    pub(crate) config: Value,
    has_crashed: Arc<AtomicBool>,
}

impl World {
    /// One stream, `numbers`, synced incrementally.
    pub(crate) fn new(table: Table) -> Self {
        Self::with_streams([("numbers", table)])
    }

    pub(crate) fn with_streams<const N: usize>(tables: [(&str, Table); N]) -> Self {
        let streams: Vec<_> = tables.iter().map(|(name, _)| json!({"name": name, "cursor": "id"})).collect();
        let config = json!({
            "source": "s", "destination": "d", "streams": streams, "retries": 0, "retry_wait": "0s",
            "parallelism": 1, "memory": "64MiB", "commit_interval": "0s"
        });
        let world =
            Self { tables: Arc::default(), store: Arc::default(), config, has_crashed: Arc::default() };
        for (name, table) in tables {
            world.tables.put(name, table);
        }
        world
    }

    #[must_use]
    pub(crate) fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config[key] = value.into();
        self
    }

    /// Sets a key of the only stream.
    #[must_use]
    pub(crate) fn set_stream(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config["streams"][0][key] = value.into();
        self
    }

    /// Files are cut at `bytes`: at 1, each batch makes one.
    #[must_use]
    pub(crate) fn files_of(self, bytes: u64) -> Self {
        self.store.options.lock().unwrap().target_bytes = bytes;
        self
    }

    /// A process that is about to sync.
    pub(crate) fn sync(&self, faults: &Arc<Faults>) -> Sync {
        let config: ConnectionConfig = serde_json::from_value(self.config.clone()).unwrap();
        let source = MemorySource { tables: Arc::clone(&self.tables), faults: Arc::clone(faults) };
        let destination = MemoryDestination { store: Arc::clone(&self.store), faults: Arc::clone(faults) };
        let sync = Sync::new("c", config, Arc::new(source), Arc::new(destination));
        faults.stops(sync.stop());
        sync
    }

    pub(crate) async fn run(&self, faults: &Arc<Faults>) -> Report {
        let sync = self.sync(faults);
        let report = within(sync.run()).await;
        assert_counts(&sync);
        assert_eq!(sync.progress().budget().0, 0, "bytes are spent after the end");
        if self.has_crashed.load(Ordering::SeqCst) {
            // A task of the process that died may run for a moment yet.
            self.nobody_reads().await;
        }
        assert_eq!(self.tables.reads.now(), 0, "a read goes on after the end");
        report
    }

    /// Runs until it ends or the process dies.
    pub(crate) async fn run_or_crash(&self, faults: &Arc<Faults>) -> Option<Report> {
        let sync = self.sync(faults);
        let report = within(async {
            tokio::select! {
                biased;
                () = faults.crashed() => None,
                report = sync.run() => Some(report),
            }
        })
        .await;
        assert_counts(&sync);
        // Also a panic leaves tasks behind, for a moment.
        if report.as_ref().is_none_or(|report| report.exit_code == 70) {
            self.died().await;
        }
        report
    }

    /// A sync was dropped: its tasks must be gone soon.
    pub(crate) async fn died(&self) {
        self.has_crashed.store(true, Ordering::SeqCst);
        self.nobody_reads().await;
    }

    /// Waits until no task reads.
    pub(crate) async fn nobody_reads(&self) {
        within(async {
            while self.tables.reads.now() > 0 {
                tokio::task::yield_now().await;
            }
        })
        .await;
    }

    /// A sync that nothing disturbs succeeds.
    pub(crate) async fn run_well(&self) -> Report {
        let report = self.run(&Faults::none()).await;
        assert_eq!(report.exit_code, 0, "{report:#?}");
        report
    }

    /// Ids of all visible rows of a target, sorted.
    pub(crate) fn ids(&self, target: &str) -> Vec<i64> {
        let mut ids: Vec<i64> =
            self.store.files(target).iter().flat_map(|(_, batches)| batches).flat_map(ids).collect();
        ids.sort_unstable();
        ids
    }

    /// No row lost, none doubled, no file twice, no state back, nothing learned twice, no rule broken.
    pub(crate) fn assert_whole(&self, name: &str, context: &str) {
        let table = self.tables.get(name);
        assert_eq!(self.ids(name), (0..table.rows).collect::<Vec<_>>(), "{context}: rows of {name}");
        self.assert_sound(name, context);
        let state = self.store.head(name).state;
        assert!(state.unfinished.is_none(), "{context}: unfinished after the end");
        let position: Position = serde_json::from_value(state.source.unwrap().value).unwrap();
        let expected =
            Position { until: table.rows, rows: table.rows, sum: (0..table.rows).sum(), unsettled: false };
        assert_eq!(position, expected, "{context}: what was learned of {name}");
    }

    /// What holds at any moment: no row doubled, what is visible is accounted for in the state.
    pub(crate) fn assert_sound(&self, name: &str, context: &str) {
        assert_eq!(self.store.violations(), Vec::<String>::new(), "{context}");
        let ids = self.ids(name);
        assert!(ids.is_sorted_by(|a, b| a < b), "{context}: doubled rows in {ids:?}");
        let mut until = 0;
        let mut files = BTreeMap::new();
        self.store.target(name, |target| {
            for (at, commit) in target.commits.iter().enumerate() {
                assert_eq!(commit.sequence, at as u64 + 1, "{context}");
                for file in &commit.files {
                    let other = files.insert(file.path.clone(), file.rows);
                    assert_eq!(other, None, "{context}: {} is committed twice", file.path);
                }
                let now =
                    commit.state.source.as_ref().map_or(0, |state| state.value["until"].as_i64().unwrap());
                assert!(now >= until, "{context}: state goes back from {until} to {now}");
                until = now;
            }
        });
        for (path, batches) in self.store.files(name) {
            let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
            assert_eq!(files[&path], rows as u64, "{context}: rows of {path}");
        }
        self.assert_accounted(name, &ids, context);
    }

    /// Visible rows and rows that remain are all rows of the plan, and no row is both.
    fn assert_accounted(&self, name: &str, ids: &[i64], context: &str) {
        let overwrites = self.store.target(name, |target| {
            target.commits.iter().any(|commit| commit.write_mode == WriteMode::Overwrite)
        });
        if overwrites {
            return;
        }
        let state = self.store.head(name).state;
        let until = |state: &protocol::Versioned| state.value["until"].as_i64().unwrap();
        let (planned, remaining) = match &state.unfinished {
            Some(left) => (until(&left.next), left.remaining.clone()),
            None => (state.source.as_ref().map_or(0, until), Vec::new()),
        };
        let mut all = ids.to_vec();
        for partition in remaining {
            all.extend(partition["from"].as_i64().unwrap()..partition["to"].as_i64().unwrap());
        }
        all.sort_unstable();
        assert_eq!(all, (0..planned).collect::<Vec<_>>(), "{context}: visible and remaining rows of {name}");
    }
}

/// No count goes below zero.
fn assert_counts(sync: &Sync) {
    for stream in sync.progress().streams() {
        let counts = [&stream.rows, &stream.bytes, &stream.staged_bytes, &stream.partitions_done];
        assert!(counts.iter().all(|count| count.get() < 1 << 60), "below zero: {stream:?}");
    }
}

fn ids(batch: &RecordBatch) -> Vec<i64> {
    let column = cast(batch.column_by_name("id").unwrap(), &DataType::Int64).unwrap();
    assert_eq!(column.null_count(), 0);
    column.as_primitive::<Int64Type>().values().to_vec()
}

/// Ends the test when `future` hangs.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(HANGS, future).await.expect("hangs")
}

/// Runs `future` and drops it at its `polls`-th poll; `None` when it was dropped.
pub(crate) async fn drop_at_poll<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    struct Limited<F>(Option<Pin<Box<F>>>, usize);
    impl<F: Future> Future for Limited<F> {
        type Output = Option<F::Output>;
        fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
            if self.1 == 0 {
                self.0 = None;
                return Poll::Ready(None);
            }
            self.1 -= 1;
            let Some(future) = &mut self.0 else { return Poll::Ready(None) };
            future.as_mut().poll(context).map(Some)
        }
    }
    let limited = Limited(Some(Box::pin(future)), polls);
    within(limited).await
}

/// Lets all other tasks run until they have nothing to do but wait.
pub(crate) async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}
