//! A token that runs out: kept, renewed once for all who wait, stored where it may be used only once.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use protocol::{Error, Result, Secret};

/// What a server gave.
#[derive(Clone)]
pub struct Tokens {
    /// What requests are signed with.
    pub access: Secret,
    /// When it runs out; `None` for never.
    pub expires: Option<DateTime<Utc>>,
    /// What the next token is asked for with, where it was replaced.
    pub refresh: Option<Secret>,
}

/// Where tokens are kept between two runs. A refresh token that may be used once is lost with the process that did
/// not store its successor.
pub trait TokenStore: Send + Sync {
    /// Stores what was just given, before it is used.
    fn save<'a>(&'a self, tokens: &'a Tokens) -> BoxFuture<'a, Result<()>>;
}

/// Stores nothing.
pub struct NoStore;

impl TokenStore for NoStore {
    fn save<'a>(&'a self, _: &'a Tokens) -> BoxFuture<'a, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// Fetches tokens; gets those that are to be replaced.
pub type Fetch = Arc<dyn Fn(Option<Tokens>) -> BoxFuture<'static, Result<Tokens>> + Send + Sync>;

/// Keeps one token for all who sign with it. A renewal that has begun goes on where who asked for it is gone, so that
/// no token is lost that was given. Cheap to clone.
#[derive(Clone)]
pub struct Keeper {
    inner: Arc<Inner>,
}

struct Inner {
    fetch: Fetch,
    store: Arc<dyn TokenStore>,
    current: RwLock<Option<Tokens>>,
    /// Held while tokens are fetched.
    turn: tokio::sync::Mutex<()>,
}

impl Keeper {
    /// One that has `current`, fetches by `fetch`, and stores what it fetched.
    #[must_use]
    pub fn new(current: Option<Tokens>, fetch: Fetch, store: Arc<dyn TokenStore>) -> Self {
        Self {
            inner: Arc::new(Inner {
                fetch,
                store,
                current: RwLock::new(current),
                turn: tokio::sync::Mutex::default(),
            }),
        }
    }

    /// The token, fetched where there is none that is valid at `now`.
    pub async fn tokens(&self, now: DateTime<Utc>) -> Result<Tokens> {
        self.replace(move |tokens| tokens.expires.is_some_and(|at| now > at)).await
    }

    /// The token after that one, which the server rejected; what replaced it meanwhile where something did.
    pub async fn after(&self, rejected: &str) -> Result<Tokens> {
        let rejected = Secret::new(rejected);
        self.replace(move |tokens| tokens.access == rejected).await
    }

    /// The token that is kept, valid or not.
    #[must_use]
    pub fn current(&self) -> Option<Tokens> {
        self.inner.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn replace(&self, is_stale: impl Fn(&Tokens) -> bool + Send + 'static) -> Result<Tokens> {
        if let Some(tokens) = self.current().filter(|tokens| !is_stale(tokens)) {
            return Ok(tokens);
        }
        let keeper = self.clone();
        tokio::spawn(async move {
            let _turn = keeper.inner.turn.lock().await;
            let current = keeper.current();
            if let Some(tokens) = current.as_ref().filter(|tokens| !is_stale(tokens)) {
                return Ok(tokens.clone());
            }
            let mut tokens = (keeper.inner.fetch)(current.clone()).await?;
            // Many servers give a refresh token once and mean it to be used again.
            tokens.refresh = tokens.refresh.or_else(|| current.and_then(|before| before.refresh));
            *keeper.inner.current.write().unwrap_or_else(PoisonError::into_inner) = Some(tokens.clone());
            keeper.inner.store.save(&tokens).await?;
            Ok(tokens)
        })
        .await
        .map_err(|error| Error::internal("a token's renewal did not end").with_source(error))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    fn counting(count: Arc<AtomicU32>) -> Fetch {
        Arc::new(move |before| {
            let count = count.clone();
            Box::pin(async move {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let number = count.fetch_add(1, Ordering::SeqCst) + 1;
                assert_eq!(before.is_some(), number > 1);
                Ok(Tokens {
                    access: Secret::new(format!("token {number}")),
                    expires: Some(DateTime::UNIX_EPOCH + Duration::from_secs(100)),
                    refresh: (number == 1).then(|| Secret::new("r")),
                })
            })
        })
    }

    fn at(seconds: u64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[tokio::test]
    async fn all_who_wait_share_one_renewal() {
        let count = Arc::new(AtomicU32::new(0));
        let keeper = Keeper::new(None, counting(count.clone()), Arc::new(NoStore));
        let all = futures::future::join_all((0..20).map(|_| keeper.tokens(at(0)))).await;
        assert!(all.iter().all(|tokens| tokens.as_ref().unwrap().access.reveal() == "token 1"));
        keeper.tokens(at(100)).await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), 1);
        assert_eq!(keeper.tokens(at(101)).await.unwrap().access.reveal(), "token 2");
        assert_eq!(
            keeper.current().unwrap().refresh.unwrap().reveal(),
            "r",
            "it stays where none replaces it"
        );
    }

    #[tokio::test]
    async fn a_rejected_token_is_replaced_once() {
        let count = Arc::new(AtomicU32::new(0));
        let keeper = Keeper::new(None, counting(count.clone()), Arc::new(NoStore));
        keeper.tokens(at(0)).await.unwrap();
        let all = futures::future::join_all((0..20).map(|_| keeper.after("token 1"))).await;
        assert!(all.iter().all(|tokens| tokens.as_ref().unwrap().access.reveal() == "token 2"));
        assert_eq!(count.load(Ordering::SeqCst), 2);
    }

    #[derive(Default)]
    struct Shelf(std::sync::Mutex<Vec<String>>);

    impl TokenStore for Shelf {
        fn save<'a>(&'a self, tokens: &'a Tokens) -> BoxFuture<'a, Result<()>> {
            self.0.lock().unwrap().push(tokens.access.reveal().to_owned());
            Box::pin(async { Ok(()) })
        }
    }

    #[tokio::test]
    async fn what_was_given_is_stored_also_where_nobody_waits_any_more() {
        let shelf = Arc::new(Shelf::default());
        let keeper = Keeper::new(None, counting(Arc::default()), shelf.clone());
        let asked = tokio::time::timeout(Duration::from_millis(1), keeper.tokens(at(0))).await;
        assert!(asked.is_err());
        while keeper.current().is_none() || shelf.0.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(*shelf.0.lock().unwrap(), ["token 1"]);
    }
}
