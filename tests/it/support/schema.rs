//! Checks a document against a JSON schema, as far as schemas of ours go. A keyword that is not known
//! here is a violation: nothing is taken for checked that is not.

use serde_json::Value;

/// What only describes, or is no promise that a reader could rely on.
const SILENT: [&str; 6] = ["$schema", "$defs", "title", "description", "default", "format"];

/// What in `document` is not as `schema` says, each with its place.
pub(crate) fn violations(document: &Value, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, schema, "$", &mut found);
    found
}

fn check(value: &Value, schema: &Value, root: &Value, at: &str, found: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else {
        if schema == &Value::Bool(false) {
            found.push(format!("{at}: nothing may be here"));
        }
        return;
    };
    for (keyword, wanted) in keywords {
        let fits = match keyword.as_str() {
            silent if SILENT.contains(&silent) => true,
            "$ref" => {
                let pointer = wanted.as_str().unwrap_or_default().trim_start_matches('#');
                match root.pointer(pointer) {
                    Some(target) => check(value, target, root, at, found),
                    None => found.push(format!("{at}: {wanted} is not in the schema")),
                }
                true
            }
            "type" => has_type(value, wanted),
            "const" => value == wanted,
            "enum" => listed(wanted).contains(value),
            "minimum" => value.as_f64() >= wanted.as_f64() || !value.is_number(),
            "maximum" => value.as_f64() <= wanted.as_f64() || !value.is_number(),
            "anyOf" => listed(wanted).iter().any(|schema| is_valid(value, schema, root)),
            "oneOf" => listed(wanted).iter().filter(|schema| is_valid(value, schema, root)).count() == 1,
            "allOf" => listed(wanted).iter().all(|schema| is_valid(value, schema, root)),
            "required" => {
                let missing = |key: &&Value| value.get(key.as_str().unwrap_or_default()).is_none();
                !value.is_object() || !listed(wanted).iter().any(|key| missing(&key))
            }
            "properties" => {
                for (key, schema) in wanted.as_object().into_iter().flatten() {
                    if let Some(inner) = value.get(key) {
                        check(inner, schema, root, &format!("{at}.{key}"), found);
                    }
                }
                true
            }
            "additionalProperties" => {
                let known = |key: &String| schema["properties"].get(key).is_some();
                for (key, inner) in value.as_object().into_iter().flatten().filter(|(key, _)| !known(key)) {
                    check(inner, wanted, root, &format!("{at}.{key}"), found);
                }
                true
            }
            "items" => {
                for (index, inner) in value.as_array().into_iter().flatten().enumerate() {
                    check(inner, wanted, root, &format!("{at}[{index}]"), found);
                }
                true
            }
            // The forms of texts are the business of the types that write them.
            "pattern" => true,
            unknown => {
                found.push(format!("{at}: the keyword {unknown:?} is not known to this check"));
                true
            }
        };
        if !fits {
            found.push(format!("{at}: {value} does not meet {keyword} {wanted}"));
        }
    }
}

fn is_valid(value: &Value, schema: &Value, root: &Value) -> bool {
    let mut found = Vec::new();
    check(value, schema, root, "", &mut found);
    found.is_empty()
}

fn has_type(value: &Value, wanted: &Value) -> bool {
    match wanted {
        Value::Array(several) => several.iter().any(|one| has_type(value, one)),
        one => match one.as_str().unwrap_or_default() {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            _ => false,
        },
    }
}

fn listed(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn finds_what_a_schema_forbids() {
        let schema = json!({
            "type": "object",
            "required": ["a"],
            "properties": { "a": { "$ref": "#/$defs/small" }, "b": { "type": ["string", "null"] } },
            "additionalProperties": false,
            "$defs": { "small": { "type": "integer", "maximum": 9 } },
        });
        assert!(violations(&json!({ "a": 1, "b": null }), &schema).is_empty());
        for wrong in
            [json!({}), json!({ "a": 10 }), json!({ "a": "1" }), json!({ "a": 1, "c": 1 }), json!([])]
        {
            assert!(!violations(&wrong, &schema).is_empty(), "{wrong}");
        }
        assert!(!violations(&json!(1), &json!({ "multipleOf": 2 })).is_empty());
    }
}
