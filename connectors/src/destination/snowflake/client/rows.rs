//! Results: rows of the answer itself, and parts of it that lie elsewhere.

use std::collections::BTreeMap;
use std::io::Read;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures::{StreamExt, TryStreamExt, stream};
use protocol::{Error, ErrorKind, Result};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use url::Url;

use super::answer::{Answer, Changed, Column};
use super::http::Http;
use super::reply::Cell;

/// How many parts are fetched at once.
const AT_ONCE: usize = 4;
/// Most bytes of one part, unpacked: the server cuts them far below.
const LARGEST_PART: u64 = 512 << 20;

type Rows = Vec<Vec<Cell>>;

/// `data` of a statement's answer.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ResultData {
    pub(super) query_id: Option<String>,
    pub(super) get_result_url: Option<String>,
    rowtype: Option<Vec<RowType>>,
    rowset: Option<Rows>,
    rowset_base64: Option<String>,
    chunks: Option<Vec<Chunk>>,
    chunk_headers: Option<BTreeMap<String, String>>,
    qrmk: Option<String>,
    stats: Option<Stats>,
}

#[derive(Deserialize)]
struct RowType {
    name: String,
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    scale: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Chunk {
    url: String,
    #[serde(default)]
    row_count: Option<usize>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stats {
    #[serde(rename = "numRowsInserted")]
    inserted: u64,
    #[serde(rename = "numRowsUpdated")]
    updated: u64,
    #[serde(rename = "numRowsDeleted")]
    deleted: u64,
}

impl ResultData {
    /// The whole answer, with the parts that lie elsewhere.
    pub(super) async fn answer(mut self, http: &Http, server_millis: u64) -> Result<Answer> {
        if self.rowset_base64.as_deref().is_some_and(|arrow| !arrow.is_empty()) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the server answers in Arrow where JSON was asked for",
            )
            .hint("`GO_QUERY_RESULT_FORMAT` must be JSON for this user"));
        }
        let parts = self.parts(http).await?;
        let columns = self.rowtype.unwrap_or_default().into_iter().map(|column| Column {
            name: column.name,
            kind: column.kind.to_ascii_lowercase(),
            scale: column.scale,
        });
        let columns: Vec<Column> = columns.collect();
        let rows: Rows = self.rowset.into_iter().chain(parts).flatten().collect();
        if rows.iter().any(|row| row.len() != columns.len()) {
            return Err(Error::transient("the answer has rows of another width than its columns"));
        }
        let rows: Vec<Vec<Option<String>>> =
            rows.into_iter().map(|row| row.into_iter().map(|cell| cell.0).collect()).collect();
        let (affected, changed) = changed(&columns, &rows, self.stats.as_ref());
        Ok(Answer {
            query_id: self.query_id.unwrap_or_default(),
            columns,
            rows,
            affected,
            changed,
            server_millis,
        })
    }

    async fn parts(&mut self, http: &Http) -> Result<Vec<Rows>> {
        let chunks = self.chunks.take().unwrap_or_default();
        if chunks.is_empty() {
            return Ok(Vec::new());
        }
        let headers = &self.headers()?;
        let parts = chunks.into_iter().map(|chunk| part(http, chunk, headers));
        stream::iter(parts.collect::<Vec<_>>()).buffered(AT_ONCE).try_collect().await
    }

    /// What the store wants to see. Where the server names no headers, it gives the key that the parts are
    /// encrypted with.
    fn headers(&self) -> Result<HeaderMap> {
        let odd = || Error::transient("the answer has headers that can't be sent");
        let mut headers = HeaderMap::new();
        let mut add = |name: &str, value: &str| {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| odd())?;
            let mut value = HeaderValue::from_str(value).map_err(|_| odd())?;
            value.set_sensitive(true);
            headers.insert(name, value);
            Ok::<(), Error>(())
        };
        match (&self.chunk_headers, &self.qrmk) {
            (Some(named), _) if !named.is_empty() => {
                for (name, value) in named {
                    add(name, value)?;
                }
            }
            (_, Some(key)) if !key.is_empty() => {
                add("x-amz-server-side-encryption-customer-algorithm", "AES256")?;
                add("x-amz-server-side-encryption-customer-key", key)?;
            }
            _ => {}
        }
        Ok(headers)
    }
}

/// One part: rows without the brackets around them, mostly in gzip.
async fn part(http: &Http, chunk: Chunk, headers: &HeaderMap) -> Result<Rows> {
    let broken = || Error::transient("a part of the answer can't be read");
    let url = Url::parse(&chunk.url).map_err(|_| broken())?;
    let bytes = http
        .fetch(&url, headers)
        .await
        .map_err(|failure| http.error("fetch a part of the answer", failure))?;
    let rows = unpacked(&bytes).ok_or_else(broken)?;
    match chunk.row_count {
        Some(count) if count != rows.len() => {
            Err(Error::transient(format!("a part of the answer has {} rows of {count}", rows.len())))
        }
        _ => Ok(rows),
    }
}

fn unpacked(bytes: &Bytes) -> Option<Rows> {
    let mut text = Vec::with_capacity(bytes.len() + 2);
    text.push(b'[');
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let read = MultiGzDecoder::new(bytes.as_ref()).take(LARGEST_PART + 1).read_to_end(&mut text).ok()?;
        if read as u64 > LARGEST_PART {
            return None;
        }
    } else {
        text.extend_from_slice(bytes);
    }
    text.push(b']');
    serde_json::from_slice(&text).ok()
}

/// What the statement did to rows: by its statistics, else by the columns that count them.
fn changed(
    columns: &[Column],
    rows: &[Vec<Option<String>>],
    stats: Option<&Stats>,
) -> (Option<u64>, Changed) {
    let mut changed = Changed::default();
    let mut counted = false;
    if let [row] = rows {
        for (column, value) in columns.iter().zip(row) {
            let Some(what) = column.name.strip_prefix("number of rows ") else { continue };
            let Some(count) = value.as_deref().and_then(|value| value.parse::<u64>().ok()) else { continue };
            counted = true;
            match what {
                "inserted" => changed.inserted = count,
                "updated" => changed.updated = count,
                "deleted" => changed.deleted = count,
                _ => {}
            }
        }
    }
    if let Some(stats) = stats
        && !counted
    {
        counted = true;
        changed = Changed { inserted: stats.inserted, updated: stats.updated, deleted: stats.deleted };
    }
    let affected = changed.inserted + changed.updated + changed.deleted;
    (counted.then_some(affected), changed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(names: &[&str], values: &[&str], stats: Option<&Stats>) -> (Option<u64>, Changed) {
        let columns: Vec<Column> =
            names.iter().map(|name| Column { name: (*name).to_owned(), ..Column::default() }).collect();
        changed(&columns, &[values.iter().map(|value| Some((*value).to_owned())).collect()], stats)
    }

    #[test]
    fn a_merge_counts_what_it_did() {
        let (affected, changed) = counted(
            &["number of rows inserted", "number of rows updated", "number of rows deleted"],
            &["3", "2", "1"],
            None,
        );
        assert_eq!(affected, Some(6));
        assert_eq!(changed, Changed { inserted: 3, updated: 2, deleted: 1 });
    }

    #[test]
    fn rows_that_were_joined_several_times_are_not_counted_twice() {
        let names = ["number of rows updated", "number of multi-joined rows updated"];
        assert_eq!(counted(&names, &["1", "1"], None).0, Some(1));
    }

    #[test]
    fn other_statements_count_nothing_but_what_their_statistics_say() {
        assert_eq!(counted(&["status"], &["Statement executed successfully."], None).0, None);
        let stats = Stats { inserted: 7, ..Stats::default() };
        assert_eq!(counted(&["file", "status"], &["a", "LOADED"], Some(&stats)).0, Some(7));
    }
}
