//! Applications that write: transactions short and long, idle at first, with savepoints, undone, prepared
//! or several in one message.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lab::Database;
use tokio::task::JoinSet;
use tokio_postgres::Client;

use super::stamp::Stamp;
use super::statement::{Statement, run};
use super::table::{SHARED_ROWS, Table};
use super::truth::{Truth, Work};

/// Numbers of one writer's rows and versions lie in a range of their own.
const RANGE: i64 = 1_000_000_000;
/// Prepared transactions of one writer at a time: the server has room for few.
const PREPARED: usize = 2;

/// What writers did, to be sure that they did it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deeds {
    pub(super) committed: u64,
    pub(super) rolled_back: u64,
    pub(super) prepared: u64,
    /// Parts of transactions that were undone, the rest not.
    pub(super) savepoints_undone: u64,
    /// Messages of several transactions.
    pub(super) chained: u64,
    /// Transactions that waited before they wrote.
    pub(super) idle: u64,
    pub(super) long: u64,
}

impl Deeds {
    /// Everything, as numbers.
    fn all(&mut self) -> [&mut u64; 7] {
        let Self { committed, rolled_back, prepared, savepoints_undone, chained, idle, long } = self;
        [committed, rolled_back, prepared, savepoints_undone, chained, idle, long]
    }

    pub(super) fn add(&mut self, mut other: Self) {
        for (sum, more) in self.all().into_iter().zip(other.all()) {
            *sum += *more;
        }
    }

    pub(super) fn reaches(mut self, mut floor: Self) -> bool {
        self.all().into_iter().zip(floor.all()).all(|(sum, least)| sum >= least)
    }
}

/// One application with one connection.
pub(super) struct Writer {
    number: i64,
    random: fastrand::Rng,
    client: Client,
    /// Ends what was prepared.
    resolver: Arc<Client>,
    prepared: JoinSet<()>,
    truth: Arc<Truth>,
    over: Arc<AtomicBool>,
    /// Its own rows of `item`, as they are committed.
    rows: BTreeSet<i64>,
    last: i64,
    deeds: Deeds,
}

/// A transaction under way.
#[derive(Clone, Default)]
struct Transaction {
    work: Work,
    /// The writer's rows, if it commits.
    rows: BTreeSet<i64>,
    touched: BTreeSet<i64>,
}

enum Ending {
    Commit,
    RollBack,
    Prepare,
}

impl Writer {
    pub(super) async fn new(
        number: i64,
        random: fastrand::Rng,
        database: &Database,
        truth: &Arc<Truth>,
        over: &Arc<AtomicBool>,
    ) -> Self {
        Self {
            number,
            random,
            client: database.client().await,
            resolver: Arc::new(database.client().await),
            prepared: JoinSet::new(),
            truth: Arc::clone(truth),
            over: Arc::clone(over),
            rows: BTreeSet::new(),
            last: 0,
            deeds: Deeds::default(),
        }
    }

    /// Writes until it is over, and until all that it has prepared has ended.
    pub(super) async fn write(mut self) -> Deeds {
        while !self.over.load(Ordering::Relaxed) {
            if self.random.u8(..100) < 3 {
                self.chain().await;
            } else {
                self.transact().await;
            }
            let pause = Duration::from_millis(self.random.u64(5..60));
            tokio::time::sleep(pause).await;
        }
        while let Some(ended) = self.prepared.join_next().await {
            ended.expect("what was prepared can be ended");
        }
        self.deeds
    }

    async fn send(&self, sql: &str) {
        run(&self.client, sql).await;
    }

    async fn transact(&mut self) {
        let length = Duration::from_millis(match self.random.u8(..100) {
            0..80 => self.random.u64(0..40),
            80..94 => self.random.u64(40..500),
            _ => self.random.u64(500..3000),
        });
        self.deeds.long += u64::from(length > Duration::from_millis(500));
        let (idle, busy) = if self.random.bool() {
            self.deeds.idle += 1;
            let share = self.random.f64();
            (length.mul_f64(share), length.mul_f64(1.0 - share))
        } else {
            (Duration::ZERO, length)
        };
        let ending = match self.random.u8(..100) {
            0..12 => Ending::RollBack,
            12..20 => Ending::Prepare,
            _ => Ending::Commit,
        };
        self.send("BEGIN").await;
        tokio::time::sleep(idle).await;
        let mut transaction = Transaction { rows: self.rows.clone(), ..Transaction::default() };
        let statements = self.random.u32(1..6);
        for _ in 0..statements {
            self.step(&mut transaction).await;
            tokio::time::sleep(busy / (statements + 1)).await;
        }
        // Last, and never in what is prepared: nobody waits for a row while he holds one.
        if !matches!(ending, Ending::Prepare) && self.random.u8(..100) < 15 {
            self.change_shared(&mut transaction).await;
            tokio::time::sleep(busy / (statements + 1)).await;
        }
        self.end(transaction, ending).await;
    }

    /// One statement, or some in a savepoint that may be undone.
    async fn step(&mut self, transaction: &mut Transaction) {
        if self.random.u8(..100) >= 35 {
            return self.change(transaction).await;
        }
        self.send("SAVEPOINT s").await;
        let before = transaction.clone();
        for _ in 0..self.random.u32(1..3) {
            self.change(transaction).await;
        }
        if self.random.u8(..100) < 30 {
            self.send("ROLLBACK TO s").await;
            self.deeds.savepoints_undone += 1;
            *transaction = before;
        } else if self.random.bool() {
            self.send("RELEASE s").await;
        }
    }

    /// Inserts, updates or deletes something of its own.
    async fn change(&mut self, transaction: &mut Transaction) {
        let stamp = Stamp::draw(&mut self.random);
        let statement = match self.random.u8(..100) {
            0..45 => {
                let known = transaction.rows.len();
                let row = match known {
                    0 => None,
                    _ => transaction.rows.iter().nth(self.random.usize(..known)).copied(),
                };
                match (row, self.random.u8(..100)) {
                    (Some(row), 0..60) => {
                        transaction.touched.insert(row);
                        Statement::update(row, self.next(1), stamp)
                    }
                    (Some(row), 60..70) => {
                        transaction.touched.insert(row);
                        transaction.rows.remove(&row);
                        Statement::delete(row)
                    }
                    _ => {
                        let version = self.next(1);
                        transaction.touched.insert(version);
                        transaction.rows.insert(version);
                        Statement::insert(Table::Item, version, 1, stamp)
                    }
                }
            }
            number => {
                let table = match number {
                    45..70 => Table::Event,
                    70..85 => Table::Number,
                    _ => Table::Part,
                };
                // Several rows with one stamp.
                let rows = self.random.i64(1..4);
                let stamp = if table == Table::Number { Stamp::Sequence } else { stamp };
                Statement::insert(table, self.next(rows), rows, stamp)
            }
        };
        statement.run(&self.client, &mut transaction.work).await;
    }

    /// Updates a row that others update too.
    async fn change_shared(&mut self, transaction: &mut Transaction) {
        let row = self.random.i64(1..=SHARED_ROWS);
        let stamp = Stamp::draw(&mut self.random);
        let statement = Statement::update(row, self.next(1), stamp);
        statement.run(&self.client, &mut transaction.work).await;
    }

    async fn end(&mut self, transaction: Transaction, ending: Ending) {
        match ending {
            Ending::Commit => {
                self.truth.ask(&transaction.work);
                self.send("COMMIT").await;
                self.truth.acknowledge(&transaction.work);
                self.rows = transaction.rows;
                self.deeds.committed += 1;
            }
            Ending::RollBack => {
                self.send("ROLLBACK").await;
                self.deeds.rolled_back += 1;
            }
            Ending::Prepare => self.prepare(transaction).await,
        }
    }

    /// Leaves the transaction to somebody who ends it some time later.
    async fn prepare(&mut self, transaction: Transaction) {
        while self.prepared.len() >= PREPARED {
            let ended = self.prepared.join_next().await;
            ended.expect("there are some").expect("what was prepared can be ended");
        }
        self.deeds.prepared += 1;
        let name = format!("{}-{}", self.number, self.deeds.prepared);
        self.send(&format!("PREPARE TRANSACTION '{name}'")).await;
        // They are locked until then, and stay as they will be.
        self.rows.retain(|row| !transaction.touched.contains(row));
        let (is_undone, delay) = (self.random.u8(..100) < 20, self.random.u64(0..1500));
        let (truth, resolver, work) = (Arc::clone(&self.truth), Arc::clone(&self.resolver), transaction.work);
        self.prepared.spawn(async move {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            if is_undone {
                run(&resolver, &format!("ROLLBACK PREPARED '{name}'")).await;
                return;
            }
            truth.ask(&work);
            run(&resolver, &format!("COMMIT PREPARED '{name}'")).await;
            truth.acknowledge(&work);
        });
    }

    /// Two transactions in one message: to the server, the second has begun when the message arrived.
    async fn chain(&mut self) {
        let first = Statement::insert(Table::Item, self.next(1), 1, Stamp::Begin);
        let second = Statement::insert(Table::Event, self.next(2), 2, Stamp::Begin);
        let message = format!(
            "BEGIN; {}; SELECT pg_sleep({}); COMMIT; BEGIN; {}; COMMIT",
            first.sql(),
            self.random.f64() / 4.0,
            second.sql()
        );
        // Where their rows are in the answer is not known before it: they are asked for all the same.
        let mut work = Work::default();
        first.foretell(&mut work);
        second.foretell(&mut work);
        self.truth.ask(&work);
        let answer = run(&self.client, &message).await;
        let mut work = Work::default();
        first.learn(&answer, &mut work);
        second.learn(&answer, &mut work);
        self.truth.acknowledge(&work);
        self.deeds.chained += 1;
        self.deeds.committed += 2;
    }

    /// The first of so many numbers that nobody else gives.
    fn next(&mut self, count: i64) -> i64 {
        let first = self.number * RANGE + self.last + 1;
        self.last += count;
        first
    }
}
