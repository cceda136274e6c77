//! Where statements are run from: the session, the marks that they bear, and what they cost.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use protocol::{Error, Result, Spent, SpentQuery, StagedFile};

use super::client::{Answer, QueryTag, Session, Statement};
use super::target::{Target, locked};

/// What Snowflake says of what is not there, or may not be seen.
const MISSING: [&str; 2] = ["002003", "002043"];
/// Statements of a sync that are told one by one.
const MOST_TOLD: usize = 10_000;

/// Runs statements and keeps what they cost.
pub(super) struct Desk {
    pub(super) session: Session,
    queries: Mutex<Vec<SpentQuery>>,
    warehouse: AtomicBool,
    staged_files: AtomicU64,
    staged_bytes: AtomicU64,
}

impl Desk {
    pub(super) fn new(session: Session) -> Self {
        Self {
            session,
            queries: Mutex::default(),
            warehouse: AtomicBool::default(),
            staged_files: AtomicU64::default(),
            staged_bytes: AtomicU64::default(),
        }
    }

    /// Runs a statement that needs no warehouse.
    pub(super) async fn run(&self, sql: String, tag: &QueryTag) -> Result<Answer> {
        self.session.run(&Statement::new(sql).tagged(tag.clone())).await
    }

    /// Runs a statement that wakes a warehouse up.
    pub(super) async fn compute(&self, sql: String, tag: &QueryTag) -> Result<Answer> {
        self.wakes();
        self.run(sql, tag).await
    }

    /// The same; `None` where what it speaks of is not there.
    pub(super) async fn find(&self, sql: String, tag: &QueryTag) -> Result<Option<Answer>> {
        found(self.run(sql, tag).await)
    }

    /// Notes that a warehouse is at work from now on.
    pub(super) fn wakes(&self) {
        self.warehouse.store(true, Ordering::Relaxed);
    }

    /// Notes a statement that moved rows.
    pub(super) fn note(&self, what: &str, target: &Target, answer: &Answer) {
        let mut queries = locked(&self.queries);
        if queries.len() < MOST_TOLD {
            queries.push(SpentQuery {
                id: answer.query_id.clone(),
                what: what.to_owned(),
                target: target.name.clone(),
                server_millis: answer.server_millis,
            });
        }
    }

    /// Notes files that a commit took.
    pub(super) fn took(&self, files: &[StagedFile]) {
        self.staged_files.fetch_add(files.len() as u64, Ordering::Relaxed);
        self.staged_bytes.fetch_add(files.iter().map(|file| file.bytes).sum(), Ordering::Relaxed);
    }

    pub(super) fn spent(&self) -> Spent {
        let sum = self.session.spent();
        Spent {
            statements: sum.statements,
            server_millis: sum.server_millis,
            warehouse: self.warehouse.load(Ordering::Relaxed),
            staged_files: self.staged_files.load(Ordering::Relaxed),
            staged_bytes: self.staged_bytes.load(Ordering::Relaxed),
            queries: locked(&self.queries).clone(),
        }
    }
}

/// What was found, where what was asked for is there.
pub(super) fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_missing(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Whether what a statement speaks of is not there.
pub(super) fn is_missing(error: &Error) -> bool {
    error.context_value("code").is_some_and(|code| MISSING.contains(&code))
}
