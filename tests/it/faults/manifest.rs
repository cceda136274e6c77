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

#[tokio::test]
async fn a_commit_that_ends_anywhere_is_never_taken_for_a_fresh_start() {
    let (mut ledger, path) = committed().await;
    let right = fs::read(&path).unwrap();
    for length in (0..right.len()).step_by(64) {
        fs::write(&path, &right[..length]).unwrap();
        ledger.fails(65, &["00000002.json"]);
    }
    fs::write(&path, right).unwrap();
    ledger.recovers().await;
}

#[tokio::test]
async fn a_commit_of_another_stream_or_time_is_refused() {
    let (mut ledger, path) = committed().await;
    ledger
        .database
        .execute("CREATE TABLE other (id bigint PRIMARY KEY, updated_at timestamptz DEFAULT now())")
        .await;
    let settings = &mut ledger.project.configuration()["connections"]["db_to_lake"];
    let mine = settings["streams"].clone();
    settings["streams"] = serde_json::json!([{ "name": "public.other", "cursor": "updated_at" }]);
    ledger.project.sync();
    ledger.database.execute("INSERT INTO other VALUES (1)").await;
    ledger.project.sync();
    ledger.project.configuration()["connections"]["db_to_lake"]["streams"] = mine;
    let right = fs::read_to_string(&path).unwrap();
    let others = ledger.project.path("lake/_tidegate/public.other/manifest/00000002.json");
    let earlier = path.with_file_name("00000001.json");
    let without = |field: &str| {
        let mut document: serde_json::Value = serde_json::from_str(&right).unwrap();
        document.as_object_mut().unwrap().remove(field).unwrap();
        document.to_string()
    };
    let edited = right.replacen("\"rows\":2", "\"rows\":3", 1);
    assert_ne!(edited, right);
    for wrong in [
        fs::read_to_string(&others).unwrap(),
        fs::read_to_string(&earlier).unwrap(),
        without("state"),
        without("files"),
        without("parent"),
        without("checksum"),
        edited,
    ] {
        fs::write(&path, wrong).unwrap();
        ledger.fails(65, &["00000002.json"]);
    }
    fs::write(&path, right).unwrap();
    ledger.recovers().await;
}

#[tokio::test]
async fn a_history_that_was_taken_back_is_no_reason_to_load_rows_again() {
    let (mut ledger, path) = committed().await;
    let hint = ledger.project.path("lake/_tidegate/public.ledger/head.json");
    let (kept, told) = (fs::read(&path).unwrap(), fs::read(&hint).unwrap());
    // The last commit is gone, and its files are there.
    fs::remove_file(&path).unwrap();
    ledger.fails(65, &["00000002.json"]);
    // As a backup from before it would be, without what it has put beside.
    fs::remove_file(&hint).unwrap();
    let ran = ledger.project.run(&["sync"]).exits(78);
    ran.says("holds files of a later commit than 1").says("restore the commits");
    assert_eq!(ledger.lake.ids().await.len(), 12);
    fs::write(&path, kept).unwrap();
    fs::write(&hint, told).unwrap();
    ledger.recovers().await;
}
