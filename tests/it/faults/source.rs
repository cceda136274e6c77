//! A database that can't be reached, or not as it is asked for.

use lab::port;
use serde_json::{Value, json};

use crate::support::Ledger;

fn stream(configuration: &mut Value) -> &mut Value {
    &mut configuration["connections"]["db_to_lake"]["streams"][0]
}

/// A ledger that was synced once, with one more row to come.
async fn synced() -> Ledger {
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.configuration()["connections"]["db_to_lake"]["retries"] = json!(1);
    ledger.project.sync();
    ledger.add(1).await;
    ledger
}

#[tokio::test]
async fn an_unreachable_host_is_named_and_may_be_tried_again() {
    let mut ledger = synced().await;
    let port = port::free();
    let url = format!("postgres://postgres:x@127.0.0.1:{port}/shop");
    let place = format!("127.0.0.1:{port}");
    let document = ledger.refuses(|it| it["sources"]["db"]["url"] = json!(url), 75, &[&place]);
    assert_eq!(document["error"]["kind"], "transient");
    assert_eq!(document["error"]["retryable"], true);
    let url = "postgres://postgres:x@no-such-host.invalid/shop";
    ledger.refuses(|it| it["sources"]["db"]["url"] = json!(url), 75, &["no-such-host.invalid"]);
    ledger.recovers().await;
}

#[tokio::test]
async fn a_wrong_password_is_refused_at_once() {
    let mut ledger = synced().await;
    let url = ledger.database.url_as("postgres", "wrong");
    let words = ["password authentication failed for user \"postgres\"", "check `user` and `password`"];
    let document = ledger.refuses(|it| it["sources"]["db"]["url"] = json!(url), 77, &words);
    assert_eq!(document["error"]["kind"], "auth");
    assert_eq!(document["totals"]["retries"], 0);
    ledger.recovers().await;
}

#[tokio::test]
async fn an_unknown_database_is_a_mistake_in_the_configuration() {
    let mut ledger = synced().await;
    let url = ledger.database.url().replace(ledger.database.name(), "nowhere");
    let words = ["\"nowhere\" does not exist", "check `database`"];
    ledger.refuses(|it| it["sources"]["db"]["url"] = json!(url), 78, &words);
    ledger.recovers().await;
}

#[tokio::test]
async fn a_missing_table_is_named_with_one_that_is_meant() {
    let mut ledger = synced().await;
    let words = ["public.leger", "public.ledger"];
    ledger.refuses(|it| stream(it)["name"] = json!("public.leger"), 78, &words);
    ledger.recovers().await;
}

#[tokio::test]
async fn a_missing_column_is_named() {
    let mut ledger = synced().await;
    for change in [
        json!({ "columns": ["id", "updated_at", "nope"] }),
        json!({ "exclude": ["nope"] }),
        json!({ "cursor": "nope" }),
    ] {
        let change = |it: &mut Value| {
            let settings = stream(it).as_object_mut().expect("a stream has settings");
            settings.extend(change.as_object().expect("a change has settings").clone());
        };
        ledger.refuses(change, 78, &["public.ledger", "\"nope\""]);
    }
    ledger.recovers().await;
}

#[tokio::test]
async fn a_role_without_rights_is_told_the_grant_to_run() {
    let mut ledger = synced().await;
    let role = ledger.database.role("reader", "");
    let url = ledger.database.url_of(&role);
    let grant = format!("GRANT SELECT ON \"public\".\"ledger\" TO \"{}\"", role.name);
    let document = ledger.refuses(
        |it| it["sources"]["db"]["url"] = json!(url),
        77,
        &["public.ledger", &role.name, &grant],
    );
    assert_eq!(super::refusal::error_of(&document)["kind"], "auth");
    ledger.recovers().await;
    // The advice is right.
    ledger.database.execute(&grant).await;
    ledger.add(1).await;
    ledger.project.configuration()["sources"]["db"]["url"] = json!(url);
    ledger.recovers().await;
}

#[tokio::test]
async fn a_right_that_is_taken_away_later_is_no_empty_table() {
    let mut ledger = synced().await;
    let role = ledger.database.role("reader", "GRANT SELECT ON ledger TO {role}");
    ledger.project.configuration()["sources"]["db"]["url"] = json!(ledger.database.url_of(&role));
    ledger.project.sync();
    ledger.add(1).await;
    ledger.database.execute(&format!("REVOKE SELECT ON ledger FROM \"{}\"", role.name)).await;
    ledger.fails(77, &["public.ledger", "GRANT SELECT"]);
    ledger.database.execute(&format!("GRANT SELECT ON ledger TO \"{}\"", role.name)).await;
    ledger.recovers().await;
}

#[tokio::test]
async fn a_column_that_does_not_grow_is_no_cursor() {
    let mut ledger = Ledger::incremental(5).await;
    ledger.database.execute("ALTER TABLE ledger ADD is_paid boolean, ADD place point").await;
    for (column, kind) in [("is_paid", "boolean"), ("place", "point")] {
        let words = ["public.ledger", column, kind, "a cursor is"];
        ledger.refuses(|it| stream(it)["cursor"] = json!(column), 78, &words);
    }
    ledger.recovers().await;
}

#[tokio::test]
async fn another_cursor_than_before_needs_a_reset() {
    let mut ledger = synced().await;
    let words = ["public.ledger", "\"id\"", "\"updated_at\"", "tidegate state reset"];
    ledger.refuses(|it| stream(it)["cursor"] = json!("id"), 78, &words);
    ledger.recovers().await;
}

#[tokio::test]
async fn a_cursor_without_index_is_told_the_index_to_create() {
    let mut ledger = Ledger::incremental(1).await;
    ledger.database.execute("DROP INDEX ledger_updated_at_idx").await;
    // Large enough for an index to matter, and no table that is looked at as a whole.
    ledger.add(90_000).await;
    ledger.stream()["options"] = json!({ "sweep": "never" });
    let ran = ledger.project.run(&["sync", "--output", "json"]).exits(0);
    let index = "CREATE INDEX CONCURRENTLY ON \"public\".\"ledger\" (\"updated_at\")";
    let notes = &ran.json()["streams"][0]["notes"];
    let is_told = notes.as_array().is_some_and(|notes| {
        notes
            .iter()
            .any(|note| note.as_str().is_some_and(|note| note.contains("CREATE INDEX CONCURRENTLY ON")))
    });
    assert!(is_told, "no {index} in {notes}");
    let ran = ran
        .says("warning: public.ledger: no index leads with the cursor")
        .says("CREATE INDEX CONCURRENTLY ON");
    // What it says can be run as it stands.
    let sql = ran.stderr.split_once("CREATE INDEX").map(|(_, rest)| rest.lines().next().unwrap_or_default());
    ledger.database.execute(&format!("CREATE INDEX{}", sql.expect("it was found"))).await;
    ledger.add(1).await;
    let ran = ledger.project.run(&["sync"]).exits(0);
    assert!(!ran.stderr.contains("CREATE INDEX"), "{}", ran.stderr);
    ledger.is_whole().await;
    let checked = ledger.project.run(&["check", "--output", "json"]).exits(0);
    assert!(!checked.stdout.contains("\"warn\""), "{}", checked.stdout);
}

#[tokio::test]
async fn a_filter_that_is_no_sql_is_quoted_in_the_error() {
    let mut ledger = synced().await;
    ledger.refuses(|it| stream(it)["filter"] = json!("id >> "), 78, &["public.ledger", "syntax error"]);
    ledger.refuses(|it| stream(it)["filter"] = json!("nope = 1"), 78, &["public.ledger", "nope"]);
    // A filter is a condition, not a way into the statement.
    ledger.refuses(
        |it| stream(it)["filter"] = json!("true) TO STDOUT; DROP TABLE ledger; --"),
        78,
        &["public.ledger"],
    );
    ledger.recovers().await;
}

#[tokio::test]
async fn a_statement_timeout_is_named_and_costs_nothing() {
    let mut ledger = synced().await;
    let change = |it: &mut Value| {
        it["sources"]["db"]["statement_timeout"] = json!("300ms");
        stream(it)["filter"] = json!("pg_sleep(3) IS NOT NULL");
    };
    let words = ["public.ledger", "statement timeout", "raise `statement_timeout`"];
    let document = ledger.refuses(change, 75, &words);
    assert_eq!(document["totals"]["retries"], 1, "{document:#}");
    ledger.recovers().await;
}
