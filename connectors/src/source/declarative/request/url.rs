//! Addresses as Python puts them together: base and path joined, parameters written behind.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use protocol::{Error, Result};
use url::Url;

use crate::source::declarative::template::Object;
use crate::source::declarative::value::{Map, Value};

/// What a form leaves as it is, beside letters, digits and the space that becomes `+`.
const FORM: &AsciiSet = &NON_ALPHANUMERIC.remove(b'_').remove(b'.').remove(b'-').remove(b'~').remove(b' ');

/// A base and the path of one request: an empty path leaves the base as it is, else it is a folder.
pub(super) fn join_base(base: &str, path: &str) -> String {
    if path.is_empty() {
        return base.to_owned();
    }
    if base.ends_with('/') { join(base, path) } else { join(&format!("{base}/"), path) }
}

/// `urllib.parse.urljoin`: empty segments between base and path fall away, an address wins over the base.
fn join(base: &str, path: &str) -> String {
    let path: String = path.chars().filter(|c| !matches!(c, '\t' | '\r' | '\n')).collect();
    let path = path.trim_start_matches(|c: char| c <= ' ');
    if base.is_empty() || is_absolute(path) {
        return path.to_owned();
    }
    let Some((scheme, rest)) = base.split_once("://") else { return format!("{base}{path}") };
    if path.starts_with("//") {
        return format!("{scheme}:{path}");
    }
    let (host, base_path) = match rest.find(['/', '?', '#']) {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let base_path = base_path.split(['?', '#']).next().unwrap_or_default();
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let (path, tail) = path.split_at(end);
    if path.is_empty() {
        return format!("{scheme}://{host}{base_path}{tail}");
    }
    let mut segments: Vec<&str> = Vec::new();
    if !path.starts_with('/') {
        segments.extend(base_path.split('/'));
        if segments.last().is_some_and(|last| !last.is_empty()) {
            segments.pop();
        }
    }
    segments.extend(path.split('/'));
    if !path.starts_with('/') && segments.len() > 2 {
        let last = segments.len() - 1;
        let mut place = 0;
        segments.retain(|segment| {
            place += 1;
            place == 1 || place == last + 1 || !segment.is_empty()
        });
    }
    let mut resolved: Vec<&str> = Vec::with_capacity(segments.len());
    for segment in &segments {
        match *segment {
            ".." => {
                resolved.pop();
            }
            "." => {}
            other => resolved.push(other),
        }
    }
    if matches!(segments.last(), Some(&"." | &"..")) {
        resolved.push("");
    }
    let joined = resolved.join("/");
    let slash = if joined.starts_with('/') { "" } else { "/" };
    format!("{scheme}://{host}{slash}{joined}{tail}")
}

fn is_absolute(path: &str) -> bool {
    let lower = path.get(..8).unwrap_or(path).to_ascii_lowercase();
    lower.starts_with("http://") || lower.starts_with("https://")
}

/// The address with `params` behind, but for those that its query holds with the same value.
pub(super) fn with_params(address: &str, params: &Map) -> Result<Url> {
    let mut url = Url::parse(&unescaped(address.trim_start())).map_err(|error| {
        Error::config("the address of a request is malformed").with_source(error).hint(
            "`url_base` and `path` (or `url`) must make an address like https://api.example.com/v1/items",
        )
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::config(format!("an address can't begin with {:?}", url.scheme())));
    }
    let known = query_values(url.query().unwrap_or_default());
    let mut encoded = String::new();
    for (key, value) in params.iter() {
        if known.iter().any(|(name, there)| name == key && *there == python_text(value)) {
            continue;
        }
        push_field(&mut encoded, key, value);
    }
    if !encoded.is_empty() {
        let query = match url.query() {
            Some(query) if !query.is_empty() => format!("{query}&{encoded}"),
            _ => encoded,
        };
        url.set_query(Some(&query));
    }
    Ok(url)
}

/// Without escapes of what needs none (letters, digits and `-._~`), as the reference's client sends addresses. A
/// percent sign that begins no escape is left to the parser.
fn unescaped(address: &str) -> std::borrow::Cow<'_, str> {
    if !address.contains('%') {
        return address.into();
    }
    let mut plain = String::with_capacity(address.len());
    let mut rest = address;
    while let Some(at) = rest.find('%') {
        plain.push_str(&rest[..at]);
        let escape =
            rest.get(at + 1..at + 3).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        let byte = escape.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        if let Some(byte) = byte.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte)) {
            plain.push(char::from(byte));
            rest = &rest[at + 3..];
        } else {
            plain.push('%');
            rest = &rest[at + 1..];
        }
    }
    plain.push_str(rest);
    plain.into()
}

/// The first value of each key of a query; those without a value do not count.
fn query_values(query: &str) -> Vec<(String, String)> {
    let mut values: Vec<(String, String)> = Vec::new();
    for field in query.split('&') {
        let Some((key, value)) = field.split_once('=') else { continue };
        if value.is_empty() {
            continue;
        }
        let key = decoded(key);
        if !values.iter().any(|(known, _)| *known == key) {
            values.push((key, decoded(value)));
        }
    }
    values
}

fn decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The fields of a form.
pub(super) fn form(fields: &Map) -> String {
    let mut out = String::new();
    for (key, value) in fields.iter() {
        push_field(&mut out, key, value);
    }
    out
}

/// `key=value`, once for each item of a list; `None` is left out.
fn push_field(out: &mut String, key: &str, value: &Value) {
    match value {
        Value::None => {}
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
            for item in items.iter().filter(|item| !item.is_none()) {
                push_pair(out, key, &python_text(item));
            }
        }
        Value::Map(map) => {
            for name in map.keys() {
                push_pair(out, key, name);
            }
        }
        other => push_pair(out, key, &python_text(other)),
    }
}

fn push_pair(out: &mut String, key: &str, value: &str) {
    if !out.is_empty() {
        out.push('&');
    }
    push_encoded(out, key);
    out.push('=');
    push_encoded(out, value);
}

fn push_encoded(out: &mut String, text: &str) {
    for part in utf8_percent_encode(text, FORM) {
        if part.contains(' ') {
            out.push_str(&part.replace(' ', "+"));
        } else {
            out.push_str(part);
        }
    }
}

/// What Python's `str` writes.
pub(in crate::source::declarative) fn python_text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => Object::from(other).text().map_or_else(|_| other.to_json(), std::borrow::Cow::into_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joins_as_python_does() {
        for (base, path, joined) in [
            ("https://a.b/api/", "items", "https://a.b/api/items"),
            ("https://a.b/api", "items", "https://a.b/api/items"),
            ("https://a.b/api/", "", "https://a.b/api/"),
            ("https://a.b/api", "", "https://a.b/api"),
            ("https://a.b/api", "https://c.d/x?y=1", "https://c.d/x?y=1"),
            ("https://a.b/api", "/root?x=1", "https://a.b/root?x=1"),
            ("https://a.b//api//v1", "x//y", "https://a.b/api/v1/x/y"),
            ("https://a.b/api/v1", "../v2/x", "https://a.b/api/v2/x"),
            ("https://a.b", "items/", "https://a.b/items/"),
            ("https://a.b/api", "?page=2", "https://a.b/api/?page=2"),
            ("https://a.b/api?k=1", "items", "https://a.b/items"),
            ("https://a.b/api", "users:list", "https://a.b/api/users:list"),
            ("https://a.b/api", "//c.d/x", "https://c.d/x"),
        ] {
            assert_eq!(join_base(base, path), joined, "{base} {path}");
        }
    }

    #[test]
    fn escapes_that_are_not_needed_are_undone() {
        for (address, sent) in [
            ("https://a.b/%41%2F%7e/x?q=%42%26", "https://a.b/A%2F~/x?q=B%26"),
            ("https://a.b/100%", "https://a.b/100%"),
            ("https://a.b/%zz%e4%", "https://a.b/%zz%e4%"),
        ] {
            assert_eq!(with_params(address, &Map::new()).expect("a good address").as_str(), sent);
        }
    }

    #[test]
    fn parameters_follow_the_query_once() {
        let mut params = Map::new();
        params.insert("limit", "2");
        params.insert("q", "a b&c/d");
        params.insert("id", vec![Value::Int(1), Value::from("x")]);
        params.insert("flag", true);
        params.insert("none", Value::None);
        let url = with_params("https://a.b/x?limit=2&z=1", &params).expect("a good address");
        assert_eq!(url.as_str(), "https://a.b/x?limit=2&z=1&q=a+b%26c%2Fd&id=1&id=x&flag=True");
    }
}
