//! `kill -9` of the real binary: readers never see what is not committed, and the next sync ends with
//! each row once.

use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lab::{Cluster, S3};
use serde_json::json;

use crate::support::{Fate, Gate, Ledger, Proxy, Request, Running, until};

const ROUNDS: u32 = 8;
/// The second commit of the ledger.
const NEXT: &str = "lake/_tidegate/public.ledger/manifest/00000002.json";

/// A printed seed, so that a failure can be had again.
fn random(test: &str) -> fastrand::Rng {
    let seed = std::env::var("TIDEGATE_TEST_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| fastrand::u64(..));
    eprintln!("{test}: TIDEGATE_TEST_SEED={seed}");
    fastrand::Rng::with_seed(seed)
}

/// Kills syncs at random moments, then lets one end. Rows are added all the while.
async fn is_killed_again_and_again(mut ledger: Ledger, mut random: fastrand::Rng) {
    let begin = Instant::now();
    ledger.start().wait().exits(0);
    let mut usual = begin.elapsed();
    let (mut killed, watch) = (0, ledger.lake.watch());
    for round in 0..ROUNDS {
        ledger.add(random.i64(1..400)).await;
        let running = ledger.start();
        // Most of what matters happens at the end.
        let share = if round % 2 == 0 { random.f64() } else { 0.6 + 0.4 * random.f64() };
        std::thread::sleep(usual.mul_f64(share));
        if running.kill() {
            killed += 1;
        } else {
            // It ends sooner now than the first did, on a busy machine.
            usual = usual.mul_f64(0.7);
        }
    }
    assert!(killed > 0, "no sync was killed in {ROUNDS} rounds of {usual:?}");
    // A file that was about to be committed goes once its number is taken, by the sync after that.
    ledger.add(1).await;
    ledger.project.sync();
    ledger.recovers().await;
    let looks = watch.end();
    eprintln!("killed {killed} of {ROUNDS}, a sync takes {usual:?}, looked {looks} times");
}

#[tokio::test]
async fn random_kills_lose_and_double_nothing_in_a_directory() {
    let ledger = Ledger::incremental(4000).await;
    is_killed_again_and_again(ledger, random("incremental, directory")).await;
}

#[tokio::test]
async fn random_kills_of_a_full_refresh_lose_and_double_nothing_in_a_directory() {
    let ledger = Ledger::full(4000).await;
    is_killed_again_and_again(ledger, random("full, directory")).await;
}

#[tokio::test]
async fn random_kills_lose_and_double_nothing_in_a_bucket() {
    let bucket = S3::shared().bucket();
    let ledger = Ledger::of(Cluster::shared(), 4000, Ledger::incremental_stream(), Some(&bucket)).await;
    is_killed_again_and_again(ledger, random("incremental, bucket")).await;
}

#[tokio::test]
async fn random_kills_of_a_full_refresh_lose_and_double_nothing_in_a_bucket() {
    let bucket = S3::shared().bucket();
    let stream = json!({ "name": "public.ledger" });
    let ledger = Ledger::of(Cluster::shared(), 4000, stream, Some(&bucket)).await;
    is_killed_again_and_again(ledger, random("full, bucket")).await;
}

/// Kills a sync to a bucket that waits at the first request of the given kind, which then never
/// arrives.
async fn killed_at(is_it: fn(&Request) -> bool, stream: serde_json::Value) -> (Ledger, usize) {
    let bucket = S3::shared().bucket();
    let mut ledger = Ledger::of(Cluster::shared(), 500, stream, Some(&bucket)).await;
    ledger.project.sync();
    ledger.add(500).await;
    let gate = Arc::new(Gate::default());
    let proxy = {
        let gate = Arc::clone(&gate);
        Proxy::start(&bucket, move |request| {
            if !is_it(request) {
                return Fate::Pass;
            }
            gate.wait();
            Fate::Break
        })
    };
    let watch = ledger.lake.watch();
    let before = ledger.lake.ids().await;
    let endpoint = json!(proxy.before(&bucket).endpoint);
    let direct = ledger.project.configuration()["destinations"]["lake"]["endpoint"].take();
    ledger.project.configuration()["destinations"]["lake"]["endpoint"] = endpoint;
    let running = ledger.start();
    gate.until_reached();
    assert!(running.kill(), "it waits at the gate");
    gate.open();
    // Neither more nor less than before: what was staged is seen by nobody.
    assert!(ledger.lake.ids().await == before);
    let commits = ledger.lake.commits().await.len();
    ledger.project.configuration()["destinations"]["lake"]["endpoint"] = direct;
    ledger.recovers().await;
    watch.end();
    (ledger, commits)
}

#[tokio::test]
async fn a_kill_between_stage_and_commit_in_a_bucket_leaves_the_old_state() {
    let (_, commits) = killed_at(Request::creates_commit, Ledger::incremental_stream()).await;
    assert_eq!(commits, 1);
}

#[tokio::test]
async fn a_kill_right_after_the_commit_in_a_bucket_is_rolled_forward() {
    let (ledger, commits) = killed_at(Request::completes_file, Ledger::incremental_stream()).await;
    // It stood, and its rows were neither lost nor read again.
    assert_eq!(commits, 2);
    assert_eq!(ledger.lake.commits().await.len(), 3);
}

#[tokio::test]
async fn a_full_refresh_killed_around_its_commit_in_a_bucket_is_whole_in_the_end() {
    for (is_it, commits) in
        [(Request::creates_commit as fn(&Request) -> bool, 1), (Request::completes_file, 2)]
    {
        let (_, stood) = killed_at(is_it, json!({ "name": "public.ledger" })).await;
        assert_eq!(stood, commits);
    }
}

/// Brings a sync to a directory to the point where its files are staged and its commit is about to be
/// created: a pipe stands where the commit shall be, and opening it waits for the sync.
async fn until_commit(ledger: &Ledger) -> (Running, fs::File) {
    let running = ledger.start();
    // By now it has looked for commits, and will not look again before it makes its own.
    ledger.until_session("query LIKE 'COPY%' AND wait_event = 'PgSleep'").await;
    let next = ledger.project.path(NEXT);
    assert!(Command::new("mkfifo").arg(&next).status().expect("mkfifo is always there").success());
    // Opens as soon as the sync has found that somebody was faster and wants to know who.
    let pipe = fs::OpenOptions::new().write(true).open(&next).expect("the pipe was made");
    (running, pipe)
}

#[tokio::test]
async fn a_kill_between_stage_and_commit_in_a_directory_leaves_the_old_state() {
    let mut ledger = Ledger::incremental(500).await;
    ledger.project.sync();
    ledger.add(500).await;
    ledger.slow(1000, 2.0);
    let watch = ledger.lake.watch();
    let (running, pipe) = until_commit(&ledger).await;
    let stage = ledger.project.path("lake/_tidegate/public.ledger/stage");
    let staged = fs::read_dir(&stage).unwrap().flatten();
    let adopted = staged.filter(|entry| entry.file_name().to_string_lossy().starts_with("00000002-")).count();
    assert_eq!(adopted, 1, "the file is not yet adopted");
    assert!(running.kill(), "it waits for the pipe");
    drop(pipe);
    fs::remove_file(ledger.project.path(NEXT)).unwrap();
    ledger.fast();
    watch.end();
    // The file might belong to a sync that is about to commit: it goes once its number is taken.
    ledger.add(1).await;
    ledger.project.sync();
    ledger.recovers().await;
}

#[tokio::test]
async fn a_commit_in_a_directory_whose_files_could_not_be_moved_is_rolled_forward() {
    let mut ledger = Ledger::incremental(500).await;
    ledger.project.sync();
    ledger.add(500).await;
    // The folder of the data leads to another file system: nothing can be renamed into it.
    let elsewhere = tempfile::tempdir_in("/dev/shm").expect("there is shared memory");
    let (data, aside) = (ledger.project.path("lake/public.ledger"), ledger.project.path("aside"));
    fs::rename(&data, &aside).unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), &data).unwrap();
    let ran = ledger.project.run(&["sync", "--output", "json"]).exits(78);
    ran.says("must lie on one file system");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    fs::remove_file(&data).unwrap();
    fs::rename(&aside, &data).unwrap();
    let commits = ledger.lake.commits().await;
    assert_eq!(commits.len(), 2, "the commit stands");
    ledger.recovers().await;
    assert_eq!(ledger.lake.commits().await.len(), 3);
}

#[tokio::test]
async fn what_a_killed_sync_left_behind_is_removed() {
    let mut ledger = Ledger::incremental(500).await;
    ledger.slow(100, 0.5);
    for _ in 0..3 {
        let running = ledger.start();
        let stage = ledger.project.path("lake/_tidegate/public.ledger/stage");
        let begin = Instant::now();
        until("a run in the stage", || {
            fs::read_dir(&stage).is_ok_and(|mut runs| runs.next().is_some())
                || begin.elapsed() > Duration::from_secs(20)
        });
        running.kill();
    }
    ledger.fast();
    ledger.recovers().await;
}
