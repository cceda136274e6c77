//! What is counted.

use cases::{BATCH_ROWS, Copied, Cursor, Encoded, Kind, lineitem_batch, payments_batch};

/// Rows of what is decoded: enough that what is done once per batch does not count for much.
const ROWS: usize = 4_096;
const TYPE_ROWS: usize = 1_024;
/// Of what is encoded: enough for a dictionary to end.
const BATCHES: usize = 4;
const TRANSACTIONS: usize = 10_000;

/// A case: its name, its rows, and what does it once. What is made for it before does not count.
struct Case {
    name: String,
    rows: usize,
    make: Box<dyn Fn() -> Box<dyn FnOnce()>>,
}

impl Case {
    fn new<F: FnOnce() + 'static>(
        name: impl Into<String>,
        rows: usize,
        make: impl Fn() -> F + 'static,
    ) -> Self {
        Self { name: name.into(), rows, make: Box::new(move || Box::new(make())) }
    }
}

fn cases() -> Vec<Case> {
    let decoded = |copied: Copied| {
        move || {
            std::hint::black_box(copied.decode());
        }
    };
    let mut cases = vec![
        Case::new("decode lineitem", ROWS, move || decoded(Copied::lineitem(ROWS))),
        Case::new("decode payments", ROWS, move || decoded(Copied::payments(ROWS))),
    ];
    cases.extend(Kind::ALL.map(|kind| {
        let name = format!("decode ten {kind:?}");
        Case::new(name, TYPE_ROWS, move || decoded(Copied::ten(kind, TYPE_ROWS)))
    }));
    for (table, batch) in [("lineitem", lineitem_batch as fn(&mut _) -> _), ("payments", payments_batch)] {
        cases.push(Case::new(format!("receipt {table}"), BATCH_ROWS, move || {
            let encoded = Encoded::new(1, batch, "none");
            move || encoded.hash()
        }));
        for compression in ["none", "zstd"] {
            let name = format!("encode {table}, {compression}");
            cases.push(Case::new(name, BATCHES * BATCH_ROWS, move || {
                let folder = tempfile::tempdir().expect("a folder can be made");
                let encoded = Encoded::new(BATCHES, batch, compression);
                move || encoded.sync(folder.path())
            }));
        }
    }
    cases.push(Case::new("cursor state", TRANSACTIONS, || {
        let cursor = Cursor::new(TRANSACTIONS);
        move || drop(std::hint::black_box(cursor.round_trip()))
    }));
    cases
}

pub(crate) fn names() -> Vec<String> {
    cases().into_iter().map(|case| case.name).collect()
}

pub(crate) fn rows() -> Vec<usize> {
    cases().into_iter().map(|case| case.rows).collect()
}

/// Does all of them; `milestone` is called before and after each.
pub(crate) fn all(milestone: fn()) {
    for case in cases() {
        let work = (case.make)();
        milestone();
        work();
        milestone();
    }
}
