//! Counting by Valgrind.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What something costs.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Count {
    /// Of this program.
    pub(crate) instructions: f64,
    /// Of the C library: allocations, copies, comparisons.
    pub(crate) calls: f64,
}

impl Count {
    /// Instructions per row, calls per thousand rows.
    pub(crate) fn per(self, rows: usize) -> Self {
        let rows = f64::from(u32::try_from(rows).expect("there are few"));
        Self { instructions: self.instructions / rows, calls: self.calls * 1000.0 / rows }
    }
}

/// Valgrind writes down what was counted since the last time whenever this is called.
#[inline(never)]
pub(crate) fn milestone() {
    std::hint::black_box(());
}

/// The name of [`milestone`], however names are mangled.
const MILESTONE: &str = "*callgrind*milestone*";

/// Counts what this program does between the milestones when it is started with `argument`: there are two for each
/// of `names`.
pub(crate) fn counts(argument: &str, names: &[String]) -> Result<Vec<(String, Count)>, String> {
    let program = std::env::current_exe().map_err(|error| format!("can't find this program: {error}"))?;
    let folder = tempfile::tempdir().map_err(|error| format!("can't make a folder: {error}"))?;
    let file = folder.path().join("counts");
    let mut command = Command::new("valgrind");
    command.args(["--quiet", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no"]);
    command.arg(format!("--dump-before={MILESTONE}"));
    command.arg(format!("--callgrind-out-file={}", file.display()));
    command.arg(&program).arg(argument).stdin(Stdio::null());
    let status = command.status().map_err(|error| format!("can't start valgrind: {error}"))?;
    if !status.success() {
        return Err(format!("valgrind: {status}"));
    }
    let program = program.display().to_string();
    names.iter().zip(1..).map(|(name, at)| Ok((name.clone(), part(&file, at * 2, &program)?))).collect()
}

/// What was written down at the milestone of that number.
fn part(file: &Path, number: usize, program: &str) -> Result<Count, String> {
    let part = PathBuf::from(format!("{}.{number}", file.display()));
    let text = std::fs::read_to_string(&part).map_err(|error| {
        format!("valgrind has not written {number} parts, so it did not find the milestones: {error}")
    })?;
    let count = count(&text, program);
    if count.instructions > 0.0 { Ok(count) } else { Err(format!("part {number} counts nothing")) }
}

/// Adds up what belongs to `program`. Costs stand below the function that they are of, but for the line after
/// `calls=`, which is what the called function costs, and is counted there.
fn count(text: &str, program: &str) -> Count {
    let mut count = Count::default();
    let (mut is_ours, mut is_c, mut is_inclusive) = (false, false, false);
    for line in text.lines() {
        if let Some(object) = line.strip_prefix("ob=") {
            is_ours = object == program;
        } else if let Some(object) = line.strip_prefix("cob=") {
            is_c = is_c_library(object);
        } else if let Some(calls) = line.strip_prefix("calls=") {
            if is_ours && is_c {
                count.calls += first(calls);
            }
            (is_c, is_inclusive) = (false, true);
        } else if line.starts_with(|first: char| first.is_ascii_digit() || first == '+' || first == '-') {
            if is_ours && !is_inclusive {
                count.instructions += line.split_ascii_whitespace().nth(1).map_or(0.0, first);
            }
            is_inclusive = false;
        }
    }
    count
}

fn is_c_library(object: &str) -> bool {
    object.rsplit('/').next().is_some_and(|name| name.starts_with("libc.") || name.starts_with("libc-"))
}

fn first(words: &str) -> f64 {
    words.split_ascii_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or_default()
}
