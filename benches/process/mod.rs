//! Whole processes of tidegate, and what they cost.

#![expect(clippy::cast_precision_loss, reason = "figures of three digits")]

use std::fs;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// In which `/proc` counts the time of a process, per second.
const TICKS: f64 = 100.0;

/// The program: the one that was built with the bench, or the one that `TIDEGATE_BENCH_PROGRAM` names.
pub(crate) fn tidegate() -> Command {
    let program = std::env::var_os("TIDEGATE_BENCH_PROGRAM");
    Command::new(program.unwrap_or_else(|| env!("CARGO_BIN_EXE_tidegate").into()))
}

/// Runs `command` until it ends, which must be well.
pub(crate) fn run(command: &mut Command) -> Cost {
    let before = children_ticks();
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).spawn().expect("the program is there");
    let mut peak = 0;
    let ended = loop {
        peak = peak.max(peak_kib(child.id()));
        match child.try_wait().expect("it is our child") {
            Some(ended) => break ended,
            None => std::thread::sleep(Duration::from_millis(1)),
        }
    };
    let wall = start.elapsed().as_secs_f64();
    assert!(ended.success(), "the process ends well");
    let cpu = (children_ticks() - before) as f64 / TICKS;
    Cost { wall, cpu, peak_mib: mebibytes(peak << 10) }
}

/// Bytes in MiB.
pub(crate) fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// What one process took.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) wall: f64,
    pub(crate) cpu: f64,
    pub(crate) peak_mib: f64,
}

impl Cost {
    /// Medians; of the processor's time, which is counted in coarse ticks, the mean.
    pub(crate) fn median(costs: &[Self]) -> String {
        let wall = median(costs.iter().map(|cost| cost.wall).collect());
        let cpu = costs.iter().map(|cost| cost.cpu).sum::<f64>() / costs.len() as f64;
        let peak = median(costs.iter().map(|cost| cost.peak_mib).collect());
        format!("{:.0} ms | {:.0} ms | {peak:.0} MiB", wall * 1000.0, cpu * 1000.0)
    }
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.2} s wall, {:.2} s CPU, {:.0} MiB", self.wall, self.cpu, self.peak_mib)
    }
}

/// Of an even number, the greater of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Time that ended children of this process have used.
fn children_ticks() -> u64 {
    let stat = fs::read_to_string("/proc/self/stat").expect("it is Linux");
    // The name in parentheses may hold blanks; after it `cutime` and `cstime` are fields 16 and 17 of proc(5).
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(13).take(2).map(|ticks| ticks.parse::<u64>().expect("a number")).sum()
}

/// The most memory that a process has held so far; 0 once it has ended.
fn peak_kib(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
