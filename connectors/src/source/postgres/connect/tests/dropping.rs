//! What is dropped leaves nothing behind at the server.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures::StreamExt;
use lab::{Cluster, Database};

use super::{Client, connect_to, one};

/// Waits until the server has ended that process.
async fn is_gone(database: &Database, process: &str) {
    let left = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {process}");
    let deadline = Instant::now() + Duration::from_secs(3);
    while database.value(&left).await.as_deref() != Some("0") {
        assert!(Instant::now() < deadline, "the server is still at work");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn process(client: &Client) -> String {
    one(client, "SELECT pg_backend_pid()::text").await
}

const ENDLESS: &str = "COPY (SELECT repeat('x', 1000) FROM generate_series(1, 100000) a, generate_series(1, 100000) b) TO STDOUT";

#[tokio::test]
async fn an_idle_session_says_goodbye() {
    let database = Cluster::shared().database();
    let client = connect_to(&database).await;
    let process = process(&client).await;
    drop(client);
    is_gone(&database, &process).await;
}

#[tokio::test]
async fn the_server_does_not_miss_sessions_that_are_closed() {
    let cluster = Cluster::start(lab::Options::default());
    let database = cluster.database();
    let settings = serde_json::json!({ "url": database.url() });
    let connector = super::connector(settings);
    for _ in 0..3 {
        connector.primary().await.unwrap().close().await;
        let client = connector.reader().await.unwrap();
        client.batch_execute("BEGIN; SELECT 1").await.unwrap();
        drop(client);
    }
    connector.close().await;
    drop(database);
    let log = cluster.log();
    assert!(!log.contains("unexpected EOF") && !log.contains("reset by peer"), "{log}");
}

#[tokio::test]
async fn a_copy_through_the_driver_ends_with_its_session() {
    let database = Cluster::shared().database();
    let client = connect_to(&database).await;
    let process = process(&client).await;
    {
        let mut stream = pin!(client.copy_out(ENDLESS).await.unwrap());
        stream.next().await.unwrap().unwrap();
    }
    drop(client);
    is_gone(&database, &process).await;
}

#[tokio::test]
async fn a_copy_straight_from_the_line_ends_when_it_is_dropped() {
    let database = Cluster::shared().database();
    let mut client = connect_to(&database).await;
    let process = process(&client).await;
    let mut copy = client.copy(ENDLESS, "reading").await.unwrap();
    copy.chunk().await.unwrap();
    drop(copy);
    is_gone(&database, &process).await;
    assert!(
        client.query("SELECT 1", &[]).await.is_err(),
        "nobody can make sense of what is left of the answer"
    );
    assert!(client.is_closed());
}

#[tokio::test]
async fn a_copy_that_has_sent_nothing_yet_ends_when_it_is_dropped() {
    let database = Cluster::shared().database();
    let mut client = connect_to(&database).await;
    let process = process(&client).await;
    let slow = "COPY (SELECT pg_sleep(600)) TO STDOUT";
    let late = tokio::time::timeout(Duration::from_millis(300), async {
        let mut copy = client.copy(slow, "reading").await.unwrap();
        copy.chunk().await.unwrap();
    });
    assert!(late.await.is_err());
    is_gone(&database, &process).await;
}

#[tokio::test]
async fn a_query_that_works_in_silence_is_cancelled() {
    let database = Cluster::shared().database();
    let client = connect_to(&database).await;
    let process = process(&client).await;
    let sleeping =
        tokio::time::timeout(Duration::from_millis(300), client.batch_execute("SELECT pg_sleep(600)"));
    assert!(sleeping.await.is_err());
    drop(client);
    is_gone(&database, &process).await;
}

#[tokio::test]
async fn a_session_that_waits_for_a_lock_is_cancelled() {
    let database = Cluster::shared().database();
    database.execute("CREATE TABLE t (id int)").await;
    let owner = database.client().await;
    owner.batch_execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let client = connect_to(&database).await;
    let process = process(&client).await;
    let waiting = tokio::time::timeout(Duration::from_millis(300), client.batch_execute("SELECT FROM t"));
    assert!(waiting.await.is_err());
    drop(client);
    is_gone(&database, &process).await;
}
