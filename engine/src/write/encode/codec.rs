//! The compressor of a file's pages: one, with its memory, for all columns.

use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::{ParquetError, Result};

/// Level of zstd. The next ones take more time than they save bytes.
pub(crate) const ZSTD_LEVEL: i32 = 1;
/// A page grows beyond it only where a single value does.
const LARGE_BYTES: usize = 1 << 20;

pub(super) struct Codec {
    compressor: Compressor,
    body: Vec<u8>,
    out: Vec<u8>,
}

enum Compressor {
    Zstd(zstd::bulk::Compressor<'static>),
    Snappy(snap::raw::Encoder),
    None,
}

impl Codec {
    pub(super) fn new(compression: Compression) -> Result<Self> {
        let compressor = match compression {
            Compression::ZSTD(level) => {
                Compressor::Zstd(zstd::bulk::Compressor::new(level.compression_level())?)
            }
            Compression::SNAPPY => Compressor::Snappy(snap::raw::Encoder::new()),
            Compression::UNCOMPRESSED => Compressor::None,
            other => return Err(ParquetError::NYI(format!("pages compressed by {other}"))),
        };
        Ok(Self { compressor, body: Vec::new(), out: Vec::new() })
    }

    /// What the metadata of a column calls it.
    pub(super) fn name(&self) -> Compression {
        match self.compressor {
            Compressor::Zstd(_) => Compression::ZSTD(ZstdLevel::default()),
            Compressor::Snappy(_) => Compression::SNAPPY,
            Compressor::None => Compression::UNCOMPRESSED,
        }
    }

    pub(super) fn compress(&mut self, page: &[u8]) -> Result<&[u8]> {
        let bound = match &self.compressor {
            Compressor::Zstd(_) => zstd::zstd_safe::compress_bound(page.len()),
            Compressor::Snappy(_) => snap::raw::max_compress_len(page.len()),
            Compressor::None => 0,
        };
        if self.out.len() < bound || self.out.len() > LARGE_BYTES {
            self.out = vec![0; bound];
        }
        let length = match &mut self.compressor {
            Compressor::Zstd(zstd) => zstd.compress_to_buffer(page, self.out.as_mut_slice())?,
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
