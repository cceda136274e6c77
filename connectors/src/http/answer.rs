//! What came back: whole, or as a stream of bytes within limits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::stream::BoxStream;
use protocol::{ByteSize, Error, Result};
use tokio::time::Instant;
use url::Url;

use super::coding::{Inflater, Piece};
use super::failure::{host, lost};

/// Least that comes in the time of one idle time-out. Less is a server that holds us on purpose.
const PACE: u64 = 16 << 10;
/// A body may always become that large.
const EASY: u64 = 256 << 20;
/// Beyond that it may become so many times larger than it came.
const RATIO: u64 = 2_000;
/// Room taken for a body before it comes, at most.
const RESERVED: u64 = 16 << 20;

/// A whole answer, within the client's limits, its content encodings undone.
#[derive(Clone)]
pub struct Answer {
    /// 200, 404 ...
    pub status: u16,
    /// Where it came from, after redirects.
    pub url: Url,
    /// In the order in which they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The first header of that name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }
}

/// An answer of which the body is still to come. Holds its connection until it is read to its end or dropped.
pub struct Incoming {
    /// 200, 404 ...
    pub status: u16,
    /// Where it came from, after redirects.
    pub url: Url,
    /// In the order in which they came, names in lower case.
    pub headers: Vec<(String, String)>,
    body: Source,
}

enum Source {
    Line(Box<Body>),
    /// It is here already.
    Held(Bytes),
}

impl From<Answer> for Incoming {
    /// An answer that is here already, as one that is still to come.
    fn from(answer: Answer) -> Self {
        let Answer { status, url, headers, body } = answer;
        Self { status, url, headers, body: Source::Held(body) }
    }
}

/// What bounds a body.
pub(super) struct Bounds {
    /// Longest silence.
    pub(super) idle: Duration,
    /// Largest that is taken whole.
    pub(super) max_body: ByteSize,
    /// Largest that is read as a stream.
    pub(super) max_download: ByteSize,
}

struct Body {
    response: reqwest::Response,
    inflater: Option<Inflater>,
    bounds: Bounds,
    url: Url,
    /// Bytes that came, and what they became.
    came: u64,
    became: u64,
    /// Waited since so many bytes had come.
    waited: Duration,
    marked: u64,
    ended: bool,
}

impl Incoming {
    pub(super) fn new(response: reqwest::Response, url: Url, bounds: Bounds) -> Result<Self> {
        let status = response.status().as_u16();
        let headers: Vec<(String, String)> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), latin(value.as_bytes())))
            .collect();
        let encodings: Vec<&str> = headers
            .iter()
            .filter(|(name, _)| name == "content-encoding")
            .map(|(_, value)| value.as_str())
            .collect();
        let inflater = Inflater::new(&encodings.join(",")).map_err(|error| garbled(&url, error))?;
        let (waited, marked) = (Duration::ZERO, 0);
        let body = Body {
            response,
            inflater,
            bounds,
            url: url.clone(),
            came: 0,
            became: 0,
            waited,
            marked,
            ended: false,
        };
        Ok(Self { status, url, headers, body: Source::Line(Box::new(body)) })
    }

    /// The first header of that name, in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The next piece of the body, its content encodings undone; none at its end. Fails with
    /// [`ErrorKind::Transient`](protocol::ErrorKind::Transient) where the body breaks off.
    pub async fn next(&mut self) -> Result<Option<Bytes>> {
        match &mut self.body {
            Source::Line(body) => body.next(body.bounds.max_download).await,
            Source::Held(body) => Ok(Some(std::mem::take(body)).filter(|body| !body.is_empty())),
        }
    }

    /// The pieces of the body.
    #[must_use]
    pub fn into_stream(self) -> BoxStream<'static, Result<Bytes>> {
        Box::pin(futures::stream::try_unfold(self, |mut incoming| async move {
            Ok(incoming.next().await?.map(|piece| (piece, incoming)))
        }))
    }

    /// Reads the body whole, as far as the client's limit allows.
    pub async fn whole(self) -> Result<Answer> {
        let Self { status, url, headers, body } = self;
        let body = match body {
            Source::Held(body) => body,
            Source::Line(mut body) => {
                let length = find(&headers, "content-length").and_then(|length| length.parse().ok());
                body.whole(length).await?
            }
        };
        Ok(Answer { status, url, headers, body })
    }

    /// The head alone.
    pub(super) fn head(&self) -> Answer {
        Answer {
            status: self.status,
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: Bytes::new(),
        }
    }
}

impl Body {
    /// All of it; `length` is what was announced.
    async fn whole(&mut self, length: Option<u64>) -> Result<Bytes> {
        let limit = self.bounds.max_body;
        if self.inflater.is_none() && length.is_some_and(|length| length > limit.get()) {
            return Err(self.too_large(limit));
        }
        let Some(first) = self.next(limit).await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next(limit).await? else { return Ok(first) };
        let room = length.unwrap_or_default().min(RESERVED).max((first.len() + second.len()) as u64 * 2);
        let mut whole = BytesMut::with_capacity(usize::try_from(room).unwrap_or_default());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(piece) = self.next(limit).await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    async fn next(&mut self, limit: ByteSize) -> Result<Option<Bytes>> {
        loop {
            let Some(inflater) = &mut self.inflater else {
                let piece = self.chunk().await?;
                return piece.map(|piece| self.counted(piece, limit)).transpose();
            };
            match inflater.pull().map_err(|error| garbled(&self.url, error))? {
                Piece::Bytes(piece) => return self.counted(piece, limit).map(Some),
                Piece::End => return Ok(None),
                Piece::Hungry => match self.chunk().await? {
                    Some(piece) => self.inflater.iter_mut().for_each(|inflater| inflater.push(piece.clone())),
                    None => self.inflater.iter_mut().for_each(Inflater::finish),
                },
            }
        }
    }

    /// What comes next over the line.
    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        if self.ended {
            return Ok(None);
        }
        loop {
            let begun = Instant::now();
            let Ok(chunk) = tokio::time::timeout(self.bounds.idle, self.response.chunk()).await else {
                return Err(silent(&self.url, self.bounds.idle));
            };
            let Some(chunk) = chunk.map_err(|error| lost(error, &self.url))? else {
                self.ended = true;
                return Ok(None);
            };
            self.came += chunk.len() as u64;
            self.keeps_pace(begun.elapsed())?;
            if !chunk.is_empty() {
                return Ok(Some(chunk));
            }
        }
    }

    fn keeps_pace(&mut self, waited: Duration) -> Result<()> {
        self.waited += waited;
        if self.came - self.marked >= PACE {
            (self.waited, self.marked) = (Duration::ZERO, self.came);
        } else if self.waited > self.bounds.idle {
            return Err(Error::transient(format!(
                "the server sent less than {} in {}",
                ByteSize::bytes(PACE),
                protocol::Period::from(self.bounds.idle)
            ))
            .context("host", host(&self.url)));
        }
        Ok(())
    }

    fn counted(&mut self, piece: Bytes, limit: ByteSize) -> Result<Bytes> {
        self.became += piece.len() as u64;
        if self.became > limit.get() {
            return Err(self.too_large(limit));
        }
        if self.became > EASY && self.became / RATIO > self.came {
            return Err(Error::data(format!(
                "an answer becomes {RATIO} times larger when it is decompressed"
            ))
            .context("host", host(&self.url)));
        }
        Ok(piece)
    }

    fn too_large(&self, limit: ByteSize) -> Error {
        Error::data(format!("an answer is larger than {limit}"))
            .context("host", host(&self.url))
            .hint("ask for smaller pages, or raise `max_body` (`max_download` for what is read as a stream)")
    }
}

/// That nothing came for so long.
pub(super) fn silent(url: &Url, idle: Duration) -> Error {
    Error::transient(format!("the server was silent for {}", protocol::Period::from(idle)))
        .context("host", host(url))
}

/// A body that is not what its encoding says. It may have been cut off.
fn garbled(url: &Url, error: std::io::Error) -> Error {
    Error::transient("an answer can't be decompressed").context("host", host(url)).with_source(error)
}

/// Headers are bytes; Python reads them as Latin-1. UTF-8 is what is meant where it is.
fn latin(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
