//! Holds what the hot paths cost, without a clock: `tests/guard`.
//!
//! Valgrind counts the instructions of each case, and they are compared with the counts in `counts.json`, which
//! `tests/guard --bless` writes. More than a twentieth above is a failure.
//!
//! Only instructions of this program count. Those of the C library depend on its version and on the processor it
//! finds (`memcpy` alone has a dozen variants); of them it is counted how often they are called, so that one more
//! allocation or copy for each value is found as well. What the program itself chooses by the processor is the same
//! wherever AVX2 is: Valgrind shows the same processor then.

#![expect(clippy::print_stdout, reason = "the table is what the guard is for")]

mod blessed;
mod callgrind;
mod work;

use std::process::ExitCode;

use blessed::Blessed;
use callgrind::Count;

/// The process that is counted.
const COUNTED: &str = "--counted";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|argument| argument == name);
    if has(COUNTED) {
        work::all(callgrind::milestone);
        return ExitCode::SUCCESS;
    }
    match guard(has("--bless")) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("guard: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether nothing became worse.
fn guard(is_blessing: bool) -> Result<bool, String> {
    if !cfg!(target_arch = "x86_64") || !has_avx2() {
        println!("guard: nothing is held on this machine: the counts are of x86-64 with AVX2");
        return Ok(true);
    }
    let counts: Vec<(String, Count)> = callgrind::counts(COUNTED, &work::names())?
        .into_iter()
        .zip(work::rows())
        .map(|((name, count), rows)| (name, count.per(rows)))
        .collect();
    if is_blessing {
        Blessed::write(&counts)?;
        println!("guard: {} counts written to {}", counts.len(), Blessed::path().display());
        return Ok(true);
    }
    let blessed = Blessed::read()?;
    let tolerance = blessed.tolerance()?;
    println!("| case | instructions per row | held | | calls per 1000 rows | held | |");
    println!("|---|---|---|---|---|---|---|");
    let verdicts: Vec<(&str, bool)> =
        counts.iter().map(|(name, count)| (name.as_str(), blessed.judged(name, count, tolerance))).collect();
    let worse: Vec<&str> = verdicts.iter().filter(|(_, is_worse)| *is_worse).map(|(name, _)| *name).collect();
    if worse.is_empty() {
        println!("guard: {} cases cost no more than {:.0} % more than held", counts.len(), tolerance * 100.0);
        return Ok(true);
    }
    println!("guard: worse by more than {:.0} %: {}", tolerance * 100.0, worse.join(", "));
    println!("guard: if that is what the change is worth, `tests/guard --bless` holds the new counts");
    Ok(false)
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}
