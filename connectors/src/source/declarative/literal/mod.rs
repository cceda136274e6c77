//! Python's literals in text: what `ast.literal_eval` makes of what a template rendered.
//!
//! A template gives text; the reference then reads that text as a Python literal and takes the value if it is one, so
//! `1_000` becomes a number and `{'a': 1}` an object, while `007` and `2024-10-10` stay text. [`parse`] gives `None`
//! for all that stays text. Complex numbers stay text too, wherever they stand; the reference keeps those inside of
//! lists.

mod string;

#[cfg(test)]
mod tests;

pub(crate) use string::unescape;

use num_bigint::BigInt;

use super::number;
use super::value::{Map, Value};

/// Brackets open at once; beyond that Python finds a syntax error.
const DEPTH: usize = 200;

/// The value that `text` is a literal for.
#[must_use]
pub(crate) fn parse(text: &str) -> Option<Value> {
    let text = text.trim_start_matches([' ', '\t']);
    if !may_be_literal(text) {
        return None;
    }
    if text.contains('\0') {
        return None;
    }
    let normalized;
    let text = if text.contains('\r') {
        normalized = text.replace("\r\n", "\n").replace('\r', "\n");
        &normalized
    } else {
        text
    };
    let mut reader = Reader { text, bytes: text.as_bytes(), at: 0, open: 0, depth: 0 };
    reader.leading()?;
    let value = reader.expressions(Ends::Line)?;
    reader.trailing()?;
    Some(value)
}

/// Whether the first character is one that a literal can begin with. Most text is decided here.
fn may_be_literal(text: &str) -> bool {
    let Some(first) = text.bytes().next() else { return false };
    match first {
        b'0'..=b'9'
        | b'\''
        | b'"'
        | b'('
        | b'['
        | b'{'
        | b'+'
        | b'-'
        | b'.'
        | b'#'
        | b'\\'
        | b'\n'
        | b'\r'
        | 0x0c => true,
        b'T' => text.starts_with("True"),
        b'F' => text.starts_with("False"),
        b'N' => text.starts_with("None"),
        b's' => text.starts_with("set"),
        b'u' | b'U' => matches!(text.as_bytes().get(1), Some(b'\'' | b'"')),
        b'r' | b'R' | b'b' | b'B' => {
            matches!(text.as_bytes().get(1), Some(b'\'' | b'"' | b'r' | b'R' | b'b' | b'B'))
        }
        _ => false,
    }
}

/// What closes a list of expressions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    Line,
    With(u8),
}

pub(super) struct Reader<'t> {
    pub(super) text: &'t str,
    pub(super) bytes: &'t [u8],
    pub(super) at: usize,
    /// Brackets that are open: lines end only outside of them.
    open: usize,
    depth: usize,
}

/// A number of which the sign is still to come.
enum Number {
    Int(BigInt),
    Float(f64),
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// Empty lines and comments before the expression, which must then stand in the first column.
    fn leading(&mut self) -> Option<()> {
        loop {
            let line = self.at;
            let mut indented = false;
            loop {
                match self.peek()? {
                    b' ' | b'\t' => indented = true,
                    // A form feed begins the line anew.
                    0x0c => indented = false,
                    b'\\' if self.bytes.get(self.at + 1) == Some(&b'\n') => self.at += 1,
                    _ => break,
                }
                self.at += 1;
            }
            match self.peek()? {
                b'#' => self.comment(),
                b'\n' => {}
                _ if indented && line > 0 => return None,
                _ => return Some(()),
            }
            self.at += 1;
        }
    }

    fn comment(&mut self) {
        while !matches!(self.peek(), None | Some(b'\n')) {
            self.at += 1;
        }
    }

    /// Nothing but white space and comments may follow.
    fn trailing(&mut self) -> Option<()> {
        self.blank()?;
        while self.peek().is_some() {
            match self.peek()? {
                b' ' | b'\t' | 0x0c | b'\n' => self.at += 1,
                b'#' => self.comment(),
                _ => return None,
            }
        }
        Some(())
    }

    /// White space before a token. Inside of brackets a line may end.
    fn blank(&mut self) -> Option<()> {
        loop {
            match self.peek() {
                Some(b' ' | b'\t' | 0x0c) => self.at += 1,
                Some(b'\n') if self.open > 0 => self.at += 1,
                Some(b'#') if self.open > 0 => self.comment(),
                Some(b'\\') => {
                    if self.bytes.get(self.at + 1) != Some(&b'\n') || self.at + 2 >= self.bytes.len() {
                        return None;
                    }
                    self.at += 2;
                }
                _ => return Some(()),
            }
        }
    }

    fn eat(&mut self, byte: u8) -> Option<bool> {
        self.blank()?;
        if self.peek() == Some(byte) {
            self.at += 1;
            return Some(true);
        }
        Some(false)
    }

    /// One expression, or several with commas: a tuple.
    fn expressions(&mut self, ends: Ends) -> Option<Value> {
        let first = self.expression()?;
        if !self.eat(b',')? {
            return Some(first);
        }
        let mut items = vec![first];
        while !self.ends(ends)? {
            items.push(self.expression()?);
            if !self.eat(b',')? {
                break;
            }
        }
        Some(Value::Tuple(items))
    }

    fn ends(&mut self, ends: Ends) -> Option<bool> {
        self.blank()?;
        Some(match ends {
            Ends::Line => matches!(self.peek(), None | Some(b'\n' | b'#')),
            Ends::With(byte) => self.peek() == Some(byte),
        })
    }

    fn expression(&mut self) -> Option<Value> {
        self.blank()?;
        match self.peek()? {
            b'+' | b'-' => self.signed(),
            b'[' => self.nested(Self::list),
            b'(' => self.nested(Self::group),
            b'{' => self.nested(Self::braces),
            b'.' if self.text[self.at..].starts_with("...") => {
                self.at += 3;
                Some(Value::Ellipsis)
            }
            b'0'..=b'9' | b'.' => Some(self.number()?.value(false)),
            b'\'' | b'"' => self.strings(),
            _ => self.word(),
        }
    }

    /// A sign goes before a number alone, which may stand in brackets.
    fn signed(&mut self) -> Option<Value> {
        let negative = self.peek() == Some(b'-');
        self.at += 1;
        self.blank()?;
        let mut opened = 0;
        while self.peek() == Some(b'(') {
            self.at += 1;
            self.open += 1;
            opened += 1;
            if self.open > DEPTH {
                return None;
            }
            self.blank()?;
        }
        let number = self.number()?.value(negative);
        for _ in 0..opened {
            self.blank()?;
            if self.peek() != Some(b')') {
                return None;
            }
            self.at += 1;
            self.open -= 1;
        }
        Some(number)
    }

    fn nested(&mut self, inner: fn(&mut Self) -> Option<Value>) -> Option<Value> {
        self.at += 1;
        self.open += 1;
        self.depth += 1;
        if self.open > DEPTH {
            return None;
        }
        let value = inner(self)?;
        self.open -= 1;
        self.depth -= 1;
        Some(value)
    }

    fn items(&mut self, close: u8) -> Option<Vec<Value>> {
        let mut items = Vec::new();
        while !self.eat(close)? {
            items.push(self.expression()?);
            if !self.eat(b',')? {
                return self.eat(close)?.then_some(items);
            }
        }
        Some(items)
    }

    fn list(&mut self) -> Option<Value> {
        Some(Value::List(self.items(b']')?))
    }

    fn group(&mut self) -> Option<Value> {
        if self.eat(b')')? {
            return Some(Value::Tuple(Vec::new()));
        }
        let value = self.expressions(Ends::With(b')'))?;
        self.eat(b')')?.then_some(value)
    }

    fn braces(&mut self) -> Option<Value> {
        if self.eat(b'}')? {
            return Some(Value::Map(Map::new()));
        }
        let first = self.expression()?;
        if self.eat(b':')? {
            return self.dict(first);
        }
        let mut items = vec![first];
        if self.eat(b',')? {
            items.extend(self.items(b'}')?);
        } else if !self.eat(b'}')? {
            return None;
        }
        let mut set: Vec<Value> = Vec::with_capacity(items.len());
        for item in items {
            if !is_hashable(&item) {
                return None;
            }
            if !set.contains(&item) {
                set.push(item);
            }
        }
        Some(Value::Set(set))
    }

    fn dict(&mut self, first: Value) -> Option<Value> {
        let mut entries = Entries::default();
        let value = self.expression()?;
        entries.insert(first, value)?;
        while self.eat(b',')? {
            if self.eat(b'}')? {
                return Some(entries.value());
            }
            let key = self.expression()?;
            if !self.eat(b':')? {
                return None;
            }
            let value = self.expression()?;
            entries.insert(key, value)?;
        }
        self.eat(b'}')?.then(|| entries.value())
    }

    fn word(&mut self) -> Option<Value> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80) {
            self.at += 1;
        }
        match &self.text[start..self.at] {
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "None" => Some(Value::None),
            "set" => (self.eat(b'(')? && self.eat(b')')?).then(|| Value::Set(Vec::new())),
            _ if matches!(self.peek(), Some(b'\'' | b'"')) => {
                self.at = start;
                self.strings()
            }
            _ => None,
        }
    }

    /// Digits of `radix` with single underscores between.
    fn digits(&mut self, is_digit: fn(u8) -> bool) -> String {
        let mut out = String::new();
        while let Some(byte) = self.peek() {
            if is_digit(byte) {
                out.push(char::from(byte));
            } else if byte != b'_'
                || out.is_empty()
                || !self.bytes.get(self.at + 1).is_some_and(|b| is_digit(*b))
            {
                break;
            }
            self.at += 1;
        }
        out
    }

    fn number(&mut self) -> Option<Number> {
        if self.peek() == Some(b'0') {
            let based = match self.bytes.get(self.at + 1) {
                Some(b'x' | b'X') => Some((16, (|byte| byte.is_ascii_hexdigit()) as fn(u8) -> bool)),
                Some(b'o' | b'O') => Some((8, (|byte| matches!(byte, b'0'..=b'7')) as fn(u8) -> bool)),
                Some(b'b' | b'B') => Some((2, (|byte| matches!(byte, b'0' | b'1')) as fn(u8) -> bool)),
                _ => None,
            };
            if let Some((radix, is_digit)) = based {
                self.at += 2;
                self.at += usize::from(self.peek() == Some(b'_'));
                let digits = self.digits(is_digit);
                self.no_more_letters()?;
                return BigInt::parse_bytes(digits.as_bytes(), radix).map(Number::Int);
            }
        }
        self.decimal()
    }

    fn decimal(&mut self) -> Option<Number> {
        let whole = self.digits(|byte| byte.is_ascii_digit());
        let mut text = whole.clone();
        let mut is_integer = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            is_integer = false;
            let fraction = self.digits(|byte| byte.is_ascii_digit());
            if whole.is_empty() && fraction.is_empty() {
                return None;
            }
            text.push('.');
            text.push_str(&fraction);
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            is_integer = false;
            text.push('e');
            if let Some(sign @ (b'+' | b'-')) = self.peek() {
                text.push(char::from(sign));
                self.at += 1;
            }
            let exponent = self.digits(|byte| byte.is_ascii_digit());
            if exponent.is_empty() {
                return None;
            }
            text.push_str(&exponent);
        }
        self.no_more_letters()?;
        if !is_integer {
            return text.parse().ok().map(Number::Float);
        }
        let has_leading_zero =
            text.len() > 1 && text.starts_with('0') && text.bytes().any(|byte| byte != b'0');
        if has_leading_zero || text.len() > number::MOST_DIGITS {
            return None;
        }
        text.parse().ok().map(Number::Int)
    }

    /// A letter or an underscore after a number makes it none.
    fn no_more_letters(&self) -> Option<()> {
        let next = self.peek();
        (!next.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80)).then_some(())
    }
}

impl Number {
    fn value(self, negative: bool) -> Value {
        match self {
            Self::Int(number) => Value::integer(if negative { -number } else { number }),
            Self::Float(number) => Value::Float(if negative { -number } else { number }),
        }
    }
}

/// Whether a value can be a key or a member of a set.
pub(crate) fn is_hashable(value: &Value) -> bool {
    match value {
        Value::List(_) | Value::Map(_) | Value::Dict(_) | Value::Set(_) => false,
        Value::Tuple(items) => items.iter().all(is_hashable),
        _ => true,
    }
}

/// The entries of an object that is being put together: the first key of equal ones stays, with the last value.
#[derive(Default)]
pub(crate) struct Entries {
    map: Map,
    dict: Option<Vec<(Value, Value)>>,
}

impl Entries {
    /// `None` where the key can't be one.
    pub(crate) fn insert(&mut self, key: Value, value: Value) -> Option<()> {
        if !is_hashable(&key) {
            return None;
        }
        let key = match (key, &mut self.dict) {
            (Value::Text(key), None) => {
                self.map.insert(key, value);
                return Some(());
            }
            (key, _) => key,
        };
        let map = std::mem::take(&mut self.map);
        let dict = self.dict.get_or_insert_with(|| {
            map.into_iter().map(|(key, value)| (Value::Text(key.into()), value)).collect()
        });
        match dict.iter_mut().find(|(known, _)| *known == key) {
            Some((_, place)) => *place = value,
            None => dict.push((key, value)),
        }
        Some(())
    }

    pub(crate) fn value(self) -> Value {
        match self.dict {
            Some(entries) => Value::Dict(entries),
            None => Value::Map(self.map),
        }
    }
}
