//! Clocks that are wrong or jump, time zones, and processes that are stopped for a while: the clock
//! decides nothing.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use lab::{Cluster, Options, S3};
use serde_json::json;

use crate::support::{Ledger, Running};

const YEAR_SECONDS: i64 = 31_557_600;

/// Shifts what a process is told about the time of day: first by `CLOCK_FIRST` seconds and, after so
/// many questions as `CLOCK_ASKED` says, by `CLOCK_THEN`.
const SHIFTED: &str = r#"
    #include <stdlib.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>
    static long number(const char *name) { const char *text = getenv(name); return text ? atol(text) : 0; }
    int clock_gettime(clockid_t clock, struct timespec *now) {
        static long asked = 0;
        int failed = (int)syscall(SYS_clock_gettime, clock, now);
        if (!failed && clock == CLOCK_REALTIME)
            now->tv_sec += ++asked > number("CLOCK_ASKED") ? number("CLOCK_THEN") : number("CLOCK_FIRST");
        return failed;
    }
    "#;

/// Shifts it by as many seconds as stand in the file `CLOCK_FILE`, at each moment.
const FOLLOWING: &str = r#"
    #define _GNU_SOURCE
    #include <fcntl.h>
    #include <stdlib.h>
    #include <sys/mman.h>
    #include <sys/syscall.h>
    #include <sys/time.h>
    #include <time.h>
    #include <unistd.h>
    static long shift(void) {
        static const volatile long *seconds = 0;
        if (!seconds) {
            int file = open(getenv("CLOCK_FILE"), O_RDONLY);
            if (file < 0) abort();
            seconds = mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
            close(file);
        }
        return *seconds;
    }
    int clock_gettime(clockid_t clock, struct timespec *now) {
        int failed = (int)syscall(SYS_clock_gettime, clock, now);
        if (!failed && clock == CLOCK_REALTIME) now->tv_sec += shift();
        return failed;
    }
    int gettimeofday(struct timeval *now, void *zone) {
        struct timespec time;
        (void)zone;
        clock_gettime(CLOCK_REALTIME, &time);
        now->tv_sec = time.tv_sec;
        now->tv_usec = time.tv_nsec / 1000;
        return 0;
    }
    time_t time(time_t *now) {
        struct timespec time;
        clock_gettime(CLOCK_REALTIME, &time);
        if (now) *now = time.tv_sec;
        return time.tv_sec;
    }
    "#;

/// Makes a library of functions in C that stand before the system's in a process that loads it first.
pub(super) fn preloaded(folder: &Path, name: &str, code: &str) -> PathBuf {
    let (source, library) = (folder.join(format!("{name}.c")), folder.join(format!("{name}.so")));
    std::fs::write(&source, code).expect("the folder is the test's own");
    let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
    assert!(made.expect("what links Rust is a C compiler").success());
    library
}

#[tokio::test]
async fn a_client_whose_clock_is_wrong_or_jumps_reads_the_same_rows() {
    let mut ledger = Ledger::incremental(50).await;
    let library = preloaded(&ledger.project.path("."), "clock", SHIFTED);
    let shifts = [(YEAR_SECONDS, 0), (-YEAR_SECONDS, 0), (7200, -7200), (-7200, 7200)];
    for (first, then) in shifts {
        ledger.add(20).await;
        let mut command = ledger.project.command(&["sync", "--output", "json"]);
        let asked = if then == 0 { i64::MAX } else { 5 };
        command.env("LD_PRELOAD", &library).env("CLOCK_ASKED", asked.to_string());
        command.env("CLOCK_FIRST", first.to_string()).env("CLOCK_THEN", then.to_string());
        let report = Running::start(command).wait().exits(0).json();
        let year = report["started_at"].as_str().and_then(|text| text.get(..4)?.parse::<i64>().ok());
        if first.abs() == YEAR_SECONDS {
            let here: i64 =
                ledger.database.value("SELECT date_part('year', now())").await.unwrap().parse().unwrap();
            assert_ne!(year, Some(here), "the clock was not shifted");
        }
        ledger.is_whole().await;
    }
    ledger.recovers().await;
}

/// A server of its own, whose clock can be set forward by so many seconds.
struct Shifted {
    cluster: Cluster,
    folder: tempfile::TempDir,
}

impl Shifted {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the test");
        // The server may run under an account of its own.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("it is ours");
        let library = preloaded(folder.path(), "clock", FOLLOWING);
        set_clock(folder.path(), 0);
        let text = |path: &Path| path.display().to_string();
        let options = Options::default().environment("LD_PRELOAD", &text(&library));
        let options = options.environment("CLOCK_FILE", &text(&folder.path().join(CLOCK)));
        Self { cluster: Cluster::start(options), folder }
    }

    fn shift(&self, seconds: i64) {
        set_clock(self.folder.path(), seconds);
    }

    async fn ledger(&self, lag: &str) -> Ledger {
        let mut stream = Ledger::incremental_stream();
        stream["lag"] = json!(lag);
        Ledger::of(&self.cluster, 20, stream, None).await
    }
}

/// What the server's clock follows.
const CLOCK: &str = "seconds";

fn set_clock(folder: &Path, seconds: i64) {
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(false)
        .open(folder.join(CLOCK))
        .expect("the folder is ours");
    file.write_all(&seconds.to_ne_bytes()).expect("there is room");
}

const HOUR: i64 = 3600;

#[tokio::test]
async fn a_server_whose_clock_steps_back_within_the_lag_loses_nothing() {
    let server = Shifted::start();
    let mut ledger = server.ledger("1h").await;
    for seconds in [0, 2 * HOUR, 2 * HOUR - 600, 2 * HOUR - 1200, 2 * HOUR, 3 * HOUR] {
        server.shift(seconds);
        ledger.add(20).await;
        ledger.project.sync();
        ledger.lake.is_tidy().await;
    }
    server.shift(5 * HOUR);
    let late = "SELECT extract(epoch FROM clock_timestamp())::bigint";
    let late: u64 = ledger.database.value(late).await.unwrap().parse().unwrap();
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    assert!(late > now + 4 * 3600, "the server's clock was not shifted");
    ledger.project.sync();
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_server_whose_clock_steps_back_by_more_than_the_lag_is_told() {
    let server = Shifted::start();
    let mut ledger = server.ledger("10m").await;
    server.shift(2 * HOUR);
    ledger.project.sync();
    server.shift(HOUR);
    ledger.add(20).await;
    let error = ledger.project.sync_exits(78)["streams"][0]["error"].clone();
    assert!(
        error["message"].as_str().is_some_and(|text| text.contains("the server's clock shows")),
        "{error:#}"
    );
    assert_eq!(error["context"]["stream"], "public.ledger");
    // Nothing is lost where the clock is put right before anybody writes.
    server.shift(2 * HOUR);
    ledger.project.sync();
    ledger.add(20).await;
    ledger.project.sync();
    ledger.is_whole().await;
}

#[tokio::test]
async fn a_time_zone_changes_nothing() {
    let mut ledger = Ledger::incremental(5).await;
    for zone in ["Pacific/Chatham", ":/no/such/zone", "XYZ-24:59"] {
        ledger.add(5).await;
        let mut command = ledger.project.command(&["sync", "--output", "json"]);
        command.env("TZ", zone);
        Running::start(command).wait().exits(0);
        ledger.is_whole().await;
    }
}

/// Stops a sync amid its rows, for as long as another takes, and lets it go on.
async fn overtaken(mut ledger: Ledger) {
    ledger.project.sync();
    ledger.add(100).await;
    ledger.slow(100, 0.5);
    let running = ledger.start();
    ledger.until_session("query LIKE 'COPY%' AND wait_event = 'PgSleep'").await;
    running.signal("STOP");
    ledger.fast();
    let report = ledger.project.sync();
    assert_eq!(report["totals"]["rows_written"], 100, "{report:#}");
    running.signal("CONT");
    let document = running.wait().exits(75).json();
    assert_eq!(super::refusal::error_of(&document)["kind"], "conflict", "{document:#}");
    assert_eq!(document["totals"]["rows_written"], 0, "{document:#}");
    ledger.recovers().await;
}

#[tokio::test]
async fn a_sync_that_wakes_up_after_another_has_committed_leaves_nothing() {
    overtaken(Ledger::incremental(20).await).await;
    let bucket = S3::shared().bucket();
    overtaken(Ledger::of(Cluster::shared(), 20, Ledger::incremental_stream(), Some(&bucket)).await).await;
}

#[tokio::test]
async fn a_sync_that_is_stopped_for_a_while_goes_on() {
    let bucket = S3::shared().bucket();
    let mut ledger = Ledger::of(Cluster::shared(), 20, Ledger::incremental_stream(), Some(&bucket)).await;
    let settings = ledger.project.configuration();
    settings["destinations"]["lake"]["request_timeout"] = json!("500ms");
    settings["sources"]["db"]["keepalive"] = json!("1s");
    settings["sources"]["db"]["connect_timeout"] = json!("1s");
    ledger.project.sync();
    ledger.add(300).await;
    ledger.slow(100, 0.3);
    let running = ledger.start();
    for _ in 0..2 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        running.signal("STOP");
        tokio::time::sleep(Duration::from_millis(1100)).await;
        running.signal("CONT");
    }
    running.wait().exits(0);
    ledger.is_whole().await;
}
