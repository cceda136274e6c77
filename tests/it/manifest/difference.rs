//! What differs between two documents, by place. Lists are compared as multisets: what comes in parallel has no order.

use serde_json::Value;

/// A line for each place that differs.
pub(super) fn differences(wanted: &Value, found: &Value) -> Vec<String> {
    let mut all = Vec::new();
    collect("", wanted, found, &mut all);
    all
}

fn collect(place: &str, wanted: &Value, found: &Value, all: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(left), Value::Object(right)) => {
            for (key, value) in left {
                let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                match right.get(key) {
                    Some(other) => collect(&place, value, other, all),
                    None => all.push(format!("{place}: missing {}", short(value))),
                }
            }
            for (key, value) in right.iter().filter(|(key, _)| !left.contains_key(*key)) {
                all.push(format!("{place}.{key}: not wanted {}", short(value)));
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            let (mut left, mut right) = (sorted(left), sorted(right));
            left.retain(|item| match right.iter().position(|other| other == item) {
                Some(index) => {
                    right.remove(index);
                    false
                }
                None => true,
            });
            all.extend(left.iter().map(|item| format!("{place}: missing {}", cut(item))));
            all.extend(right.iter().map(|item| format!("{place}: not wanted {}", cut(item))));
        }
        _ if wanted == found => {}
        _ => all.push(format!("{place}: {} is wanted, not {}", short(wanted), short(found))),
    }
}

/// The items as text with sorted keys: `serde_json` keeps objects sorted.
fn sorted(items: &[Value]) -> Vec<String> {
    let mut texts: Vec<String> = items.iter().map(ToString::to_string).collect();
    texts.sort();
    texts
}

fn short(value: &Value) -> String {
    cut(&value.to_string())
}

fn cut(text: &str) -> String {
    if text.len() > 600 {
        format!("{}…", text.chars().take(600).collect::<String>())
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::differences;

    #[test]
    fn lists_have_no_order_and_keep_what_is_there_twice() {
        assert!(differences(&json!({"a": [1, 2, 2]}), &json!({"a": [2, 1, 2]})).is_empty());
        assert_eq!(differences(&json!({"a": [1, 2, 2]}), &json!({"a": [2, 1]})), ["a: missing 2"]);
        assert_eq!(differences(&json!({"a": 1.0}), &json!({"a": 1})), ["a: 1.0 is wanted, not 1"]);
    }
}
