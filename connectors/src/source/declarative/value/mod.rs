//! One value of a record, a configuration or a manifest, with what Python tells apart.
//!
//! Wider than JSON: integers have no bound, there are tuples, sets and bytes, and keys keep their order, because
//! manifests were written for an engine in which all of that shows. A value is 32 bytes; a text or a list costs one
//! allocation, an object two (its entries and their index) and 56 bytes an entry beside the texts. Templates borrow
//! values and never copy them.

mod json;
#[cfg(test)]
mod tests;

use std::fmt;

use indexmap::IndexMap;
use num_bigint::BigInt;
use num_traits::ToPrimitive;

/// What a record, a configuration or a result holds. `Debug` shows the kind alone: it may hold secrets.
#[derive(Clone, Default)]
pub enum Value {
    /// `null`, `None`.
    #[default]
    None,
    /// `true` or `false`.
    Bool(bool),
    /// An integer of 64 bits.
    Int(i64),
    /// An integer outside of 64 bits.
    Big(Box<BigInt>),
    /// A double.
    Float(f64),
    /// Text.
    Text(String),
    /// Octets: only from a literal.
    Bytes(Vec<u8>),
    /// An array.
    List(Vec<Value>),
    /// An array that is written with a comma: only from a literal.
    Tuple(Vec<Value>),
    /// A set, in the order of its first mention: only from a literal.
    Set(Vec<Value>),
    /// An object.
    Map(Map),
    /// An object of which a key is no text: only from a literal.
    Dict(Vec<(Value, Value)>),
    /// `...`: only from a literal.
    Ellipsis,
}

/// An object: its keys in the order in which they were first given.
#[derive(Clone, Default)]
pub struct Map(Box<IndexMap<Box<str>, Value, ahash::RandomState>>);

impl Map {
    /// An empty object.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty object with room for so many keys.
    pub(crate) fn with_capacity(keys: usize) -> Self {
        Self(Box::new(IndexMap::with_capacity_and_hasher(keys, ahash::RandomState::default())))
    }

    /// The value of `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The value of `key`, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.get_mut(key)
    }

    /// Whether there is `key`.
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Gives `key` a value. A key that was there keeps its place.
    pub fn insert(&mut self, key: impl Into<Box<str>>, value: impl Into<Value>) -> Option<Value> {
        self.0.insert(key.into(), value.into())
    }

    /// Takes `key` out; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.0.shift_remove(key)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values in order.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (&**key, value))
    }

    /// Keys and values in order, the values to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&str, &mut Value)> {
        self.0.iter_mut().map(|(key, value)| (&**key, value))
    }

    /// The keys in order.
    #[must_use]
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &str> {
        self.0.keys().map(|key| &**key)
    }

    /// The values in order.
    #[must_use]
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.0.values()
    }
}

impl IntoIterator for Map {
    type Item = (Box<str>, Value);
    type IntoIter = indexmap::map::IntoIter<Box<str>, Value>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<K: Into<Box<str>>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        Self(Box::new(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect()))
    }
}

impl Value {
    /// The text, where this is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The object, where this is one with texts for keys.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items, where this is an array of either kind.
    #[must_use]
    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) | Self::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// The integer, where this is one of 64 bits; `true` and `false` are none.
    #[must_use]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, where this is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// Whether this is `None`.
    #[must_use]
    pub fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The value of `key`, where this is an object that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// Whether Python takes it for true.
    #[must_use]
    pub fn is_true(&self) -> bool {
        match self {
            Self::None => false,
            Self::Bool(truth) => *truth,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::List(items) | Self::Tuple(items) | Self::Set(items) => !items.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Dict(entries) => !entries.is_empty(),
            Self::Big(_) | Self::Ellipsis => true,
        }
    }

    /// What it is, in the words of JSON.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::None => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Big(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::Bytes(_) => "bytes",
            Self::List(_) | Self::Tuple(_) | Self::Set(_) => "a list",
            Self::Map(_) | Self::Dict(_) => "an object",
            Self::Ellipsis => "an ellipsis",
        }
    }

    /// An integer, in 64 bits where it fits.
    #[must_use]
    pub fn integer(number: BigInt) -> Self {
        number.to_i64().map_or_else(|| Self::Big(Box::new(number)), Self::Int)
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({})", self.kind())
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Map({} keys)", self.len())
    }
}

/// As Python compares: `1`, `1.0` and `true` are the same, a list and a tuple are not.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        use super::template::Object;
        Object::from(self).equals(&Object::from(other))
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<Vec<Value>> for Value {
    fn from(items: Vec<Value>) -> Self {
        Self::List(items)
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}
