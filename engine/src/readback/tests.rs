use std::sync::Mutex;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{ArrayRef, Int64Array, StringArray};
use futures::FutureExt;
use futures::future::BoxFuture;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;

use super::*;

/// A file in memory that knows how much of it was read.
struct Memory {
    bytes: Bytes,
    read: Arc<Mutex<u64>>,
}

impl FileReader for Memory {
    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read(&self, range: Range<u64>) -> BoxFuture<'_, Result<Bytes>> {
        *self.read.lock().unwrap() += range.end - range.start;
        let range = usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap();
        async move { Ok(self.bytes.slice(range)) }.boxed()
    }
}

/// Three row groups of 1000 rows: `id` and a `text` that does not compress.
fn encoded() -> Bytes {
    let properties = WriterProperties::builder().set_max_row_group_row_count(Some(1000)).build();
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..3000));
    let mut random = fastrand::Rng::with_seed(7);
    let texts = (0..3000).map(|_| (0..100).map(|_| random.alphanumeric()).collect::<String>());
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
    let batch = RecordBatch::try_from_iter([("id", ids), ("text", texts)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties)).unwrap();
    writer.write(&batch).unwrap();
    writer.into_inner().unwrap().into()
}

async fn open(bytes: Bytes) -> Result<ParquetFile> {
    ParquetFile::new(Box::new(Memory { bytes, read: Arc::default() }), "f.parquet").await
}

/// All ids of the file.
async fn ids(file: &ParquetFile) -> Result<Vec<i64>> {
    let mut ids = Vec::new();
    for index in 0..file.row_groups() {
        for batch in file.row_group(index, None).await? {
            ids.extend_from_slice(batch?.column(0).as_primitive::<Int64Type>().values());
        }
    }
    Ok(ids)
}

#[tokio::test]
async fn all_rows_come_back_row_group_by_row_group() {
    let file = open(encoded()).await.unwrap();
    assert_eq!((file.rows(), file.row_groups(), file.row_group_rows(2)), (3000, 3, 1000));
    assert_eq!(file.row_group_rows(3), 0);
    assert_eq!(ids(&file).await.unwrap(), (0..3000).collect::<Vec<i64>>());
}

#[tokio::test]
async fn only_the_columns_that_are_asked_for_are_read() {
    let (bytes, read) = (encoded(), Arc::new(Mutex::new(0)));
    let memory = Memory { bytes: bytes.clone(), read: Arc::clone(&read) };
    let file = ParquetFile::new(Box::new(memory), "f.parquet").await.unwrap();
    *read.lock().unwrap() = 0;
    let batches = file.row_group(1, Some(&["id", "newer"])).await.unwrap();
    let batches: Vec<RecordBatch> = batches.map(Result::unwrap).collect();
    assert_eq!(batches.iter().map(RecordBatch::num_rows).sum::<usize>(), 1000);
    assert_eq!(batches[0].num_columns(), 1);
    let read = *read.lock().unwrap();
    assert!(read < 20_000, "{read} of {} bytes", bytes.len());
}

#[tokio::test]
async fn no_row_of_no_column_is_asked_for() {
    let file = open(encoded()).await.unwrap();
    let batches = file.row_group(0, Some(&[])).await.unwrap();
    assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 1000);
    assert!(file.row_group(9, None).await.is_err());
}

#[tokio::test]
async fn damage_is_an_error_and_never_a_panic() {
    let good = encoded();
    for length in [0, 1, 7, 8, 12, good.len() / 2, good.len() - 1] {
        let error = open(good.slice(..length)).await.err().unwrap();
        assert_eq!(error.kind(), protocol::ErrorKind::Data, "{length} bytes: {error:?}");
        assert_eq!(error.context_value("file"), Some("f.parquet"));
    }
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..300 {
        let mut bytes = good.to_vec();
        // Where the structure is: the footer, and the first pages' headers.
        let at = if random.bool() { good.len() - 1 - random.usize(..900) } else { random.usize(..200) };
        bytes[at] ^= 1 << random.u8(..8);
        let Ok(file) = open(bytes.into()).await else { continue };
        if let Err(error) = ids(&file).await {
            assert_eq!(error.kind(), protocol::ErrorKind::Data, "byte {at}: {error:?}");
        }
    }
}
