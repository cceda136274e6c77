//! A token that runs out: kept, renewed once for all who wait, stored where it may be used only once.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use protocol::{Result, Secret};

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
/// no token is lost that was given.
#[derive(Clone)]
pub struct Keeper {
    inner: Arc<Inner>,
}

struct Inner {
    fetch: Fetch,
    store: Arc<dyn TokenStore>,
    current: tokio::sync::Mutex<Option<Tokens>>,
}

impl Keeper {
    /// One that has `current`, fetches by `fetch`, and stores what it fetched.
    #[must_use]
    pub fn new(current: Option<Tokens>, fetch: Fetch, store: Arc<dyn TokenStore>) -> Self {
        Self { inner: Arc::new(Inner { fetch, store, current: tokio::sync::Mutex::new(current) }) }
    }

    /// The token, fetched where there is none that is valid at `now`.
    pub async fn tokens(&self, now: DateTime<Utc>) -> Result<Tokens> {
        self.replace(move |tokens| tokens.expires.is_some_and(|at| now > at)).await
    }

    /// The token after that one, which the server rejected; what replaced it meanwhile where something did.
    pub async fn after(&self, rejected: &str) -> Result<Tokens> {
        let rejected = rejected.to_owned();
        self.replace(move |tokens| tokens.access.reveal() == rejected).await
    }

    async fn replace(&self, is_stale: impl Fn(&Tokens) -> bool) -> Result<Tokens> {
        let mut current = self.inner.current.lock().await;
        if let Some(tokens) = current.as_ref().filter(|tokens| !is_stale(tokens)) {
            return Ok(tokens.clone());
        }
        let tokens = (self.inner.fetch)(current.clone()).await?;
        self.inner.store.save(&tokens).await?;
        *current = Some(tokens.clone());
        Ok(tokens)
    }
}
