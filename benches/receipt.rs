//! What a receipt costs: the hash of rows, without anything else. `cargo bench --bench receipt`. It is part
//! of what `--bench encode` measures.

use arrow_array::RecordBatch;
use cases::{Encoded, Random, lineitem_batch, payments_batch};
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
    let encoded = Encoded::new(1, batch, "none");
    bencher.counter(ItemsCount::new(encoded.rows())).bench_local(|| encoded.hash());
}
