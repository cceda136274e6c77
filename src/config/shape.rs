//! What a JSON schema says about a place of the configuration: whether a secret stands there, a
//! path, a number. The reader looks nothing else up in it: the typed parser judges the values.

use serde_json::Value;

/// The subschemas that may describe one place.
#[derive(Clone)]
pub(crate) struct Shape<'a> {
    root: &'a Value,
    options: Vec<&'a Value>,
}

/// Schemas that refer to themselves end here.
const MAX_STEPS: usize = 16;

impl<'a> Shape<'a> {
    /// The place that `schema` as a whole describes.
    pub(crate) fn new(schema: &'a Value) -> Self {
        Self::of(schema, vec![schema])
    }

    fn of(root: &'a Value, starts: Vec<&'a Value>) -> Self {
        let mut options = Vec::new();
        for start in starts {
            expand(root, start, MAX_STEPS, &mut options);
        }
        Self { root, options }
    }

    /// The place under `key`.
    pub(crate) fn key(&self, key: &str) -> Self {
        let values = self.options.iter().filter_map(|option| {
            let named = option.get("properties").and_then(|properties| properties.get(key));
            named.or_else(|| option.get("additionalProperties").filter(|any| any.is_object()))
        });
        Self::of(self.root, values.collect())
    }

    /// The place of each item of a list.
    pub(crate) fn item(&self) -> Self {
        Self::of(self.root, self.options.iter().filter_map(|option| option.get("items")).collect())
    }

    /// Whether something is said about this place at all, and a value of `type_name` may stand here.
    pub(crate) fn allows(&self, type_name: &str) -> bool {
        self.options.iter().any(|option| match option.get("type") {
            Some(Value::String(name)) => name == type_name,
            Some(Value::Array(names)) => names.iter().any(|name| name == type_name),
            _ => option.get("enum").or(option.get("const")).is_some() && type_name == "string",
        })
    }

    /// Whether a password, key or token stands here.
    pub(crate) fn is_secret(&self) -> bool {
        self.has_format("password")
    }

    /// Whether the path of a file or folder stands here, or a URL in its place.
    pub(crate) fn is_path(&self) -> bool {
        self.has_format("path")
    }

    /// Whether `text` is a word with a meaning of its own here.
    pub(crate) fn names(&self, text: &str) -> bool {
        self.options.iter().any(|option| {
            option.get("const").is_some_and(|word| word == text)
                || option
                    .get("enum")
                    .and_then(Value::as_array)
                    .is_some_and(|words| words.iter().any(|word| word == text))
        })
    }

    fn has_format(&self, format: &str) -> bool {
        self.options.iter().any(|option| option.get("format").is_some_and(|found| found == format))
    }
}

fn expand<'a>(root: &'a Value, schema: &'a Value, steps: usize, into: &mut Vec<&'a Value>) {
    if steps == 0 {
        return;
    }
    into.push(schema);
    if let Some(pointer) = schema.get("$ref").and_then(Value::as_str).and_then(|text| text.strip_prefix('#'))
        && let Some(target) = root.pointer(pointer)
    {
        expand(root, target, steps - 1, into);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        for option in schema.get(key).and_then(Value::as_array).into_iter().flatten() {
            expand(root, option, steps - 1, into);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn looks_through_references_and_alternatives() {
        let schema = json!({
            "properties": {
                "tls": { "anyOf": [{ "$ref": "#/$defs/Tls" }, { "type": "null" }] },
                "ports": { "type": "array", "items": { "type": "integer" } },
                "ca": { "anyOf": [{ "const": "system" }, { "type": "string", "format": "path" }] },
                "any": { "additionalProperties": { "type": "boolean" } },
            },
            "$defs": { "Tls": { "properties": { "key": { "type": ["string", "null"], "format": "password" } } } },
        });
        let shape = Shape::new(&schema);
        assert!(shape.key("tls").key("key").is_secret());
        assert!(shape.key("tls").key("key").allows("string"));
        assert!(shape.key("ports").item().allows("integer"));
        assert!(!shape.key("ports").item().allows("string"));
        assert!(shape.key("ca").is_path() && shape.key("ca").names("system"));
        assert!(shape.key("any").key("x").allows("boolean"));
        assert!(!shape.key("nothing").allows("string"));
    }

    #[test]
    fn ends_on_a_schema_that_contains_itself() {
        let schema = json!({ "$ref": "#/$defs/A", "$defs": { "A": { "anyOf": [{ "$ref": "#/$defs/A" }] } } });
        assert!(!Shape::new(&schema).is_secret());
    }
}
