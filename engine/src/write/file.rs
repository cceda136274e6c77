//! One Parquet file that grows on a stage.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion};
use protocol::{Compression, Error, Result, Stage, StagedFile, StagedWriter};
use std::sync::Arc;
use tokio::task::block_in_place;

use super::blocks::Blocks;
use super::encode::{self, Encoder};
use crate::receipt::{ColumnSums, FileReceipt, RowHasher};

/// Rows of a row group at most, and up to a batch more.
const ROW_GROUP_ROWS: usize = 1 << 20;

/// How files of one stream are encoded.
#[derive(Debug, Clone)]
pub(crate) struct FileSettings {
    schema: SchemaRef,
    properties: WriterPropertiesPtr,
    codec: Codec,
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
            .set_data_page_size_limit(encode::PAGE_BYTES)
            .set_dictionary_page_size_limit(encode::DICTIONARY_BYTES)
            // Row groups are ended here, where their sums are.
            .set_max_row_group_row_count(None)
            .build();
        let row_group_bytes = usize::try_from(row_group_bytes).unwrap_or(usize::MAX);
        let hasher = RowHasher::new(&schema, &[]).map(Arc::new);
        Self { schema, properties: Arc::new(properties), codec, row_group_bytes, hasher }
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
    encoder: Box<Encoder<Blocks>>,
    staged: Box<dyn StagedWriter>,
    row_group_bytes: usize,
    rows: u64,
    written: u64,
    receipt: Option<FileReceipt>,
}

impl FileWriter {
    pub(crate) async fn create(
        settings: &FileSettings,
        stage: &dyn Stage,
        folder: Option<&str>,
    ) -> Result<Self> {
        let staged = stage.create(folder).await?;
        protocol::point!("file.created");
        let properties = settings.properties.as_ref().clone();
        let encoder = Encoder::new(Blocks::default(), settings.schema.clone(), properties, settings.codec)
            .map_err(encoding)?;
        let encoder = Box::new(encoder);
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
            let is_full =
                self.encoder.memory() >= self.row_group_bytes || self.encoder.rows() >= ROW_GROUP_ROWS;
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
        if self.encoder.rows() == 0 {
            return Ok(());
        }
        if let Some(receipt) = &mut self.receipt {
            receipt.end_group();
        }
        self.encoder.flush()
    }

    async fn drain(&mut self) -> Result<()> {
        for bytes in self.encoder.out().take() {
            self.written += bytes.len() as u64;
            if let Some(receipt) = &mut self.receipt {
                receipt.bytes(&bytes);
            }
            self.staged.write(bytes).await?;
            protocol::point!("file.row_group");
        }
        Ok(())
    }

    /// Encoded bytes, those of the open row group estimated.
    pub(crate) fn bytes(&self) -> u64 {
        self.written + self.encoder.size() as u64
    }

    /// Bytes of memory that the open row group takes.
    pub(crate) fn memory(&self) -> usize {
        self.encoder.memory()
    }

    /// Writes the footer and makes the file durable.
    pub(crate) async fn finish(mut self) -> Result<StagedFile> {
        self.flush().await?;
        if let Some(receipt) = &self.receipt {
            let sums = ColumnSums::write(receipt.groups());
            self.encoder.add_metadata(KeyValue::new(ColumnSums::KEY.to_owned(), sums));
        }
        protocol::point!("file.flushed");
        self.encoder.finish().map_err(encoding)?;
        self.drain().await?;
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
