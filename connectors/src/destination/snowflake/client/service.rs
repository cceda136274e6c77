//! What the server does besides statements: login, renewal, heartbeat, logout, abort. One for a session and
//! its siblings; keeps no tokens.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chrono::Utc;
use protocol::{Error, Result, Secret};
use reqwest::Method;
use serde_json::json;
use tokio::time::{sleep, timeout};
use url::Url;
use uuid::Uuid;

use super::account::Account;
use super::host::Host;
use super::http::{Call, Failure, Http};
use super::identity::Identity;
use super::login::{self, Login, Terms};
use super::pace::Pace;
use super::refusal::{self, NOT_RUNNING, Refused, SESSION_EXPIRED};
use super::reply::Reply;

const ABORT: &str = "/queries/v1/abort-request";
/// How often a login is tried: who mistyped the account shall not wait for long.
const LOGIN_TRIES: usize = 4;
/// Longest time that a logout or an abort may take: neither is worth a wait.
const PARTING: Duration = Duration::from_secs(10);

/// An account's server, and who we are there.
pub(super) struct Service {
    pub(super) http: Http,
    account: String,
    identity: Identity,
    terms: Terms,
    role: Option<String>,
    secrets: Vec<Secret>,
    statements: AtomicU64,
    server_millis: AtomicU64,
}

/// What a heartbeat finds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Pulse {
    /// The session lives on.
    Alive,
    /// Its token must be renewed.
    Expired,
    /// Not known.
    Silent,
}

impl Service {
    pub(super) fn new(account: &Account, tag: &str, pace: Pace) -> Result<Self> {
        let host = Host::of(account)?;
        let secrets = [
            &account.private_key,
            &account.private_key_passphrase,
            &account.access_token,
            &account.oauth_token,
            &account.password,
            &account.proxy,
        ];
        Ok(Self {
            identity: Identity::of(account)?,
            http: Http::new(account, host.url, pace)?,
            account: host.account,
            terms: Terms::of(account, tag),
            role: account.role.clone(),
            secrets: secrets.into_iter().flatten().cloned().collect(),
            statements: AtomicU64::new(0),
            server_millis: AtomicU64::new(0),
        })
    }

    /// Logs in. A key pair signs anew at each try.
    pub(super) async fn log_in(&self, number: u64) -> Result<Login> {
        let what = "log in";
        let mut url = self.http.url(login::LOGIN, Uuid::new_v4());
        url.query_pairs_mut().extend_pairs(&self.terms.query);
        let body = || Ok(self.terms.body(self.identity.claims(&self.account, Utc::now())?));
        let tries = self.http.pace().tries.min(LOGIN_TRIES);
        let call = Call { method: Method::POST, url, token: None, body: &body, counted: false, tries };
        let reply = self.http.call(&call).await.map_err(|failure| self.http.error(what, failure))?;
        if !reply.success {
            let error = self.refused(what, &reply, &[], None).context("account", self.account.clone());
            return Err(match self.identity.fingerprint() {
                Some(fingerprint) => error.context("key", fingerprint),
                None => error,
            });
        }
        let login = Login::read(&reply, number)?;
        tracing::debug!(account = self.account, login = number, "logged in to Snowflake");
        Ok(login)
    }

    /// Renews the session's token; `None` where only a login helps.
    pub(super) async fn renew(&self, old: &Login) -> Result<Option<Login>> {
        let Some(master) = &old.master else { return Ok(None) };
        let what = "renew the session";
        let reply = self.post(login::RENEW, master, login::renewal(old), self.http.pace().tries).await;
        let reply = reply.map_err(|failure| self.http.error(what, failure))?;
        if reply.success { old.renewed(&reply).map(Some) } else { Ok(None) }
    }

    /// Tells the server that the session is in use.
    pub(super) async fn heartbeat(&self, login: &Login) -> Pulse {
        match self.post(login::HEARTBEAT, &login.session, Bytes::new(), 3).await {
            Ok(reply) if reply.code() == SESSION_EXPIRED => Pulse::Expired,
            Ok(reply) if reply.success => Pulse::Alive,
            _ => Pulse::Silent,
        }
    }

    /// Ends the session; an open transaction is rolled back with it. Whether it was heard.
    pub(super) async fn log_out(&self, login: &Login) -> bool {
        let mut url = self.http.url(login::LOGOUT, Uuid::new_v4());
        url.query_pairs_mut().append_pair("delete", "true");
        let said = timeout(PARTING, self.post_to(url, &login.session, Bytes::new(), 2)).await;
        matches!(said, Ok(Ok(reply)) if reply.success)
    }

    /// Aborts the statement of that request. It may not have begun yet: asked again then, a few times.
    pub(super) async fn abort(&self, login: &Login, request: Uuid) {
        let body = Bytes::from(json!({ "requestId": request.to_string() }).to_string());
        let asking = async {
            for asked in 0..4 {
                match self.post(ABORT, &login.session, body.clone(), 2).await {
                    Ok(reply) if reply.code() == NOT_RUNNING => sleep(self.http.pace().poll(asked)).await,
                    _ => return,
                }
            }
        };
        if timeout(PARTING, asking).await.is_err() {
            tracing::warn!(request = %request, "no answer from Snowflake to the abort of a statement");
        }
    }

    async fn post(&self, path: &str, token: &Secret, body: Bytes, tries: usize) -> Result<Reply, Failure> {
        self.post_to(self.http.url(path, Uuid::new_v4()), token, body, tries).await
    }

    async fn post_to(&self, url: Url, token: &Secret, body: Bytes, tries: usize) -> Result<Reply, Failure> {
        let body = || Ok(body.clone());
        let token = Some(token);
        let tries = self.http.pace().tries.min(tries);
        self.http.call(&Call { method: Method::POST, url, token, body: &body, counted: false, tries }).await
    }

    /// The error that a refusal is. `concealed` must not be shown besides our own secrets.
    pub(super) fn refused(
        &self,
        what: &str,
        reply: &Reply,
        concealed: &[Secret],
        query: Option<&str>,
    ) -> Error {
        let secrets: Vec<&Secret> = self.secrets.iter().chain(concealed).collect();
        refusal::error(&Refused { what, role: self.role.as_deref(), secrets: &secrets, query }, reply)
    }

    /// Counts a statement.
    pub(super) fn count(&self, server_millis: u64) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.server_millis.fetch_add(server_millis, Ordering::Relaxed);
    }

    /// Statements so far, and how long the server took.
    pub(super) fn counted(&self) -> (u64, u64) {
        (self.statements.load(Ordering::Relaxed), self.server_millis.load(Ordering::Relaxed))
    }
}
