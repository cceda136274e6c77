//! Which values of the configuration are secrets, and messages that do not repeat them.
//!
//! A value is a secret when its schema says so, when its key is named like one, when it looks like
//! one (a URL with a password), or when it came from the environment or a file.

use super::document::{Node, Span, Tree};
use super::error::HIDDEN;
use super::reference::is_reference;
use super::shape::Shape;

/// What keys of secrets are named after.
const NAMES: [&str; 10] = [
    "password",
    "passwd",
    "secret",
    "token",
    "credential",
    "passphrase",
    "apikey",
    "accesskey",
    "privatekey",
    "accountkey",
];

/// Secrets shorter than this are hidden in a message only where they stand in quotes: anywhere else
/// they may be a part of another word.
const SHORT: usize = 4;

/// The secrets of a part of the configuration.
#[derive(Default)]
pub(crate) struct Secrets {
    /// Where the file shows them.
    pub(crate) spans: Vec<Span>,
    /// Their text, longest first.
    texts: Vec<String>,
}

impl Secrets {
    /// Finds the secrets of `node` as the file has it.
    pub(crate) fn of(node: &Node, shape: &Shape<'_>) -> Self {
        let mut secrets = Self::default();
        secrets.collect(node, shape, false);
        secrets
    }

    /// Adds what `node` holds now that its references are resolved.
    pub(crate) fn resolved(self, node: &Node, shape: &Shape<'_>) -> Self {
        let spans = self.spans.clone();
        let mut secrets = self;
        secrets.collect(node, shape, false);
        secrets.texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
        Self { spans, ..secrets }
    }

    fn collect(&mut self, node: &Node, shape: &Shape<'_>, named: bool) {
        // Whatever stands where a secret should is one: its parts as well.
        let named = named || shape.is_secret();
        match &node.tree {
            Tree::Map(entries) => {
                for entry in entries {
                    let named = named || is_secret_name(&entry.key);
                    self.collect(&entry.value, &shape.key(&entry.key), named);
                }
            }
            Tree::List(items) => {
                for item in items {
                    self.collect(item, &shape.item(), named);
                }
            }
            Tree::Text(text) if is_secret(node, shape, named) => {
                if !is_reference(text) {
                    self.spans.push(node.span);
                }
                self.texts.push(text.clone());
            }
            Tree::Number(number) if is_secret(node, shape, named) => {
                self.spans.push(node.span);
                self.texts.push(number.to_string());
            }
            _ => {}
        }
    }

    /// `message` without the secrets in it.
    pub(crate) fn hide_in(&self, message: &str) -> String {
        let mut message = message.to_owned();
        for text in self.texts.iter().filter(|text| !text.is_empty()) {
            let escaped = format!("{text:?}");
            let escaped = &escaped[1..escaped.len() - 1];
            for form in [text.as_str(), escaped] {
                if text.len() < SHORT {
                    for quote in ['"', '`', '\''] {
                        let quoted = format!("{quote}{form}{quote}");
                        message = message.replace(&quoted, &format!("{quote}{HIDDEN}{quote}"));
                    }
                } else {
                    message = message.replace(form, HIDDEN);
                }
            }
        }
        message
    }
}

/// Whether the value at `node`, under a key that is or is not `named` like a secret, is one.
pub(crate) fn is_secret(node: &Node, shape: &Shape<'_>, named: bool) -> bool {
    let looks_secret = node.text().is_some_and(|text| {
        let text = text.to_lowercase();
        let userinfo = text.split_once("://").and_then(|(_, rest)| Some(rest.rsplit_once('@')?.0));
        userinfo.is_some_and(|userinfo| userinfo.contains(':')) || text.contains("password=")
    });
    named || node.referenced || looks_secret || shape.is_secret()
}

/// Whether secrets are stored under such a key.
pub(crate) fn is_secret_name(key: &str) -> bool {
    let key: String = key.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
    NAMES.iter().any(|name| key.contains(name))
}

/// What a parser said about a value that is a secret itself: what was expected, not what was found.
pub(crate) fn without_value(message: &str) -> String {
    let found = message.find(['"', '`', '\'']).map_or("", |at| message[..at].trim_end());
    let found =
        if found.starts_with("invalid") || found.starts_with("unknown") { found } else { "invalid value" };
    match message.rfind(", expected ") {
        Some(at) => format!("{found} (not shown){}", &message[at..]),
        None => format!("{found} (not shown)"),
    }
}
