//! Methods of text.

use super::super::call::{Arguments, integer, text};
use super::super::fault::{Fault, Outcome};
use super::super::item::same_kind;
use super::super::machine::Host;
use super::super::object::Object;
use super::super::text::is_printable;
use super::format::format;
use super::unknown;
use crate::source::declarative::number::is_space;

pub(super) const NAMES: &[&str] = &[
    "capitalize",
    "casefold",
    "center",
    "count",
    "encode",
    "endswith",
    "expandtabs",
    "find",
    "format",
    "format_map",
    "index",
    "isalnum",
    "isalpha",
    "isascii",
    "isdecimal",
    "isdigit",
    "isidentifier",
    "islower",
    "isnumeric",
    "isprintable",
    "isspace",
    "istitle",
    "isupper",
    "join",
    "ljust",
    "lower",
    "lstrip",
    "partition",
    "removeprefix",
    "removesuffix",
    "replace",
    "rfind",
    "rindex",
    "rjust",
    "rpartition",
    "rsplit",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "swapcase",
    "title",
    "upper",
    "zfill",
];

pub(super) fn call<'a>(
    host: &Host<'a>,
    object: &Object<'a>,
    name: &str,
    args: &Arguments<'a>,
) -> Outcome<Object<'a>> {
    let own = object.as_str().unwrap_or_default();
    host.budget.work(own.len() / 64 + 1)?;
    let made = |text: String| -> Outcome<Object<'a>> {
        host.budget.room(text.len())?;
        Ok(same_kind(object, text))
    };
    // Those without parameters: the rest of the names that begin so are questions.
    if name.starts_with("is")
        || matches!(name, "lower" | "upper" | "casefold" | "capitalize" | "title" | "swapcase")
    {
        args.bind(name, [], 0)?;
    }
    match name {
        "lower" => made(own.to_lowercase()),
        "upper" => made(own.to_uppercase()),
        "casefold" => made(own.to_lowercase().replace('ß', "ss")),
        "capitalize" => made(capitalized(own)),
        "title" => made(titled(own)),
        "swapcase" => made(swapped(own)),
        "strip" | "lstrip" | "rstrip" => {
            let [set] = args.bind(name, ["*chars"], 0)?;
            made(stripped(own, name, set.as_ref())?.to_owned())
        }
        "split" | "rsplit" => split(host, object, name, args),
        "splitlines" => {
            let [keep] = args.bind(name, ["keepends"], 0)?;
            Ok(Object::list(lines(own, keep.is_some_and(|keep| keep.is_true()))))
        }
        "partition" | "rpartition" => partition(object, name, args),
        "join" => {
            let [items] = args.bind(name, ["*iterable"], 1)?;
            joined(host, object, &items.unwrap_or(Object::None))
        }
        "replace" => replaced(host, object, args),
        "startswith" | "endswith" => affixed(own, name, args),
        "removeprefix" | "removesuffix" => {
            let [affix] = args.bind(name, ["*affix"], 1)?;
            let affix = affix.unwrap_or(Object::None);
            let affix = text(&affix, name)?;
            let rest = if name == "removeprefix" { own.strip_prefix(affix) } else { own.strip_suffix(affix) };
            made(rest.unwrap_or(own).to_owned())
        }
        "find" | "rfind" | "index" | "rindex" | "count" => find(own, name, args),
        "ljust" | "rjust" | "center" | "zfill" => justified(host, object, name, args),
        "expandtabs" => made(own.replace('\t', "        ")),
        "encode" => {
            args.bind(name, ["encoding", "errors"], 0)?;
            Ok(Object::Bytes(own.as_bytes().into()))
        }
        "format" => {
            let text = format(host, own, args, 0)?;
            made(text)
        }
        "format_map" => {
            let [map] = args.bind(name, ["*mapping"], 1)?;
            let dynamic = map.and_then(|map| map.entries()).unwrap_or_default();
            let dynamic =
                dynamic.into_iter().filter_map(|(key, value)| Some((key.as_str()?.to_owned(), value)));
            let args = Arguments { dynamic: dynamic.collect(), ..Arguments::default() };
            made(format(host, own, &args, 0)?)
        }
        _ => is(own, name).map(Object::Bool).ok_or_else(|| unknown(object, name)),
    }
}

/// The questions: `isdigit` and the like.
fn is(text: &str, name: &str) -> Option<bool> {
    let all = |test: fn(char) -> bool| !text.is_empty() && text.chars().all(test);
    let cased = |upper: bool| {
        let mut found = false;
        for character in text.chars() {
            if if upper { character.is_lowercase() } else { character.is_uppercase() } {
                return false;
            }
            found |= if upper { character.is_uppercase() } else { character.is_lowercase() };
        }
        found
    };
    Some(match name {
        "isdigit" | "isdecimal" => all(|c| {
            c.is_ascii_digit()
                || (!c.is_ascii() && c.is_numeric() && c.to_digit(36).is_none() && is_decimal(c))
        }),
        "isnumeric" => all(char::is_numeric),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isspace" => all(is_space),
        "isascii" => text.is_ascii(),
        "isprintable" => text.chars().all(is_printable),
        "islower" => cased(false),
        "isupper" => cased(true),
        "istitle" => titled(text) == text && text.chars().any(char::is_alphabetic),
        "isidentifier" => {
            text.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && text.chars().all(|c| c.is_alphanumeric() || c == '_')
        }
        _ => return None,
    })
}

/// Whether a character that is no ASCII one is a digit of a decimal system.
fn is_decimal(character: char) -> bool {
    crate::source::declarative::number::parse_int(&character.to_string(), 10).is_some()
}

pub(in super::super) fn capitalized(text: &str) -> String {
    let mut characters = text.chars();
    let Some(first) = characters.next() else { return String::new() };
    first.to_uppercase().chain(characters.as_str().to_lowercase().chars()).collect()
}

fn titled(text: &str) -> String {
    let mut inside = false;
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if inside {
            out.extend(character.to_lowercase());
        } else {
            out.extend(character.to_uppercase());
        }
        inside = character.is_alphabetic();
    }
    out
}

fn swapped(text: &str) -> String {
    let swap = |c: char| -> String {
        if c.is_uppercase() { c.to_lowercase().collect() } else { c.to_uppercase().collect() }
    };
    text.chars().map(swap).collect()
}

pub(in super::super) fn stripped<'t>(own: &'t str, name: &str, set: Option<&Object<'_>>) -> Outcome<&'t str> {
    let set: Option<Vec<char>> = match set {
        None | Some(Object::None) => None,
        Some(set) => Some(text(set, name)?.chars().collect()),
    };
    let goes = |c: char| set.as_ref().map_or_else(|| is_space(c), |set| set.contains(&c));
    Ok(match name {
        "lstrip" => own.trim_start_matches(goes),
        "rstrip" => own.trim_end_matches(goes),
        _ => own.trim_matches(goes),
    })
}

fn split<'a>(host: &Host<'a>, object: &Object<'a>, name: &str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [separator, most] = args.bind(name, ["sep", "maxsplit"], 0)?;
    let most = most.map_or(Ok(-1), |most| integer(&most, name))?;
    let most = usize::try_from(most).ok().filter(|most| *most < usize::MAX);
    let own = object.as_str().unwrap_or_default();
    let backwards = name == "rsplit";
    let mut parts: Vec<&str> = match &separator {
        None | Some(Object::None) => split_blank(own, most, backwards),
        Some(separator) => {
            let separator = text(separator, name)?;
            if separator.is_empty() {
                return Err(Fault::other("empty separator"));
            }
            match (most, backwards) {
                (None, _) => own.split(separator).collect(),
                (Some(most), false) => own.splitn(most + 1, separator).collect(),
                (Some(most), true) => own.rsplitn(most + 1, separator).collect(),
            }
        }
    };
    if backwards && (most.is_some() || matches!(separator, None | Some(Object::None))) {
        parts.reverse();
    }
    host.budget.room(own.len() + parts.len() * size_of::<Object>())?;
    Ok(Object::list(parts.into_iter().map(|part| same_kind(object, part.to_owned())).collect()))
}

/// Words; for a split from the end the last one first.
fn split_blank(text: &str, most: Option<usize>, backwards: bool) -> Vec<&str> {
    let Some(most) = most else {
        let mut words: Vec<&str> = text.split(is_space).filter(|word| !word.is_empty()).collect();
        if backwards {
            words.reverse();
        }
        return words;
    };
    let mut parts = Vec::new();
    let mut rest =
        if backwards { text.trim_end_matches(is_space) } else { text.trim_start_matches(is_space) };
    while parts.len() < most && !rest.is_empty() {
        let place = if backwards { rest.rfind(is_space) } else { rest.find(is_space) };
        let Some(place) = place else { break };
        if backwards {
            let length = rest[place..].chars().next().map_or(1, char::len_utf8);
            parts.push(&rest[place + length..]);
            rest = rest[..place].trim_end_matches(is_space);
        } else {
            parts.push(&rest[..place]);
            rest = rest[place..].trim_start_matches(is_space);
        }
    }
    if !rest.is_empty() {
        parts.push(rest);
    }
    parts
}

fn lines<'a>(text: &str, keep: bool) -> Vec<Object<'a>> {
    let is_end = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut out = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let Some(place) = rest.find(is_end) else {
            out.push(rest.to_owned().into());
            break;
        };
        let length = if rest[place..].starts_with("\r\n") {
            2
        } else {
            rest[place..].chars().next().map_or(1, char::len_utf8)
        };
        out.push(rest[..if keep { place + length } else { place }].to_owned().into());
        rest = &rest[place + length..];
    }
    out
}

fn partition<'a>(object: &Object<'a>, name: &str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [separator] = args.bind(name, ["*sep"], 1)?;
    let separator = separator.unwrap_or(Object::None);
    let separator = text(&separator, name)?;
    if separator.is_empty() {
        return Err(Fault::other("empty separator"));
    }
    let own = object.as_str().unwrap_or_default();
    let parts = match name {
        "partition" => {
            own.split_once(separator).map_or([own, "", ""], |(left, right)| [left, separator, right])
        }
        _ => own.rsplit_once(separator).map_or(["", "", own], |(left, right)| [left, separator, right]),
    };
    Ok(Object::tuple(parts.iter().map(|part| same_kind(object, (*part).to_owned())).collect()))
}

fn joined<'a>(host: &Host<'a>, object: &Object<'a>, items: &Object<'a>) -> Outcome<Object<'a>> {
    let own = object.as_str().unwrap_or_default();
    let items = match items {
        Object::Undefined(_) => Vec::new(),
        items => items.items().map_err(|_| Fault::kind("can only join an iterable"))?,
    };
    let mut out = String::new();
    for (place, item) in items.iter().enumerate() {
        let Some(text) = item.as_str() else {
            return Err(Fault::kind(format!(
                "sequence item {place}: expected str instance, {} found",
                item.kind()
            )));
        };
        host.budget.room(own.len() + text.len())?;
        if place > 0 {
            out.push_str(own);
        }
        out.push_str(text);
    }
    Ok(same_kind(object, out))
}

fn replaced<'a>(host: &Host<'a>, object: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [old, new, count] = args.bind("replace", ["*old", "*new", "*count"], 2)?;
    let (old, new) = (old.unwrap_or(Object::None), new.unwrap_or(Object::None));
    let count = count.map_or(Ok(-1), |count| integer(&count, "replace"))?;
    let own = object.as_str().unwrap_or_default();
    Ok(same_kind(object, replace(host, own, text(&old, "replace")?, text(&new, "replace")?, count)?))
}

pub(in super::super) fn replace(
    host: &Host<'_>,
    own: &str,
    old: &str,
    new: &str,
    count: i64,
) -> Outcome<String> {
    let most = usize::try_from(count).unwrap_or(usize::MAX);
    let hits = if old.is_empty() { own.chars().count() + 1 } else { own.matches(old).count() }.min(most);
    host.budget.room(own.len() + hits * new.len())?;
    Ok(own.replacen(old, new, most))
}

fn affixed<'a>(own: &str, name: &str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [affix, start, end] = args.bind(name, ["*prefix", "*start", "*end"], 1)?;
    let affix = affix.unwrap_or(Object::None);
    let Some(part) = part(own, start.as_ref(), end.as_ref(), name)?.map(|(_, part)| part) else {
        return Ok(false.into());
    };
    let fits = |affix: &Object<'_>| -> Outcome<bool> {
        let affix = text(affix, name)?;
        Ok(if name == "startswith" { part.starts_with(affix) } else { part.ends_with(affix) })
    };
    if affix.kind() == "tuple" {
        for affix in affix.items()? {
            if fits(&affix)? {
                return Ok(true.into());
            }
        }
        return Ok(false.into());
    }
    fits(&affix).map(Object::Bool)
}

/// The part of a text between two characters and the number of the first; `None` where the first lies behind the end.
fn part<'t>(
    own: &'t str,
    start: Option<&Object<'_>>,
    end: Option<&Object<'_>>,
    name: &str,
) -> Outcome<Option<(usize, &'t str)>> {
    let length = own.chars().count();
    let bound = |bound: Option<&Object<'_>>, usual: usize| -> Outcome<usize> {
        let Some(bound) = bound.filter(|bound| !matches!(bound, Object::None)) else { return Ok(usual) };
        let bound = integer(bound, name)?;
        let length = i64::try_from(length).unwrap_or(i64::MAX);
        Ok(usize::try_from(if bound < 0 { bound + length } else { bound }).unwrap_or(0))
    };
    let (start, end) = (bound(start, 0)?, bound(end, length)?.min(length));
    if start > end {
        return Ok(None);
    }
    let place = |character: usize| own.char_indices().nth(character).map_or(own.len(), |(place, _)| place);
    Ok(Some((start, &own[place(start)..place(end)])))
}

fn find<'a>(own: &str, name: &str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let [wanted, start, end] = args.bind(name, ["*sub", "*start", "*end"], 1)?;
    let wanted = wanted.unwrap_or(Object::None);
    let wanted = text(&wanted, name)?;
    let found = part(own, start.as_ref(), end.as_ref(), name)?;
    if name == "count" {
        let count = found.map_or(0, |(_, part)| {
            if wanted.is_empty() { part.chars().count() + 1 } else { part.matches(wanted).count() }
        });
        return Ok(count.into());
    }
    let place = found.and_then(|(start, part)| {
        let place = if name.starts_with('r') { part.rfind(wanted) } else { part.find(wanted) }?;
        Some(start + part[..place].chars().count())
    });
    match place {
        Some(place) => Ok(place.into()),
        None if name.ends_with("find") => Ok(Object::Int(-1)),
        None => Err(Fault::other("substring not found")),
    }
}

fn justified<'a>(
    host: &Host<'a>,
    object: &Object<'a>,
    name: &str,
    args: &Arguments<'a>,
) -> Outcome<Object<'a>> {
    let [width, fill] = args.bind(name, ["*width", "*fillchar"], 1)?;
    let width = usize::try_from(integer(&width.unwrap_or(Object::None), name)?).unwrap_or(0);
    let fill = fill.map_or_else(|| Ok(" ".to_owned()), |fill| text(&fill, name).map(str::to_owned))?;
    if fill.chars().count() != 1 {
        return Err(Fault::kind("The fill character must be exactly one character long"));
    }
    let own = object.as_str().unwrap_or_default();
    let length = own.chars().count();
    let missing = width.saturating_sub(length);
    host.budget.room(own.len() + missing.saturating_mul(fill.len()))?;
    let text = match name {
        "ljust" => format!("{own}{}", fill.repeat(missing)),
        "rjust" => format!("{}{own}", fill.repeat(missing)),
        "center" => {
            // The odd one goes to the left where the width is odd, as CPython has it.
            let left = missing / 2 + (missing & width & 1);
            format!("{}{own}{}", fill.repeat(left), fill.repeat(missing - left))
        }
        _ => {
            let (sign, digits) = if own.starts_with(['+', '-']) { own.split_at(1) } else { ("", own) };
            format!("{sign}{}{digits}", "0".repeat(missing))
        }
    };
    Ok(same_kind(object, text))
}
