//! One session: its login, and whose turn it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex as Lock, PoisonError};
use std::time::Duration;

use protocol::{Error, Result};
use tokio::runtime::Handle;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::login::Login;
use super::pace::Pace;
use super::service::{Pulse, Service};
use super::{Account, Answer, QueryTag, Statement, Transaction, UploadTarget};

/// A session. Cheap to clone; statements run one after the other. Logs in at the first statement, and
/// again where the server has forgotten it.
#[derive(Clone)]
pub(in super::super) struct Session(pub(super) Arc<Inner>);

/// What a session and its siblings have cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in super::super) struct Spent {
    /// Statements run.
    pub(in super::super) statements: u64,
    /// How long the server took to answer them.
    pub(in super::super) server_millis: u64,
}

/// What clones of a session share.
pub(super) struct Inner {
    pub(super) service: Arc<Service>,
    login: Mutex<Option<Login>>,
    logins: AtomicU64,
    /// Held by the statement or the transaction that runs.
    pub(super) turn: Arc<Mutex<()>>,
    /// Which statement of the session it is.
    pub(super) sequence: AtomicU64,
    /// Aborts that are under way. Nothing is sent before they are through.
    parting: Lock<Vec<JoinHandle<()>>>,
}

impl Session {
    /// A session with that account. Reads key and certificates; speaks to nobody yet.
    #[expect(clippy::needless_pass_by_value, reason = "a session is what an account becomes")]
    pub(in super::super) fn open(account: Account, tag: QueryTag) -> Result<Self> {
        Self::paced(&account, &tag, Pace::default())
    }

    pub(super) fn paced(account: &Account, tag: &QueryTag, pace: Pace) -> Result<Self> {
        Ok(Self::of(Arc::new(Service::new(account, &tag.text(), pace)?)))
    }

    fn of(service: Arc<Service>) -> Self {
        Self(Arc::new(Inner {
            service,
            login: Mutex::default(),
            logins: AtomicU64::new(0),
            turn: Arc::default(),
            sequence: AtomicU64::new(0),
            parting: Lock::default(),
        }))
    }

    /// Another session of the same account, which does not wait for this one's transactions. What it
    /// costs is counted with this one's.
    pub(in super::super) fn sibling(&self) -> Self {
        Self::of(Arc::clone(&self.0.service))
    }

    /// Runs one statement and reads its whole answer. Sends it again, under the same id, where the
    /// connection fails. A future that is dropped aborts the statement. Waits while a transaction is open.
    pub(in super::super) async fn run(&self, statement: &Statement) -> Result<Answer> {
        let _turn = self.0.turn.lock().await;
        let done = self.0.execute(statement, None).await.map_err(|fault| fault.error)?;
        done.answer(&self.0.service.http).await
    }

    /// Begins a transaction, which has the session for itself until it ends.
    pub(in super::super) async fn transaction(&self) -> Result<Transaction> {
        Transaction::begin(self).await
    }

    /// Asks where a stage's files are: `sql` is a `PUT` or a `GET`. Fresh credentials at each call; no
    /// warehouse is needed. Waits while a transaction is open: uploads have a [`Session::sibling`].
    pub(in super::super) async fn upload_target(&self, sql: &str) -> Result<UploadTarget> {
        let _turn = self.0.turn.lock().await;
        let done = self.0.execute(&Statement::new(sql), None).await.map_err(|fault| fault.error)?;
        UploadTarget::read(done.data())
    }

    /// What this session and its siblings have cost so far.
    pub(in super::super) fn spent(&self) -> Spent {
        let (statements, server_millis) = self.0.service.counted();
        Spent { statements, server_millis }
    }

    /// Logs out, if it is logged in, once aborts are through. Never fails: a session that is not closed
    /// ends by itself. The next statement logs in again.
    pub(in super::super) async fn close(&self) {
        let _turn = self.0.turn.lock().await;
        self.0.settle().await;
        self.0.part().await;
    }
}

impl Inner {
    /// The login, made now where there is none. With `bound` it must be that one: a statement that may have
    /// been done in it, or that belongs to its transaction, has no place in another. `None` where it is not.
    pub(super) async fn login(self: &Arc<Self>, bound: Option<u64>) -> Result<Option<Login>> {
        let mut login = self.login.lock().await;
        match (&*login, bound) {
            (Some(login), Some(bound)) => Ok((login.number == bound).then(|| login.clone())),
            (Some(login), None) => Ok(Some(login.clone())),
            (None, Some(_)) => Ok(None),
            (None, None) => {
                let number = self.logins.fetch_add(1, Ordering::Relaxed) + 1;
                let made = self.service.log_in(number).await?;
                self.keep_alive(&made);
                *login = Some(made.clone());
                Ok(Some(made))
            }
        }
    }

    /// Renews the token, once for all that found it expired. Where only a login helps the login is forgotten.
    pub(super) async fn renew(&self, expired: &Login) -> Result<()> {
        let mut login = self.login.lock().await;
        if login.as_ref().is_none_or(|now| now.session != expired.session) {
            return Ok(());
        }
        *login = self.service.renew(expired).await?;
        Ok(())
    }

    /// Forgets a login that the server does not know any more.
    pub(super) async fn forget(&self, lost: &Login) {
        let mut login = self.login.lock().await;
        if login.as_ref().is_some_and(|now| now.number == lost.number) {
            *login = None;
        }
    }

    /// Logs out, which rolls back what is open. Whether nothing can be open any more.
    pub(super) async fn part(&self) -> bool {
        match self.login.lock().await.take() {
            Some(login) => self.service.log_out(&login).await,
            None => true,
        }
    }

    /// Waits for the aborts of statements whose futures were dropped.
    pub(super) async fn settle(&self) {
        let parting = std::mem::take(&mut *self.parting.lock().unwrap_or_else(PoisonError::into_inner));
        for task in parting {
            // An abort that panicked is through as well.
            let _ = task.await;
        }
    }

    /// Does that in the background, before anything else is sent.
    pub(super) fn in_parting(&self, task: impl Future<Output = ()> + Send + 'static) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut parting = self.parting.lock().unwrap_or_else(PoisonError::into_inner);
        parting.retain(|task| !task.is_finished());
        parting.push(runtime.spawn(task));
    }

    /// Tells the server now and then that the session is in use, while long work is under way elsewhere.
    fn keep_alive(self: &Arc<Self>, login: &Login) {
        /// No server can mean less.
        const SHORTEST: Duration = Duration::from_millis(50);
        let longest = self.service.http.pace().heartbeat;
        let every = login.valid.map_or(longest, |valid| (valid / 4).clamp(SHORTEST, longest));
        let (weak, number) = (Arc::downgrade(self), login.number);
        tokio::spawn(async move {
            loop {
                sleep(every).await;
                let Some(session) = weak.upgrade() else { return };
                let login = session.login.lock().await.clone();
                let Some(login) = login.filter(|login| login.number == number) else { return };
                if session.service.heartbeat(&login).await == Pulse::Expired {
                    // What fails here is found by the next statement.
                    let _ = session.renew(&login).await;
                }
            }
        });
    }
}

impl Drop for Inner {
    /// A session that nobody has any more is closed, if there is still somebody to do it.
    fn drop(&mut self) {
        let Some(login) = self.login.get_mut().take() else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        let service = Arc::clone(&self.service);
        runtime.spawn(async move { service.log_out(&login).await });
    }
}

/// The session ended under a statement.
pub(super) fn lost(in_transaction: bool, what: &str) -> Error {
    if in_transaction {
        Error::transient(format!("Snowflake ended the session before {what}: its transaction is rolled back"))
    } else {
        Error::transient(format!(
            "Snowflake ended the session during {what}: whether it was done is not known"
        ))
    }
}
