//! Tables with commas as `ResponseToFileExtractor` reads them: words for nothing become null.

use bytes::Bytes;
use flate2::read::ZlibDecoder;
use protocol::Result;

use super::super::value::{Map, Value};
use super::{csv, gzip};

const NOTHING: [&str; 19] = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A",
    "NA", "NULL", "NaN", "None", "n/a", "nan", "null",
];

/// Rows as objects by the names of the first row. With `keeps_words` only empty cells are null.
pub(super) fn rows(body: &Bytes, keeps_words: bool) -> Result<Vec<Value>> {
    let mut body = gzip::open(body)?;
    if matches!(body.get(..2), Some([0x78, 0x01 | 0x5e | 0x9c | 0xda]))
        && let Ok(inflated) = gzip::read(ZlibDecoder::new(&body[..]), "zlib")
    {
        body = inflated;
    }
    let text: String = String::from_utf8_lossy(&body).replace('\0', "");
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let mut rows = csv::rows(text, ',').into_iter();
    let names = unique(rows.next().unwrap_or_default());
    let is_nothing = |cell: &str| if keeps_words { cell.is_empty() } else { NOTHING.contains(&cell) };
    let mut records = Vec::new();
    for (place, row) in rows.enumerate() {
        if row.len() > names.len() {
            return Err(csv::too_long(place + 2));
        }
        let mut cells = row.into_iter();
        let mut map = Map::new();
        for name in &names {
            let cell = cells.next().filter(|cell| !is_nothing(cell));
            map.insert(name.as_str(), cell.map_or(Value::None, Value::Text));
        }
        records.push(map.into());
    }
    Ok(records)
}

/// Names of columns as pandas makes them: those that came before get a number, those without one a name.
fn unique(names: Vec<String>) -> Vec<String> {
    let mut made: Vec<String> = Vec::with_capacity(names.len());
    for (place, name) in names.into_iter().enumerate() {
        let name = if name.is_empty() { format!("Unnamed: {place}") } else { name };
        let mut next = name.clone();
        let mut number = 0;
        while made.contains(&next) {
            number += 1;
            next = format!("{name}.{number}");
        }
        made.push(next);
    }
    made
}
