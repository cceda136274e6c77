//! What statements are marked with, so that cost can be told apart in the account's query history.

use serde_json::{Map, Value};

/// Most bytes of a tag that Snowflake takes.
const LONGEST: usize = 2000;

/// The `QUERY_TAG` of statements: a JSON object, `{"app":"tidegate","connection":"shop","stream":"orders"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct QueryTag(Map<String, Value>);

impl QueryTag {
    /// The tag of a connection's statements.
    pub(in super::super) fn new(connection: &str) -> Self {
        Self(Map::from_iter([
            ("app".to_owned(), "tidegate".into()),
            ("connection".to_owned(), connection.into()),
        ]))
    }

    /// The same with one thing more: `("stream", "orders")`, `("commit", "7")`.
    #[must_use]
    pub(in super::super) fn with(mut self, key: &str, value: &str) -> Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// As it is sent: what would make it too long is left out.
    pub(super) fn text(&self) -> String {
        let mut kept = self.0.clone();
        loop {
            let text = Value::Object(kept.clone()).to_string();
            if text.len() <= LONGEST {
                return text;
            }
            let longest = kept.iter().max_by_key(|(_, value)| value.as_str().map_or(0, str::len));
            let Some(key) = longest.map(|(key, _)| key.clone()) else { return text };
            kept.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_left_out_and_the_rest_kept() {
        let tag = QueryTag::new("shop").with("stream", &"x".repeat(2000)).with("commit", "7");
        assert_eq!(tag.text(), r#"{"app":"tidegate","commit":"7","connection":"shop"}"#);
        assert_eq!(QueryTag::new(&"\"".repeat(1500)).text(), r#"{"app":"tidegate"}"#);
    }
}
