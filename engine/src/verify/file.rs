//! Whether one file is what its receipt says: read once, from its first byte to its last, one column of
//! one row group in memory at a time.

use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use bytes::{Bytes, BytesMut};
use protocol::{CommittedFile, Digest, DynDestination, Error, ErrorKind, FileReader, Receipt, Result};
use tokio::task::block_in_place;
use twox_hash::XxHash3_128;

use super::report::{Finding, Problem};
use crate::budget::Budget;
use crate::readback::ParquetFile;
use crate::receipt::{ColumnSums, RowHasher, content};

/// Bytes of one request.
const BLOCK: u64 = 8 << 20;
/// Memory of decoding, beside the bytes that are decoded and a number for each row.
const DECODING: u64 = 8 << 20;

/// What reading a file showed.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// What is wrong; nothing else counts then.
    pub(super) finding: Option<Finding>,
    pub(super) rows: u64,
    /// Sum over the rows, of the source's columns; `None` where a type has no hash.
    pub(super) content: Option<Digest>,
    /// Whether there was a receipt to compare with.
    pub(super) is_verified: bool,
}

impl Checked {
    fn wrong(finding: Finding) -> Self {
        Self { finding: Some(finding), ..Self::default() }
    }
}

/// Reads a file. Fails where it could not be found out what it holds: only damage is a finding.
pub(super) async fn check(
    destination: &dyn DynDestination,
    target: &str,
    file: &CommittedFile,
    added: &[String],
    budget: &Arc<Budget>,
) -> Result<Checked> {
    match read(destination, target, file, added, budget).await {
        Err(error) if error.kind() == ErrorKind::Data => {
            let mut finding = Finding::new(Problem::Unreadable, format!("{error:#}"));
            finding.row_group = error.context_value("row_group").and_then(|index| index.parse().ok());
            finding.column = error.context_value("column").map(str::to_owned);
            Ok(Checked::wrong(finding))
        }
        result => result,
    }
}

async fn read(
    destination: &dyn DynDestination,
    target: &str,
    file: &CommittedFile,
    added: &[String],
    budget: &Arc<Budget>,
) -> Result<Checked> {
    let open = || destination.open_file(target, &file.path);
    let (Some(bytes), Some(reader)) = (open().await?, open().await?) else {
        return Ok(Checked::wrong(Finding::new(Problem::Missing, "the file is missing")));
    };
    if bytes.size() != file.bytes {
        let message = format!("the file has {} bytes, its commit says {}", bytes.size(), file.bytes);
        return Ok(Checked::wrong(Finding::new(Problem::Size, message)));
    }
    let parquet = ParquetFile::new(reader, &file.path).await?;
    if parquet.rows() != file.rows {
        let message = format!("the file has {} rows, its commit says {}", parquet.rows(), file.rows);
        return Ok(Checked::wrong(Finding::new(Problem::Rows, message)));
    }
    let receipt = file.receipt.as_ref().filter(|receipt| receipt.version == Receipt::VERSION);
    let written = receipt.and_then(|receipt| receipt.written.as_ref());
    let added = written.map_or(added, |written| &written.added);
    let hasher = RowHasher::new(parquet.schema(), added);
    let mut pass = Pass {
        parquet: &parquet,
        hasher: hasher.as_ref(),
        budget,
        bytes: InOrder { reader: bytes.as_ref(), at: 0, hash: XxHash3_128::new() },
        content: Digest::default(),
        written: Digest::default(),
        groups: Vec::new(),
    };
    for index in 0..parquet.row_groups() {
        pass.row_group(index).await?;
    }
    let encoded = pass.bytes.finish().await?;
    let (content, written, groups) = (pass.content, pass.written, pass.groups);
    let mut checked =
        Checked { rows: file.rows, content: hasher.is_some().then_some(content), ..Checked::default() };
    let (Some(receipt), Some(_)) = (receipt, &hasher) else { return Ok(checked) };
    checked.is_verified = true;
    let expected = receipt.written.as_ref().map_or(receipt.content, |written| written.content);
    if (receipt.content, expected) != (content, written) {
        checked.finding = Some(located(&parquet, &groups));
    } else if receipt.encoded != encoded {
        checked.finding = Some(Finding::new(
            Problem::Bytes,
            "bytes of the file changed since it was written; its rows are those that were written, so it is \
             the footer, a page's header or unused space",
        ));
    }
    Ok(checked)
}

/// Where the values of a file differ, as far as its own footer tells.
fn located(parquet: &ParquetFile, found: &[ColumnSums]) -> Finding {
    let finding = |place: &str| {
        Finding::new(Problem::Content, format!("values are not those that were written{place}"))
    };
    let pairs = parquet.parquet().file_metadata().key_value_metadata().into_iter().flatten();
    let sums = pairs
        .filter(|pair| pair.key == ColumnSums::KEY)
        .find_map(|pair| ColumnSums::read(pair.value.as_deref()?))
        .filter(|sums| sums.len() == found.len());
    let Some(sums) = sums else { return finding("") };
    for (index, (written, found)) in sums.iter().zip(found).enumerate() {
        let differs = |(_, (written, found)): &(usize, (&u64, &u64))| written != found;
        let first = written.0.iter().zip(&found.0).enumerate().find(differs);
        let Some((column, _)) = first else { continue };
        let name = parquet.schema().field(column).name();
        return finding(&format!(": row group {index}, column {name:?}")).at(index, name);
    }
    finding(": the file as a whole is another than the one that was committed")
}

/// One reading of a file.
struct Pass<'a> {
    parquet: &'a ParquetFile,
    hasher: Option<&'a RowHasher>,
    budget: &'a Arc<Budget>,
    bytes: InOrder<'a>,
    content: Digest,
    written: Digest,
    groups: Vec<ColumnSums>,
}

impl Pass<'_> {
    async fn row_group(&mut self, index: usize) -> Result<()> {
        let rows = self.parquet.row_group_rows(index);
        let places = places(self.parquet, index)?;
        let largest = places.iter().map(|place| place.end - place.start).max().unwrap_or(0);
        // A column's bytes, a number for each row twice, and what is being decoded.
        let _charge = self.budget.reserve(largest + 16 * rows + DECODING).await;
        let rows =
            usize::try_from(rows).map_err(|_| Error::data("a row group has no such number of rows"))?;
        let (mut source, mut added) = (vec![0; rows], vec![0; rows]);
        let mut sums = ColumnSums::of(places.len());
        for (column, place) in places.iter().enumerate() {
            let is_added = self.hasher.is_some_and(|hasher| hasher.is_added(column));
            let sum = if is_added { &mut added } else { &mut source };
            let name = self.parquet.schema().field(column).name();
            let total = self.column(index, column, place.clone(), sum).await;
            sums.add(column, total.map_err(|error| error.context("column", name.clone()))?);
        }
        self.content += content(&source);
        for (row, added) in source.iter_mut().zip(added) {
            *row = row.wrapping_add(added);
        }
        self.written += content(&source);
        self.groups.push(sums);
        Ok(())
    }

    /// Adds one column of a row group to the sums of its rows; returns the sum over all.
    async fn column(
        &mut self,
        index: usize,
        column: usize,
        place: Range<u64>,
        sums: &mut [u64],
    ) -> Result<u64> {
        let bytes = self.bytes.take(place.clone()).await?;
        let mut batches = self.parquet.decode(index, [column], vec![(place, bytes)]).await?;
        let known = self.hasher;
        block_in_place(|| {
            let (mut at, mut total, mut hashes) = (0, 0_u64, Vec::new());
            let mut add = |batch: &RecordBatch| {
                let end = at + batch.num_rows();
                let sums = sums.get_mut(at..end).ok_or_else(|| uneven(index))?;
                at = end;
                hashes.clear();
                hashes.resize(batch.num_rows(), 0);
                if let Some(known) = known {
                    known.add_column(column, batch.column(0), &mut hashes);
                }
                for (sum, hash) in sums.iter_mut().zip(&hashes) {
                    *sum = sum.wrapping_add(*hash);
                    total = total.wrapping_add(*hash);
                }
                Ok(())
            };
            batches.try_for_each(|batch| add(&batch?))?;
            if at == sums.len() { Ok(total) } else { Err(uneven(index)) }
        })
    }
}

fn uneven(index: usize) -> Error {
    Error::data("a column has another number of rows than the footer says")
        .context("row_group", index.to_string())
}

/// Where the columns of a row group lie.
fn places(parquet: &ParquetFile, index: usize) -> Result<Vec<Range<u64>>> {
    let damaged = || {
        Error::data(format!("row group {index} lies outside of its file"))
            .context("row_group", index.to_string())
    };
    let metadata = parquet.parquet();
    let descriptor = metadata.file_metadata().schema_descr();
    let mut places: Vec<Option<Range<u64>>> = vec![None; parquet.schema().fields().len()];
    for (leaf, chunk) in metadata.row_group(index).columns().iter().enumerate() {
        let first = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
        let start = u64::try_from(first.min(chunk.data_page_offset())).map_err(|_| damaged())?;
        let length = u64::try_from(chunk.compressed_size()).map_err(|_| damaged())?;
        let end = start.checked_add(length).filter(|end| *end <= parquet.size()).ok_or_else(damaged)?;
        let root = places.get_mut(descriptor.get_column_root_idx(leaf)).ok_or_else(damaged)?;
        let place = root.get_or_insert(start..end);
        *place = place.start.min(start)..place.end.max(end);
    }
    places.into_iter().map(|place| place.ok_or_else(damaged)).collect()
}

/// Hashes the bytes of a file in their order while parts of it are taken.
struct InOrder<'a> {
    reader: &'a dyn FileReader,
    at: u64,
    hash: XxHash3_128,
}

impl InOrder<'_> {
    /// The bytes of `range`, after all before it. One that begins before what was taken last is no file
    /// of ours; its hash tells.
    async fn take(&mut self, range: Range<u64>) -> Result<Bytes> {
        self.skip(range.start).await?;
        let mut taken = BytesMut::with_capacity(usize::try_from(range.end - range.start).unwrap_or(0));
        let mut at = range.start;
        while at < range.end {
            let end = range.end.min(at + BLOCK);
            let block = self.reader.read(at..end).await?;
            self.hash(at, &block);
            taken.extend_from_slice(&block);
            at = end;
        }
        Ok(taken.freeze())
    }

    async fn skip(&mut self, to: u64) -> Result<()> {
        while self.at < to {
            let end = to.min(self.at + BLOCK);
            let block = self.reader.read(self.at..end).await?;
            self.hash(self.at, &block);
        }
        Ok(())
    }

    fn hash(&mut self, at: u64, block: &Bytes) {
        if at == self.at {
            block_in_place(|| self.hash.write(block));
            self.at += block.len() as u64;
        }
    }

    async fn finish(mut self) -> Result<Digest> {
        self.skip(self.reader.size()).await?;
        Ok(Digest::new(self.hash.finish_128()))
    }
}
