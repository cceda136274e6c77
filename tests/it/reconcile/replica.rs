//! Rows that are read from replicas, one of which is behind the other.

use lab::{Cluster, Options};
use serde_json::json;

use super::{counts, reconciled};
use crate::support::Project;

#[tokio::test]
async fn what_a_slow_replica_does_not_have_yet_is_not_deleted() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database
        .execute("CREATE TABLE t (id bigint PRIMARY KEY, at timestamptz); INSERT INTO t VALUES (1, now())")
        .await;
    let (quick, slow) = (cluster.standby(), cluster.standby_with(&[("recovery_min_apply_delay", "1500ms")]));
    for standby in [&quick, &slow] {
        standby.catch_up(&cluster).await;
    }
    let mut project = Project::new(&database)
        .source("read_from", json!({ "url": quick.database(&database).url() }))
        .stream(json!({ "name": "public.t", "cursor": "at", "lag": "0s" }));
    project.sync();
    database.execute("INSERT INTO t VALUES (2, now())").await;
    assert_eq!(project.sync()["totals"]["rows_read"], 1);
    project.configuration()["sources"]["db"]["read_from"]["url"] = json!(slow.database(&database).url());
    assert_eq!(counts(&reconciled(&project, &["--apply"], 0)), [2, 0, 0, 0, 0]);
}
