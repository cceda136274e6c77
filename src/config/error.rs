//! What is wrong with the configuration, where it stands, and how that is shown.
//!
//! A line of the file is shown with each problem, but never the value of a secret in it.

use std::fmt;
use std::fmt::Write as _;
use std::path::PathBuf;

use protocol::Error;
use serde::Serialize;

use super::document::{Place, Span};

/// A file that was read. Has no `Debug`: it may hold secrets.
pub(crate) struct SourceFile {
    /// Its path as it is shown.
    pub(crate) shown: String,
    /// The folder that relative paths in it start from, absolute.
    pub(crate) folder: PathBuf,
    pub(crate) text: String,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Problem {
    /// The file; `None` where there is none.
    pub(crate) file: Option<String>,
    /// Where in the file, counted from 1.
    pub(crate) line: Option<usize>,
    pub(crate) column: Option<usize>,
    /// Keys and indexes from the top of the configuration: `connections.shop.streams[0]`.
    pub(crate) path: Option<String>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    #[serde(skip)]
    excerpt: Option<Excerpt>,
}

/// The line that a problem is in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Excerpt {
    line: usize,
    text: String,
    /// Characters before the marked ones, and how many are marked.
    before: usize,
    marked: usize,
}

/// All that is wrong, in the order of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConfigError {
    problems: Vec<Problem>,
}

/// Stands in the place of a secret.
pub(crate) const HIDDEN: &str = "•••";
/// Longest line that is shown.
const MAX_EXCERPT: usize = 160;

impl Problem {
    /// A problem that is in no file.
    pub(crate) fn general(message: impl Into<String>) -> Self {
        Self {
            file: None,
            line: None,
            column: None,
            path: None,
            message: message.into(),
            hint: None,
            excerpt: None,
        }
    }

    /// A problem of a file as a whole.
    pub(crate) fn of_file(shown: &str, message: impl Into<String>) -> Self {
        Self { file: Some(shown.to_owned()), ..Self::general(message) }
    }

    /// A problem at `span`. `secrets` are the places that must not be shown.
    pub(crate) fn at(file: &SourceFile, span: Span, message: impl Into<String>, secrets: &[Span]) -> Self {
        Self {
            line: Some(span.start.line),
            column: Some(span.start.column),
            excerpt: Excerpt::new(file, span, secrets),
            ..Self::of_file(&file.shown, message)
        }
    }

    /// A problem at `span` of a file that was not understood so far: nobody knows which of its values
    /// are secrets, so only keys are shown.
    pub(crate) fn unread(file: &SourceFile, span: Span, message: impl Into<String>) -> Self {
        let mut problem = Self::at(file, span, message, &[]);
        problem.hide_values();
        problem
    }

    #[must_use]
    pub(crate) fn path(mut self, path: impl Into<String>) -> Self {
        self.path = Some(path.into()).filter(|path| !path.is_empty());
        self
    }

    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Cuts the shown line after its first key.
    pub(crate) fn hide_values(&mut self) {
        self.excerpt = self.excerpt.take().and_then(Excerpt::keys_only);
    }

    /// Place and message on one line: `tidegate.yaml:12:7: connections.shop: …`.
    pub(crate) fn headline(&self) -> String {
        let mut line = String::new();
        if let Some(file) = &self.file {
            line.push_str(file);
            for number in [self.line, self.column].into_iter().flatten() {
                let _ = write!(line, ":{number}");
            }
            line.push_str(": ");
        }
        if let Some(path) = &self.path {
            let _ = write!(line, "{path}: ");
        }
        line.push_str(&self.message);
        line
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.headline())?;
        if let Some(excerpt) = &self.excerpt {
            write!(f, "\n{excerpt}")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "\n  hint: {hint}")?;
        }
        Ok(())
    }
}

impl Excerpt {
    fn new(file: &SourceFile, span: Span, secrets: &[Span]) -> Option<Self> {
        let line = span.start.line;
        let raw: Vec<char> = file.text.lines().nth(line - 1)?.chars().collect();
        let begins_before = |secret: &&Span| secret.start.line < line && line <= secret.end.line;
        if secrets.iter().any(|secret| begins_before(&secret)) {
            return None;
        }
        let column =
            |place: Place| if place.line > line { raw.len() } else { (place.column - 1).min(raw.len()) };
        let (start, end) = (column(span.start), column(span.end));
        let hidden = |at: usize| {
            secrets.iter().any(|secret| {
                secret.start.line == line && (column(secret.start)..column(secret.end)).contains(&at)
            })
        };
        let (mut text, mut before, mut marked) = (String::new(), 0, 0);
        let mut buffer = [0; 4];
        for (at, character) in raw.iter().enumerate() {
            let shown = match (hidden(at), at > 0 && hidden(at - 1)) {
                (true, true) => "",
                (true, false) => HIDDEN,
                // One character wide, and not one that moves a terminal's cursor.
                (false, _) if character.is_control() => " ",
                (false, _) => character.encode_utf8(&mut buffer),
            };
            let width = shown.chars().count();
            text.push_str(shown);
            if at < start {
                before += width;
            } else if at < end {
                marked += width;
            }
        }
        let length = text.trim_end().chars().count();
        if length > MAX_EXCERPT {
            return None;
        }
        text.truncate(text.trim_end().len());
        let marked = marked.min(length.saturating_sub(before)).max(1);
        Some(Self { line, text, before, marked })
    }

    fn keys_only(mut self) -> Option<Self> {
        let colon = self.text.find(':')?;
        self.text.truncate(colon + 1);
        let length = self.text.chars().count();
        self.text.push_str(" …");
        if self.before >= length {
            (self.before, self.marked) = (length + 1, 1);
        }
        self.marked = self.marked.min(length + 2 - self.before);
        Some(self)
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        writeln!(f, "{margin} |")?;
        writeln!(f, "{number} | {}", self.text)?;
        write!(f, "{margin} | {}{}", " ".repeat(self.before), "^".repeat(self.marked))
    }
}

impl ConfigError {
    /// All of `problems`; `Ok` where there are none.
    pub(crate) fn check(problems: Vec<Problem>) -> Result<(), Self> {
        if problems.is_empty() { Ok(()) } else { Err(Self { problems }) }
    }

    /// What is wrong: at least one thing.
    pub(crate) fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// As the error of every boundary: the first problem, with its place as context.
    pub(crate) fn to_error(&self) -> Error {
        let Some(first) = self.problems.first() else { return Error::config("the configuration is wrong") };
        let mut error = Error::config(first.headline());
        let line = first.line.map(|line| line.to_string());
        let column = first.column.map(|column| column.to_string());
        for (key, value) in
            [("file", first.file.clone()), ("line", line), ("column", column), ("path", first.path.clone())]
        {
            if let Some(value) = value {
                error = error.context(key, value);
            }
        }
        match &first.hint {
            Some(hint) => error.hint(hint.clone()),
            None => error,
        }
    }
}

impl From<Problem> for ConfigError {
    fn from(problem: Problem) -> Self {
        Self { problems: vec![problem] }
    }
}

impl From<Vec<Problem>> for ConfigError {
    fn from(problems: Vec<Problem>) -> Self {
        Self { problems }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            write!(f, "{}{problem}", if i == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// The one of `known` that somebody who wrote `given` most likely meant.
pub(crate) fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let most = (given.chars().count() / 3).max(1);
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&given, &name.to_lowercase()), name))
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Names as a sentence lists them: `"a", "b"`.
pub(crate) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

/// That `given` is no `what`, which ones there are, and which one was meant.
pub(crate) fn unknown(what: &str, given: &str, known: &[&str]) -> String {
    let there_are = match known {
        [] => format!("there are no {what}s"),
        [one] => format!("expected {one:?}"),
        many => format!("expected one of {}", listed(many.iter().copied())),
    };
    match nearest(given, known.iter().copied()) {
        Some(name) => format!("unknown {what} {given:?}, {there_are}; did you mean {name:?}?"),
        None => format!("unknown {what} {given:?}, {there_are}"),
    }
}
