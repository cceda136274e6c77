//! Requests that the store refuses, swallows, or answers falsely, at each step of a sync: what can be
//! mended is mended, what can't is named, and a commit of unknown fate is looked up.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use lab::{Bucket, Cluster, S3};
use serde_json::json;

use super::refusal::error_of;
use crate::support::{Break, Cable, Fate, Ledger, Proxy, Request, Side};

type Kind = fn(&Request) -> bool;
const ALWAYS: u32 = u32::MAX;

/// A ledger in a bucket behind a proxy that treats the first few requests of some kind badly.
struct Trial {
    ledger: Ledger,
    bucket: Bucket,
    _proxy: Proxy,
    rules: Arc<Mutex<Vec<Rule>>>,
}

struct Rule {
    is_it: Kind,
    fate: Fate,
    left: u32,
    met: u32,
}

impl Trial {
    async fn new() -> Self {
        let bucket = S3::shared().bucket();
        let mut ledger = Ledger::of(Cluster::shared(), 50, Ledger::incremental_stream(), Some(&bucket)).await;
        ledger.project.sync();
        let rules = Arc::<Mutex<Vec<Rule>>>::default();
        let shared = Arc::clone(&rules);
        let proxy = Proxy::start(&bucket, move |request| {
            let mut rules = shared.lock().expect("no rule panics");
            let Some(rule) = rules.iter_mut().find(|rule| rule.left > 0 && (rule.is_it)(request)) else {
                return Fate::Pass;
            };
            rule.left -= 1;
            rule.met += 1;
            rule.fate
        });
        let lake = &mut ledger.project.configuration()["destinations"]["lake"];
        lake["endpoint"] = json!(proxy.before(&bucket).endpoint);
        lake["request_timeout"] = json!("1s");
        Self { ledger, bucket, _proxy: proxy, rules }
    }

    fn rule(&self, rules: &[(Kind, Fate, u32)]) {
        let rule = |(is_it, fate, left): &(Kind, Fate, u32)| Rule {
            is_it: *is_it,
            fate: *fate,
            left: *left,
            met: 0,
        };
        *self.rules.lock().expect("no rule panics") = rules.iter().map(rule).collect();
    }

    /// Whether each rule has had its say.
    fn all_met(&self) -> bool {
        self.rules.lock().expect("no rule panics").iter().all(|rule| rule.met > 0)
    }

    /// Syncs some more rows under these rules, which must succeed with one commit.
    async fn survives(&mut self, rules: &[(Kind, Fate, u32)]) {
        self.ledger.add(40).await;
        let before = self.ledger.lake.commits().await.len();
        self.rule(rules);
        let ran = self.ledger.project.run(&["sync", "--output", "json"]);
        let fates: Vec<Fate> = rules.iter().map(|rule| rule.1).collect();
        assert_eq!(ran.code, 0, "{fates:?}: {}\n{}", ran.stdout, ran.stderr);
        assert!(self.all_met(), "{fates:?}: no such request was made");
        let report = ran.json();
        assert_eq!(report["totals"]["rows_written"], 40, "{fates:?}: {report:#}");
        self.ledger.is_whole().await;
        assert_eq!(self.ledger.lake.commits().await.len(), before + 1, "{fates:?}");
    }

    /// Syncs some more rows under these rules, which must end with `code` and name all of `words`. Later
    /// all is well again.
    async fn fails(&mut self, rules: &[(Kind, Fate, u32)], code: i32, words: &[&str]) {
        self.ledger.add(40).await;
        self.rule(rules);
        self.ledger.project.configuration()["connections"]["db_to_lake"]["retries"] = json!(0);
        let running = self.ledger.start();
        let ran = running.wait();
        let fates: Vec<Fate> = rules.iter().map(|rule| rule.1).collect();
        assert_eq!(ran.code, code, "{fates:?}: {}\n{}", ran.stdout, ran.stderr);
        assert!(self.all_met(), "{fates:?}: no such request was made");
        for word in words {
            assert!(ran.stderr.contains(word), "{fates:?}: no {word:?} in {}", ran.stderr);
        }
        assert!(ran.stderr.contains(&self.bucket.name), "{fates:?}: which bucket? {}", ran.stderr);
        let error = error_of(&ran.json()).clone();
        assert_eq!(error["retryable"], code == 75, "{fates:?}: {error:#}");
        self.rule(&[]);
        self.ledger.recovers().await;
    }
}

#[tokio::test]
async fn a_commit_of_whatever_answer_is_made_once() {
    let mut trial = Trial::new().await;
    for fate in [
        Fate::Refuse(500, "InternalError"),
        Fate::Refuse(503, "SlowDown"),
        Fate::Refuse(429, "TooManyRequests"),
        Fate::Refuse(409, "ConditionalRequestConflict"),
        Fate::Belie(500, "InternalError"),
        Fate::Belie(412, "PreconditionFailed"),
        Fate::Belie(403, "AccessDenied"),
        Fate::Swallow,
        Fate::Hush,
        Fate::Truncate,
    ] {
        trial.survives(&[(Request::creates_commit, fate, 1)]).await;
    }
}

#[tokio::test]
async fn a_commit_that_the_store_shows_late_is_not_made_twice() {
    let mut trial = Trial::new().await;
    let late = Fate::Refuse(404, "NoSuchKey");
    // Its answer is lost, and who looks for it does not find it yet.
    let reads_last: Kind = |request| request.method == "GET" && request.target.contains("/manifest/00000002");
    trial
        .survives(&[(Request::creates_commit, Fate::Belie(500, "InternalError"), 1), (reads_last, late, 1)])
        .await;
}

#[tokio::test]
async fn a_part_that_is_not_taken_is_sent_again() {
    let mut trial = Trial::new().await;
    for fate in [
        Fate::Refuse(500, "InternalError"),
        Fate::Refuse(503, "SlowDown"),
        Fate::Refuse(429, "TooManyRequests"),
        Fate::Refuse(400, "RequestTimeout"),
        Fate::Refuse(400, "BadDigest"),
        // Whoever aborted the upload: the file is written anew.
        Fate::Refuse(404, "NoSuchUpload"),
        Fate::Belie(500, "InternalError"),
        Fate::LoseAnswer,
        Fate::Swallow,
        Fate::Hush,
    ] {
        trial.survives(&[(Request::sends_part, fate, 1)]).await;
    }
    for fate in [Fate::Refuse(500, "InternalError"), Fate::LoseAnswer, Fate::Swallow, Fate::Truncate] {
        trial.survives(&[(Request::begins_file, fate, 1)]).await;
    }
}

#[tokio::test]
async fn a_file_whose_completion_is_answered_falsely_is_looked_up() {
    let mut trial = Trial::new().await;
    for fate in [
        Fate::Refuse(500, "InternalError"),
        // The answer begins before the work is done, and ends with what went wrong.
        Fate::Refuse(200, "InternalError"),
        Fate::Refuse(409, "OperationAborted"),
        Fate::Belie(500, "InternalError"),
        Fate::Belie(200, "InternalError"),
        Fate::Belie(404, "NoSuchUpload"),
        Fate::Swallow,
        Fate::Hush,
        Fate::Truncate,
    ] {
        trial.survives(&[(Request::completes_file, fate, 1)]).await;
    }
    // And the object is not shown at once.
    let looks: Kind = |request| request.method == "HEAD" && request.target.contains("public.ledger");
    let rules = [
        (Request::completes_file as Kind, Fate::Belie(404, "NoSuchUpload"), 1),
        (looks, Fate::Refuse(404, "NoSuchKey"), 1),
    ];
    trial.survives(&rules).await;
}

#[tokio::test]
async fn what_is_read_badly_is_read_again() {
    let mut trial = Trial::new().await;
    for is_it in [Request::reads_commit as Kind, Request::lists] {
        for fate in [
            Fate::Refuse(500, "InternalError"),
            Fate::Refuse(503, "SlowDown"),
            Fate::LoseAnswer,
            Fate::Truncate,
            Fate::Swallow,
        ] {
            trial.survives(&[(is_it, fate, 1)]).await;
        }
    }
}

#[tokio::test]
async fn what_no_retry_mends_is_named_and_leaves_nothing() {
    let mut trial = Trial::new().await;
    let any: Kind = |_| true;
    for (is_it, fate, code, word) in [
        (Request::sends_part as Kind, Fate::Refuse(403, "AccessDenied"), 77, "s3:PutObject"),
        (Request::sends_part, Fate::Refuse(400, "ExpiredToken"), 77, "the session token has expired"),
        (Request::creates_commit, Fate::Refuse(400, "ExpiredToken"), 77, "the session token has expired"),
        (Request::creates_commit, Fate::Refuse(403, "RequestTimeTooSkewed"), 77, "clock is off"),
        (Request::sends_part, Fate::Refuse(301, "PermanentRedirect"), 78, "set `region`"),
        (any, Fate::Refuse(301, "PermanentRedirect"), 78, "set `region`"),
        (any, Fate::Refuse(404, "NoSuchBucket"), 78, "the bucket does not exist"),
        (Request::creates_commit, Fate::Refuse(404, "NoSuchBucket"), 78, "the bucket does not exist"),
        (Request::creates_commit, Fate::Refuse(507, "InsufficientStorage"), 74, "make room"),
    ] {
        trial.fails(&[(is_it, fate, ALWAYS)], code, &[word]).await;
    }
}

#[tokio::test]
async fn credentials_that_expire_after_the_commit_leave_the_rest_to_the_next_sync() {
    let mut trial = Trial::new().await;
    let before = trial.ledger.lake.commits().await.len();
    let expired = Fate::Refuse(400, "ExpiredToken");
    trial.fails(&[(Request::completes_file, expired, ALWAYS)], 77, &["the session token has expired"]).await;
    // The commit stood, and was finished by the one after it.
    assert_eq!(trial.ledger.lake.commits().await.len(), before + 2);
}

#[tokio::test]
async fn a_store_that_never_answers_ends_the_sync_in_bounded_time() {
    let silent = |is_it: Kind, word: &'static str| {
        async move || {
            let mut trial = Trial::new().await;
            trial.ledger.project.configuration()["destinations"]["lake"]["request_timeout"] = json!("200ms");
            trial.fails(&[(is_it, Fate::Swallow, ALWAYS)], 75, &[word]).await;
        }
    };
    at_once([
        silent(Request::sends_part, "can't upload"),
        silent(Request::reads, "can't"),
        silent(Request::creates_commit, "can't create"),
    ]);
}

/// Runs what mostly waits at the same time.
fn at_once<const N: usize, F: AsyncFn() + Copy + Send>(trials: [F; N]) {
    std::thread::scope(|scope| {
        let run = |trial: F| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime needs only files").block_on(trial());
        };
        for thread in trials.map(|trial| scope.spawn(move || run(trial))) {
            thread.join().expect("it succeeds");
        }
    });
}

/// Reads and writes through a line that can be broken.
async fn behind_a_cable() -> (Ledger, Cable) {
    let bucket = S3::shared().bucket();
    let mut ledger = Ledger::of(Cluster::shared(), 50, Ledger::incremental_stream(), Some(&bucket)).await;
    ledger.project.sync();
    let server = bucket.endpoint.trim_start_matches("http://");
    let cable = Cable::to(server);
    let lake = &mut ledger.project.configuration()["destinations"]["lake"];
    lake["endpoint"] = json!(cable.instead_of(server, &bucket.endpoint));
    lake["request_timeout"] = json!("1s");
    lake["connect_timeout"] = json!("500ms");
    (ledger, cable)
}

#[tokio::test]
async fn a_line_to_the_store_that_breaks_anywhere_loses_and_doubles_nothing() {
    let (mut ledger, cable) = behind_a_cable().await;
    let breaks = [Break::Reset, Break::Close, Break::Silence];
    let places = [(Side::Client, [700, 2_500, 60_000]), (Side::Server, [1, 900, 2_600])];
    let seen = AtomicU32::new(0);
    for (side, bytes) in places {
        for (bytes, how) in bytes.into_iter().zip(breaks) {
            ledger.add(400).await;
            cable.break_after(bytes, side, 1, how);
            let ran = ledger.project.run(&["sync", "--output", "json"]);
            assert_eq!(ran.code, 0, "{side:?} {bytes} {how:?}: {}", ran.stderr);
            seen.fetch_add(1 - cable.left(), Ordering::Relaxed);
            ledger.is_whole().await;
        }
    }
    assert!(seen.into_inner() >= 5, "most of the lines break");
    cable.mend();
    cable.slow(4096, Duration::from_millis(5));
    ledger.recovers().await;
}

#[tokio::test]
async fn a_store_that_can_t_be_reached_is_named_in_bounded_time() {
    let broken = |how: Break| {
        async move || {
            let (mut ledger, cable) = behind_a_cable().await;
            ledger.add(10).await;
            ledger.project.configuration()["connections"]["db_to_lake"]["retries"] = json!(0);
            ledger.project.configuration()["destinations"]["lake"]["request_timeout"] = json!("200ms");
            cable.break_new(how);
            let ran = ledger.start().wait().exits(75).says("s3://");
            assert_eq!(error_of(&ran.json())["kind"], "transient", "{}", ran.stdout);
            cable.mend();
            ledger.recovers().await;
        }
    };
    at_once([broken(Break::Reset), broken(Break::Silence)]);
}
