//! Kinto: records with a server's stamp each, pages by a header, deleted records as tombstones in the same feed.

use serde_json::{Value, json};

use super::Service;
use crate::process::Process;

const SETTINGS: &str = "[server:main]
use = egg:waitress#main
host = 127.0.0.1
port = %(http_port)s
[app:main]
use = egg:kinto
kinto.includes = kinto.plugins.accounts
kinto.storage_backend = kinto.core.storage.memory
kinto.cache_backend = kinto.core.cache.memory
kinto.permission_backend = kinto.core.permission.memory
kinto.userid_hmac_secret = lab
multiauth.policies = account
multiauth.policy.account.use = kinto.plugins.accounts.AccountsPolicy
kinto.account_create_principals = system.Everyone
kinto.bucket_create_principals = system.Authenticated
";

/// `ann:pw`.
const ANN: &str = "Basic YW5uOnB3";

/// A server with the user `ann` (password `pw`) and her empty collection `orders` in the bucket `shop`.
pub struct Kinto(Service);

impl Kinto {
    pub fn start() -> Self {
        let process = Process::new(&["TERM"]);
        let settings = process.write("kinto.ini", SETTINGS).display().to_string();
        let service = Service::start(process, "kinto", "/v1/", |port| {
            ["start", "--ini", &settings, "--port", &port.to_string()].map(str::to_owned).into()
        });
        service.ask("PUT", "/v1/accounts/ann", "", &json!({"data": {"password": "pw"}}));
        service.ask("PUT", "/v1/buckets/shop", ANN, &json!({}));
        service.ask("PUT", "/v1/buckets/shop/collections/orders", ANN, &json!({}));
        Self(service)
    }

    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Writes a record, a new one or over an old one.
    #[track_caller]
    pub fn put(&self, id: &str, fields: &Value) {
        self.0.ask("PUT", &record(id), ANN, &json!({"data": fields}));
    }

    /// Deletes a record: a tombstone stays.
    #[track_caller]
    pub fn delete(&self, id: &str) {
        self.0.ask("DELETE", &record(id), ANN, &Value::Null);
    }
}

fn record(id: &str) -> String {
    format!("/v1/buckets/shop/collections/orders/records/{id}")
}
