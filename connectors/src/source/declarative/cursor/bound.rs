//! `MinMaxDatetime`: a moment that a template says, within limits.

use protocol::{Error, Result};

use super::point::Point;
use crate::source::declarative::component::Component;
use crate::source::declarative::moment::{DatetimeFormat, Moment};
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::TextTemplate;
use crate::source::declarative::value::Value;

/// A moment that a template says. It is evaluated each time that it is asked for.
pub(super) struct Bound {
    field: &'static str,
    datetime: TextTemplate,
    least: Option<TextTemplate>,
    greatest: Option<TextTemplate>,
    format: DatetimeFormat,
    parameters: Value,
}

impl Bound {
    /// Of a field of a cursor, which is a text or an object; `None` where it is missing or empty.
    pub(super) fn build(cursor: &Component<'_>, field: &'static str, format: &str) -> Result<Option<Self>> {
        match cursor.value(field) {
            None => Ok(None),
            Some(Value::Map(map)) if map.is_empty() => Ok(None),
            Some(Value::Map(_)) => {
                let bound = cursor.required(field)?;
                let limit = |name: &str| -> Result<Option<TextTemplate>> {
                    match bound.text(name)? {
                        Some(text) if !text.is_empty() => bound.template(name),
                        _ => Ok(None),
                    }
                };
                let own = bound.text("datetime_format")?.filter(|text| !text.is_empty());
                Ok(Some(Self {
                    field,
                    datetime: bound.required_template("datetime")?,
                    least: limit("min_datetime")?,
                    greatest: limit("max_datetime")?,
                    format: DatetimeFormat::new(own.as_deref().unwrap_or(format)),
                    parameters: bound.parameters(),
                }))
            }
            Some(_) => {
                let Some(datetime) =
                    cursor.template(field)?.filter(|text| !text.template().source().is_empty())
                else {
                    return Ok(None);
                };
                Ok(Some(Self {
                    field,
                    datetime,
                    least: None,
                    greatest: None,
                    format: DatetimeFormat::new(format),
                    parameters: cursor.parameters(),
                }))
            }
        }
    }

    /// The moment, as of now.
    pub(super) fn eval(&self, scope: &Scope) -> Result<Point> {
        let mut moment = self.read(&self.text(&self.datetime, scope)?)?;
        if let Some(least) = &self.least {
            let text = self.text(least, scope)?;
            if !text.is_empty() {
                let least = self.read(&text)?;
                if least.universal() > moment.universal() {
                    moment = least;
                }
            }
        }
        if let Some(greatest) = &self.greatest {
            let text = self.text(greatest, scope)?;
            if !text.is_empty() {
                let greatest = self.read(&text)?;
                if greatest.universal() < moment.universal() {
                    moment = greatest;
                }
            }
        }
        Ok(Point::Time(moment))
    }

    fn text(&self, template: &TextTemplate, scope: &Scope) -> Result<String> {
        template.eval_text(&scope.context(&self.parameters))
    }

    fn read(&self, text: &str) -> Result<Moment> {
        self.format.read(&Value::from(text)).map_err(|what| {
            Error::config(format!(
                "`{}` does not fit the format {:?}: {what}",
                self.field,
                self.format.text()
            ))
            .hint("Write the date as the format says, or set `datetime_format` beside it.")
        })
    }
}
