//! Makes a target ready for files.
//!
//! Where the copy of the head is on the stage and no column has changed, this runs nothing that needs a
//! warehouse, and nothing that changes anything.

use std::sync::Arc;

use arrow_schema::{Schema, SchemaRef};
use protocol::{Change, ConfiguredStream, Error, Prepared, Result, StreamState, WriteMode, reconcile};

use super::Inner;
use super::client::QueryTag;
use super::column::file_schema;
use super::config::{Existing, Layout};
use super::load::Shape;
use super::record::Standing;
use super::sql::ddl::{self, ColumnDefinition};
use super::sweep::SweptStage;
use super::target::Target;

pub(super) async fn prepare(
    inner: &Arc<Inner>,
    stream: &ConfiguredStream,
    schema: &SchemaRef,
) -> Result<Prepared> {
    refuse_unmergeable(inner, stream)?;
    let target = inner.target(&stream.target)?;
    let tag = QueryTag::new(&stream.connection).with("target", &target.name);
    let copy = inner.copy(&target).await?;
    protocol::point!("snowflake.prepare.copied");
    let is_copy = copy.is_some();
    let standing = match copy {
        Some(standing) => standing,
        None => inner.ensured_row(&target, &tag).await?,
    };
    protocol::point!("snowflake.prepare.found");
    standing.check_owner(&stream.connection, &target.name)?;
    let (schema, changes) = join_schemas(&standing, stream, schema)?;
    let shape = Shape { config: &inner.config };
    let columns = shape.columns(&schema)?;
    // After a reset the table may have been dropped, so that all is loaded anew.
    let is_reset = standing.sequence > 0 && standing.head().state == StreamState::default();
    if !is_copy || !changes.is_empty() || is_reset {
        if standing.record.is_none() && stream.write_mode != WriteMode::Merge {
            refuse_rows(inner, &target, &tag).await?;
        }
        ensure_table(inner, &target, &standing, &shape.table(&columns), &tag).await?;
    }
    protocol::point!("snowflake.prepare.made");
    if !is_copy {
        target.found_left(inner.kept_transactions(&target, &tag).await?);
        inner.keep_copy(&target, &standing).await;
    }
    target.learn(&standing);
    target.prepared_for(stream);
    let stage = SweptStage {
        inner: Arc::clone(inner),
        stage: inner.area.stage(&target.key, Arc::clone(&target.run), inner.options.clone()),
        target,
    };
    Ok(Prepared { head: standing.head(), stage: Box::new(stage), schema: file_schema(&schema), changes })
}

fn refuse_unmergeable(inner: &Inner, stream: &ConfiguredStream) -> Result<()> {
    if stream.write_mode != WriteMode::Merge {
        return Ok(());
    }
    if inner.config.layout == Layout::Variant {
        return Err(Error::unsupported(
            "rows of one VARIANT can't be merged: the key is no column of its own",
        )
        .hint("use `layout: columns`, or `write: append`"));
    }
    if stream.primary_key.is_empty() {
        return Err(Error::config("`write: merge` needs a primary key, and the stream has none")
            .hint("name the columns that identify a row under `primary_key`"));
    }
    Ok(())
}

/// The schema that the table shall have, by the stream's types. An overwrite after its state was reset
/// starts over.
fn join_schemas(
    standing: &Standing,
    stream: &ConfiguredStream,
    schema: &SchemaRef,
) -> Result<(SchemaRef, Vec<Change>)> {
    let head = standing.head();
    match &head.schema {
        Some(_) if stream.write_mode == WriteMode::Overwrite && head.state == StreamState::default() => {
            Ok((schema.clone(), Vec::new()))
        }
        Some(old) => {
            let (joined, changes) = reconcile(old, schema, stream.on_drift)?;
            refuse_new_scales(old, &joined)?;
            Ok((joined, changes))
        }
        None => Ok((schema.clone(), Vec::new())),
    }
}

/// Snowflake gives a number more digits, but never another scale.
fn refuse_new_scales(old: &Schema, new: &Schema) -> Result<()> {
    use arrow_schema::DataType::{Decimal128, Decimal256};
    for field in old.fields() {
        let Ok(now) = new.field_with_name(field.name()) else { continue };
        let (
            Decimal128(digits, scale) | Decimal256(digits, scale),
            Decimal128(new_digits, new_scale) | Decimal256(new_digits, new_scale),
        ) = (field.data_type(), now.data_type())
        else {
            continue;
        };
        let was_number = *digits <= 38;
        if was_number && (scale != new_scale || *new_digits > 38) {
            return Err(Error::schema(format!(
                "column {:?} changed from NUMBER({digits}, {scale}) to NUMBER({new_digits}, {new_scale}), and \
                 snowflake changes no scale and has 38 digits at most",
                field.name()
            ))
            .context("column", field.name().clone())
            .hint("give the stream a new `target`, or fix precision and scale by `decimals`"));
        }
    }
    Ok(())
}

/// Fails with `Config` where the table has rows that no state tells of.
async fn refuse_rows(inner: &Inner, target: &Target, tag: &QueryTag) -> Result<()> {
    if inner.config.existing == Existing::Adopt {
        return Ok(());
    }
    let table = &target.table;
    // What it counts is told without a warehouse. A table of that name in other letters is another one.
    let Some(answer) = inner.desk.find(ddl::show_table(table), tag).await? else { return Ok(()) };
    let found = (0..answer.rows.len()).find(|row| answer.get(*row, "name") == Some(table.object.name()));
    let rows = match found.map(|row| answer.get(row, "rows").unwrap_or("many")) {
        None | Some("0") => return Ok(()),
        Some(rows) => rows,
    };
    // Another sync may have made the first commit meanwhile.
    if inner.row(target, tag).await?.is_some_and(|row| row.record.is_some()) {
        return Err(Error::transient(format!("another sync has begun target {:?} meanwhile", target.name)));
    }
    Err(Error::config(format!("table {table} has {rows} rows, and no state tells where they are from"))
        .context("table", table.to_string())
        .hint(
            "where they are of this stream and its state was lost, empty the table: all is read again; or give \
             the stream a new `target`; or set `existing: adopt`, so that `append` adds to them and `overwrite` \
             replaces them",
        ))
}

/// Creates the table, or adds and widens columns. One that had commits and is gone is not made again: what
/// it held would be missing for good.
pub(super) async fn ensure_table(
    inner: &Inner,
    target: &Target,
    standing: &Standing,
    columns: &[ColumnDefinition],
    tag: &QueryTag,
) -> Result<()> {
    let made = make_table(inner, target, standing, columns, tag).await;
    made.map_err(|error| error.context("table", target.table.to_string()))?;
    target.saw_table();
    Ok(())
}

async fn make_table(
    inner: &Inner,
    target: &Target,
    standing: &Standing,
    columns: &[ColumnDefinition],
    tag: &QueryTag,
) -> Result<()> {
    if inner.widen(&target.table, columns, tag).await? {
        return Ok(());
    }
    let head = standing.head();
    if head.sequence > 0 && head.totals.rows > 0 && head.state != StreamState::default() {
        return Err(Error::config(format!(
            "table {} is gone, and its state says that {} rows are in it",
            target.table, head.totals.rows
        ))
        .hint(
            "`UNDROP TABLE` brings it back; or `tidegate state reset` the stream to load everything again",
        ));
    }
    inner.create(&ddl::create_table(&target.table, columns), &target.table.place(), tag).await
}
