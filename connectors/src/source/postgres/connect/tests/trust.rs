//! Encryption, and whose certificates are trusted.

use lab::postgres::Tls;
use lab::{Cluster, Database, Options};
use protocol::{ErrorKind, Result};
use serde_json::{Value, json};

use super::{Client, connect, refused, told};

/// A database on a server with these certificates.
fn encrypting(tls: &Tls) -> (Cluster, Database) {
    let cluster = Cluster::start(Options::default().tls(tls));
    let database = cluster.database();
    (cluster, database)
}

fn with(database: &Database, more: Value) -> Value {
    let mut settings = json!({ "url": database.url() });
    let Value::Object(more) = more else { panic!("settings are an object") };
    settings.as_object_mut().unwrap().extend(more);
    settings
}

async fn encrypted(settings: Value) -> Result<Client> {
    let client = connect(settings).await?;
    assert!(client.is_encrypted);
    let row =
        client.query_one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await.unwrap();
    assert!(row.get::<_, bool>(0));
    Ok(client)
}

#[tokio::test]
async fn each_mode_checks_what_libpq_checks() {
    let tls = Tls::new();
    let (_cluster, database) = encrypting(&tls);
    let root = tls.authority_path();
    for more in [
        json!({}),
        json!({ "sslmode": "prefer" }),
        json!({ "sslmode": "require" }),
        json!({ "sslmode": "require", "channel_binding": "require" }),
        json!({ "sslmode": "require", "sslrootcert": root }),
        json!({ "sslmode": "verify-ca", "sslrootcert": root }),
        json!({ "sslmode": "verify-full", "sslrootcert": root }),
        json!({ "sslmode": "verify-full", "sslrootcert": root, "host": "localhost" }),
        json!({ "sslrootcert": root }),
    ] {
        let client = encrypted(with(&database, more.clone())).await;
        assert!(client.is_ok(), "{more}: {}", told(&client.err().unwrap()));
    }
    let error = refused(with(&database, json!({ "sslmode": "disable" }))).await;
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(told(&error).contains("sslmode: require"), "{}", told(&error));
}

#[tokio::test]
async fn an_authority_that_is_not_trusted_is_refused_with_a_hint() {
    let (tls, other) = (Tls::new(), Tls::new());
    let (_cluster, database) = encrypting(&tls);
    for more in [
        json!({ "sslmode": "verify-full" }),
        json!({ "sslmode": "verify-full", "sslrootcert": "system" }),
        json!({ "sslmode": "verify-full", "sslrootcert": other.authority_path() }),
        json!({ "sslmode": "verify-ca", "sslrootcert": other.authority_path() }),
        json!({ "sslmode": "require", "sslrootcert": other.authority_path() }),
        json!({ "sslmode": "prefer", "sslrootcert": other.authority_path() }),
    ] {
        let error = refused(with(&database, more.clone())).await;
        assert_eq!(error.kind(), ErrorKind::Config, "{more}");
        let told = told(&error);
        assert!(told.contains("is not trusted") && told.contains("`sslrootcert`"), "{more}: {told}");
    }
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused_unless_it_is_the_one_given() {
    let tls = Tls::self_signed();
    let (_cluster, database) = encrypting(&tls);
    let error =
        refused(with(&database, json!({ "sslmode": "verify-full", "sslrootcert": tls.authority_path() })))
            .await;
    assert!(told(&error).contains("self-signed"), "{}", told(&error));
    for mode in ["verify-ca", "verify-full"] {
        let settings = json!({ "sslmode": mode, "sslrootcert": tls.server_certificate_path() });
        encrypted(with(&database, settings)).await.unwrap();
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_passes_only_where_names_are_not_checked() {
    let tls = Tls::for_names(&["db.example.com"]);
    let (_cluster, database) = encrypting(&tls);
    let root = tls.authority_path();
    encrypted(with(&database, json!({ "sslmode": "verify-ca", "sslrootcert": root }))).await.unwrap();
    let error = refused(with(&database, json!({ "sslmode": "verify-full", "sslrootcert": root }))).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(told(&error).contains("db.example.com"), "{}", told(&error));
    // The name that counts is `host`; `hostaddr` only saves looking it up.
    let url = database.url().replace("127.0.0.1", "db.example.com") + "?hostaddr=127.0.0.1";
    encrypted(json!({ "url": url, "sslmode": "verify-full", "sslrootcert": root })).await.unwrap();
}

#[tokio::test]
async fn an_expired_certificate_is_refused() {
    let tls = Tls::expired();
    let (_cluster, database) = encrypting(&tls);
    let settings = json!({ "sslmode": "verify-ca", "sslrootcert": tls.authority_path() });
    let error = refused(with(&database, settings)).await;
    assert!(told(&error).contains("it has expired"), "{}", told(&error));
    encrypted(with(&database, json!({ "sslmode": "require" }))).await.unwrap();
}

#[tokio::test]
async fn a_server_that_does_not_encrypt_is_taken_only_where_that_is_allowed() {
    let database = Cluster::shared().database();
    for mode in ["disable", "prefer"] {
        let client = connect(with(&database, json!({ "sslmode": mode }))).await.unwrap();
        assert!(!client.is_encrypted);
    }
    for mode in ["require", "verify-full"] {
        let error = refused(with(&database, json!({ "sslmode": mode }))).await;
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(told(&error).contains("does not encrypt connections"), "{}", told(&error));
    }
    let error = refused(with(&database, json!({ "channel_binding": "require" }))).await;
    assert_eq!(error.kind(), ErrorKind::Auth, "{}", told(&error));
}

#[tokio::test]
async fn a_client_certificate_proves_who_we_are() {
    let tls = Tls::new();
    let cluster = Cluster::start(Options::default().tls(&tls).client_certificate("reader"));
    let (database, role) = (cluster.database(), cluster.role("reader"));
    let url = database.url_of(&role);
    let error = refused(json!({ "url": url })).await;
    assert_eq!(error.kind(), ErrorKind::Auth, "{}", told(&error));
    let settings = |identity: &lab::postgres::Identity| json!({ "url": url, "sslrootcert": tls.authority_path(), "sslcert": identity.certificate, "sslkey": identity.key });
    encrypted(settings(&tls.client("reader"))).await.unwrap();
    let error = refused(settings(&tls.client("somebody"))).await;
    assert_eq!(error.kind(), ErrorKind::Auth, "{}", told(&error));
    let error = refused(settings(&Tls::new().client("reader"))).await;
    assert_eq!(error.kind(), ErrorKind::Auth, "{}", told(&error));
    let crossed = lab::postgres::Identity { key: tls.client("reader").key, ..tls.client("reader") };
    let error = refused(settings(&crossed)).await;
    assert_eq!(error.kind(), ErrorKind::Config, "{}", told(&error));
}

#[tokio::test]
async fn files_that_hold_no_certificates_are_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "canary").unwrap();
    for settings in [
        json!({ "sslrootcert": "/no/such/file" }),
        json!({ "sslrootcert": file.path() }),
        json!({ "sslrootcert": file.path(), "sslcert": file.path(), "sslkey": file.path() }),
    ] {
        let error = refused(with(&Cluster::shared().database(), settings)).await;
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(
            told(&error).contains("`sslrootcert`") && !told(&error).contains("canary"),
            "{}",
            told(&error)
        );
    }
}

#[tokio::test]
async fn encryption_may_begin_at_once() {
    let tls = Tls::new();
    let newer =
        lab::Binaries::all().into_iter().find(|binaries| binaries.has_tls() && binaries.major() >= 17);
    let old = Cluster::start(Options::default().tls(&tls));
    let settings = json!({ "sslrootcert": tls.authority_path(), "sslnegotiation": "direct" });
    if old.major() < 17 {
        let error = refused(with(&old.database(), settings.clone())).await;
        assert_eq!(error.kind(), ErrorKind::Transient, "{}", told(&error));
    }
    let Some(newer) = newer else {
        println!("not run: there is no PostgreSQL 17 or newer that speaks TLS");
        return;
    };
    let cluster = Cluster::start(Options::default().tls(&tls).binaries(newer));
    encrypted(with(&cluster.database(), settings)).await.unwrap();
}
