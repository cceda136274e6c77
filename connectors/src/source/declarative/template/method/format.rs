//! `str.format`: fields in braces, with attributes, items, conversions and specifications.

use super::super::call::Arguments;
use super::super::fault::{Fault, Outcome};
use super::super::item::{attribute, item};
use super::super::machine::Host;
use super::super::object::Object;
use super::super::percent::formatted;

/// `template.format(args)`.
pub(super) fn format<'a>(
    host: &Host<'a>,
    template: &str,
    args: &Arguments<'a>,
    depth: usize,
) -> Outcome<String> {
    if depth > 2 {
        return Err(Fault::other("Max string recursion exceeded"));
    }
    let mut out = String::new();
    let mut automatic = 0;
    let mut rest = template;
    while let Some(place) = rest.find(['{', '}']) {
        out.push_str(&rest[..place]);
        let brace = &rest[place..=place];
        rest = &rest[place + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            return Err(Fault::other("Single '}' encountered in format string"));
        }
        let end = closing(rest).ok_or_else(|| Fault::other("expected '}' before end of string"))?;
        let field = field(host, &rest[..end], args, &mut automatic, depth)?;
        host.budget.room(field.len())?;
        out.push_str(&field);
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

/// Where the brace closes that was opened before `text`.
fn closing(text: &str) -> Option<usize> {
    let mut open = 1;
    for (place, character) in text.char_indices() {
        match character {
            '{' => open += 1,
            '}' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return Some(place);
        }
    }
    None
}

fn field<'a>(
    host: &Host<'a>,
    text: &str,
    args: &Arguments<'a>,
    automatic: &mut usize,
    depth: usize,
) -> Outcome<String> {
    let (target, spec) = text.split_once(':').unwrap_or((text, ""));
    let (target, conversion) =
        target.split_once('!').map_or((target, None), |(target, kind)| (target, Some(kind)));
    let end = target.find(['.', '[']).unwrap_or(target.len());
    let (first, mut path) = target.split_at(end);
    let missing = || Fault::other("an argument of format() is missing");
    let mut value = if first.is_empty() {
        *automatic += 1;
        args.positional.get(*automatic - 1).cloned().ok_or_else(missing)?
    } else if let Ok(place) = first.parse::<usize>() {
        args.positional.get(place).cloned().ok_or_else(missing)?
    } else {
        args.get(first).cloned().ok_or_else(missing)?
    };
    while !path.is_empty() {
        if let Some(rest) = path.strip_prefix('.') {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            value = attribute(&value, &rest[..end])?;
            path = &rest[end..];
        } else {
            let rest = &path[1..];
            let end = rest.find(']').ok_or_else(|| Fault::other("Missing ']' in format string"))?;
            let key =
                rest[..end].parse::<i64>().map_or_else(|_| Object::from(rest[..end].to_owned()), Object::Int);
            value = item(&value, &key)?;
            path = &rest[end + 1..];
        }
    }
    value = match conversion {
        None => value,
        Some("s") => value.text()?.into_owned().into(),
        Some("r" | "a") => value.repr()?.into(),
        Some(_) => return Err(Fault::other("Unknown conversion specifier")),
    };
    let spec = format(host, spec, args, depth + 1)?;
    formatted(&value, &spec)
}
