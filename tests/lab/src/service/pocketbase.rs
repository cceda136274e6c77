//! `PocketBase`: records behind a sign-in, pages by number, filters, stamps that many records share.

use serde_json::{Value, json};

use super::Service;
use crate::process::Process;
use crate::root::installed;

/// A server with the collection `things`: a number `n` and a date `changed`, which only who signs in may read.
pub struct PocketBase {
    service: Service,
    token: String,
}

impl PocketBase {
    pub const USER: &'static str = "ann@example.com";
    pub const PASSWORD: &'static str = "a password";

    pub fn start() -> Self {
        let process = Process::new(&["TERM"]);
        let data = format!("--dir={}", process.directory().join("data").display());
        let mut command = process.command(&installed("venv/bin/pocketbase"));
        let made = command.args(["superuser", "upsert", Self::USER, Self::PASSWORD, &data]).output();
        let made = made.expect("PocketBase is there: tests/setup installs it");
        assert!(made.status.success(), "no user: {}", String::from_utf8_lossy(&made.stderr));
        let service = Service::start(process, "pocketbase", "/api/health", |port| {
            vec!["serve".to_owned(), format!("--http=127.0.0.1:{port}"), data.clone()]
        });
        let login = json!({"identity": Self::USER, "password": Self::PASSWORD});
        let answer = service.ask("POST", "/api/collections/_superusers/auth-with-password", "", &login);
        let token = answer["token"].as_str().expect("the sign-in gives a token").to_owned();
        let fields = json!([{"name": "n", "type": "number"}, {"name": "changed", "type": "date"}]);
        let things = json!({"name": "things", "type": "base", "fields": fields});
        service.ask("POST", "/api/collections", &token, &things);
        Self { service, token }
    }

    pub fn url(&self) -> String {
        self.service.url()
    }

    /// Adds a record, whose id has 15 letters or digits.
    #[track_caller]
    pub fn add(&self, id: &str, n: i64, changed: &str) {
        let record = json!({"id": id, "n": n, "changed": changed});
        self.service.ask("POST", "/api/collections/things/records", &self.token, &record);
    }

    #[track_caller]
    pub fn change(&self, id: &str, fields: &Value) {
        self.service.ask("PATCH", &format!("/api/collections/things/records/{id}"), &self.token, fields);
    }
}
