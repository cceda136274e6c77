//! A transaction, which has its session for itself.

use std::sync::Arc;

use protocol::{Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::OwnedMutexGuard;

use super::query::Fault;
use super::session::{Inner, lost};
use super::{Answer, Session, Statement};

/// An open transaction. Dropped, it is rolled back, and the session is not used before that.
pub(in super::super) struct Transaction {
    session: Arc<Inner>,
    /// Given to who ends it.
    turn: Option<OwnedMutexGuard<()>>,
    /// The login that it lives in.
    login: u64,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    /// Its end is on the way.
    Ending,
    /// The session is gone.
    Lost,
    Ended,
}

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
    pub(super) async fn begin(session: &Session) -> Result<Self> {
        let session = Arc::clone(&session.0);
        let turn = Arc::clone(&session.turn).lock_owned().await;
        // From here on a drop rolls back: BEGIN may have been done.
        let mut begun = Self { session, turn: Some(turn), login: 0, state: State::Open };
        let statement = Statement::new("BEGIN");
        match begun.session.execute(&statement, None).await {
            Ok(done) => {
                begun.login = done.login;
                Ok(begun)
            }
            Err(fault) => {
                if !fault.maybe {
                    begun.state = State::Ended;
                }
                Err(fault.error)
            }
        }
    }

    /// Runs one statement in it. No DDL: it would commit what is before it. Where the session is lost the
    /// transaction is too, and the error is [`protocol::ErrorKind::Transient`].
    pub(in super::super) async fn run(&mut self, statement: &Statement) -> Result<Answer> {
        if self.state == State::Lost {
            return Err(lost(true, &statement.kind()));
        }
        let done = match self.session.execute(statement, Some(self.login)).await {
            Ok(done) => done,
            Err(fault) => {
                if fault.lost {
                    self.state = State::Lost;
                }
                return Err(fault.error);
            }
        };
        done.answer(&self.session.service.http).await
    }

    /// Commits, and says what became of it. Dropped before it says so, the commit goes on.
    pub(in super::super) async fn commit(mut self) -> Outcome {
        if self.state == State::Lost {
            self.state = State::Ended;
            return Outcome::RolledBack(lost(true, "COMMIT"));
        }
        self.state = State::Ending;
        let fault = self.session.execute(&Statement::settling("COMMIT"), Some(self.login)).await.err();
        let outcome = fault.map_or(Outcome::Committed, outcome);
        if !matches!(outcome, Outcome::Committed) {
            // Ends what may still be open before anyone looks what became of it.
            self.session.part().await;
        }
        self.state = State::Ended;
        outcome
    }

    /// Rolls back.
    pub(in super::super) async fn rollback(mut self) -> Result<()> {
        let was = std::mem::replace(&mut self.state, State::Ending);
        let undone = if was == State::Open { undo(&self.session, self.login).await } else { Ok(()) };
        self.state = State::Ended;
        undone
    }
}

/// What a COMMIT that was not answered by yes has become.
fn outcome(fault: Fault) -> Outcome {
    let certain = !fault.maybe
        && !matches!(
            fault.error.kind(),
            ErrorKind::Transient | ErrorKind::Internal | ErrorKind::RateLimited { .. }
        );
    if certain { Outcome::RolledBack(fault.error) } else { Outcome::Unknown(fault.error) }
}

/// Rolls back, or ends the session where that fails: the server then does it.
async fn undo(session: &Arc<Inner>, login: u64) -> Result<()> {
    let within = (login > 0).then_some(login);
    let Err(fault) = session.execute(&Statement::settling("ROLLBACK"), within).await else { return Ok(()) };
    if fault.lost || session.part().await { Ok(()) } else { Err(fault.error) }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        let state = self.state;
        if !matches!(state, State::Open | State::Ending) {
            return;
        }
        let Ok(runtime) = Handle::try_current() else { return };
        let (session, login, turn) = (Arc::clone(&self.session), self.login, self.turn.take());
        runtime.spawn(async move {
            // Statements must not get into a transaction whose end was not waited for.
            let undone = match state {
                State::Open => undo(&session, login).await.is_ok(),
                _ => session.part().await,
            };
            if !undone {
                tracing::warn!("a transaction may be open in Snowflake until the server ends it");
            }
            drop(turn);
        });
    }
}
