//! Running a statement: sent until it is answered, waited for until it is done, aborted if nobody waits.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use protocol::{Error, Result};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::http::{Call, Failure, Http};
use super::login::Login;
use super::refusal::{IN_PROGRESS, SESSION_EXPIRED, SESSION_LOST};
use super::reply::Reply;
use super::rows::ResultData;
use super::session::{Inner, lost};
use super::{Answer, Statement};

const QUERY: &str = "/queries/v1/query-request";
/// How often a token may expire under one request: a server that takes none of its own would never end.
const MOST_RENEWALS: u32 = 3;
/// An answer that comes sooner was not held until the statement was done.
const HELD: Duration = Duration::from_secs(1);

/// A statement that was done.
pub(super) struct Done {
    reply: Reply,
    server_millis: u64,
    /// The login it was done in.
    pub(super) login: u64,
}

/// A statement that was not, or that nothing is known of.
pub(super) struct Fault {
    pub(super) error: Error,
    /// Whether it may have been done all the same.
    pub(super) maybe: bool,
    /// Whether the session is gone, and its transaction with it.
    pub(super) lost: bool,
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { error, maybe: true, lost: false }
    }
}

impl Done {
    /// `data` as it came.
    pub(super) fn data(&self) -> &str {
        self.reply.data.as_deref().map_or("null", |data| data.get())
    }

    /// The answer, read to its end.
    pub(super) async fn answer(self, http: &Http) -> Result<Answer> {
        let data: ResultData = serde_json::from_str(self.data())
            .map_err(|_| Error::transient("the answer of a statement can't be read"))?;
        data.answer(http, self.server_millis).await
    }
}

impl Inner {
    /// Runs a statement. `within` is the login of its transaction. The caller has the turn.
    pub(super) async fn execute(
        self: &Arc<Self>,
        statement: &Statement,
        within: Option<u64>,
    ) -> Result<Done, Fault> {
        self.settle().await;
        let began = Instant::now();
        let mut running = Running { session: Arc::clone(self), statement, login: None };
        let result = self.send(statement, within, &mut running).await;
        let server_millis = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.service.count(server_millis);
        match result {
            Ok((reply, login, query)) => {
                running.login = None;
                let kind = statement.kind();
                if reply.success {
                    tracing::debug!(statement = kind, query, millis = server_millis, "ran in Snowflake");
                    return Ok(Done { reply, server_millis, login });
                }
                let maybe = reply.after_uncertain;
                let what = format!("run {kind}");
                let error = self.service.refused(&what, &reply, &statement.concealed, query.as_deref());
                Err(Fault { error, maybe, lost: false })
            }
            Err(fault) => Err(fault),
        }
    }

    /// Sends it until the server has an answer of its own; also tells login and query.
    async fn send(
        self: &Arc<Self>,
        statement: &Statement,
        within: Option<u64>,
        running: &mut Running<'_>,
    ) -> Result<(Reply, u64, Option<String>), Fault> {
        let what = statement.kind();
        let body = self.body(statement);
        let body = || Ok(body.clone());
        let (mut bound, mut uncertain, mut renewals, mut logins) = (within, false, 0, 0);
        loop {
            let unsent = |error| Fault { error, maybe: uncertain, lost: false };
            let Some(login) = self.login(bound).await.map_err(unsent)? else {
                return Err(gone(within, &what));
            };
            running.login = Some(login.clone());
            let url = self.service.http.url(QUERY, statement.request_id);
            let token = Some(&login.session);
            let tries = self.service.http.pace().tries;
            let call = Call { method: Method::POST, url, token, body: &body, counted: true, tries };
            let mut reply = self.called(&call, &what, running).await?;
            uncertain |= reply.after_uncertain;
            reply.after_uncertain = uncertain;
            if uncertain {
                bound = Some(login.number);
            }
            match reply.code() {
                SESSION_EXPIRED if renewals < MOST_RENEWALS => {
                    renewals += 1;
                    self.renew(&login).await?;
                }
                code if SESSION_LOST.contains(&code) && (bound.is_some() || logins == 0) => {
                    self.forget(&login).await;
                    logins += 1;
                    running.login = None;
                }
                code if IN_PROGRESS.contains(&code) => {
                    return self.wait(reply, login, within, &what, running).await;
                }
                _ => {
                    let query = query_of(&reply);
                    return Ok((reply, login.number, query));
                }
            }
        }
    }

    /// Asks until a statement that the server works on is done.
    async fn wait(
        self: &Arc<Self>,
        first: Reply,
        login: Login,
        within: Option<u64>,
        what: &str,
        running: &mut Running<'_>,
    ) -> Result<(Reply, u64, Option<String>), Fault> {
        let query = query_of(&first);
        let told = |fault: Fault| match &query {
            Some(query) => Fault { error: fault.error.context("query", query.clone()), ..fault },
            None => fault,
        };
        let number = login.number;
        let mut url = self.referred(&first).map_err(|error| told(error.into()))?;
        let (mut asked, mut renewals) = (0, 0);
        loop {
            let Some(login) = self.login(Some(number)).await? else { return Err(told(gone(within, what))) };
            running.login = Some(login.clone());
            let began = Instant::now();
            let call = Call {
                method: Method::GET,
                url: url.clone(),
                token: Some(&login.session),
                body: &|| Ok(Bytes::new()),
                counted: false,
                tries: self.service.http.pace().tries,
            };
            let reply = self.called(&call, what, running).await.map_err(told)?;
            match reply.code() {
                SESSION_EXPIRED if renewals < MOST_RENEWALS => {
                    renewals += 1;
                    self.renew(&login).await?;
                }
                code if SESSION_LOST.contains(&code) => {
                    self.forget(&login).await;
                    running.login = None;
                }
                code if IN_PROGRESS.contains(&code) => {
                    renewals = 0;
                    url = self.referred(&reply).unwrap_or(url);
                    if began.elapsed() < HELD {
                        sleep(self.service.http.pace().poll(asked)).await;
                        asked += 1;
                    }
                }
                // It is an answer to the statement, however often it was asked for.
                _ => {
                    let query = query_of(&reply).or(query);
                    return Ok((Reply { after_uncertain: first.after_uncertain, ..reply }, number, query));
                }
            }
        }
    }

    async fn called(&self, call: &Call<'_>, what: &str, running: &mut Running<'_>) -> Result<Reply, Fault> {
        self.service.http.call(call).await.map_err(|failure: Failure| {
            let maybe = failure.uncertain || !call.counted;
            if !maybe {
                // It never reached the server: there is nothing to abort.
                running.login = None;
            }
            let error = self.service.http.error(&format!("run {what}"), failure);
            Fault { error, maybe, lost: false }
        })
    }

    fn referred(&self, reply: &Reply) -> Result<url::Url> {
        let data: ResultData = reply.data().unwrap_or_default();
        let to = data.get_result_url.filter(|url| !url.is_empty());
        let to = to.ok_or_else(|| Error::transient("the server does not say where the answer will be"))?;
        self.service.http.referred(&to)
    }

    fn body(&self, statement: &Statement) -> Bytes {
        let mut parameters = BTreeMap::from([("MULTI_STATEMENT_COUNT", Value::from(1))]);
        if let Some(tag) = &statement.tag {
            parameters.insert("QUERY_TAG", tag.text().into());
        }
        if let Some(timeout) = statement.timeout {
            parameters.insert("STATEMENT_TIMEOUT_IN_SECONDS", timeout.as_secs().max(1).into());
        }
        let bindings: BTreeMap<String, Value> = statement
            .bindings
            .iter()
            .enumerate()
            .map(|(at, value)| ((at + 1).to_string(), value.json()))
            .collect();
        let mut body = json!({
            "sqlText": statement.text,
            "asyncExec": false,
            "sequenceId": self.sequence.fetch_add(1, Ordering::Relaxed) + 1,
            "isInternal": false,
            "parameters": parameters,
            "queryContextDTO": { "entries": [] },
        });
        if !bindings.is_empty() {
            body["bindings"] = json!(bindings);
        }
        Bytes::from(body.to_string())
    }
}

fn query_of(reply: &Reply) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Id {
        query_id: Option<String>,
    }
    reply.data::<Id>()?.query_id.filter(|id| !id.is_empty())
}

fn gone(within: Option<u64>, what: &str) -> Fault {
    Fault { error: lost(within.is_some(), what), maybe: true, lost: true }
}

/// A statement that is on its way. Dropped before it is answered, it is aborted.
struct Running<'a> {
    session: Arc<Inner>,
    statement: &'a Statement,
    login: Option<Login>,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        // What becomes of a COMMIT must not be made less certain still.
        let Some(login) = self.login.take().filter(|_| !self.statement.settles) else { return };
        let (service, request) = (Arc::clone(&self.session.service), self.statement.request_id);
        self.session.in_parting(async move { service.abort(&login, request).await });
    }
}
