//! Reads committed files back: Parquet on a destination into batches.
//!
//! Memory: the footer, and of one row group at a time the columns that are asked for, encoded, beside
//! the batch that is being decoded. What a file holds is not trusted: a damaged one is an error of kind
//! [`ErrorKind::Data`](protocol::ErrorKind::Data) that names the file and the row group.

mod fetch;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::Bytes;
use parquet::DecodeResult;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader};
use parquet::arrow::push_decoder::ParquetPushDecoderBuilder;
use parquet::errors::ParquetError;
use parquet::file::metadata::{
    PageIndexPolicy, ParquetMetaData, ParquetMetaDataPushDecoder, RowGroupMetaData,
};
use protocol::{CommittedFile, DynDestination, Error, FileReader, Result};

use fetch::fetch;

/// Bytes at the end of a file that are read first: most footers fit.
const FOOTER_BYTES: u64 = 64 << 10;
/// Rows of a batch.
const BATCH_ROWS: u64 = 8 << 10;
/// Bytes that a batch shall have at most, as far as the file says how large its rows are.
const BATCH_BYTES: u64 = 4 << 20;

/// A Parquet file of a destination, of which the footer is read.
pub struct ParquetFile {
    reader: Box<dyn FileReader>,
    metadata: ArrowReaderMetadata,
    path: String,
}

impl ParquetFile {
    /// Opens a file that readers see; `None` where it is missing.
    pub async fn open(
        destination: &dyn DynDestination,
        target: &str,
        file: &CommittedFile,
    ) -> Result<Option<Self>> {
        let Some(reader) = destination.open_file(target, &file.path).await? else { return Ok(None) };
        Self::new(reader, &file.path).await.map(Some)
    }

    /// Reads the footer of the file that `reader` has open. `path` is its name in errors.
    pub async fn new(reader: Box<dyn FileReader>, path: &str) -> Result<Self> {
        let damaged = |error| damaged(path, "its footer can't be read", error);
        let size = reader.size();
        let decoder = guarded(|| ParquetMetaDataPushDecoder::try_new(size)).map_err(damaged)?;
        let mut decoder = decoder.with_page_index_policy(PageIndexPolicy::Skip);
        let end = size.saturating_sub(FOOTER_BYTES)..size;
        let mut wanted = Vec::from([end]);
        let metadata = loop {
            let found = fetch(reader.as_ref(), path, &wanted).await?;
            guarded(|| decoder.push_ranges(std::mem::take(&mut wanted), found)).map_err(damaged)?;
            match guarded(|| decoder.try_decode()).map_err(damaged)? {
                DecodeResult::NeedsData(ranges) => wanted = ranges,
                DecodeResult::Data(metadata) => break metadata,
                DecodeResult::Finished => return Err(lacks_data(path)),
            }
        };
        let options = ArrowReaderOptions::new();
        let metadata =
            guarded(|| ArrowReaderMetadata::try_new(Arc::new(metadata), options)).map_err(damaged)?;
        Ok(Self { reader, metadata, path: path.to_owned() })
    }

    /// Its columns, as they were written.
    #[must_use]
    pub fn schema(&self) -> &SchemaRef {
        self.metadata.schema()
    }

    /// Bytes that it has.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.reader.size()
    }

    /// Rows, as the footer says.
    #[must_use]
    pub fn rows(&self) -> u64 {
        // A damaged footer may say anything.
        (0..self.row_groups()).fold(0, |sum: u64, index| sum.saturating_add(self.row_group_rows(index)))
    }

    /// Row groups that it has.
    #[must_use]
    pub fn row_groups(&self) -> usize {
        self.parquet().num_row_groups()
    }

    /// Rows of a row group, as the footer says; none where it has no such row group.
    #[must_use]
    pub fn row_group_rows(&self, index: usize) -> u64 {
        self.group(index).map_or(0, |group| u64::try_from(group.num_rows()).unwrap_or(0))
    }

    /// What the footer says of everything.
    #[must_use]
    pub fn parquet(&self) -> &ParquetMetaData {
        self.metadata.metadata()
    }

    fn group(&self, index: usize) -> Option<&RowGroupMetaData> {
        self.parquet().row_groups().get(index)
    }

    /// The rows of one row group, of all columns or of those named: a name that the file does not have
    /// is left out, as columns may be newer than the file. Columns come in the order of the file.
    pub async fn row_group(&self, index: usize, columns: Option<&[&str]>) -> Result<Batches> {
        let fields = self.schema().fields().iter().enumerate();
        let roots = fields
            .filter(|(_, field)| columns.is_none_or(|columns| columns.contains(&field.name().as_str())))
            .map(|(at, _)| at);
        self.decode(index, roots, Vec::new()).await
    }

    /// The rows of one row group, of the columns at `roots`; `fetched` holds ranges of the file that
    /// need not be read again.
    pub(crate) async fn decode(
        &self,
        index: usize,
        roots: impl IntoIterator<Item = usize>,
        fetched: Vec<(Range<u64>, Bytes)>,
    ) -> Result<Batches> {
        let place = format!("row group {index}");
        let damaged = |error| self.damaged(index, error);
        let builder = ParquetPushDecoderBuilder::new_with_metadata(self.metadata.clone());
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let built = guarded(|| {
            builder
                .with_row_groups(vec![index])
                .with_projection(mask)
                .with_batch_size(self.batch_rows(index))
                .build()
        });
        let mut decoder = built.map_err(damaged)?;
        let (ranges, bytes): (Vec<_>, Vec<_>) = fetched.into_iter().unzip();
        guarded(|| decoder.push_ranges(ranges, bytes)).map_err(damaged)?;
        let reader = loop {
            match guarded(|| decoder.try_next_reader()).map_err(damaged)? {
                DecodeResult::NeedsData(ranges) => {
                    let bytes = fetch(self.reader.as_ref(), &self.path, &ranges).await?;
                    guarded(|| decoder.push_ranges(ranges, bytes)).map_err(damaged)?;
                }
                DecodeResult::Data(reader) => break Some(reader),
                // A row group without rows.
                DecodeResult::Finished => break None,
            }
        };
        Ok(Batches { reader, path: self.path.clone(), place })
    }

    fn batch_rows(&self, index: usize) -> usize {
        let Some(group) = self.group(index) else { return 1 };
        let bytes = u64::try_from(group.total_byte_size()).unwrap_or(0);
        let row_bytes = (bytes / self.row_group_rows(index).max(1)).max(1);
        usize::try_from((BATCH_BYTES / row_bytes).clamp(1, BATCH_ROWS)).unwrap_or(1)
    }

    fn damaged(&self, index: usize, error: ParquetError) -> Error {
        damaged(&self.path, &format!("row group {index} can't be decoded"), error)
            .context("row_group", index.to_string())
    }
}

/// The batches of one row group. Decoding happens in the caller's thread: call it where waiting is
/// allowed (`block_in_place`).
pub struct Batches {
    reader: Option<ParquetRecordBatchReader>,
    path: String,
    place: String,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let reader = self.reader.as_mut()?;
        let next = guarded(|| reader.next().transpose().map_err(ParquetError::from));
        if !matches!(next, Ok(Some(_))) {
            self.reader = None;
        }
        let failed = |error| damaged(&self.path, &format!("{} can't be decoded", self.place), error);
        next.transpose().map(|batch| batch.map_err(failed))
    }
}

/// The decoder takes what a damaged file says for granted in places, and panics.
fn guarded<T>(decode: impl FnOnce() -> parquet::errors::Result<T>) -> parquet::errors::Result<T> {
    // Nothing that a panic left half done is looked at afterwards: who called ends as well.
    catch_unwind(AssertUnwindSafe(decode))
        .unwrap_or_else(|_| Err(ParquetError::General("the decoder panicked".to_owned())))
}

fn damaged(path: &str, why: &str, error: ParquetError) -> Error {
    Error::data(format!("file {path:?} is damaged: {why}")).context("file", path).with_source(error)
}

fn lacks_data(path: &str) -> Error {
    Error::data(format!("file {path:?} is damaged: its footer says nothing")).context("file", path)
}
