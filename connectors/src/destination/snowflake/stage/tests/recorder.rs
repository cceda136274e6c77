//! An HTTP server that notes what it is sent and answers as it is told.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Request {
    pub(super) method: String,
    /// Path and query.
    pub(super) target: String,
    /// Names in lower case.
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// All headers whose names begin so, sorted.
    pub(super) fn headers(&self, start: &str) -> Vec<(&str, &str)> {
        let mut found: Vec<_> = self
            .headers
            .iter()
            .filter(|(name, _)| name.starts_with(start))
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        found.sort_unstable();
        found
    }
}

/// What is answered: status, headers, body.
pub(super) type Reply = (u16, Vec<(&'static str, String)>, String);

type Handler = Arc<dyn Fn(usize, &Request) -> Reply + Send + Sync>;

pub(super) struct Recorder {
    pub(super) address: String,
    requests: Arc<Mutex<Vec<Request>>>,
    most: Arc<AtomicUsize>,
}

impl Recorder {
    /// A server that answers each request, counted from 0, as `handler` says.
    pub(super) async fn start(handler: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (requests, most, now) =
            <(Arc<Mutex<Vec<Request>>>, Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
        let handler: Handler = Arc::new(handler);
        let shared = (requests.clone(), most.clone(), now);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let ((requests, most, now), handler) = (shared.clone(), handler.clone());
                tokio::spawn(async move {
                    let mut socket = BufReader::new(socket);
                    while let Some(request) = read(&mut socket).await {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        let number = {
                            let mut requests = requests.lock().unwrap();
                            requests.push(request.clone());
                            requests.len() - 1
                        };
                        // Others get a chance to be here at the same time.
                        tokio::time::sleep(Duration::from_millis(2)).await;
                        let reply = handler(number, &request);
                        now.fetch_sub(1, Ordering::SeqCst);
                        if answer(socket.get_mut(), &request.method, reply).await.is_none() {
                            break;
                        }
                    }
                });
            }
        });
        Self { address, requests, most }
    }

    /// A server that says yes, as S3, Azure and Google do.
    pub(super) async fn willing() -> Self {
        Self::start(|_, request| accept(request)).await
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// The most requests at once.
    pub(super) fn most_at_once(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// What a store answers that accepts everything.
pub(super) fn accept(request: &Request) -> Reply {
    let tag = vec![("ETag", "\"tag\"".to_owned())];
    match request.method.as_str() {
        "POST" if request.target.ends_with("?uploads") || request.target.ends_with("?uploads=") => {
            let body = "<InitiateMultipartUploadResult><Bucket>b</Bucket><Key>k</Key><UploadId>up1</UploadId></InitiateMultipartUploadResult>";
            (200, tag, body.to_owned())
        }
        "POST" => {
            let body = "<CompleteMultipartUploadResult><ETag>\"tag\"</ETag></CompleteMultipartUploadResult>";
            (200, tag, body.to_owned())
        }
        "DELETE" => (204, Vec::new(), String::new()),
        _ => (if request.target.contains("sig=") { 201 } else { 200 }, tag, String::new()),
    }
}

/// A refusal in XML.
pub(super) fn refuse(status: u16, code: &str) -> Reply {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>said so</Message></Error>");
    (status, Vec::new(), body)
}

async fn read(socket: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    let mut next = async || {
        line.clear();
        let read = socket.read_line(&mut line).await.ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    };
    let first = next().await?;
    let mut words = first.split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let line = next().await?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut request = Request { method, target, headers, body: Vec::new() };
    assert_eq!(request.header("transfer-encoding"), None, "stores want to know the length");
    if let Some(length) = request.header("content-length") {
        request.body = vec![0; length.parse().ok()?];
        socket.read_exact(&mut request.body).await.ok()?;
    }
    Some(request)
}

async fn answer(socket: &mut TcpStream, method: &str, (status, headers, body): Reply) -> Option<()> {
    let mut head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.extend([name, ": ", &value, "\r\n"]);
    }
    head.push_str("\r\n");
    if method != "HEAD" {
        head.push_str(&body);
    }
    socket.write_all(head.as_bytes()).await.ok()
}
