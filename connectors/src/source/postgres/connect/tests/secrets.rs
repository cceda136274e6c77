//! Who we are.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use lab::{Cluster, Options};
use protocol::ErrorKind;
use serde_json::json;

use super::{connect, connect_to, one, refused, told};

#[tokio::test]
async fn a_session_renders_values_the_same_way_everywhere_and_writes_nothing() {
    let database = Cluster::shared().database();
    let name = database.name();
    database
        .execute(&format!(
            "ALTER DATABASE {name} SET TimeZone = 'America/New_York'; ALTER DATABASE {name} SET DateStyle = 'SQL, DMY'; \
             ALTER DATABASE {name} SET IntervalStyle = 'iso_8601'; ALTER DATABASE {name} SET extra_float_digits = -5; \
             ALTER DATABASE {name} SET bytea_output = 'escape'; ALTER DATABASE {name} SET statement_timeout = 1000"
        ))
        .await;
    let client = connect_to(&database).await;
    let rendered = "SELECT concat_ws(' ', timestamptz '2026-07-01 12:00Z', interval '1 day 2 hours', 0.1::float8 + 0.2, \
                    '\\x00ff'::bytea, current_setting('statement_timeout'), current_setting('application_name'))";
    assert_eq!(
        one(&client, rendered).await,
        r"2026-07-01 12:00:00+00 1 day 02:00:00 0.30000000000000004 \x00ff 0 tidegate"
    );
    let error = client.batch_execute("CREATE TABLE t (id int)").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "25006");
    assert_eq!(client.server_version / 10000, Cluster::shared().major());
    assert!(!client.is_in_recovery && !client.is_encrypted && !client.is_pooled);
}

#[tokio::test]
async fn scram_and_md5_passwords_are_taken() {
    let md5 = Cluster::start(Options::default().md5());
    for cluster in [Cluster::shared(), &md5] {
        let database = cluster.database();
        let role = database.role("reader", "");
        let client = connect(json!({ "url": database.url_of(&role) })).await.unwrap();
        assert_eq!(one(&client, "SELECT current_user::text").await, role.name);
    }
}

#[tokio::test]
async fn a_wrong_password_is_an_auth_error_with_the_servers_words() {
    let database = Cluster::shared().database();
    let error = refused(json!({ "url": database.url_as("postgres", "canary") })).await;
    assert_eq!(error.kind(), ErrorKind::Auth);
    let told = told(&error);
    assert!(told.contains("password authentication failed for user \"postgres\""), "{told}");
    assert!(told.contains(&format!("127.0.0.1:{}", database.port())), "{told}");
    assert!(!told.contains("canary"), "{told}");
}

#[tokio::test]
async fn a_missing_password_and_a_missing_database_say_so() {
    let database = Cluster::shared().database();
    let empty = tempfile::NamedTempFile::new().unwrap();
    let settings = json!({
        "host": "127.0.0.1", "port": database.port(), "user": "postgres", "passfile": empty.path(),
    });
    let error = refused(settings).await;
    assert_eq!(error.kind(), ErrorKind::Auth);
    assert!(told(&error).contains("password missing"), "{}", told(&error));
    let mut settings = json!({ "url": database.url(), "database": "nowhere" });
    let error = refused(settings.take()).await;
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(told(&error).contains("database \"nowhere\" does not exist"), "{}", told(&error));
}

#[tokio::test]
async fn the_password_file_is_read_unless_others_may_read_it() {
    let database = Cluster::shared().database();
    let file = tempfile::NamedTempFile::new().unwrap();
    let password = Cluster::shared().password();
    fs::write(
        file.path(),
        format!("other:*:*:*:wrong\n127.0.0.1:{}:*:postgres:{password}\n", database.port()),
    )
    .unwrap();
    let settings = json!({
        "host": "127.0.0.1", "port": database.port(), "user": "postgres", "database": database.name(),
        "passfile": file.path(),
    });
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
    let client = connect(settings.clone()).await.unwrap();
    assert_eq!(one(&client, "SELECT current_database()::text").await, database.name());
    fs::set_permissions(file.path(), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(refused(settings).await.kind(), ErrorKind::Auth);
}
