//! What a manifest says of a cursor, the same for all partitions of a stream.

use protocol::{Error, Result};

use super::bound::Bound;
use super::clamp::Clamp;
use super::point::{Axis, Point};
use crate::source::declarative::component::Component;
use crate::source::declarative::moment::{Moment, Span, parse_span};
use crate::source::declarative::number;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::TextTemplate;
use crate::source::declarative::value::Value;

/// A `DatetimeBasedCursor` or an `IncrementingCountCursor`.
pub(crate) struct Definition {
    scope: Scope,
    parameters: Value,
    /// The field of records.
    pub(super) field: String,
    pub(super) axis: Axis,
    /// The keys of a slice's bounds.
    pub(super) keys: (String, String),
    /// What slices differ by; none where it has no length.
    pub(super) granularity: Option<Span>,
    pub(super) clamp: Clamp,
    /// Whether a slice may not begin where it ends.
    pub(super) is_strict: bool,
    start: Start,
    end: Option<Bound>,
    lookback: Option<TextTemplate>,
    step: Option<TextTemplate>,
}

enum Start {
    Time(Box<Bound>),
    Count(i64),
}

/// How long slices are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// One slice from start to end.
    Whole,
    /// From start to the end of the calendar: the same, but for gaps that end later than all.
    Endless,
    /// So long.
    Span(Span),
}

impl Definition {
    /// Of the component in `incremental_sync`.
    pub(super) fn build(cursor: &Component<'_>, scope: &Scope, chosen: Option<&str>) -> Result<Self> {
        match cursor.kind() {
            "DatetimeBasedCursor" => Self::time(cursor, scope, chosen),
            "IncrementingCountCursor" => Self::count(cursor, scope, chosen),
            _ => Err(cursor.unknown("`incremental_sync`")),
        }
    }

    fn time(cursor: &Component<'_>, scope: &Scope, chosen: Option<&str>) -> Result<Self> {
        let format = cursor.required_text("datetime_format")?;
        let optional =
            |name: &str| -> Result<Option<String>> { Ok(cursor.text(name)?.filter(|text| !text.is_empty())) };
        let (step, granularity) = (optional("step")?, optional("cursor_granularity")?);
        if step.is_some() != granularity.is_some() {
            return Err(cursor
                .fail("of `step` and `cursor_granularity` only one is there")
                .hint("Set both, or none: the granularity keeps slices from overlapping."));
        }
        let granularity = granularity.as_deref().map(span).transpose()?.filter(|span| !is_zero(span));
        let template = |name: &str| -> Result<Option<TextTemplate>> {
            if optional(name)?.is_some() { cursor.template(name) } else { Ok(None) }
        };
        let start = Bound::build(cursor, "start_datetime", &format)?
            .ok_or_else(|| cursor.fail("`start_datetime` is missing"))?;
        Ok(Self {
            scope: scope.clone(),
            parameters: cursor.parameters(),
            field: field(cursor, scope, chosen)?,
            axis: Axis::time(&format, &cursor.texts("cursor_datetime_formats")?),
            keys: (
                key(cursor, scope, "partition_field_start", "start_time")?,
                key(cursor, scope, "partition_field_end", "end_time")?,
            ),
            granularity,
            clamp: Clamp::build(cursor, scope)?,
            is_strict: cursor.flag("is_compare_strictly", false)?,
            start: Start::Time(Box::new(start)),
            end: Bound::build(cursor, "end_datetime", &format)?,
            lookback: template("lookback_window")?,
            step: template("step")?,
        })
    }

    fn count(cursor: &Component<'_>, scope: &Scope, chosen: Option<&str>) -> Result<Self> {
        let parameters = cursor.parameters();
        let start = match cursor.template("start_value")? {
            None => 0,
            Some(template) => integer(&template.eval(&scope.context(&parameters))?)
                .ok_or_else(|| cursor.fail("`start_value` is no integer of 64 bits"))?,
        };
        Ok(Self {
            scope: scope.clone(),
            field: field(cursor, scope, chosen)?,
            parameters,
            axis: Axis::Count,
            keys: ("start".to_owned(), "end".to_owned()),
            granularity: None,
            clamp: Clamp::Nothing,
            is_strict: false,
            start: Start::Count(start),
            end: None,
            lookback: None,
            step: None,
        })
    }

    /// Whether values are moments.
    pub(super) fn is_time(&self) -> bool {
        matches!(self.start, Start::Time(_))
    }

    /// Where reading begins without a state.
    pub(super) fn start(&self) -> Result<Point> {
        match &self.start {
            Start::Time(bound) => bound.eval(&self.scope),
            Start::Count(start) => Ok(Point::Count(Value::Int(*start))),
        }
    }

    /// Says so where what was read before reaches beyond the end, by more than a step of the smallest kind: what comes
    /// before it is not asked for, as in the reference.
    pub(super) fn tell_ahead(&self, lower: &Point, end: &Point) -> Result<()> {
        let last = self.granularity.as_ref().and_then(|granularity| lower.ago(granularity));
        if end.before(last.as_ref().unwrap_or(lower))? {
            tracing::warn!(
                field = self.field,
                state = self.axis.write(lower).to_json(),
                end = self.axis.write(end).to_json(),
                "the stream's state lies in the future: records before it are not asked for; a record whose time is \
                 wrong is the usual cause, and `state reset` mends it"
            );
        }
        Ok(())
    }

    /// Where reading ends, as of now.
    pub(super) fn end(&self) -> Result<Point> {
        if !self.is_time() {
            return Ok(Point::Count(Value::Float(f64::INFINITY)));
        }
        let end = match &self.end {
            Some(bound) => bound.eval(&self.scope)?,
            None => Point::Time(Moment::utc(self.scope.clock().wall())),
        };
        Ok(self.clamp.end(end, self.granularity.as_ref()))
    }

    /// What is read again of what was read before.
    pub(super) fn lookback(&self) -> Result<Option<Span>> {
        Ok(self.duration(self.lookback.as_ref(), "lookback_window")?.filter(|span| !is_zero(span)))
    }

    /// How long slices are.
    pub(super) fn step(&self) -> Result<Step> {
        if !self.is_time() {
            return Ok(Step::Whole);
        }
        Ok(match self.duration(self.step.as_ref(), "step")? {
            None => Step::Endless,
            Some(span) if is_zero(&span) => Step::Whole,
            Some(span) => Step::Span(span),
        })
    }

    fn duration(&self, template: Option<&TextTemplate>, field: &str) -> Result<Option<Span>> {
        let Some(template) = template else { return Ok(None) };
        match template.eval(&self.scope.context(&self.parameters))? {
            value if !value.is_true() => Ok(None),
            Value::Text(text) => span(&text).map(Some),
            other => Err(Error::config(format!("`{field}` evaluates to {}, not a duration", other.kind()))),
        }
    }
}

/// The duration that `text` says.
pub(super) fn span(text: &str) -> Result<Span> {
    parse_span(text).ok_or_else(|| {
        Error::config(format!("{text:?} is no ISO 8601 duration"))
            .hint("Write it as `P1D`, `PT1H` or `P1M`: days, hours and months, each with its letter.")
    })
}

pub(super) fn is_zero(span: &Span) -> bool {
    matches!(span, Span::Fixed(delta) if delta.0 == 0)
}

/// The cursor's field: the one that the catalog chose, where the manifest lets it.
fn field(cursor: &Component<'_>, scope: &Scope, chosen: Option<&str>) -> Result<String> {
    match chosen.filter(|chosen| !chosen.is_empty()) {
        Some(chosen) if cursor.flag("allow_catalog_defined_cursor_field", false)? => Ok(chosen.to_owned()),
        _ => {
            let parameters = cursor.parameters();
            cursor.required_template("cursor_field")?.eval_text(&scope.context(&parameters))
        }
    }
}

fn key(cursor: &Component<'_>, scope: &Scope, name: &str, default: &str) -> Result<String> {
    let Some(template) = cursor.template(name)?.filter(|text| !text.template().source().is_empty()) else {
        return Ok(default.to_owned());
    };
    let parameters = cursor.parameters();
    template.eval_text(&scope.context(&parameters))
}

/// What `int(value)` gives.
fn integer(value: &Value) -> Option<i64> {
    use num_traits::ToPrimitive;
    match value {
        Value::Int(number) => Some(*number),
        Value::Bool(truth) => Some(i64::from(*truth)),
        Value::Float(number) => number::truncate(*number)?.to_i64(),
        Value::Text(text) => number::parse_int(text, 10)?.to_i64(),
        _ => None,
    }
}
