//! A commit that comes in between.

use lab::{Cluster, Options};
use serde_json::json;

use super::{counts, reconciled};
use crate::support::{Lake, Project, Running, until_true};

#[tokio::test]
async fn tombstones_after_another_commit_exit_with_75_and_leave_nothing() {
    let cluster = Cluster::start(Options::default());
    let database = cluster.database();
    database
        .execute(
            "CREATE TABLE t (id bigint PRIMARY KEY, updated_at timestamptz DEFAULT '2025-01-01'); \
             INSERT INTO t SELECT generate_series(1, 10)",
        )
        .await;
    let project =
        Project::new(&database).stream(json!({ "name": "public.t", "cursor": "updated_at", "lag": "0s" }));
    project.sync();
    database.execute("DELETE FROM t WHERE id = 1").await;

    // The comparison has looked at the target when it asks for the source, and waits there.
    let client = database.client().await;
    client.batch_execute("BEGIN; LOCK TABLE t IN ACCESS EXCLUSIVE MODE").await.expect("nobody else has it");
    let running = Running::start(project.command(&["reconcile", "--apply", "-o", "json"]));
    until_true("the comparison to wait for the table", async || {
        let sql = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 't'::regclass";
        database.value(sql).await.as_deref() == Some("t")
    })
    .await;
    project.run(&["state", "reset", "--yes"]).exits(0);
    let lake = Lake::in_directory(&project.path("lake"), "public.t");
    let (files, commits) = (lake.files().await, lake.commits().await);
    client.batch_execute("ROLLBACK").await.expect("the lock is let go");
    let report = running.wait().exits(75).json();
    assert_eq!(report["streams"][0]["error"]["kind"], "conflict");
    assert_eq!((lake.files().await, lake.commits().await), (files, commits), "nothing was changed");
    lake.is_tidy().await;
    // Without a state nothing is promised; what is gone is gone all the same.
    assert_eq!(counts(&reconciled(&project, &["--apply"], 0)), [9, 0, 0, 0, 1]);
}
