//! Room for pages: what all slices of a source may hold at once between the server and the sink.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Bytes of pages that wait or are on their way.
const ROOM: usize = 64 << 20;
/// What the first page of a slice is taken for.
const FIRST: usize = 64 << 10;

/// Bounds the bytes of pages between the server and the sinks, for all slices of a source together. How large a page
/// is shows when it is there, so the page before it is what it is taken for; a page that is larger than all the room
/// comes alone. Only pages on their way to a sink are counted: those that parents' records are taken from wait for
/// their children, and what waits for room must never be waited for.
#[derive(Clone, Default)]
pub(super) struct Room(Arc<Shared>);

#[derive(Default)]
struct Shared {
    taken: Mutex<usize>,
    freed: Notify,
}

/// Room that is taken until it is dropped.
pub(super) struct Taken {
    room: Room,
    bytes: usize,
}

impl Room {
    /// Waits until there is room for a page like the one before, of `last` bytes.
    pub(super) async fn take(&self, last: Option<usize>) -> Taken {
        let bytes = last.unwrap_or(FIRST);
        loop {
            // Asked for before it is looked: what is freed in between is not missed.
            let freed = self.0.freed.notified();
            if self.try_take(bytes) {
                return Taken { room: self.clone(), bytes };
            }
            freed.await;
        }
    }

    fn try_take(&self, bytes: usize) -> bool {
        let mut taken = self.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = *taken == 0 || taken.saturating_add(bytes) <= ROOM;
        if fits {
            *taken += bytes;
        }
        fits
    }
}

impl Taken {
    /// The page is there: it takes so much.
    pub(super) fn becomes(&mut self, bytes: usize) {
        let mut taken = self.room.0.taken.lock().unwrap_or_else(PoisonError::into_inner);
        *taken = *taken - self.bytes + bytes;
        let is_freed = bytes < self.bytes;
        self.bytes = bytes;
        drop(taken);
        if is_freed {
            self.room.0.freed.notify_waiters();
        }
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.becomes(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn what_does_not_fit_waits_until_there_is_room() {
        let room = Room::default();
        let mut first = room.take(None).await;
        first.becomes(ROOM - 10);
        let second = room.take(Some(10)).await;
        assert!(room.take(Some(1)).now_or_never().is_none());
        let waiting = tokio::spawn({
            let room = room.clone();
            async move { room.take(Some(ROOM)).await.bytes }
        });
        tokio::task::yield_now().await;
        drop(second);
        assert!(!waiting.is_finished());
        drop(first);
        assert_eq!(waiting.await.unwrap(), ROOM);
    }

    #[tokio::test]
    async fn what_never_fits_comes_alone() {
        let room = Room::default();
        let mut large = room.take(Some(3 * ROOM)).await;
        assert!(room.take(None).now_or_never().is_none());
        large.becomes(1);
        assert!(room.take(None).now_or_never().is_some());
    }
}
