//! What a receipt costs: the hash of rows, without anything else. `cargo bench --bench receipt`. It is part
//! of what `--bench encode` measures.

mod batch;

use arrow_array::RecordBatch;
use batch::{ROWS, Random, lineitem_batch, payments_batch};
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    divan::main();
}

#[divan::bench]
fn lineitem(bencher: Bencher) {
    run(bencher, lineitem_batch);
}

#[divan::bench]
fn payments(bencher: Bencher) {
    run(bencher, payments_batch);
}

fn run(bencher: Bencher, batch: fn(&mut Random) -> RecordBatch) {
    let batch = batch(&mut Random::new());
    bencher.counter(ItemsCount::new(ROWS)).bench_local(|| engine::content_of(divan::black_box(&batch)));
}
