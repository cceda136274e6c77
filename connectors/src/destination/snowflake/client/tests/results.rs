//! Answers with rows, in one piece and in several.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use protocol::ErrorKind;
use serde_json::json;

use super::super::{Changed, Statement};
use super::server::{QUERY, Say, Server};

const ONE: &str = "/parts/one";
const TWO: &str = "/parts/two";

fn packed(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// What is said to who asks for a part for the n-th time.
type Part = fn(&str, usize) -> Option<Say>;

/// A server whose answer has two parts elsewhere: on itself.
async fn in_parts(headers: serde_json::Value, say: Part) -> Server {
    let port = std::sync::Arc::new(std::sync::OnceLock::new());
    let known = std::sync::Arc::clone(&port);
    let server = Server::start(move |seen, before| {
        if seen.path != QUERY {
            return say(&seen.path, before);
        }
        let base = format!("http://127.0.0.1:{}", known.get().unwrap());
        let mut data = json!({
            "queryId": "q-1",
            "rowtype": [{ "name": "A", "type": "fixed", "scale": 0 }, { "name": "B", "type": "text" }],
            "rowset": [["1", "x"]],
            "chunks": [
                { "url": format!("{base}{ONE}?signature=canary"), "rowCount": 2, "uncompressedSize": 20 },
                { "url": format!("{base}{TWO}?signature=canary"), "rowCount": 1 },
            ],
            "total": 4,
        });
        data.as_object_mut().unwrap().extend(headers.as_object().unwrap().clone());
        Some(Say::data(data))
    })
    .await;
    port.set(server.port).unwrap();
    server
}

fn usual(path: &str, before: usize) -> Option<Say> {
    match (path, before) {
        (ONE, 0) => Some(Say::Status(503, &[])),
        (ONE, _) => Some(Say::Bytes(packed(r#"["2","y"],["3",null]"#))),
        (TWO, _) => Some(Say::Bytes(r#"["4","ü"]"#.into())),
        _ => None,
    }
}

#[tokio::test]
async fn parts_of_an_answer_are_fetched_and_joined_in_order() {
    let headers = json!({ "chunkHeaders": { "x-amz-key": "canary" }, "qrmk": "not this" });
    let server = in_parts(headers, usual).await;
    let answer = server.session().run(&Statement::new("SELECT")).await.unwrap();
    let rows: Vec<_> = (0..4).map(|row| (answer.get(row, "a").unwrap(), answer.get(row, "B"))).collect();
    assert_eq!(rows, [("1", Some("x")), ("2", Some("y")), ("3", None), ("4", Some("ü"))]);
    assert_eq!((answer.columns[0].kind.as_str(), answer.columns[0].scale), ("fixed", Some(0)));
    assert_eq!(server.of(ONE).len(), 2);
    for seen in server.of(ONE).iter().chain(&server.of(TWO)) {
        assert_eq!(seen.headers["x-amz-key"], "canary");
        assert!(!seen.headers.contains_key("authorization"), "the session's token is for the server alone");
        assert!(!seen.headers.contains_key("x-amz-server-side-encryption-customer-key"));
    }
}

#[tokio::test]
async fn without_headers_the_key_of_the_parts_is_shown() {
    let server = in_parts(json!({ "qrmk": "the key" }), usual).await;
    server.session().run(&Statement::new("SELECT")).await.unwrap();
    let [seen] = &server.of(TWO)[..] else { panic!("{:?}", server.seen()) };
    assert_eq!(seen.headers["x-amz-server-side-encryption-customer-key"], "the key");
    assert_eq!(seen.headers["x-amz-server-side-encryption-customer-algorithm"], "AES256");
}

#[tokio::test]
async fn parts_that_are_not_whole_are_no_answer() {
    let cases: [(Part, &str); 3] = [
        (
            |path, _| path.starts_with("/parts").then(|| Say::Bytes(packed(r#"["2","y"]"#))),
            "a part of the answer has 1 rows of 2",
        ),
        (
            |path, _| path.starts_with("/parts").then(|| Say::Bytes(packed("canary")[..20].to_vec())),
            "a part of the answer can't be read",
        ),
        (
            |path, _| path.starts_with("/parts").then_some(Say::Status(403, &[])),
            "can't fetch a part of the answer: the server answers HTTP 403",
        ),
    ];
    for (part, said) in cases {
        let server = in_parts(json!({}), part).await;
        let error = server.session().run(&Statement::new("SELECT")).await.unwrap_err();
        assert_eq!(error.message(), said);
        assert!(!format!("{error:?}").contains("canary"), "{error:?}");
    }
}

#[tokio::test]
async fn values_are_read_however_they_are_written() {
    let server = Server::start(|seen, _| {
        (seen.path == QUERY).then(|| {
            Say::data(json!({
                "queryId": "q",
                "rowtype": [{ "name": "number of rows inserted", "type": "FIXED", "scale": null },
                    { "name": "number of rows updated" }, { "name": "X" }],
                "rowset": [[3, "4", true]],
                "stats": null,
            }))
        })
    })
    .await;
    let answer = server.session().run(&Statement::new("MERGE")).await.unwrap();
    assert_eq!(answer.get(0, "X"), Some("true"));
    assert_eq!(answer.affected, Some(7));
    assert_eq!(answer.changed, Changed { inserted: 3, updated: 4, deleted: 0 });
}

#[tokio::test]
async fn statistics_count_where_no_column_does() {
    let server = Server::start(|seen, _| {
        (seen.path == QUERY).then(|| {
            Say::data(json!({ "queryId": "q", "rowtype": [{ "name": "file" }, { "name": "rows_loaded" }],
                "rowset": [["a", "5"]], "stats": { "numRowsInserted": 5, "numDmlDuplicates": 0 } }))
        })
    })
    .await;
    assert_eq!(server.session().run(&Statement::new("COPY INTO t")).await.unwrap().affected, Some(5));
}

#[tokio::test]
async fn an_answer_in_another_form_is_named() {
    let server = Server::start(|seen, _| {
        (seen.path == QUERY).then(|| {
            Say::data(json!({ "rowtype": [], "rowsetBase64": "AAAA", "queryResultFormat": "arrow" }))
        })
    })
    .await;
    let error = server.session().run(&Statement::new("SELECT")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("Arrow"));
}

#[tokio::test]
async fn rows_of_another_width_are_no_answer() {
    let server = Server::start(|seen, _| {
        (seen.path == QUERY)
            .then(|| Say::data(json!({ "rowtype": [{ "name": "A" }], "rowset": [["1", "2"]] })))
    })
    .await;
    let error = server.session().run(&Statement::new("SELECT")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Transient);
}
