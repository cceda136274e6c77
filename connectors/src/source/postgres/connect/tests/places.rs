//! Where the server is, and what is there instead.

use std::time::{Duration, Instant};

use lab::{Cluster, Database, Options};
use protocol::ErrorKind;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{connect, connector, one, refused, told};

#[tokio::test]
async fn a_unix_socket_is_a_host_that_begins_with_a_slash() {
    let database = Cluster::shared().database();
    let config = database.config();
    let tokio_postgres::config::Host::Unix(folder) = &config.get_hosts()[0] else {
        panic!("the lab uses a socket")
    };
    let client = connect(json!({
        "host": folder, "port": database.port(), "user": "postgres", "database": database.name(),
    }))
    .await
    .unwrap();
    assert_eq!(one(&client, "SELECT coalesce(inet_client_addr()::text, 'socket')").await, "socket");
}

#[tokio::test]
async fn who_can_not_be_reached_is_named_and_may_be_tried_again() {
    let port = lab::port::free();
    for (host, what) in [
        (format!("127.0.0.1:{port}"), format!("127.0.0.1:{port}")),
        ("no-such-host.invalid".to_owned(), "no-such-host.invalid".to_owned()),
        ("/no/such/folder".to_owned(), "/no/such/folder/.s.PGSQL.5432".to_owned()),
    ] {
        let error = refused(json!({ "host": host, "user": "u", "password": "canary" })).await;
        assert_eq!(error.kind(), ErrorKind::Transient, "{}", told(&error));
        assert!(told(&error).contains(&what) && !told(&error).contains("canary"), "{}", told(&error));
    }
}

#[tokio::test]
async fn whoever_accepts_and_says_nothing_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let start = Instant::now();
    let error = refused(json!({
        "host": silent.local_addr().unwrap().to_string(), "user": "u", "password": "p", "connect_timeout": "300ms",
    }))
    .await;
    assert_eq!(error.kind(), ErrorKind::Transient);
    assert!(told(&error).contains("no answer in 300ms"), "{}", told(&error));
    assert!(start.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn whoever_speaks_another_language_is_not_a_server() {
    let web = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = web.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = web.accept().await {
            let _ = stream.try_write(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let error = refused(json!({ "host": address.to_string(), "user": "u", "password": "p" })).await;
    assert!(told(&error).contains("this is no PostgreSQL server"), "{}", told(&error));
}

fn place(database: &Database) -> String {
    format!("127.0.0.1:{}", database.port())
}

#[tokio::test]
async fn of_several_hosts_the_wanted_kind_is_taken() {
    let cluster = Cluster::start(Options::default());
    let standby = cluster.standby();
    let primary = cluster.database();
    standby.catch_up(&cluster).await;
    let replica = standby.database(&primary);
    let dead = format!("127.0.0.1:{}", lab::port::free());
    let login = json!({ "user": "postgres", "password": cluster.password(), "database": primary.name() });
    let settings = |more: serde_json::Value| {
        let mut settings = login.clone();
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        settings
    };
    let both = [dead.clone(), place(&replica), place(&primary)];
    let client = connect(settings(json!({ "host": both }))).await.unwrap();
    assert!(!client.is_in_recovery, "writes go to the primary, so it is preferred");
    let client = connect(settings(json!({ "host": [dead.clone(), place(&replica)] }))).await.unwrap();
    assert!(client.is_in_recovery, "a standby is better than nothing");

    let places = format!("{},{}", place(&primary), place(&replica));
    for (wanted, recovery) in [("standby", true), ("read-only", true), ("primary", false), ("any", false)] {
        let url = format!("postgres://{places}?target_session_attrs={wanted}");
        let client = connect(settings(json!({ "url": url }))).await.unwrap();
        assert_eq!(client.is_in_recovery, recovery, "{wanted}");
    }
    let url = format!("postgres://{}?target_session_attrs=read-write", place(&replica));
    let error = refused(settings(json!({ "url": url }))).await;
    assert!(told(&error).contains("is a standby"), "{}", told(&error));

    let reading = connector(settings(json!({
        "host": place(&primary), "read_from": { "host": [place(&primary), place(&replica)] },
    })));
    assert!(reading.has_replica());
    assert!(!reading.primary().await.unwrap().is_in_recovery);
    assert!(reading.reader().await.unwrap().is_in_recovery);
}

/// Stands between a client and the server, and shows a process of its own, as poolers do.
async fn pooler(port: u16) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(pooled(client, server));
        }
    });
    address
}

async fn pooled(mut client: TcpStream, mut server: TcpStream) -> std::io::Result<()> {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.split(), server.split());
    let answers = async {
        // The first byte answers the question for encryption.
        to_client.write_u8(from_server.read_u8().await?).await?;
        loop {
            let (kind, length) = (from_server.read_u8().await?, from_server.read_u32().await?);
            let mut body = vec![0; length as usize - 4];
            from_server.read_exact(&mut body).await?;
            if kind == b'K' {
                body[3] = !body[3];
            }
            let header = [&[kind], length.to_be_bytes().as_slice()].concat();
            to_client.write_all(&[header, body].concat()).await?;
        }
    };
    let questions = tokio::io::copy(&mut from_client, &mut to_server);
    tokio::select! {
        broken = answers => broken,
        sent = questions => sent.map(drop),
    }
}

#[tokio::test]
async fn nothing_harmful_is_left_in_a_session_of_a_pooler() {
    let database = Cluster::shared().database();
    let direct = super::connect_to(&database).await;
    let settings = "SELECT string_agg(name || '=' || current_setting(name), ' ' ORDER BY name) FROM unnest('{TimeZone, \
                    default_transaction_read_only, lock_timeout, idle_in_transaction_session_timeout, jit}'::text[]) name";
    assert_eq!(
        one(&direct, settings).await,
        "TimeZone=UTC default_transaction_read_only=on idle_in_transaction_session_timeout=15min jit=off lock_timeout=30s"
    );
    let pooler = pooler(database.port()).await;
    let url = database.url().replace(&format!(":{}/", database.port()), &format!(":{}/", pooler.port()));
    let client = connect(json!({ "url": url })).await.unwrap();
    assert!(client.is_pooled && !direct.is_pooled);
    assert_eq!(
        one(&client, settings).await,
        "TimeZone=UTC default_transaction_read_only=off idle_in_transaction_session_timeout=0 jit=on lock_timeout=0"
    );
}
