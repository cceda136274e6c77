//! The target against the source as it is now.

use super::{project, stream, tables, verified};

#[tokio::test]
async fn a_full_refresh_is_compared_with_a_fresh_read() {
    let database = tables().await;
    let project = project(&database).stream(serde_json::json!({
        "name": "public.events", "mode": "full_refresh", "target": "all_events",
    }));
    // One table can't be configured twice: here only what is read in full.
    let mut project = project;
    let streams = &mut project.configuration()["connections"]["db_to_lake"]["streams"];
    streams.as_array_mut().expect("a list").remove(0);
    project.sync();
    let document = verified(&project, 0, &["--source"]);
    for name in ["public.events", "public.countries", "public.nothing"] {
        let stream = stream(&document, name);
        assert_eq!(stream["source"]["is_equal"], true, "{stream:#}");
        assert_eq!(stream["source"]["content"], stream["content"]);
    }
    project.run(&["verify", "--source"]).exits(0).prints("the source has the same rows now");
    // The last digit of one number, of one row among thousands.
    database.execute("UPDATE events SET amount = amount + 0.0001 WHERE id = 1234").await;
    let document = verified(&project, 65, &["--source"]);
    let found = &stream(&document, "public.events")["findings"][0];
    assert_eq!(found["problem"], "source", "{document:#}");
    assert_eq!(stream(&document, "public.countries")["outcome"], "ok");
    verified(&project, 0, &[]);
    project.sync();
    verified(&project, 0, &["--source"]);
}

#[tokio::test]
async fn an_increment_is_referred_to_reconcile() {
    let database = tables().await;
    let project = project(&database);
    project.sync();
    let document = verified(&project, 0, &["--source"]);
    let note = stream(&document, "public.events")["notes"][0].as_str().expect("a note").to_owned();
    assert!(note.contains("`tidegate reconcile` compares by key"), "{note}");
}
