//! A server that answers by script. Speaks HTTP/1.1 as it is on the wire, and keeps what it was sent.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::super::account::{Account, Protocol};
use super::super::pace::Pace;
use super::super::{QueryTag, Session};
use protocol::Secret;

pub(super) const QUERY: &str = "/queries/v1/query-request";
pub(super) const ABORT: &str = "/queries/v1/abort-request";
pub(super) const LOGIN: &str = "/session/v1/login-request";
pub(super) const RENEW: &str = "/session/token-request";
pub(super) const HEARTBEAT: &str = "/session/heartbeat";
pub(super) const LOGOUT: &str = "/session";

/// A request as it came.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) method: String,
    /// What stands in the request line: a whole URL where a proxy is asked.
    pub(super) target: String,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Value,
}

impl Seen {
    pub(super) fn sql(&self) -> &str {
        self.body["sqlText"].as_str().unwrap_or_default()
    }

    pub(super) fn token(&self) -> &str {
        self.headers.get("authorization").map_or("", String::as_str)
    }
}

/// What is answered.
pub(super) enum Say {
    Json(Value),
    Status(u16, &'static [(&'static str, &'static str)]),
    Bytes(Vec<u8>),
    /// The request is taken, and the connection closed.
    HangUp,
    /// An answer that ends before its end.
    Cut,
    /// No answer, for as long as the client waits.
    Silence,
}

impl Say {
    #[expect(clippy::needless_pass_by_value, reason = "it is made for this call")]
    pub(super) fn data(data: Value) -> Self {
        Self::Json(json!({ "data": data, "code": null, "message": null, "success": true }))
    }

    pub(super) fn code(code: &str, message: &str) -> Self {
        Self::Json(
            json!({ "data": { "queryId": "q-refused" }, "code": code, "message": message, "success": false }),
        )
    }

    /// One row of one column.
    pub(super) fn value(value: &str) -> Self {
        Self::data(
            json!({ "queryId": "q-1", "rowtype": [{ "name": "V", "type": "text" }], "rowset": [[value]] }),
        )
    }

    pub(super) fn in_progress(code: &str, url: &str) -> Self {
        Self::Json(json!({
            "data": { "queryId": "q-long", "getResultUrl": url }, "code": code, "message": "in progress", "success": true
        }))
    }
}

pub(super) struct Server {
    pub(super) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

type Script = dyn Fn(&Seen, usize) -> Option<Say> + Send + Sync;

impl Server {
    /// Starts one. The script is told how many requests of the same path came before; where it says
    /// nothing, the server does what a real one would.
    pub(super) async fn start(script: impl Fn(&Seen, usize) -> Option<Say> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, tokens): (Arc<Script>, _) = (Arc::new(script), Arc::new(AtomicUsize::new(0)));
        let kept = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&kept), Arc::clone(&tokens)));
            }
        });
        Self { port, seen }
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Requests of that path, in the order they came.
    pub(super) fn of(&self, path: &str) -> Vec<Seen> {
        self.seen().into_iter().filter(|seen| seen.path == path).collect()
    }

    /// The statements that were sent, each as often as it was.
    pub(super) fn statements(&self) -> Vec<String> {
        self.of(QUERY).iter().map(|seen| seen.sql().to_owned()).collect()
    }

    /// Waits until something was seen.
    pub(super) async fn until(&self, what: impl Fn(&[Seen]) -> bool) {
        for _ in 0..2_000 {
            if what(&self.seen()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("not seen within 10 seconds, but {:#?}", self.seen());
    }

    pub(super) fn account(&self) -> Account {
        Account {
            account: Some("myorg-acc".to_owned()),
            host: Some("127.0.0.1".to_owned()),
            port: Some(self.port),
            protocol: Some(Protocol::Http),
            user: Some("loader".to_owned()),
            password: Some(Secret::new("canary-password")),
            ..Account::default()
        }
    }

    pub(super) fn session(&self) -> Session {
        Session::paced(&self.account(), &QueryTag::new("shop"), pace()).unwrap()
    }
}

/// As patient as the real one, and a thousand times as fast.
pub(super) fn pace() -> Pace {
    Pace { first: Duration::from_millis(1), longest: Duration::from_millis(16), ..Pace::default() }
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Script>,
    kept: Arc<Mutex<Vec<Seen>>>,
    tokens: Arc<AtomicUsize>,
) {
    while let Some(request) = read(&mut stream).await {
        let before = {
            let mut kept = kept.lock().unwrap();
            let before = kept.iter().filter(|seen| seen.path == request.path).count();
            kept.push(request.clone());
            before
        };
        let say = script(&request, before).unwrap_or_else(|| usual(&request, &tokens));
        let (status, headers, body): (u16, &[(&str, &str)], Vec<u8>) = match say {
            Say::Json(json) => (200, &[], json.to_string().into_bytes()),
            Say::Status(status, headers) => (status, headers, Vec::new()),
            Say::Bytes(bytes) => (200, &[], bytes),
            Say::HangUp => return,
            Say::Silence => return std::future::pending().await,
            Say::Cut => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{\"data\": ").await;
                return;
            }
        };
        let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        if stream.write_all(head.as_bytes()).await.is_err() || stream.write_all(&body).await.is_err() {
            return;
        }
    }
}

fn usual(request: &Seen, tokens: &AtomicUsize) -> Say {
    let number = || tokens.fetch_add(1, Ordering::Relaxed) + 1;
    match request.path.as_str() {
        LOGIN => {
            let number = number();
            Say::data(json!({
                "token": format!("session-{number}"), "masterToken": format!("master-{number}"),
                "validityInSeconds": 3600, "masterValidityInSeconds": 14400, "sessionId": 7,
            }))
        }
        RENEW => {
            let number = number();
            Say::data(json!({
                "sessionToken": format!("session-{number}"), "masterToken": format!("master-{number}"),
                "validityInSecondsST": 3600, "validityInSecondsMT": 14400,
            }))
        }
        QUERY => Say::value(request.sql()),
        _ => Say::data(Value::Null),
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let mut words = lines.next()?.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    let base = url::Url::parse("http://server/").unwrap();
    let url = base.join(&target).unwrap();
    Some(Seen {
        method,
        path: url.path().to_owned(),
        query: url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
        target,
        headers,
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    })
}
