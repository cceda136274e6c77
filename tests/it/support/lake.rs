//! What a target holds: the files that a listing shows, the commits that stand, and the rows in both.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use futures::TryStreamExt;
use lab::Bucket;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Key;
use object_store::prefix::PrefixStore;
use object_store::{GetResult, ObjectStore, ObjectStoreExt};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

/// A target as any reader finds it, who knows nothing of tidegate but its layout.
pub(crate) struct Lake {
    store: Arc<dyn ObjectStore>,
    place: Place,
    target: String,
}

#[derive(Clone)]
enum Place {
    Directory(PathBuf),
    Bucket(Bucket),
}

impl Place {
    fn open(&self) -> Arc<dyn ObjectStore> {
        let bucket = match self {
            Self::Directory(root) => {
                let store = LocalFileSystem::new_with_prefix(root).expect("the folder is there");
                return Arc::new(store);
            }
            Self::Bucket(bucket) => bucket,
        };
        let store = AmazonS3Builder::new()
            .with_endpoint(&bucket.endpoint)
            .with_bucket_name(&bucket.name)
            .with_region(&bucket.region)
            .with_access_key_id(&bucket.access_key)
            .with_secret_access_key(&bucket.secret_key)
            .with_allow_http(true)
            .build()
            .expect("the settings are whole");
        Arc::new(PrefixStore::new(store, "lake"))
    }
}

/// Files by their path in the target's folder, with their bytes.
pub(crate) type Files = BTreeMap<String, u64>;

impl Lake {
    /// The target below a local directory, which is made where it is not there.
    pub(crate) fn in_directory(root: &Path, target: &str) -> Self {
        std::fs::create_dir_all(root).expect("the folder is the test's own");
        Self::of(Place::Directory(root.to_owned()), target)
    }

    /// The target below `lake/` in a bucket.
    pub(crate) fn in_bucket(bucket: &Bucket, target: &str) -> Self {
        Self::of(Place::Bucket(bucket.clone()), target)
    }

    fn of(place: Place, target: &str) -> Self {
        Self { store: place.open(), place, target: target.to_owned() }
    }

    /// What a listing shows now.
    pub(crate) async fn files(&self) -> Files {
        self.below(&self.target).await
    }

    /// Everything that is kept beside the data.
    pub(crate) async fn metadata(&self) -> Files {
        self.below(&format!("_tidegate/{}", self.target)).await
    }

    async fn below(&self, folder: &str) -> Files {
        let folder = Key::from(folder);
        let found: Result<Vec<_>, _> = self.store.list(Some(&folder)).try_collect().await;
        let found = found.unwrap_or_else(|error| panic!("{folder} can't be listed: {error}"));
        let path = |location: &Key| {
            let inside = location.prefix_match(&folder).expect("it was listed below the folder");
            inside.map(|part| part.as_ref().to_owned()).collect::<Vec<_>>().join("/")
        };
        found.iter().map(|object| (path(&object.location), object.size)).collect()
    }

    fn key(&self, path: &str) -> Key {
        Key::from(format!("{}/{path}", self.target))
    }

    /// The bytes of a listed file.
    pub(crate) async fn read(&self, path: &str) -> Vec<u8> {
        let found = self.store.get(&self.key(path)).await.expect("it was listed");
        found.bytes().await.expect("it can be read").into()
    }

    /// Puts a file among the data, as nobody should.
    pub(crate) async fn write(&self, path: &str, bytes: Vec<u8>) {
        self.store.put(&self.key(path), bytes.into()).await.expect("it can be written");
    }

    /// Takes a file away from the data, as nobody should.
    pub(crate) async fn remove(&self, path: &str) {
        self.store.delete(&self.key(path)).await.expect("it can be removed");
    }

    /// The commits that stand, first to last.
    pub(crate) async fn commits(&self) -> Vec<Value> {
        let folder = format!("_tidegate/{}/manifest", self.target);
        let mut commits = Vec::new();
        for name in self.below(&folder).await.into_keys().filter(|name| !name.starts_with('.')) {
            let read = self.store.get(&Key::from(format!("{folder}/{name}"))).await;
            let bytes = read.expect("a commit is never removed").bytes().await.expect("it can be read");
            commits.push(serde_json::from_slice(&bytes).expect("a commit is whole as soon as it stands"));
        }
        commits
    }

    /// The files that any commit names, with the bytes it says they have.
    pub(crate) async fn committed(&self) -> Files {
        let mut files = Files::new();
        for commit in self.commits().await {
            for file in commit["files"].as_array().expect("a commit lists its files") {
                let path = file["path"].as_str().expect("a file has a path");
                files.insert(path.to_owned(), file["bytes"].as_u64().expect("a file has a size"));
            }
        }
        files
    }

    /// The commit of that number, if it stands.
    pub(crate) async fn commit(&self, sequence: u64) -> Option<Value> {
        let key = Key::from(format!("_tidegate/{}/manifest/{sequence:08}.json", self.target));
        let bytes = self.find(&key).await?.bytes().await.expect("it can be read");
        Some(serde_json::from_slice(&bytes).expect("a commit is whole as soon as it stands"))
    }

    /// Puts a commit where it belongs, as only tidegate should.
    pub(crate) async fn write_commit(&self, sequence: u64, bytes: Vec<u8>) {
        let key = Key::from(format!("_tidegate/{}/manifest/{sequence:08}.json", self.target));
        self.store.put(&key, bytes.into()).await.expect("it can be written");
    }

    /// What is at `key`, if anything is.
    async fn find(&self, key: &Key) -> Option<GetResult> {
        match self.store.get(key).await {
            Ok(found) => Some(found),
            Err(object_store::Error::NotFound { .. }) => None,
            Err(error) => panic!("{key} can't be read: {error}"),
        }
    }

    /// The whole-numbered columns of all rows in the listed files, sorted.
    pub(crate) async fn rows<const N: usize>(&self, columns: [&str; N]) -> Vec<[i64; N]> {
        self.rows_of(&self.files().await, columns).await
    }

    /// The same of some files.
    pub(crate) async fn rows_of<const N: usize>(&self, files: &Files, columns: [&str; N]) -> Vec<[i64; N]> {
        let mut rows = Vec::new();
        for path in files.keys() {
            rows.extend(self.rows_in(path, columns).await.expect("it was listed"));
        }
        rows.sort_unstable();
        rows
    }

    /// The same of one file, as they lie in it; none where nobody can see it.
    pub(crate) async fn rows_in<const N: usize>(
        &self,
        path: &str,
        columns: [&str; N],
    ) -> Option<Vec<[i64; N]>> {
        let found = self.find(&Key::from(format!("{}/{path}", self.target))).await?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(found.bytes().await.expect("it can be read"));
        let reader = reader.unwrap_or_else(|error| panic!("{path} is no Parquet: {error}"));
        let mut rows = Vec::new();
        for batch in reader.build().expect("all columns can be read") {
            let batch = batch.unwrap_or_else(|error| panic!("{path} is damaged: {error}"));
            let columns = columns.map(|name| {
                let column = batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name}"));
                column.as_primitive::<Int64Type>()
            });
            rows.extend((0..batch.num_rows()).map(|row| columns.map(|column| column.value(row))));
        }
        Some(rows)
    }

    /// The ids of all rows, sorted.
    pub(crate) async fn ids(&self) -> Vec<i64> {
        self.rows(["id"]).await.into_iter().map(|[id]| id).collect()
    }

    /// Fails unless the listing shows the rows with these ids, each once, in committed files and no
    /// others, and nothing waits beside the data.
    #[track_caller]
    pub(crate) fn holds(&self, ids: impl IntoIterator<Item = i64>) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        let expected: Vec<i64> = ids.into_iter().collect();
        async move {
            let found = self.ids().await;
            assert!(found == expected, "{place}: {}", differences(&found, &expected));
            self.is_tidy().await;
        }
    }

    /// Fails where a file is there that no commit has named, or one that waits for a commit.
    pub(crate) async fn is_tidy(&self) {
        let (files, committed) = (self.files().await, self.committed().await);
        for (path, bytes) in &files {
            assert_eq!(committed.get(path), Some(bytes), "{path} is not as a commit names it: {committed:?}");
        }
        let metadata = self.metadata().await;
        let waits = |key: &&String| {
            key.contains(".parquet") || key.starts_with("stage/run-") && key.contains(".json")
        };
        let waiting: Vec<_> = metadata.keys().filter(waits).collect();
        assert!(waiting.is_empty(), "files were left behind: {waiting:?}");
    }

    /// Lists the target again and again, as readers do, until the watch ends.
    pub(crate) fn watch(&self) -> Watch {
        // A runtime of its own needs connections of its own.
        let lake = Self::of(self.place.clone(), &self.target);
        let (stop, looks) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (is_over, count) = (Arc::clone(&stop), Arc::clone(&looks));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime needs only files").block_on(lake.look(&is_over, &count))
        });
        Watch { stop, looks, thread: Some(thread) }
    }

    async fn look(&self, is_over: &AtomicBool, looks: &AtomicU64) -> Option<String> {
        let mut committed = Files::new();
        loop {
            let last = is_over.load(Ordering::Relaxed);
            // First the files, then the commits: what was seen must be committed already.
            for (path, bytes) in self.files().await {
                if committed.get(&path) != Some(&bytes) {
                    committed = self.committed().await;
                }
                if committed.get(&path) != Some(&bytes) {
                    return Some(format!("{path} with {bytes} bytes was seen, and is not committed so"));
                }
            }
            looks.fetch_add(1, Ordering::Relaxed);
            if last {
                return None;
            }
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
}

/// Somebody who lists a target all the time.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    looks: Arc<AtomicU64>,
    thread: Option<JoinHandle<Option<String>>>,
}

impl Watch {
    /// Ends it. Fails where a file was ever seen that was not committed, or not whole.
    #[track_caller]
    pub(crate) fn end(mut self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("it ends once");
        if let Some(seen) = thread.join().expect("looking does not fail") {
            panic!("{seen}");
        }
        self.looks.load(Ordering::Relaxed)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// What is lost, doubled and strange, short enough to be read.
pub(crate) fn differences<T: Ord + Copy + std::fmt::Debug>(found: &[T], expected: &[T]) -> String {
    let mut counts: BTreeMap<T, i64> = BTreeMap::new();
    for row in expected {
        *counts.entry(*row).or_default() -= 1;
    }
    for row in found {
        *counts.entry(*row).or_default() += 1;
    }
    let of = |is: fn(i64) -> bool| {
        let rows: Vec<T> = counts.iter().filter(|(_, count)| is(**count)).map(|(row, _)| *row).collect();
        format!("{} {:?}", rows.len(), &rows[..rows.len().min(10)])
    };
    format!(
        "{} rows where {} were expected; lost: {}; more than once or strange: {}",
        found.len(),
        expected.len(),
        of(|count| count < 0),
        of(|count| count > 0)
    )
}
