//! A scanner over JSON text that checks what it passes and keeps only where things are.
//!
//! It takes what Python's `json` takes: `NaN` and `Infinity` too. Positions are octets of the text.

use std::borrow::Cow;

use protocol::Error;

/// Nesting beyond this is refused, as where values are read.
const DEPTH: u32 = 512;

/// From where to where something stands in a text of less than 4 GiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

impl Span {
    pub(crate) fn of(self, text: &str) -> &str {
        &text[self.start as usize..self.end as usize]
    }
}

/// What is wrong, and at which octet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    at: usize,
    what: &'static str,
}

impl Fault {
    // No `From`: with a second one, `?` no longer tells elsewhere what it converts to.
    pub(crate) fn error(self) -> Error {
        Error::data(format!("JSON is malformed at byte {}: {}", self.at, self.what))
    }
}

type Scan<T> = Result<T, Fault>;

/// A text between its quotes, escapes in place.
#[derive(Clone, Copy)]
pub(crate) struct Quoted<'t> {
    pub(crate) inner: &'t str,
    /// Where that is.
    pub(crate) span: Span,
    pub(crate) is_escaped: bool,
}

impl<'t> Quoted<'t> {
    /// The text that it stands for.
    pub(crate) fn text(self) -> Cow<'t, str> {
        if self.is_escaped { Cow::Owned(unescape(self.inner)) } else { Cow::Borrowed(self.inner) }
    }

    pub(crate) fn is(self, text: &str) -> bool {
        if self.is_escaped { self.text() == text } else { self.inner == text }
    }
}

/// Where the scan stands.
#[derive(Clone)]
pub(crate) struct Scanner<'t> {
    text: &'t str,
    bytes: &'t [u8],
    at: usize,
    depth: u32,
    /// Whether `NaN` or an infinity was passed: JSON has no word for them.
    pub(crate) is_odd: bool,
}

impl<'t> Scanner<'t> {
    pub(crate) fn new(text: &'t str, at: usize) -> Self {
        Self { text, bytes: text.as_bytes(), at, depth: 0, is_odd: false }
    }

    fn fault(&self, what: &'static str) -> Fault {
        Fault { at: self.at, what }
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    pub(crate) fn blank(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// Past one octet and the white space behind it.
    pub(crate) fn step(&mut self) {
        self.at += 1;
        self.blank();
    }

    /// At which octet the scan stands.
    pub(crate) fn place(&self) -> usize {
        self.at
    }

    /// A fault that ends the scan; what was wrong is known to who asks for it.
    pub(crate) fn stop(&self) -> Fault {
        self.fault("it can't be read")
    }

    /// That nothing follows but white space.
    pub(crate) fn end(&mut self) -> Scan<()> {
        self.blank();
        if self.at < self.bytes.len() { Err(self.fault("more than one value")) } else { Ok(()) }
    }

    /// Passes one value, after white space.
    pub(crate) fn value(&mut self) -> Scan<Span> {
        self.blank();
        let start = self.at;
        match self.peek() {
            Some(b'"') => {
                self.string()?;
            }
            Some(b'-' | b'0'..=b'9') => self.number()?,
            Some(b'{') => self.object(|scanner, _| scanner.value().map(drop))?,
            Some(b'[') => self.array(|scanner| scanner.value().map(drop))?,
            Some(b't') => self.word("true")?,
            Some(b'f') => self.word("false")?,
            Some(b'n') => self.word("null")?,
            Some(b'N') => self.odd_word("NaN")?,
            Some(b'I') => self.odd_word("Infinity")?,
            Some(_) => return Err(self.fault("a value was expected")),
            None => return Err(self.fault("it ends too early")),
        }
        Ok(self.span(start))
    }

    #[expect(clippy::cast_possible_truncation, reason = "texts are shorter than 4 GiB: `Text` sees to it")]
    fn span(&self, start: usize) -> Span {
        Span { start: start as u32, end: self.at as u32 }
    }

    fn word(&mut self, word: &str) -> Scan<()> {
        if self.bytes[self.at..].starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(());
        }
        Err(self.fault("a value was expected"))
    }

    fn odd_word(&mut self, word: &str) -> Scan<()> {
        self.is_odd = true;
        self.word(word)
    }

    /// Passes an object; `each` must pass the value of its key.
    #[inline]
    pub(crate) fn object(&mut self, mut each: impl FnMut(&mut Self, Quoted<'t>) -> Scan<()>) -> Scan<()> {
        self.enter()?;
        self.blank();
        if self.peek() == Some(b'}') {
            return self.leave();
        }
        loop {
            self.blank();
            if self.peek() != Some(b'"') {
                return Err(self.fault("a key was expected"));
            }
            let key = self.string()?;
            self.blank();
            if self.peek() != Some(b':') {
                return Err(self.fault("a colon was expected"));
            }
            self.at += 1;
            each(self, key)?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => return self.leave(),
                _ => return Err(self.fault("a comma or the end of the object was expected")),
            }
        }
    }

    /// Passes a list; `each` must pass one item.
    #[inline]
    pub(crate) fn array(&mut self, mut each: impl FnMut(&mut Self) -> Scan<()>) -> Scan<()> {
        self.enter()?;
        self.blank();
        if self.peek() == Some(b']') {
            return self.leave();
        }
        loop {
            each(self)?;
            self.blank();
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => return self.leave(),
                _ => return Err(self.fault("a comma or the end of the list was expected")),
            }
        }
    }

    fn enter(&mut self) -> Scan<()> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(self.fault("nested deeper than 512 levels"));
        }
        self.at += 1;
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "ends the functions above")]
    fn leave(&mut self) -> Scan<()> {
        self.depth -= 1;
        self.at += 1;
        Ok(())
    }

    fn number(&mut self) -> Scan<()> {
        if self.bytes[self.at] == b'-' {
            self.at += 1;
            if self.peek() == Some(b'I') {
                return self.odd_word("Infinity");
            }
        }
        let first = self.at;
        let digits = self.digits();
        if digits == 0 || (digits > 1 && self.bytes[first] == b'0') {
            return Err(self.fault("a number was expected"));
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            if self.digits() == 0 {
                return Err(self.fault("a digit was expected"));
            }
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            let digits = self.digits();
            if digits == 0 {
                return Err(self.fault("a digit was expected"));
            }
            // It may be more than a double holds, which is no number that anybody reads.
            self.is_odd |= digits > 2;
        }
        Ok(())
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.bytes.get(self.at) {
            self.at += 1;
        }
        self.at - start
    }

    /// Passes a text that begins here.
    #[inline]
    pub(crate) fn string(&mut self) -> Scan<Quoted<'t>> {
        let start = self.at + 1;
        self.at = start;
        let mut is_escaped = false;
        loop {
            self.at += plain(&self.bytes[self.at..]);
            match self.peek() {
                Some(b'"') => {
                    let (inner, span) = (&self.text[start..self.at], self.span(start));
                    self.at += 1;
                    return Ok(Quoted { inner, span, is_escaped });
                }
                Some(b'\\') => {
                    is_escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.fault("a control character stands in text")),
                None => return Err(self.fault("it ends too early")),
            }
        }
    }

    fn escape(&mut self) -> Scan<()> {
        match self.bytes.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') => {
                let four = self.bytes.get(self.at + 2..self.at + 6);
                if four.is_some_and(|four| four.iter().all(u8::is_ascii_hexdigit)) {
                    self.at += 6;
                    return Ok(());
                }
                Err(self.fault("four hexadecimal digits were expected"))
            }
            Some(_) => Err(self.fault("an escape is unknown")),
            None => Err(self.fault("it ends too early")),
        }
    }
}

/// How many octets stand before a quote, a backslash or a control character. Eight at once: texts of records are
/// short, and a call into `memchr` costs more than it saves.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let mut at = 0;
    while let Some(eight) = bytes.get(at..at + 8) {
        let word = u64::from_le_bytes(eight.try_into().expect("eight octets were taken"));
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        let found = (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash)
            | (word.wrapping_sub(ONES * 0x20) & !word);
        let found = found & HIGHS;
        if found != 0 {
            // The lowest mark is never a false one: borrows run upwards.
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at + bytes[at..].iter().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count()
}

/// A text with its escapes replaced, which have been checked. Half of a surrogate pair becomes U+FFFD.
fn unescape(inner: &str) -> String {
    let mut out = String::with_capacity(inner.len());
    unescape_into(inner, &mut out);
    out
}

/// Appends `inner` with its escapes replaced; says whether half of a surrogate pair was among them.
pub(crate) fn unescape_into(inner: &str, out: &mut String) -> bool {
    let (mut rest, mut is_mended) = (inner, false);
    while let Some(place) = memchr::memchr(b'\\', rest.as_bytes()) {
        out.push_str(&rest[..place]);
        rest = &rest[place + 1..];
        let letter = rest.as_bytes().first().copied().unwrap_or(b'\\');
        rest = rest.get(1..).unwrap_or_default();
        out.push(match letter {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let (character, taken) = unicode(rest);
                rest = &rest[taken..];
                is_mended |= character.is_none();
                character.unwrap_or(char::REPLACEMENT_CHARACTER)
            }
            other => char::from(other),
        });
    }
    out.push_str(rest);
    is_mended
}

/// The character of `rest`, which follows `\u`, and how many octets it takes; none is half of a surrogate pair.
fn unicode(rest: &str) -> (Option<char>, usize) {
    let hex = |from: usize| rest.get(from..from + 4).and_then(|four| u32::from_str_radix(four, 16).ok());
    let high = hex(0).unwrap_or(0xfffd);
    if (0xd800..0xdc00).contains(&high)
        && rest.get(4..6) == Some("\\u")
        && let Some(low) = hex(6).filter(|low| (0xdc00..0xe000).contains(low))
    {
        let code = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
        return (char::from_u32(code), 10);
    }
    (char::from_u32(high), 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(text: &str) -> bool {
        let mut scanner = Scanner::new(text, 0);
        scanner.value().and_then(|_| scanner.end()).is_ok()
    }

    #[test]
    fn passes_what_values_are_read_from_and_nothing_else() {
        let texts = [
            "{}",
            "[]",
            "[1,2.5,-0,1e5,1E-7]",
            "{\"a\":{\"b\":[null,true,false,\"x\\u00e9\\n\"]}}",
            "NaN",
            "-Infinity",
            " \"abcdefghijklmnopqrstuvwxyz\" ",
            "",
            "{",
            "[1,]",
            "{\"a\" 1}",
            "01",
            "1.",
            "\"\\x\"",
            "nul",
            "1 2",
            "\"\n\"",
            "{a: 1}",
            "\"\\u12\"",
            "-",
            "\"abcdefg\u{1}hijk\"",
            "[1 2]",
            "\"é\u{7f}ü\"",
            "{\"a\":1,}",
        ];
        for text in texts {
            let read = super::super::Value::from_json(text.as_bytes());
            assert_eq!(passes(text), read.is_ok(), "{text}");
        }
        assert!(!passes(&"[".repeat(100_000)));
    }

    #[test]
    fn unescapes_as_values_are_read() {
        for text in ["\\ud83d\\ude00 \\/ \\\\ \\\" \\t", "\\ud83d x", "\\u00e9\\ud83d\\u0041", "plain"] {
            let read = super::super::Value::from_json(format!("\"{text}\"").as_bytes()).expect("JSON");
            assert_eq!(Some(unescape(text).as_str()), read.as_text());
        }
    }

    #[test]
    fn finds_the_end_of_plain_text_at_every_place() {
        for length in 0..40 {
            for end in ["\"", "\\", "\n"] {
                let text = format!("{}{end}é\"tail tail", "é".repeat(length));
                assert_eq!(plain(text.as_bytes()), 2 * length, "{length}");
            }
        }
    }
}
