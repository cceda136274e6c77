//! Content encodings undone piece by piece: gzip, deflate, Brotli, Zstandard, also on top of each other.
//!
//! Memory is bounded whatever comes: an answer is undone in pieces of [`PIECE`] bytes, and windows have a limit.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use zstd::stream::raw::{DParameter, Operation as _};

/// What is named in `Accept-Encoding`.
pub(super) const ACCEPTED: &str = "gzip, deflate, br, zstd";
/// Bytes undone at once.
const PIECE: usize = 64 << 10;
/// Encodings on top of each other: more is nothing that anybody means.
const LAYERS: usize = 4;
/// Largest window of Zstandard, as RFC 9659 has it: 8 MiB.
const WINDOW: u32 = 23;

/// Undoes the encodings of one body.
pub(super) struct Inflater {
    queue: Queue,
    reader: Box<dyn Read + Send>,
}

/// What came of asking for a piece.
pub(super) enum Piece {
    /// Bytes, never none.
    Bytes(Bytes),
    /// More has to be pushed first.
    Hungry,
    /// There is no more.
    End,
}

impl Inflater {
    /// For a body of these encodings, as `Content-Encoding` names them. `None` where there is nothing to undo, or
    /// something that is not known and is passed on as it is.
    pub(super) fn new(encodings: &str) -> io::Result<Option<Self>> {
        let names: Vec<String> = encodings
            .split(',')
            .map(|name| name.trim().to_ascii_lowercase())
            .filter(|name| !name.is_empty() && name != "identity")
            .collect();
        let is_known = |name: &String| matches!(name.as_str(), "gzip" | "x-gzip" | "deflate" | "br" | "zstd");
        if names.is_empty() || !names.iter().all(is_known) {
            return Ok(None);
        }
        if names.len() > LAYERS {
            return Err(io::Error::other("the body is encoded more than four times over"));
        }
        let queue = Queue::default();
        let front = Front { queue: queue.clone(), current: Bytes::new() };
        let mut reader: Box<dyn Read + Send> = undone(&names[names.len() - 1], front)?;
        for name in names.iter().rev().skip(1) {
            reader = undone(name, BufReader::new(reader))?;
        }
        Ok(Some(Self { queue, reader }))
    }

    /// Adds what came.
    pub(super) fn push(&mut self, bytes: Bytes) {
        self.queue.with(|state| {
            state.came |= !bytes.is_empty();
            state.bytes.push_back(bytes);
        });
    }

    /// Says that no more will come.
    pub(super) fn finish(&mut self) {
        self.queue.with(|state| state.ended = true);
    }

    /// The next piece of what was encoded.
    pub(super) fn pull(&mut self) -> io::Result<Piece> {
        if self.queue.with(|state| state.ended && !state.came) {
            return Ok(Piece::End);
        }
        let mut piece = vec![0; PIECE];
        match self.reader.read(&mut piece) {
            Ok(0) => Ok(Piece::End),
            Ok(length) => {
                piece.truncate(length);
                Ok(Piece::Bytes(piece.into()))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Piece::Hungry),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => self.pull(),
            Err(error) => Err(error),
        }
    }
}

fn undone<R: BufRead + Send + 'static>(name: &str, reader: R) -> io::Result<Box<dyn Read + Send>> {
    Ok(match name {
        "br" => Box::new(brotli_decompressor::Decompressor::new(reader, 16 << 10)),
        "zstd" => Box::new(Frames::new(reader)?),
        "deflate" => Box::new(Deflated::Unknown(reader)),
        _ => Box::new(Members::Between(reader, true)),
    })
}

/// What was pushed and not yet read. Reading more than that would block, until the end was announced.
#[derive(Clone, Default)]
struct Queue(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    bytes: VecDeque<Bytes>,
    came: bool,
    ended: bool,
}

impl Queue {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads the queue. What it looks at is its own, so that it can be lent out.
struct Front {
    queue: Queue,
    current: Bytes,
}

impl Read for Front {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let available = self.fill_buf()?;
        let length = available.len().min(buffer.len());
        buffer[..length].copy_from_slice(&available[..length]);
        self.consume(length);
        Ok(length)
    }
}

impl BufRead for Front {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.current.is_empty() {
            match self.queue.with(|state| state.bytes.pop_front().ok_or(state.ended)) {
                Ok(bytes) => self.current = bytes,
                Err(true) => return Ok(&[]),
                Err(false) => return Err(io::ErrorKind::WouldBlock.into()),
            }
        }
        Ok(&self.current)
    }

    fn consume(&mut self, amount: usize) {
        self.current.advance(amount);
    }
}

/// One gzip member after the other. What follows the last one and is none is passed over, as browsers do.
enum Members<R> {
    Inside(GzDecoder<R>),
    /// With whether no member was read yet.
    Between(R, bool),
    Done,
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                Self::Inside(decoder) => match decoder.read(buffer)? {
                    0 => {
                        let Self::Inside(decoder) = std::mem::replace(self, Self::Done) else { return Ok(0) };
                        *self = Self::Between(decoder.into_inner(), false);
                    }
                    length => return Ok(length),
                },
                Self::Between(reader, is_first) => {
                    let next = reader.fill_buf()?;
                    if next.is_empty() {
                        return Ok(0);
                    }
                    let is_member = next[0] == 0x1f;
                    if !is_member && *is_first {
                        return Err(io::Error::new(io::ErrorKind::InvalidData, "the body is not gzip"));
                    }
                    let Self::Between(reader, _) = std::mem::replace(self, Self::Done) else { return Ok(0) };
                    if is_member {
                        *self = Self::Inside(GzDecoder::new(reader));
                    }
                }
                Self::Done => return Ok(0),
            }
        }
    }
}

/// Frames of Zstandard. (The reader of the crate fails where it is asked often while nothing comes.)
struct Frames<R> {
    decoder: zstd::stream::raw::Decoder<'static>,
    reader: R,
    is_inside: bool,
    /// There was no room for all that the last input gave.
    is_full: bool,
}

impl<R: BufRead> Frames<R> {
    fn new(reader: R) -> io::Result<Self> {
        let mut decoder = zstd::stream::raw::Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW))?;
        Ok(Self { decoder, reader, is_inside: false, is_full: false })
    }
}

impl<R: BufRead> Read for Frames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let input = if self.is_full { &[] } else { self.reader.fill_buf()? };
            if input.is_empty() && !self.is_full {
                return if self.is_inside { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(0) };
            }
            if !self.is_inside {
                self.decoder.reinit()?;
            }
            let status = self.decoder.run_on_buffers(input, buffer)?;
            self.reader.consume(status.bytes_read);
            self.is_inside = status.remaining != 0;
            self.is_full = self.is_inside && status.bytes_written == buffer.len();
            if status.bytes_written > 0 {
                return Ok(status.bytes_written);
            }
        }
    }
}

/// `deflate` is zlib by the book, and bare in what some servers send: the first byte tells.
enum Deflated<R> {
    Unknown(R),
    Zlib(ZlibDecoder<R>),
    Bare(DeflateDecoder<R>),
    Done,
}

impl<R: BufRead> Read for Deflated<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if let Self::Unknown(reader) = self {
            let next = reader.fill_buf()?;
            let is_zlib = next.first().is_some_and(|byte| byte & 0x0f == 8 && byte >> 4 <= 7);
            if let Self::Unknown(reader) = std::mem::replace(self, Self::Done) {
                *self = if is_zlib {
                    Self::Zlib(ZlibDecoder::new(reader))
                } else {
                    Self::Bare(DeflateDecoder::new(reader))
                };
            }
        }
        match self {
            Self::Zlib(decoder) => decoder.read(buffer),
            Self::Bare(decoder) => decoder.read(buffer),
            Self::Unknown(_) | Self::Done => Ok(0),
        }
    }
}

#[cfg(test)]
mod tests;
