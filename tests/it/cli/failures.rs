//! `tidegate sync` when something is wrong: message, exit code, and that nothing is lost.

use super::run::{Place, Ran};
use super::shop::{STREAMS, Shop, configuration};
use super::sync::stream;

fn sync(shop: &Shop) -> Ran {
    shop.place.run(&["sync"])
}

/// A place whose source is at `url`.
fn at(url: &str) -> Place {
    Place::with(&configuration(STREAMS)).set("SHOP_URL", url)
}

#[tokio::test]
async fn a_wrong_password_is_refused_and_not_shown() {
    let shop = Shop::new(STREAMS).await;
    let ran = at(&shop.database.url_as("postgres", "hunter2")).run(&["sync"]).exits(77);
    assert!(!ran.stderr.contains("hunter2") && !ran.stdout.contains("hunter2"));
    let document =
        at(&shop.database.url_as("postgres", "hunter2")).run(&["sync", "-o", "json"]).exits(77).json();
    assert_eq!(document["error"]["kind"], "auth");
    assert_eq!(document["outcome"], "failed");
}

#[test]
fn an_unreachable_host_may_be_tried_again_later() {
    let port = lab::port::free();
    let place = at(&format!("postgres://u:hunter2@127.0.0.1:{port}/d?connect_timeout=2"));
    let document = place.run(&["sync", "-o", "json"]).exits(75).json();
    assert_eq!(document["error"]["kind"], "transient");
    assert_eq!(document["error"]["retryable"], true);
    place.run(&["check"]).exits(75).prints("fail  source shop").prints("ok    destination lake");
}

#[tokio::test]
async fn a_missing_table_is_named() {
    let shop = Shop::new("      - name: public.odrers\n").await;
    sync(&shop).exits(78).says("there is no table \"public.odrers\"").says("did you mean \"public.orders\"?");
}

#[tokio::test]
async fn a_missing_cursor_column_is_named_with_the_columns_there_are() {
    let shop = Shop::new("      - {name: public.orders, cursor: updatedat}\n").await;
    sync(&shop).exits(78).says("\"updatedat\"").says("updated_at");
}

#[tokio::test]
async fn a_cursor_of_a_type_without_order_is_refused() {
    let shop = Shop::new("      - {name: public.j, cursor: a}\n").await;
    shop.database.execute("CREATE TABLE j (a jsonb)").await;
    sync(&shop).exits(78).says("\"a\"");
}

#[tokio::test]
async fn a_missing_right_is_named() {
    let shop = Shop::new(STREAMS).await;
    let role = shop.database.role("reader", "GRANT SELECT ON countries TO {role}");
    let place = at(&shop.database.url_of(&role));
    let ran = place.run(&["sync"]);
    assert!(matches!(ran.code, 77 | 78), "{}", ran.stderr);
    ran.says("public.orders");
}

#[tokio::test]
async fn one_stream_that_fails_keeps_no_other_from_its_commit() {
    let shop = Shop::new("      - name: public.broken\n      - name: public.countries\n").await;
    shop.database
        .execute("CREATE VIEW broken AS SELECT 1 / (i - 5) AS x FROM generate_series(1, 10) i")
        .await;
    let ran = shop.place.run(&["sync", "-o", "json"]);
    let report = ran.json();
    assert_ne!(ran.code, 0);
    assert_eq!(report["exit_code"], ran.code);
    assert_eq!(report["outcome"], "failed");
    assert_eq!(stream(&report, "public.countries")["outcome"], "succeeded");
    let broken = stream(&report, "public.broken");
    assert_eq!(broken["outcome"], "failed");
    assert!(broken["error"]["message"].is_string());
    let text = shop.place.run(&["sync"]);
    assert_eq!(text.stderr.matches("error: public.broken: ").count(), 1, "{}", text.stderr);
    text.prints("full refresh, overwrite, failed").prints("1 of 2 streams not done");
}

#[tokio::test]
async fn a_value_that_does_not_fit_stops_the_stream_naming_the_column() {
    let shop = Shop::new("      - name: public.wild\n").await;
    shop.database.execute("CREATE TABLE wild (at timestamptz); INSERT INTO wild VALUES ('infinity')").await;
    sync(&shop).exits(65).says("public.wild").says("\"at\"");
    shop.place.write("tidegate.yaml", &configuration("      - {name: public.wild, on_unfit: 'null'}\n"));
    sync(&shop).exits(0).says("warning: public.wild: 1 value of column \"at\" did not fit (");
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let shop = Shop::new(STREAMS).await;
    shop.place.write("lake", "a file, no folder");
    let ran = sync(&shop);
    assert!(matches!(ran.code, 74 | 77 | 78), "{} {}", ran.code, ran.stderr);
    ran.says("lake");
}

#[tokio::test]
async fn a_manifest_of_a_newer_version_is_refused() {
    let shop = Shop::new("      - name: public.countries\n").await;
    sync(&shop).exits(0);
    let name = "lake/_tidegate/public.countries/manifest/00000001.json";
    let newer = shop
        .place
        .read(name)
        .replace("\"format\":1", "\"format\":999")
        .replace("\"format\": 1", "\"format\": 999");
    assert!(newer.contains("999"));
    shop.place.write(name, &newer);
    sync(&shop).exits(78).says("999");
}

#[tokio::test]
async fn two_connections_cannot_share_a_target() {
    let shop = Shop::new("      - name: public.countries\n").await;
    sync(&shop).exits(0);
    let other = configuration("      - name: public.countries\n").replace("shop_to_lake:", "other:");
    shop.place.write("tidegate.yaml", &other);
    sync(&shop).exits(78).says("shop_to_lake");
    shop.place.run(&["state", "show"]).exits(78).says("belongs to connection \"shop_to_lake\"");
}
