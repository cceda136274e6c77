//! References in values: `${env:NAME}`, `${env:NAME:-default}` and `${file:PATH}`. `$${` is a plain
//! `${`. The only place that reads the environment and files of secrets.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::document::{Entry, Node, Place, Span, Tree};
use super::error::{Problem, SourceFile};

/// Largest file that a `${file:…}` may name: it holds a password or a key, not data.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// Looks an environment variable up.
pub(crate) type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The environment of this process. A variable that is not UTF-8 counts as missing.
pub(crate) fn process_environment(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// A piece of a value.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'a> {
    Plain(&'a str),
    Variable { name: &'a str, default: Option<&'a str> },
    File(&'a str),
}

/// Whether `text` consists of references and nothing else, and so shows no secret.
pub(crate) fn is_reference(text: &str) -> bool {
    pieces(text).is_ok_and(|pieces| {
        !pieces.is_empty()
            && pieces
                .iter()
                .all(|piece| matches!(piece, Piece::File(_) | Piece::Variable { default: None, .. }))
    })
}

/// Divides `text`. The error says what is wrong and which part of the text is.
fn pieces(text: &str) -> Result<Vec<Piece<'_>>, (String, String)> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        if let Some(unescaped) = before.strip_suffix('$') {
            pieces.extend([Piece::Plain(unescaped), Piece::Plain("${")]);
            rest = &from[2..];
            continue;
        }
        pieces.push(Piece::Plain(before));
        let Some(end) = from.find('}') else {
            return Err(("a reference that begins with `${` has no `}`".to_owned(), "${".to_owned()));
        };
        pieces.push(reference(&from[2..end]).map_err(|message| (message, from[..=end].to_owned()))?);
        rest = &from[end + 1..];
    }
    pieces.push(Piece::Plain(rest));
    pieces.retain(|piece| *piece != Piece::Plain(""));
    Ok(pieces)
}

fn reference(inside: &str) -> Result<Piece<'_>, String> {
    let forms = "write ${env:NAME} or ${file:PATH}, and $${ for a plain ${";
    match inside.split_once(':') {
        Some(("env", variable)) => {
            let (name, default) = match variable.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (variable, None),
            };
            let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if is_name {
                Ok(Piece::Variable { name, default })
            } else {
                Err(format!("{name:?} is no name of an environment variable: {forms}"))
            }
        }
        Some(("file", "")) => Err(format!("the reference names no file: {forms}")),
        Some(("file", path)) => Ok(Piece::File(path)),
        _ => Err(format!("unknown kind of reference: {forms}")),
    }
}

/// Why a reference has no value, and the text to point at.
struct Unresolved {
    message: String,
    hint: Option<String>,
    needle: String,
}

/// Puts values in the place of references.
pub(crate) struct Resolver<'a> {
    pub(crate) environment: &'a Environment,
    pub(crate) file: &'a SourceFile,
    /// Places that must not be shown.
    pub(crate) secrets: &'a [Span],
    /// What could not be resolved.
    pub(crate) problems: Vec<Problem>,
}

impl Resolver<'_> {
    /// A copy of `node` without references. `path` is where it stands in the configuration.
    pub(crate) fn resolve(&mut self, node: &Node, path: &str) -> Node {
        let tree = match &node.tree {
            Tree::Text(text) if text.contains("${") => return self.text(text, node.span, path),
            Tree::List(items) => {
                let resolve = |(i, item)| self.resolve(item, &format!("{path}[{i}]"));
                Tree::List(items.iter().enumerate().map(resolve).collect())
            }
            Tree::Map(entries) => Tree::Map(
                entries
                    .iter()
                    .map(|entry| Entry {
                        value: self.resolve(&entry.value, &format!("{path}.{}", entry.key)),
                        ..entry.clone()
                    })
                    .collect(),
            ),
            _ => return node.clone(),
        };
        Node { tree, ..node.clone() }
    }

    fn text(&mut self, text: &str, span: Span, path: &str) -> Node {
        let mut resolved = String::with_capacity(text.len());
        let mut referenced = false;
        let pieces = pieces(text).unwrap_or_else(|(message, needle)| {
            self.report(span, path, &Unresolved { message, hint: None, needle });
            Vec::new()
        });
        for piece in pieces {
            referenced |= !matches!(piece, Piece::Plain(_));
            match self.piece(&piece) {
                Ok(value) => resolved.push_str(&value),
                Err(unresolved) => self.report(span, path, &unresolved),
            }
        }
        Node { tree: Tree::Text(resolved), span, referenced }
    }

    fn piece(&self, piece: &Piece<'_>) -> Result<String, Unresolved> {
        match piece {
            Piece::Plain(text) => Ok((*text).to_owned()),
            Piece::Variable { name, default } => {
                let value = (self.environment)(name).filter(|value| default.is_none() || !value.is_empty());
                value.or(default.map(str::to_owned)).ok_or_else(|| Unresolved {
                    message: format!("environment variable {name:?} is not set"),
                    hint: Some(format!("set it, or write ${{env:{name}:-default}}")),
                    needle: format!("${{env:{name}"),
                })
            }
            Piece::File(path) => {
                let file = self.file.folder.join(path);
                read(&file).map_err(|reason| Unresolved {
                    message: format!("file {:?} can't be read: {reason}", file.display().to_string()),
                    hint: None,
                    needle: format!("${{file:{path}"),
                })
            }
        }
    }

    fn report(&mut self, span: Span, path: &str, unresolved: &Unresolved) {
        let at = self.narrow(span, &unresolved.needle);
        let problem = Problem::at(self.file, at, &unresolved.message, self.secrets).path(path);
        self.problems.push(match &unresolved.hint {
            Some(hint) => problem.hint(hint),
            None => problem,
        });
    }

    /// The part of `span` that shows `needle`, where it stands on the line that the span begins in.
    fn narrow(&self, span: Span, needle: &str) -> Span {
        let line = self.file.text.lines().nth(span.start.line - 1).unwrap_or_default();
        let skipped: usize = line.chars().take(span.start.column - 1).map(char::len_utf8).sum();
        let Some(at) = line[skipped..].find(needle) else { return span };
        let column = line[..skipped + at].chars().count() + 1;
        let length = line[skipped + at..].find('}').map_or(needle.len(), |end| end + 1);
        let end = column + line[skipped + at..][..length].chars().count();
        let place = |column| Place { line: span.start.line, column };
        Span { start: place(column), end: place(end) }
    }
}

/// The text of a file, without the line end that editors add.
fn read(path: &Path) -> Result<String, String> {
    let mut text = String::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text))
        .map_err(|error| error.to_string())?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err("it is larger than 1 MiB".to_owned());
    }
    let trimmed = text.strip_suffix('\n').unwrap_or(&text);
    Ok(trimmed.strip_suffix('\r').unwrap_or(trimmed).to_owned())
}
