//! Starts a part by hand and keeps it until its input ends:
//!
//! ```sh
//! cargo run -p tidegate-lab -- postgres [MAJOR] [--sample PAYMENTS]
//! cargo run --release -p tidegate-lab -- postgres [MAJOR] --scale SCALE
//! cargo run -p tidegate-lab -- s3
//! cargo run -p tidegate-lab -- snowflake
//! ```
//!
//! Prints what is needed to reach the part as one line of JSON. `--scale` makes the tables that are measured
//! with, `lineitem` and `payments`, of six and three million rows at scale 1.

use std::io::{Read, Write, stdin, stdout};
use std::process::ExitCode;

use lab::{Binaries, Cluster, Options, S3, Snowflake, bulk, sample};
use serde_json::{Value, json};
use workload::Scale;

const USAGE: &str =
    "usage: tidegate-lab postgres [MAJOR] [--sample PAYMENTS | --scale SCALE] | s3 | snowflake";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let is_understood = match words[..] {
        ["postgres", ref options @ ..] => postgres(options).is_some(),
        ["s3"] => {
            s3();
            true
        }
        ["snowflake"] => {
            snowflake();
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

/// What a server is filled with.
enum Content {
    Nothing,
    Sample(u64),
    Bulk(Scale),
}

fn postgres(options: &[&str]) -> Option<()> {
    let (major, content) = match *options {
        [] | ["--sample" | "--scale", _] => (None, options),
        [major, ref content @ ..] => (Some(major), content),
    };
    let content = match *content {
        [] => Content::Nothing,
        ["--sample", rows] => Content::Sample(rows.parse().ok()?),
        ["--scale", scale] => Content::Bulk(scale.parse().ok()?),
        _ => return None,
    };
    let major: Option<u32> = major.map(str::parse).transpose().ok()?;
    let binaries = match major {
        Some(major) => Binaries::of_major(major)
            .unwrap_or_else(|| panic!("no PostgreSQL {major}; there are {:?}", Binaries::all())),
        None => Binaries::preferred(),
    };
    let mut options = Options::default().binaries(binaries);
    if matches!(content, Content::Bulk(_)) {
        // Nothing shall work beside what is measured.
        options = options.setting("autovacuum", "off").setting("max_wal_size", "8GB");
    }
    let cluster = Cluster::start(options);
    let database = cluster.database();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime needs only threads");
    runtime.block_on(async {
        match content {
            Content::Nothing => {}
            Content::Sample(rows) => sample::create(&database.client().await, rows).await,
            Content::Bulk(scale) => bulk::create(&database.client().await, scale).await,
        }
    });
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

fn snowflake() {
    let account = Snowflake::start().account();
    serve(&json!({
        "host": account.host(), "port": account.port(), "protocol": "http", "account": account.account,
        "user": account.user, "password": account.password, "access_token": account.access_token,
        "private_key": account.private_key, "role": account.role, "warehouse": account.warehouse,
        "database": account.database, "schema": account.schema,
    }));
}

/// Tells how to reach the part and waits for the end of the input.
fn serve(part: &Value) {
    writeln!(stdout(), "{part}").expect("somebody reads");
    let _ = stdin().read_to_end(&mut Vec::new());
}
