//! A COPY read straight from the line: large reads, no message objects.

use std::io;
use std::marker::PhantomData;

use bytes::BytesMut;
use fallible_iterator::FallibleIterator;
use postgres_protocol::message::backend::{ErrorResponseBody, Message};
use postgres_protocol::message::frontend;
use protocol::{Error, Result};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::session::Client;
use super::wire::Loan;
use crate::source::postgres::error::{broken, refused};

/// Room for what is read at once. A row may be longer: it comes in parts.
const BUFFER_BYTES: usize = 256 * 1024;
/// Most bytes of a message that is no row; a longer one is no message.
const MESSAGE_BYTES: usize = 16 * 1024 * 1024;
const HEADER_BYTES: usize = 5;

/// The rows of a `COPY … TO STDOUT`. Dropping it before the end ends the session and what the server
/// does for it.
pub(crate) struct CopyOut<'a> {
    /// The line, until the whole answer is read.
    loan: Option<Loan>,
    what: String,
    buffer: Vec<u8>,
    /// What is read and not yet looked at: `buffer[start..end]`.
    start: usize,
    end: usize,
    /// Bytes that are still to come of the row at `start`.
    missing: usize,
    rows: Option<u64>,
    error: Option<Error>,
    /// Nobody else uses the session meanwhile.
    _session: PhantomData<&'a mut Client>,
}

impl CopyOut<'_> {
    /// Sends `sql` and waits until the first row can come. `what` begins an error's message.
    pub(super) async fn start(loan: Loan, sql: &str, what: &str) -> Result<Self> {
        let mut copy = Self {
            loan: Some(loan),
            what: what.to_owned(),
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            missing: 0,
            rows: None,
            error: None,
            _session: PhantomData,
        };
        let mut request = BytesMut::new();
        frontend::query(sql, &mut request).map_err(|error| {
            Error::internal(format!("{what}: the statement holds a NUL")).with_source(error)
        })?;
        copy.send(&request).await.map_err(|error| broken(what, &error))?;
        loop {
            match copy.message().await? {
                Message::CopyOutResponse(_) => return Ok(copy),
                other => copy.control(&other)?,
            }
            if copy.loan.is_none() {
                return Err(copy.unasked());
            }
        }
    }

    /// The next bytes of rows, cut anywhere; `None` once the server says that all were sent.
    pub(crate) async fn chunk(&mut self) -> Result<Option<&[u8]>> {
        Ok(if self.wait().await? { self.part() } else { None })
    }

    /// Waits until [`part`](Self::part) has something; false once the server says that all was sent.
    pub(crate) async fn wait(&mut self) -> Result<bool> {
        loop {
            self.enter();
            if self.missing > 0 && self.start < self.end {
                return Ok(true);
            }
            if self.missing > 0 || self.end - self.start < HEADER_BYTES {
                if self.loan.is_none() {
                    return Ok(false);
                }
                self.fill().await?;
            } else {
                let message = self.message().await?;
                self.control(&message)?;
            }
        }
    }

    /// What is here of the next row: all of it, unless the buffer ends before.
    #[inline]
    pub(crate) fn part(&mut self) -> Option<&[u8]> {
        self.enter();
        let from = self.start;
        let part = self.missing.min(self.end - from);
        self.start += part;
        self.missing -= part;
        if part > 0 { Some(&self.buffer[from..self.start]) } else { None }
    }

    /// How many rows the server says it sent; known after the end.
    pub(crate) fn rows(&self) -> Option<u64> {
        self.rows
    }

    /// Steps over the headers of rows, where one is next, up to the first that has bytes.
    #[inline]
    fn enter(&mut self) {
        while self.missing == 0 {
            let &[b'd', a, b, c, d, ..] = &self.buffer[self.start..self.end] else { return };
            self.missing = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_sub(HEADER_BYTES - 1);
            self.start += HEADER_BYTES;
        }
    }

    /// The message at the start of the buffer, which is no row.
    async fn message(&mut self) -> Result<Message> {
        loop {
            let waiting = &self.buffer[self.start..self.end];
            if let &[_, a, b, c, d, ..] = waiting {
                let length = u32::from_be_bytes([a, b, c, d]) as usize + 1;
                if length > MESSAGE_BYTES {
                    return Err(self.nonsense());
                }
                if let Some(message) = waiting.get(..length) {
                    let mut message = BytesMut::from(message);
                    self.start += length;
                    return Message::parse(&mut message).ok().flatten().ok_or_else(|| self.nonsense());
                }
                if length > self.buffer.len() {
                    self.buffer.resize(length, 0);
                }
            }
            self.fill().await?;
        }
    }

    /// Takes note of a message that is no row.
    fn control(&mut self, message: &Message) -> Result<()> {
        match message {
            Message::CommandComplete(body) => {
                let tag = body.tag().unwrap_or_default();
                self.rows = tag.strip_prefix("COPY ").and_then(|rows| rows.parse().ok());
            }
            Message::ErrorResponse(body) => self.error = Some(self.refused(body)),
            Message::ReadyForQuery(_) => {
                if let Some(loan) = self.loan.take() {
                    loan.finish();
                }
                if let Some(error) = self.error.take() {
                    return Err(error);
                }
                if self.rows.is_none() {
                    return Err(self.unasked());
                }
            }
            Message::CopyOutResponse(_)
            | Message::CopyDone
            | Message::NoticeResponse(_)
            | Message::NotificationResponse(_)
            | Message::ParameterStatus(_) => {}
            _ => return Err(self.unasked()),
        }
        Ok(())
    }

    fn refused(&self, body: &ErrorResponseBody) -> Error {
        let (mut code, mut message) = (String::new(), String::new());
        let mut fields = body.fields();
        while let Ok(Some(field)) = fields.next() {
            let value = || String::from_utf8_lossy(field.value_bytes()).into_owned();
            match field.type_() {
                b'C' => code = value(),
                b'M' => message = value(),
                _ => {}
            }
        }
        refused(&self.what, &code, &message)
    }

    fn unasked(&self) -> Error {
        Error::internal(format!("{}: the statement copies nothing out", self.what))
    }

    fn nonsense(&self) -> Error {
        Error::transient(format!("{}: the server's answer makes no sense", self.what))
    }

    async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        let Some(loan) = &mut self.loan else { return Err(io::ErrorKind::NotConnected.into()) };
        loan.write_all(request).await?;
        loan.flush().await
    }

    /// Reads on, behind what is not yet looked at.
    async fn fill(&mut self) -> Result<()> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let read = match &mut self.loan {
            Some(loan) => loan.read(&mut self.buffer[self.end..]).await,
            None => Ok(0),
        };
        match read {
            Ok(0) => Err(self.lost(&io::ErrorKind::UnexpectedEof.into())),
            Ok(read) => {
                self.end += read;
                Ok(())
            }
            Err(error) => Err(self.lost(&error)),
        }
    }

    /// The line is gone; what the server said before is the better reason.
    fn lost(&mut self, error: &io::Error) -> Error {
        self.error.take().unwrap_or_else(|| broken(&self.what, error))
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use tokio::io::duplex;

    use super::super::wire::Wire;
    use super::*;

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
        [&[kind], length.as_slice(), body].concat()
    }

    /// What comes between rows.
    fn aside(kind: u8) -> Vec<u8> {
        match kind {
            0 => message(b'N', b"SNOTICE\0C00000\0Msomething\0\0"),
            1 => message(b'S', b"TimeZone\0UTC\0"),
            _ => Vec::new(),
        }
    }

    /// What comes out of an answer that arrives `step` bytes at a time.
    fn copied(answer: Vec<u8>, step: usize) -> Result<(Vec<u8>, Option<u64>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let (ours, mut theirs) = duplex(step);
            let (_wire, handle) = Wire::new(Box::new(ours));
            let server = async move {
                let mut request = [0; 10];
                theirs.read_exact(&mut request).await.unwrap();
                let _ = theirs.write_all(&answer).await;
            };
            let client = async move {
                let mut copy = CopyOut::start(handle.borrow().unwrap(), "COPY", "reading").await?;
                let mut bytes = Vec::new();
                while let Some(chunk) = copy.chunk().await? {
                    assert!(!chunk.is_empty());
                    bytes.extend_from_slice(chunk);
                }
                Ok((bytes, copy.rows()))
            };
            tokio::spawn(server);
            client.await
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn rows_come_out_whole_however_the_answer_is_cut(
            rows in vec((vec(any::<u8>(), 0..400), 0..9_u8), 0..60),
            step in 1..3000_usize,
        ) {
            let mut answer = message(b'H', &[1, 0, 1, 0, 1]);
            for (row, between) in &rows {
                answer.extend(message(b'd', row));
                answer.extend(aside(*between));
            }
            answer.extend(message(b'c', b""));
            answer.extend(message(b'C', format!("COPY {}\0", rows.len()).as_bytes()));
            answer.extend(message(b'Z', b"I"));
            let expected: Vec<u8> = rows.iter().flat_map(|(row, _)| row.clone()).collect();
            let (bytes, counted) = copied(answer, step).unwrap();
            prop_assert_eq!(bytes, expected);
            prop_assert_eq!(counted, Some(rows.len() as u64));
        }

        #[test]
        fn an_answer_that_ends_early_is_an_error(
            rows in vec(vec(any::<u8>(), 0..40), 1..10),
            step in 1..300_usize,
            kept in 0..1000_usize,
        ) {
            let mut answer = message(b'H', &[1, 0, 1, 0, 1]);
            answer.extend(rows.iter().flat_map(|row| message(b'd', row)));
            answer.extend(message(b'C', b"COPY 1\0"));
            answer.truncate(answer.len() * kept / 1000);
            prop_assert_eq!(copied(answer, step).unwrap_err().kind(), protocol::ErrorKind::Transient);
        }

        #[test]
        fn no_bytes_make_it_panic(answer in vec(any::<u8>(), 0..300), step in 1..100_usize) {
            let _ = copied([message(b'H', b"\x01\0\0"), answer].concat(), step);
        }
    }
}
