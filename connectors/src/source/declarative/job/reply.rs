//! An answer about a report, as templates see it: `creation_response`, `polling_response`.

use crate::http::{Answer, Body, Request};
use crate::source::declarative::value::{Map, Value};

/// What was asked, and what came back.
pub(super) struct Reply {
    pub(super) answer: Answer,
    pub(super) request: Request,
}

impl Reply {
    /// The answer's object, with `headers` and `request` where it has no such fields itself.
    pub(super) fn variable(&self) -> Value {
        let body = Value::from_json(&self.answer.body).unwrap_or_default();
        let mut map = body.as_map().cloned().unwrap_or_default();
        if !map.contains("headers") {
            map.insert("headers", headers(&self.answer.headers));
        }
        if !map.contains("request") {
            map.insert("request", self.asked());
        }
        map.into()
    }

    fn asked(&self) -> Value {
        let request = &self.request;
        let path = request
            .url
            .query()
            .map_or_else(|| request.url.path().to_owned(), |query| format!("{}?{query}", request.url.path()));
        let body = match &request.body {
            Body::Empty => Value::None,
            Body::Json(body) | Body::Form(body) | Body::Raw(body) => {
                Value::from(String::from_utf8_lossy(body).into_owned())
            }
        };
        Value::Map(Map::from_iter([
            ("method", Value::from(request.method.as_str())),
            ("url", Value::from(request.url.as_str())),
            ("path_url", Value::from(path)),
            ("headers", headers(&request.headers)),
            ("body", body),
        ]))
    }
}

/// Headers by the spellings that templates use.
fn headers(headers: &[(String, String)]) -> Value {
    let mut map = Map::new();
    for (name, value) in headers {
        map.insert(name.as_str(), value.as_str());
        map.insert(name.to_ascii_lowercase(), value.as_str());
        map.insert(titled(name), value.as_str());
    }
    map.into()
}

/// A header's name as people write it: `Content-Type`.
fn titled(name: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_ascii_uppercase().to_string() + &letters.as_str().to_ascii_lowercase()
        })
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}
