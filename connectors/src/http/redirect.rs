//! Where a redirect leads, and what goes along: never a credential to another host.

use protocol::{Error, Result};
use reqwest::Method;
use url::Url;

use super::failure::host;
use super::{Body, Request};

/// Headers that hold no credential, whoever wrote them. All others stay behind when the host changes.
const HARMLESS: [&str; 9] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-encoding",
    "content-language",
    "content-type",
    "range",
    "user-agent",
];

/// What is sent instead of `request` after an answer of that status that names `location`; `None` where it is no
/// redirect. Methods and bodies change as in browsers.
pub(super) fn next(
    request: &Request,
    status: u16,
    location: Option<&str>,
    allow_insecure: bool,
) -> Result<Option<Request>> {
    let (true, Some(location)) = (matches!(status, 301 | 302 | 303 | 307 | 308), location) else {
        return Ok(None);
    };
    let url = target(&request.url, location, allow_insecure)?;
    let mut next = request.clone();
    let becomes_get = match status {
        301 => request.method == Method::POST,
        302 | 303 => request.method != Method::HEAD,
        _ => false,
    };
    if becomes_get {
        next.method = Method::GET;
    }
    if !matches!(status, 307 | 308) {
        next.body = Body::Empty;
        next.headers.retain(|(name, _)| {
            !["content-length", "content-type", "transfer-encoding"]
                .iter()
                .any(|gone| name.eq_ignore_ascii_case(gone))
        });
    }
    if !is_same_place(&request.url, &url) {
        if next.secret_body && !next.body.bytes().is_empty() {
            return Err(Error::config("a request that holds credentials is redirected to another host")
                .context("host", host(&request.url))
                .context("to", host(&url))
                .hint("name the right address of the token's server"));
        }
        next.headers.retain(|(name, _)| HARMLESS.iter().any(|harmless| name.eq_ignore_ascii_case(harmless)));
    }
    next.url = url;
    Ok(Some(next))
}

fn target(from: &Url, location: &str, allow_insecure: bool) -> Result<Url> {
    let wrong = |message: &str| Error::data(message).context("host", host(from));
    let mut url = from.join(location.trim()).map_err(|_| wrong("a redirect leads to no address"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("a redirect leads to something other than HTTP"));
    }
    if from.scheme() == "https" && url.scheme() == "http" && !allow_insecure {
        return Err(wrong("a redirect leads from HTTPS to HTTP")
            .context("to", host(&url))
            .hint("`allow_insecure_redirects` follows it nevertheless"));
    }
    url.set_fragment(None);
    Ok(url)
}

/// Whether it is the same host and port; from HTTP to HTTPS at the ports of their own counts as the same.
fn is_same_place(from: &Url, to: &Url) -> bool {
    let is_upgrade = from.scheme() == "http"
        && to.scheme() == "https"
        && from.port_or_known_default() == Some(80)
        && to.port_or_known_default() == Some(443);
    from.host_str() == to.host_str() && (from.origin() == to.origin() || is_upgrade)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::ErrorKind;

    fn request(method: Method, url: &str) -> Request {
        let mut request = Request::new(method, url.parse().unwrap());
        request.set_header("Authorization", "Bearer canary");
        request.set_header("X-Api-Key", "canary");
        request.set_header("Accept", "application/json");
        request.set_header("Content-Type", "application/json");
        request.body = Body::Raw("{}".into());
        request
    }

    fn after(status: u16, from: &str, location: &str) -> Request {
        next(&request(Method::POST, from), status, Some(location), false).unwrap().unwrap()
    }

    fn names(request: &Request) -> Vec<&str> {
        request.headers.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn credentials_stay_with_their_host() {
        for to in [
            "https://other.test/x",
            "https://api.test.other.test/",
            "https://api.test:444/x",
            "//other.test/x",
            "https://www.api.test/x",
        ] {
            let next = after(307, "https://api.test/x", to);
            assert_eq!(names(&next), ["Accept", "Content-Type"], "{to}");
        }
        for to in ["/y", "y?z=1", "https://api.test:443/y", "https://API.test/y"] {
            assert!(names(&after(307, "https://api.test/x", to)).contains(&"X-Api-Key"), "{to}");
        }
        assert!(names(&after(307, "http://api.test/x", "https://api.test/x")).contains(&"Authorization"));
        assert!(
            !names(&after(307, "http://api.test:8080/x", "https://api.test/x")).contains(&"Authorization")
        );
    }

    #[test]
    fn methods_and_bodies_change_as_in_browsers() {
        let body = |request: &Request| request.body.bytes().clone();
        for status in [301, 302, 303] {
            let next = after(status, "https://api.test/x", "/y");
            assert_eq!((next.method.clone(), body(&next)), (Method::GET, "".into()), "{status}");
            assert!(!names(&next).contains(&"Content-Type"));
        }
        for status in [307, 308] {
            let next = after(status, "https://api.test/x", "/y");
            assert_eq!((next.method.clone(), body(&next)), (Method::POST, "{}".into()), "{status}");
        }
        let put = next(&request(Method::PUT, "https://api.test/"), 301, Some("/y"), false).unwrap().unwrap();
        assert_eq!(put.method, Method::PUT);
        let head =
            next(&request(Method::HEAD, "https://api.test/"), 303, Some("/y"), false).unwrap().unwrap();
        assert_eq!(head.method, Method::HEAD);
    }

    #[test]
    fn only_the_five_codes_with_a_location_lead_on() {
        let request = request(Method::GET, "https://api.test/");
        for (status, location) in [(200, Some("/y")), (304, Some("/y")), (300, Some("/y")), (302, None)] {
            assert!(next(&request, status, location, false).unwrap().is_none());
        }
    }

    #[test]
    fn bodies_that_hold_credentials_stay_with_their_host() {
        let mut request = request(Method::POST, "https://login.test/token");
        request.secret_body = true;
        assert!(next(&request, 307, Some("/v2/token"), false).is_ok());
        assert!(next(&request, 302, Some("https://other.test/"), false).is_ok(), "it is not sent then");
        let error = next(&request, 308, Some("https://other.test/"), false).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Config);
    }

    #[test]
    fn nothing_leads_to_http_or_out_of_the_web() {
        let request = request(Method::GET, "https://api.test/");
        for to in ["http://api.test/", "file:///etc/passwd", "data:,x", "ftp://api.test/", "https://"] {
            assert_eq!(next(&request, 302, Some(to), false).err().unwrap().kind(), ErrorKind::Data, "{to}");
        }
        let down = next(&request, 302, Some("http://api.test/"), true).unwrap().unwrap();
        assert_eq!(names(&down), ["Accept"], "and credentials stay behind");
    }
}
