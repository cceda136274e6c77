//! An account of one test.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Fault;
use super::server::Server;

/// An account with a user who has every kind of credential, a role that may do all, a warehouse and a
/// database of its own. Tests that run at once do not see each other.
#[derive(Clone, Debug)]
pub struct Account {
    /// The account's name, as it is configured.
    pub account: String,
    pub user: String,
    pub password: String,
    /// A programmatic access token.
    pub access_token: String,
    pub oauth_token: String,
    /// PKCS#8 in PEM form.
    pub private_key: String,
    /// The same, encrypted with [`private_key_passphrase`](Self::private_key_passphrase).
    pub private_key_encrypted: String,
    pub private_key_passphrase: String,
    /// The same as PKCS#1.
    pub private_key_pkcs1: String,
    pub role: String,
    pub warehouse: String,
    pub database: String,
    pub schema: String,
    server: Arc<Server>,
}

/// Something that clients asked of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// `query`, `login`, `renew` or `abort`.
    pub kind: String,
    /// The statement; empty for what is none.
    pub sql: String,
    pub request_id: String,
    pub query_id: String,
    pub session: u64,
    /// Whether a suspended warehouse would have been resumed for it.
    pub needs_warehouse: bool,
    /// `ok` or the refusal's code.
    pub outcome: String,
    /// The `QUERY_TAG` it was sent with.
    pub tag: String,
}

impl Account {
    pub(super) fn new(server: Arc<Server>, told: &Value) -> Self {
        let text = |key: &str| told[key].as_str().unwrap_or_else(|| panic!("no {key} in {told}")).to_owned();
        Self {
            account: text("account"),
            user: text("user"),
            password: text("password"),
            access_token: text("access_token"),
            oauth_token: text("oauth_token"),
            private_key: text("private_key"),
            private_key_encrypted: text("private_key_encrypted"),
            private_key_passphrase: text("private_key_passphrase"),
            private_key_pkcs1: text("private_key_pkcs1"),
            role: text("role"),
            warehouse: text("warehouse"),
            database: text("database"),
            schema: text("schema"),
            server,
        }
    }

    /// The name under which [`port`](Self::port) is reached.
    pub fn host(&self) -> &'static str {
        "localhost"
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// Orders trouble.
    pub fn fault(&self, fault: Fault) {
        let mut body = json!({});
        body["fault"] = fault.0;
        self.order("fault", body);
    }

    /// How many of the ordered troubles have not come to their end.
    pub fn faults_left(&self) -> u64 {
        self.order("faults-left", json!({}))["left"].as_u64().expect("a count")
    }

    /// Takes a privilege away from the role: `CREATE TABLE`, `USAGE ON WAREHOUSE`, `WRITE ON STAGE`, …
    pub fn deny(&self, privilege: &str) {
        self.order("deny", json!({"privilege": privilege}));
    }

    /// Cancels all faults and gives back all privileges.
    pub fn clear(&self) {
        self.order("clear", json!({}));
    }

    /// Makes the tokens of logins from now on good for so many seconds, instead of an hour.
    pub fn token_validity(&self, seconds: f64) {
        self.order("validity", json!({"seconds": seconds}));
    }

    /// Makes a further public key (PEM) good for the user; the one before stays good.
    pub fn add_public_key(&self, pem: &str) {
        self.order("key", json!({"public_key": pem}));
    }

    /// Suspends the warehouse, so that [`is_awake`](Self::is_awake) tells whether anything resumed it.
    pub fn suspend(&self) {
        self.order("suspend", json!({}));
    }

    /// Whether a statement has needed the warehouse since the start or since [`suspend`](Self::suspend).
    pub fn is_awake(&self) -> bool {
        self.order("awake", json!({}))["awake"] == true
    }

    /// All that clients asked so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        let answer = self.order("log", json!({}));
        let entries = answer["entries"].as_array().expect("a list");
        entries.iter().map(Asked::new).collect()
    }

    /// The statements that clients sent so far, in order.
    pub fn statements(&self) -> Vec<String> {
        let is_query = |asked: &Asked| asked.kind == "query";
        self.asked().into_iter().filter(is_query).map(|asked| asked.sql).collect()
    }

    /// Makes the service tell clients to ask again where a statement takes longer than so many seconds,
    /// instead of 45.
    pub fn answer_within(&self, seconds: f64) {
        self.order("patience", json!({"seconds": seconds}));
    }

    /// Makes answers hold so many rows themselves, instead of 500; the others are fetched in parts.
    pub fn inline_rows(&self, rows: usize) {
        self.order("inline", json!({"rows": rows}));
    }

    /// Runs a statement as the account's administrator; the code and the message of the refusal, if there is one.
    pub fn attempt(&self, sql: &str) -> Result<(), (String, String)> {
        let answer = self.server.ask("sql", &json!({"sql": sql, "account": self.account}));
        if answer["success"] == false {
            let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
            return Err((text("code"), text("message")));
        }
        Ok(())
    }

    /// Runs a statement as the account's administrator. It is not in the log, and no fault strikes it.
    #[track_caller]
    pub fn execute(&self, sql: &str) {
        self.order("sql", json!({"sql": sql}));
    }

    /// The rows of a query, each value as text, instants in UTC: `2020-01-01 00:00:00+00`.
    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<Vec<Option<String>>> {
        let answer = self.order("sql", json!({"sql": sql}));
        serde_json::from_value(answer["rows"].clone()).expect("rows of text")
    }

    /// The only value of a query.
    #[track_caller]
    pub fn value(&self, sql: &str) -> Option<String> {
        let rows = self.query(sql);
        match <[_; 1]>::try_from(rows).map(|[row]| <[_; 1]>::try_from(row)) {
            Ok(Ok([value])) => value,
            other => panic!("{sql}: not one value: {other:?}"),
        }
    }

    #[track_caller]
    fn order(&self, order: &str, mut body: Value) -> Value {
        body["account"] = Value::from(self.account.as_str());
        self.server.order(order, &body)
    }
}

impl Asked {
    fn new(entry: &Value) -> Self {
        let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
        Self {
            kind: text("kind"),
            sql: text("sql"),
            request_id: text("request"),
            query_id: text("query"),
            session: entry["session"].as_u64().unwrap_or_default(),
            needs_warehouse: entry["warehouse"] == true,
            outcome: text("outcome"),
            tag: text("tag"),
        }
    }
}
