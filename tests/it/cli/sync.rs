//! `tidegate sync` when all goes well.

use std::process::Stdio;

use serde_json::Value;

use super::shop::{STREAMS, Shop, configuration};

/// The entry of a stream in a report.
pub(crate) fn stream<'a>(report: &'a Value, name: &str) -> &'a Value {
    let streams = report["streams"].as_array().expect("the report has streams");
    streams.iter().find(|stream| stream["stream"] == name).expect("the stream is reported")
}

#[tokio::test]
async fn reads_all_at_first_and_then_what_is_new() {
    let shop = Shop::new(STREAMS).await;
    let report = shop.place.run(&["sync", "--output", "json"]).exits(0).json();
    assert_eq!(report["version"], 1);
    assert_eq!(report["outcome"], "succeeded");
    assert_eq!(report["totals"]["rows_written"], 4);
    shop.database.execute("UPDATE orders SET total = 9, updated_at = now() WHERE id = 2").await;
    let report = shop.place.run(&["sync", "--output", "json"]).exits(0).json();
    assert_eq!(stream(&report, "public.orders")["rows_written"], 1);
    assert_eq!(stream(&report, "public.orders")["write_mode"], "append");
    assert!(stream(&report, "public.orders")["cursor"]["before"].is_string());
    assert_eq!(stream(&report, "public.countries")["write_mode"], "overwrite");
}

#[tokio::test]
async fn prints_a_table_on_stdout_and_the_log_on_stderr() {
    let shop = Shop::new(STREAMS).await;
    let ran = shop.place.run(&["sync", "shop_to_lake"]).exits(0).says("sync begins").says("sync ends");
    let line =
        ran.stdout.lines().find(|line| line.starts_with("public.orders")).expect("a line for the stream");
    assert!(line.contains("incremental, append") && line.contains(" 3 "), "{line}");
    assert!(ran.stdout.contains("shop_to_lake: succeeded in "), "{}", ran.stdout);
    assert!(!ran.stdout.contains('\u{1b}') && !ran.stderr.contains('\u{1b}'));
    let quiet = shop.place.run(&["sync", "--quiet"]).exits(0);
    assert_eq!(quiet.stderr, "");
}

#[tokio::test]
async fn logs_json_lines_for_a_collector() {
    let shop = Shop::new(STREAMS).await;
    let ran = shop.place.run(&["sync", "-o", "json", "--log-format", "json", "-v"]).exits(0);
    ran.json();
    for line in ran.stderr.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        for key in ["ts", "level", "msg", "target"] {
            assert!(line[key].is_string(), "{key} in {line}");
        }
    }
}

#[tokio::test]
async fn takes_only_the_streams_it_is_told() {
    let shop = Shop::new(STREAMS).await;
    let report = shop.place.run(&["sync", "-o", "json", "--stream", "public.c*"]).exits(0).json();
    assert_eq!(report["streams"].as_array().unwrap().len(), 1);
    assert_eq!(report["streams"][0]["stream"], "public.countries");
    let ran = shop.place.run(&["sync", "--stream", "public.oders"]).exits(78);
    ran.says("no configured stream is called \"public.oders\"");
}

#[tokio::test]
async fn a_dry_run_shows_the_plan_and_writes_nothing() {
    let shop = Shop::new(STREAMS).await;
    let ran = shop.place.run(&["sync", "--dry-run"]).exits(0);
    let ran =
        ran.prints("public.orders  incremental by updated_at, append").prints("nothing is committed yet");
    ran.prints("from the beginning up to ");
    assert!(!shop.place.path("lake").exists());
    let document = shop.place.run(&["sync", "--dry-run", "-o", "json"]).exits(0).json();
    assert_eq!(document["plans"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn memory_is_what_the_command_line_says() {
    let shop = Shop::new(STREAMS).await;
    shop.place.run(&["sync", "--memory", "64MiB"]).exits(0);
}

#[tokio::test]
async fn relative_paths_start_from_the_file_and_not_from_the_working_folder() {
    let shop = Shop::new(STREAMS).await;
    shop.place.write("conf/deep/tidegate.yaml", &configuration(STREAMS));
    shop.place.run(&["--config", "conf/deep/tidegate.yaml", "sync"]).exits(0);
    assert!(shop.place.path("conf/deep/lake/public.orders").is_dir());
    assert!(!shop.place.path("lake").exists());
}

#[tokio::test]
async fn the_example_of_init_works_as_it_is() {
    let shop = Shop::new(STREAMS).await;
    shop.place.run(&["init", "--force"]).exits(0);
    let place = &shop.place;
    let run = |verb: &str| place.command(&[verb]).env("DATABASE_URL", shop.database.url()).output().unwrap();
    for verb in ["check", "sync"] {
        let output = run(verb);
        assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(shop.place.path("lake/public.orders").is_dir());
}

#[tokio::test]
async fn names_that_need_quotes_are_synced() {
    let shop = Shop::new("      - name: 'public.*'\n").await;
    let report = shop.place.run(&["sync", "-o", "json"]).exits(0).json();
    assert_eq!(report["streams"].as_array().unwrap().len(), 3, "{report}");
}

#[tokio::test]
async fn a_terminal_sees_progress_and_a_table() {
    let shop = Shop::new("      - name: public.slow\n").await;
    shop.database
        .execute("CREATE VIEW slow AS SELECT i, pg_sleep(0.002) IS NULL AS x FROM generate_series(1, 500) i")
        .await;
    let binary = env!("CARGO_BIN_EXE_tidegate");
    let run = |variable: &str| {
        let mut command = shop.place.command(&[]);
        let mut script = std::process::Command::new("script");
        script.args(["-qec", &format!("stty cols 120; {binary} sync"), "/dev/null"]);
        script.env_clear().current_dir(shop.place.path("")).stdin(Stdio::null());
        for (name, value) in command.env_remove("TERM").get_envs() {
            if let Some(value) = value {
                script.env(name, value);
            }
        }
        script.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("TERM", "xterm-256color");
        script.env(variable, "1");
        let output = script.output().expect("util-linux's script is there");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shown = run("UNRELATED");
    for part in ["public.slow", "rows/s", "buffers", "succeeded", "\u{1b}[32m"] {
        assert!(shown.contains(part), "{part:?} in {shown:?}");
    }
    // The log has no room beside the view.
    assert!(!shown.contains("sync begins"), "{shown:?}");
    let plain = run("NO_COLOR");
    for colour in ["\u{1b}[1m", "\u{1b}[2m", "\u{1b}[32m", "\u{1b}[36m"] {
        assert!(!plain.contains(colour), "{colour:?} in {plain:?}");
    }
    assert!(plain.contains("rows/s"), "{plain:?}");
}
