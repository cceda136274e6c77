//! An S3 server with conditional writes and checked signatures: `SeaweedFS`.

use std::sync::{Arc, OnceLock};

use crate::http;
use crate::port;
use crate::process::Process;
use crate::root::installed;

/// Of the ports it takes, the first four also take the port ten thousand above.
const PORT_DISTANCES: [u16; 9] = [0, 1, 2, 3, 4, 10_000, 10_001, 10_002, 10_003];

/// A server on the loopback interface; it stops with the last value that refers to it, and with
/// this process in any case.
#[derive(Clone, Debug)]
pub struct S3 {
    server: Arc<Server>,
}

#[derive(Debug)]
struct Server {
    process: Process,
    writer: Key,
    reader: Key,
    /// The master's; the other services have the ports that follow.
    port: u16,
}

/// An access key and its secret.
#[derive(Clone, Debug)]
pub struct Key {
    pub access_key: String,
    pub secret_key: String,
}

/// A bucket of one test, and how to reach it. It keeps its server running.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// `http://127.0.0.1:…`; buckets are in the path, not in the host name.
    pub endpoint: String,
    pub name: String,
    pub region: String,
    pub access_key: String,
    pub secret_key: String,
    server: Arc<Server>,
}

impl S3 {
    /// Starts a server; takes about three seconds.
    pub fn start() -> Self {
        let weed = installed("venv/bin/weed");
        assert!(weed.exists(), "{} is missing: run tests/setup", weed.display());
        let (writer, reader) = (Key::random(), Key::random());
        for _ in 0..5 {
            // Asked gently, it takes ten seconds to leave.
            let process = Process::new(&["KILL"]);
            let port = port::free_with(&PORT_DISTANCES);
            let keys = process.write("keys.json", &identities(&writer, &reader));
            process.litter(&sockets(port));
            process.start(&weed, arguments(port, &process, &keys.display().to_string()));
            if process.wait(|| is_ready(port)) {
                return Self { server: Arc::new(Server { process, writer, reader, port }) };
            }
            let log = process.log();
            assert!(log.contains("address already in use"), "SeaweedFS does not start:\n{log}");
        }
        panic!("SeaweedFS found five times a free port taken");
    }

    /// The server that all tests of this process share.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<S3> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A fresh, empty bucket, with a key that may do everything.
    pub fn bucket(&self) -> Bucket {
        let name: String = std::iter::repeat_with(fastrand::lowercase).take(12).collect();
        let name = format!("test-{name}");
        // A bucket is a folder of the file service below.
        let answer = http::request("POST", self.server.port + 2, &format!("/buckets/{name}/"));
        assert!(matches!(answer, Some((201, _))), "no bucket: {answer:?}\n{}", self.server.process.log());
        let Key { access_key, secret_key } = self.server.writer.clone();
        let (region, server) = ("us-east-1".to_owned(), Arc::clone(&self.server));
        Bucket { endpoint: self.endpoint(), name, region, access_key, secret_key, server }
    }

    /// A key that may list and read every bucket and write to none.
    pub fn read_only_key(&self) -> Key {
        self.server.reader.clone()
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port + 4)
    }

    /// The last lines of the server's log.
    pub fn log(&self) -> String {
        self.server.process.log()
    }
}

impl Bucket {
    /// The same bucket with another key.
    #[must_use]
    pub fn with_key(&self, key: &Key) -> Self {
        let Key { access_key, secret_key } = key.clone();
        Self { access_key, secret_key, ..self.clone() }
    }

    /// How many uploads are neither completed nor aborted: somebody pays for each.
    pub fn open_uploads(&self) -> usize {
        // Each is a folder of the file service below.
        let path = format!("/buckets/{}/.uploads/?limit=10000", self.name);
        match http::request("GET", self.server.port + 2, &path) {
            Some((404, _)) => 0,
            Some((200, body)) => body.matches("\"FullPath\"").count(),
            answer => panic!("uploads can't be listed: {answer:?}"),
        }
    }

    /// Aborts all uploads, as a rule of the bucket does that waits for too short a time.
    pub fn abort_uploads(&self) {
        let path = format!("/buckets/{}/.uploads?recursive=true", self.name);
        let answer = http::request("DELETE", self.server.port + 2, &path);
        assert!(matches!(answer, Some((204 | 404, _))), "uploads can't be aborted: {answer:?}");
    }

    /// `s3://test-…/path`
    pub fn url(&self, path: &str) -> String {
        format!("s3://{}/{path}", self.name)
    }

    /// The environment by which programs find and open the bucket.
    pub fn environment(&self) -> [(&'static str, &str); 4] {
        [
            ("AWS_ENDPOINT_URL", &self.endpoint),
            ("AWS_REGION", &self.region),
            ("AWS_ACCESS_KEY_ID", &self.access_key),
            ("AWS_SECRET_ACCESS_KEY", &self.secret_key),
        ]
    }
}

impl Key {
    fn random() -> Self {
        let word = |length| std::iter::repeat_with(fastrand::alphanumeric).take(length).collect();
        Self { access_key: word(20), secret_key: word(40) }
    }
}

fn identities(writer: &Key, reader: &Key) -> String {
    let identity = |name: &str, key: &Key, actions: &[&str]| {
        serde_json::json!({
            "name": name,
            "credentials": [{"accessKey": key.access_key, "secretKey": key.secret_key}],
            "actions": actions,
        })
    };
    let writer = identity("writer", writer, &["Admin", "Read", "Write", "List", "Tagging"]);
    serde_json::json!({"identities": [writer, identity("reader", reader, &["Read", "List"])]}).to_string()
}

/// Each bucket takes several volumes for itself, hence so many; an empty one takes no room.
fn arguments(port: u16, process: &Process, keys: &str) -> Vec<String> {
    let directory = process.directory().display();
    let mut arguments = vec![
        "-logtostderr".to_owned(),
        "server".to_owned(),
        "-ip=127.0.0.1".to_owned(),
        "-ip.bind=127.0.0.1".to_owned(),
    ];
    arguments.extend([format!("-dir={directory}"), format!("-s3.config={keys}")]);
    arguments.extend(["-filer".to_owned(), "-s3".to_owned(), "-master.telemetry=false".to_owned()]);
    let ports = ["master.port", "volume.port", "filer.port", "s3.port.grpc", "s3.port"];
    arguments.extend(ports.iter().zip(port..).map(|(name, port)| format!("-{name}={port}")));
    let sizes = ["s3.port.iceberg=0", "s3.port.lance=0", "master.volumeSizeLimitMB=1024", "volume.max=10000"];
    arguments.extend(sizes.map(|size| format!("-{size}")));
    arguments
}

/// The sockets it makes in a place it lets nobody choose, and leaves there.
fn sockets(port: u16) -> Vec<String> {
    let remote =
        [("master", port + 10_000), ("volume", port + 10_001), ("filer", port + 10_002), ("s3", port + 3)];
    let mut names: Vec<String> =
        remote.iter().map(|(service, port)| format!("/tmp/seaweedfs-{service}-grpc-{port}.sock")).collect();
    names.push(format!("/tmp/seaweedfs-filer-{}.sock", port + 2));
    names.push(format!("/tmp/seaweedfs-s3-{}.sock", port + 4));
    names
}

/// Whether bytes have a place to go to and S3 answers: it refuses who shows no key.
fn is_ready(port: u16) -> bool {
    let place = http::request("GET", port, "/dir/assign").is_some_and(|(_, body)| body.contains("\"fid\""));
    place && http::request("GET", port + 4, "/").is_some_and(|(status, _)| status == 403)
}
