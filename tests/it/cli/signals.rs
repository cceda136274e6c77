//! SIGINT and SIGTERM.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::run::Ran;
use super::shop::Shop;
use super::sync::stream;
use crate::support::until_true;

/// A view that takes a minute to read, and one that takes no time.
async fn slow_shop() -> Shop {
    let shop = Shop::new("      - name: public.slow\n      - name: public.countries\n").await;
    let view = "CREATE VIEW slow AS SELECT i, pg_sleep(0.01) IS NULL AS x FROM generate_series(1, 6000) i";
    shop.database.execute(view).await;
    shop
}

/// Starts a sync and waits until the small table is committed and the view is being read.
async fn start(shop: &Shop) -> Child {
    let commits = shop.place.path("lake/_tidegate/public.countries/manifest");
    let count = || std::fs::read_dir(&commits).map_or(0, Iterator::count);
    let before = count();
    let mut command = shop.place.command(&["sync", "--output", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let first = lines.next().expect("it logs").expect("it logs text");
    assert!(first.contains("sync begins"), "{first}");
    std::thread::spawn(move || lines.for_each(drop));
    let reads = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND state = 'active' AND query LIKE 'COPY %slow%'";
    until_true("a sync that is under way", async || {
        count() > before && shop.database.value(reads).await.as_deref() == Some("1")
    })
    .await;
    child
}

fn signal(child: &Child, name: &str) {
    let sent =
        Command::new("kill").args(["-s", name, &child.id().to_string()]).status().expect("kill is there");
    assert!(sent.success());
}

#[tokio::test]
async fn the_first_signal_ends_cleanly_with_a_report() {
    let shop = slow_shop().await;
    for name in ["TERM", "INT"] {
        let child = start(&shop).await;
        let begun = Instant::now();
        signal(&child, name);
        let ran = Ran::from(child.wait_with_output().expect("it ends")).exits(130);
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
        let report = ran.json();
        assert_eq!(report["outcome"], "interrupted");
        assert_eq!(stream(&report, "public.countries")["outcome"], "succeeded");
        assert_eq!(stream(&report, "public.slow")["outcome"], "interrupted");
    }
}

#[tokio::test]
async fn the_second_signal_leaves_at_once() {
    let shop = slow_shop().await;
    let mut child = start(&shop).await;
    signal(&child, "TERM");
    signal(&child, "INT");
    let begun = Instant::now();
    // Two signals may arrive as one: the third makes sure.
    std::thread::sleep(Duration::from_millis(200));
    if child.try_wait().expect("it can be asked").is_none() {
        signal(&child, "TERM");
    }
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}
