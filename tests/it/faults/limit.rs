//! What a process may be short of: file handles, a folder for temporary files, rights on what it makes, a
//! device that works.

use std::process::Command;

use super::clock::preloaded;
use super::refusal::committed_tree;
use crate::support::{Ledger, Running};

/// The sync, run by a shell that does `before` first.
fn under(ledger: &Ledger, before: &str) -> Running {
    let sync = ledger.project.command(&["sync", "--output", "json"]);
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("{before}; exec \"$0\" \"$@\"")])
        .arg(sync.get_program())
        .args(sync.get_args());
    command.current_dir(ledger.project.path("."));
    for (name, value) in sync.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    Running::start(command)
}

#[tokio::test]
async fn too_few_file_handles_end_a_sync_cleanly() {
    let mut ledger = Ledger::full(300).await;
    let mut codes = Vec::new();
    for most in [8, 11, 14, 18, 64] {
        let ran = under(&ledger, &format!("ulimit -n {most}")).wait();
        assert!(!ran.stderr.contains("panicked"), "{most}: {}", ran.stderr);
        // Before the runtime stands there is nobody to write a report.
        if ran.code == 0 {
            ledger.is_whole().await;
        } else {
            assert!(matches!(ran.code, 70 | 74 | 75 | 78), "{most}: {} {}", ran.code, ran.stderr);
            assert!(
                ran.stderr.contains("open files") || ran.stderr.contains("os error 24"),
                "{most}: {}",
                ran.stderr
            );
        }
        codes.push(ran.code);
    }
    assert_eq!(codes.last(), Some(&0), "{codes:?}");
    assert_ne!(codes.first(), Some(&0), "{codes:?}");
    ledger.recovers().await;
}

#[tokio::test]
async fn neither_a_folder_for_temporary_files_nor_a_usual_mask_is_needed() {
    let mut ledger = Ledger::incremental(20).await;
    for before in
        ["TMPDIR=/no/such/folder; export TMPDIR", "umask 077", "umask 000", "unset HOME PATH", "cd ."]
    {
        ledger.add(5).await;
        under(&ledger, before).wait().exits(0);
        ledger.is_whole().await;
    }
}

#[tokio::test]
async fn a_device_that_fails_ends_a_sync_before_it_commits() {
    // What is written reaches the device only when it is asked for.
    const FAILING: &str = r"
        #include <errno.h>
        int fsync(int file) { errno = EIO; return -1; }
        int fdatasync(int file) { errno = EIO; return -1; }
        ";
    let mut ledger = Ledger::incremental(20).await;
    ledger.project.sync();
    ledger.add(20).await;
    let library = preloaded(&ledger.project.path("."), "device", FAILING);
    let before = committed_tree(&ledger.project.path("lake"));
    let mut command = ledger.project.command(&["sync", "--output", "json"]);
    command.env("LD_PRELOAD", &library);
    let ran = Running::start(command).wait().exits(74).says("public.ledger").says("os error 5");
    assert_eq!(ran.json()["totals"]["rows_written"], 0, "{}", ran.stdout);
    assert!(before == committed_tree(&ledger.project.path("lake")), "something was committed");
    ledger.recovers().await;
}
