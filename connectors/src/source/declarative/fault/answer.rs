//! An answer as filters and strategies see it: what is costly is made once, when it is asked for.

use std::cell::OnceCell;

use crate::http::Answer;
use crate::source::declarative::value::{Map, Value};

/// The longest part of a server's own message that is told.
const LONGEST: usize = 300;

pub(super) struct Seen<'a> {
    pub(super) answer: &'a Answer,
    json: OnceCell<Option<Value>>,
    url: OnceCell<Value>,
    empty: Value,
}

impl<'a> Seen<'a> {
    pub(super) fn new(answer: &'a Answer) -> Self {
        Self { answer, json: OnceCell::new(), url: OnceCell::new(), empty: Map::new().into() }
    }

    fn parsed(&self) -> Option<&Value> {
        self.json.get_or_init(|| Value::from_json(&self.answer.body).ok()).as_ref()
    }

    /// The body; an empty object where it is no JSON.
    pub(super) fn json(&self) -> &Value {
        self.parsed().unwrap_or(&self.empty)
    }

    /// Where the answer came from, without what may hold secrets: no user, query or fragment.
    pub(super) fn url(&self) -> &Value {
        self.url.get_or_init(|| Value::Text(address(&self.answer.url)))
    }

    /// The headers, under every spelling that occurs in `source`, because a manifest may write names in any case.
    pub(super) fn headers(&self, source: &str) -> Value {
        let mut map = Map::new();
        let lower = source.to_ascii_lowercase();
        for (name, value) in &self.answer.headers {
            join(&mut map, name, value);
            let wanted = name.to_ascii_lowercase();
            for (at, _) in lower.match_indices(&wanted) {
                // Lower case of ASCII moves no octet.
                let spelled = &source[at..at + wanted.len()];
                if spelled != name {
                    join(&mut map, spelled, value);
                }
            }
        }
        map.into()
    }

    /// What the server says went wrong, taken from wherever servers put it; the body's text where it is no JSON.
    pub(super) fn message(&self) -> Option<String> {
        match self.parsed() {
            Some(value) => message_in(value),
            None => std::str::from_utf8(&self.answer.body).ok().map(str::to_owned),
        }
    }

    /// The beginning of [`Self::message`] in one line, for people.
    pub(super) fn told(&self) -> Option<String> {
        let message = self.message()?;
        let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.is_empty() || line.starts_with('<') {
            return None;
        }
        Some(match line.char_indices().nth(LONGEST) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        })
    }
}

/// A name that comes twice has both values, as HTTP has it.
fn join(map: &mut Map, name: &str, value: &str) {
    let joined = match map.get(name).and_then(Value::as_text) {
        Some(known) if known != value => format!("{known}, {value}"),
        Some(_) => return,
        None => value.to_owned(),
    };
    map.insert(name, joined);
}

/// A URL without user, query and fragment.
fn address(url: &url::Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

fn message_in(value: &Value) -> Option<String> {
    const KEYS: [&str; 12] = [
        "message",
        "messages",
        "error",
        "errors",
        "failures",
        "failure",
        "detail",
        "err",
        "error_message",
        "msg",
        "reason",
        "status_message",
    ];
    match value {
        Value::Text(text) => Some(text.clone()),
        Value::List(items) => {
            let found: Vec<String> = items.iter().filter_map(message_in).collect();
            Some(found.join(", "))
        }
        Value::Map(map) => {
            message_in(KEYS.iter().find_map(|key| map.get(key).filter(|value| value.is_true()))?)
        }
        _ => None,
    }
}
