//! A proxy in front of an S3 server that loses, refuses and holds requests.
//!
//! One request per connection: the server's answer ends where the server closes, and nothing of HTTP
//! but the head of a request has to be understood.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use lab::Bucket;

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It takes its way.
    Pass,
    /// It takes effect, and the answer never arrives.
    LoseAnswer,
    /// The connection breaks in the middle of it.
    Break,
    /// It is refused with this status and code.
    Refuse(u16, &'static str),
    /// It takes effect, and is answered with this status and code.
    Belie(u16, &'static str),
    /// It does not take effect, and nobody answers.
    Swallow,
    /// It takes effect, and nobody answers.
    Hush,
    /// It takes effect, and the answer ends in its middle.
    Truncate,
}

/// A request, as far as rules look at it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
}

impl Request {
    /// Whether it creates a commit.
    pub(crate) fn creates_commit(&self) -> bool {
        self.method == "PUT" && self.target.contains("/manifest/")
    }

    /// Whether it reads a commit.
    pub(crate) fn reads_commit(&self) -> bool {
        self.method == "GET" && self.target.contains("/manifest/0")
    }

    /// Whether it reads or lists anything.
    pub(crate) fn reads(&self) -> bool {
        self.method == "GET"
    }

    /// Whether it asks for a list.
    pub(crate) fn lists(&self) -> bool {
        self.method == "GET" && self.target.contains("list-type=")
    }

    /// Whether it begins a file.
    pub(crate) fn begins_file(&self) -> bool {
        self.method == "POST" && self.target.contains("uploads")
    }

    /// Whether it sends a part of a file.
    pub(crate) fn sends_part(&self) -> bool {
        self.method == "PUT" && self.target.contains("partNumber=")
    }

    /// Whether it makes a file visible.
    pub(crate) fn completes_file(&self) -> bool {
        self.method == "POST" && self.target.contains("uploadId=")
    }
}

/// Listens until the tests end.
pub(crate) struct Proxy {
    port: u16,
}

impl Proxy {
    /// A proxy before the server of `bucket`, on which `rule` decides about each request. It may
    /// block: each request has a thread.
    pub(crate) fn start(bucket: &Bucket, rule: impl Fn(&Request) -> Fate + Send + Sync + 'static) -> Self {
        let server = bucket.endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("some port is free");
        let port = listener.local_addr().expect("it listens").port();
        let rule = Arc::new(rule);
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, rule) = (server.clone(), Arc::clone(&rule));
                // Whoever hangs up has had what he wanted.
                std::thread::spawn(move || drop(serve(client, &server, rule.as_ref())));
            }
        });
        Self { port }
    }

    /// The bucket, reached through this proxy.
    pub(crate) fn before(&self, bucket: &Bucket) -> Bucket {
        let mut bucket = bucket.clone();
        bucket.endpoint = format!("http://127.0.0.1:{}", self.port);
        bucket
    }
}

fn serve(mut client: TcpStream, server: &str, rule: &dyn Fn(&Request) -> Fate) -> io::Result<()> {
    client.set_nodelay(true)?;
    client.set_read_timeout(Some(Duration::from_mins(1)))?;
    let (head, mut body) = head(&mut client)?;
    let mut words = head.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    let request = Request { method: word(), target: word() };
    let length: usize = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
    let fate = rule(&request);
    if fate == Fate::Break {
        let mut half = vec![0; length.saturating_sub(body.len()) / 2];
        return client.read_exact(&mut half);
    }
    let read = body.len();
    body.resize(length, 0);
    client.read_exact(&mut body[read..])?;
    let answer = match fate {
        Fate::Refuse(..) | Fate::Swallow => Vec::new(),
        _ => forwarded(server, &head, &body)?,
    };
    match fate {
        Fate::Pass => client.write_all(&answer),
        Fate::LoseAnswer | Fate::Break => Ok(()),
        Fate::Refuse(status, code) | Fate::Belie(status, code) => refuse(&mut client, status, code),
        // Until he who waits has had enough.
        Fate::Swallow | Fate::Hush => client.read(&mut [0; 1]).map(drop),
        Fate::Truncate => client.write_all(&answer[..answer.len() - answer.len().min(9)]),
    }
}

fn refuse(client: &mut TcpStream, status: u16, code: &str) -> io::Result<()> {
    let text =
        format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>by a test</Message></Error>");
    let head = format!("HTTP/1.1 {status} Refused\r\nContent-Type: application/xml\r\nConnection: close\r\n");
    write!(client, "{head}Content-Length: {}\r\n\r\n{text}", text.len())
}

/// The head of a request, and what came with it of the body.
fn head(client: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut block = [0; 16 << 10];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let body = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), body));
        }
        match client.read(&mut block)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&block[..read]),
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

fn forwarded(server: &str, head: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut upstream = TcpStream::connect(server)?;
    let kept = head.trim_end().lines().filter(|line| !line.to_lowercase().starts_with("connection:"));
    let head: Vec<&str> = kept.chain(["Connection: close", "", ""]).collect();
    upstream.write_all(head.join("\r\n").as_bytes())?;
    upstream.write_all(body)?;
    let mut answer = Vec::new();
    upstream.read_to_end(&mut answer)?;
    Ok(answer)
}

/// A place where requests wait until they are let through.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<(u64, bool)>,
    changed: Condvar,
}

impl Gate {
    /// Waits at the gate. Called by a rule.
    pub(crate) fn wait(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        self.changed.notify_all();
        while !state.1 {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until somebody waits at the gate.
    #[track_caller]
    pub(crate) fn until_reached(&self) {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let nobody = |state: &mut (u64, bool)| state.0 == 0;
        let waited = self.changed.wait_timeout_while(state, Duration::from_mins(1), nobody);
        let (state, result) = waited.unwrap_or_else(PoisonError::into_inner);
        drop(state);
        assert!(!result.timed_out(), "nobody came to the gate");
    }

    /// Lets all through, from now on.
    pub(crate) fn open(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1 = true;
        self.changed.notify_all();
    }
}
