//! A file takes as much memory as its stage says, however large it is.

use std::process::Command;

use super::recorder::{Recorder, accept};
use super::scripted::Scripted;
use super::*;

/// The second is six times as large as the first.
const FILES: [usize; 2] = [32 << 20, 192 << 20];
/// What an HTTP client takes by itself, and what the allocator does not give back.
const SLACK: usize = 32 << 20;
/// What the allocator may do to a file that is 160 MiB larger.
const GROWTH: usize = 16 << 20;

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
    let mut peaks = Vec::new();
    for size in FILES {
        let mut writer = stage.create(None).await.unwrap();
        for _ in 0..size / piece.len() {
            writer.write(piece.clone()).await.unwrap();
        }
        assert_eq!(writer.finish().await.unwrap().bytes, size as u64);
        peaks.push(peak() - before);
    }
    println!("peaks: {peaks:?}");
    assert!(peaks[0] < stage.buffer_bytes() + SLACK, "{peaks:?}");
    assert!(peaks[1] < peaks[0] + GROWTH, "{peaks:?}");
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
