//! `RateLimitedMultipleTokenAuthenticator`: tokens that take turns, so that no one's calls run out before the others'.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::DateTime;
use protocol::{Error, Result};
use reqwest::Method;
use url::Url;

use super::quota::{Ledger, Pool, Quota, Reserve, Step, codes, moment, whole};
use crate::http::{Answer, Moment, Request, pause};
use crate::source::declarative::component::Component;
use crate::source::declarative::config::place;
use crate::source::declarative::fault::{ErrorHandler, Tries, Verdict};
use crate::source::declarative::moment::Duration as Length;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::{Context, TextTemplate};
use crate::source::declarative::value::{Map, Value};

/// Shortest wait for new calls, however soon the server says they come.
const SHORTEST: Duration = Duration::from_secs(5);

/// Tokens that take turns. One for all streams that name the same tokens and quotas.
pub(super) struct Rotation {
    tokens: Vec<String>,
    pools: Vec<Pool>,
    /// Asked for what a token has left.
    status: Request,
    /// Statuses by which that server says that it does not count.
    uncounted: Vec<i64>,
    header: String,
    word: String,
    longest: Duration,
    reserve: Reserve,
    seeding: tokio::sync::Mutex<()>,
    ledger: Mutex<Ledger>,
}

impl Rotation {
    pub(super) fn build(component: &Component<'_>, scope: &Scope) -> Result<Arc<Self>> {
        let parameters = Map::new().into();
        let context = scope.context(&parameters);
        let tokens = tokens(component, &context)?;
        if tokens.is_empty() {
            return Err(Error::config("the configuration has no token to authenticate with"));
        }
        for token in &tokens {
            scope.vault().mask().add(token);
        }
        let source = component.required("quota_status_source")?;
        let status = status(&source, &context)?;
        let named = |field: &str, default: &str| -> Result<String> {
            Ok(component.text(field)?.filter(|text| !text.is_empty()).unwrap_or_else(|| default.to_owned()))
        };
        let longest = TextTemplate::compile(&named("max_wait_time", "PT2H")?)?.eval_text(&context)?;
        let number = |field: &str, default: f64| match component.value(field) {
            #[expect(clippy::cast_precision_loss, reason = "numbers of calls are small")]
            Some(Value::Int(number)) => *number as f64,
            Some(Value::Float(number)) => *number,
            _ => default,
        };
        let quotas = component.children("quotas")?;
        if quotas.is_empty() {
            return Err(component.fail("`quotas` is empty"));
        }
        let key = format!("{tokens:?} {}", Value::from(bare(component.fields())).to_json());
        let rotation = Self {
            pools: quotas.iter().map(|quota| Pool::build(quota, &context)).collect::<Result<_>>()?,
            tokens,
            status,
            uncounted: codes(&source, "unavailable_status_codes"),
            header: named("header", "Authorization")?,
            word: named("auth_method", "Bearer")?,
            longest: length(&longest)?,
            reserve: Reserve {
                fraction: number("budget_reserve_fraction", 0.1),
                least: number("budget_min_reserve", 50.0),
            },
            seeding: tokio::sync::Mutex::default(),
            ledger: Mutex::default(),
        };
        Ok(scope.vault().rotation(key, || rotation))
    }

    /// Sets the header of the token whose turn it is, once it may be used.
    pub(super) async fn sign(&self, request: &mut Request, scope: &Scope) -> Result<()> {
        if !self.ledger().is_seeded() {
            let _turn = self.seeding.lock().await;
            if !self.ledger().is_seeded() {
                self.seed(scope).await?;
            }
        }
        let token = self.take(self.pool(request), scope).await?;
        request.set_header(&self.header, self.value(token));
        Ok(())
    }

    /// Learns from an answer.
    pub(super) fn observe(&self, request: &Request, answer: &Answer) {
        if let Some(token) = self.sender(request) {
            let pool = self.pool(request);
            self.ledger().learn(token, pool, &self.pools[pool], answer);
        }
    }

    /// Whether a request that was refused can go out with another token.
    pub(super) fn has_alternative(&self, request: &Request) -> bool {
        self.sender(request).is_some_and(|token| self.ledger().has_other(token, self.pool(request)))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn value(&self, token: usize) -> String {
        format!("{} {}", self.word, self.tokens[token]).trim().to_owned()
    }

    /// Which token a request was sent with.
    fn sender(&self, request: &Request) -> Option<usize> {
        let value = request.header(&self.header)?;
        (0..self.tokens.len()).find(|token| self.value(*token) == value)
    }

    /// Which pool a request counts to: the first that fits, else the first that is for all, else the first.
    fn pool(&self, request: &Request) -> usize {
        let fitting = self.pools.iter().position(|pool| pool.fits(request));
        fitting.or_else(|| self.pools.iter().position(Pool::is_default)).unwrap_or(0)
    }

    /// Takes one call out of a pool and waits until it may be made.
    async fn take(&self, pool: usize, scope: &Scope) -> Result<usize> {
        let mut began = None;
        loop {
            let now = scope.vault().now(scope.clock());
            let step = self.ledger().step(pool, &self.reserve, now);
            let until = match step {
                Step::Go(token, wait) => {
                    pause(wait).await;
                    return Ok(token);
                }
                Step::Spent(until) => until,
            };
            let left = self.longest.saturating_sub(began.get_or_insert_with(Moment::now).elapsed());
            if left.is_zero() || until >= left {
                return Err(Error::transient("the calls of all tokens are used up")
                    .context("quota", self.pools[pool].name.clone())
                    .hint("Raise `max_wait_time`, or give more tokens."));
            }
            let wait = until.max(SHORTEST).min(left);
            tracing::info!(quota = self.pools[pool].name, ?wait, "the calls of all tokens are used up");
            pause(wait).await;
            let _turn = self.seeding.lock().await;
            if self.ledger().is_spent(pool) {
                self.seed(scope).await?;
            }
        }
    }

    /// Asks what each token has left.
    async fn seed(&self, scope: &Scope) -> Result<()> {
        let mut quotas = Vec::new();
        for token in 0..self.tokens.len() {
            let mut request = self.status.clone();
            request.set_header(&self.header, self.value(token));
            quotas.push(self.quotas_of(&request, scope).await?);
        }
        self.ledger().seed(quotas);
        Ok(())
    }

    async fn quotas_of(&self, request: &Request, scope: &Scope) -> Result<Vec<Quota>> {
        let now = scope.vault().now(scope.clock());
        let Some(answer) = self.ask(request, scope).await? else {
            return Ok(self.pools.iter().map(|_| Quota::untracked(now)).collect());
        };
        let body = Value::from_json(&answer.body)
            .map_err(|error| Error::data("what a token has left is no JSON").with_source(error))?;
        let quota = |pool: &Pool| -> Result<Quota> {
            let missing = |path: &[String]| {
                Error::data("the answer on what a token has left lacks a field of a quota")
                    .context("quota", pool.name.clone())
                    .context("path", path.join("."))
            };
            let find = |path: &[String]| place::get(&body, path).ok_or_else(|| missing(path));
            let count = |path: &[String]| whole(find(path)?).ok_or_else(|| missing(path));
            let remaining = count(&pool.remaining_path)?;
            Ok(Quota {
                remaining,
                reset: moment(find(&pool.reset_path)?).ok_or_else(|| missing(&pool.reset_path))?,
                limit: if pool.limit_path.is_empty() { remaining } else { count(&pool.limit_path)? },
                tracked: true,
            })
        };
        self.pools.iter().map(quota).collect()
    }

    /// The answer on a token; none where the server says that it does not count.
    async fn ask(&self, request: &Request, scope: &Scope) -> Result<Option<Answer>> {
        let handler = ErrorHandler::build(None, scope)?;
        let mut tries = Tries::new();
        loop {
            let sent = scope.client().send(request).await;
            if sent.as_ref().is_ok_and(|answer| self.uncounted.contains(&i64::from(answer.status))) {
                return Ok(None);
            }
            match handler.judge(sent.as_ref(), &mut tries) {
                Verdict::Retry { wait, .. } | Verdict::RateLimited { wait, .. } => pause(wait).await,
                Verdict::Success => return sent.map(Some),
                Verdict::Fail(error) => return Err(scope.vault().mask().error(&error)),
                _ => return Err(Error::data("the question what a token has left got no answer that counts")),
            }
        }
    }
}

/// A list of tokens, or one text of several.
fn tokens(component: &Component<'_>, context: &Context<'_>) -> Result<Vec<String>> {
    let eval = |text: &str| TextTemplate::compile(text)?.eval_text(context);
    let tokens: Vec<String> = match component.required_value("tokens")? {
        Value::List(items) => items.iter().filter_map(Value::as_text).map(eval).collect::<Result<_>>()?,
        Value::Text(text) => {
            let delimiter = component.text("token_delimiter")?.filter(|text| !text.is_empty());
            eval(text)?.split(delimiter.as_deref().unwrap_or(",")).map(str::to_owned).collect()
        }
        _ => return Err(component.fail("`tokens` must be a text or a list of texts")),
    };
    Ok(tokens.iter().map(|token| token.trim().to_owned()).filter(|token| !token.is_empty()).collect())
}

/// The request that asks what a token has left.
fn status(source: &Component<'_>, context: &Context<'_>) -> Result<Request> {
    let url = source.required_template("url")?.eval_text(context)?;
    let url = Url::parse(&url)
        .map_err(|error| source.fail("`url` is no address").context("url", url).with_source(error))?;
    let is_post = source.text("http_method")?.is_some_and(|method| method.eq_ignore_ascii_case("POST"));
    let mut request = Request::new(if is_post { Method::POST } else { Method::GET }, url);
    for (name, value) in
        source.value("request_headers").and_then(Value::as_map).iter().flat_map(|map| map.iter())
    {
        let value = TextTemplate::compile(value.as_text().unwrap_or_default())?.eval_text(context)?;
        request.set_header(name, value);
    }
    Ok(request)
}

/// A length of time that needs no calendar.
fn length(text: &str) -> Result<Duration> {
    let end = Length::parse(text)?.after(&DateTime::UNIX_EPOCH);
    end.and_then(|end| (end - DateTime::UNIX_EPOCH).to_std().ok())
        .ok_or_else(|| Error::config("`max_wait_time` is no length of time"))
}

/// A component without the parameters of the streams that it stands in.
fn bare(fields: &Map) -> Map {
    let inner = |value: &Value| match value {
        Value::Map(map) => bare(map).into(),
        Value::List(items) => Value::List(
            items
                .iter()
                .map(|item| item.as_map().map_or_else(|| item.clone(), |map| bare(map).into()))
                .collect(),
        ),
        other => other.clone(),
    };
    let own = fields.iter().filter(|(name, _)| *name != "$parameters");
    own.map(|(name, value)| (name.to_owned(), inner(value))).collect()
}
