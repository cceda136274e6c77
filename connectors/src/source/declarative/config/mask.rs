//! Secrets out of texts.

use std::sync::{Arc, PoisonError, RwLock};

use protocol::Error;

use crate::source::declarative::template::text_of;
use crate::source::declarative::value::Value;

/// Shorter secrets are none: they would blot out every text.
const SHORTEST: usize = 3;
/// Names of fields that hold secrets where no specification says so.
const TELLING: [&str; 9] =
    ["password", "passwd", "secret", "token", "api_key", "apikey", "private_key", "credential", "passphrase"];

/// Replaces secrets in texts. Copies share what they have learned.
#[derive(Clone, Default)]
pub struct Mask(Arc<RwLock<Vec<String>>>);

impl Mask {
    /// The secrets of `config`: what its specification marks with `airbyte_secret`, and what their names give away.
    #[must_use]
    pub fn new(specification: &Value, config: &Value) -> Self {
        let mask = Self::default();
        mask.learn(specification, config);
        mask
    }

    /// Learns the secrets of a configuration.
    pub fn learn(&self, specification: &Value, config: &Value) {
        let mut found = Vec::new();
        marked(specification, config, &mut found, 0);
        named(config, false, &mut found, 0);
        for secret in found {
            self.add(&secret);
        }
    }

    /// Learns a secret, and how it looks in addresses, forms and JSON.
    pub fn add(&self, secret: &str) {
        if secret.chars().count() < SHORTEST {
            return;
        }
        self.add_text(secret);
        if secret.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
            return;
        }
        let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        self.add_text(&form.replace('+', "%20"));
        self.add_text(&form);
        let json = Value::from(secret).to_json();
        let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(secret);
        self.add_text(json);
        // JSON, quoted once more.
        self.add_text(&json.replace('\\', "\\\\").replace('"', "\\\""));
    }

    fn add_text(&self, secret: &str) {
        if self.0.read().unwrap_or_else(PoisonError::into_inner).iter().any(|known| known == secret) {
            return;
        }
        let mut secrets = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if !secrets.iter().any(|known| known == secret) {
            secrets.push(secret.to_owned());
            // A secret that holds another one goes as a whole.
            secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        }
    }

    /// `text` with `****` for each secret.
    #[must_use]
    pub fn apply(&self, text: &str) -> String {
        let secrets = self.0.read().unwrap_or_else(PoisonError::into_inner);
        secrets.iter().fold(text.to_owned(), |text, secret| {
            if text.contains(secret.as_str()) { text.replace(secret.as_str(), "****") } else { text }
        })
    }

    /// The same error without secrets: its causes become text.
    #[must_use]
    pub fn error(&self, error: &Error) -> Error {
        let mut copy = Error::new(error.kind(), self.apply(error.message()));
        for (key, value) in error.context_pairs() {
            copy = copy.context(key, self.apply(value));
        }
        if let Some(advice) = error.advice() {
            copy = copy.hint(advice);
        }
        match std::error::Error::source(error) {
            Some(source) => copy.with_source(self.apply(&Causes(source).to_string())),
            None => copy,
        }
    }
}

/// What caused an error, as one text.
struct Causes<'a>(&'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// The deepest place that is looked at.
const DEPTH: usize = 64;

/// What a schema marks: a field of it is in the object, or in one of the schema's alternatives.
fn marked(schema: &Value, value: &Value, found: &mut Vec<String>, depth: usize) {
    if depth > DEPTH {
        return;
    }
    if schema.get("airbyte_secret").is_some_and(Value::is_true) {
        texts(value, found, depth);
    }
    for alternatives in ["oneOf", "anyOf", "allOf"] {
        for schema in schema.get(alternatives).and_then(Value::as_list).unwrap_or_default() {
            marked(schema, value, found, depth + 1);
        }
    }
    if let (Some(properties), Some(map)) = (schema.get("properties").and_then(Value::as_map), value.as_map())
    {
        for (name, schema) in properties.iter() {
            if let Some(value) = map.get(name) {
                marked(schema, value, found, depth + 1);
            }
        }
    }
    if let (Some(schema), Some(items)) = (schema.get("items"), value.as_list()) {
        for item in items {
            marked(schema, item, found, depth + 1);
        }
    }
}

/// What stands in fields whose names say that it is secret.
fn named(value: &Value, is_secret: bool, found: &mut Vec<String>, depth: usize) {
    if depth > DEPTH {
        return;
    }
    match value {
        Value::Map(map) => {
            for (name, value) in map.iter() {
                let name = name.to_ascii_lowercase();
                let telling = TELLING.iter().any(|word| name.contains(word)) && value.as_text().is_some();
                named(value, telling, found, depth + 1);
            }
        }
        Value::List(items) => {
            for item in items {
                named(item, false, found, depth + 1);
            }
        }
        Value::Text(text) if is_secret && text.len() >= 6 && !is_word(text) => found.push(text.clone()),
        _ => {}
    }
}

/// Addresses and plain words (`token_url`, `auth_type: token`) are no secrets.
fn is_word(text: &str) -> bool {
    text.starts_with("http://")
        || text.starts_with("https://")
        || text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_')
}

fn texts(value: &Value, found: &mut Vec<String>, depth: usize) {
    if depth > DEPTH {
        return;
    }
    match value {
        Value::None | Value::Bool(_) => {}
        Value::Map(map) => map.values().for_each(|value| texts(value, found, depth + 1)),
        Value::List(items) => {
            for item in items {
                texts(item, found, depth + 1);
            }
        }
        one => found.push(text_of(one)),
    }
}
