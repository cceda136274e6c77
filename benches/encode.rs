//! How fast batches become committed Parquet files in a local directory, without a database:
//! `cargo bench --bench encode`. Times are of a whole sync with one lane: conforming, encoding,
//! staging and the commit.

use arrow_array::RecordBatch;
use cases::{Encoded, Random, lineitem_batch, payments_batch};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

const BATCHES: usize = 64;

fn main() {
    divan::main();
}

#[divan::bench(args = ["zstd", "snappy", "none"])]
fn lineitem(bencher: Bencher, compression: &str) {
    run(bencher, compression, lineitem_batch);
}

#[divan::bench(args = ["zstd", "snappy", "none"])]
fn payments(bencher: Bencher, compression: &str) {
    run(bencher, compression, payments_batch);
}

fn run(bencher: Bencher, compression: &str, batch: fn(&mut Random) -> RecordBatch) {
    let encoded = Encoded::new(BATCHES, batch, compression);
    bencher
        .counter(ItemsCount::new(encoded.rows()))
        .counter(BytesCount::new(encoded.bytes()))
        .with_inputs(|| tempfile::tempdir().expect("a folder can be made"))
        .bench_local_values(|folder| {
            encoded.sync(folder.path());
            folder
        });
}
