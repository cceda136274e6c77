//! Readers as they are written elsewhere, on the same rows at the same time. They must lose some of
//! them: where they do not, the writers are too tame for the test to prove anything.

use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use lab::Database;

use super::account::{Account, Promise};
use super::session::{Cut, Lost, Session};
use super::stamp::Stamp;
use super::statement::Statement;
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
        let mut session = Session::open(&database).await;
        let mut account = Account::new(self.table, &truth);
        for sequence in 1.. {
            let (is_last, begin) = (over.load(Ordering::Relaxed), Instant::now());
            let Ok(versions) = self.look(&session).await else {
                session.renew().await;
                continue;
            };
            account.take(sequence, begin, versions);
            if is_last {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        account.close(Promise::Finite);
        (self, account)
    }

    async fn look(&self, session: &Session) -> Cut<Vec<i64>> {
        let (table, last) = (self.table.name(), self.last.load(Ordering::Relaxed));
        let micros = |of: &str| format!("(extract(epoch FROM {of}) * 1000000)::bigint");
        let stamp = |micros: i64| format!("timestamptz 'epoch' + {micros} * interval '1 microsecond'");
        let mut from = format!("FROM {table} WHERE updated_at > {} AND updated_at < 'infinity'", stamp(last));
        if self.habit == Habit::UpToMax {
            let greatest = format!("SELECT NULL, NULL, {} {from}", micros("max(updated_at)"));
            let Some(greatest) = session.run(&greatest).await?[0][2] else { return Ok(Vec::new()) };
            let _ = write!(from, " AND updated_at <= {}", stamp(greatest));
        }
        let rows = session.run(&format!("SELECT version, NULL, {} {from}", micros("updated_at"))).await?;
        let greatest = rows.iter().filter_map(|[_, _, position]| *position).max();
        self.last.fetch_max(greatest.unwrap_or(last), Ordering::Relaxed);
        Ok(rows.into_iter().filter_map(|[version, ..]| version).collect())
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
    let mut sessions = [Session::open(&database).await, Session::open(&database).await];
    let (mut version, mut times) = (FIRST_VERSION, 0);
    while !over.load(Ordering::Relaxed) {
        let is_over = || over.load(Ordering::Relaxed);
        match straggle_once(&mut sessions, &mut version, &truth, is_over, &readers).await {
            Ok(has_straggled) => times += u64::from(has_straggled),
            Err(Lost) => {
                for session in &mut sessions {
                    session.renew().await;
                }
            }
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    times
}

/// Whether all readers have passed by before the late transaction was committed.
async fn straggle_once(
    [late, early]: &mut [Session; 2],
    version: &mut i64,
    truth: &Truth,
    is_over: impl Fn() -> bool,
    readers: &[Arc<AtomicI64>],
) -> Cut<bool> {
    let mut insert = |table| {
        *version += 1;
        Statement::insert(table, *version, 1, Stamp::Clock)
    };
    late.run("BEGIN").await?;
    let mut held_back = Work::default();
    for table in [Table::Event, Table::Item] {
        insert(table).run(late, &mut held_back).await?;
    }
    // A stamp that is later, in µs, whatever the clock of the machine counts in.
    tokio::time::sleep(Duration::from_millis(1)).await;
    early.run("BEGIN").await?;
    let mut ahead = Work::default();
    for table in [Table::Event, Table::Item] {
        insert(table).run(early, &mut ahead).await?;
    }
    if !early.commit(truth, &ahead, *version).await? {
        return Err(Lost);
    }
    let stamp = held_back.written.iter().filter_map(|written| written.position).max();
    let stamp = stamp.expect("both have a stamp");
    let have_passed = || readers.iter().all(|last| last.load(Ordering::Relaxed) > stamp);
    while !have_passed() && !is_over() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let have_passed = have_passed();
    Ok(late.commit(truth, &held_back, *version - 1).await? && have_passed)
}
