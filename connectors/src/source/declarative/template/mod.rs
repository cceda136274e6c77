//! The interpolation of manifests: Jinja2's syntax with Python's semantics, evaluated as the reference does.
//!
//! A template is compiled once and evaluated for many records. What it gives is rendered to text, and the text is read
//! as a Python literal; where that works the literal is the result (`5` is a number, `{'a': 1}` an object), else the
//! text. An expression that is alone in its template takes a short cut with the same outcome. Records are borrowed:
//! an evaluation copies only what it puts together itself.
//!
//! Nothing here reads the clock, a file or the network, and every evaluation has a budget of steps, octets and depth.

mod budget;
mod call;
mod compare;
mod condition;
mod context;
mod expression;
mod fault;
mod filter;
mod function;
mod item;
mod lexer;
mod machine;
mod mapping;
mod method;
mod object;
mod operator;
mod parser;
mod percent;
mod reach;
mod repeat;
mod scope;
mod syntax;
mod test;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;
use std::ops::BitOr;
use std::sync::atomic::{AtomicU8, Ordering};

use protocol::{Error, Result};

pub use condition::Condition;
pub use context::{Context, StreamSlice};
pub use mapping::{MappingTemplate, NestedTemplate};
pub(crate) use object::Object;
pub(crate) use reach::Reach;

use super::literal;
use super::value::Value;
use fault::{Fault, Outcome};
use machine::Machine;
use syntax::{Expr, Node};

/// The longest text of a template.
const LONGEST: usize = 1 << 20;
/// A variable that was taken out of the language: manifests that name it fail.
const WITHDRAWN: &str = "stream_state";

/// A text with expressions in it, compiled. Can be shared among threads.
pub struct Template {
    source: Box<str>,
    kind: Kind,
    /// Variables that it takes from outside.
    free: Vec<Box<str>>,
}

enum Kind {
    /// No expression at all: what it renders to.
    Constant(Box<str>),
    /// One expression and nothing beside it.
    Single(Expr),
    Nodes(Vec<Node>),
    /// Names what was taken out of the language: fails when it is evaluated.
    Withdrawn,
}

/// The types of literals that are taken instead of their text; `Types::ANY` takes all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Types(u8);

impl Types {
    /// Every literal but complex numbers.
    pub const ANY: Self = Self(0xff);
    /// Quoted text.
    pub const TEXT: Self = Self(1);
    /// Lists.
    pub const LIST: Self = Self(2);
    /// Integers; `True` and `False` are such in Python.
    pub const INT: Self = Self(4);
    /// Numbers with a point or an exponent.
    pub const FLOAT: Self = Self(8);
    /// `True` and `False`.
    pub const BOOL: Self = Self(16);
    /// Dicts.
    pub const MAP: Self = Self(32);

    fn accept(self, value: &Value) -> bool {
        if self == Self::ANY {
            return true;
        }
        let wanted = match value {
            Value::Text(_) => Self::TEXT.0,
            Value::List(_) => Self::LIST.0,
            Value::Int(_) | Value::Big(_) => Self::INT.0,
            Value::Float(_) => Self::FLOAT.0,
            Value::Bool(_) => Self::BOOL.0 | Self::INT.0,
            Value::Map(_) | Value::Dict(_) => Self::MAP.0,
            _ => 0,
        };
        self.0 & wanted != 0
    }
}

impl BitOr for Types {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template({:?})", self.source)
    }
}

impl Template {
    /// Compiles `source`; an error names the line.
    pub fn compile(source: &str) -> Result<Self> {
        if source.len() > LONGEST {
            return Err(Error::config(format!("a template is longer than {LONGEST} bytes")));
        }
        if source.contains(WITHDRAWN) {
            return Ok(Self { source: source.into(), kind: Kind::Withdrawn, free: Vec::new() });
        }
        let mut nodes = parser::parse(source).map_err(|mistake| {
            Error::config(format!("a template is malformed in line {}: {}", mistake.line, mistake.message))
                .context("template", shortened(source))
        })?;
        let mut free = scope::free(&nodes);
        free.retain(|name| !function::exists(name));
        let kind = match (nodes.len(), nodes.pop()) {
            (_, None) => Kind::Constant("".into()),
            (1, Some(Node::Data(text))) => Kind::Constant(text),
            (1, Some(Node::Print(expr))) => Kind::Single(expr),
            (_, Some(last)) => {
                nodes.push(last);
                Kind::Nodes(nodes)
            }
        };
        Ok(Self { source: source.into(), kind, free })
    }

    /// The text that was compiled.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Whether there is no expression in it.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        matches!(self.kind, Kind::Constant(_))
    }

    /// Whether it takes `variable` from outside.
    #[must_use]
    pub fn uses(&self, variable: &str) -> bool {
        self.free.iter().any(|name| **name == *variable)
    }

    /// What it evaluates to, or `None` where that is empty or undefined and a default is to be taken.
    pub fn eval<'a>(&'a self, context: &'a Context<'a>, types: Types) -> Result<Option<Value>> {
        match self.attempt(context, types) {
            Ok(value) => Ok(value),
            Err(Fault::Undefined(_)) => Ok(None),
            Err(fault) => Err(self.error(&fault)),
        }
    }

    /// [`Self::eval`], in which undefined is a failure of its own.
    fn attempt<'a>(&'a self, context: &'a Context<'a>, types: Types) -> Outcome<Option<Value>> {
        self.known(context)?;
        let mut machine = Machine::new(context);
        let rendered = match &self.kind {
            Kind::Constant(text) => Ok(read(text, types)),
            Kind::Withdrawn => Err(Fault::other(format!(
                "`{WITHDRAWN}` is no longer supported, `stream_interval` takes its place"
            ))),
            Kind::Single(expr) => machine.expr(expr).and_then(|object| finish(&object, types)),
            Kind::Nodes(nodes) => {
                let mut out = String::with_capacity(self.source.len());
                machine.run(nodes, &mut out).map(|()| read_owned(out, types))
            }
        };
        match rendered {
            // The reference takes the text of the template for a constant then.
            Err(Fault::Type(_)) => Ok(read(&self.source, types)),
            other => other,
        }
    }

    /// Every variable must be known, even one that is not reached.
    fn known(&self, context: &Context<'_>) -> Outcome<()> {
        match self.free.iter().find(|name| !context.has(name)) {
            Some(unknown) => Err(Fault::other(format!("the variable '{unknown}' is not known here"))),
            None => Ok(()),
        }
    }

    fn error(&self, fault: &Fault) -> Error {
        Error::config(format!("a template can't be evaluated: {}", fault.message()))
            .context("template", shortened(&self.source))
    }
}

/// The beginning of a template, for messages.
fn shortened(source: &str) -> String {
    const SHOWN: usize = 120;
    match source.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &source[..end]),
        None => source.to_owned(),
    }
}

/// [`read`], without a copy of what stays text.
fn read_owned(text: String, types: Types) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    let value = literal::parse(&text).filter(|value| types.accept(value));
    Some(value.unwrap_or(Value::Text(text)))
}

/// Text as a literal where it is one of the wanted types; `None` where there is none.
fn read(text: &str, types: Types) -> Option<Value> {
    if text.is_empty() {
        return None;
    }
    let value = literal::parse(text).filter(|value| types.accept(value));
    Some(value.unwrap_or_else(|| Value::Text(text.to_owned())))
}

/// The same as rendering a value and reading it, without the text in between where the outcome is known.
fn finish(object: &Object<'_>, types: Types) -> Outcome<Option<Value>> {
    let known = match object {
        Object::Undefined(_) => return Ok(None),
        Object::None => Some(Value::None),
        Object::Bool(truth) => Some(Value::Bool(*truth)),
        Object::Int(number) => Some(Value::Int(*number)),
        Object::Float(number) if number.is_finite() => Some(Value::Float(*number)),
        _ => None,
    };
    if let Some(value) = known.filter(|value| types.accept(value)) {
        return Ok(Some(value));
    }
    if let Object::Text(text) = object {
        return Ok(read(text, types));
    }
    Ok(read(&object.text()?, types))
}

/// What Python's `str` makes of a value.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        other => Object::from(other).text().map_or_else(|_| other.to_json(), std::borrow::Cow::into_owned),
    }
}

/// A template for one value, whose default is itself: an empty result is empty text, an undefined one an error.
#[derive(Debug)]
pub struct TextTemplate {
    template: Template,
    /// Whether the first result was the very text of the template, which is then taken for all later ones.
    plain: AtomicU8,
}

const UNKNOWN: u8 = 0;
const PLAIN: u8 = 1;
const DYNAMIC: u8 = 2;

impl TextTemplate {
    /// Compiles `source`.
    pub fn compile(source: &str) -> Result<Self> {
        Template::compile(source).map(Self::from)
    }

    /// What it evaluates to.
    pub fn eval<'a>(&'a self, context: &'a Context<'a>) -> Result<Value> {
        self.eval_types(context, Types::ANY)
    }

    /// What it evaluates to; literals of other types stay text.
    pub fn eval_types<'a>(&'a self, context: &'a Context<'a>, types: Types) -> Result<Value> {
        if self.plain.load(Ordering::Relaxed) == PLAIN {
            return Ok(Value::Text(self.template.source().to_owned()));
        }
        let value = self.template.attempt(context, types).map_err(|fault| self.template.error(&fault))?;
        let value = value.unwrap_or_else(|| Value::Text(String::new()));
        if self.plain.load(Ordering::Relaxed) == UNKNOWN {
            let is_plain = value.as_text() == Some(self.template.source());
            self.plain.store(if is_plain { PLAIN } else { DYNAMIC }, Ordering::Relaxed);
        }
        Ok(value)
    }

    /// What it evaluates to, as text.
    pub fn eval_text<'a>(&'a self, context: &'a Context<'a>) -> Result<String> {
        match self.eval(context)? {
            Value::Text(text) => Ok(text),
            other => Object::from(&other)
                .text()
                .map(std::borrow::Cow::into_owned)
                .map_err(|fault| self.template.error(&fault)),
        }
    }

    /// The template itself.
    #[must_use]
    pub fn template(&self) -> &Template {
        &self.template
    }
}

impl From<Template> for TextTemplate {
    fn from(template: Template) -> Self {
        Self { template, plain: AtomicU8::new(UNKNOWN) }
    }
}
