//! A source whose rows are numbers: row `n` of a table is known by its id, so that what arrived can
//! be compared with what should have.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arrow_array::builder::FixedSizeBinaryBuilder;
use arrow_array::{
    Array, ArrayRef, BinaryArray, Date32Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{Buffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use bytes::Bytes;
use protocol::{
    Catalog, ConfiguredStream, Covered, Emitter, Error, ErrorKind, Grain, Plan, PlanRequest, Planned, Result,
    Source, Stream, StreamFilter, StreamKind, SyncMode, Window,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Faults;

/// Microseconds between two rows' `at`: four rows a day.
pub(crate) const MICROS_PER_ROW: i64 = 6 * 3_600 * 1_000_000;

/// A table and how its source behaves.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    /// Rows have the ids from 0 to here.
    pub(crate) rows: i64,
    pub(crate) schema: SchemaRef,
    pub(crate) grain: Grain,
    pub(crate) checkpoints: bool,
    pub(crate) partition_rows: i64,
    pub(crate) batch_rows: i64,
    pub(crate) max_in_flight: Option<NonZeroUsize>,
    /// Bytes of each value of a column of binary type.
    pub(crate) payload_bytes: usize,
    /// What batches have in place of `schema`.
    pub(crate) lies: Option<SchemaRef>,
    /// Emits a batch without rows at the start of each partition.
    pub(crate) empty_batches: bool,
    /// The id whose columns, `id` apart, are NULL.
    pub(crate) null_row: Option<i64>,
    /// The id that can't be read, and why not.
    pub(crate) poison: Option<(i64, ErrorKind)>,
    /// Plans a partition also where nothing is new.
    pub(crate) restless: bool,
    /// So many plans end in a state that is not settled; each time five rows come in meanwhile.
    pub(crate) unsettled: usize,
}

impl Table {
    pub(crate) fn new(rows: i64) -> Self {
        Self {
            rows,
            schema: schema([("id", DataType::Int64), ("label", DataType::Utf8)]),
            grain: Grain::Partition,
            checkpoints: false,
            partition_rows: 10,
            batch_rows: 4,
            max_in_flight: None,
            payload_bytes: 0,
            lies: None,
            empty_batches: false,
            null_row: None,
            poison: None,
            restless: false,
            unsettled: 0,
        }
    }

    pub(crate) fn grain(mut self, grain: Grain) -> Self {
        self.grain = grain;
        self
    }

    pub(crate) fn checkpoints(mut self, checkpoints: bool) -> Self {
        self.checkpoints = checkpoints;
        self
    }

    pub(crate) fn cut(mut self, partition_rows: i64, batch_rows: i64) -> Self {
        (self.partition_rows, self.batch_rows) = (partition_rows, batch_rows);
        self
    }

    pub(crate) fn columns<const N: usize>(mut self, columns: [(&str, DataType); N]) -> Self {
        self.schema = schema(columns);
        self
    }
}

pub(crate) fn schema<const N: usize>(columns: [(&str, DataType); N]) -> SchemaRef {
    let fields = columns.into_iter().map(|(name, data_type)| Field::new(name, data_type, name != "id"));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

pub(crate) fn timestamp() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The system: it outlives the processes that read it.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    by_name: Mutex<BTreeMap<String, Table>>,
    /// Reads that are going on, and the most that ever were.
    pub(crate) reads: Gauge,
    /// Bytes of payload that are alive, and the most that ever were.
    pub(crate) payload: Gauge,
    /// How often each source was closed.
    pub(crate) closed: AtomicUsize,
}

impl Tables {
    pub(crate) fn put(&self, name: &str, table: Table) {
        self.by_name.lock().unwrap().insert(name.to_owned(), table);
    }

    pub(crate) fn change(&self, name: &str, change: impl FnOnce(&mut Table)) {
        change(self.by_name.lock().unwrap().get_mut(name).unwrap());
    }

    pub(crate) fn get(&self, name: &str) -> Table {
        self.by_name.lock().unwrap()[name].clone()
    }
}

/// A number and its peak.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    now: AtomicI64,
    peak: AtomicI64,
}

impl Gauge {
    pub(crate) fn add(&self, n: i64) {
        let now = self.now.fetch_add(n, Ordering::SeqCst) + n;
        self.peak.fetch_max(now, Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    pub(crate) fn peak(&self) -> i64 {
        self.peak.load(Ordering::SeqCst)
    }
}

struct Counted(Arc<Tables>);

impl Counted {
    fn new(tables: &Arc<Tables>) -> Self {
        tables.reads.add(1);
        Self(Arc::clone(tables))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.reads.add(-1);
    }
}

/// Bytes that tell when they are gone.
struct Payload(Vec<u8>, Arc<Tables>);

impl AsRef<[u8]> for Payload {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.1.payload.add(-i64::try_from(self.0.len()).unwrap());
    }
}

/// Rows of one table, by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ids {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// Where a stream stands: planned up to `until`, of which `rows` with the sum `sum` were seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Position {
    pub(crate) until: i64,
    pub(crate) rows: i64,
    pub(crate) sum: i64,
    pub(crate) unsettled: bool,
}

/// What a read teaches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Learned {
    pub(crate) rows: i64,
    pub(crate) sum: i64,
}

/// One process's view of the system.
pub(crate) struct MemorySource {
    pub(crate) tables: Arc<Tables>,
    pub(crate) faults: Arc<Faults>,
}

#[derive(Deserialize, JsonSchema)]
pub(crate) struct Nothing {}

impl Source for MemorySource {
    const NAME: &'static str = "memory";
    type Config = Nothing;
    type Partition = Ids;
    type State = Position;
    type Seen = Learned;

    async fn open(_: Nothing) -> Result<Self> {
        Ok(Self { tables: Arc::default(), faults: Faults::none() })
    }

    async fn check(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    async fn discover(&self, filter: &StreamFilter) -> Result<Catalog> {
        self.faults.step("discover").await?;
        let tables = self.tables.by_name.lock().unwrap();
        Ok(Catalog::new(tables.iter().filter(|(name, _)| filter.matches(name)).map(|(name, table)| Stream {
            kind: StreamKind::Table,
            schema: table.schema.clone(),
            ..Stream::new(name).primary_key(["id"]).cursor("id")
        })))
    }

    async fn plan(&self, request: &PlanRequest<'_, Position>) -> Result<Plan<Ids, Position>> {
        self.faults.step("plan").await?;
        let table = self.tables.get(&request.stream.name);
        let before = match request.stream.sync_mode {
            SyncMode::FullRefresh => Position::default(),
            SyncMode::Incremental => request.state.clone(),
        };
        let starts = (before.until..table.rows).step_by(usize::try_from(table.partition_rows).unwrap());
        let mut partitions: Vec<_> = starts
            .map(|from| Planned::new(Ids { from, to: (from + table.partition_rows).min(table.rows) }))
            .collect();
        if partitions.is_empty() && table.restless {
            partitions.push(Planned::new(Ids { from: table.rows, to: table.rows }));
        }
        let unsettled = table.unsettled > 0;
        if unsettled {
            self.tables.change(&request.stream.name, |table| {
                table.unsettled -= 1;
                table.rows += 5;
            });
        }
        Ok(Plan {
            partitions,
            next: Position { until: table.rows, unsettled, ..before.clone() },
            max_in_flight: table.max_in_flight,
            grain: table.grain,
            mode: "numbers".to_owned(),
            window: Some(Window {
                since: Some(before.until.to_string()),
                until: Some(table.rows.to_string()),
            }),
            notes: Vec::new(),
        })
    }

    fn advance(&self, state: &mut Position, _: &Ids, seen: Learned) {
        state.rows += seen.rows;
        state.sum += seen.sum;
    }

    async fn read(
        &self,
        stream: &ConfiguredStream,
        ids: Ids,
        out: &mut Emitter<'_, Self>,
    ) -> Result<Learned> {
        let _counted = Counted::new(&self.tables);
        let table = self.tables.get(&stream.name);
        let mut seen = Learned::default();
        self.faults.step("read").await?;
        if table.empty_batches {
            out.batch(self.batch(&table, stream, 0..0)).await?;
        }
        let mut from = ids.from;
        while from < ids.to {
            let to = (from + table.batch_rows).min(ids.to);
            self.faults.step("batch").await?;
            if let Some((_, kind)) = table.poison.filter(|(id, _)| (from..to).contains(id)) {
                return Err(Error::new(kind, "poisoned"));
            }
            out.batch(self.batch(&table, stream, from..to)).await?;
            seen.rows += to - from;
            seen.sum += (from..to).sum::<i64>();
            from = to;
            if table.checkpoints && from < ids.to {
                self.faults.step("checkpoint").await?;
                out.checkpoint(&Ids { from, to: ids.to }, std::mem::take(&mut seen)).await?;
            }
        }
        self.faults.step("read ends").await?;
        Ok(seen)
    }

    fn position(state: &Position) -> Option<String> {
        Some(state.until.to_string())
    }

    fn covered(state: &Position) -> Option<Covered> {
        Some(Covered { column: "id".to_owned(), below: Some(state.until), nulls: false })
    }

    fn is_settled(state: &Position) -> bool {
        !state.unsettled
    }

    async fn close(&self) {
        self.tables.closed.fetch_add(1, Ordering::SeqCst);
    }
}

impl MemorySource {
    pub(crate) fn batch(&self, table: &Table, stream: &ConfiguredStream, ids: Range<i64>) -> RecordBatch {
        let schema = table.lies.clone().unwrap_or_else(|| stream.schema.clone());
        let columns = schema.fields().iter().map(|field| self.column(table, field, ids.clone())).collect();
        // A column that must not be NULL and is can't be built with the schema that says so.
        let lenient: Vec<Field> =
            schema.fields().iter().map(|field| field.as_ref().clone().with_nullable(true)).collect();
        RecordBatch::try_new(Arc::new(Schema::new(lenient)), columns).unwrap()
    }

    fn column(&self, table: &Table, field: &Field, ids: Range<i64>) -> ArrayRef {
        let null = |id: &i64| table.null_row == Some(*id) && field.name() != "id";
        let some = |id: i64| (!null(&id)).then_some(id);
        match field.data_type() {
            DataType::Int64 => Arc::new(ids.map(some).collect::<Int64Array>()),
            DataType::Int32 => {
                Arc::new(ids.map(|id| some(id).map(|id| i32::try_from(id).unwrap())).collect::<Int32Array>())
            }
            DataType::Utf8 => {
                Arc::new(ids.map(|id| some(id).map(|id| format!("row {id}"))).collect::<StringArray>())
            }
            DataType::Timestamp(..) => {
                let micros: TimestampMicrosecondArray =
                    ids.map(|id| some(id).map(|id| id * MICROS_PER_ROW)).collect();
                Arc::new(micros.with_timezone("UTC"))
            }
            DataType::Date32 => Arc::new(
                ids.map(|id| some(id).map(|id| i32::try_from(id / 4).unwrap())).collect::<Date32Array>(),
            ),
            DataType::FixedSizeBinary(width) => {
                let mut values = FixedSizeBinaryBuilder::new(*width);
                ids.for_each(|_| values.append_null());
                Arc::new(values.finish())
            }
            DataType::Binary => Arc::new(self.payload(table, ids)),
            other => panic!("no values of type {other}"),
        }
    }

    fn payload(&self, table: &Table, ids: Range<i64>) -> BinaryArray {
        let rows = usize::try_from(ids.end - ids.start).unwrap();
        // Differs from row to row and does not compress to nothing.
        let mut random = fastrand::Rng::with_seed(ids.start.unsigned_abs());
        let mut bytes = vec![0; rows * table.payload_bytes];
        random.fill(&mut bytes);
        self.tables.payload.add(i64::try_from(bytes.len()).unwrap());
        let values = Buffer::from(Bytes::from_owner(Payload(bytes, Arc::clone(&self.tables))));
        let offsets = OffsetBuffer::from_lengths(std::iter::repeat_n(table.payload_bytes, rows));
        let array = BinaryArray::new(offsets, values, None);
        assert_eq!(array.len(), rows);
        array
    }
}
