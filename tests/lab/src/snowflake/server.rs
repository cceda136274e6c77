//! The server that stands in for Snowflake.

use std::sync::{Arc, OnceLock};

use serde_json::{Value, json};

use super::Account;
use crate::postgres::Tls;
use crate::process::Process;
use crate::root::{installed, root};
use crate::s3::{Bucket, S3};
use crate::{http, port};

/// A server on the loopback interface; it stops with the last value that refers to it, and with this
/// process in any case.
#[derive(Clone, Debug)]
pub struct Snowflake {
    server: Arc<Server>,
}

#[derive(Debug)]
pub(super) struct Server {
    process: Process,
    /// Where what is staged lies; kept for as long as the server runs.
    bucket: Bucket,
    pub(super) port: u16,
    /// Where tests give their orders, always without TLS.
    control: u16,
}

impl Snowflake {
    /// Starts a server that speaks plain HTTP; takes about two seconds.
    pub fn start() -> Self {
        Self::launch(None)
    }

    /// Starts a server that speaks TLS, as official drivers want it. The certificate has to be good for
    /// `localhost`, 127.0.0.1 and, where the Python driver uploads, `*.127.0.0.1`.
    pub fn encrypted(tls: &Tls) -> Self {
        Self::launch(Some(tls))
    }

    /// The server that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Snowflake> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    fn launch(tls: Option<&Tls>) -> Self {
        let interpreter = installed("venv/bin/python");
        assert!(interpreter.exists(), "{} is missing: run tests/setup", interpreter.display());
        let program = root().join("tests/lab/python/snowflake_double");
        let cache = format!("pycache_prefix={}", installed("pycache").display());
        let bucket = S3::shared().bucket();
        for _ in 0..5 {
            let process = Process::new(&["KILL"]);
            let [port, stage_port, control] = [port::free(), port::free(), port::free()];
            let mut settings = json!({"port": port, "stage_port": stage_port, "control_port": control, "s3": {
                "endpoint": bucket.endpoint, "region": bucket.region, "bucket": bucket.name,
                "access_key": bucket.access_key, "secret_key": bucket.secret_key,
            }});
            if let Some(tls) = tls {
                settings["certificate"] = json!(process.write("server.crt", tls.server_certificate()));
                settings["key"] = json!(process.write("server.key", tls.server_key()));
            }
            let settings = process.write("settings.json", &settings.to_string());
            let paths = [program.as_os_str(), settings.as_os_str()];
            process.start(&interpreter, ["-X".as_ref(), cache.as_ref()].into_iter().chain(paths));
            let is_ready =
                || http::request("POST", control, "/lab/ready").is_some_and(|(status, _)| status == 200);
            if process.wait(is_ready) {
                return Self { server: Arc::new(Server { process, bucket, port, control }) };
            }
            let log = process.log();
            assert!(
                log.contains("Address already in use"),
                "the stand-in for Snowflake does not start:\n{log}"
            );
        }
        panic!("the stand-in for Snowflake found five times a free port taken");
    }

    /// A fresh account with an empty database.
    pub fn account(&self) -> Account {
        let described = self.server.order("account", &json!({}));
        Account::new(Arc::clone(&self.server), &described)
    }

    /// The bucket that keeps what is staged; other buckets of its server can be external stages.
    pub fn bucket(&self) -> &Bucket {
        &self.server.bucket
    }

    /// The last lines of the server's log.
    pub fn log(&self) -> String {
        self.server.process.log()
    }
}

impl Server {
    /// Gives an order of tests and returns what it answers.
    #[track_caller]
    pub(super) fn order(&self, order: &str, body: &Value) -> Value {
        let answer = self.ask(order, body);
        assert!(answer["success"] != false, "{order} {body}: {answer}");
        answer
    }

    /// The same, where a refusal is an answer.
    #[track_caller]
    pub(super) fn ask(&self, order: &str, body: &Value) -> Value {
        let answer = http::request_with("POST", self.control, &format!("/lab/{order}"), &body.to_string());
        let Some((200, text)) = answer else {
            panic!("{order} {body}: {answer:?}\n{}", self.process.log());
        };
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{order}: {error} in {text}"))
    }
}
