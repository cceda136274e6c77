//! Pagination strategies: page numbers, offsets, cursors.

use protocol::{Error, Result};

use super::Page;
use super::header;
use crate::source::declarative::component::Component;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::{Condition, Template, TextTemplate};
use crate::source::declarative::value::Value;

pub(super) enum Strategy {
    Number(Number),
    Offset(Offset),
    Cursor(Box<Cursor>),
}

/// `PageIncrement`.
pub(super) struct Number {
    size: Option<i64>,
    start: i64,
    at_once: bool,
}

/// `OffsetIncrement`.
pub(super) struct Offset {
    size: Option<Size>,
    at_once: bool,
    scope: Scope,
    parameters: Value,
}

enum Size {
    Known(i64),
    /// May look at the answer.
    Template(TextTemplate),
}

/// `CursorPagination`.
pub(super) struct Cursor {
    size: Option<i64>,
    value: TextTemplate,
    stop: Option<Condition>,
    sight: Sight,
    scope: Scope,
    parameters: Value,
}

/// What of a page the expressions of a cursor look at.
#[expect(clippy::struct_excessive_bools, reason = "each is asked for on its own")]
struct Sight {
    response: bool,
    /// Whether they mean the same without its records.
    apart: bool,
    headers: bool,
    last_record: bool,
    /// Words of the expressions: names by which they may ask for headers.
    words: Vec<String>,
}

impl Strategy {
    pub(super) fn build(
        component: &Component<'_>,
        scope: &Scope,
        apart: &dyn Fn(&Template) -> bool,
    ) -> Result<Self> {
        match component.kind() {
            "PageIncrement" => Ok(Self::Number(Number {
                size: fixed_size(component, scope)?,
                start: component.int("start_from_page")?.unwrap_or_default(),
                at_once: component.flag("inject_on_first_request", false)?,
            })),
            "OffsetIncrement" => Ok(Self::Offset(Offset::build(component, scope)?)),
            "CursorPagination" => Ok(Self::Cursor(Box::new(Cursor::build(component, scope, apart)?))),
            _ => Err(component.unknown("pagination strategy")),
        }
    }

    pub(super) fn first(&self) -> Option<Value> {
        match self {
            Self::Number(number) => number.at_once.then_some(Value::Int(number.start)),
            Self::Offset(offset) => offset.at_once.then_some(Value::Int(0)),
            Self::Cursor(_) => None,
        }
    }

    pub(super) fn page_size(&self) -> Result<Option<i64>> {
        match self {
            Self::Number(number) => Ok(number.size),
            Self::Offset(offset) => offset.page_size(),
            Self::Cursor(cursor) => Ok(cursor.size),
        }
    }

    /// Pages by number begin elsewhere once their size changes.
    pub(super) fn can_shrink(&self) -> bool {
        !matches!(self, Self::Number(_))
    }

    pub(super) fn next(&self, page: &Page<'_>) -> Result<Option<Value>> {
        match self {
            Self::Number(number) => number.next(page),
            Self::Offset(offset) => offset.next(page),
            Self::Cursor(cursor) => cursor.next(page),
        }
    }
}

impl Number {
    fn next(&self, page: &Page<'_>) -> Result<Option<Value>> {
        if is_last(self.size, page.extracted) {
            return Ok(None);
        }
        let at = match page.token {
            None => self.start,
            Some(token) => integer(token)?,
        };
        Ok(Some(Value::Int(at.saturating_add(1))))
    }
}

impl Offset {
    fn build(component: &Component<'_>, scope: &Scope) -> Result<Self> {
        let size = match component.value("page_size") {
            None => None,
            Some(Value::Int(size)) => Some(Size::Known(*size)),
            Some(Value::Text(text)) if text.is_empty() => None,
            Some(Value::Text(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(Size::Known(text.parse().map_err(|_| component.fail("`page_size` is too large"))?))
            }
            Some(_) => component.template("page_size")?.map(Size::Template),
        };
        Ok(Self {
            size,
            at_once: component.flag("inject_on_first_request", false)?,
            scope: scope.clone(),
            parameters: component.parameters(),
        })
    }

    fn page_size(&self) -> Result<Option<i64>> {
        match &self.size {
            None => Ok(None),
            Some(Size::Known(size)) => Ok(Some(*size)),
            Some(Size::Template(template)) => {
                size_of(&template.eval(&self.scope.context(&self.parameters))?).map(Some)
            }
        }
    }

    fn next(&self, page: &Page<'_>) -> Result<Option<Value>> {
        let size = match (page.size, &self.size) {
            (Some(size), _) => Some(size),
            (None, None) => None,
            (None, Some(Size::Known(size))) => Some(*size),
            (None, Some(Size::Template(template))) => {
                let response =
                    if template.template().uses("response") { (page.response)(false)? } else { Value::None };
                let context = self.scope.context(&self.parameters).with("response", &response);
                Some(size_of(&template.eval(&context)?)?)
            }
        };
        if is_last(size, page.extracted) {
            return Ok(None);
        }
        let at = match page.token {
            None => 0,
            Some(token) => integer(token)?,
        };
        let read = i64::try_from(page.extracted).unwrap_or(i64::MAX);
        Ok(Some(Value::Int(at.saturating_add(read))))
    }
}

impl Cursor {
    fn build(component: &Component<'_>, scope: &Scope, apart: &dyn Fn(&Template) -> bool) -> Result<Self> {
        let value = component.required_template("cursor_value")?;
        let size = fixed_size(component, scope)?;
        let stop = component.condition("stop_condition")?;
        let stop_text = component.text("stop_condition")?.unwrap_or_default();
        let stop_template = match &stop {
            Some(_) => Some(Template::compile(&stop_text)?),
            None => None,
        };
        let uses = |name: &str| {
            value.template().uses(name) || stop_template.as_ref().is_some_and(|stop| stop.uses(name))
        };
        if size.is_none() && uses("page_size") {
            return Err(component.fail("an expression reads `page_size`, but none is given"));
        }
        let words = header::words(&[value.template().source(), &stop_text]);
        let sight = Sight {
            response: uses("response"),
            apart: apart(value.template()) && stop_template.as_ref().is_none_or(apart),
            headers: uses("headers"),
            last_record: uses("last_record"),
            words,
        };
        Ok(Self { size, value, stop, sight, scope: scope.clone(), parameters: component.parameters() })
    }

    fn next(&self, page: &Page<'_>) -> Result<Option<Value>> {
        let response = if self.sight.response { (page.response)(self.sight.apart)? } else { Value::None };
        let headers =
            if self.sight.headers { header::variable(page.headers, &self.sight.words) } else { Value::None };
        let last_record =
            if self.sight.last_record { (page.last_record)()?.unwrap_or_default() } else { Value::None };
        let kept = Value::Int(i64::try_from(page.kept).unwrap_or(i64::MAX));
        let size = page.size.or(self.size).map_or(Value::None, Value::Int);
        let context = self
            .scope
            .context(&self.parameters)
            .with("response", &response)
            .with("headers", &headers)
            .with("last_record", &last_record)
            .with("last_page_size", &kept)
            .with("page_size", &size)
            .with_slice(Some(page.slice));
        if let Some(stop) = &self.stop
            && stop.eval(&context)?
        {
            return Ok(None);
        }
        self.value.eval(&context).map(Some)
    }
}

/// Whether no page follows one with so many records.
fn is_last(size: Option<i64>, extracted: usize) -> bool {
    let extracted = i64::try_from(extracted).unwrap_or(i64::MAX);
    extracted == 0 || size.is_some_and(|size| extracted < size)
}

/// A size that is known when the source is built.
fn fixed_size(component: &Component<'_>, scope: &Scope) -> Result<Option<i64>> {
    match component.value("page_size") {
        None => Ok(None),
        Some(Value::Int(size)) => Ok(Some(*size)),
        Some(_) => {
            let Some(template) = component.template("page_size")? else { return Ok(None) };
            let parameters = component.parameters();
            let size = template.eval(&scope.context(&parameters))?;
            size_of(&size).map(Some).map_err(|error| error.context("component", component.place().to_owned()))
        }
    }
}

fn size_of(value: &Value) -> Result<i64> {
    match value {
        Value::Bool(truth) => Ok(i64::from(*truth)),
        other => other
            .as_int()
            .ok_or_else(|| Error::config(format!("`page_size` must be an integer, not {}", value.kind()))),
    }
}

fn integer(token: &Value) -> Result<i64> {
    token
        .as_int()
        .ok_or_else(|| Error::config(format!("the number of a page is {}, not an integer", token.kind())))
}
