//! Starts a part by hand and keeps it until its input ends:
//!
//! ```sh
//! cargo run -p tidegate-lab -- postgres [MAJOR] [--sample PAYMENTS]
//! cargo run -p tidegate-lab -- s3
//! ```
//!
//! Prints what is needed to reach the part as one line of JSON.

use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;

use lab::{Binaries, Cluster, Options, S3, sample};
use serde_json::{Value, json};

const USAGE: &str = "usage: tidegate-lab postgres [MAJOR] [--sample PAYMENTS] | s3";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let is_understood = match words[..] {
        ["postgres", ref options @ ..] => postgres(options).is_some(),
        ["s3"] => {
            s3();
            true
        }
        _ => false,
    };
    if !is_understood {
        eprintln!("{USAGE}");
        return ExitCode::from(64);
    }
    ExitCode::SUCCESS
}

fn postgres(options: &[&str]) -> Option<()> {
    let (major, rows) = match *options {
        [] => (None, None),
        [major] => (Some(major), None),
        ["--sample", rows] => (None, Some(rows)),
        [major, "--sample", rows] => (Some(major), Some(rows)),
        _ => return None,
    };
    let major: Option<u32> = major.map(str::parse).transpose().ok()?;
    let rows: Option<u64> = rows.map(str::parse).transpose().ok()?;
    let binaries = match major {
        Some(major) => Binaries::of_major(major)
            .unwrap_or_else(|| panic!("no PostgreSQL {major}; there are {:?}", Binaries::all())),
        None => Binaries::preferred(),
    };
    let cluster = Cluster::start(Options::default().binaries(binaries));
    let database = cluster.database();
    if let Some(rows) = rows {
        let runtime = tokio::runtime::Runtime::new().expect("a runtime needs only threads");
        runtime.block_on(async { sample::create(&database.client().await, rows).await });
    }
    serve(&json!({"url": database.url(), "major": cluster.major(), "pid": cluster.pid()}));
    Some(())
}

fn s3() {
    let bucket = S3::start().bucket();
    let mut part = json!({"bucket": bucket.name});
    for (name, value) in bucket.environment() {
        part[name] = Value::from(value);
    }
    serve(&part);
}

/// Tells how to reach the part and waits for the end of the input.
fn serve(part: &Value) {
    writeln!(stdout(), "{part}").expect("somebody reads");
    let _ = stdin().read_to_end(&mut Vec::new());
}
