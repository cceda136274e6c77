//! The text of a template as tokens, by the rules of Jinja2 with its usual delimiters.

use num_bigint::BigInt;

use crate::source::declarative::literal::unescape;
use crate::source::declarative::number;
use crate::source::declarative::value::Value;

/// What is wrong with a template, and in which line.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) line: usize,
    pub(super) message: String,
}

#[derive(Debug, Clone)]
pub(super) enum Token {
    Data(Box<str>),
    VariableBegin,
    VariableEnd,
    BlockBegin,
    BlockEnd,
    Name(Box<str>),
    Const(Value),
    Operator(&'static str),
}

/// The longest first.
const OPERATORS: [&str; 26] = [
    "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<",
    "=", ".", ":", "|", ",", ";",
];

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<(Token, usize)>,
    line: usize,
    counted: usize,
}

/// The tokens of `text`, each with its line.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, usize)>, Mistake> {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    // One line end at the end of a template is not part of it.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    let mut lexer = Lexer { text, at: 0, tokens: Vec::new(), line: 1, counted: 0 };
    lexer.run()?;
    Ok(lexer.tokens)
}

impl<'t> Lexer<'t> {
    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn line(&mut self) -> usize {
        self.line += self.text[self.counted..self.at].matches('\n').count();
        self.counted = self.at;
        self.line
    }

    fn push(&mut self, token: Token) {
        let line = self.line();
        self.tokens.push((token, line));
    }

    fn fail<T>(&mut self, message: impl Into<String>) -> Result<T, Mistake> {
        let line = self.line();
        Err(Mistake { line, message: message.into() })
    }

    fn run(&mut self) -> Result<(), Mistake> {
        while self.at < self.text.len() {
            let rest = self.rest();
            let Some(place) = opening(rest) else {
                self.data(rest);
                self.at = self.text.len();
                return Ok(());
            };
            let sign = rest.as_bytes().get(place + 2).copied().filter(|sign| matches!(sign, b'-' | b'+'));
            let kind = rest.as_bytes()[place + 1];
            let before = &rest[..place];
            self.data(if sign == Some(b'-') { before.trim_end_matches(number::is_space) } else { before });
            self.at += place + 2 + usize::from(sign.is_some());
            match kind {
                b'#' => self.comment()?,
                b'{' => {
                    self.push(Token::VariableBegin);
                    self.inside("}}", &Token::VariableEnd)?;
                }
                _ => {
                    if !self.raw()? {
                        self.push(Token::BlockBegin);
                        self.inside("%}", &Token::BlockEnd)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn data(&mut self, data: &str) {
        if !data.is_empty() {
            self.push(Token::Data(data.into()));
        }
    }

    fn skip_blank(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(number::is_space).len();
    }

    fn comment(&mut self) -> Result<(), Mistake> {
        let Some(end) = self.rest().find("#}") else { return self.fail("a comment is not closed") };
        let sign = end.checked_sub(1).and_then(|place| self.rest().as_bytes().get(place)).copied();
        self.at += end + 2;
        if sign == Some(b'-') {
            self.skip_blank();
        }
        Ok(())
    }

    /// Whether a raw block began here; it is then read up to its end.
    fn raw(&mut self) -> Result<bool, Mistake> {
        let rest = self.rest();
        let Some(rest) = rest.trim_start_matches(number::is_space).strip_prefix("raw") else {
            return Ok(false);
        };
        let rest = rest.trim_start_matches(number::is_space);
        let (sign, rest) = match rest.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let Some(body) = rest.strip_prefix("%}") else { return Ok(false) };
        let start = self.text.len() - body.len();
        let mut from = 0;
        while let Some(place) = body[from..].find("{%").map(|place| place + from) {
            let tag = &body[place + 2..];
            let (strips, tag) = match tag.strip_prefix('-') {
                Some(tag) => (true, tag),
                None => (false, tag.strip_prefix('+').unwrap_or(tag)),
            };
            let end = tag.trim_start_matches(number::is_space).strip_prefix("endraw");
            if let Some(end) = end.map(|end| end.trim_start_matches(number::is_space)) {
                let (skips, end) = match end.strip_prefix('-') {
                    Some(end) => (true, end),
                    None => (false, end.strip_prefix('+').unwrap_or(end)),
                };
                if let Some(after) = end.strip_prefix("%}") {
                    self.at = start;
                    let data = if sign {
                        body[..place].trim_start_matches(number::is_space)
                    } else {
                        &body[..place]
                    };
                    self.data(if strips { data.trim_end_matches(number::is_space) } else { data });
                    self.at = self.text.len() - after.len();
                    if skips {
                        self.skip_blank();
                    }
                    return Ok(true);
                }
            }
            from = place + 2;
        }
        self.fail("a raw block is not closed")
    }

    /// Tokens up to `end`.
    fn inside(&mut self, end: &str, token: &Token) -> Result<(), Mistake> {
        let mut brackets: Vec<char> = Vec::new();
        loop {
            self.skip_blank();
            let rest = self.rest();
            if rest.is_empty() {
                return self.fail("the template ends inside of a tag");
            }
            if brackets.is_empty() {
                let sign = rest.as_bytes()[0];
                let signed = sign == b'-' || (sign == b'+' && end == "%}");
                if let Some(place) = [0, 1].into_iter().find(|place| {
                    (*place == 0 || signed) && rest.get(*place..).is_some_and(|rest| rest.starts_with(end))
                }) {
                    self.push(token.clone());
                    self.at += place + 2;
                    if place == 1 && sign == b'-' {
                        self.skip_blank();
                    }
                    return Ok(());
                }
            }
            self.token(&mut brackets)?;
        }
    }

    fn token(&mut self, brackets: &mut Vec<char>) -> Result<(), Mistake> {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or(' ');
        if first.is_ascii_digit() {
            return self.number();
        }
        if first == '\'' || first == '"' {
            return self.string(first);
        }
        if first.is_alphanumeric() || first == '_' {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            self.push(Token::Name(rest[..length].into()));
            self.at += length;
            return Ok(());
        }
        let Some(operator) = OPERATORS.iter().find(|operator| rest.starts_with(**operator)) else {
            return self.fail(format!("unexpected character {first:?}"));
        };
        match *operator {
            "(" => brackets.push(')'),
            "[" => brackets.push(']'),
            "{" => brackets.push('}'),
            ")" | "]" | "}" if brackets.pop() != operator.chars().next() => {
                return self.fail(format!("unexpected {operator:?}"));
            }
            _ => {}
        }
        self.push(Token::Operator(operator));
        self.at += operator.len();
        Ok(())
    }

    fn number(&mut self) -> Result<(), Mistake> {
        let rest = self.rest();
        // After a point there are no fractions: `list.0.1`.
        let after_point = self.at > 0 && self.text.as_bytes()[self.at - 1] == b'.';
        if let Some(length) = (!after_point).then(|| float_length(rest)).flatten() {
            let text = rest[..length].replace('_', "");
            let Ok(number) = text.parse() else { return self.fail("a number is malformed") };
            self.push(Token::Const(Value::Float(number)));
            self.at += length;
            return Ok(());
        }
        let length = integer_length(rest);
        let text = rest[..length].replace('_', "");
        let number: Option<BigInt> = number::parse_int(&text, 0);
        let Some(number) = number else { return self.fail("an integer is malformed or too long") };
        self.push(Token::Const(Value::integer(number)));
        self.at += length;
        Ok(())
    }

    fn string(&mut self, quote: char) -> Result<(), Mistake> {
        let rest = &self.rest()[1..];
        let mut escaped = false;
        for (place, character) in rest.char_indices() {
            if escaped {
                escaped = false;
            } else if character == '\\' {
                escaped = true;
            } else if character == quote {
                let mut text = String::new();
                if unescape(&rest[..place], false, &mut text).is_none() {
                    return self.fail("a text has an escape that can't be read");
                }
                self.push(Token::Const(Value::Text(text)));
                self.at += place + 2;
                return Ok(());
            }
        }
        self.fail("a text is not closed")
    }
}

/// Where the next tag begins.
fn opening(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    while let Some(place) = text[from..].find('{').map(|place| place + from) {
        if matches!(bytes.get(place + 1), Some(b'{' | b'%' | b'#')) {
            return Some(place);
        }
        from = place + 1;
    }
    None
}

/// Digits with single underscores between them.
fn digits_length(text: &str, is_digit: fn(&u8) -> bool) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if is_digit(&bytes[at]) {
            at += 1;
        } else if bytes[at] == b'_' && at > 0 && bytes.get(at + 1).is_some_and(is_digit) {
            at += 2;
        } else {
            break;
        }
    }
    at
}

fn float_length(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let whole = digits_length(text, u8::is_ascii_digit);
    let mut at = whole;
    if bytes.get(at) == Some(&b'.') {
        let part = digits_length(&text[at + 1..], u8::is_ascii_digit);
        if part > 0 {
            at += 1 + part;
        }
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = text.get(at + 1 + sign..).map_or(0, |rest| digits_length(rest, u8::is_ascii_digit));
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    (at > whole).then_some(at)
}

fn integer_length(text: &str) -> usize {
    let prefixed = |is_digit: fn(&u8) -> bool| {
        let skipped = 2 + usize::from(text.as_bytes().get(2) == Some(&b'_'));
        let digits = text.get(skipped..).map_or(0, |rest| digits_length(rest, is_digit));
        (digits > 0).then_some(skipped + digits)
    };
    let based = match text.get(..2).map(str::to_ascii_lowercase).as_deref() {
        Some("0x") => prefixed(u8::is_ascii_hexdigit),
        Some("0o") => prefixed(|byte| matches!(byte, b'0'..=b'7')),
        Some("0b") => prefixed(|byte| matches!(byte, b'0' | b'1')),
        _ => None,
    };
    let zeros: fn(&u8) -> bool = |byte| *byte == b'0';
    let is_digit = if text.starts_with('0') { zeros } else { u8::is_ascii_digit };
    based.unwrap_or_else(|| digits_length(text, is_digit))
}
