//! Tables with commas, as Python's `csv` reads them.

use bytes::Bytes;
use protocol::{Error, Result};

use super::super::component::Component;
use super::super::value::{Map, Value};
use super::charset::Charset;

/// How a table is written.
pub(super) struct Options {
    charset: Charset,
    delimiter: char,
    nulls: Vec<String>,
}

impl Options {
    pub(super) fn build(component: &Component<'_>) -> Result<Self> {
        let delimiter = component.text("delimiter")?.unwrap_or_default();
        let delimiter = match delimiter.as_str() {
            "" => ',',
            "\\t" => '\t',
            "\\\\" => '\\',
            other => match (other.strip_prefix("\\x"), other.strip_prefix("\\u")) {
                (Some(hex), _) | (_, Some(hex)) => u32::from_str_radix(hex, 16).ok().and_then(char::from_u32),
                _ => Some(other)
                    .filter(|other| other.chars().count() == 1)
                    .and_then(|other| other.chars().next()),
            }
            .ok_or_else(|| component.fail("`delimiter` must be one character"))?,
        };
        let charset = Charset::build(component)?;
        Ok(Self { charset, delimiter, nulls: component.texts("set_values_to_none")? })
    }
}

/// Rows as objects by the names of the first row.
pub(super) fn records(body: &Bytes, options: &Options) -> Result<Vec<Value>> {
    let text = options.charset.decode(body)?;
    let mut rows = rows(&text, options.delimiter).into_iter();
    let names = rows.next().unwrap_or_default();
    let value = |text: String| {
        if options.nulls.contains(&text) { Value::None } else { Value::Text(text) }
    };
    let mut records = Vec::new();
    for row in rows {
        let (mut cells, mut map) = (row.into_iter(), Map::new());
        for name in &names {
            map.insert(name.as_str(), cells.next().map_or(Value::None, &value));
        }
        let rest: Vec<Value> = cells.map(Value::Text).collect();
        if !rest.is_empty() {
            // Cells without a name: Python's key for them is None.
            map.insert("null", rest);
        }
        records.push(map.into());
    }
    Ok(records)
}

/// The cells of all rows that are not blank. Line breaks are what Python makes of them: `\n`, in quotes too.
pub(super) fn rows(text: &str, delimiter: char) -> Vec<Vec<String>> {
    #[derive(PartialEq)]
    enum At {
        Start,
        Plain,
        Quoted,
        /// A quote in a quoted cell: its end, or the first of two.
        Quote,
    }
    let (mut rows, mut row, mut cell, mut at) = (Vec::new(), Vec::new(), String::new(), At::Start);
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        let letter = if letter == '\r' {
            letters.next_if_eq(&'\n');
            '\n'
        } else {
            letter
        };
        match (&at, letter) {
            (At::Start, '"') => at = At::Quoted,
            (At::Quoted, '"') => at = At::Quote,
            (At::Quoted, letter) => cell.push(letter),
            (At::Quote, '"') => {
                cell.push('"');
                at = At::Quoted;
            }
            (_, '\n') => {
                if at != At::Start || !row.is_empty() {
                    row.push(std::mem::take(&mut cell));
                    rows.push(std::mem::take(&mut row));
                }
                at = At::Start;
            }
            (_, letter) if letter == delimiter => {
                row.push(std::mem::take(&mut cell));
                at = At::Start;
            }
            (_, letter) => {
                cell.push(letter);
                at = At::Plain;
            }
        }
    }
    if at != At::Start || !row.is_empty() {
        row.push(cell);
        rows.push(row);
    }
    rows
}

/// That a row is longer than the first.
pub(super) fn too_long(row: usize) -> Error {
    Error::data(format!("row {row} of a table has more cells than its header"))
}
