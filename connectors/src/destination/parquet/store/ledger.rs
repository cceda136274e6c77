//! The uploads that this process has begun, and their [`Record`] in the store: written before the first
//! part of an upload is sent, removed once none of them is open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use futures::{StreamExt, stream};
use protocol::Result;
use tokio::sync::Mutex as AsyncMutex;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::Objects;
use super::record::{Begun, Record, RecordName};
use crate::destination::parquet::layout::Layout;

/// Uploads on one page.
const PAGE: usize = 200;
/// Time between two signs of life.
pub(in super::super) const BEAT: Duration = Duration::from_secs(5);
/// Requests for different uploads at once.
const PARALLEL: usize = 16;

/// What one process has begun for one target.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Another one for each note: the one that began earlier goes first.
    run: Mutex<Uuid>,
    open: Mutex<Open>,
    written: AsyncMutex<Written>,
    heart: Mutex<Option<Heart>>,
    held: AtomicBool,
}

#[derive(Debug, Default)]
struct Open {
    /// Counts what was begun.
    version: u64,
    page: u32,
    on_page: usize,
    /// By path.
    uploads: BTreeMap<String, Entry>,
    /// The commit that the latest upload can be part of at the earliest.
    sequence: u64,
    claims: bool,
}

#[derive(Debug)]
struct Entry {
    upload: String,
    page: u32,
    version: u64,
    /// The commit that it can be part of at the earliest.
    sequence: u64,
}

/// What stands in the store.
#[derive(Debug, Default)]
struct Written {
    version: u64,
    /// By their numbers.
    pages: BTreeMap<u32, RecordName>,
    beat: u64,
}

/// The task that gives signs of life. Ends with this value.
#[derive(Debug)]
struct Heart(JoinHandle<()>);

impl Drop for Heart {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Ledger {
    /// What the process calls itself.
    pub(super) fn run(&self) -> Uuid {
        *self.0.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        // Counts and maps, changed by single calls: a panic leaves none half changed.
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an upload, and waits until the note is in the store. Several at once share one request.
    pub(super) async fn begin(
        &self,
        store: &Objects,
        layout: &Layout,
        begun: Begun,
        sequence: u64,
        claims: bool,
    ) -> Result<()> {
        let version = {
            let mut open = self.open();
            open.version += 1;
            if open.on_page == PAGE {
                (open.page, open.on_page) = (open.page + 1, 0);
            }
            open.on_page += 1;
            open.sequence = open.sequence.max(sequence);
            open.claims = claims;
            let entry = Entry { upload: begun.upload, page: open.page, version: open.version, sequence };
            open.uploads.insert(begun.path, entry);
            open.version
        };
        let mut written = self.0.written.lock().await;
        if written.version >= version {
            return Ok(());
        }
        let (latest, mut pages) = {
            let open = self.open();
            let new = open.uploads.values().filter(|entry| entry.version > written.version);
            (open.version, new.map(|entry| entry.page).collect::<BTreeSet<_>>())
        };
        if written.pages.is_empty() {
            *self.0.run.lock().unwrap_or_else(PoisonError::into_inner) = Uuid::now_v7();
            pages.insert(0);
        }
        for page in pages {
            self.write(store, layout, &mut written, page).await?;
        }
        written.version = latest;
        drop(written);
        if claims {
            self.live(store, layout);
        }
        Ok(())
    }

    /// The commit that an upload of this process can be part of at the earliest.
    pub(super) fn sequence(&self, path: &str) -> Option<u64> {
        self.open().uploads.get(path).map(|entry| entry.sequence)
    }

    /// Says, with the next note, that this process is known to be alone.
    pub(super) fn hold(&self) {
        self.0.held.store(true, Ordering::Relaxed);
    }

    /// Notes that an upload is not open any more, or named by a commit.
    pub(super) fn end(&self, path: &str) {
        self.open().uploads.remove(path);
    }

    async fn write(&self, store: &Objects, layout: &Layout, written: &mut Written, page: u32) -> Result<()> {
        self.write_as(store, layout, written, page, false).await
    }

    async fn write_as(
        &self,
        store: &Objects,
        layout: &Layout,
        written: &mut Written,
        page: u32,
        released: bool,
    ) -> Result<()> {
        written.beat += 1;
        let mut record = {
            let open = self.open();
            let on_page = open.uploads.iter().filter(|(_, entry)| entry.page == page);
            let uploads =
                on_page.map(|(path, entry)| Begun { path: path.clone(), upload: entry.upload.clone() });
            Record::new(self.run(), open.sequence, open.claims, written.beat, uploads.collect())
        };
        let name = RecordName { sequence: record.sequence, run: record.run, page };
        record.held = self.0.held.load(Ordering::Relaxed);
        record.released = released;
        // Before the answer: what is there without one must be removed as well.
        let name = written.pages.entry(page).or_insert(name);
        store.replace(&layout.staged(&name.to_string()), record.encode()).await
    }

    /// Gives signs of life from now on.
    fn live(&self, store: &Objects, layout: &Layout) {
        let mut heart = self.0.heart.lock().unwrap_or_else(PoisonError::into_inner);
        if heart.is_some() {
            return;
        }
        let (store, layout, ledger) = (store.clone(), layout.clone(), Arc::downgrade(&self.0));
        *heart = Some(Heart(tokio::spawn(async move {
            loop {
                tokio::time::sleep(BEAT).await;
                let Some(ledger) = Weak::upgrade(&ledger).map(Self) else { return };
                let mut written = ledger.0.written.lock().await;
                if let Err(error) = ledger.write(&store, &layout, &mut written, 0).await {
                    tracing::debug!(error = format!("{error:#}"), "a sign of life was not written");
                }
            }
        })));
    }

    /// Aborts what is still open, but for the files that `keep` names, and removes the note where
    /// nothing is left that another process might have to abort.
    pub(super) async fn close(
        &self,
        store: &Objects,
        layout: &Layout,
        keep: impl Fn(&str) -> bool,
    ) -> Result<()> {
        // First the lock: a sign of life that is on its way would arrive after the note is gone.
        let mut written = self.0.written.lock().await;
        *self.0.heart.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.0.held.store(false, Ordering::Relaxed);
        let left: Vec<Begun> = {
            let open = self.open();
            let left = open.uploads.iter().filter(|(path, _)| !keep(path));
            left.map(|(path, entry)| Begun { path: path.clone(), upload: entry.upload.clone() }).collect()
        };
        let aborts = left.into_iter().map(|begun| async move {
            let aborted = store.abort(layout, &begun).await;
            (begun.path, aborted)
        });
        let aborted: Vec<_> = stream::iter(aborts).buffer_unordered(PARALLEL).collect().await;
        let mut failed = Ok(());
        for (path, result) in aborted {
            match result {
                Ok(()) => self.end(&path),
                Err(error) => failed = Err(error),
            }
        }
        if written.pages.is_empty() {
            return failed;
        }
        if self.open().uploads.is_empty() {
            let pages = written.pages.values().map(|name| layout.staged(&name.to_string()));
            store.remove(pages.collect()).await?;
            written.pages.clear();
            let mut open = self.open();
            (open.page, open.on_page) = (0, 0);
        } else {
            self.write_as(store, layout, &mut written, 0, true).await?;
        }
        failed
    }
}
