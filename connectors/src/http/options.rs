//! How a client behaves.

use std::path::PathBuf;

use protocol::{ByteSize, Period, Secret};
use schemars::JsonSchema;
use serde::Deserialize;

/// How a client behaves.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How long to wait for a connection, TLS included. Default: 30s.
    pub connect_timeout: Period,
    /// How long the server may be silent: until the first byte of an answer, and between two. Default: 5m.
    pub idle_timeout: Period,
    /// How long a request may take as a whole, where its answer is not a download. Default: 1h.
    pub total_timeout: Period,
    /// Largest answer that is taken whole, its compression undone. Default: 256MiB.
    pub max_body: ByteSize,
    /// Largest answer that is read as a stream, its compression undone. Default: 256GiB.
    pub max_download: ByteSize,
    /// Most redirects of one request. Default: 20.
    pub max_redirects: u32,
    /// Most requests under way at once. Default: 64.
    pub max_concurrent_requests: u32,
    /// Whether a redirect may lead from HTTPS to HTTP. Credentials are not sent there either way. Default: false.
    pub allow_insecure_redirects: bool,
    /// Certificates (PEM) of authorities to trust besides those of the system.
    pub ca_file: Option<PathBuf>,
    /// A proxy to go through: `http://user:password@proxy:3128`. Without it the variables `HTTPS_PROXY`,
    /// `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say which.
    pub proxy: Option<Secret>,
    /// Whether HTTP/2 may be spoken. Default: true.
    pub http2: bool,
    /// How the client calls itself, where a request does not say so.
    pub user_agent: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Period::from_secs(30),
            idle_timeout: Period::from_secs(300),
            total_timeout: Period::from_secs(3600),
            max_body: ByteSize::mib(256),
            max_download: ByteSize::mib(256 << 10),
            max_redirects: 20,
            max_concurrent_requests: 64,
            allow_insecure_redirects: false,
            ca_file: None,
            proxy: None,
            http2: true,
            user_agent: concat!("tidegate/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
