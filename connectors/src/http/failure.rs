//! Why there is no answer, in our words: what may go away, what never will, and no secret in either.

use std::error::Error as StdError;

use protocol::Error;
use url::Url;

/// A request to `url` that got no answer, or only a part of one.
pub(super) fn lost(error: reqwest::Error, url: &Url) -> Error {
    let host = host(url);
    if is_untrusted(&error) {
        return Error::config("the server's certificate is not trusted")
            .context("host", host)
            .with_source(error.without_url())
            .hint("if its authority is one of your own, name its certificate as `ca_file`");
    }
    let text = chain(&error);
    if text.contains("head is too large") || text.contains("header list") {
        return Error::data("the headers of the answer are too large")
            .context("host", host)
            .with_source(error.without_url());
    }
    if error.is_builder() {
        return Error::config("the request can't be sent")
            .context("host", host)
            .with_source(error.without_url());
    }
    let message = if error.is_connect() {
        "no connection to the server"
    } else if error.is_body() || error.is_decode() {
        "the answer broke off"
    } else {
        "a request got no answer"
    };
    Error::transient(message).context("host", host).with_source(error.without_url())
}

/// The host and port of an address, which is all of it that an error shows: the rest may hold secrets.
pub(super) fn host(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => String::new(),
    }
}

fn is_untrusted(error: &(dyn StdError + 'static)) -> bool {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return matches!(tls, rustls::Error::InvalidCertificate(_));
    }
    // What an I/O error wraps is not its source.
    let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    match wrapped {
        Some(wrapped) => is_untrusted(wrapped),
        None => error.source().is_some_and(is_untrusted),
    }
}

fn chain(error: &reqwest::Error) -> String {
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&error.to_string());
        text.push('\n');
        cause = error.source();
    }
    text
}
