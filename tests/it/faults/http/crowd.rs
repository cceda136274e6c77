//! Many streams, many pages, many partitions: memory and work stay bounded.

use std::fmt::Write as _;
use std::fs;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::server::page;
use super::{BY_TOKEN, Case, stream};

const STREAMS: usize = 16;
const PAGE: usize = 4 << 20;

/// The number behind a name in a file of `/proc` of a process.
fn told(child: &Child, name: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

#[test]
fn sixteen_streams_of_large_pages_wait_for_who_reads_them() {
    let names: Vec<String> = (0..STREAMS).map(|number| format!("s{number}")).collect();
    let mut streams: String = names.iter().map(|name| stream(name, BY_TOKEN, "")).collect();
    let _ = writeln!(streams, "concurrency_level: {{type: ConcurrencyLevel, default_concurrency: 16}}");
    let fat = "x".repeat(PAGE);
    let case = Case::of(&streams, move |number, _| {
        page(format!(r#"{{"items": [{{"id": {number}, "fat": "{fat}"}}], "next": {}}}"#, number + 1))
    })
    .change("stream_names: [items]", "stream_names: [s0]");
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut command = case.command(&names);
    // Nobody reads what it says.
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary is built");
    let deadline = Instant::now() + Duration::from_mins(1);
    let mut asked = (0, Instant::now());
    while asked.0 < STREAMS || asked.1.elapsed() < Duration::from_secs(2) {
        assert!(Instant::now() < deadline, "{} requests", asked.0);
        std::thread::sleep(Duration::from_millis(50));
        if case.asked() != asked.0 {
            asked = (case.asked(), Instant::now());
        }
    }
    let peak = told(&child, "VmHWM").expect("it runs") >> 10;
    child.kill().expect("it runs");
    child.wait().expect("it is ours");
    // A page of each stream, and no more: there is room for 64 MiB, which they fill.
    assert!(asked.0 <= 2 * STREAMS, "{} requests", asked.0);
    assert!(peak < 400, "{peak} MiB");
}

/// CPU time of reading so many partitions, in milliseconds, and bytes printed.
fn cost_of_partitions(count: usize) -> (u64, usize) {
    let values: Vec<String> = (0..count).map(|number| format!("p{number}")).collect();
    let retriever = format!(
        "      partition_router:
        type: ListPartitionRouter
        cursor_field: section
        values: [{}]
        request_option: {{type: RequestOption, inject_into: request_parameter, field_name: section}}
",
        values.join(", ")
    );
    let sync = "    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: at
      datetime_format: '%Y-%m-%d'
      start_datetime: '2024-01-01'
      end_datetime: '2024-02-01'
";
    let case = Case::of(&stream("items", &retriever, sync), |number, _| {
        page(format!(r#"{{"items": [{{"id": {number}, "at": "2024-01-15"}}]}}"#))
    });
    let out = case.place.path("out");
    let file = fs::File::create(&out).expect("the folder is ours");
    let mut child = case.command(&["items"]).stdout(file).spawn().expect("the binary is built");
    let mut spent = 0;
    while child.try_wait().expect("it is ours").is_none() {
        let schedule = fs::read_to_string(format!("/proc/{}/stat", child.id())).unwrap_or_default();
        let fields: Vec<&str> = schedule.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        spent = spent.max(10 * (ticks(11) + ticks(12)));
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(child.wait().expect("it is ours").success());
    assert_eq!(case.asked(), count);
    let printed = fs::read_to_string(out).expect("it is ours");
    assert_eq!(printed.matches("\"RECORD\"").count(), count);
    let last = printed.lines().rfind(|line| line.contains("\"STATE\"")).expect("a state");
    assert!(last.matches("2024-").count() >= count, "each partition has its state");
    (spent, printed.len())
}

#[test]
fn ten_times_the_partitions_are_not_a_hundred_times_the_work() {
    let (few, many) = (cost_of_partitions(400), cost_of_partitions(4000));
    assert!(many.1 < 15 * few.1, "printed {} bytes, then {}", few.1, many.1);
    assert!(many.0 < 30 * few.0.max(100), "{} ms, then {} ms", few.0, many.0);
}
