//! What is told of rows besides their values: whether the cursor would have led to them, and which
//! transactions wrote them. Two more columns of COPY, which nobody else sees.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{ConfiguredStream, Emitter, Error, Event, Outlet, Result};

use super::Postgres;
use super::copy::copy_out;
use super::decode::Decoder;
use super::layout::Layout;
use super::partition::{CursorWindow, Partition, Told};
use super::session::Turn;
use super::sight::Sight;
use super::types::{Column, NativeType, TypeKind};
use super::xids::{narrowed, since};

/// Numbers of types, the same in every server.
const BOOL: u32 = 16;
const OID: u32 = 26;

/// Copies a partition into `out`, and tells what its window wants to know.
pub(super) async fn copied(
    turn: &mut Turn<'_>,
    stream: &ConfiguredStream,
    partition: &Partition,
    layout: &Layout,
    (window, told): (&CursorWindow, &Told),
    out: &mut Emitter<'_, Postgres>,
) -> Result<Sight> {
    let late = told.late.as_ref().map_or_else(|| "false".to_owned(), |late| window.is_late(late));
    let writer = format!("CASE WHEN {} THEN xmin END", since(told.xmin).join(" AND "));
    let mut expressions = layout.expressions();
    expressions.extend([late.as_str(), writer.as_str()]);
    let more = [
        column(BOOL, "bool", &Field::new("tidegate late", DataType::Boolean, true))?,
        // It is sent as an `oid` is.
        column(OID, "oid", &Field::new("tidegate writer", DataType::UInt32, true))?,
    ];
    let fields = stream.schema.fields().iter().cloned();
    let schema = Schema::new(
        fields.chain(more.iter().map(|column| Arc::new(column.field().clone()))).collect::<Vec<_>>(),
    );
    let columns: Vec<Column> = layout.columns.iter().cloned().chain(more).collect();
    let decoder = Decoder::new(&columns, Arc::new(schema), stream.on_unfit, out.batch_bytes())?;
    let what = format!("could not read {}", partition.table().qualified());
    let sql = partition.copy(&expressions);
    let plain = Arc::clone(&stream.schema);
    let mut counter = Counter { out, plain, xmin: told.xmin, late: 0, xids: BTreeSet::new() };
    let rows = copy_out(turn, &sql, &what, decoder, &mut Emitter::<Postgres>::new(&mut counter)).await?;
    Ok(Sight { rows, late: counter.late, xids: counter.xids.into_iter().collect(), own: None })
}

fn column(oid: u32, name: &str, field: &Field) -> Result<Column> {
    let (schema, name) = ("pg_catalog".to_owned(), name.to_owned());
    let native = NativeType { oid, schema, display: name.clone(), name, modifier: -1, kind: TypeKind::Base };
    Column::new(&native, field)
}

/// Takes the last two columns off each batch.
struct Counter<'a, 'b> {
    out: &'a mut Emitter<'b, Postgres>,
    /// The columns of the stream.
    plain: SchemaRef,
    xmin: u64,
    late: u64,
    xids: BTreeSet<u64>,
}

impl Counter<'_, '_> {
    fn counted(&mut self, batch: &RecordBatch) -> Result<RecordBatch> {
        let wrong = || Error::internal("what was told of rows is not among their columns");
        let count = batch.num_columns().checked_sub(2).ok_or_else(wrong)?;
        let late = batch.column(count).as_boolean_opt().ok_or_else(wrong)?;
        let writers = batch.column(count + 1).as_primitive_opt::<UInt32Type>().ok_or_else(wrong)?;
        self.late += late.true_count() as u64;
        // All of them are less than a round away.
        let whole = |writer: u32| self.xmin + u64::from(writer.wrapping_sub(narrowed(self.xmin)));
        if writers.null_count() < writers.len() {
            self.xids.extend(writers.iter().flatten().map(whole));
        }
        let columns = batch.columns().iter().take(count).cloned().collect();
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let plain = RecordBatch::try_new_with_options(Arc::clone(&self.plain), columns, &options);
        plain.map_err(|error| wrong().with_source(error))
    }
}

impl Outlet for Counter<'_, '_> {
    fn send(&mut self, event: Event) -> BoxFuture<'_, Result<()>> {
        async move {
            match event {
                Event::Batch(batch) => {
                    let batch = self.counted(&batch)?;
                    self.out.batch(batch).await
                }
                Event::Adjusted(adjusted) => {
                    self.out.adjusted(&adjusted.column, &adjusted.reason, adjusted.values).await
                }
                Event::Checkpoint { .. } => Err(Error::internal("a table is not read by checkpoints")),
            }
        }
        .boxed()
    }

    fn batch_bytes(&self) -> usize {
        self.out.batch_bytes()
    }
}
