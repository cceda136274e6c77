//! Applications that write: transactions short and long, idle at first, with savepoints, undone, prepared
//! or several in one message.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use lab::Database;
use tokio::task::JoinSet;

use super::session::{Cut, Lost, Session, set};
use super::stamp::Stamp;
use super::statement::Statement;
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
    /// Commits that did not wait for the disk.
    pub(super) early: u64,
    /// Transactions that ended with their connection.
    pub(super) cut: u64,
}

impl Deeds {
    /// Everything, as numbers.
    fn all(&mut self) -> [&mut u64; 9] {
        let Self { committed, rolled_back, prepared, savepoints_undone, chained, idle, long, early, cut } =
            self;
        [committed, rolled_back, prepared, savepoints_undone, chained, idle, long, early, cut]
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
    session: Session,
    database: Arc<Database>,
    prepared: JoinSet<()>,
    truth: Arc<Truth>,
    over: Arc<AtomicBool>,
    /// Its own rows of `item`, as they are committed.
    rows: BTreeSet<i64>,
    last: i64,
    marks: i64,
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
    CommitEarly,
    RollBack,
    Prepare,
}

impl Writer {
    pub(super) async fn new(
        number: i64,
        random: fastrand::Rng,
        database: &Arc<Database>,
        truth: &Arc<Truth>,
        over: &Arc<AtomicBool>,
    ) -> Self {
        Self {
            number,
            random,
            session: Session::open(database).await,
            database: Arc::clone(database),
            prepared: JoinSet::new(),
            truth: Arc::clone(truth),
            over: Arc::clone(over),
            rows: BTreeSet::new(),
            last: 0,
            marks: 0,
            deeds: Deeds::default(),
        }
    }

    /// Writes until it is over, and until all that it has prepared has ended.
    pub(super) async fn write(mut self) -> Deeds {
        while !self.over.load(Ordering::Relaxed) {
            let ended = if self.random.u8(..100) < 3 { self.chain().await } else { self.transact().await };
            if let Err(Lost) = ended {
                self.deeds.cut += 1;
                self.session.renew().await;
            }
            let pause = Duration::from_millis(self.random.u64(5..60));
            tokio::time::sleep(pause).await;
        }
        while let Some(ended) = self.prepared.join_next().await {
            ended.expect("what was prepared can be ended");
        }
        self.deeds
    }

    async fn send(&self, sql: &str) -> Cut<()> {
        self.session.run(sql).await.map(drop)
    }

    async fn transact(&mut self) -> Cut<()> {
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
            20..30 => Ending::CommitEarly,
            _ => Ending::Commit,
        };
        self.send("BEGIN").await?;
        tokio::time::sleep(idle).await;
        let mut transaction = Transaction { rows: self.rows.clone(), ..Transaction::default() };
        let statements = self.random.u32(1..6);
        for _ in 0..statements {
            self.step(&mut transaction).await?;
            tokio::time::sleep(busy / (statements + 1)).await;
        }
        // Last, and never in what is prepared: nobody waits for a row while he holds one.
        if !matches!(ending, Ending::Prepare) && self.random.u8(..100) < 15 {
            self.change_shared(&mut transaction).await?;
            tokio::time::sleep(busy / (statements + 1)).await;
        }
        self.end(transaction, ending).await
    }

    /// One statement, or some in a savepoint that may be undone.
    async fn step(&mut self, transaction: &mut Transaction) -> Cut<()> {
        if self.random.u8(..100) >= 35 {
            return self.change(transaction).await;
        }
        self.send("SAVEPOINT s").await?;
        let before = transaction.clone();
        for _ in 0..self.random.u32(1..3) {
            self.change(transaction).await?;
        }
        if self.random.u8(..100) < 30 {
            self.send("ROLLBACK TO s").await?;
            self.deeds.savepoints_undone += 1;
            *transaction = before;
        } else if self.random.bool() {
            self.send("RELEASE s").await?;
        }
        Ok(())
    }

    /// Inserts, updates or deletes something of its own.
    async fn change(&mut self, transaction: &mut Transaction) -> Cut<()> {
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
        statement.run(&self.session, &mut transaction.work).await
    }

    /// Updates a row that others update too.
    async fn change_shared(&mut self, transaction: &mut Transaction) -> Cut<()> {
        let row = self.random.i64(1..=SHARED_ROWS);
        let stamp = Stamp::draw(&mut self.random);
        let statement = Statement::update(row, self.next(1), stamp);
        statement.run(&self.session, &mut transaction.work).await
    }

    async fn end(&mut self, transaction: Transaction, ending: Ending) -> Cut<()> {
        let mark = self.mark();
        let stands = match ending {
            Ending::Commit => self.session.commit(&self.truth, &transaction.work, mark).await?,
            Ending::CommitEarly => {
                self.deeds.early += 1;
                self.session.commit_early(&self.truth, &transaction.work, mark).await?
            }
            Ending::RollBack => {
                self.send("ROLLBACK").await?;
                self.deeds.rolled_back += 1;
                return Ok(());
            }
            Ending::Prepare => return self.prepare(transaction).await,
        };
        if stands {
            self.rows = transaction.rows;
            self.deeds.committed += 1;
        }
        Ok(())
    }

    /// Leaves the transaction to somebody who ends it some time later.
    async fn prepare(&mut self, transaction: Transaction) -> Cut<()> {
        while self.prepared.len() >= PREPARED {
            let ended = self.prepared.join_next().await;
            ended.expect("there are some").expect("what was prepared can be ended");
        }
        let name = format!("{}-{}", self.number, self.deeds.prepared + 1);
        if let Err(Lost) = self.send(&format!("PREPARE TRANSACTION '{name}'")).await {
            self.session.renew().await;
            if !is_prepared(&mut self.session, &name).await {
                return Err(Lost);
            }
        }
        self.deeds.prepared += 1;
        // They are locked until then, and stay as they will be.
        self.rows.retain(|row| !transaction.touched.contains(row));
        let (is_undone, delay) = (self.random.u8(..100) < 20, self.random.u64(0..1500));
        let (truth, database, work) = (Arc::clone(&self.truth), Arc::clone(&self.database), transaction.work);
        self.prepared.spawn(async move {
            tokio::time::sleep(Duration::from_millis(delay)).await;
            let mut session = Session::open(&database).await;
            if is_undone {
                resolve(&mut session, "ROLLBACK", &name).await;
                return;
            }
            let number = truth.ask(&work);
            resolve(&mut session, "COMMIT", &name).await;
            truth.acknowledge(number, &work);
        });
        Ok(())
    }

    /// Two transactions in one message: to the server, the second has begun when the message arrived.
    async fn chain(&mut self) -> Cut<()> {
        let statements = [
            Statement::insert(Table::Item, self.next(1), 1, Stamp::Begin),
            Statement::insert(Table::Event, self.next(2), 2, Stamp::Begin),
        ];
        let marks = [self.mark(), self.mark()];
        let message = format!(
            "BEGIN; {}; {}; SELECT pg_sleep({}); COMMIT; BEGIN; {}; {}; COMMIT",
            statements[0].sql(),
            set(marks[0]),
            self.random.f64() / 4.0,
            statements[1].sql(),
            set(marks[1]),
        );
        // Where their rows are in the answer is not known before it: they are asked for all the same.
        let asked = statements.each_ref().map(|statement| {
            let mut work = Work::default();
            statement.foretell(&mut work);
            (self.truth.ask(&work), work)
        });
        let answer = self.session.run(&message).await;
        if answer.is_err() {
            self.session.renew().await;
        }
        for ((statement, mark), (number, foretold)) in statements.iter().zip(marks).zip(asked) {
            let told = match &answer {
                Ok(told) => told.clone(),
                Err(Lost) if self.session.stands(mark).await => self.session.insist(&statement.look()).await,
                Err(Lost) => {
                    self.truth.revoke(number, &foretold);
                    continue;
                }
            };
            let mut work = Work::default();
            statement.learn(&told, &mut work);
            self.truth.acknowledge(number, &work);
            self.deeds.committed += 1;
        }
        self.deeds.chained += 1;
        Ok(())
    }

    /// A mark that nobody else sets.
    fn mark(&mut self) -> i64 {
        self.marks += 1;
        self.number * RANGE + self.marks
    }

    /// The first of so many numbers that nobody else gives.
    fn next(&mut self, count: i64) -> i64 {
        let first = self.number * RANGE + self.last + 1;
        self.last += count;
        first
    }
}

/// Ends a prepared transaction, which no restart ends.
async fn resolve(session: &mut Session, how: &str, name: &str) {
    while let Err(Lost) = session.run(&format!("{how} PREPARED '{name}'")).await {
        session.renew().await;
        if !is_prepared(session, name).await {
            return;
        }
    }
}

async fn is_prepared(session: &mut Session, name: &str) -> bool {
    session.finds(&format!("pg_prepared_xacts WHERE gid = '{name}'")).await
}
