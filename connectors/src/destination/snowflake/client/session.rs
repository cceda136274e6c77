//! One session with the server.

use std::sync::Arc;

use protocol::{Error, Result};

use super::{Account, Answer, QueryTag, Statement, Transaction, UploadTarget};

/// A session. Cheap to clone; statements run one after the other. Logs in at the first statement, and
/// again where the server has forgotten it.
#[derive(Clone)]
pub(in super::super) struct Session(Arc<Account>);

/// What a session and its siblings have cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Spent {
    /// Statements run.
    pub(in super::super) statements: u64,
    /// How long the server took to answer them.
    pub(in super::super) server_millis: u64,
}

impl Session {
    /// A session with that account. Reads key and certificates; speaks to nobody yet.
    pub(in super::super) fn open(account: Account, tag: QueryTag) -> Result<Self> {
        let _ = tag;
        Ok(Self(Arc::new(account)))
    }

    /// Another session of the same account, which does not wait for this one's transactions. What it
    /// costs is counted with this one's.
    pub(in super::super) fn sibling(&self) -> Self {
        self.clone()
    }

    /// Runs one statement and reads its whole answer. Sends it again, under the same id, where the
    /// connection fails. A future that is dropped aborts the statement. Waits while a transaction is open.
    pub(in super::super) async fn run(&self, statement: &Statement) -> Result<Answer> {
        std::future::ready(Err(Error::unsupported(statement.text().to_owned()))).await
    }

    /// Begins a transaction, which has the session for itself until it ends.
    pub(in super::super) async fn transaction(&self) -> Result<Transaction> {
        std::future::ready(Err(Error::unsupported("transactions"))).await
    }

    /// Asks where a stage's files are: `sql` is a `PUT` or a `GET`. Fresh credentials at each call; no
    /// warehouse is needed. Waits while a transaction is open: uploads have a [`Session::sibling`].
    pub(in super::super) async fn upload_target(&self, sql: &str) -> Result<UploadTarget> {
        std::future::ready(Err(Error::unsupported(sql.to_owned()))).await
    }

    /// What this session and its siblings have cost so far.
    pub(in super::super) fn spent(&self) -> Spent {
        Spent::default()
    }

    /// Logs out, if it is logged in. Never fails: a session that is not closed ends by itself.
    pub(in super::super) async fn close(&self) {
        std::future::ready(()).await;
    }
}
