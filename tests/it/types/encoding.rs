//! Databases whose texts are not UTF-8.

use lab::{Cluster, Database};
use serde_json::json;

use crate::support::Project;

/// A database with another encoding, and a project that reads it; it goes with the cluster.
async fn project(database: &Database, encoding: &str, insert: &str) -> Project {
    let name = format!("{}_{}", database.name(), encoding.to_lowercase());
    database.execute(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING '{encoding}'")).await;
    let mut config = database.config();
    let (client, connection) =
        config.dbname(&name).connect(tokio_postgres::NoTls).await.expect("the database was just made");
    tokio::spawn(connection);
    let sql = format!("CREATE TABLE t (n int, x text); {insert}");
    client.batch_execute(&sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    Project::of_url(&database.url().replace(database.name(), &name)).stream(json!({ "name": "public.t" }))
}

#[tokio::test]
async fn latin1_becomes_utf8() {
    let database = Cluster::shared().database();
    let insert = "INSERT INTO t VALUES (1, 'Größe'), (2, chr(255)), (3, NULL)";
    let project = project(&database, "LATIN1", insert).await;
    project.sync();
    let sql = format!("SELECT x FROM read_parquet('{}/*.parquet') ORDER BY n", project.lake("public.t"));
    assert_eq!(project.duckdb(&sql), [[Some("Größe".to_owned())], [Some("ÿ".to_owned())], [None]]);
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused_without_showing_them() {
    let database = Cluster::shared().database();
    let project =
        project(&database, "SQL_ASCII", "INSERT INTO t VALUES (1, 'good'), (2, 'canary' || chr(233))").await;
    let ran = project.run(&["sync", "-o", "json", "-vv"]).exits(65).says("can't be converted to UTF-8");
    let error = &ran.json()["streams"][0]["error"];
    assert_eq!((&error["kind"], &error["context"]["stream"]), (&json!("data"), &json!("public.t")));
    assert!(!ran.stdout.contains("canary") && !ran.stderr.contains("canary"));
}
