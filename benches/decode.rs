//! How fast COPY bytes become Arrow batches, without a server and without a network:
//! `cargo bench --bench decode`. Times are of one thread.

use cases::{Copied, Kind};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

/// Enough to leave every cache.
const ROWS: usize = 100_000;
/// Long texts do so earlier.
const LONG_ROWS: usize = 5_000;

fn main() {
    divan::main();
}

#[divan::bench]
fn lineitem(bencher: Bencher) {
    run(bencher, &Copied::lineitem(ROWS), ROWS);
}

#[divan::bench]
fn payments(bencher: Bencher) {
    run(bencher, &Copied::payments(ROWS), ROWS);
}

/// Ten columns of a type.
#[divan::bench(args = Kind::ALL)]
fn ten(bencher: Bencher, kind: Kind) {
    let rows = if kind == Kind::LongText { LONG_ROWS } else { ROWS };
    run(bencher, &Copied::ten(kind, rows), rows);
}

fn run(bencher: Bencher, copied: &Copied, rows: usize) {
    let (rows, bytes) = (ItemsCount::new(rows), BytesCount::new(copied.bytes()));
    bencher.counter(rows).counter(bytes).bench(|| copied.decode());
}
