//! What an expression evaluates to: values of the outside by reference, and what Python makes of them.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ops::Deref;
use std::rc::Rc;

use chrono::{NaiveDate, NaiveDateTime};
use num_bigint::BigInt;
use num_traits::ToPrimitive;

use super::StreamSlice;
use super::fault::{Fault, Outcome};
use super::syntax::Macro;
use crate::source::declarative::moment::{Calendar, Delta, Moment, Zone};
use crate::source::declarative::value::{Map, Value};

/// Text of the outside, or made by the template.
#[derive(Clone)]
pub(crate) enum Text<'a> {
    Borrowed(&'a str),
    Shared(Rc<str>),
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Borrowed(text) => text,
            Self::Shared(text) => text,
        }
    }
}

/// A value inside of an evaluation. Cheap to clone; lists and dicts of the template are shared, as in Python.
#[derive(Clone)]
pub(crate) enum Object<'a> {
    Undefined(Rc<Missing>),
    None,
    Bool(bool),
    Int(i64),
    Big(Rc<BigInt>),
    Float(f64),
    Text(Text<'a>),
    /// Text that was marked safe: `Markup`.
    Markup(Rc<str>),
    Bytes(Rc<[u8]>),
    /// A list, tuple, set or dict of the outside.
    Borrowed(&'a Value),
    List(Rc<RefCell<Vec<Object<'a>>>>),
    Tuple(Rc<[Object<'a>]>),
    Dict(Rc<RefCell<Dict<'a>>>),
    Set(Rc<RefCell<Vec<Object<'a>>>>),
    /// `keys()`, `values()`, `items()`.
    View(Rc<View<'a>>),
    /// What can be gone through once.
    Iter(Rc<Iter<'a>>),
    Slice(&'a StreamSlice),
    Moment(Rc<Moment>),
    Date(NaiveDate),
    /// A time of day; the date of it means nothing.
    Time(Rc<NaiveDateTime>),
    Delta(Rc<Delta>),
    Calendar(Rc<Calendar>),
    Zone(Zone),
    Function(&'static str),
    Method(Rc<(Object<'a>, Rc<str>)>),
    Macro(Rc<Closure<'a>>),
    Loop(Rc<Loop<'a>>),
    Namespace(Rc<RefCell<Names<'a>>>),
    Cycler(Rc<(Vec<Object<'a>>, Cell<usize>)>),
    Joiner(Rc<(Text<'a>, Cell<bool>)>),
    Ellipsis,
}

/// What is not there.
pub(crate) struct Missing {
    pub(crate) message: String,
    /// Whether the access was forbidden, so that the use of it is another failure.
    pub(crate) forbidden: bool,
}

/// What a namespace holds.
pub(crate) type Names<'a> = Vec<(Rc<str>, Object<'a>)>;

/// A dict, in order.
pub(crate) type Dict<'a> = Vec<(Object<'a>, Object<'a>)>;

pub(crate) struct View<'a> {
    pub(crate) name: &'static str,
    pub(crate) items: Vec<Object<'a>>,
}

pub(crate) struct Iter<'a> {
    pub(crate) name: &'static str,
    pub(crate) items: RefCell<VecDeque<Object<'a>>>,
}

/// A macro with the scopes that it sees.
pub(crate) struct Closure<'a> {
    pub(super) definition: &'a Macro,
    pub(super) depth: usize,
    pub(super) caller: Option<Object<'a>>,
}

/// `loop`.
pub(crate) struct Loop<'a> {
    pub(super) items: Rc<[Object<'a>]>,
    pub(super) at: Cell<usize>,
    pub(super) depth: usize,
    pub(super) last_changed: RefCell<Option<Vec<Object<'a>>>>,
    pub(super) node: Option<&'a super::syntax::For>,
}

impl<'a> From<&'a Value> for Object<'a> {
    fn from(value: &'a Value) -> Self {
        match value {
            Value::None => Self::None,
            Value::Bool(truth) => Self::Bool(*truth),
            Value::Int(number) => Self::Int(*number),
            Value::Big(number) => Self::Big(Rc::new((**number).clone())),
            Value::Float(number) => Self::Float(*number),
            Value::Text(text) => Self::Text(Text::Borrowed(text)),
            Value::Bytes(bytes) => Self::Bytes(Rc::from(&bytes[..])),
            Value::Ellipsis => Self::Ellipsis,
            Value::List(_) | Value::Tuple(_) | Value::Set(_) | Value::Map(_) | Value::Dict(_) => {
                Self::Borrowed(value)
            }
        }
    }
}

impl<'a> From<&'a str> for Object<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Text::Borrowed(text))
    }
}

impl From<String> for Object<'_> {
    fn from(text: String) -> Self {
        Self::Text(Text::Shared(text.into()))
    }
}

impl From<bool> for Object<'_> {
    fn from(truth: bool) -> Self {
        Self::Bool(truth)
    }
}

impl From<i64> for Object<'_> {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<usize> for Object<'_> {
    fn from(number: usize) -> Self {
        i64::try_from(number).map_or_else(|_| Self::Big(Rc::new(number.into())), Self::Int)
    }
}

impl From<f64> for Object<'_> {
    fn from(number: f64) -> Self {
        Self::Float(number)
    }
}

impl From<BigInt> for Object<'_> {
    fn from(number: BigInt) -> Self {
        number.to_i64().map_or_else(|| Self::Big(Rc::new(number)), Self::Int)
    }
}

impl From<Moment> for Object<'_> {
    fn from(moment: Moment) -> Self {
        Self::Moment(Rc::new(moment))
    }
}

impl From<Delta> for Object<'_> {
    fn from(delta: Delta) -> Self {
        Self::Delta(Rc::new(delta))
    }
}

impl<'a> Object<'a> {
    pub(crate) fn list(items: Vec<Self>) -> Self {
        Self::List(Rc::new(RefCell::new(items)))
    }

    pub(crate) fn tuple(items: Vec<Self>) -> Self {
        Self::Tuple(items.into())
    }

    pub(crate) fn dict(entries: Dict<'a>) -> Self {
        Self::Dict(Rc::new(RefCell::new(entries)))
    }

    pub(crate) fn view(name: &'static str, items: Vec<Self>) -> Self {
        Self::View(Rc::new(View { name, items }))
    }

    pub(crate) fn iter(name: &'static str, items: Vec<Self>) -> Self {
        Self::Iter(Rc::new(Iter { name, items: RefCell::new(items.into()) }))
    }

    pub(crate) fn undefined(message: impl Into<String>) -> Self {
        Self::Undefined(Rc::new(Missing { message: message.into(), forbidden: false }))
    }

    pub(crate) fn forbidden(name: &str) -> Self {
        let message = format!("access to attribute {name:?} is unsafe");
        Self::Undefined(Rc::new(Missing { message, forbidden: true }))
    }

    pub(crate) fn is_undefined(&self) -> bool {
        matches!(self, Self::Undefined(_))
    }

    /// The failure of using this, where it is undefined.
    pub(crate) fn demand(&self) -> Outcome<()> {
        match self {
            Self::Undefined(missing) if missing.forbidden => Err(Fault::Other(missing.message.clone())),
            Self::Undefined(missing) => Err(Fault::Undefined(missing.message.clone())),
            _ => Ok(()),
        }
    }

    /// The text, where this is one.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Markup(text) => Some(text),
            _ => None,
        }
    }

    /// The integer of any size, where this is one; `True` is 1.
    pub(crate) fn as_integer(&self) -> Option<BigInt> {
        match self {
            Self::Bool(truth) => Some(BigInt::from(u8::from(*truth))),
            Self::Int(number) => Some(BigInt::from(*number)),
            Self::Big(number) => Some((**number).clone()),
            _ => None,
        }
    }

    /// The integer of 64 bits, where this is one; `True` is 1.
    pub(crate) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Bool(truth) => Some(i64::from(*truth)),
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn is_integer(&self) -> bool {
        matches!(self, Self::Bool(_) | Self::Int(_) | Self::Big(_))
    }

    pub(crate) fn is_mapping(&self) -> bool {
        matches!(self, Self::Dict(_) | Self::Slice(_) | Self::Borrowed(Value::Map(_) | Value::Dict(_)))
    }

    /// Python's name of its type.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Undefined(_) => "Undefined",
            Self::None => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) | Self::Big(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "str",
            Self::Markup(_) => "Markup",
            Self::Bytes(_) => "bytes",
            Self::List(_) | Self::Borrowed(Value::List(_)) => "list",
            Self::Tuple(_) | Self::Borrowed(Value::Tuple(_)) => "tuple",
            Self::Set(_) | Self::Borrowed(Value::Set(_)) => "set",
            Self::Dict(_) | Self::Borrowed(_) => "dict",
            Self::View(view) => view.name,
            Self::Iter(iter) => iter.name,
            Self::Slice(_) => "StreamSlice",
            Self::Moment(_) => "datetime.datetime",
            Self::Date(_) => "datetime.date",
            Self::Time(_) => "datetime.time",
            Self::Delta(_) => "datetime.timedelta",
            Self::Calendar(_) => "Duration",
            Self::Zone(_) => "datetime.timezone",
            Self::Function(_) => "function",
            Self::Method(_) => "builtin_function_or_method",
            Self::Macro(_) => "Macro",
            Self::Loop(_) => "LoopContext",
            Self::Namespace(_) => "Namespace",
            Self::Cycler(_) => "Cycler",
            Self::Joiner(_) => "Joiner",
            Self::Ellipsis => "ellipsis",
        }
    }

    /// Whether Python takes it for true.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            Self::Undefined(_) | Self::None => false,
            Self::Bool(truth) => *truth,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Text(text) => !text.is_empty(),
            Self::Markup(text) => !text.is_empty(),
            Self::Bytes(bytes) => !bytes.is_empty(),
            Self::Borrowed(value) => value.is_true(),
            Self::List(items) | Self::Set(items) => !items.borrow().is_empty(),
            Self::Tuple(items) => !items.is_empty(),
            Self::Dict(entries) => !entries.borrow().is_empty(),
            Self::View(view) => !view.items.is_empty(),
            Self::Slice(slice) => slice.is_true(),
            Self::Delta(delta) => delta.0 != 0,
            _ => true,
        }
    }

    /// How many things it holds; a `TypeError` where it holds none.
    pub(crate) fn length(&self) -> Outcome<usize> {
        Ok(match self {
            Self::Undefined(_) => 0,
            Self::Text(text) => text.chars().count(),
            Self::Markup(text) => text.chars().count(),
            Self::Bytes(bytes) => bytes.len(),
            Self::Borrowed(Value::List(items) | Value::Tuple(items) | Value::Set(items)) => items.len(),
            Self::Borrowed(Value::Map(map)) => map.len(),
            Self::Borrowed(Value::Dict(entries)) => entries.len(),
            Self::List(items) | Self::Set(items) => items.borrow().len(),
            Self::Tuple(items) => items.len(),
            Self::Dict(entries) => entries.borrow().len(),
            Self::View(view) => view.items.len(),
            Self::Slice(slice) => slice.merged().len(),
            Self::Loop(state) => state.items.len(),
            other => return Err(Fault::kind(format!("object of type '{}' has no len()", other.kind()))),
        })
    }

    /// Its items one after the other; a `TypeError` where it has none.
    pub(crate) fn items(&self) -> Outcome<Vec<Self>> {
        Ok(match self {
            Self::Undefined(_) => Vec::new(),
            Self::Text(Text::Borrowed(text)) => characters(text),
            Self::Text(Text::Shared(text)) | Self::Markup(text) => {
                text.chars().map(|character| Self::from(character.to_string())).collect()
            }
            Self::Bytes(bytes) => bytes.iter().map(|byte| Self::Int(i64::from(*byte))).collect(),
            Self::Borrowed(Value::List(items) | Value::Tuple(items) | Value::Set(items)) => {
                items.iter().map(Self::from).collect()
            }
            Self::Borrowed(Value::Map(map)) => map.keys().map(Self::from).collect(),
            Self::Borrowed(Value::Dict(entries)) => entries.iter().map(|(key, _)| Self::from(key)).collect(),
            Self::List(items) | Self::Set(items) => items.borrow().clone(),
            Self::Tuple(items) => items.to_vec(),
            Self::Dict(entries) => entries.borrow().iter().map(|(key, _)| key.clone()).collect(),
            Self::View(view) => view.items.clone(),
            Self::Iter(iter) => iter.items.borrow_mut().drain(..).collect(),
            Self::Slice(slice) => slice.merged().keys().map(Self::from).collect(),
            other => return Err(Fault::kind(format!("'{}' object is not iterable", other.kind()))),
        })
    }

    /// Keys and values, where this is a mapping.
    pub(crate) fn entries(&self) -> Option<Dict<'a>> {
        let of_map =
            |map: &'a Map| map.iter().map(|(key, value)| (Self::from(key), Self::from(value))).collect();
        match self {
            Self::Dict(entries) => Some(entries.borrow().clone()),
            Self::Borrowed(Value::Map(map)) => Some(of_map(map)),
            Self::Borrowed(Value::Dict(entries)) => {
                Some(entries.iter().map(|(key, value)| (Self::from(key), Self::from(value))).collect())
            }
            Self::Slice(slice) => Some(of_map(slice.merged())),
            _ => None,
        }
    }

    /// The value of `key`, where this is a mapping that has it.
    pub(crate) fn lookup(&self, key: &Self) -> Option<Self> {
        let in_map = |map: &'a Map| key.as_str().and_then(|key| map.get(key)).map(Self::from);
        match self {
            Self::Dict(entries) => {
                entries.borrow().iter().find(|(known, _)| known.equals(key)).map(|(_, value)| value.clone())
            }
            Self::Borrowed(Value::Map(map)) => in_map(map),
            Self::Borrowed(Value::Dict(entries)) => entries
                .iter()
                .find(|(known, _)| Self::from(known).equals(key))
                .map(|(_, value)| Self::from(value)),
            Self::Slice(slice) => in_map(slice.merged()),
            _ => None,
        }
    }

    /// Whether it may be a key; a `TypeError` where not.
    pub(crate) fn hashable(&self) -> Outcome<()> {
        match self {
            Self::List(_)
            | Self::Dict(_)
            | Self::Set(_)
            | Self::Borrowed(Value::List(_) | Value::Map(_) | Value::Dict(_) | Value::Set(_)) => {
                Err(Fault::kind(format!("unhashable type: '{}'", self.kind())))
            }
            Self::Tuple(items) => items.iter().try_for_each(Self::hashable),
            Self::Borrowed(Value::Tuple(items)) => {
                items.iter().try_for_each(|item| Self::from(item).hashable())
            }
            _ => Ok(()),
        }
    }
}

fn characters(text: &str) -> Vec<Object<'_>> {
    text.char_indices().map(|(at, character)| Object::from(&text[at..at + character.len_utf8()])).collect()
}

/// Puts an entry into a dict: the first key of equal ones stays, with the last value.
pub(crate) fn put<'a>(entries: &mut Dict<'a>, key: Object<'a>, value: Object<'a>) {
    match entries.iter_mut().find(|(known, _)| known.equals(&key)) {
        Some((_, place)) => *place = value,
        None => entries.push((key, value)),
    }
}
