//! `str` and `repr`: how Python writes its values.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::budget::Budget;
use super::fault::{Fault, Outcome};
use super::object::{Object, Text};
use crate::source::declarative::moment::{date_iso, date_repr, time_iso, zone_repr};
use crate::source::declarative::number;
use crate::source::declarative::value::Value;

/// Values inside of each other that are written.
const DEPTH: usize = 100;

impl<'a> Object<'a> {
    /// `str(self)`.
    pub(crate) fn text(&self) -> Outcome<Cow<'_, str>> {
        if let Some(text) = self.as_str() {
            return Ok(Cow::Borrowed(text));
        }
        let mut out = String::new();
        self.write(&mut out)?;
        Ok(Cow::Owned(out))
    }

    /// `str(self)` as an object.
    pub(crate) fn to_text(&self, budget: &Budget) -> Outcome<Text<'a>> {
        if let Self::Text(text) = self {
            return Ok(text.clone());
        }
        let text = self.text()?;
        budget.room(text.len())?;
        Ok(Text::Shared(text.into()))
    }

    /// Appends `str(self)`.
    pub(crate) fn write(&self, out: &mut String) -> Outcome<()> {
        match self {
            Self::Undefined(_) => {}
            Self::Text(text) => out.push_str(text),
            Self::Markup(text) => out.push_str(text),
            Self::Moment(moment) => out.push_str(&moment.iso(' ')),
            Self::Date(date) => out.push_str(&date_iso(*date)),
            Self::Time(time) => out.push_str(&time_iso(time)),
            Self::Delta(delta) => out.push_str(&delta.text()),
            Self::Calendar(calendar) => out.push_str(&calendar.text()),
            Self::Zone(zone) => out.push_str(&zone.name()),
            other => other.write_repr(out, 0)?,
        }
        Ok(())
    }

    /// `repr(self)`.
    pub(crate) fn repr(&self) -> Outcome<String> {
        let mut out = String::new();
        self.write_repr(&mut out, 0)?;
        Ok(out)
    }

    fn write_repr(&self, out: &mut String, depth: usize) -> Outcome<()> {
        if depth > DEPTH {
            return Err(Fault::Limit(format!("a value is nested deeper than {DEPTH} levels")));
        }
        match self {
            Self::Undefined(_) => out.push_str("Undefined"),
            Self::None => out.push_str("None"),
            Self::Bool(truth) => out.push_str(if *truth { "True" } else { "False" }),
            Self::Int(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Big(number) => {
                let text = number.to_string();
                if text.trim_start_matches('-').len() > number::MOST_DIGITS {
                    let digits = number::MOST_DIGITS;
                    return Err(Fault::other(format!("an integer has more than {digits} digits")));
                }
                out.push_str(&text);
            }
            Self::Float(number) => out.push_str(&number::float_text(*number)),
            Self::Text(text) => quote(out, text),
            Self::Markup(text) => {
                out.push_str("Markup(");
                quote(out, text);
                out.push(')');
            }
            Self::Bytes(bytes) => quote_bytes(out, bytes),
            Self::Ellipsis => out.push_str("Ellipsis"),
            Self::Moment(moment) => out.push_str(&moment.repr()),
            Self::Date(date) => out.push_str(&date_repr(*date)),
            Self::Delta(delta) => out.push_str(&delta.repr()),
            Self::Calendar(calendar) => out.push_str(&calendar.repr()),
            Self::Zone(zone) => out.push_str(&zone_repr(*zone)),
            other => return other.write_container(out, depth),
        }
        Ok(())
    }

    fn write_container(&self, out: &mut String, depth: usize) -> Outcome<()> {
        match self {
            Self::Borrowed(Value::Map(map)) => {
                // Entries by reference: records are written often.
                write_entries(out, depth, map.iter().map(|(key, value)| (key.into(), value.into())))
            }
            Self::Slice(slice) => write_entries(
                out,
                depth,
                slice.merged().iter().map(|(key, value)| (key.into(), value.into())),
            ),
            Self::Dict(_) | Self::Borrowed(Value::Dict(_)) => {
                write_entries(out, depth, self.entries().unwrap_or_default().into_iter())
            }
            Self::View(view) => {
                let _ = write!(out, "{}(", view.name);
                write_items(out, depth, '[', ']', view.items.iter().cloned())?;
                out.push(')');
                Ok(())
            }
            Self::Tuple(_) | Self::Borrowed(Value::Tuple(_)) => {
                let items = self.items()?;
                let only = items.len() == 1;
                write_items(out, depth, '(', ')', items.into_iter())?;
                if only {
                    out.pop();
                    out.push_str(",)");
                }
                Ok(())
            }
            Self::Set(_) | Self::Borrowed(Value::Set(_)) => {
                let items = self.items()?;
                if items.is_empty() {
                    out.push_str("set()");
                    return Ok(());
                }
                write_items(out, depth, '{', '}', items.into_iter())
            }
            Self::List(_) | Self::Borrowed(Value::List(_)) => {
                write_items(out, depth, '[', ']', self.items()?.into_iter())
            }
            Self::Namespace(entries) => {
                out.push_str("<Namespace ");
                let entries: Vec<_> = entries
                    .borrow()
                    .iter()
                    .map(|(key, value)| (Self::from(key.to_string()), value.clone()))
                    .collect();
                write_entries(out, depth, entries.into_iter())?;
                out.push('>');
                Ok(())
            }
            Self::Macro(closure) => {
                let _ = write!(out, "<Macro '{}'>", closure.definition.name);
                Ok(())
            }
            Self::Loop(state) => {
                let _ = write!(out, "<LoopContext {}/{}>", state.at.get() + 1, state.items.len());
                Ok(())
            }
            // Python writes an address too, which no two runs have in common.
            Self::Function(name) => {
                let _ = write!(out, "<function {name}>");
                Ok(())
            }
            Self::Method(method) => {
                let _ = write!(out, "<built-in method {} of {} object>", method.1, method.0.kind());
                Ok(())
            }
            other => {
                let _ = write!(out, "<{} object>", other.kind());
                Ok(())
            }
        }
    }
}

fn write_items<'a>(
    out: &mut String,
    depth: usize,
    open: char,
    close: char,
    items: impl Iterator<Item = Object<'a>>,
) -> Outcome<()> {
    out.push(open);
    for (place, item) in items.enumerate() {
        if place > 0 {
            out.push_str(", ");
        }
        item.write_repr(out, depth + 1)?;
    }
    out.push(close);
    Ok(())
}

fn write_entries<'a>(
    out: &mut String,
    depth: usize,
    entries: impl Iterator<Item = (Object<'a>, Object<'a>)>,
) -> Outcome<()> {
    out.push('{');
    for (place, (key, value)) in entries.enumerate() {
        if place > 0 {
            out.push_str(", ");
        }
        key.write_repr(out, depth + 1)?;
        out.push_str(": ");
        value.write_repr(out, depth + 1)?;
    }
    out.push('}');
    Ok(())
}

/// Appends text in quotes, with escapes for all that can't be shown.
pub(super) fn quote(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if other == quote => {
                out.push('\\');
                out.push(quote);
            }
            ' '..='~' => out.push(character),
            other if is_printable(other) => out.push(other),
            other => {
                let code = other as u32;
                let _ = match code {
                    0..=0xff => write!(out, "\\x{code:02x}"),
                    0x100..=0xffff => write!(out, "\\u{code:04x}"),
                    _ => write!(out, "\\U{code:08x}"),
                };
            }
        }
    }
    out.push(quote);
}

/// What `str.isprintable` says of one character.
pub(super) fn is_printable(character: char) -> bool {
    if character.is_ascii() {
        return (' '..='~').contains(&character);
    }
    // The standard library's debug form knows the same table; after another character it leaves marks alone.
    let mut text = String::from("a");
    text.push(character);
    let mut escaped = text.escape_debug().skip(1);
    escaped.next() == Some(character) && escaped.next().is_none()
}

fn quote_bytes(out: &mut String, bytes: &[u8]) {
    let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
    out.push('b');
    out.push(char::from(quote));
    for byte in bytes {
        match byte {
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            byte if *byte == quote => {
                out.push('\\');
                out.push(char::from(quote));
            }
            b' '..=b'~' => out.push(char::from(*byte)),
            byte => {
                let _ = write!(out, "\\x{byte:02x}");
            }
        }
    }
    out.push(char::from(quote));
}
