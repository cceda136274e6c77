//! How often a sync with nothing to do talks to the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lab::Cluster;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Sync, open};

/// Counts round trips: how often a client speaks after the server did. Returns its port.
async fn proxy(server: u16, trips: Arc<AtomicUsize>, sessions: Arc<AtomicUsize>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            sessions.fetch_add(1, Ordering::Relaxed);
            let server = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
            tokio::spawn(relay(client, server, Arc::clone(&trips)));
        }
    });
    port
}

async fn relay(mut client: TcpStream, mut server: TcpStream, trips: Arc<AtomicUsize>) {
    let (mut asked, mut answer) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut is_answered = true;
    loop {
        tokio::select! {
            read = client.read(&mut asked) => match read {
                Ok(read) if read > 0 => {
                    trips.fetch_add(usize::from(is_answered), Ordering::Relaxed);
                    is_answered = false;
                    if server.write_all(&asked[..read]).await.is_err() { return }
                }
                _ => return,
            },
            read = server.read(&mut answer) => match read {
                Ok(read) if read > 0 => {
                    is_answered = true;
                    if client.write_all(&answer[..read]).await.is_err() { return }
                }
                _ => return,
            },
        }
    }
}

#[tokio::test]
async fn an_increment_with_nothing_new_is_cheap() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE t (id int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now()); CREATE INDEX ON t (at); \
             INSERT INTO t SELECT generate_series(1, 1000)",
        )
        .await;
    let (trips, sessions) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let port = proxy(database.port(), Arc::clone(&trips), Arc::clone(&sessions)).await;
    let url = database.url().replace(&format!(":{}/", database.port()), &format!(":{port}/"));
    let mut sync =
        Sync::full_of(open(&url, json!({ "sslmode": "disable" })).await, "public.t").await.by("at");
    assert_eq!(sync.rows().await.len(), 1000);
    // Sessions say goodbye when they are dropped.
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    trips.store(0, Ordering::Relaxed);
    sessions.store(0, Ordering::Relaxed);
    assert_eq!(sync.rows().await, [""; 0]);
    let (trips, sessions) = (trips.load(Ordering::Relaxed), sessions.load(Ordering::Relaxed));
    println!("{trips} round trips in {sessions} sessions");
    assert_eq!(sessions, 1);
    // Four of them log in and set the session up.
    assert!(trips <= 14, "{trips} round trips");
}
