//! APIs that others wrote, as manifests read them: Kinto, `PocketBase` and datasette, each on a free port.

mod datasette;
mod kinto;
mod pocketbase;

use serde_json::Value;

use crate::http::{request, request_as};
use crate::port;
use crate::process::Process;
use crate::root::installed;

pub use datasette::Datasette;
pub use kinto::Kinto;
pub use pocketbase::PocketBase;

/// A service that answers.
struct Service {
    process: Process,
    port: u16,
}

impl Service {
    /// Runs `program` of the lab's environment with what `arguments` says of a port, until `path` is answered.
    fn start(process: Process, program: &str, path: &str, arguments: impl Fn(u16) -> Vec<String>) -> Self {
        let executable = installed("venv/bin").join(program);
        assert!(executable.exists(), "{} is missing: run tests/setup", executable.display());
        for attempt in 0..3 {
            if attempt > 0 {
                process.stop("KILL");
            }
            let port = port::free();
            process.start(&executable, arguments(port));
            if process.wait(|| request("GET", port, path).is_some()) {
                return Self { process, port };
            }
        }
        panic!("{program} does not start: {}", process.log());
    }

    /// Asks with JSON, which must succeed.
    #[track_caller]
    fn ask(&self, method: &str, path: &str, authorization: &str, body: &Value) -> Value {
        let mut lines = "Content-Type: application/json\r\n".to_owned();
        if !authorization.is_empty() {
            lines = format!("{lines}Authorization: {authorization}\r\n");
        }
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = request_as(method, self.port, path, &lines, &body);
        let (status, body) = answer.unwrap_or_else(|| panic!("{path}: no answer; {}", self.process.log()));
        assert!((200..300).contains(&status), "{method} {path}: {status} {body}");
        serde_json::from_str(&body).unwrap_or(Value::Null)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}
