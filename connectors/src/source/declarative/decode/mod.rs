//! Decoders: what is in an answer's body.

mod charset;
mod csv;
mod file;
mod gzip;
mod lines;
mod xml;
mod zip;

use bytes::Bytes;
use protocol::{Error, Result};

use super::component::Component;
use super::scope::Scope;
use super::value::{Map, Value};
use crate::http::Answer;
use crate::json::{Page, Records};
use charset::Charset;

/// How an answer's body is read.
pub struct Decoder(Kind);

enum Kind {
    Json,
    Xml,
    /// Each line is a record.
    Lines,
    /// The files of an archive, one after the other.
    Zip(Parser),
    Parsed(Parser),
    /// A table with commas, as `ResponseToFileExtractor` reads it.
    File {
        keeps_words: bool,
    },
}

/// What reads octets, be they a body, a file of an archive or what was compressed.
enum Parser {
    Json,
    /// The items of the list at a path.
    Items(Vec<String>, Charset),
    JsonLines,
    Csv(csv::Options),
    Gzip(Box<Parser>),
}

impl Decoder {
    /// Of its component; `JsonDecoder` without one.
    pub fn build(component: Option<&Component<'_>>, scope: &Scope) -> Result<Self> {
        let _ = scope;
        let Some(component) = component else { return Ok(Self(Kind::Json)) };
        Ok(Self(match component.kind() {
            "JsonDecoder" => Kind::Json,
            "XmlDecoder" => Kind::Xml,
            "IterableDecoder" => Kind::Lines,
            "ZipfileDecoder" => Kind::Zip(Parser::build(&component.required("decoder")?)?),
            _ => Kind::Parsed(Parser::build(component)?),
        }))
    }

    /// What `ResponseToFileExtractor` takes instead of a decoder. `keeps_words`: `NULL`, `n/a` and the like are text.
    pub(super) fn of_file(keeps_words: bool) -> Self {
        Self(Kind::File { keeps_words })
    }

    /// The bodies of an answer. JSON is only looked at where its records or its value are asked for.
    pub fn decode(&self, answer: &Answer) -> Result<Bodies> {
        let body = &answer.body;
        Ok(Bodies(match &self.0 {
            Kind::Json => Inner::Json(Page::new(body)?),
            Kind::Xml => Inner::Values(xml::parse(&charset::text_of(answer))?, Sight::All),
            Kind::Lines => Inner::Values(lines::records(body), Sight::Nothing),
            Kind::Zip(parser) => {
                let mut values = Vec::new();
                for file in zip::files(body)? {
                    values.extend(parser.parse(&file)?.values()?);
                }
                Inner::Values(values, Sight::All)
            }
            Kind::Parsed(parser) => return parser.parse(body),
            Kind::File { keeps_words } => Inner::Values(file::rows(body, *keeps_words)?, Sight::Nothing),
        }))
    }
}

impl Parser {
    fn build(component: &Component<'_>) -> Result<Self> {
        Ok(match component.kind() {
            "JsonDecoder" => Self::Json,
            "JsonlDecoder" => Self::JsonLines,
            "JsonItemsDecoder" => {
                let path = component.required_text("items_path")?;
                Self::Items(path.split('.').map(str::to_owned).collect(), Charset::build(component)?)
            }
            "CsvDecoder" => Self::Csv(csv::Options::build(component)?),
            "GzipDecoder" => Self::Gzip(Box::new(Self::build(&component.required("decoder")?)?)),
            _ => return Err(component.unknown("decoder")),
        })
    }

    fn parse(&self, body: &Bytes) -> Result<Bodies> {
        Ok(Bodies(match self {
            Self::Json => {
                let page = Page::new(body)?;
                // Nothing, or null, is nothing to `JsonDecoder` alone.
                if page.is_blank() || page.is_null() {
                    return Err(Error::data("there is nothing where JSON was expected"));
                }
                Inner::Streamed(page)
            }
            Self::JsonLines => Inner::Lines(Page::new(body)?),
            Self::Items(path, charset) => {
                let text = Bytes::from(charset.decode(body)?);
                Inner::Items(Page::new(&text)?, path.clone())
            }
            Self::Csv(options) => Inner::Values(csv::records(body, options)?, Sight::Nothing),
            Self::Gzip(inner) => return inner.parse(&gzip::open(body)?),
        }))
    }
}

/// What is in one answer: the items of a root list are bodies of their own.
pub struct Bodies(Inner);

enum Inner {
    Json(Page),
    /// JSON of a decoder that streams.
    Streamed(Page),
    Lines(Page),
    Items(Page, Vec<String>),
    Values(Vec<Value>, Sight),
}

/// What paginators see.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    All,
    /// The decoder is one that streams.
    Nothing,
}

impl Bodies {
    /// What paginators see as `response`: the first body, `{}` where there is none or the decoder is one that streams.
    pub fn first(&self) -> Result<Value> {
        match &self.0 {
            Inner::Json(page) => Ok(match value_of(page)? {
                Value::List(items) => items.into_iter().next().unwrap_or_else(nothing),
                value => value,
            }),
            Inner::Values(values, Sight::All) => Ok(values.first().cloned().unwrap_or_else(nothing)),
            _ => Ok(nothing()),
        }
    }

    /// [`Self::first`], with nothing where the records at `path` are. See
    /// [`Selector::apart`](super::record::Selector::apart).
    pub fn rest(&self, path: &[&str]) -> Result<Value> {
        match &self.0 {
            Inner::Json(page) => Ok(page.rest(path)?.unwrap_or_else(nothing)),
            _ => self.first(),
        }
    }

    /// All bodies, whole.
    pub fn values(&self) -> Result<Vec<Value>> {
        match &self.0 {
            Inner::Json(page) | Inner::Streamed(page) => Ok(match value_of(page)? {
                Value::List(items) if items.is_empty() => vec![nothing()],
                Value::List(items) => items,
                value => vec![value],
            }),
            Inner::Lines(page) => page.lines()?.into_values(),
            Inner::Items(page, path) => items_at(page, path)?.into_values(),
            Inner::Values(values, _) => Ok(values.clone()),
        }
    }

    /// The records at a path of plain keys, where they are found without a value of each.
    pub(super) fn records(&self, path: &[&str]) -> Result<Option<Records>> {
        match &self.0 {
            Inner::Json(page) | Inner::Streamed(page) => page.records(path),
            Inner::Items(page, items) if path.is_empty() => plain(items_at(page, items)?),
            Inner::Lines(page) if path.is_empty() => plain(page.lines()?),
            _ => Ok(None),
        }
    }
}

/// Bodies as records, where they are the same.
fn plain(mut records: Records) -> Result<Option<Records>> {
    if !records.are_objects() {
        return Ok(None);
    }
    records.retain(|records, index| Ok(!records.is_hollow(index)))?;
    Ok(Some(records))
}

fn nothing() -> Value {
    Map::new().into()
}

/// A body that is empty is an empty object.
fn value_of(page: &Page) -> Result<Value> {
    Ok(if page.is_blank() {
        nothing()
    } else {
        match page.value()? {
            Value::None => nothing(),
            value => value,
        }
    })
}

fn items_at(page: &Page, path: &[String]) -> Result<Records> {
    if page.is_blank() {
        return Err(Error::data("an answer is empty where JSON was expected"));
    }
    let keys: Vec<&str> = path.iter().map(String::as_str).collect();
    page.items(&keys)
}
