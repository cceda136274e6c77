//! An API that answers with bytes as they are given, right or wrong, and remembers what it was asked.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socket2::SockRef;

/// A request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// Path and query.
    pub(super) target: String,
    /// All lines of the head, and the body.
    pub(super) text: String,
}

impl Asked {
    /// The value of a parameter of the query, as it was written.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
    }

    /// The same as a number; 0 without it.
    pub(super) fn number(&self, name: &str) -> usize {
        self.param(name).map_or(0, |value| value.parse().expect("it is a number"))
    }
}

/// What is sent back.
pub(super) enum Reply {
    /// These bytes; the connection stays.
    Kept(Vec<u8>),
    /// These bytes, then the connection is closed.
    Closed(Vec<u8>),
    /// These bytes, then the connection is reset.
    Reset(Vec<u8>),
}

/// A well-formed answer: status, headers as lines without their ends, body.
pub(super) fn reply(status: u16, headers: &[&str], body: impl AsRef<[u8]>) -> Reply {
    let body = body.as_ref();
    let headers = headers.iter().map(|header| format!("{header}\r\n")).collect::<Vec<_>>().concat();
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
    Reply::Kept([head.as_bytes(), body].concat())
}

/// A page of JSON.
pub(super) fn page(body: impl AsRef<[u8]>) -> Reply {
    reply(200, &["Content-Type: application/json"], body)
}

/// Answers for as long as the test runs.
pub(super) struct Server {
    pub(super) port: u16,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Server {
    /// Answers each request by `script`, which gets its number, from 0.
    pub(super) fn start(script: impl Fn(usize, &Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let (log, script) = (Arc::clone(&asked), Arc::new(script));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, script) = (Arc::clone(&log), Arc::clone(&script));
                std::thread::spawn(move || serve(&stream, &log, &*script));
            }
        });
        Self { port, asked }
    }

    /// All requests so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("no thread panics in it").clone()
    }
}

fn serve(stream: &TcpStream, log: &Mutex<Vec<Asked>>, script: &dyn Fn(usize, &Asked) -> Reply) {
    // A client that is gone keeps no thread.
    let _ = stream.set_write_timeout(Some(Duration::from_mins(1)));
    let mut reader = BufReader::new(stream);
    while let Some(asked) = read(&mut reader) {
        let number = {
            let mut log = log.lock().expect("no thread panics in it");
            log.push(asked.clone());
            log.len() - 1
        };
        let mut writer = stream;
        match script(number, &asked) {
            Reply::Kept(bytes) => {
                if writer.write_all(&bytes).is_err() {
                    return;
                }
            }
            Reply::Closed(bytes) => {
                let _ = writer.write_all(&bytes);
                return;
            }
            Reply::Reset(bytes) => {
                let _ = writer.write_all(&bytes);
                let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
                return;
            }
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Option<Asked> {
    let mut text = String::new();
    while !text.ends_with("\r\n\r\n") {
        if reader.read_line(&mut text).ok()? == 0 {
            return None;
        }
    }
    let target = text.split(' ').nth(1)?.to_owned();
    let lower = text.to_ascii_lowercase();
    let length = lower.split_once("\r\ncontent-length:").and_then(|(_, rest)| rest.lines().next());
    let mut body = vec![0; length.map_or(0, |length| length.trim().parse().expect("it is a number"))];
    reader.read_exact(&mut body).ok()?;
    text.push_str(&String::from_utf8_lossy(&body));
    Some(Asked { target, text })
}
