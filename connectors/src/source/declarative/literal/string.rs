//! Quoted text and bytes of Python's literals, and the escapes that templates' texts share with them.

use super::Reader;
use crate::source::declarative::value::Value;

/// What stands before the quote.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Prefix {
    raw: bool,
    bytes: bool,
}

impl Reader<'_> {
    /// One or more quoted texts one after the other, which are one.
    pub(super) fn strings(&mut self) -> Option<Value> {
        let mut text = String::new();
        let mut kind = None;
        while let Some(prefix) = self.prefix() {
            if *kind.get_or_insert(prefix.bytes) != prefix.bytes {
                return None;
            }
            self.quoted(prefix, &mut text)?;
            self.skip_blank()?;
        }
        Some(if kind? {
            // Every character stands for an octet: `escape` and `quoted` let no other through.
            Value::Bytes(text.chars().map(|c| u8::try_from(c as u32).unwrap_or(b'?')).collect())
        } else {
            Value::Text(text)
        })
    }

    /// Moves up to the quote, if a quoted text begins here.
    fn prefix(&mut self) -> Option<Prefix> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|byte| matches!(byte, b'\'' | b'"'))?;
        if length > 2 {
            return None;
        }
        let prefix = match rest[..length].to_ascii_lowercase().as_slice() {
            b"" | b"u" => Prefix { raw: false, bytes: false },
            b"r" => Prefix { raw: true, bytes: false },
            b"b" => Prefix { raw: false, bytes: true },
            b"rb" | b"br" => Prefix { raw: true, bytes: true },
            _ => return None,
        };
        self.at += length;
        Some(prefix)
    }

    fn skip_blank(&mut self) -> Option<()> {
        self.blank()
    }

    fn quoted(&mut self, prefix: Prefix, out: &mut String) -> Option<()> {
        let quote = self.bytes[self.at];
        let is_triple =
            self.bytes[self.at..].len() >= 3 && self.bytes[self.at..self.at + 3].iter().all(|b| *b == quote);
        self.at += if is_triple { 3 } else { 1 };
        let start = self.at;
        let end = loop {
            let byte = *self.bytes.get(self.at)?;
            match byte {
                b'\\' => self.at += 2,
                b'\n' if !is_triple => return None,
                _ if byte != quote => self.at += 1,
                _ if !is_triple => break self.at,
                _ if self.bytes[self.at..].len() >= 3
                    && self.bytes[self.at..self.at + 3].iter().all(|b| *b == quote) =>
                {
                    break self.at;
                }
                _ => self.at += 1,
            }
        };
        let body = self.text.get(start..end)?;
        self.at = end + if is_triple { 3 } else { 1 };
        if prefix.bytes && !body.is_ascii() {
            return None;
        }
        if prefix.raw {
            out.push_str(body);
            return Some(());
        }
        unescape(body, prefix.bytes, out)
    }
}

/// Resolves the escapes of `body` onto `out`. Unknown ones stay as they are; `None` where one is malformed.
pub(crate) fn unescape(body: &str, bytes: bool, out: &mut String) -> Option<()> {
    let mut rest = body;
    while let Some(place) = rest.find('\\') {
        out.push_str(&rest[..place]);
        let after = &rest[place + 1..];
        let letter = after.chars().next()?;
        let tail = &after[letter.len_utf8()..];
        rest = match letter {
            '\n' => tail,
            '\\' | '\'' | '"' => push(out, letter, tail),
            'a' => push(out, '\u{7}', tail),
            'b' => push(out, '\u{8}', tail),
            'f' => push(out, '\u{c}', tail),
            'n' => push(out, '\n', tail),
            'r' => push(out, '\r', tail),
            't' => push(out, '\t', tail),
            'v' => push(out, '\u{b}', tail),
            '0'..='7' => octal(after, bytes, out),
            'x' => hex(tail, 2, out)?,
            'u' if !bytes => hex(tail, 4, out)?,
            'U' if !bytes => hex(tail, 8, out)?,
            // Names of characters would need a table of them all.
            'N' if !bytes => return None,
            other => {
                out.push('\\');
                push(out, other, tail)
            }
        };
    }
    out.push_str(rest);
    Some(())
}

fn push<'t>(out: &mut String, character: char, tail: &'t str) -> &'t str {
    out.push(character);
    tail
}

fn octal<'t>(after: &'t str, bytes: bool, out: &mut String) -> &'t str {
    let length = after.bytes().take(3).take_while(|byte| matches!(byte, b'0'..=b'7')).count();
    let code = u32::from_str_radix(&after[..length], 8).unwrap_or(0);
    let code = if bytes { code & 0xff } else { code };
    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    &after[length..]
}

fn hex<'t>(tail: &'t str, length: usize, out: &mut String) -> Option<&'t str> {
    let digits = tail.get(..length).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
    let code = u32::from_str_radix(digits, 16).ok()?;
    if code > 0x0010_ffff {
        return None;
    }
    out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
    Some(&tail[length..])
}
