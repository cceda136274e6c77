//! Readers as they are written elsewhere, on the same rows at the same time. They must lose some of
//! them: where they do not, the writers are too tame for the test to prove anything.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use lab::Database;
use tokio_postgres::Client;

use super::account::{Account, Promise};
use super::stamp::Stamp;
use super::statement::{Statement, run};
use super::table::Table;
use super::truth::{Truth, Work};

const PAUSE: Duration = Duration::from_millis(100);
/// Writers give lower ones, the housekeeper higher ones.
const FIRST_VERSION: i64 = 800_000_000_000;

/// How a reader finds what is new.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// `cursor > last`, and then the greatest value it has seen.
    Greater,
    /// First `max(cursor)`, then `cursor > last AND cursor <= max`.
    UpToMax,
}

/// A careless reader of one table. It ignores what has no finite stamp: `infinity` would end it for good.
pub(super) struct Reader {
    pub(super) table: Table,
    pub(super) habit: Habit,
    /// The greatest value it has seen, in µs.
    last: Arc<AtomicI64>,
}

impl Reader {
    /// One of each habit for both tables whose rows have a single stamp.
    pub(super) fn all() -> Vec<Self> {
        let tables = [Table::Event, Table::Item];
        let of = |table| [Habit::Greater, Habit::UpToMax].map(|habit| Self::new(table, habit));
        tables.into_iter().flat_map(of).collect()
    }

    fn new(table: Table, habit: Habit) -> Self {
        Self { table, habit, last: Arc::default() }
    }

    /// The greatest value it has seen, to be looked at while it reads.
    pub(super) fn last(&self) -> Arc<AtomicI64> {
        Arc::clone(&self.last)
    }

    /// Reads until it is over and once more, and returns its account.
    pub(super) async fn read(
        self,
        database: Arc<Database>,
        truth: Arc<Truth>,
        over: Arc<AtomicBool>,
    ) -> (Self, Account) {
        let client = database.client().await;
        let mut account = Account::new(self.table, &truth);
        for sequence in 1.. {
            let (is_last, begin) = (over.load(Ordering::Relaxed), Instant::now());
            let versions = self.look(&client).await;
            account.take(sequence, begin, versions);
            if is_last {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        account.close(Promise::Finite);
        (self, account)
    }

    async fn look(&self, client: &Client) -> Vec<i64> {
        let (table, last) = (self.table.name(), self.last.load(Ordering::Relaxed));
        let micros = |of: &str| format!("(extract(epoch FROM {of}) * 1000000)::bigint");
        let stamp = |micros: i64| format!("timestamptz 'epoch' + {micros} * interval '1 microsecond'");
        let mut from = format!("FROM {table} WHERE updated_at > {} AND updated_at < 'infinity'", stamp(last));
        if self.habit == Habit::UpToMax {
            let greatest = format!("SELECT NULL, NULL, {} {from}", micros("max(updated_at)"));
            let Some(greatest) = run(client, &greatest).await[0][2] else { return Vec::new() };
            let _ = write!(from, " AND updated_at <= {}", stamp(greatest));
        }
        let rows = run(client, &format!("SELECT version, NULL, {} {from}", micros("updated_at"))).await;
        let greatest = rows.iter().filter_map(|[_, _, position]| *position).max();
        self.last.fetch_max(greatest.unwrap_or(last), Ordering::Relaxed);
        rows.into_iter().filter_map(|[version, ..]| version).collect()
    }
}

/// Somebody who commits late on purpose: no luck is needed for a careless reader to lose rows. Each time
/// it stamps a row, lets another commit a younger one, and commits when all readers have passed by.
/// Returns how often it did.
pub(super) async fn straggle(
    database: Arc<Database>,
    truth: Arc<Truth>,
    over: Arc<AtomicBool>,
    readers: Vec<Arc<AtomicI64>>,
) -> u64 {
    let (late, early) = (database.client().await, database.client().await);
    let (mut version, mut times) = (FIRST_VERSION, 0);
    let mut insert = |table| {
        version += 1;
        Statement::insert(table, version, 1, Stamp::Clock)
    };
    let is_over = || over.load(Ordering::Relaxed);
    while !is_over() {
        run(&late, "BEGIN").await;
        let mut held_back = Work::default();
        for table in [Table::Event, Table::Item] {
            insert(table).run(&late, &mut held_back).await;
        }
        // A stamp that is later, in µs, whatever the clock of the machine counts in.
        tokio::time::sleep(Duration::from_millis(1)).await;
        run(&early, "BEGIN").await;
        let mut ahead = Work::default();
        for table in [Table::Event, Table::Item] {
            insert(table).run(&early, &mut ahead).await;
        }
        commit(&early, &truth, &ahead).await;
        let stamp = held_back.written.iter().filter_map(|written| written.position).max();
        let stamp = stamp.expect("both have a stamp");
        let have_passed = || readers.iter().all(|last| last.load(Ordering::Relaxed) > stamp);
        while !have_passed() && !is_over() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        times += u64::from(have_passed());
        commit(&late, &truth, &held_back).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    times
}

async fn commit(client: &Client, truth: &Truth, work: &Work) {
    truth.ask(work);
    run(client, "COMMIT").await;
    truth.acknowledge(work);
}
