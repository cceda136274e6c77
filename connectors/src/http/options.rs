//! How a client behaves.

use std::path::PathBuf;
use std::time::Duration;

use protocol::{ByteSize, Error, Period, Result, Secret};
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

/// The time-outs that can be meant.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(10);
const LONGEST_TIMEOUT: Duration = Duration::from_hours(48);
/// Connections that wait for the next request, per host.
const IDLE_CONNECTIONS: usize = 64;

impl Options {
    /// The defaults, and the certificates that programs in Python trust: those of the file that `REQUESTS_CA_BUNDLE` or
    /// `CURL_CA_BUNDLE` names. (`SSL_CERT_FILE`, like the system's own, is heard everywhere.)
    #[must_use]
    pub fn of_environment() -> Self {
        let named = ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"].into_iter().find_map(std::env::var_os);
        let ca_file = named.map(PathBuf::from).filter(|path| path.is_file());
        Self { ca_file, ..Self::default() }
    }

    /// Fails where they can't be meant.
    pub(super) fn verify(&self) -> Result<()> {
        for (name, period) in [
            ("connect_timeout", self.connect_timeout),
            ("idle_timeout", self.idle_timeout),
            ("total_timeout", self.total_timeout),
        ] {
            if !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&period.duration()) {
                return Err(Error::config(format!("`{name}` is {period}, it must be between 10ms and 48h")));
            }
        }
        if self.max_concurrent_requests == 0 {
            return Err(Error::config("`max_concurrent_requests` is 0: nothing could ever be sent"));
        }
        Ok(())
    }

    /// A client that follows no redirect and undoes no encoding: both are done here, within limits.
    pub(super) fn http_client(&self) -> Result<reqwest::Client> {
        let mut client = reqwest::Client::builder()
            .connect_timeout(self.connect_timeout.duration())
            .redirect(reqwest::redirect::Policy::none())
            .no_gzip()
            .no_brotli()
            .no_zstd()
            .no_deflate()
            .tcp_keepalive(Duration::from_mins(1))
            .pool_max_idle_per_host(IDLE_CONNECTIONS);
        if !self.http2 {
            client = client.http1_only();
        }
        if let Some(path) = &self.ca_file {
            let pem = std::fs::read(path).map_err(|error| {
                Error::config("can't read `ca_file`")
                    .context("file", path.display().to_string())
                    .with_source(error)
            })?;
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(|| {
                    Error::config("`ca_file` holds no certificate in PEM")
                        .context("file", path.display().to_string())
                })?;
            client = client.tls_certs_merge(certificates);
        }
        if let Some(proxy) = &self.proxy {
            // The cause is left out: it may quote the password.
            let proxy = reqwest::Proxy::all(proxy.reveal())
                .map_err(|_| Error::config("`proxy` is no address").hint("write `http://proxy:3128`"))?;
            client = client.proxy(proxy);
        }
        client.build().map_err(|error| Error::config("the HTTP client can't be set up").with_source(error))
    }
}
