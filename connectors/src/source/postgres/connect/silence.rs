//! Whether somebody waits for the server, and how long it has said nothing meanwhile.

use std::task::Waker;
use std::time::Instant;

/// Kind and length stand before each message.
const HEADER_BYTES: usize = 5;
const LENGTH_BYTES: usize = 4;
/// What the server ends an answer with,
const READY_FOR_QUERY: u8 = b'Z';
/// and what wants such an end.
const QUERY: u8 = b'Q';
const SYNC: u8 = b'S';
/// Stands for the kind of the first message, which has none.
const NO_KIND: u8 = 0;

/// What is known of a line from the bytes that pass.
pub(super) struct Silence {
    /// When the last byte passed, or, where that is later, when a borrower began to wait.
    moved: Instant,
    /// What the driver has sent that is not yet answered whole.
    owed: u32,
    /// The borrower that waits for bytes.
    borrower: Option<Waker>,
    sent: Messages,
    heard: Messages,
}

impl Silence {
    pub(super) fn new() -> Self {
        let (sent, heard) = (Messages::after(&[NO_KIND]), Messages::after(&[]));
        // The first message is a log-in, and is answered too.
        Self { moved: Instant::now(), owed: 1, borrower: None, sent, heard }
    }

    /// Since when nothing has been heard, if somebody waits for it.
    pub(super) fn since(&self, is_lent: bool) -> Option<Instant> {
        let waits = if is_lent { self.borrower.is_some() } else { self.owed > 0 };
        waits.then_some(self.moved)
    }

    /// The driver has sent these bytes.
    pub(super) fn sent(&mut self, bytes: &[u8]) {
        self.moved = Instant::now();
        let owed = &mut self.owed;
        self.sent.pass(bytes, |kind| *owed += u32::from(matches!(kind, QUERY | SYNC)));
    }

    /// The driver has read these bytes.
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        self.moved = Instant::now();
        let owed = &mut self.owed;
        self.heard.pass(bytes, |kind| *owed = owed.saturating_sub(u32::from(kind == READY_FOR_QUERY)));
    }

    /// A borrower waits for bytes.
    pub(super) fn borrower_waits(&mut self, waker: &Waker) {
        if self.borrower.is_none() {
            self.moved = Instant::now();
        }
        self.borrower = Some(waker.clone());
    }

    /// A borrower has moved some.
    pub(super) fn borrower_moved(&mut self) {
        self.moved = Instant::now();
        self.borrower = None;
    }

    /// The borrower, to tell it that nothing more will come.
    pub(super) fn borrower(&mut self) -> Option<Waker> {
        self.borrower.take()
    }
}

/// Messages that pass in one direction, cut anywhere.
struct Messages {
    header: [u8; HEADER_BYTES],
    /// Bytes of the header that have come.
    headed: usize,
    /// Bytes of the message that are still to come.
    missing: usize,
}

impl Messages {
    /// Messages, of the first of which these bytes have passed.
    fn after(passed: &[u8]) -> Self {
        let mut header = [0; HEADER_BYTES];
        header[..passed.len()].copy_from_slice(passed);
        Self { header, headed: passed.len(), missing: 0 }
    }

    /// Names the kind of each message as soon as its header has passed.
    fn pass(&mut self, mut bytes: &[u8], mut begins: impl FnMut(u8)) {
        loop {
            let part = self.missing.min(bytes.len());
            self.missing -= part;
            bytes = &bytes[part..];
            let &[first, ref rest @ ..] = bytes else { return };
            bytes = rest;
            self.header[self.headed] = first;
            self.headed += 1;
            if self.headed == HEADER_BYTES {
                let [kind, a, b, c, d] = self.header;
                self.headed = 0;
                self.missing = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_sub(LENGTH_BYTES);
                begins(kind);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG_IN: &[u8] = b"\0\0\0\x0c\0\x03\0\0user";
    const QUESTION: &[u8] = b"Q\0\0\0\x08Q;S\0";
    const PREPARED: &[u8] = b"P\0\0\0\x05\0S\0\0\0\x04";
    const ROW: &[u8] = b"D\0\0\0\x09ZZZZZ";
    const READY: &[u8] = b"Z\0\0\0\x05I";

    #[test]
    fn an_answer_is_owed_until_the_server_is_ready_however_it_is_cut() {
        let (questions, answers) = ([LOG_IN, QUESTION, PREPARED].concat(), [ROW, READY].concat());
        for step in 1..=questions.len() {
            let mut silence = Silence::new();
            questions.chunks(step).for_each(|part| silence.sent(part));
            for answered in 0..3 {
                assert!(silence.since(false).is_some(), "{step}: after {answered} answers");
                answers.chunks(step).for_each(|part| silence.heard(part));
            }
            assert!(silence.since(false).is_none(), "{step}");
            // What comes unasked changes nothing.
            silence.heard(b"N\0\0\0\x06\0\0");
            assert!(silence.since(false).is_none(), "{step}");
            silence.sent(QUESTION);
            assert!(silence.since(false).is_some(), "{step}");
        }
    }

    #[test]
    fn who_does_not_read_does_not_wait() {
        let mut silence = Silence::new();
        assert!(silence.since(true).is_none());
        silence.borrower_waits(Waker::noop());
        let since = silence.since(true);
        assert!(since.is_some());
        silence.borrower_waits(Waker::noop());
        assert_eq!(silence.since(true), since, "it still waits");
        silence.borrower_moved();
        assert!(silence.since(true).is_none());
    }
}
