//! `tidegate state`.

use super::shop::{STREAMS, Shop};
use super::sync::stream;

#[tokio::test]
async fn show_tells_where_streams_stand() {
    let shop = Shop::new(STREAMS).await;
    let ran = shop.place.run(&["state", "show"]).exits(0);
    assert!(
        ran.stdout.lines().any(|line| line.starts_with("public.orders") && line.contains(" 0 ")),
        "{}",
        ran.stdout
    );
    shop.place.run(&["sync"]).exits(0);
    let document = shop.place.run(&["state", "show", "-o", "json"]).exits(0).json();
    let orders = stream(&document, "public.orders");
    assert_eq!(orders["head"]["sequence"], 1);
    assert_eq!(orders["head"]["totals"]["rows"], 3);
    let position = orders["position"].as_str().expect("it stands somewhere");
    shop.place.run(&["state", "show"]).exits(0).prints(position);
    shop.place
        .run(&["state", "show", "-s", "nope"])
        .exits(78)
        .says("no configured stream is called \"nope\"");
}

#[tokio::test]
async fn state_can_be_looked_at_while_the_source_is_down() {
    let shop = Shop::new(STREAMS).await;
    shop.place.run(&["sync"]).exits(0);
    let mut command = shop.place.command(&["state", "show"]);
    let output =
        command.env("SHOP_URL", format!("postgres://u@127.0.0.1:{}/d", lab::port::free())).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn reset_needs_consent_and_says_what_it_means() {
    let shop = Shop::new(STREAMS).await;
    shop.place.run(&["state", "reset", "--yes"]).exits(0).prints("nothing to reset");
    shop.place.run(&["sync"]).exits(0);
    let ran = shop.place.run(&["state", "reset"]).exits(64).says("--yes agrees to it");
    ran.says("public.orders: its 3 rows stay in \"public.orders\", and all rows are APPENDED ONCE MORE")
        .says("public.countries: its 1 row in \"public.countries\" are replaced when that sync ends");
    let report = shop.place.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(stream(&report, "public.orders")["rows_written"], 0, "nothing was reset");
    shop.place
        .run(&["state", "reset", "--yes", "-s", "public.orders"])
        .exits(0)
        .prints("reset to the beginning");
    let report = shop.place.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(stream(&report, "public.orders")["rows_written"], 3);
    let document = shop.place.run(&["state", "show", "-o", "json"]).json();
    assert_eq!(stream(&document, "public.orders")["head"]["totals"]["rows"], 6);
    assert_eq!(stream(&document, "public.countries")["head"]["totals"]["rows"], 1);
}

#[tokio::test]
async fn what_was_exported_can_be_imported() {
    let shop = Shop::new(STREAMS).await;
    let place = &shop.place;
    place.run(&["sync"]).exits(0);
    let exported = place.run(&["state", "export"]).exits(0).stdout;
    assert_eq!(place.run(&["state", "export", "-o", "json"]).json()["states"].as_array().unwrap().len(), 2);
    place.write("state.json", &exported);
    shop.database.execute("INSERT INTO orders (id, total) VALUES (10, 1)").await;
    let report = place.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(stream(&report, "public.orders")["rows_written"], 1);
    let import = ["state", "import", "--from", "state.json", "-s", "public.orders"];
    place.run(&import).exits(64).says("--yes agrees to it").says("read again by the next sync");
    let done = place.run(&[&import[..], &["--yes", "-o", "json"]].concat()).exits(0).json();
    assert_eq!(done["streams"][0]["sequence"], 3);
    let report = place.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(stream(&report, "public.orders")["rows_written"], 1, "the row is read again");
}

#[tokio::test]
async fn a_state_moves_to_a_target_without_commits() {
    let shop = Shop::new("      - {name: public.orders, cursor: updated_at, on_drift: freeze}\n").await;
    let place = &shop.place;
    place.run(&["sync"]).exits(0);
    place.write("state.json", &place.run(&["state", "export"]).exits(0).stdout);
    std::fs::rename(place.path("lake"), place.path("old")).unwrap();
    place.run(&["state", "import", "--from", "state.json", "--yes"]).exits(0);
    shop.database.execute("INSERT INTO orders (id, total) VALUES (10, 1)").await;
    let report = place.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(report["totals"]["rows_written"], 1, "only what is new since the export");
}

#[tokio::test]
async fn states_that_do_not_belong_here_are_refused() {
    let shop = Shop::new(STREAMS).await;
    let place = &shop.place;
    place.run(&["sync"]).exits(0);
    let exported = place.run(&["state", "export"]).exits(0).stdout;
    place.write("other.json", &exported.replace("\"source\": \"postgres\"", "\"source\": \"mysql\""));
    let import = |file: &str| place.run(&["state", "import", "--yes", "--from", file]);
    import("other.json").exits(78).says("was written by source \"mysql\"");
    place.write("new.json", &exported.replace("\"version\": 1\n}", "\"version\": 2\n}"));
    import("new.json").exits(78).says("a newer tidegate wrote it");
    place.write("stream.json", &exported.replace("public.countries", "public.elsewhere"));
    import("stream.json").exits(78).says("no configured stream is called \"public.elsewhere\"");
    import("none.json").exits(78).says("can't be read");
}
