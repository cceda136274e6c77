//! One Parquet file that grows on a stage.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion};
use protocol::{Compression, Error, Result, Stage, StagedFile, StagedWriter};
use std::sync::Arc;
use tokio::task::block_in_place;

use super::dictionary;
use crate::receipt::{ColumnSums, FileReceipt, RowHasher};

/// Rows of a row group at most, and up to a batch more.
const ROW_GROUP_ROWS: usize = 1 << 20;
/// A page before it is compressed. It stays in the processor's cache from one step to the next, and the
/// compressor of each column needs memory for one page.
const PAGE_BYTES: usize = 64 << 10;

/// How files of one stream are encoded.
#[derive(Debug, Clone)]
pub(crate) struct FileSettings {
    schema: SchemaRef,
    properties: WriterPropertiesPtr,
    row_group_bytes: usize,
    /// `None` where a type has no hash: then files have no receipt.
    hasher: Option<Arc<RowHasher>>,
}

impl FileSettings {
    pub(crate) fn new(schema: SchemaRef, compression: Compression, row_group_bytes: u64) -> Self {
        let codec = match compression {
            Compression::Zstd => Codec::ZSTD(ZstdLevel::try_new(1).expect("1 is a level of zstd")),
            Compression::Snappy => Codec::SNAPPY,
            Compression::None => Codec::UNCOMPRESSED,
        };
        let properties = WriterProperties::builder()
            .set_created_by(concat!("tidegate ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_writer_version(WriterVersion::PARQUET_1_0)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_compression(codec)
            .set_data_page_size_limit(PAGE_BYTES)
            .set_dictionary_page_size_limit(dictionary::BYTES)
            // Row groups are ended here, where their sums are.
            .set_max_row_group_row_count(None)
            .build();
        let row_group_bytes = usize::try_from(row_group_bytes).unwrap_or(usize::MAX);
        let hasher = RowHasher::new(&schema, &[]).map(Arc::new);
        Self { schema, properties: Arc::new(properties), row_group_bytes, hasher }
    }

    /// As a file is to be encoded that begins with `first`.
    fn properties(&self, first: Option<&RecordBatch>) -> WriterProperties {
        let properties = self.properties.as_ref().clone();
        let (Some(hasher), Some(first)) = (&self.hasher, first) else { return properties };
        let mut builder = properties.into_builder();
        for column in dictionary::hopeless(hasher, first) {
            builder = builder.set_column_dictionary_enabled(column, false);
        }
        builder.build()
    }

    /// Names the columns that are not the source's.
    pub(crate) fn added(self, columns: &[String]) -> Self {
        let hasher = RowHasher::new(&self.schema, columns).map(Arc::new);
        Self { hasher, ..self }
    }
}

/// A file that is being written. Encoding happens in the caller's task, off the runtime's other
/// work; it needs the multi-threaded runtime.
pub(crate) struct FileWriter {
    encoder: ArrowWriter<Vec<u8>>,
    staged: Box<dyn StagedWriter>,
    row_group_bytes: usize,
    rows: u64,
    written: u64,
    receipt: Option<FileReceipt>,
}

impl FileWriter {
    /// `first` are rows that the file begins with, if there are any: they tell how to encode it, and are
    /// yet to be written.
    pub(crate) async fn create(
        settings: &FileSettings,
        stage: &dyn Stage,
        folder: Option<&str>,
        first: Option<&RecordBatch>,
    ) -> Result<Self> {
        let staged = stage.create(folder).await?;
        protocol::point!("file.created");
        let properties = settings.properties(first);
        let encoder =
            ArrowWriter::try_new(Vec::new(), settings.schema.clone(), Some(properties)).map_err(encoding)?;
        let receipt = settings.hasher.clone().map(FileReceipt::new);
        let row_group_bytes = settings.row_group_bytes;
        Ok(Self { encoder, staged, row_group_bytes, rows: 0, written: 0, receipt })
    }

    /// Appends `batch`; closes the row group when it is large enough.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        block_in_place(|| {
            if let Some(receipt) = &mut self.receipt {
                receipt.rows(batch);
            }
            self.encoder.write(batch)?;
            let is_full = self.encoder.memory_size() >= self.row_group_bytes
                || self.encoder.in_progress_rows() >= ROW_GROUP_ROWS;
            if is_full { self.end_group() } else { Ok(()) }
        })
        .map_err(encoding)?;
        self.rows += batch.num_rows() as u64;
        protocol::point!("file.encoded");
        self.drain().await
    }

    /// Closes the row group to give its memory back.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        block_in_place(|| self.end_group()).map_err(encoding)?;
        self.drain().await
    }

    fn end_group(&mut self) -> parquet::errors::Result<()> {
        if self.encoder.in_progress_rows() == 0 {
            return Ok(());
        }
        if let Some(receipt) = &mut self.receipt {
            receipt.end_group();
        }
        self.encoder.flush()
    }

    async fn drain(&mut self) -> Result<()> {
        let bytes = std::mem::take(self.encoder.inner_mut());
        if !bytes.is_empty() {
            self.written += bytes.len() as u64;
            if let Some(receipt) = &mut self.receipt {
                receipt.bytes(&bytes);
            }
            self.staged.write(bytes.into()).await?;
            protocol::point!("file.row_group");
        }
        Ok(())
    }

    /// Encoded bytes, those of the open row group estimated.
    pub(crate) fn bytes(&self) -> u64 {
        self.written + self.encoder.in_progress_size() as u64
    }

    /// Bytes of memory that the open row group takes.
    pub(crate) fn memory(&self) -> usize {
        self.encoder.memory_size()
    }

    /// Writes the footer and makes the file durable.
    pub(crate) async fn finish(mut self) -> Result<StagedFile> {
        self.flush().await?;
        if let Some(receipt) = &self.receipt {
            let sums = ColumnSums::write(receipt.groups());
            self.encoder.append_key_value_metadata(KeyValue::new(ColumnSums::KEY.to_owned(), sums));
        }
        protocol::point!("file.flushed");
        let footer = self.encoder.into_inner().map_err(encoding)?;
        if let Some(receipt) = &mut self.receipt {
            receipt.bytes(&footer);
        }
        self.staged.write(footer.into()).await?;
        let file = self.staged.finish().await?;
        protocol::point!("file.finished");
        let receipt = self.receipt.as_ref().map(FileReceipt::finish);
        Ok(StagedFile { rows: self.rows, receipt, ..file })
    }

    /// Throws the file away.
    pub(crate) async fn abandon(self) -> Result<()> {
        self.staged.abandon().await
    }
}

fn encoding(error: parquet::errors::ParquetError) -> Error {
    Error::internal("rows can't be encoded as Parquet").with_source(error)
}
