//! The APIs that the manifests of `tests/manifests` read from: one process serves all of them, each on a port of its
//! own for each time it is opened.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::Value;

use crate::http::request;
use crate::port;
use crate::process::Process;
use crate::root::{installed, root};

/// The process that takes the orders. It ends with this one.
static ORDERS: LazyLock<Orders> = LazyLock::new(Orders::start);

struct Orders {
    _process: Process,
    port: u16,
}

/// An API of a case, in its first phase.
pub struct Api {
    port: u16,
}

impl Api {
    /// Opens the API of a case anew: it remembers nothing.
    pub fn open(case: &str) -> Self {
        let answer = ORDERS.order("POST", &format!("/open?case={case}"));
        let port = answer["port"].as_u64().and_then(|port| u16::try_from(port).ok());
        Self { port: port.unwrap_or_else(|| panic!("no API for {case}: {answer}")) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Goes on to the second phase, in which there is more to read.
    pub fn proceed(&self) {
        ORDERS.order("POST", &format!("/phase?port={}", self.port));
    }

    /// The requests since this was asked for before.
    pub fn requests(&self) -> Value {
        ORDERS.order("GET", &format!("/log?port={}", self.port))
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        ORDERS.order("POST", &format!("/close?port={}", self.port));
    }
}

/// Where the cases are.
pub fn cases() -> PathBuf {
    root().join("tests/manifests")
}

impl Orders {
    fn start() -> Self {
        let interpreter = installed("venv/bin/python");
        assert!(interpreter.exists(), "{} is missing: run tests/setup", interpreter.display());
        let script = root().join("tests/lab/python/manifest_api.py");
        for _ in 0..3 {
            let (process, port) = (Process::new(&["TERM"]), port::free());
            process.start(&interpreter, [script.as_os_str(), port.to_string().as_ref()]);
            if process.wait(|| request("GET", port, "/").is_some()) {
                return Self { _process: process, port };
            }
        }
        panic!("the APIs do not start");
    }

    fn order(&self, method: &str, path: &str) -> Value {
        let (status, body) = request(method, self.port, path).expect("the APIs answer");
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error} in {body}"))
    }
}
