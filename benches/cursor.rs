//! What the state of a cursor costs each sync: it is read from the last commit and written with the next.
//! `cargo bench --bench cursor`. What the cursor costs the server is part of `--bench increment`.

use cases::Cursor;
use divan::Bencher;
use divan::counter::ItemsCount;

fn main() {
    divan::main();
}

/// Over the transactions of the seen set.
#[divan::bench(args = [0, 100, 10_000, 1_000_000])]
fn state(bencher: Bencher, transactions: usize) {
    let cursor = Cursor::new(transactions);
    bencher.counter(ItemsCount::new(transactions)).bench(|| cursor.round_trip());
}
