//! Commits that this version can't or must not read.

use std::fs;
use std::path::PathBuf;

use crate::support::Ledger;

/// Two commits, and the path of the second.
async fn committed() -> (Ledger, PathBuf) {
    let mut ledger = Ledger::incremental(10).await;
    ledger.project.sync();
    ledger.add(2).await;
    ledger.project.sync();
    let path = ledger.project.path("lake/_tidegate/public.ledger/manifest/00000002.json");
    assert!(path.exists());
    ledger.add(1).await;
    (ledger, path)
}

#[tokio::test]
async fn a_commit_of_a_newer_version_is_left_alone() {
    let (mut ledger, path) = committed().await;
    let right = fs::read_to_string(&path).unwrap();
    let newer = right.replacen("\"format\":1", "\"format\":2", 1);
    assert_ne!(right, newer);
    fs::write(&path, newer).unwrap();
    ledger.fails(78, &["00000002.json", "a newer tidegate wrote it", "use that version"]);
    let shown = ledger.project.run(&["state", "show"]).exits(78);
    shown.says("a newer tidegate wrote it");
    fs::write(&path, right).unwrap();
    ledger.recovers().await;
}

#[tokio::test]
async fn a_damaged_commit_is_never_guessed_around() {
    let (mut ledger, path) = committed().await;
    let right = fs::read(&path).unwrap();
    let seed = fastrand::u64(..);
    eprintln!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for round in 0..8 {
        let mut wrong = right.clone();
        match round {
            0 => wrong.clear(),
            1 => wrong.truncate(random.usize(1..right.len())),
            _ => {
                let at = random.usize(0..wrong.len() - 1);
                wrong[at] ^= 1 << random.u8(0..7);
            }
        }
        fs::write(&path, &wrong).unwrap();
        let ran = ledger.project.run(&["sync", "--output", "json"]);
        // A flipped bit may make the version a newer one.
        assert!(matches!(ran.code, 65 | 78), "round {round}: {} {}", ran.code, ran.stderr);
        assert!(ran.stderr.contains("00000002.json"), "{}", ran.stderr);
        assert_eq!(fs::read(&path).unwrap(), wrong, "it was written to");
    }
    fs::write(&path, right).unwrap();
    ledger.recovers().await;
}

#[tokio::test]
async fn commits_that_are_gone_are_no_reason_to_load_everything_again() {
    let (mut ledger, path) = committed().await;
    let folder = ledger.project.path("lake/_tidegate");
    let aside = ledger.project.path("aside");
    fs::rename(&folder, &aside).unwrap();
    ledger.fails(78, &["the commits in", "are gone", "restore the commits"]);
    assert!(!folder.join("public.ledger/manifest").exists(), "a new history was begun");
    let _ = fs::remove_dir_all(&folder);
    fs::rename(&aside, &folder).unwrap();
    // A gap is seen as well.
    let first = path.with_file_name("00000001.json");
    let kept = fs::read(&first).unwrap();
    fs::remove_file(&first).unwrap();
    ledger.fails(65, &["00000001.json"]);
    fs::write(&first, kept).unwrap();
    ledger.recovers().await;
}
