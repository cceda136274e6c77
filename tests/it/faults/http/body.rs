//! Bodies that are cut off, garbled or not what they should be: never taken for an empty page.

use std::io::Write as _;

use serde_json::json;

use super::server::{Reply, page, reply};
use super::{BY_TOKEN, Case};

const GOOD: &str = r#"{"items": [{"id": 1}, {"id": 2}]}"#;

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(data).expect("it is memory");
    encoder.finish().expect("it is memory")
}

/// An answer that breaks off, twice, then a good one: read once.
#[track_caller]
fn is_asked_for_again(broken: impl Fn() -> Reply + Send + Sync + 'static) {
    let case = Case::with("", move |number, _| if number < 2 { broken() } else { page(GOOD) });
    case.read().gives([1, 2]);
    assert_eq!(case.asked(), 3);
}

/// A body that is no page: the read fails, after this many requests, and says this.
#[track_caller]
fn is_no_page(body: &'static [u8], text: &str) {
    let case = Case::with(BY_TOKEN, move |_, _| page(body));
    let read = case.read().fails(text);
    assert!(read.records.is_empty(), "{:?}", read.records);
}

/// The records of a page with these items, as they are written.
#[track_caller]
fn items(items: &str) -> Vec<serde_json::Value> {
    let body = format!(r#"{{"items": [{items}]}}"#);
    let read = Case::with("", move |_, _| page(&body)).read();
    assert_eq!(read.code, 0, "{}", read.said);
    read.records
}

#[test]
fn an_answer_shorter_than_announced_is_asked_for_again() {
    is_asked_for_again(|| {
        Reply::Closed(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"items\": [{\"id\": 9}]}".to_vec())
    });
}

#[test]
fn an_answer_longer_than_announced_is_no_page() {
    let case = Case::with("", |_, _| {
        Reply::Kept(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"items\": [{\"id\": 9}]}".to_vec())
    });
    let read = case.read().fails("items");
    assert!(read.records.is_empty());
}

#[test]
fn a_connection_that_is_reset_amid_a_body_is_asked_for_again() {
    is_asked_for_again(|| {
        Reply::Reset(b"HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"items\": [".to_vec())
    });
    is_asked_for_again(|| Reply::Reset(Vec::new()));
}

#[test]
fn chunks_that_break_off_are_asked_for_again() {
    is_asked_for_again(|| {
        // Without the last chunk, though the JSON is whole.
        Reply::Closed(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n{\"items\": [{\"id\": 9}]}\r\n"
                .to_vec(),
        )
    });
    is_asked_for_again(|| {
        Reply::Closed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n".to_vec())
    });
}

#[test]
fn gzip_that_is_cut_off_is_asked_for_again() {
    let whole = gzip(GOOD.as_bytes());
    for length in [whole.len() - 1, whole.len() - 9, 12, 1] {
        let cut = whole[..length].to_vec();
        is_asked_for_again(move || reply(200, &["Content-Encoding: gzip"], &cut));
    }
}

#[test]
fn a_bomb_ends_the_read() {
    let bomb = gzip(&vec![b' '; 300 << 20]);
    assert!(bomb.len() < 1 << 20);
    let case = Case::with("", move |_, _| reply(200, &["Content-Encoding: gzip"], &bomb));
    case.read().fails("larger than 256MiB");
    assert_eq!(case.asked(), 1);
}

#[test]
fn a_page_of_a_gigabyte_is_refused_before_it_is_read() {
    let case = Case::with("", |_, _| {
        Reply::Closed(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n{\"items\": [".to_vec())
    });
    case.read().fails("larger than 256MiB");
    assert_eq!(case.asked(), 1);
}

#[test]
fn headers_of_three_megabytes_are_refused() {
    let header: &'static str = Box::leak(format!("X-Large: {}", "a".repeat(3 << 20)).into());
    let case = Case::with("", move |_, _| reply(200, &[header], GOOD));
    case.read().fails("headers of the answer are too large");
}

#[test]
fn malformed_json_is_no_empty_page() {
    is_no_page(br#"{"items": [{"id": 1}, {"id": 2"#, "items");
    is_no_page(br#"{"items": [{"id": 1},]}"#, "items");
    is_no_page(br#"{"items": [{"id": 1}]} trailing"#, "items");
    is_no_page(b"{'items': []}", "items");
}

#[test]
fn html_with_200_is_no_empty_page() {
    is_no_page(b"<html><body>Please sign in</body></html>", "items");
}

#[test]
fn a_listing_that_turns_into_html_is_not_complete() {
    let case = Case::with(BY_TOKEN, |_, asked| match asked.number("page") {
        0 => page(r#"{"items": [{"id": 1}], "next": 1}"#),
        _ => reply(200, &["Content-Type: text/html"], "<html>maintenance</html>"),
    });
    assert_eq!(case.read().fails("items").ids(), [1]);
}

#[test]
fn json_that_is_ten_thousand_levels_deep_is_refused() {
    let deep = format!("{{\"items\": [{}1{}]}}", "[".repeat(10_000), "]".repeat(10_000));
    is_no_page(Box::leak(deep.into_bytes().into()), "512 levels");
    let deep = format!("{{\"items\": [{{\"id\": {}1{}}}]}}", "{\"a\":".repeat(10_000), "}".repeat(10_000));
    is_no_page(Box::leak(deep.into_bytes().into()), "512 levels");
}

#[test]
fn a_key_that_comes_twice_has_its_last_value() {
    assert_eq!(items(r#"{"id": 1, "a": 1, "a": 2}"#), [json!({"id": 1, "a": 2})]);
}

#[test]
fn integers_are_exact_whatever_their_size() {
    let text = r#"{"a":9223372036854775807,"b":-9223372036854775808,"c":18446744073709551615}"#;
    assert_eq!(items(text)[0].to_string(), text);
    let case = Case::with("", |_, _| page(r#"{"items": [{"id": 123456789012345678901234567890}]}"#));
    let printed = case.command(&["items"]).output().expect("the binary is built").stdout;
    let printed = String::from_utf8_lossy(&printed);
    assert!(printed.contains("123456789012345678901234567890"), "{printed}");
}

#[test]
fn numbers_that_are_none_are_null_and_the_rest_is_kept() {
    assert_eq!(
        items(r#"{"id": 1, "a": {"b": NaN}}, {"id": 2}"#),
        [json!({"id": 1, "a": {"b": null}}), json!({"id": 2})]
    );
    assert_eq!(items(r#"{"id": 1, "a": {"b": -Infinity}}"#), [json!({"id": 1, "a": {"b": null}})]);
    assert_eq!(items(r#"{"id": 1, "a": {"b": 1e400}}"#), [json!({"id": 1, "a": {"b": null}})]);
}

#[test]
fn a_byte_order_mark_is_no_text() {
    let read = Case::with("", |_, _| page([b"\xef\xbb\xbf", GOOD.as_bytes()].concat())).read();
    read.gives([1, 2]);
}

#[test]
fn text_that_is_not_what_its_charset_says_is_no_empty_page() {
    // Latin-1 that is called UTF-8.
    is_no_page(b"{\"items\": [{\"id\": 1, \"name\": \"M\xfcller\"}]}", "items");
}

#[test]
fn half_a_line_of_many_is_not_passed_over() {
    let decoder = "      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: [items]}}";
    let lines = "      decoder: {type: JsonlDecoder}
      record_selector: {type: RecordSelector, extractor: {type: DpathExtractor, field_path: []}}";
    let case = Case::with("", |_, _| page("{\"id\": 1}\n{\"id\": 2}\n{\"id\": 3, \"na"));
    let read = case.change(decoder, lines).read();
    assert_eq!(read.code, 1, "{}", read.said);
    let case = Case::with("", |_, _| page("{\"id\": 1}\n\n{\"id\": 2}"));
    case.change(decoder, lines).read().gives([1, 2]);
}
