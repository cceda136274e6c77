//! `COPY … (FORMAT binary)` bytes decoded straight into Arrow builders: no row object, no string
//! in between.
//!
//! The bytes are a header, rows, and a trailer. A row is a count of fields, and each field a length
//! and a value; [`Decoder`] walks them and hands each value to the `Builder` of its column. It can
//! stop between any two fields, so that bytes may be cut anywhere: only a field that is cut in two is
//! kept aside, and of a long text not even that.
//!
//! To note the places of many values first and decode them column by column costs fewer instructions
//! and takes longer: finding a field waits for the length of the one before, and only decoding fills
//! the wait.

mod builder;
mod bytes;
mod context;
mod decimal;
mod ends;
mod fault;
mod fixed;
mod nested;
mod numeric;
mod room;
mod temporal;
mod validity;
mod wide;
mod wire;

#[cfg(test)]
mod tests;

use std::fmt;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::SchemaRef;
use protocol::{Adjustment, Error, Result, UnfitPolicy};

use self::builder::{Builder, builder};
use self::context::Context;
use self::fault::Fault;
use super::types::Column;

/// What the bytes begin with; flags and the length of an extension follow.
const SIGNATURE: &[u8; 11] = b"PGCOPY\n\xff\r\n\0";
const HEADER_BYTES: usize = SIGNATURE.len() + 4 + 4;
/// Flags that a reader must know; the only one there ever was says that rows have identifiers.
const CRITICAL_FLAGS: u32 = 0xffff_0000;
/// The count of fields that stands for the end.
const TRAILER: i16 = -1;
const COUNT_BYTES: usize = 2;
/// The length that stands for NULL.
const NULL: i32 = -1;
const LENGTH_BYTES: usize = 4;

/// Rows in one batch at most, however narrow they are.
const MAX_ROWS: usize = 65_536;
/// Keeps the offsets of texts and lists far from the ends of 32 bits, whatever a caller asks for.
const MAX_BATCH_BYTES: usize = 256 << 20;
/// Room that is kept for items that are cut in two.
const MAX_HELD_BYTES: usize = 1 << 20;
/// Texts from this length on go into their column part by part.
const MIN_PARTED_BYTES: usize = 64 << 10;

/// Decodes COPY binary bytes, however they are cut into chunks, into record batches.
pub struct Decoder {
    columns: Vec<Column>,
    schema: SchemaRef,
    builders: Vec<Box<dyn Builder>>,
    context: Context,
    next: Item,
    /// The front of an item that was cut in two.
    held: Vec<u8>,
    /// Bytes that the next item has at least.
    wanted: usize,
    /// Rows in the batch that is being built.
    rows: usize,
    /// Bits that a row takes whatever is in it.
    row_bits: usize,
    batch_bytes: usize,
    /// Rows of all batches before.
    total_rows: u64,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Item {
    Header,
    /// So many bytes between header and rows, which no server sends yet.
    Extension(usize),
    /// A row's count of fields, or the trailer.
    Row,
    /// The field of that number.
    Field(usize),
    /// So many bytes of a value that its column has the front of.
    Part {
        column: usize,
        left: usize,
    },
    /// Nothing: the trailer was there.
    End,
    /// Nothing: an error was there.
    Failed,
}

impl fmt::Debug for Decoder {
    /// Without any value of a row.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").field("next", &self.next).field("rows", &self.rows).finish_non_exhaustive()
    }
}

impl Decoder {
    /// A decoder of rows of `columns`, whose fields are those of `schema`. Batches end at
    /// `batch_bytes` of Arrow memory.
    ///
    /// Fails with [`ErrorKind::Config`](protocol::ErrorKind::Config) when `policy` makes NULL of
    /// values of a column that is not nullable.
    pub fn new(
        columns: &[Column],
        schema: SchemaRef,
        policy: UnfitPolicy,
        batch_bytes: usize,
    ) -> Result<Self> {
        if !schema.fields().iter().map(AsRef::as_ref).eq(columns.iter().map(Column::field)) {
            return Err(Error::internal("the columns to decode are not those of the schema"));
        }
        for column in columns {
            if !column.field().is_nullable() && column.codec().can_become_null(policy) {
                let name = column.name();
                return Err(Error::config(format!(
                    "column {name:?} is declared not null, and values that don't fit are to become NULL"
                ))
                .context("column", name)
                .hint("declare it nullable, or set the stream's `on_unfit` to `error`"));
            }
        }
        let builders: Vec<_> = columns.iter().map(|column| builder(column.codec())).collect();
        Ok(Self {
            row_bits: builders.iter().map(|builder| builder.fixed_bits()).sum(),
            builders,
            context: Context::new(policy, columns.len()),
            columns: columns.to_vec(),
            schema,
            next: Item::Header,
            held: Vec::new(),
            wanted: HEADER_BYTES,
            rows: 0,
            batch_bytes: batch_bytes.min(MAX_BATCH_BYTES),
            total_rows: 0,
        })
    }

    /// Decodes from the front of `input` until it ends or a batch is full; returns how many bytes
    /// were taken. Fewer than there are only when the decoder [`is_full`](Self::is_full).
    ///
    /// Fails with [`ErrorKind::Data`](protocol::ErrorKind::Data) when a value does not fit and the
    /// policy wants an error, with [`ErrorKind::Schema`](protocol::ErrorKind::Schema) when the bytes
    /// are not rows of the columns. Nothing can be decoded then.
    pub fn decode(&mut self, input: &[u8]) -> Result<usize> {
        let taken = self.decode_chunk(input);
        if taken.is_err() {
            self.next = Item::Failed;
        }
        taken
    }

    fn decode_chunk(&mut self, input: &[u8]) -> Result<usize> {
        let mut taken = 0;
        while !self.held.is_empty() {
            let missing = (self.wanted - self.held.len()).min(input.len() - taken);
            self.held.extend_from_slice(&input[taken..taken + missing]);
            taken += missing;
            if self.held.len() < self.wanted {
                return Ok(taken);
            }
            let mut held = std::mem::take(&mut self.held);
            // Invariant: held is one item, so that all of it is decoded, or nothing when it turns
            // out to be longer.
            if self.walk(&held)? > 0 {
                held.clear();
            }
            // What is left of one huge value would stay as long as the table is read.
            if !held.is_empty() || held.capacity() <= MAX_HELD_BYTES {
                self.held = held;
            }
            if self.is_full() {
                return Ok(taken);
            }
        }
        taken += self.walk(&input[taken..])?;
        if !self.is_full() {
            self.held.extend_from_slice(&input[taken..]);
            taken = input.len();
        }
        Ok(taken)
    }

    /// Decodes whole items from the front of `input` until it ends or a batch is full; returns how
    /// many bytes they had. Where an item is cut off, `wanted` says how many bytes it has at least.
    fn walk(&mut self, input: &[u8]) -> Result<usize> {
        let mut at = 0;
        loop {
            let rest = &input[at..];
            at += match self.next {
                Item::Row if self.is_full() => return Ok(at),
                Item::Row if rest.len() >= COUNT_BYTES => self.row(rest)?,
                Item::Field(first) => {
                    let taken = self.fields(first, rest)?;
                    if let Item::Field(_) = self.next {
                        return Ok(at + taken);
                    }
                    taken
                }
                Item::Row => {
                    self.wanted = COUNT_BYTES;
                    return Ok(at);
                }
                Item::Header if rest.len() < HEADER_BYTES => return Ok(at),
                Item::Header => self.header(rest)?,
                Item::Extension(0) => {
                    self.next = Item::Row;
                    0
                }
                Item::Part { .. } | Item::Extension(_) | Item::End if rest.is_empty() => {
                    self.wanted = 1;
                    return Ok(at);
                }
                Item::Part { column, left } => self.part(column, left, rest)?,
                Item::Extension(left) => {
                    let skipped = left.min(rest.len());
                    self.next = Item::Extension(left - skipped);
                    skipped
                }
                Item::End => return Err(Error::internal("more bytes after the end of a COPY")),
                Item::Failed => return Err(Error::internal("decoding goes on after an error")),
            };
        }
    }

    fn header(&mut self, input: &[u8]) -> Result<usize> {
        let no_header = || Error::internal("what the server sent is not the binary format of COPY");
        let mut rest = input.strip_prefix(SIGNATURE).ok_or_else(no_header)?;
        let flags: u32 = wire::take(&mut rest).map_err(|_| no_header())?;
        let extension: u32 = wire::take(&mut rest).map_err(|_| no_header())?;
        if flags & CRITICAL_FLAGS != 0 {
            return Err(Error::unsupported(
                "the server sends an unknown variant of the binary format of COPY",
            ));
        }
        self.next = Item::Extension(usize::try_from(extension).map_err(|_| no_header())?);
        Ok(HEADER_BYTES)
    }

    /// Begins a row. `input` has at least the count of fields.
    #[inline]
    fn row(&mut self, mut input: &[u8]) -> Result<usize> {
        let count: i16 = wire::take(&mut input).map_err(|_| Error::internal("a row without a count"))?;
        if usize::try_from(count) == Ok(self.builders.len()) {
            self.next = Item::Field(0);
            return Ok(COUNT_BYTES);
        }
        if count != TRAILER {
            let expected = self.builders.len();
            return Err(Error::schema(format!(
                "the server sent rows of {count} columns in place of {expected}"
            )));
        }
        self.next = Item::End;
        Ok(COUNT_BYTES)
    }

    /// Decodes the fields of a row from the one numbered `first` on; returns how many bytes they had.
    #[inline]
    fn fields(&mut self, first: usize, input: &[u8]) -> Result<usize> {
        let mut at = 0;
        for (number, builder) in (first..).zip(&mut self.builders[first..]) {
            let Some((length, rest)) = input[at..].split_first_chunk::<LENGTH_BYTES>() else {
                (self.next, self.wanted) = (Item::Field(number), LENGTH_BYTES);
                return Ok(at);
            };
            let length = i32::from_be_bytes(*length);
            let Ok(bytes) = usize::try_from(length) else {
                if length != NULL {
                    return Err(Fault::Malformed.error(&self.columns[number]));
                }
                builder.append_null();
                at += LENGTH_BYTES;
                continue;
            };
            let Some(value) = rest.get(..bytes) else { return Ok(at + self.cut_field(number, bytes, rest)?) };
            self.context.column = number;
            if let Err(fault) = builder.append(value, &mut self.context) {
                return Err(fault.error(&self.columns[number]));
            }
            at += LENGTH_BYTES + bytes;
        }
        self.rows += 1;
        self.next = Item::Row;
        Ok(at)
    }

    /// Takes the front of a long value, or nothing, where `value` is not all of its `bytes`; returns how
    /// many bytes were taken, with the length before it.
    #[cold]
    fn cut_field(&mut self, column: usize, bytes: usize, value: &[u8]) -> Result<usize> {
        self.context.column = column;
        let is_long = bytes >= MIN_PARTED_BYTES;
        let fault = |fault: Fault| fault.error(&self.columns[column]);
        if is_long && self.builders[column].append_part(value, false, &mut self.context).map_err(fault)? {
            self.next = Item::Part { column, left: bytes - value.len() };
            return Ok(LENGTH_BYTES + value.len());
        }
        (self.next, self.wanted) = (Item::Field(column), LENGTH_BYTES + bytes);
        Ok(0)
    }

    /// Hands on the next part of a long value; returns how many bytes it had.
    fn part(&mut self, column: usize, left: usize, input: &[u8]) -> Result<usize> {
        let part = &input[..left.min(input.len())];
        let is_last = part.len() == left;
        self.builders[column]
            .append_part(part, is_last, &mut self.context)
            .map_err(|fault| fault.error(&self.columns[column]))?;
        self.next =
            if is_last { Item::Field(column + 1) } else { Item::Part { column, left: left - part.len() } };
        Ok(part.len())
    }

    /// Whether [`take_batch`](Self::take_batch) must be called before more is decoded.
    #[must_use]
    #[inline]
    pub fn is_full(&self) -> bool {
        let bytes = self.context.bytes + self.rows * self.row_bits / 8;
        self.next == Item::Row && (self.rows >= MAX_ROWS || (bytes >= self.batch_bytes && self.rows > 0))
    }

    /// The rows decoded since the last call; `None` when there are none. Call it between rows: when
    /// the decoder [`is_full`](Self::is_full), or at the end.
    ///
    /// Fails with [`ErrorKind::Data`](protocol::ErrorKind::Data) when a text is not UTF-8, or NULL is in
    /// a column that has none, with [`ErrorKind::Transient`](protocol::ErrorKind::Transient) amid a row.
    pub fn take_batch(&mut self) -> Result<Option<RecordBatch>> {
        match self.next {
            Item::Row | Item::End | Item::Header | Item::Extension(_) => {}
            Item::Field(_) | Item::Part { .. } => return Err(Error::transient("a COPY ends amid a row")),
            Item::Failed => return Err(Error::internal("a batch is taken after an error")),
        }
        if self.rows == 0 {
            return Ok(None);
        }
        let mut arrays = Vec::with_capacity(self.builders.len());
        for (builder, column) in self.builders.iter_mut().zip(&self.columns) {
            let field = column.field();
            let array = builder.finish(field.data_type()).map_err(|error| {
                let message = format!("column {:?}: a text is not valid UTF-8", column.name());
                Error::data(message).context("column", column.name()).with_source(error)
            })?;
            if array.null_count() > 0 && !field.is_nullable() {
                let message =
                    format!("column {:?}: NULL in a column that is declared not null", column.name());
                return Err(Error::data(message).context("column", column.name()));
            }
            arrays.push(array);
        }
        let rows = std::mem::take(&mut self.rows);
        self.total_rows += rows as u64;
        self.context.bytes = 0;
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(SchemaRef::clone(&self.schema), arrays, &options);
        batch.map(Some).map_err(|error| Error::internal("decoded columns are no batch").with_source(error))
    }

    /// Values that were changed since the last call because they did not fit.
    pub fn take_adjustments(&mut self) -> Vec<Adjustment> {
        self.context.take_adjustments(self.columns.iter().map(Column::name))
    }

    /// Checks that the end was seen and returns the number of rows in all batches. Called after the
    /// last [`take_batch`](Self::take_batch).
    pub fn finish(self) -> Result<u64> {
        if self.next != Item::End {
            return Err(Error::transient("a COPY ends before its trailer"));
        }
        if self.rows > 0 {
            return Err(Error::internal("rows were decoded and not taken"));
        }
        Ok(self.total_rows)
    }
}
