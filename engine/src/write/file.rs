//! One Parquet file that grows on a stage.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression as Codec, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesPtr, WriterVersion};
use protocol::{Compression, Error, Result, Stage, StagedFile, StagedWriter};
use std::sync::Arc;
use tokio::task::block_in_place;

/// How files of one stream are encoded.
#[derive(Debug, Clone)]
pub(crate) struct FileSettings {
    schema: SchemaRef,
    properties: WriterPropertiesPtr,
    row_group_bytes: usize,
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
            .build();
        let row_group_bytes = usize::try_from(row_group_bytes).unwrap_or(usize::MAX);
        Self { schema, properties: Arc::new(properties), row_group_bytes }
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
        let encoder =
            ArrowWriter::try_new(Vec::new(), settings.schema.clone(), Some(properties)).map_err(encoding)?;
        Ok(Self { encoder, staged, row_group_bytes: settings.row_group_bytes, rows: 0, written: 0 })
    }

    /// Appends `batch`; closes the row group when it is large enough.
    pub(crate) async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let (encoder, limit) = (&mut self.encoder, self.row_group_bytes);
        block_in_place(|| {
            encoder.write(batch)?;
            if encoder.memory_size() >= limit { encoder.flush() } else { Ok(()) }
        })
        .map_err(encoding)?;
        self.rows += batch.num_rows() as u64;
        protocol::point!("file.encoded");
        self.drain().await
    }

    /// Closes the row group to give its memory back.
    pub(crate) async fn flush(&mut self) -> Result<()> {
        let encoder = &mut self.encoder;
        block_in_place(|| encoder.flush()).map_err(encoding)?;
        self.drain().await
    }

    async fn drain(&mut self) -> Result<()> {
        let bytes = std::mem::take(self.encoder.inner_mut());
        if !bytes.is_empty() {
            self.written += bytes.len() as u64;
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
        protocol::point!("file.flushed");
        let footer = self.encoder.into_inner().map_err(encoding)?;
        self.staged.write(footer.into()).await?;
        let file = self.staged.finish().await?;
        protocol::point!("file.finished");
        Ok(StagedFile { rows: self.rows, ..file })
    }

    /// Throws the file away.
    pub(crate) async fn abandon(self) -> Result<()> {
        self.staged.abandon().await
    }
}

fn encoding(error: parquet::errors::ParquetError) -> Error {
    Error::internal("rows can't be encoded as Parquet").with_source(error)
}
