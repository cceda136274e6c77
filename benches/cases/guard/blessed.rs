//! The counts that are held.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::callgrind::Count;

/// What a case may cost more than held, as a part of it.
const TOLERANCE: f64 = 0.05;
/// The same where another compiler made the counts: it alone may change as much.
const STRANGE_TOLERANCE: f64 = 0.25;
/// Calls per thousand rows that don't matter: threads start, and hash tables grow as chance wills.
const FEW_CALLS: f64 = 50.0;

/// The counts that are held, and the compiler that they are of.
pub(crate) struct Blessed(Value);

impl Blessed {
    pub(crate) fn path() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("guard/counts.json")
    }

    pub(crate) fn read() -> Result<Self, String> {
        let path = Self::path();
        let text = fs::read(&path).map_err(|error| format!("can't read {}: {error}", path.display()))?;
        let value = serde_json::from_slice(&text);
        value.map(Self).map_err(|error| format!("{} is not JSON: {error}", path.display()))
    }

    pub(crate) fn write(counts: &[(String, Count)]) -> Result<(), String> {
        let round = |number: f64| (number * 10.0).round() / 10.0;
        let cases: serde_json::Map<String, Value> = counts
            .iter()
            .map(|(name, count)| {
                let count = json!({ "instructions": round(count.instructions), "calls": round(count.calls) });
                (name.clone(), count)
            })
            .collect();
        let text = format!("{:#}\n", json!({ "compiler": compiler()?, "cases": cases }));
        fs::write(Self::path(), text).map_err(|error| format!("can't write the counts: {error}"))
    }

    pub(crate) fn tolerance(&self) -> Result<f64, String> {
        let (held, here) = (self.0["compiler"].as_str().unwrap_or_default(), compiler()?);
        if held == here {
            return Ok(TOLERANCE);
        }
        println!(
            "guard: the counts are of {held}, and this is {here}: `tests/guard --bless` sharpens the guard"
        );
        Ok(STRANGE_TOLERANCE)
    }

    /// Prints a case; returns whether it is worse than it may be. One that nothing is held of is.
    pub(crate) fn judged(&self, name: &str, count: &Count, tolerance: f64) -> bool {
        let held = &self.0["cases"][name];
        let of = |figure: &str| held[figure].as_f64().unwrap_or_default();
        let (instructions, calls) = (of("instructions"), of("calls"));
        println!(
            "| {name} | {:.1} | {instructions:.1} | {} | {:.1} | {calls:.1} | {} |",
            count.instructions,
            change(instructions, count.instructions),
            count.calls,
            change(calls, count.calls),
        );
        count.instructions > instructions * (1.0 + tolerance)
            || count.calls > calls * (1.0 + tolerance) + FEW_CALLS
    }
}

fn change(before: f64, now: f64) -> String {
    if before > 0.0 { format!("{:+.1} %", (now / before - 1.0) * 100.0) } else { "new".to_owned() }
}

/// `rustc 1.95.0 (59807616e 2026-04-14)`.
fn compiler() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).arg("--version").output();
    let output = output.map_err(|error| format!("can't start rustc: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
