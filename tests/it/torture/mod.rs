//! The promise, put to torture: after every sync the committed output holds every row version that was
//! visible in its snapshot, none twice, through any number of crashes and of syncs at once.
//!
//! Writers do to a real PostgreSQL what loses rows elsewhere ([`writer`]), and it is restarted and crashes
//! under them ([`restart`]). All the while the real binary
//! syncs to a directory and to a bucket, and is killed, started twice and told to stop ([`chaos`]). What
//! was committed when is known from those who wrote it ([`truth`]); what came out is read from the
//! commits and from the files ([`follow`]). Both are compared after each sync that succeeds, and in the
//! end ([`account`]):
//!
//! - *lost*: a version that every possible snapshot of the sync showed, and that is not there. Where a
//!   fallback was used, settled windows: one that lies before the end of the window, and is not there.
//! - *doubled*: a version that is there twice.
//! - *phantom*: a version that nobody committed, or that was gone before the sync looked.
//!
//! Two careless readers read the same tables at the same time, and must lose rows ([`control`]): else the
//! test is worth nothing.
//!
//! A test that finds nothing may be blind. Where the binary was broken on purpose, this one failed within
//! seconds: windows that did not wait for running transactions, state that left out what the snapshot did
//! not show, or what it did show; commits that took the next number instead of giving up; commits that
//! were not rolled forward.
//!
//! It takes two minutes. To let it run for an hour, or again as it went before:
//!
//! ```text
//! TIDEGATE_TORTURE_SECONDS=3600 cargo test --test it torture -- --nocapture
//! TIDEGATE_TORTURE_SEED=42 cargo test --test it torture
//! ```
//!
//! The seed decides what writers and killers do, and is printed; what the server and the clock make of
//! it differs each time.

mod account;
mod chaos;
mod control;
mod follow;
mod housekeeper;
mod others;
mod restart;
mod session;
mod settings;
mod stamp;
mod statement;
mod table;
mod truth;
mod writer;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use lab::{Cluster, Database, Options, S3};
use tokio::runtime::Handle;

use crate::support::{Lake, Project, differences};
use chaos::{Chaos, Tally};
use follow::Follow;
use others::Others;
use restart::Restarts;
use session::Session;
use settings::Settings;
use stamp::Stamp;
use statement::Statement;
use table::{SHARED_ROWS, Stream, TO_BUCKET, TO_DIRECTORY, Table};
use truth::{Truth, Version, Work};

/// Less would prove little, however long it took.
const DIRECTORY_FLOOR: Tally = Tally {
    succeeded: 20,
    killed: 8,
    undone: 2,
    twins: 5,
    conflicts: 0,
    stopped: 2,
    outlasted: 1,
    given_up: 0,
};
const BUCKET_FLOOR: Tally = Tally {
    succeeded: 10,
    killed: 4,
    undone: 1,
    twins: 2,
    conflicts: 0,
    stopped: 1,
    outlasted: 1,
    given_up: 0,
};

/// All that the parts share. What is left running ends with it.
struct Torture {
    settings: Settings,
    database: Arc<Database>,
    truth: Arc<Truth>,
    over: Arc<AtomicBool>,
    restarts: Restarts,
    cluster: Arc<Cluster>,
}

impl Drop for Torture {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

/// Ends everything where its thread fails.
struct Alarm(Arc<AtomicBool>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.store(true, Ordering::Relaxed);
        }
    }
}

impl Torture {
    async fn new() -> Self {
        let settings = Settings::from_environment();
        // Transactions of other tests would hold back what is settled.
        let cluster = Arc::new(Cluster::start(Options::default()));
        let database = Arc::new(cluster.database());
        table::create(&database).await;
        let (truth, over, restarts) = (Arc::default(), Arc::default(), Restarts::default());
        let torture = Self { settings, database, truth, over, restarts, cluster };
        let shared = Statement::insert(Table::Item, 1, SHARED_ROWS, Stamp::Begin);
        let (session, mut work) = (Session::open(&torture.database).await, Work::default());
        shared.foretell(&mut work);
        let number = torture.truth.ask(&work);
        let mut work = Work::default();
        shared.run(&session, &mut work).await.expect("nobody restarts the server yet");
        torture.truth.acknowledge(number, &work);
        torture
    }

    /// Reads as a role that has a right to read and those `grants`.
    fn project(&self, grants: &str, streams: &[Stream]) -> Project {
        let grants = format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {{role}};{grants}");
        let role = self.database.role("reader", &grants);
        let project = Project::of_url(&self.database.url_of(&role)).source("barrier_wait", "200ms");
        streams.iter().fold(project, |project, stream| project.stream(stream.configuration()))
    }

    fn to_directory(&self) -> Chaos {
        let project = self.project("", &TO_DIRECTORY);
        let lake = |stream: Stream| Lake::in_directory(&project.path("lake"), stream.name);
        let follows = TO_DIRECTORY.map(|stream| Follow::new(stream, lake(stream), &self.truth)).into();
        Chaos::new(project, follows, self.restarts.clone(), self.settings.random(101))
    }

    fn to_bucket(&self) -> Chaos {
        let bucket = S3::shared().bucket();
        let project = self.project("GRANT pg_read_all_stats TO {role}", &TO_BUCKET).in_bucket(&bucket);
        let lake = |stream: Stream| Lake::in_bucket(&bucket, stream.name);
        let follows = TO_BUCKET.map(|stream| Follow::new(stream, lake(stream), &self.truth)).into();
        Chaos::new(project, follows, self.restarts.clone(), self.settings.random(102))
    }

    fn unleash(&self, mut chaos: Chaos, floor: Tally) -> JoinHandle<Chaos> {
        let (length, over, runtime) = (self.settings.length, Arc::clone(&self.over), Handle::current());
        std::thread::spawn(move || {
            let _alarm = Alarm(Arc::clone(&over));
            chaos.reign(length, floor, &over, &runtime);
            chaos
        })
    }

    /// The last syncs, after which all must be there.
    async fn close(&self, mut chaos: Chaos) -> Chaos {
        // What is left behind by the last crash is removed by the second sync after it. A settled window
        // ends before the last rows until the lag has passed.
        for pause in [Duration::ZERO, Duration::from_millis(1500), Duration::ZERO] {
            tokio::time::sleep(pause).await;
            let runtime = Handle::current();
            let synced = tokio::task::spawn_blocking(move || {
                chaos.sync(&runtime);
                chaos.verify();
                chaos
            });
            chaos = synced.await.unwrap_or_else(|error| resume_unwind(error.into_panic()));
        }
        for follow in &mut chaos.follows {
            follow.close(&self.current(follow.stream.table).await).await;
            follow.account.is_right(|| format!("in {} in the end", follow.stream.name));
        }
        chaos
    }

    /// The writers' account and the tables are one: else all that is judged by it is worth nothing.
    async fn is_true(&self) {
        for table in Table::ALL {
            let told = self.truth.select(table, Version::is_current);
            let told: Vec<i64> = told.iter().map(|version| version.written.version).collect();
            let held: Vec<i64> = self.current(table).await.into_iter().collect();
            assert!(told == held, "{}: {}", table.name(), differences(&told, &held));
        }
    }

    /// The versions that a table holds, by its own word.
    async fn current(&self, table: Table) -> BTreeSet<i64> {
        let rows = self.database.query(&format!("SELECT version FROM {}", table.name())).await;
        let number = |row: &Vec<Option<String>>| row[0].as_ref().and_then(|text| text.parse().ok());
        rows.iter().map(|row| number(row).expect("a version is a number")).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_version_is_lost_doubled_or_invented_whatever_happens() {
    let torture = Torture::new().await;
    eprintln!("TIDEGATE_TORTURE_SEED={}", torture.settings.seed);
    let begin = Instant::now();
    let others = Others::start(&torture).await;
    let reigns = [
        ("directory", torture.unleash(torture.to_directory(), DIRECTORY_FLOOR)),
        ("bucket", torture.unleash(torture.to_bucket(), BUCKET_FLOOR)),
    ];
    let mut destinations = Vec::new();
    for (name, reign) in reigns {
        let ended = tokio::task::spawn_blocking(|| reign.join()).await.expect("it waits");
        destinations.push(ended.map(|chaos| (name, chaos)));
    }
    // All have ended by now, and none is cut short by the failure of another.
    let destinations =
        destinations.into_iter().map(|ended| ended.unwrap_or_else(|panic| resume_unwind(panic)));
    let destinations: Vec<_> = destinations.collect();
    torture.over.store(true, Ordering::Relaxed);
    let mut summary = others.end(&torture).await;
    torture.is_true().await;
    for (name, chaos) in destinations {
        let chaos = torture.close(chaos).await;
        let _ = writeln!(summary, "to a {name}: {:?}", chaos.tally);
        for follow in &chaos.follows {
            let _ = writeln!(summary, "  {}", follow.summary());
        }
    }
    // The figures are part of the proof: they are printed by a test that passes, too.
    let seconds = begin.elapsed().as_secs();
    let _ = write!(std::io::stderr(), "torture, seed {}, {seconds} s\n{summary}", torture.settings.seed);
}
