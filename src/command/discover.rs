//! `tidegate discover`: what a source offers.

use std::fmt::Write as _;

use protocol::{CursorCandidate, DynSource, Error, Stream, StreamFilter, StreamKind};
use serde_json::json;

use super::Context;
use super::session::pick;
use crate::args::Discover;
use crate::config::{Config, Kind};
use crate::failure::Failure;
use crate::human::{self, Columns};
use crate::output::{Answer, FAINT, STRONG, styled};

pub(super) async fn run(arguments: &Discover, context: &Context) -> Result<Answer, Failure> {
    let config = context.config()?;
    let (name, connector, source, patterns) = open(&config, arguments).await?;
    let found = source.discover(&StreamFilter { patterns: patterns.clone() }).await;
    source.close().await;
    let filter = StreamFilter { patterns };
    let mut streams = found.map_err(|error| error.context("source", name.clone()))?.streams;
    streams.retain(|stream| filter.matches(&stream.name));
    if streams.is_empty() && !filter.patterns.is_empty() {
        return Err(Error::config(format!("source {name:?} has no stream {}", quoted(&filter.patterns)))
            .hint("`tidegate discover` lists what there is; names are case-sensitive, and the role needs the right to read")
            .into());
    }
    let is_exact = matches!(filter.patterns.as_slice(), [only] if !only.contains('*'));
    let text = if arguments.columns || is_exact { columns(&streams) } else { table(&streams) };
    let document = json!({ "version": 1, "source": name, "connector": connector, "streams": streams });
    Ok(Answer::new(text, &document))
}

fn quoted(patterns: &[String]) -> String {
    patterns.iter().map(|pattern| format!("{pattern:?}")).collect::<Vec<_>>().join(" or ")
}

/// The source that is meant, open, with its name and connector, and the patterns.
async fn open(
    config: &Config,
    arguments: &Discover,
) -> Result<(String, &'static str, Box<dyn DynSource>, Vec<String>), Failure> {
    let (mut connection, mut patterns) = (arguments.connection.clone(), arguments.patterns.clone());
    // What can't be a connection's name is a pattern, where it is clear which source is meant.
    let is_pattern = connection.as_ref().is_some_and(|name| {
        let is_known = config.section(Kind::Connection, name).is_ok();
        arguments.source.is_some() || !is_known && name.contains(['.', '*'])
    });
    if is_pattern && let Some(pattern) = connection.take() {
        patterns.insert(0, pattern);
    }
    let setup = match &arguments.source {
        Some(source) => config.source(pick(config, Kind::Source, Some(source))?)?,
        None if connection.is_none() && config.sections(Kind::Source).count() == 1 => {
            config.source(pick(config, Kind::Source, None)?)?
        }
        None => config.source(config.source_of(pick(config, Kind::Connection, connection.as_deref())?)?)?,
    };
    let source = (setup.open)().await.map_err(|error| error.context("source", setup.name.clone()))?;
    Ok((setup.name, setup.connector, source, patterns))
}

/// One line per stream.
fn table(streams: &[Stream]) -> String {
    if streams.is_empty() {
        return "the source has no streams that can be read\n".to_owned();
    }
    let mut table = Columns::new(&["stream", "kind", ">rows", ">size", "key", "cursor candidates"]);
    for stream in streams {
        table.row([
            stream.name.clone(),
            kind(stream.kind).to_owned(),
            stream.estimated_rows.map(estimate).unwrap_or_default(),
            stream.estimated_bytes.map(human::bytes).unwrap_or_default(),
            stream.primary_key.join(", "),
            candidates(&stream.cursors),
        ]);
    }
    let mut text = table.text();
    let _ = writeln!(text, "\n{}", styled(FAINT, "rows are the source's estimates; --columns shows columns"));
    text
}

fn estimate(rows: u64) -> String {
    format!("~{}", human::count(rows))
}

fn kind(kind: StreamKind) -> &'static str {
    match kind {
        StreamKind::Table => "table",
        StreamKind::PartitionedTable => "partitioned table",
        StreamKind::View => "view",
        StreamKind::MaterializedView => "materialized view",
        StreamKind::ForeignTable => "foreign table",
        StreamKind::Endpoint => "endpoint",
        _ => "stream",
    }
}

fn candidates(cursors: &[CursorCandidate]) -> String {
    const SHOWN: usize = 2;
    let mut shown: Vec<String> = cursors.iter().take(SHOWN).map(candidate).collect();
    if cursors.len() > SHOWN {
        shown.push(format!("{} more", cursors.len() - SHOWN));
    }
    shown.join(", ")
}

fn candidate(cursor: &CursorCandidate) -> String {
    match cursor.indexed {
        Some(true) => format!("{} (indexed)", cursor.field),
        Some(false) => format!("{} (no index)", cursor.field),
        None => cursor.field.clone(),
    }
}

/// The columns of each stream.
fn columns(streams: &[Stream]) -> String {
    let mut text = String::new();
    for (at, stream) in streams.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        let rows = stream.estimated_rows.map(|rows| format!(", {} rows", estimate(rows))).unwrap_or_default();
        let bytes =
            stream.estimated_bytes.map(|size| format!(", {}", human::bytes(size))).unwrap_or_default();
        let name = styled(STRONG, &human::plain(&stream.name));
        let _ = writeln!(text, "{name}  {}{rows}{bytes}", kind(stream.kind));
        if let Some(comment) = &stream.comment {
            let _ = writeln!(text, "{}", styled(FAINT, &human::plain(comment)));
        }
        let mut table = Columns::new(&["column", "type", "as", "null", "key", "comment"]);
        for field in stream.schema.fields() {
            let meta = |key: &str| field.metadata().get(key).cloned().unwrap_or_default();
            let key = stream.primary_key.iter().position(|column| column == field.name());
            table.row([
                field.name().clone(),
                meta(Stream::NATIVE_TYPE),
                field.data_type().to_string(),
                if field.is_nullable() { "yes" } else { "no" }.to_owned(),
                key.map(|position| (position + 1).to_string()).unwrap_or_default(),
                meta(Stream::COMMENT),
            ]);
        }
        text.push_str(&table.text());
        if !stream.cursors.is_empty() {
            let _ = writeln!(text, "cursor candidates:");
        }
        for cursor in &stream.cursors {
            let note = cursor.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
            let _ = writeln!(text, "  {}", human::plain(&format!("{}{note}", candidate(cursor))));
        }
    }
    text
}
