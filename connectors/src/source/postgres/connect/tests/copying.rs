//! COPY straight from the line gives what the driver gives.

use std::pin::pin;

use futures::StreamExt;
use lab::postgres::Tls;
use lab::{Cluster, Options};
use protocol::{ErrorKind, Result};
use serde_json::json;

use super::{Client, connect, connect_to, one, told};

async fn straight(client: &mut Client, sql: &str) -> Result<(Vec<u8>, u64)> {
    let mut copy = client.copy(sql, "could not read").await?;
    let mut bytes = Vec::new();
    while let Some(chunk) = copy.chunk().await? {
        bytes.extend_from_slice(chunk);
    }
    let rows = copy.rows().unwrap();
    Ok((bytes, rows))
}

async fn through_the_driver(client: &Client, sql: &str) -> Vec<u8> {
    let mut stream = pin!(client.copy_out(sql).await.unwrap());
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        bytes.extend_from_slice(&chunk.unwrap());
    }
    bytes
}

/// Rows of none, few, many and very many bytes.
const QUERIES: [(&str, u64); 6] = [
    ("SELECT 1 WHERE false", 0),
    ("SELECT 1, NULL::text", 1),
    ("SELECT i, repeat('x', i % 300) FROM generate_series(1, 20000) i", 20_000),
    ("SELECT repeat('y', 262144 - 25 + i) FROM generate_series(1, 40) i", 40),
    ("SELECT repeat('z', 3000000) FROM generate_series(1, 3)", 3),
    ("SELECT FROM generate_series(1, 1000)", 1000),
];

#[tokio::test]
async fn the_bytes_are_the_same_and_the_session_goes_on() {
    let tls = Tls::new();
    let encrypting = Cluster::start(Options::default().tls(&tls));
    for cluster in [Cluster::shared(), &encrypting] {
        let database = cluster.database();
        let mut client = connect_to(&database).await;
        for format in ["binary", "text"] {
            for (query, rows) in QUERIES {
                let sql = format!("COPY ({query}) TO STDOUT (FORMAT {format})");
                let (bytes, counted) = straight(&mut client, &sql).await.unwrap();
                assert_eq!(counted, rows, "{sql}");
                assert!(bytes == through_the_driver(&client, &sql).await, "{sql}");
            }
        }
        assert_eq!(one(&client, "SELECT 'still here'").await, "still here");
    }
}

#[tokio::test]
async fn an_error_in_the_middle_is_told_and_the_session_goes_on() {
    let database = Cluster::shared().database();
    let mut client = connect_to(&database).await;
    client.batch_execute("BEGIN").await.unwrap();
    let late = "COPY (SELECT 1 / (90000 - i), repeat('x', 100) FROM generate_series(1, 100000) i) TO STDOUT (FORMAT binary)";
    let error = straight(&mut client, late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(error.context_value("sqlstate"), Some("22012"), "{}", told(&error));
    client.batch_execute("ROLLBACK").await.unwrap();
    let error = client.copy("COPY missing TO STDOUT", "could not read missing").await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Config, "{}", told(&error));
    assert!(told(&error).contains("could not read missing: relation \"missing\" does not exist"));
    let (_, rows) = straight(&mut client, "COPY (SELECT 1) TO STDOUT").await.unwrap();
    assert_eq!(rows, 1);
    for sql in ["SELECT 1", "BEGIN", ""] {
        let mut client = connect_to(&database).await;
        assert_eq!(client.copy(sql, "reading").await.err().unwrap().kind(), ErrorKind::Internal, "{sql}");
    }
}

#[tokio::test]
async fn a_server_that_dies_in_the_middle_is_told() {
    let database = Cluster::shared().database();
    let mut client = connect(json!({ "url": database.url() })).await.unwrap();
    let process = one(&client, "SELECT pg_backend_pid()::text").await;
    let sql = "COPY (SELECT a, repeat('x', 1000) FROM generate_series(1, 100000) a, generate_series(1, 10000) b) TO STDOUT";
    let mut copy = client.copy(sql, "could not read t").await.unwrap();
    copy.chunk().await.unwrap();
    database.execute(&format!("SELECT pg_terminate_backend({process})")).await;
    let error = loop {
        match copy.chunk().await {
            Ok(chunk) => assert!(chunk.is_some(), "the end was never sent"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::Transient, "{}", told(&error));
}
