//! `tidegate check` and `tidegate discover`.

use super::shop::{STREAMS, Shop};

#[tokio::test]
async fn check_proves_both_sides_and_the_streams() {
    let shop = Shop::new(STREAMS).await;
    let ran = shop.place.run(&["check"]).exits(0);
    assert_eq!(ran.stderr, "");
    let ran = ran
        .prints("ok    source shop")
        .prints("ok    destination lake")
        .prints("ok    connection shop_to_lake");
    ran.prints("2 streams").prints("mode seen_set").prints("4 ok, 0 to look at, 0 failed");
    let document = shop.place.run(&["check", "--output", "json"]).exits(0).json();
    assert_eq!(document["outcome"], "succeeded");
    assert_eq!(document["checks"].as_array().unwrap().len(), 4, "a stream with a cursor tells its mode");
    for (option, name) in [("--source", "shop"), ("--destination", "lake")] {
        shop.place.run(&["check", option, name]).exits(0).prints("1 ok, 0 to look at, 0 failed");
        shop.place.run(&["check", option, "nothing"]).exits(64).says(&format!("expected \"{name}\""));
    }
    assert!(!shop.place.path("lake/public.orders").exists(), "a check leaves no trace");
}

#[tokio::test]
async fn check_warns_of_a_cursor_without_an_index() {
    let shop = Shop::new("      - {name: public.countries, cursor: changed}\n").await;
    shop.place
        .run(&["check"])
        .exits(0)
        .prints("warn  stream public.countries")
        .prints("no index leads with the cursor \"changed\"")
        .prints("mode seen_set");
}

#[tokio::test]
async fn check_goes_on_after_a_failure_and_exits_with_its_code() {
    let shop = Shop::new("      - name: public.nothing\n").await;
    let ran = shop.place.run(&["check"]).exits(78).prints("ok    destination lake");
    ran.prints("fail  connection shop_to_lake").prints("there is no table \"public.nothing\"");
}

#[tokio::test]
async fn discover_lists_streams_with_keys_and_cursor_candidates() {
    let shop = Shop::new(STREAMS).await;
    for arguments in [&["discover"][..], &["discover", "shop_to_lake"], &["discover", "--source", "shop"]] {
        let ran = shop.place.run(arguments).exits(0);
        let line =
            ran.stdout.lines().find(|line| line.starts_with("public.orders")).expect("the table is listed");
        assert!(
            line.contains("table") && line.contains("~3") && line.contains("updated_at (indexed)"),
            "{line}"
        );
        assert_eq!(ran.stderr, "");
    }
    let ran = shop.place.run(&["discover", "public.c*"]).exits(0).prints("public.countries");
    assert!(!ran.stdout.contains("public.orders"), "{}", ran.stdout);
}

#[tokio::test]
async fn discover_of_one_stream_lists_its_columns() {
    let shop = Shop::new(STREAMS).await;
    for arguments in [
        &["discover", "shop_to_lake", "public.orders"][..],
        &["discover", "--source", "shop", "public.orders"],
    ] {
        let ran = shop.place.run(arguments).exits(0).prints("what people bought");
        let line = ran.stdout.lines().find(|line| line.starts_with("total")).expect("the column is listed");
        assert!(line.contains("numeric(10,2)") && line.contains("Decimal128(10, 2)"), "{line}");
    }
    shop.place.run(&["discover", "--columns"]).exits(0).prints("updated_at").prints("changed");
    shop.place.run(&["discover", "public.nope"]).exits(78).says("there is no table \"public.nope\"");
}

#[tokio::test]
async fn discover_tells_programs_the_schemas() {
    let shop = Shop::new(STREAMS).await;
    let document = shop.place.run(&["discover", "-o", "json"]).exits(0).json();
    let streams = document["streams"].as_array().unwrap();
    let orders = streams.iter().find(|stream| stream["name"] == "public.orders").expect("it is there");
    assert_eq!(orders["primary_key"][0], "id");
    assert_eq!(orders["kind"], "table");
    assert_eq!(orders["schema"]["fields"].as_array().unwrap().len(), 4);
}
