//! Joins what is configured with what the source offers: one [`ConfiguredStream`] each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema, SchemaRef};
use protocol::{
    Catalog, ConfiguredStream, Error, Result, Stream, StreamFilter, SyncMode, UnfitPolicy, WriteMode,
};

use crate::{ConnectionConfig, StreamConfig};

/// What of the source must be described to resolve `config`.
pub(crate) fn filter(connection: &str, config: &ConnectionConfig, only: &[String]) -> Result<StreamFilter> {
    let mut patterns: Vec<String> = config.streams.iter().map(|stream| stream.name.clone()).collect();
    for selection in only {
        let fits = |name: &String| name.contains('*') || StreamFilter::pattern_matches(selection, name);
        if !patterns.iter().any(fits) {
            return Err(unknown_selection(connection, config, selection));
        }
    }
    if !only.is_empty() {
        // A name that is configured by itself and selected by itself need not be found by wildcard.
        let selected = StreamFilter { patterns: only.to_vec() };
        patterns.retain(|pattern| pattern.contains('*') || selected.matches(pattern));
    }
    Ok(StreamFilter { patterns })
}

/// Names and targets of the streams, where the configuration alone tells them: no name has a wildcard.
pub(crate) fn named_targets(config: &ConnectionConfig, only: &[String]) -> Option<Vec<(String, String)>> {
    let selected = StreamFilter { patterns: only.to_vec() };
    let names = || config.streams.iter().map(|stream| &stream.name);
    let is_known = |pattern: &String| names().any(|name| StreamFilter::pattern_matches(pattern, name));
    if names().any(|name| name.contains('*')) || !only.iter().all(is_known) {
        return None;
    }
    let streams = config.streams.iter().filter(|stream| selected.matches(&stream.name));
    Some(
        streams
            .map(|stream| (stream.name.clone(), stream.target.clone().unwrap_or_else(|| stream.name.clone())))
            .collect(),
    )
}

fn unknown_selection(connection: &str, config: &ConnectionConfig, selection: &str) -> Error {
    let named: Vec<&str> = config.streams.iter().map(|stream| stream.name.as_str()).collect();
    Error::config(format!("no configured stream is called {selection:?}"))
        .hint(format!("connection {connection:?} has: {}", named.join(", ")))
}

/// The streams of a connection, in the order of its configuration.
pub(crate) fn resolve(
    connection: &str,
    config: &ConnectionConfig,
    catalog: &Catalog,
    only: &[String],
) -> Result<Vec<ConfiguredStream>> {
    let selected = StreamFilter { patterns: only.to_vec() };
    let named: Vec<&str> = config.streams.iter().map(|stream| stream.name.as_str()).collect();
    refuse_doubled_names(&named)?;
    let mut resolved: Vec<ConfiguredStream> = Vec::new();
    for stream in &config.streams {
        for found in matching(stream, catalog, &named, &selected)? {
            if selected.matches(&found.name) && !resolved.iter().any(|other| other.name == found.name) {
                let joined = join(connection, config, stream, found);
                resolved.push(joined.map_err(|error| error.context("stream", found.name.clone()))?);
            }
        }
    }
    for pattern in only {
        if !resolved.iter().any(|stream| StreamFilter::pattern_matches(pattern, &stream.name)) {
            return Err(unknown_selection(connection, config, pattern));
        }
    }
    refuse_shared_targets(&resolved)?;
    Ok(resolved)
}

fn matching<'a>(
    config: &StreamConfig,
    catalog: &'a Catalog,
    named: &[&str],
    selected: &StreamFilter,
) -> Result<Vec<&'a Stream>> {
    if !config.name.contains('*') {
        if !selected.matches(&config.name) {
            return Ok(Vec::new());
        }
        return match catalog.stream(&config.name) {
            Some(stream) => Ok(vec![stream]),
            None => Err(Error::config(format!("stream {:?} does not exist at the source", config.name))
                .context("stream", config.name.clone())
                .hint("`tidegate discover` lists what there is; names are case-sensitive, and the role needs the right to read")),
        };
    }
    if config.target.is_some() {
        return Err(Error::config(format!("{:?} can't have one `target` for all its streams", config.name)));
    }
    let fits = |stream: &&Stream| StreamFilter::pattern_matches(&config.name, &stream.name);
    let mut found: Vec<_> = catalog.streams.iter().filter(fits).collect();
    if found.is_empty() && selected.patterns.is_empty() {
        return Err(Error::config(format!("no stream at the source fits {:?}", config.name))
            .hint("`tidegate discover` lists what there is"));
    }
    // A stream that has an entry of its own is configured there.
    found.retain(|stream| !named.contains(&stream.name.as_str()));
    Ok(found)
}

fn join(
    connection: &str,
    config: &ConnectionConfig,
    stream: &StreamConfig,
    found: &Stream,
) -> Result<ConfiguredStream> {
    let sync_mode = match (stream.mode, &stream.cursor) {
        (Some(mode), _) => mode,
        (None, Some(_)) => SyncMode::Incremental,
        (None, None) => SyncMode::FullRefresh,
    };
    let write_mode = stream.write.unwrap_or(match sync_mode {
        SyncMode::Incremental => WriteMode::Append,
        SyncMode::FullRefresh => WriteMode::Overwrite,
    });
    if sync_mode == SyncMode::Incremental && write_mode == WriteMode::Overwrite {
        return Err(Error::config("an incremental sync can't overwrite: each would leave only what was new")
            .hint("use `write: append`, or `mode: full_refresh`"));
    }
    let on_unfit = stream.on_unfit.or(config.defaults.on_unfit).unwrap_or_default();
    let cursor = cursor(stream, found, sync_mode)?;
    let schema = select(stream, found, on_unfit)?;
    let primary_key = primary_key(stream, found)?;
    if write_mode == WriteMode::Merge {
        refuse_unmergeable(&primary_key, &schema)?;
    }
    Ok(ConfiguredStream {
        connection: connection.to_owned(),
        name: found.name.clone(),
        target: stream.target.clone().unwrap_or_else(|| found.name.clone()),
        soft_delete: soft_delete(stream, found, &schema)?,
        schema,
        primary_key,
        sync_mode,
        write_mode,
        cursor,
        lag: stream.lag.or(config.defaults.lag).map(protocol::Period::duration),
        filter: stream.filter.clone(),
        on_unfit,
        on_drift: stream.on_drift.or(config.defaults.on_drift).unwrap_or_default(),
        options: stream.options.clone(),
    })
}

fn cursor(stream: &StreamConfig, found: &Stream, mode: SyncMode) -> Result<Option<String>> {
    let Some(cursor) = &stream.cursor else {
        return match mode {
            SyncMode::FullRefresh => Ok(None),
            SyncMode::Incremental => {
                let candidates: Vec<_> = found.cursors.iter().map(|cursor| cursor.field.as_str()).collect();
                Err(Error::config("an incremental sync needs a `cursor`").hint(match candidates.as_slice() {
                    [] => "no column of this stream looks like one: use `mode: full_refresh`".to_owned(),
                    names => format!("candidates: {}", names.join(", ")),
                }))
            }
        };
    };
    if found.schema.field_with_name(cursor).is_err() {
        return Err(missing_column(found, "cursor", cursor));
    }
    Ok((mode == SyncMode::Incremental).then(|| cursor.clone()))
}

fn primary_key(stream: &StreamConfig, found: &Stream) -> Result<Vec<String>> {
    let Some(key) = &stream.primary_key else { return Ok(found.primary_key.clone()) };
    match key.iter().find(|column| found.schema.field_with_name(column).is_err()) {
        Some(column) => Err(missing_column(found, "primary_key", column)),
        None => Ok(key.clone()),
    }
}

/// A row takes the place of another by the columns of its key, all of them.
fn refuse_unmergeable(key: &[String], selected: &Schema) -> Result<()> {
    if key.is_empty() {
        return Err(Error::config("`write: merge` needs a primary key, and the stream has none")
            .hint("name the columns that identify a row under `primary_key`, or use `write: append`"));
    }
    match key.iter().find(|column| selected.field_with_name(column).is_err()) {
        Some(column) => Err(Error::config(format!(
            "`write: merge` needs column {column:?} of the primary key, which `columns` or `exclude` leave out"
        ))
        .context("column", column)),
        None => Ok(()),
    }
}

/// The column that marks deleted rows. One that could mark only all or none is refused.
fn soft_delete(stream: &StreamConfig, found: &Stream, selected: &Schema) -> Result<Option<String>> {
    let Some(column) = &stream.soft_delete else { return Ok(None) };
    let field =
        found.schema.field_with_name(column).map_err(|_| missing_column(found, "soft_delete", column))?;
    let refusal = match field.data_type() {
        _ if selected.field_with_name(column).is_err() => "is left out by `columns` or `exclude`".to_owned(),
        DataType::Boolean => return Ok(Some(column.clone())),
        DataType::Timestamp(..) | DataType::Date32 if field.is_nullable() => return Ok(Some(column.clone())),
        DataType::Timestamp(..) | DataType::Date32 => {
            "is never NULL, so it would call all rows deleted".to_owned()
        }
        other => format!("is {other}"),
    };
    Err(Error::config(format!("`soft_delete` names column {column:?}, which {refusal}"))
        .context("column", column)
        .hint("it takes a timestamp or date that is NULL in rows that live, or a boolean"))
}

/// The selected columns in the source's order, with the types that are configured for them.
fn select(stream: &StreamConfig, found: &Stream, on_unfit: UnfitPolicy) -> Result<SchemaRef> {
    let columns = stream.columns.iter().flatten().map(|column| ("columns", column));
    let exclude = stream.exclude.iter().map(|column| ("exclude", column));
    let decimals = stream.decimals.keys().map(|column| ("decimals", column));
    for (key, column) in columns.chain(exclude).chain(decimals) {
        if found.schema.field_with_name(column).is_err() {
            return Err(missing_column(found, key, column));
        }
    }
    let wanted = |name: &String| {
        stream.columns.as_ref().is_none_or(|columns| columns.contains(name)) && !stream.exclude.contains(name)
    };
    let fields = found
        .schema
        .fields()
        .iter()
        .filter(|field| wanted(field.name()))
        .map(|field| configured_field(field, &stream.decimals, on_unfit))
        .collect::<Result<Vec<_>>>()?;
    if fields.is_empty() && !found.schema.fields().is_empty() {
        return Err(Error::config("`columns` and `exclude` leave no column to read"));
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn configured_field(
    field: &Arc<Field>,
    decimals: &BTreeMap<String, String>,
    on_unfit: UnfitPolicy,
) -> Result<Arc<Field>> {
    let mut configured = field.as_ref().clone();
    if let Some(text) = decimals.get(field.name()) {
        configured.set_data_type(decimal(field.name(), text)?);
    }
    // Both other policies may turn a value into NULL, whatever the source promises.
    if on_unfit != UnfitPolicy::Error {
        configured.set_nullable(true);
    }
    Ok(Arc::new(configured))
}

fn decimal(column: &str, text: &str) -> Result<DataType> {
    let parsed = text.split_once(',').and_then(|(precision, scale)| {
        Some((precision.trim().parse::<u8>().ok()?, scale.trim().parse::<i8>().ok()?))
    });
    match parsed {
        Some((precision @ 1..=38, scale)) if (0..=precision.cast_signed()).contains(&scale) => {
            Ok(DataType::Decimal128(precision, scale))
        }
        Some((precision @ 39..=76, scale)) if (0..=precision.cast_signed()).contains(&scale) => {
            Ok(DataType::Decimal256(precision, scale))
        }
        _ => {
            Err(Error::config(format!("decimals of column {column:?}: {text:?} is not \"precision,scale\""))
                .context("column", column)
                .hint("precision is 1 to 76, scale 0 to precision: \"18,4\""))
        }
    }
}

fn missing_column(stream: &Stream, key: &str, column: &str) -> Error {
    let names: Vec<_> = stream.schema.fields().iter().map(|field| field.name().as_str()).take(50).collect();
    Error::config(format!("`{key}` names column {column:?}, which does not exist"))
        .context("column", column)
        .hint(format!("the stream has: {}", names.join(", ")))
}

fn refuse_doubled_names(named: &[&str]) -> Result<()> {
    let mut seen = BTreeSet::new();
    match named.iter().find(|name| !seen.insert(**name)) {
        Some(name) => Err(Error::config(format!("stream {name:?} is configured twice"))
            .context("stream", *name)
            .hint("one entry counts: join them")),
        None => Ok(()),
    }
}

fn refuse_shared_targets(streams: &[ConfiguredStream]) -> Result<()> {
    let mut seen = BTreeMap::new();
    for stream in streams {
        if let Some(other) = seen.insert(&stream.target, &stream.name) {
            return Err(Error::config(format!(
                "streams {other:?} and {:?} have the same target {:?}",
                stream.name, stream.target
            ))
            .hint("give one of them a `target` of its own"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
