//! Any request may fail in any way: every record comes once all the same.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::server::{Asked, Reply, page, reply};
use super::{BY_TOKEN, Case, stream};

const PAGES: usize = 12;

/// A page of ten records of its own.
fn content(number: usize) -> String {
    let items: Vec<String> = (number * 10..number * 10 + 10).map(|id| format!(r#"{{"id": {id}}}"#)).collect();
    let next = if number + 1 < PAGES { (number + 1).to_string() } else { "null".to_owned() };
    format!(r#"{{"items": [{}], "next": {next}}}"#, items.join(", "))
}

/// The fault of that number, of a page that would be well.
fn fault(kind: usize, body: &str) -> Reply {
    let half = &body.as_bytes()[..body.len() / 2];
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    let cut = [head.as_bytes(), half].concat();
    match kind % 8 {
        0 => Reply::Closed(Vec::new()),
        1 => Reply::Closed(cut),
        2 => Reply::Reset(cut),
        3 => reply(503, &["Retry-After: 3"], "busy"),
        4 => reply(429, &[], "slower"),
        5 => reply(500, &[], body),
        6 => reply(200, &["Content-Encoding: gzip"], half),
        _ => {
            let chunk = format!("{:x}\r\n{body}\r\n", body.len());
            Reply::Closed(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}").into())
        }
    }
}

/// An API of which more than a third of the requests fail.
fn torn(streams: &str, seed: u64) -> Case {
    let mut random = fastrand::Rng::with_seed(seed);
    let plan: Vec<(bool, usize)> = (0..1000).map(|_| (random.u8(..) < 100, random.usize(..))).collect();
    Case::of(streams, move |number, asked: &Asked| {
        let body = content(asked.number("page"));
        match plan[number % plan.len()] {
            (true, kind) => fault(kind, &body),
            _ => page(body),
        }
    })
}

#[test]
fn every_record_comes_once_whatever_fails_on_the_way() {
    let streams: String = ["items", "orders", "users"].map(|name| stream(name, BY_TOKEN, "")).concat();
    for seed in 0..3 {
        let case = torn(&streams, seed);
        let read = case.read_streams(&["items", "orders", "users"], None);
        assert_eq!(read.code, 0, "seed {seed}: {}", read.said);
        let mut ids = read.ids();
        ids.sort_unstable();
        let expected: Vec<u64> = (0..PAGES as u64 * 10).flat_map(|id| [id; 3]).collect();
        assert_eq!(ids, expected, "seed {seed}");
        assert!(case.asked() > 3 * PAGES, "nothing failed");
    }
}

/// Each of the records is in Parquet once.
#[track_caller]
fn is_whole_in_parquet(case: &Case) {
    let files = case.place.path("lake/items");
    let query = format!(
        "SELECT count(*), count(DISTINCT id), min(id), max(id) FROM read_parquet('{}/**/*.parquet')",
        files.display()
    );
    let rows = lab::python("duckdb_query.py", &[&query]);
    let found: Vec<&str> =
        rows[0].as_array().expect("a row").iter().filter_map(|cell| cell.as_str()).collect();
    assert_eq!(found, ["120", "120", "0", "119"]);
}

#[test]
fn every_record_is_in_parquet_once_whatever_failed_on_the_way() {
    let case = torn(&stream("items", BY_TOKEN, ""), 7);
    case.configure("");
    case.place.run(&["sync"]).exits(0);
    assert!(case.asked() > PAGES, "nothing failed");
    is_whole_in_parquet(&case);
}

#[test]
fn a_stream_that_has_to_be_read_anew_is_in_parquet_once() {
    let failures = AtomicUsize::new(0);
    // All tries of one page are used up: what was read before is dropped.
    let case = Case::of(&stream("items", BY_TOKEN, ""), move |_, asked| {
        let number = asked.number("page");
        if number == 5 && failures.fetch_add(1, Ordering::SeqCst) < 6 {
            return reply(503, &[], "busy");
        }
        page(content(number))
    });
    case.configure("");
    case.place.run(&["sync"]).exits(0);
    let begun = case.server.asked().iter().filter(|asked| asked.param("page").is_none()).count();
    assert_eq!(begun, 2);
    is_whole_in_parquet(&case);
}
