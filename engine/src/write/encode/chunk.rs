//! The pages of one column in one row group, until the row group is written.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::sync::{Mutex, PoisonError};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ListArray};
use arrow_buffer::ArrowNativeType;
use bytes::{Buf, Bytes};
use parquet::basic::{Compression, Encoding, PageType, Type};
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, OffsetIndexBuilder, PageEncodingStats};
use parquet::file::page_index::offset_index::OffsetIndexMetaData;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::writer::SerializedRowGroupWriter;
use parquet::schema::types::ColumnDescPtr;

use super::codec::Codec;
use super::header::{self, Kind};
use super::leaf::Leaf;
use super::levels::Levels;

/// Rows of a page at most.
const PAGE_ROWS: usize = 20_000;
/// Items of a page at most, and up to a list more.
const MOST_VALUES: usize = 1 << 16;
/// Smaller pages tell nothing about how well the others are compressed.
const TRIAL_BYTES: usize = 4096;

/// Pages of texts that have fewer are compressed as all others are.
const LONG_BYTES: usize = 16 << 10;

/// One column.
pub(super) struct Column {
    descriptor: ColumnDescPtr,
    leaf: Box<dyn Leaf>,
    levels: Levels,
    page: Count,
    chunk: Chunk,
}

/// How much there is of a page, or of all.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    rows: usize,
    /// NULLs and empty lists too.
    values: usize,
    nulls: usize,
}

/// What is there of a row group.
#[derive(Default)]
struct Chunk {
    /// Whether values are texts or bytes of any length.
    is_text: bool,
    /// Headers and all.
    pages: VecDeque<Bytes>,
    rows_of_pages: Vec<usize>,
    /// Whether pages are compressed: the first one decides.
    is_compressed: Option<bool>,
    /// Of all pages, their headers with them.
    compressed: usize,
    uncompressed: usize,
    count: Count,
    /// Pages by whether they refer to a dictionary.
    plain_pages: i32,
    dictionary_pages: i32,
}

impl Column {
    /// `is_nullable`: rows may be NULL.
    pub(super) fn new(descriptor: ColumnDescPtr, leaf: Box<dyn Leaf>, is_nullable: bool) -> Self {
        let chunk = Chunk::of(&descriptor);
        let levels = Levels::of(&descriptor, is_nullable);
        Self { descriptor, leaf, levels, page: Count::default(), chunk }
    }

    /// Appends all of `values`.
    pub(super) fn write(&mut self, values: &dyn Array, codec: &mut Codec) -> Result<()> {
        if values.null_count() > 0 && matches!(self.levels, Levels::None) {
            let name = self.descriptor.name();
            return Err(ParquetError::General(format!("column {name:?} holds NULL and must not")));
        }
        let mut at = 0;
        while at < values.len() {
            at = match &self.levels {
                Levels::Lists(_) => self.append_lists(values.as_list(), at),
                _ => self.append(values, at),
            };
            if self.page.rows == PAGE_ROWS || self.page.values >= MOST_VALUES || self.leaf.is_full() {
                self.end_page(codec)?;
            }
        }
        Ok(())
    }

    /// Appends as many rows as the page takes; the row after them.
    fn append(&mut self, values: &dyn Array, at: usize) -> usize {
        let room = self.leaf.room(values, at).min(PAGE_ROWS - self.page.rows);
        let rows = at..values.len().min(at.saturating_add(room));
        if let Levels::Optional(valid) = &mut self.levels {
            match values.nulls().filter(|nulls| nulls.null_count() > 0) {
                None => valid.append_n(rows.len(), true),
                Some(nulls) => {
                    let part = nulls.slice(rows.start, rows.len());
                    self.page.nulls += part.null_count();
                    valid.append_buffer(part.inner());
                }
            }
        }
        self.page.rows += rows.len();
        self.page.values += rows.len();
        let end = rows.end;
        self.leaf.append(values, rows);
        end
    }

    fn append_lists(&mut self, list: &ListArray, at: usize) -> usize {
        let Levels::Lists(lists) = &mut self.levels else { return list.len() };
        let ends = list.offsets()[at + 1..].iter().map(|offset| offset.as_usize());
        let first = list.offsets()[at].as_usize();
        let room =
            if first < list.values().len() { self.leaf.room(list.values(), first) } else { usize::MAX };
        let fit = ends.take(PAGE_ROWS - self.page.rows).take_while(|end| end - first <= room).count().max(1);
        let before = lists.len();
        self.page.nulls += lists.append(list, at..at + fit, |items| self.leaf.append(list.values(), items));
        self.page.rows += fit;
        self.page.values += lists.len() - before;
        at + fit
    }

    fn end_page(&mut self, codec: &mut Codec) -> Result<()> {
        let mut body = codec.take_body();
        let page = std::mem::take(&mut self.page);
        self.levels.end_page(&mut body, page.nulls);
        let encoding = self.leaf.end_page(&mut body);
        let chunk = &mut self.chunk;
        chunk.count.rows += page.rows;
        chunk.count.values += page.values;
        chunk.count.nulls += page.nulls;
        chunk.rows_of_pages.push(page.rows);
        match encoding {
            Encoding::PLAIN => chunk.plain_pages += 1,
            _ => chunk.dictionary_pages += 1,
        }
        let bytes = chunk.page(Kind::Data(encoding), page.values, &body, self.leaf.size(), codec)?;
        chunk.pages.push_back(bytes);
        codec.give_back(body);
        Ok(())
    }

    /// Ends the row group: writes the column to it.
    pub(super) fn end<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
        codec: &mut Codec,
    ) -> Result<()> {
        if self.page.rows > 0 {
            self.end_page(codec)?;
        }
        let mut chunk = std::mem::replace(&mut self.chunk, Chunk::of(&self.descriptor));
        let mut dictionary_bytes = None;
        if let Some((words, count)) = self.leaf.end_dictionary() {
            let page = chunk.page(Kind::Dictionary, count, &words, 0, codec)?;
            dictionary_bytes = Some(page.len());
            chunk.pages.push_front(page);
        }
        self.levels.clear();
        let statistics = self.leaf.end_statistics(chunk.count.nulls as u64);
        let is_compressed = chunk.is_compressed.unwrap_or(false);
        let mut metadata = ColumnChunkMetaData::builder(self.descriptor.clone())
            .set_compression(if is_compressed { codec.name() } else { Compression::UNCOMPRESSED })
            .set_encodings(chunk.encodings())
            .set_page_encoding_stats(chunk.page_encodings())
            .set_total_compressed_size(signed(chunk.compressed))
            .set_total_uncompressed_size(signed(chunk.uncompressed))
            .set_num_values(signed(chunk.count.values))
            .set_data_page_offset(signed(dictionary_bytes.unwrap_or(0)))
            .set_statistics(statistics);
        if dictionary_bytes.is_some() {
            metadata = metadata.set_dictionary_page_offset(Some(0));
        }
        let close = ColumnCloseResult {
            bytes_written: chunk.compressed as u64,
            rows_written: chunk.count.rows as u64,
            metadata: metadata.build()?,
            bloom_filter: None,
            column_index: None,
            offset_index: Some(chunk.offsets(dictionary_bytes)),
        };
        let pages = Pages { bytes: chunk.compressed as u64, pages: Mutex::new(chunk.pages) };
        group.append_column(&pages, close)
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.chunk.compressed + self.leaf.memory() + self.levels.memory()
    }

    /// Encoded bytes, about.
    pub(super) fn size(&self) -> usize {
        self.chunk.compressed + self.leaf.size()
    }
}

impl Chunk {
    fn of(descriptor: &ColumnDescPtr) -> Self {
        Self { is_text: descriptor.physical_type() == Type::BYTE_ARRAY, ..Self::default() }
    }

    /// A page as it stands in the file. `more`: bytes of a dictionary that are compressed as pages are.
    fn page(
        &mut self,
        kind: Kind,
        values: usize,
        body: &[u8],
        more: usize,
        codec: &mut Codec,
    ) -> Result<Bytes> {
        let is_text = self.is_text && kind == Kind::Data(Encoding::PLAIN) && body.len() >= LONG_BYTES;
        let too_large = |_| ParquetError::General(format!("a page of {} bytes", body.len()));
        let whole = i32::try_from(body.len()).map_err(too_large)?;
        let is_tried = self.is_compressed.is_none() && !codec.is_none();
        let mut stored = body;
        if is_tried || self.is_compressed == Some(true) {
            stored = codec.compress(body, is_text)?;
        }
        if is_tried {
            // A twelfth less is not worth the work, here and where it is read.
            let is_worth_it = stored.len() * 12 < body.len() * 11;
            let is_compressed = is_worth_it || body.len() < TRIAL_BYTES || more > body.len();
            self.is_compressed = Some(is_compressed);
            stored = if is_compressed { stored } else { body };
        }
        let size = i32::try_from(stored.len()).map_err(too_large)?;
        let mut page = Vec::with_capacity(header::BYTES + stored.len());
        header::put(&mut page, kind, values, whole, size);
        self.uncompressed += page.len() + body.len();
        page.extend_from_slice(stored);
        self.compressed += page.len();
        Ok(page.into())
    }

    fn encodings(&self) -> Vec<Encoding> {
        let mut encodings = vec![Encoding::RLE];
        if self.plain_pages > 0 || self.dictionary_pages > 0 {
            encodings.push(Encoding::PLAIN);
        }
        if self.dictionary_pages > 0 {
            encodings.push(Encoding::RLE_DICTIONARY);
        }
        encodings
    }

    fn page_encodings(&self) -> Vec<PageEncodingStats> {
        let pages = [
            (PageType::DICTIONARY_PAGE, Encoding::PLAIN, self.dictionary_pages.min(1)),
            (PageType::DATA_PAGE, Encoding::RLE_DICTIONARY, self.dictionary_pages),
            (PageType::DATA_PAGE, Encoding::PLAIN, self.plain_pages),
        ];
        let pages = pages.into_iter().filter(|(.., count)| *count > 0);
        pages.map(|(page_type, encoding, count)| PageEncodingStats { page_type, encoding, count }).collect()
    }

    /// Where pages of values are, from the beginning of the first page.
    fn offsets(&self, dictionary_bytes: Option<usize>) -> OffsetIndexMetaData {
        let mut offsets = OffsetIndexBuilder::new();
        let mut offset = dictionary_bytes.unwrap_or(0);
        let pages = self.pages.iter().skip(usize::from(dictionary_bytes.is_some()));
        for (page, rows) in pages.zip(&self.rows_of_pages) {
            offsets.append_row_count(signed(*rows));
            offsets.append_offset_and_size(signed(offset), i32::try_from(page.len()).unwrap_or(i32::MAX));
            offset += page.len();
        }
        offsets.build()
    }
}

fn signed(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Pages that are read once, from the first on, and forgotten as they are read.
struct Pages {
    pages: Mutex<VecDeque<Bytes>>,
    bytes: u64,
}

impl Length for Pages {
    fn len(&self) -> u64 {
        self.bytes
    }
}

impl ChunkReader for Pages {
    type T = PagesRead;

    fn get_read(&self, _: u64) -> Result<PagesRead> {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(PagesRead(std::mem::take(&mut pages)))
    }

    fn get_bytes(&self, _: u64, _: usize) -> Result<Bytes> {
        Err(ParquetError::NYI("pages are read in their order".to_owned()))
    }
}

struct PagesRead(VecDeque<Bytes>);

impl Read for PagesRead {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while let Some(page) = self.0.front_mut() {
            if page.is_empty() {
                self.0.pop_front();
                continue;
            }
            let length = page.len().min(out.len());
            page.copy_to_slice(&mut out[..length]);
            return Ok(length);
        }
        Ok(0)
    }
}
