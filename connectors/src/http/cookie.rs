//! Cookies that a server sets and gets back: for as long as the process runs, and only on its own host and port.

use std::time::Duration;

use url::Url;

use super::pause::Moment;

/// Cookies that are kept; the oldest go first.
const MOST: usize = 300;
/// Longest that is kept.
const LONGEST: usize = 8192;

/// The cookies of one client.
#[derive(Default)]
pub(super) struct Jar {
    cookies: Vec<Cookie>,
}

struct Cookie {
    name: String,
    value: String,
    host: String,
    port: Option<u16>,
    /// Also for hosts below.
    is_wide: bool,
    path: String,
    is_secure: bool,
    until: Option<Moment>,
}

impl Jar {
    /// Keeps what an answer from `url` sets: one value of `Set-Cookie`.
    pub(super) fn set(&mut self, url: &Url, header: &str) {
        let Some(cookie) = Cookie::parse(url, header) else { return };
        self.cookies.retain(|known| {
            (&known.name, &known.host, &known.path) != (&cookie.name, &cookie.host, &cookie.path)
        });
        if cookie.until.is_none_or(|until| until > Moment::now()) {
            if self.cookies.len() >= MOST {
                self.cookies.remove(0);
            }
            self.cookies.push(cookie);
        }
    }

    /// What a request to `url` sends back.
    pub(super) fn header(&self, url: &Url) -> Option<String> {
        let now = Moment::now();
        let mut fitting: Vec<&Cookie> = self
            .cookies
            .iter()
            .filter(|cookie| cookie.fits(url) && cookie.until.is_none_or(|at| at > now))
            .collect();
        // Longer paths first, as RFC 6265 has it; else in the order in which they came.
        fitting.sort_by_key(|cookie| std::cmp::Reverse(cookie.path.len()));
        let pairs: Vec<String> =
            fitting.iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect();
        (!pairs.is_empty()).then(|| pairs.join("; "))
    }
}

impl Cookie {
    fn parse(url: &Url, header: &str) -> Option<Self> {
        let mut parts = header.split(';');
        let (name, value) = parts.next()?.split_once('=')?;
        let host = url.host_str()?.to_ascii_lowercase();
        let folder = url.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut cookie = Self {
            name: name.trim().to_owned(),
            value: value.trim().to_owned(),
            host,
            port: url.port(),
            is_wide: false,
            path: if folder.is_empty() { "/".to_owned() } else { folder.to_owned() },
            is_secure: false,
            until: None,
        };
        let mut expires = None;
        for part in parts {
            let (key, value) = part.split_once('=').map_or((part.trim(), ""), |(k, v)| (k.trim(), v.trim()));
            match key.to_ascii_lowercase().as_str() {
                "domain" => cookie.widen(value)?,
                "path" if value.starts_with('/') => value.clone_into(&mut cookie.path),
                "secure" => cookie.is_secure = true,
                "max-age" => cookie.until = Some(Moment::now().plus(seconds(value.parse().ok()?))),
                "expires" => expires = until(value),
                _ => {}
            }
        }
        cookie.until = cookie.until.or(expires);
        let is_sendable =
            |text: &str| text.len() <= LONGEST && !text.contains(|letter: char| letter.is_control());
        (!cookie.name.is_empty() && is_sendable(&cookie.name) && is_sendable(&cookie.value)).then_some(cookie)
    }

    /// Takes a domain that the answering host belongs to, and none that is a whole top-level domain.
    fn widen(&mut self, domain: &str) -> Option<()> {
        let domain = domain.trim_start_matches('.').to_ascii_lowercase();
        if domain.is_empty() || domain == self.host {
            self.is_wide |= domain == self.host;
            return Some(());
        }
        if !is_below(&self.host, &domain) || !domain.contains('.') {
            return None;
        }
        self.host = domain;
        self.is_wide = true;
        Some(())
    }

    fn fits(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let is_host = host.eq_ignore_ascii_case(&self.host) || (self.is_wide && is_below(host, &self.host));
        let path = url.path();
        let is_path = path
            .strip_prefix(self.path.as_str())
            .is_some_and(|rest| rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'));
        is_host && is_path && url.port() == self.port && (!self.is_secure || url.scheme() == "https")
    }
}

/// Whether `host` is a name below `domain`; addresses are below nothing.
fn is_below(host: &str, domain: &str) -> bool {
    host.parse::<std::net::IpAddr>().is_err()
        && host.to_ascii_lowercase().strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

fn seconds(number: i64) -> Duration {
    Duration::from_secs(u64::try_from(number).unwrap_or(0))
}

fn until(date: &str) -> Option<Moment> {
    let at = super::date::parse(date)?;
    let left = (at - super::pause::wall()).to_std().unwrap_or(Duration::ZERO);
    Some(Moment::now().plus(left))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    fn sent(set: &[(&str, &str)], to: &str) -> String {
        let mut jar = Jar::default();
        for (from, header) in set {
            jar.set(&url(from), header);
        }
        jar.header(&url(to)).unwrap_or_default()
    }

    const API: &str = "https://api.shop.test/v1/login";

    #[test]
    fn go_back_to_their_host_and_no_other() {
        let set = [(API, "session=abc; Path=/; HttpOnly"), (API, "wide=1; Domain=shop.test; Path=/")];
        assert_eq!(sent(&set, "https://api.shop.test/v1/items"), "session=abc; wide=1");
        assert_eq!(sent(&set, "https://www.shop.test/"), "wide=1");
        assert_eq!(sent(&set, "https://evilshop.test/"), "");
        assert_eq!(sent(&set, "https://test/"), "");
        assert_eq!(sent(&set, "https://api.shop.test:8443/"), "");
    }

    #[test]
    fn nobody_sets_them_for_others() {
        for header in ["a=1; Domain=other.test", "a=1; Domain=test", "a=1; Domain=w.api.shop.test"] {
            assert_eq!(sent(&[(API, header)], "https://api.shop.test/v1/x"), "", "{header}");
        }
        let local = [("http://127.0.0.1:80/", "a=1; Domain=0.0.1")];
        assert_eq!(sent(&local, "http://127.0.0.1/"), "");
    }

    #[test]
    fn paths_and_schemes_bound_them() {
        assert_eq!(sent(&[(API, "a=1")], "https://api.shop.test/v1/x"), "a=1");
        assert_eq!(sent(&[(API, "a=1")], "https://api.shop.test/v10/x"), "");
        assert_eq!(sent(&[(API, "a=1; Path=/; Secure")], "http://api.shop.test/"), "");
        let both = [(API, "a=1; Path=/"), (API, "b=2; Path=/v1")];
        assert_eq!(sent(&both, "https://api.shop.test/v1/x"), "b=2; a=1");
    }

    #[test]
    fn the_later_value_replaces_the_earlier_and_may_end_it() {
        assert_eq!(sent(&[(API, "a=1; Path=/"), (API, "a=2; Path=/")], API), "a=2");
        for end in [
            "a=; Path=/; Max-Age=0",
            "a=; Path=/; Max-Age=-5",
            "a=; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        ] {
            assert_eq!(sent(&[(API, "a=1; Path=/"), (API, end)], API), "", "{end}");
        }
        assert_eq!(
            sent(&[(API, "a=1; Path=/; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT")], API),
            "a=1"
        );
    }

    #[test]
    fn rubbish_is_none() {
        for header in ["", "=", "a", "=b", "a=\u{1}", &format!("a={}", "x".repeat(9000))] {
            assert_eq!(sent(&[(API, header)], API), "", "{header:?}");
        }
    }
}
