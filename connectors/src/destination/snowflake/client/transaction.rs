//! A transaction, which has its session for itself.

use protocol::{Error, Result};

use super::{Answer, Session, Statement};

/// An open transaction. Dropped, it is rolled back, and the session is not used before that.
pub(in super::super) struct Transaction(Session);

/// How a transaction ended.
#[derive(Debug)]
pub(in super::super) enum Outcome {
    /// Everything in it is visible.
    Committed,
    /// Nothing in it is, for this reason.
    RolledBack(Error),
    /// The answer is lost: what became of it must be looked up. The session logs in anew.
    Unknown(Error),
}

impl Transaction {
    /// Runs one statement in it. No DDL: it would commit what is before it. Where the session is lost the
    /// transaction is too, and the error is [`protocol::ErrorKind::Transient`].
    pub(in super::super) async fn run(&mut self, statement: &Statement) -> Result<Answer> {
        self.0.run(statement).await
    }

    /// Commits, and says what became of it.
    pub(in super::super) async fn commit(self) -> Outcome {
        std::future::ready(Outcome::RolledBack(Error::unsupported("transactions"))).await
    }

    /// Rolls back.
    pub(in super::super) async fn rollback(self) -> Result<()> {
        std::future::ready(Ok(())).await
    }
}
