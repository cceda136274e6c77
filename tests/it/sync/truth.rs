//! The promise about cursors, against writers that do what loses rows elsewhere: transactions that end
//! late, equal values, rollbacks, rows without a value.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use lab::{Cluster, Database, Options};
use serde_json::json;

use crate::support::{Lake, Project};

const LENGTH: Duration = Duration::from_secs(10);
const WRITERS: u64 = 4;
/// Longer than any truncation of the clock in `ties`.
const LAG: Duration = Duration::from_secs(1);

/// What writers have committed: the versions of each row, in order.
type History = BTreeMap<i64, Vec<i64>>;

struct Writers {
    database: Arc<Database>,
    over: Arc<AtomicBool>,
    ids: Arc<AtomicI64>,
}

impl Writers {
    /// Writes transactions to `ledger` and `ties` until it is over; returns what was committed.
    async fn write(&self, mut random: fastrand::Rng) -> History {
        let client = self.database.client().await;
        let run = async |sql: String| {
            client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
        };
        let mut history = History::new();
        while !self.over.load(Ordering::Relaxed) {
            let mut written = Vec::new();
            run("BEGIN".to_owned()).await;
            for _ in 0..random.u32(1..5) {
                // Own rows only: nobody waits for a lock.
                let known = history.len();
                let old = if known > 0 && random.u8(..) < 80 {
                    history.keys().nth(random.usize(..known))
                } else {
                    None
                };
                let (id, version) = match old {
                    Some(id) => (*id, history[id].last().expect("it has a version") + 1),
                    None => (self.ids.fetch_add(1, Ordering::Relaxed), 1),
                };
                if written.iter().any(|(done, _)| *done == id) {
                    continue;
                }
                written.push((id, version));
                // As databases set it: at the begin of the transaction, or at the statement.
                let now = if random.bool() { "now()" } else { "clock_timestamp()" };
                for (table, value) in
                    [("ledger", now.to_owned()), ("ties", format!("date_trunc('second', {now})"))]
                {
                    run(format!(
                        "INSERT INTO {table} (id, version, updated_at) VALUES ({id}, {version}, {value}) \
                         ON CONFLICT (id) DO UPDATE SET version = excluded.version, updated_at = excluded.updated_at"
                    ))
                    .await;
                }
                // The history is what takes time.
                tokio::time::sleep(Duration::from_millis(random.u64(0..20))).await;
            }
            let length = if random.u8(..) < 16 { random.u64(500..1500) } else { random.u64(0..100) };
            tokio::time::sleep(Duration::from_millis(length)).await;
            if random.u8(..) < 50 {
                run("ROLLBACK".to_owned()).await;
                continue;
            }
            run("COMMIT".to_owned()).await;
            for (id, version) in written {
                history.entry(id).or_default().push(version);
            }
        }
        history
    }
}

/// Reads as is done elsewhere: all that is greater than the greatest value seen.
async fn naive(database: &Database, over: &AtomicBool) -> BTreeSet<(i64, i64)> {
    let client = database.client().await;
    let (mut seen, mut greatest) = (BTreeSet::new(), "-infinity".to_owned());
    loop {
        let last = over.load(Ordering::Relaxed);
        let sql = "SELECT id, version, updated_at::text, max(updated_at) OVER ()::text FROM ledger \
                   WHERE updated_at > $1::text::timestamptz";
        for row in client.query(sql, &[&greatest]).await.expect("it is plain SQL") {
            seen.insert((row.get(0), row.get(1)));
            greatest = row.get(3);
        }
        if last {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_version_that_lasts_is_read_once_whoever_commits_late() {
    let seed = std::env::var("TIDEGATE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("TIDEGATE_TEST_SEED={seed}");
    // Transactions of other tests would hold back what is settled.
    let cluster = Cluster::start(Options::default());
    let database = Arc::new(cluster.database());
    for table in ["ledger", "ties"] {
        let create = format!(
            "CREATE TABLE {table} (id bigint PRIMARY KEY, version bigint NOT NULL, updated_at timestamptz); \
             CREATE INDEX ON {table} (updated_at); INSERT INTO {table} SELECT i, 1, NULL FROM generate_series(1, 5) i"
        );
        database.execute(&create).await;
    }
    let project = Project::new(&database)
        .source("barrier_wait", "300ms")
        .stream(json!({ "name": "public.ledger", "cursor": "updated_at", "lag": "0s" }))
        .stream(
            json!({ "name": "public.ties", "cursor": "updated_at", "lag": format!("{}s", LAG.as_secs()) }),
        );
    // The first sync reads the rows without a value.
    project.sync();
    let (over, ids) = (Arc::<AtomicBool>::default(), Arc::new(AtomicI64::new(100)));
    let writers: Vec<_> = (0..WRITERS)
        .map(|number| {
            let writers =
                Writers { database: Arc::clone(&database), over: Arc::clone(&over), ids: Arc::clone(&ids) };
            let random = fastrand::Rng::with_seed(seed.wrapping_add(number));
            tokio::spawn(async move { writers.write(random).await })
        })
        .collect();
    let reader = {
        let (database, over) = (Arc::clone(&database), Arc::clone(&over));
        tokio::spawn(async move { naive(&database, &over).await })
    };
    let (begin, mut syncs) = (Instant::now(), 0);
    while begin.elapsed() < LENGTH {
        tokio::task::block_in_place(|| project.sync());
        syncs += 1;
    }
    over.store(true, Ordering::Relaxed);
    let mut history = History::new();
    for writer in writers {
        history.extend(writer.await.expect("a writer does not fail"));
    }
    let naive = reader.await.expect("a reader does not fail");
    let lasting = database.query("SELECT id, version FROM ledger WHERE updated_at IS NOT NULL").await;
    let number =
        |text: &Option<String>| text.as_ref().and_then(|text| text.parse::<i64>().ok()).expect("a number");
    let lasting: BTreeSet<(i64, i64)> =
        lasting.iter().map(|row| (number(&row[0]), number(&row[1]))).collect();
    assert!(lasting.len() > 50, "too little was written: {}", lasting.len());
    // All that is older than the lag by now.
    tokio::task::block_in_place(|| {
        crate::support::until("the last window of both tables", || {
            let report = project.sync();
            let settled =
                format!("SELECT now() - interval '{} s' > max(updated_at) FROM ties", LAG.as_secs() + 1);
            let is_over = tokio::runtime::Handle::current().block_on(database.value(&settled));
            is_over.as_deref() == Some("t") && report["totals"]["rows_read"] == 0
        });
    });
    for table in ["public.ledger", "public.ties"] {
        let lake = Lake::in_directory(&project.path("lake"), table);
        let rows: Vec<(i64, i64)> =
            lake.rows(["id", "version"]).await.into_iter().map(|[a, b]| (a, b)).collect();
        let once: BTreeSet<(i64, i64)> = rows.iter().copied().collect();
        assert_eq!(once.len(), rows.len(), "{table}: a version was read twice");
        let lost: Vec<_> = lasting.difference(&once).collect();
        assert!(lost.is_empty(), "{table}: lost {} of {}: {lost:?}", lost.len(), lasting.len());
        let known = |(id, version): &&(i64, i64)| {
            *id <= 5 || history.get(id).is_some_and(|versions| versions.contains(version))
        };
        let strange: Vec<_> = once.iter().filter(|row| !known(row)).collect();
        assert!(strange.is_empty(), "{table}: rows that were rolled back were read: {strange:?}");
        assert_eq!(once.iter().filter(|(id, _)| *id <= 5).count(), 5, "{table}: rows without a value");
        lake.is_tidy().await;
    }
    // The history is one that loses rows where it is read carelessly: else it proved nothing.
    let lost = lasting.difference(&naive).count();
    assert!(lost > 0, "a naive reader lost nothing of {}", lasting.len());
    eprintln!("{syncs} syncs, {} rows lasted, a naive reader lost {lost}", lasting.len());
}
