//! How object stores are spoken to: time-outs, authorities, a proxy, retries.

use std::path::{Path, PathBuf};
use std::time::Duration;

use object_store::{BackoffConfig, Certificate, ClientOptions, RetryConfig};
use protocol::{Error, Period, Result, Secret};

use super::error;

/// Retries of one request, beyond the first attempt.
const RETRIES: usize = 5;
/// No retry is begun later than this after the first attempt.
const RETRY_TIME: Duration = Duration::from_mins(1);
/// The time-outs that can be meant.
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(100);
const LONGEST_TIMEOUT: Duration = Duration::from_hours(1);

/// How object stores are spoken to.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    /// How long to wait for a connection.
    pub(crate) connect_timeout: Period,
    /// How long one request may take, its body included.
    pub(crate) request_timeout: Period,
    /// Certificates (PEM) of authorities to trust besides those of the system.
    pub(crate) ca_file: Option<PathBuf>,
    /// A proxy to go through.
    pub(crate) proxy: Option<Secret>,
}

impl Default for Network {
    fn default() -> Self {
        Self {
            connect_timeout: Period::from_secs(5),
            request_timeout: Period::from_secs(60),
            ca_file: None,
            proxy: None,
        }
    }
}

impl Network {
    /// How an HTTP client behaves. Fails with `Config` where the settings can't be meant.
    pub(crate) fn client_options(&self) -> Result<ClientOptions> {
        for (name, period) in
            [("connect_timeout", self.connect_timeout), ("request_timeout", self.request_timeout)]
        {
            if !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&period.duration()) {
                return Err(Error::config(format!("`{name}` is {period}, it must be between 100ms and 1h")));
            }
        }
        let mut client = ClientOptions::new()
            .with_connect_timeout(self.connect_timeout.duration())
            .with_timeout(self.request_timeout.duration());
        if let Some((path, pem)) = self.authorities()? {
            let certificates = Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(|| no_certificate(path))?;
            for certificate in certificates {
                client = client.with_root_certificate(certificate);
            }
        }
        if let Some(proxy) = &self.proxy {
            client = client.with_proxy_url(proxy.reveal());
        }
        Ok(client)
    }

    /// A plain HTTP client, for what object stores have no call for. It follows no redirect, and each request
    /// brings a time-out of its own.
    pub(crate) fn http_client(&self) -> Result<reqwest::Client> {
        let mut client = reqwest::Client::builder()
            .connect_timeout(self.connect_timeout.duration())
            .redirect(reqwest::redirect::Policy::none());
        if let Some((path, pem)) = self.authorities()? {
            let certificates = reqwest::Certificate::from_pem_bundle(&pem)
                .ok()
                .filter(|certificates| !certificates.is_empty())
                .ok_or_else(|| no_certificate(path))?;
            client = client.tls_certs_merge(certificates);
        }
        if let Some(proxy) = &self.proxy {
            // The cause is left out: it may quote the password.
            let proxy = reqwest::Proxy::all(proxy.reveal())
                .map_err(|_| Error::config("`proxy` is no address").hint("write `http://proxy:3128`"))?;
            client = client.proxy(proxy);
        }
        client.build().map_err(|error| Error::config("no HTTP client can be made").with_source(error))
    }

    fn authorities(&self) -> Result<Option<(&Path, Vec<u8>)>> {
        let Some(path) = &self.ca_file else { return Ok(None) };
        let pem = std::fs::read(path).map_err(|error| error::file("can't read `ca_file`", path, error))?;
        Ok(Some((path, pem)))
    }
}

fn no_certificate(path: &Path) -> Error {
    Error::config(format!("`ca_file` {} holds no certificate in PEM", path.display()))
}

/// How often a request is made again, and when.
pub(crate) fn retries() -> RetryConfig {
    // Tests of the binary need not wait it out.
    let cut = |wait: Duration| wait.min(protocol::longest_wait().unwrap_or(wait));
    RetryConfig {
        backoff: BackoffConfig {
            init_backoff: cut(Duration::from_millis(100)),
            max_backoff: cut(Duration::from_secs(10)) + Duration::from_millis(1),
            base: 3.0,
        },
        max_retries: RETRIES,
        retry_timeout: RETRY_TIME,
    }
}
