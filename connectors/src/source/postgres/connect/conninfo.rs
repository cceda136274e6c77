//! Connection strings: `postgres://…` and `host=… user=…`, taken apart as libpq does.
//!
//! Nothing of the text appears in an error: where a password is not encoded as it should be, any
//! part of the text may be a part of the password.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use protocol::{Error, Result};

/// A parameter by libpq's name, and its value.
pub(super) type Parameter = (String, String);

/// The parameters of a URL or of a `key=value` string, in order; a later one wins.
pub(super) fn parse(text: &str) -> Result<Vec<Parameter>> {
    let text = text.trim();
    match ["postgres://", "postgresql://"].iter().find_map(|scheme| text.strip_prefix(scheme)) {
        Some(rest) => url(rest),
        None if text.contains("://") => {
            Err(unreadable("it starts with neither postgres:// nor postgresql://"))
        }
        None => keywords(text),
    }
}

fn unreadable(why: &str) -> Error {
    Error::config(format!("url is not a PostgreSQL connection string: {why}"))
        .hint("postgres://user:password@host:port/database; in a password : / ? # @ % are written %3A %2F %3F %23 %40 %25, or give it in `password`")
}

/// What follows the scheme: `[user[:password]@][host[:port],…][/database][?key=value&…]`.
fn url(rest: &str) -> Result<Vec<Parameter>> {
    let mut parameters = Vec::new();
    let rest = match rest.find(['@', '/']) {
        Some(at) if rest.as_bytes()[at] == b'@' => {
            let (user, password) = match rest[..at].split_once(':') {
                Some((user, password)) => (user, Some(password)),
                None => (&rest[..at], None),
            };
            add(&mut parameters, "user", user)?;
            add(&mut parameters, "password", password.unwrap_or_default())?;
            &rest[at + 1..]
        }
        _ => rest,
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
    add_hosts(&mut parameters, hosts)?;
    add(&mut parameters, "dbname", database)?;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').ok_or_else(|| unreadable("a parameter has no value"))?;
        parameters.push((decoded(key)?.into_owned(), decoded(value)?.into_owned()));
    }
    Ok(parameters)
}

fn add_hosts(parameters: &mut Vec<Parameter>, hosts: &str) -> Result<()> {
    let (mut names, mut ports) = (Vec::new(), Vec::new());
    for host in hosts.split(',') {
        let (name, port) = match host.strip_prefix('[') {
            Some(address) => {
                let (address, rest) =
                    address.split_once(']').ok_or_else(|| unreadable("an address in [ has no ]"))?;
                (address, if rest.is_empty() { Some("") } else { rest.strip_prefix(':') })
            }
            None => host.split_once(':').map_or((host, Some("")), |(name, port)| (name, Some(port))),
        };
        names.push(decoded(name)?);
        ports.push(decoded(
            port.ok_or_else(|| unreadable("something other than a port follows an address"))?,
        )?);
    }
    if names.iter().any(|name| !name.is_empty()) {
        parameters.push(("host".to_owned(), names.join(",")));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        parameters.push(("port".to_owned(), ports.join(",")));
    }
    Ok(())
}

fn add(parameters: &mut Vec<Parameter>, key: &str, value: &str) -> Result<()> {
    if !value.is_empty() {
        parameters.push((key.to_owned(), decoded(value)?.into_owned()));
    }
    Ok(())
}

fn decoded(text: &str) -> Result<Cow<'_, str>> {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let is_encoded = |(at, _): (usize, &str)| hex(at + 1) && hex(at + 2);
    if !text.match_indices('%').all(is_encoded) {
        return Err(unreadable("a % is not followed by two hexadecimal digits"));
    }
    percent_decode_str(text).decode_utf8().map_err(|_| unreadable("it is not UTF-8"))
}

/// `key = value` pairs parted by spaces; a value may stand in single quotes, and `\` escapes.
fn keywords(text: &str) -> Result<Vec<Parameter>> {
    let mut parameters = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (key, after) = rest.split_once('=').ok_or_else(|| unreadable("a key has no value"))?;
        let key = key.trim_end();
        if key.is_empty() || key.contains(char::is_whitespace) {
            return Err(unreadable("a key has no value"));
        }
        let (value, after) = value(after.trim_start())?;
        parameters.push((key.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(parameters)
}

/// A value, and what follows it.
fn value(text: &str) -> Result<(String, &str)> {
    let (quoted, text) = match text.strip_prefix('\'') {
        Some(text) => (true, text),
        None => (false, text),
    };
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            space if !quoted && space.is_whitespace() => return Ok((value, &text[at..])),
            other => value.push(other),
        }
    }
    if quoted { Err(unreadable("a quote is not closed")) } else { Ok((value, "")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap()
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn takes_urls_apart() {
        for (text, expected) in [
            ("postgres://", &[][..]),
            ("postgresql://h", &[("host", "h")]),
            ("postgres://u@h:1/d", &[("user", "u"), ("host", "h"), ("port", "1"), ("dbname", "d")]),
            (
                "postgres://u:p%40%2F@h1:1,h2/d%20b?sslmode=verify-full&options=-c%20a%3Db",
                &[
                    ("user", "u"),
                    ("password", "p@/"),
                    ("host", "h1,h2"),
                    ("port", "1,"),
                    ("dbname", "d b"),
                    ("sslmode", "verify-full"),
                    ("options", "-c a=b"),
                ],
            ),
            ("postgres://[::1]:5433/d", &[("host", "::1"), ("port", "5433"), ("dbname", "d")]),
            ("postgres://%2Frun%2Fpg/d", &[("host", "/run/pg"), ("dbname", "d")]),
            ("postgres:///d?host=/run/pg", &[("dbname", "d"), ("host", "/run/pg")]),
            ("postgres://u:a:b@h", &[("user", "u"), ("password", "a:b"), ("host", "h")]),
            ("postgres://u:a?b@h", &[("user", "u"), ("password", "a?b"), ("host", "h")]),
        ] {
            assert_eq!(parsed(text), pairs(expected), "{text}");
        }
    }

    #[test]
    fn takes_keywords_apart() {
        for (text, expected) in [
            ("", &[][..]),
            ("host=h port = 1", &[("host", "h"), ("port", "1")]),
            (r"password='it\'s \\ here' user=u", &[("password", r"it's \ here"), ("user", "u")]),
            (r"user=a\ b dbname=''", &[("user", "a b"), ("dbname", "")]),
        ] {
            assert_eq!(parsed(text), pairs(expected), "{text}");
        }
    }

    #[test]
    fn errors_hold_nothing_of_the_text() {
        for text in [
            "mysql://user:canary@host/db",
            "postgres://user:can%zzary@host",
            "postgres://user:pw@host?canary",
            "postgres://[canary",
            "postgres://[::1]canary",
            "postgres://%ff%fe@canary",
            "password='canary",
            "canary",
            "host=h canary stray=1",
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), protocol::ErrorKind::Config);
            assert!(!format!("{error:?} {:?}", error.advice()).contains("canary"), "{error:?}");
        }
    }
}
