//! A connection to a server that is restarted now and then, and commits whose answer is lost with it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::Database;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use super::truth::{Truth, Work};

/// A restart that takes longer has failed.
const PATIENCE: Duration = Duration::from_mins(2);

/// The connection is gone, and what was not committed with it.
#[derive(Debug)]
pub(super) struct Lost;

/// What can be cut short by a restart.
pub(super) type Cut<T> = Result<T, Lost>;

/// A row of an answer: three numbers, as statements that write and those that look return them.
pub(super) type Told = [Option<i64>; 3];

/// A connection that can be made again.
pub(super) struct Session {
    database: Arc<Database>,
    client: Client,
}

impl Session {
    pub(super) async fn open(database: &Arc<Database>) -> Self {
        let client = connect(database).await;
        Self { database: Arc::clone(database), client }
    }

    /// Waits until the server can be reached again.
    pub(super) async fn renew(&mut self) {
        self.client = connect(&self.database).await;
    }

    /// Runs what must succeed while the server is there; returns the rows that hold three numbers.
    pub(super) async fn run(&self, sql: &str) -> Cut<Vec<Told>> {
        let answer = match self.client.simple_query(sql).await {
            Ok(answer) => answer,
            Err(error) if self.client.is_closed() || is_end(&error) => return Err(Lost),
            Err(error) => panic!("{sql}: {error:?}"),
        };
        let number = |text: &str| text.parse().unwrap_or_else(|_| panic!("{sql}: {text} is no number"));
        let told = |message: SimpleQueryMessage| match message {
            SimpleQueryMessage::Row(row) if row.len() == 3 => {
                Some([0, 1, 2].map(|column| row.get(column).map(number)))
            }
            _ => None,
        };
        Ok(answer.into_iter().filter_map(told).collect())
    }

    /// The same, again and again until the server answers: of statements that may run twice.
    pub(super) async fn insist(&mut self, sql: &str) -> Vec<Told> {
        loop {
            match self.run(sql).await {
                Ok(told) => return told,
                Err(Lost) => self.renew().await,
            }
        }
    }

    /// Whether a question that is answered by `SELECT …, NULL, NULL` has an answer.
    pub(super) async fn finds(&mut self, from: &str) -> bool {
        !self.insist(&format!("SELECT 1, NULL, NULL FROM {from}")).await.is_empty()
    }

    /// Commits the open transaction, under a `mark` that nobody else sets. Whether it stands; lost where
    /// that was never asked for.
    pub(super) async fn commit(&mut self, truth: &Truth, work: &Work, mark: i64) -> Cut<bool> {
        self.run(&set(mark)).await?;
        let number = truth.ask(work);
        let mut stands = self.run("COMMIT").await.is_ok();
        if !stands {
            self.renew().await;
            stands = self.stands(mark).await;
        }
        truth.settle(number, work, stands);
        Ok(stands)
    }

    /// The same, without waiting for the disk: what others see of it may be undone until it is there.
    pub(super) async fn commit_early(&mut self, truth: &Truth, work: &Work, mark: i64) -> Cut<bool> {
        self.run(&format!("SET LOCAL synchronous_commit = off; {}", set(mark))).await?;
        let number = truth.ask(work);
        let stands = self.lasts(mark).await;
        truth.settle(number, work, stands);
        Ok(stands)
    }

    async fn lasts(&mut self, mark: i64) -> bool {
        let begin = Instant::now();
        if let Ok(end) = self.end_early().await {
            while let Ok(told) =
                self.run("SELECT (pg_current_wal_flush_lsn() - '0/0')::bigint, NULL, NULL").await
            {
                // Three rounds of the log's writer, of 200 ms, come before that.
                if told[0][0] >= end || begin.elapsed() > Duration::from_secs(3) {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        self.renew().await;
        self.stands(mark).await
    }

    /// Commits, and returns where the log ends then.
    async fn end_early(&self) -> Cut<Option<i64>> {
        self.run("COMMIT").await?;
        let told = self.run("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, NULL, NULL").await?;
        Ok(told[0][0])
    }

    /// Whether the transaction that has set this mark was committed, once its session is gone.
    pub(super) async fn stands(&mut self, mark: i64) -> bool {
        self.finds(&format!("mark WHERE id = {mark}")).await
    }
}

/// The statement that sets a mark.
pub(super) fn set(mark: i64) -> String {
    format!("INSERT INTO mark VALUES ({mark})")
}

/// Whether the server says that it goes, or is not there yet.
fn is_end(error: &tokio_postgres::Error) -> bool {
    let ends = [SqlState::ADMIN_SHUTDOWN, SqlState::CRASH_SHUTDOWN, SqlState::CANNOT_CONNECT_NOW];
    error.is_closed() || error.code().is_none_or(|code| ends.contains(code))
}

async fn connect(database: &Database) -> Client {
    let begin = Instant::now();
    loop {
        match database.config().connect(NoTls).await {
            Ok((client, connection)) => {
                tokio::spawn(connection);
                return client;
            }
            Err(error) if is_end(&error) && begin.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Err(error) => panic!("the server does not come back: {error:?}"),
        }
    }
}
