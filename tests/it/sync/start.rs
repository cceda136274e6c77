//! The first minutes of somebody new.

use lab::Cluster;

use crate::cli::run::Place;
use crate::support::Lake;

#[tokio::test]
async fn the_example_of_init_works_once_its_variable_is_set() {
    let database = Cluster::shared().database();
    database
        .execute(
            "CREATE TABLE orders (id bigint PRIMARY KEY, updated_at timestamptz NOT NULL DEFAULT now() - interval '1 hour'); \
             CREATE INDEX ON orders (updated_at); INSERT INTO orders SELECT generate_series(1, 9)",
        )
        .await;
    let place = Place::new().set("DATABASE_URL", &database.url());
    place.run(&["init"]).exits(0);
    let checked = place.run(&["check", "--output", "json"]).exits(0).json();
    assert_eq!(checked["outcome"], "succeeded", "{checked:#}");
    let lake = place.path("lake");
    assert!(!lake.exists(), "a check leaves nothing behind");
    place.run(&["discover"]).exits(0).prints("public.orders");
    place.run(&["sync", "--dry-run"]).exits(0).prints("public.orders");
    place.run(&["sync"]).exits(0).prints("public.orders").prints("9");
    Lake::in_directory(&lake, "public.orders").holds(1..=9).await;
    place.run(&["state", "show"]).exits(0).prints("public.orders");
}

#[tokio::test]
async fn a_check_without_the_variable_says_which() {
    let place = Place::new();
    place.run(&["init"]).exits(0);
    let ran = place.run(&["check"]).exits(78);
    assert!(format!("{}{}", ran.stdout, ran.stderr).contains("DATABASE_URL"), "{}{}", ran.stdout, ran.stderr);
}
