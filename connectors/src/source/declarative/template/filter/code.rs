//! Filters of the reference, and those that encode: hashes, base64, regular expressions, JSON, URLs.

use std::cell::RefCell;
use std::collections::HashMap;

use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};

use super::super::call::{Arguments, text};
use super::super::fault::{Fault, Outcome};
use super::super::function::{quote, quote_plus};
use super::super::machine::Machine;
use super::super::method::hex;
use super::super::object::Object;
use super::super::operator::escape;
use super::json::{Style, dumps};

/// Regular expressions of a thread that are kept compiled.
const KEPT: usize = 64;
/// Steps back of one search, so that no expression runs for ever.
const STEPS_BACK: usize = 1_000_000;

/// The filter, where it is one of these.
pub(super) fn call<'a>(
    machine: &Machine<'a>,
    name: &str,
    value: &Object<'a>,
    args: &Arguments<'a>,
) -> Option<Outcome<Object<'a>>> {
    Some(match name {
        "hash" => hash(value, args),
        "hmac" => keyed(value, args),
        "base64encode" => method_of_text(value, "encode").map(|text| STANDARD.encode(text).into()),
        "base64binascii_decode" => method_of_text(value, "encode").and_then(|text| {
            if text.is_ascii() {
                Ok(STANDARD.encode(text).into())
            } else {
                Err(Fault::other("a text is not ASCII"))
            }
        }),
        "base64decode" => decode(value),
        "regex_search" => search(value, args),
        "regex_replace" => replace(machine, value, args),
        "string" => string(value, args),
        "tojson" => json(machine, value, args),
        "urlencode" => urlencode(value, args),
        "e" | "escape" | "forceescape" => match value {
            Object::Markup(_) if name != "forceescape" => Ok(value.clone()),
            other => other.text().map(|text| Object::Markup(escape(&text).into())),
        },
        "safe" => value.text().map(|text| Object::Markup((*text).into())),
        "striptags" => value.text().map(|text| striptags(&text).into()),
        _ => return None,
    })
}

/// The text of a value of which the reference calls a method: another value has no such method.
fn method_of_text<'o>(value: &'o Object<'_>, method: &str) -> Outcome<&'o str> {
    value.demand()?;
    value
        .as_str()
        .ok_or_else(|| Fault::other(format!("'{}' object has no attribute '{method}'", value.kind())))
}

fn hash<'a>(value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [kind, salt] = args.bind("hash", ["hash_type", "salt"], 0)?;
    let kind = kind.unwrap_or(Object::from("md5"));
    let mut data = value.text()?.into_owned();
    if let Some(salt) = salt.filter(Object::is_true) {
        salt.write(&mut data)?;
    }
    let algorithm = match text(&kind, "hash")? {
        "md5" => return Ok(hex(&Md5::digest(data.as_bytes())).into()),
        "sha1" => &digest::SHA1_FOR_LEGACY_USE_ONLY,
        "sha224" => &digest::SHA224,
        "sha256" => &digest::SHA256,
        "sha384" => &digest::SHA384,
        "sha512" => &digest::SHA512,
        "sha3_256" => &digest::SHA3_256,
        "sha3_384" => &digest::SHA3_384,
        "sha3_512" => &digest::SHA3_512,
        other => return Err(Fault::other(format!("No hashing function named {other}"))),
    };
    Ok(hex(digest::digest(algorithm, data.as_bytes()).as_ref()).into())
}

fn keyed<'a>(value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [key, kind] = args.bind("hmac", ["key", "hash_type"], 1)?;
    if kind.is_some_and(|kind| kind.as_str() != Some("sha256")) {
        return Err(Fault::other("the hash type of hmac is not allowed, only sha256 is"));
    }
    let key = key.unwrap_or(Object::None);
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.text()?.as_bytes());
    Ok(hex(hmac::sign(&key, value.text()?.as_bytes()).as_ref()).into())
}

fn decode<'a>(value: &Object<'a>) -> Outcome<Object<'a>> {
    let text = method_of_text(value, "encode")?;
    // Python leaves out what is no letter of base64.
    let kept: String =
        text.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=')).collect();
    let bytes = STANDARD.decode(kept).map_err(|_| Fault::other("a text is not base64"))?;
    String::from_utf8(bytes).map(Object::from).map_err(|_| Fault::other("what base64 encoded is not UTF-8"))
}

thread_local! {
    static EXPRESSIONS: RefCell<HashMap<String, fancy_regex::Regex>> = RefCell::new(HashMap::new());
}

/// Runs `work` with the compiled expression.
fn with_regex<T>(pattern: &str, work: impl FnOnce(&fancy_regex::Regex) -> Outcome<T>) -> Outcome<T> {
    EXPRESSIONS.with_borrow_mut(|kept| {
        if let Some(regex) = kept.get(pattern) {
            return work(regex);
        }
        let regex = fancy_regex::RegexBuilder::new(pattern)
            .backtrack_limit(STEPS_BACK)
            .delegate_size_limit(1 << 20)
            .build()
            .map_err(|_| Fault::other("a regular expression is malformed"))?;
        if kept.len() >= KEPT {
            kept.clear();
        }
        let outcome = work(&regex);
        kept.insert(pattern.to_owned(), regex);
        outcome
    })
}

fn subject<'o>(value: &'o Object<'_>) -> Outcome<&'o str> {
    value.as_str().ok_or_else(|| Fault::kind("expected string or bytes-like object"))
}

fn search<'a>(value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [pattern] = args.bind("regex_search", ["regex"], 1)?;
    let pattern = pattern.unwrap_or(Object::None);
    let pattern = text(&pattern, "regex_search")?;
    let subject = subject(value)?;
    with_regex(pattern, |regex| {
        let found = regex
            .captures(subject)
            .map_err(|_| Fault::Limit("a regular expression takes too long".to_owned()))?;
        let Some(found) = found.filter(|found| found.len() > 1) else { return Ok(Object::from("")) };
        Ok(found.get(1).map_or(Object::None, |group| group.as_str().to_owned().into()))
    })
}

fn replace<'a>(machine: &Machine<'a>, value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [pattern, by] = args.bind("regex_replace", ["regex", "replacement"], 2)?;
    let (pattern, by) = (pattern.unwrap_or(Object::None), by.unwrap_or(Object::None));
    let by = text(&by, "regex_replace")?;
    let subject = subject(value)?;
    with_regex(text(&pattern, "regex_replace")?, |regex| {
        let mut out = String::new();
        let mut end = 0;
        for found in regex.captures_iter(subject) {
            let found = found.map_err(|_| Fault::Limit("a regular expression takes too long".to_owned()))?;
            let Some(whole) = found.get(0) else { continue };
            let start = out.len();
            out.push_str(&subject[end..whole.start()]);
            expand(by, &found, &mut out)?;
            machine.host.budget.room(out.len() - start)?;
            end = whole.end();
        }
        out.push_str(&subject[end..]);
        Ok(out.into())
    })
}

/// Appends a replacement: `\1` and `\g<name>` stand for groups.
fn expand(by: &str, found: &fancy_regex::Captures<'_, str>, out: &mut String) -> Outcome<()> {
    let mut rest = by;
    let unknown = || Fault::other("a replacement names an unknown group");
    while let Some(place) = rest.find('\\') {
        out.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            let group: usize = rest[..digits].parse().map_err(|_| unknown())?;
            if group >= found.len() {
                return Err(unknown());
            }
            out.push_str(found.get(group).map_or("", |group| group.as_str()));
            rest = &rest[digits..];
        } else if let Some(after) = rest.strip_prefix("g<") {
            let (name, after) = after.split_once('>').ok_or_else(unknown)?;
            let group = name.parse::<usize>().map_or_else(|_| found.name(name), |place| found.get(place));
            out.push_str(group.map_or("", |group| group.as_str()));
            rest = after;
        } else {
            let letter = rest.chars().next().ok_or_else(unknown)?;
            match letter {
                'n' => out.push('\n'),
                't' => out.push('\t'),
                'r' => out.push('\r'),
                '\\' => out.push('\\'),
                letter if letter.is_ascii_alphabetic() => {
                    return Err(Fault::other("a replacement has a bad escape"));
                }
                letter => {
                    out.push('\\');
                    out.push(letter);
                }
            }
            rest = &rest[letter.len_utf8()..];
        }
    }
    out.push_str(rest);
    Ok(())
}

/// Text as it is; anything else as JSON in three quotes, so that it stays text when it is read as a literal.
fn string<'a>(value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    args.bind("string", [], 0)?;
    if value.as_str().is_some() {
        return Ok(value.clone());
    }
    Ok(format!("\"\"\"{}\"\"\"", dumps(value, Style::default())?).into())
}

fn json<'a>(machine: &Machine<'a>, value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [indent] = args.bind("tojson", ["indent"], 0)?;
    let indent =
        indent.and_then(|indent| usize::try_from(indent.as_int()?).ok()).map(|indent| indent.min(64));
    let text = dumps(value, Style { sorted: true, indent })?;
    machine.host.budget.room(text.len())?;
    let safe =
        text.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026").replace('\'', "\\u0027");
    Ok(Object::Markup(safe.into()))
}

fn urlencode<'a>(value: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    args.bind("urlencode", [], 0)?;
    if value.as_str().is_some() || value.items().is_err() {
        return Ok(quote(&value.text()?, b"_.-~/").into());
    }
    let pairs = match value {
        Object::Dict(_) | Object::Borrowed(_) if value.is_mapping() => value.entries().unwrap_or_default(),
        other => super::super::method::pairs(&Object::list(other.items()?))?,
    };
    let encoded: Vec<String> = pairs
        .iter()
        .map(|(key, value)| Ok(format!("{}={}", quote_plus(&key.text()?), quote_plus(&value.text()?))))
        .collect::<Outcome<_>>()?;
    Ok(encoded.join("&").into())
}

/// Text without tags and comments, its white space folded.
fn striptags(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(place) = rest.find('<') {
        out.push_str(&rest[..place]);
        let end = if rest[place..].starts_with("<!--") {
            rest[place..].find("-->").map(|end| end + 3)
        } else {
            rest[place..].find('>').map(|end| end + 1)
        };
        let Some(end) = end else {
            rest = &rest[place..];
            break;
        };
        rest = &rest[place + end..];
    }
    out.push_str(rest);
    let folded = out.split_whitespace().collect::<Vec<_>>().join(" ");
    folded
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#34;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}
