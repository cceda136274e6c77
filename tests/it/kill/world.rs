//! A table that grows, the target it is synced to, and what may be seen there at any moment.

use std::collections::BTreeMap;

use lab::{Bucket, Cluster, Database, S3};
use serde_json::{Value, json};

use super::points::{Mode, Store};
use crate::support::{Files, Lake, Project, Running};

/// Rows of the table, each of a page: enough to be read by several sessions, into several files.
const ROWS: i64 = 1_300;

/// One database and the targets that its table is synced to, one after the other.
pub(super) struct World {
    mode: Mode,
    database: Database,
    bucket: Option<Bucket>,
    pub(super) project: Project,
    pub(super) lake: Lake,
    target: String,
    /// Rows in the table: numbered from 1.
    rows: i64,
    /// Rows that the target has after each commit.
    truth: BTreeMap<u64, i64>,
    /// The last commit of which all was known to be done.
    finished: u64,
}

impl World {
    pub(super) async fn new(mode: Mode, store: Store) -> Self {
        let database = Cluster::shared().database();
        database
            .execute(
                "CREATE TABLE ledger (id bigint PRIMARY KEY, updated_at timestamptz DEFAULT now(), note text); \
                 ALTER TABLE ledger ALTER note SET STORAGE PLAIN; CREATE INDEX ON ledger (updated_at)",
            )
            .await;
        let bucket = (store == Store::Bucket).then(|| S3::shared().bucket());
        let stream = match mode {
            Mode::Full => json!({ "name": "public.ledger" }),
            Mode::First | Mode::Later => {
                json!({ "name": "public.ledger", "cursor": "updated_at", "lag": "0s" })
            }
        };
        let mut project = Project::new(&database).stream(stream).connection("memory", "96MiB");
        if let Some(bucket) = &bucket {
            project = project.in_bucket(bucket);
        }
        // As many files and row groups as so few rows can make.
        for (key, value) in [("file_size", "1MiB"), ("row_group_size", "1MiB"), ("compression", "none")] {
            project = project.destination(key, value);
        }
        let lake = Self::lake(&project, bucket.as_ref(), "public.ledger");
        let (target, truth) = ("public.ledger".to_owned(), BTreeMap::new());
        let mut world = Self { mode, database, bucket, project, lake, target, rows: 0, truth, finished: 0 };
        world.add(if mode == Mode::Later { 20 } else { ROWS }).await;
        world
    }

    fn lake(project: &Project, bucket: Option<&Bucket>, target: &str) -> Lake {
        match bucket {
            Some(bucket) => Lake::in_bucket(bucket, target),
            None => Lake::in_directory(&project.path("lake"), target),
        }
    }

    /// Adds rows of about six kilobytes.
    pub(super) async fn add(&mut self, rows: i64) {
        let (first, last) = (self.rows + 1, self.rows + rows);
        self.database
            .execute(&format!(
                "INSERT INTO ledger (id, note) SELECT i, repeat(md5(i::text), 200) \
                 FROM generate_series({first}, {last}) i; ANALYZE ledger"
            ))
            .await;
        self.rows = last;
    }

    /// What the next case starts from: for first syncs a target of its own.
    pub(super) async fn begin(&mut self, case: usize, alone: bool) {
        let connections = if alone { 1 } else { 4 };
        self.project.configuration()["sources"]["db"]["connections"] = json!(connections);
        if self.mode == Mode::First {
            self.target = format!("first_{case}");
            self.project.configuration()["connections"]["db_to_lake"]["streams"][0]["target"] =
                json!(self.target);
            self.lake = Self::lake(&self.project, self.bucket.as_ref(), &self.target);
            (self.truth, self.finished) = (BTreeMap::new(), 0);
        } else if self.finished == 0 {
            self.syncs().await;
        }
    }

    /// Starts a sync that meets its end, or a halt, at `place`.
    pub(super) fn start(&self, variable: &str, place: &str) -> Running {
        let mut command = self.project.command(&["sync", "--output", "json"]);
        Running::start({
            command.env(variable, place);
            command
        })
    }

    /// A sync without any trap, which must succeed and leave all rows of the table.
    pub(super) async fn syncs(&mut self) {
        self.project.sync();
        let commits = self.lake.commits().await;
        self.learn(&commits);
        self.finished = commits.len() as u64;
        let (found, expected) = (self.lake.files().await, generation(&commits, self.finished));
        assert_eq!(found, expected, "a listing shows other files than those of the last commit");
        self.holds(&expected, self.rows).await;
    }

    /// A killed sync: what is seen is all of what was there before or all of what is committed now.
    pub(super) async fn is_before_or_after(&mut self) {
        let commits = self.lake.commits().await;
        self.learn(&commits);
        let last = commits.len() as u64;
        assert!(last <= self.finished + 1, "{} commits where one was made at most", last - self.finished);
        let found = self.lake.files().await;
        let (before, after) = (generation(&commits, self.finished), generation(&commits, last));
        for (path, bytes) in &found {
            let named = before.get(path).or_else(|| after.get(path));
            assert_eq!(named, Some(bytes), "{path} is seen and is not so in a commit");
        }
        let holds = |files: &Files| files.iter().all(|(path, _)| found.contains_key(path));
        assert!(holds(&before) || holds(&after), "neither the old files are whole nor the new: {found:?}");
        let (files, sequence) = if holds(&after) { (after, last) } else { (before, self.finished) };
        self.holds(&files, self.truth.get(&sequence).copied().unwrap_or(0)).await;
        if let Some(commit) = commits.last() {
            assert_eq!(commit["totals"]["rows"], json!(self.truth[&last]), "{commit:#}");
        }
    }

    /// Commits that are new are those of the rows that are in the table now: nobody adds any meanwhile.
    fn learn(&mut self, commits: &[Value]) {
        for sequence in 1..=commits.len() as u64 {
            self.truth.entry(sequence).or_insert(self.rows);
        }
    }

    async fn holds(&self, files: &Files, rows: i64) {
        let found: Vec<i64> = self.lake.rows_of(files, ["id"]).await.into_iter().map(|[id]| id).collect();
        let expected: Vec<i64> = (1..=rows).collect();
        assert!(found == expected, "{}", crate::support::differences(&found, &expected));
    }

    /// Syncs, also after one more row, and fails where a file waits that nobody will ever commit.
    pub(super) async fn recovers(&mut self) {
        self.add(1).await;
        self.syncs().await;
        // A file that was about to be committed goes once its number is taken, by the sync after that.
        if self.waits().await > 0 {
            self.add(1).await;
            self.syncs().await;
            assert_eq!(self.waits().await, 0, "files were left behind: {:?}", self.lake.metadata().await);
        }
    }

    /// Files beside the data that are no commit and no hint.
    async fn waits(&self) -> usize {
        let metadata = self.lake.metadata().await;
        metadata.keys().filter(|key| key.starts_with("stage/")).count()
    }

    /// The end of what others may have committed meanwhile: forgets what it knows of commits.
    pub(super) async fn ends_whole(&mut self) {
        let known = self.lake.commits().await.len() as u64;
        self.truth.extend((1..=known).map(|sequence| (sequence, self.rows)));
        self.recovers().await;
    }
}

/// The files that a reader of commits finds after commit `last`.
fn generation(commits: &[Value], last: u64) -> Files {
    let Some(head) = commits.iter().find(|commit| commit["sequence"] == json!(last)) else {
        return Files::new();
    };
    let first = head["generation_start"].as_u64().expect("a commit says where its generation begins");
    let is_current = |commit: &&Value| {
        let sequence = commit["sequence"].as_u64().expect("a commit has a number");
        let visible = commit["write_mode"] == json!("append") || commit["ends_sync"] == json!(true);
        (first..=last).contains(&sequence) && visible
    };
    let files = commits.iter().filter(is_current).flat_map(|commit| {
        commit["files"].as_array().expect("a commit lists its files").iter().map(|file| {
            let path = file["path"].as_str().expect("a file has a path").to_owned();
            (path, file["bytes"].as_u64().expect("a file has a size"))
        })
    });
    files.collect()
}
