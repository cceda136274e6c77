//! Answers kept for one run: parents are asked once, however many children they have.

use std::collections::HashMap;
use std::fs::File;
use std::hash::{BuildHasher, Hash, Hasher};
use std::io::{Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use protocol::{Error, ErrorKind, Result};
use tokio::sync::{Mutex, MutexGuard};

use crate::http::{Answer, Request};

/// Octets of bodies that stay in memory; those beyond go to a temporary file.
const IN_MEMORY: usize = 16 << 20;

/// Answers of one source by their requests. Cheap to clone.
#[derive(Clone, Default)]
pub struct Cache(Arc<Shared>);

#[derive(Default)]
struct Shared {
    slots: std::sync::Mutex<HashMap<u128, Arc<Mutex<Slot>>>>,
    store: std::sync::Mutex<Store>,
}

/// The place of one request's answer. Whoever holds it asks for all who wait.
#[derive(Default)]
pub(super) struct Slot(Option<Kept>);

struct Kept {
    head: Answer,
    body: Place,
}

enum Place {
    Memory(Bytes),
    File { at: u64, length: usize },
}

#[derive(Default)]
struct Store {
    in_memory: usize,
    file: Option<Arc<File>>,
    end: u64,
}

impl Cache {
    /// The place of the answer to this request of the stream `name`.
    pub(super) fn slot(&self, name: &str, request: &Request) -> Arc<Mutex<Slot>> {
        let mut slots = self.0.slots.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        slots.entry(print(name, request)).or_default().clone()
    }

    /// The answer that was kept in this place.
    pub(super) async fn get(&self, slot: &MutexGuard<'_, Slot>) -> Result<Option<Answer>> {
        let Some(kept) = &slot.0 else { return Ok(None) };
        let body = match &kept.body {
            Place::Memory(body) => body.clone(),
            Place::File { at, length } => self.load(*at, *length).await?,
        };
        Ok(Some(Answer { body, ..kept.head.clone() }))
    }

    /// Keeps an answer in this place.
    pub(super) async fn put(&self, slot: &mut MutexGuard<'_, Slot>, answer: &Answer) -> Result<()> {
        let body = self.place(answer.body.clone()).await?;
        slot.0 = Some(Kept { head: Answer { body: Bytes::new(), ..answer.clone() }, body });
        Ok(())
    }

    async fn place(&self, body: Bytes) -> Result<Place> {
        {
            let mut store = self.store();
            if store.in_memory + body.len() <= IN_MEMORY {
                store.in_memory += body.len();
                return Ok(Place::Memory(body));
            }
        }
        let shared = self.clone();
        blocking(move || shared.store().append(&body)).await
    }

    async fn load(&self, at: u64, length: usize) -> Result<Bytes> {
        let file = self.store().file.clone();
        let Some(file) = file else { return Err(Error::internal("an answer was kept in no file")) };
        blocking(move || {
            let mut body = vec![0; length];
            file.read_exact_at(&mut body, at)?;
            Ok(body.into())
        })
        .await
    }

    fn store(&self) -> std::sync::MutexGuard<'_, Store> {
        self.0.store.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Store {
    fn append(&mut self, body: &[u8]) -> std::io::Result<Place> {
        let file = match &self.file {
            Some(file) => file.clone(),
            None => self.file.insert(Arc::new(tempfile::tempfile()?)).clone(),
        };
        let at = self.end;
        let mut writer = &*file;
        writer.seek(SeekFrom::Start(at))?;
        writer.write_all(body)?;
        self.end += body.len() as u64;
        Ok(Place::File { at, length: body.len() })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T> {
    let failed = || {
        Error::new(ErrorKind::Storage, "answers that are asked for again can't be kept in a temporary file")
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result.map_err(|error| failed().with_source(error)),
        Err(error) => Err(failed().with_source(error)),
    }
}

/// What tells two requests apart: the stream, method, address, headers and body. Twice 64 bits: no two requests of a run share it.
fn print(name: &str, request: &Request) -> u128 {
    let half = |seed: u64| {
        let mut hasher = ahash::RandomState::with_seeds(seed, 0x7469_6465, 0x6761_7465, !seed).build_hasher();
        name.hash(&mut hasher);
        request.method.as_str().hash(&mut hasher);
        request.url.as_str().hash(&mut hasher);
        let mut headers: Vec<_> = request.headers.iter().collect();
        headers.sort_unstable();
        headers.hash(&mut hasher);
        request.body.bytes().hash(&mut hasher);
        u128::from(hasher.finish())
    };
    half(1) << 64 | half(2)
}
