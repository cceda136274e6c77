//! One line with two users: the driver of the session, and whoever reads a COPY straight from it.
//!
//! The driver takes every answer through a channel, eight kilobytes at a time; for a few large answers
//! that costs more than decoding them. So a COPY borrows the line while the driver sleeps.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::silence::Silence;
use super::socket::Stream;

/// The line as the driver of the session sees it.
pub(super) struct Wire(Arc<Mutex<Shared>>);

/// A hold on the line from outside its driver.
#[derive(Clone)]
pub(super) struct Handle(Arc<Mutex<Shared>>);

/// The line itself, as long as this lives.
pub(super) struct Loan {
    shared: Arc<Mutex<Shared>>,
    finished: bool,
}

struct Shared {
    /// None once it is closed.
    stream: Option<Stream>,
    user: User,
    /// The driver, to tell it that the line is back or gone.
    driver: Option<Waker>,
    /// What the server said first, until it is taken.
    heard: Option<Vec<u8>>,
    silence: Silence,
    /// Closed because no answer came.
    is_dead: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum User {
    Driver,
    Borrower,
    /// Given up in the middle of an answer: nobody can make sense of what follows.
    Nobody,
}

/// Enough for all that a server says before it is ready.
const HEARD_BYTES: usize = 64 * 1024;

impl Wire {
    pub(super) fn new(stream: Stream) -> (Self, Handle) {
        let shared = Shared {
            stream: Some(stream),
            user: User::Driver,
            driver: None,
            heard: Some(Vec::new()),
            silence: Silence::new(),
            is_dead: false,
        };
        let shared = Arc::new(Mutex::new(shared));
        (Self(Arc::clone(&shared)), Handle(shared))
    }
}

impl Handle {
    /// Takes the line. Nothing that the driver sent may still be unanswered.
    pub(super) fn borrow(&self) -> io::Result<Loan> {
        let mut shared = lock(&self.0);
        if shared.user != User::Driver {
            return Err(gone());
        }
        shared.user = User::Borrower;
        drop(shared);
        Ok(Loan { shared: Arc::clone(&self.0), finished: false })
    }

    /// Whether a borrower has left an answer half read.
    pub(super) fn is_abandoned(&self) -> bool {
        lock(&self.0).user == User::Nobody
    }

    /// Closes the line, whoever has it.
    pub(super) fn close(&self) {
        let stream = lock(&self.0).stream.take();
        drop(stream);
    }

    /// Since when somebody waits for the server and hears nothing.
    pub(super) fn silent_since(&self) -> Option<Instant> {
        let shared = lock(&self.0);
        shared.silence.since(shared.user == User::Borrower)
    }

    /// Closes the line because nothing will come any more: whoever waits is told.
    pub(super) fn give_up(&self) {
        let mut shared = lock(&self.0);
        shared.is_dead = true;
        let (stream, borrower) = (shared.stream.take(), shared.silence.borrower());
        let driver = shared.driver.clone();
        drop(shared);
        drop(stream);
        borrower.into_iter().chain(driver).for_each(Waker::wake);
    }

    /// What the server said until now; from here on nothing is kept.
    pub(super) fn heard(&self) -> Vec<u8> {
        lock(&self.0).heard.take().unwrap_or_default()
    }
}

impl Loan {
    /// Gives the line back: the whole answer is read.
    pub(super) fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Loan {
    fn drop(&mut self) {
        let mut shared = lock(&self.shared);
        shared.user = if self.finished { User::Driver } else { User::Nobody };
        shared.silence.borrower_moved();
        let driver = shared.driver.clone();
        drop(shared);
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // A panic inside the stream leaves bytes at worst, and the next message shows it.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the session was left in the middle of an answer")
}

fn dead() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the server does not answer")
}

impl Shared {
    /// The line for the driver: waits while it is lent.
    fn poll_driver(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Pin<&mut Stream>>> {
        if !self.driver.as_ref().is_some_and(|driver| driver.will_wake(cx.waker())) {
            self.driver = Some(cx.waker().clone());
        }
        match self.user {
            User::Driver => Poll::Ready(self.open()),
            User::Nobody => Poll::Ready(Err(gone())),
            User::Borrower => Poll::Pending,
        }
    }

    fn open(&mut self) -> io::Result<Pin<&mut Stream>> {
        let lost = if self.is_dead { dead } else { gone };
        self.stream.as_mut().map(Pin::new).ok_or_else(lost)
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut shared = lock(&self.0);
        let before = buf.filled().len();
        let stream = std::task::ready!(shared.poll_driver(cx))?;
        let read = stream.poll_read(cx, buf);
        let new = &buf.filled()[before..];
        if let Some(heard) = shared.heard.as_mut().filter(|heard| heard.len() < HEARD_BYTES) {
            heard.extend_from_slice(new);
        }
        if !new.is_empty() {
            shared.silence.heard(new);
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let mut shared = lock(&self.0);
        let written = std::task::ready!(shared.poll_driver(cx))?.poll_write(cx, buf);
        if let Poll::Ready(Ok(bytes)) = written {
            shared.silence.sent(&buf[..bytes]);
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(lock(&self.0).poll_driver(cx))?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(lock(&self.0).poll_driver(cx))?.poll_shutdown(cx)
    }
}

impl AsyncRead for Loan {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut shared = lock(&self.shared);
        let read = shared.open()?.poll_read(cx, buf);
        match &read {
            Poll::Pending => shared.silence.borrower_waits(cx.waker()),
            Poll::Ready(_) => shared.silence.borrower_moved(),
        }
        read
    }
}

impl AsyncWrite for Loan {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        lock(&self.shared).open()?.poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.shared).open()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        lock(&self.shared).open()?.poll_shutdown(cx)
    }
}
