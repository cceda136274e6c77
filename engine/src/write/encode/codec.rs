//! The compressor of a file's pages: one, with its memory, for all columns.

use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::{ParquetError, Result};
use zstd::zstd_safe::CParameter;

/// So many bytes of a text must come again to be referred to: to refer to fewer costs time, and brings in nothing.
const TEXT_MATCH: u32 = 7;
/// What zstd takes for pages of their length.
const OTHER_MATCH: u32 = 0;
/// A page grows beyond it only where a single value does.
const LARGE_BYTES: usize = 1 << 20;

pub(super) struct Codec {
    compressor: Compressor,
    body: Vec<u8>,
    out: Vec<u8>,
}

enum Compressor {
    Zstd { compressor: zstd::bulk::Compressor<'static>, is_for_text: bool },
    Snappy(Box<snap::raw::Encoder>),
    None,
}

impl Codec {
    pub(super) fn new(compression: Compression) -> Result<Self> {
        let compressor = match compression {
            Compression::ZSTD(level) => {
                let compressor = zstd::bulk::Compressor::new(level.compression_level())?;
                Compressor::Zstd { compressor, is_for_text: false }
            }
            Compression::SNAPPY => Compressor::Snappy(Box::new(snap::raw::Encoder::new())),
            Compression::UNCOMPRESSED => Compressor::None,
            other => return Err(ParquetError::NYI(format!("pages compressed by {other}"))),
        };
        Ok(Self { compressor, body: Vec::new(), out: Vec::new() })
    }

    /// What the metadata of a column calls it.
    pub(super) fn name(&self) -> Compression {
        match self.compressor {
            Compressor::Zstd { .. } => Compression::ZSTD(ZstdLevel::default()),
            Compressor::Snappy(_) => Compression::SNAPPY,
            Compressor::None => Compression::UNCOMPRESSED,
        }
    }

    /// `is_text`: the page is mostly one of texts.
    pub(super) fn compress(&mut self, page: &[u8], is_text: bool) -> Result<&[u8]> {
        let bound = match &self.compressor {
            Compressor::Zstd { .. } => zstd::zstd_safe::compress_bound(page.len()),
            Compressor::Snappy(_) => snap::raw::max_compress_len(page.len()),
            Compressor::None => 0,
        };
        if self.out.len() < bound || self.out.len() > LARGE_BYTES {
            self.out = vec![0; bound];
        }
        let length = match &mut self.compressor {
            Compressor::Zstd { compressor, is_for_text } => {
                if *is_for_text != is_text {
                    let length = if is_text { TEXT_MATCH } else { OTHER_MATCH };
                    compressor.set_parameter(CParameter::MinMatch(length))?;
                    *is_for_text = is_text;
                }
                compressor.compress_to_buffer(page, self.out.as_mut_slice())?
            }
            Compressor::Snappy(snappy) => snappy
                .compress(page, &mut self.out)
                .map_err(|error| ParquetError::External(Box::new(error)))?,
            Compressor::None => 0,
        };
        Ok(&self.out[..length])
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self.compressor, Compressor::None)
    }

    /// Memory for a page that is to be compressed. It is to be given back.
    pub(super) fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    pub(super) fn give_back(&mut self, mut body: Vec<u8>) {
        if body.capacity() <= LARGE_BYTES {
            body.clear();
            self.body = body;
        }
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.body.capacity() + self.out.capacity()
    }
}
