//! States of a connector between two syncs: its last state messages, as they are.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// State messages that a connector goes on from: the last one of each stream, or the last for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Messages(Vec<Value>);

impl Messages {
    /// Takes a message in the place of those that it replaces.
    pub(super) fn add(&mut self, mut message: Value) {
        // What they count is of one read only.
        if let Some(object) = message.as_object_mut() {
            object.remove("sourceStats");
            object.remove("destinationStats");
        }
        match message.pointer("/stream/stream_descriptor").cloned() {
            Some(stream) => self.0.retain(|known| {
                known.pointer("/stream/stream_descriptor").is_some_and(|other| !is_same(other, &stream))
            }),
            None => self.0.clear(),
        }
        self.0.push(message);
    }

    /// The file that a connector takes.
    pub(super) fn file(&self) -> String {
        Value::Array(self.0.clone()).to_string()
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The state of the only stream, with its name.
    pub(super) fn stream(&self) -> Option<&Value> {
        match &self.0[..] {
            [only] => only.get("stream"),
            _ => None,
        }
    }
}

fn is_same(one: &Value, other: &Value) -> bool {
    let text = |value: &Value, key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    text(one, "name") == text(other, "name") && text(one, "namespace") == text(other, "namespace")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_last_state_of_each_stream_is_kept() {
        let state = |name: &str, at: u8| {
            json!({ "type": "STREAM", "sourceStats": { "recordCount": 1.0 },
                "stream": { "stream_descriptor": { "name": name }, "stream_state": { "at": at } } })
        };
        let mut messages = Messages::default();
        messages.add(state("a", 1));
        messages.add(state("b", 1));
        messages.add(state("a", 2));
        assert_eq!(messages.0.len(), 2);
        assert_eq!(messages.0[1].pointer("/stream/stream_state/at"), Some(&json!(2)));
        assert_eq!(messages.0[1].get("sourceStats"), None);
        messages.add(json!({ "type": "GLOBAL", "global": { "stream_states": [] } }));
        assert_eq!(messages.0.len(), 1);
        messages.add(state("a", 3));
        assert_eq!(messages.0.len(), 1, "a stream's state replaces one for all");
    }
}
