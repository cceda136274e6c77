//! A file takes as much memory as its stage says, however large it is.

use std::process::Command;

use super::recorder::{Recorder, accept};
use super::scripted::Scripted;
use super::*;

const FILE: usize = 160 << 20;
/// What a process of tests takes by itself, and what HTTP adds to the parts that are sent.
const SLACK: usize = 24 << 20;

/// Of this process, at its greatest.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<usize>().unwrap() << 10
}

/// Runs in a process of its own: see the test below.
#[tokio::test]
#[ignore = "is the other process of `a_large_file_takes_no_more_than_the_stage_says`"]
async fn one_large_file() {
    let address = std::env::var("TIDEGATE_TEST_ADDRESS").unwrap();
    let statements = Scripted::putting(place(Store::S3, &address), Some(material(16)));
    let area = Area::internal(statements, name(), network(), &std::env::temp_dir());
    let (run, piece) = (Arc::new(Run::new(0)), content(1 << 20));
    let stage = stage(&area, "orders", &run);
    let before = peak();
    let mut writer = stage.create(None).await.unwrap();
    for _ in 0..FILE / piece.len() {
        writer.write(piece.clone()).await.unwrap();
    }
    let written = peak();
    let file = writer.finish().await.unwrap();
    assert_eq!(file.bytes, FILE as u64);
    let most = stage.buffer_bytes() + SLACK;
    let taken = [written - before, peak() - before];
    println!(
        "written with {} KiB, uploaded with {} KiB, {} said",
        taken[0] >> 10,
        taken[1] >> 10,
        stage.buffer_bytes() >> 10
    );
    assert!(taken[0] < SLACK && taken[1] < most, "{taken:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_file_takes_no_more_than_the_stage_says() {
    let recorder = Recorder::start(|_, request| accept(request)).await;
    let name = "destination::snowflake::stage::tests::memory::one_large_file";
    let (address, program) = (recorder.address.clone(), std::env::current_exe().unwrap());
    let output = tokio::task::spawn_blocking(move || {
        Command::new(program)
            .args([name, "--exact", "--ignored", "--nocapture"])
            .env("TIDEGATE_TEST_ADDRESS", address)
            .output()
            .unwrap()
    });
    let output = output.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
