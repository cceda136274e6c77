//! A table that grows, the target it is synced to, and what may be seen there at any moment.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{SHA256, digest};
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
    /// Rows that were deleted there, each of which gets a second row at the target that says so.
    deleted: Vec<i64>,
    /// Rows that the target has after each commit.
    truth: BTreeMap<u64, Vec<i64>>,
    /// The last commit of which all was known to be done.
    pub(super) finished: u64,
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
            // As of a large table: what a first sync settles spares the second a look at all rows.
            Mode::First => json!({
                "name": "public.ledger", "cursor": "updated_at", "lag": "0s", "options": { "sweep": "never" }
            }),
            Mode::Later => json!({ "name": "public.ledger", "cursor": "updated_at", "lag": "0s" }),
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
        let (rows, deleted) = (0, Vec::new());
        let mut world =
            Self { mode, database, bucket, project, lake, target, rows, deleted, truth, finished: 0 };
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

    /// Deletes a row, which the target is told by who compares.
    pub(super) async fn delete(&mut self) {
        let row = self.deleted.last().map_or(1, |last| last + 1);
        self.database.execute(&format!("DELETE FROM ledger WHERE id = {row}")).await;
        self.deleted.push(row);
    }

    /// The rows that a target has which lacks nothing, sorted.
    fn whole(&self) -> Vec<i64> {
        let mut rows: Vec<i64> = (1..=self.rows).chain(self.deleted.iter().copied()).collect();
        rows.sort_unstable();
        rows
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
        self.start_as(&["sync", "--output", "json"], variable, place)
    }

    /// The same of any command.
    pub(super) fn start_as(&self, arguments: &[&str], variable: &str, place: &str) -> Running {
        let mut command = self.project.command(arguments);
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
        self.holds(&expected, &self.whole()).await;
    }

    /// A killed sync: what is seen is all of what was there before or all of what is committed now, by
    /// so many commits at most.
    pub(super) async fn is_before_or_after(&mut self, most: u64) {
        let commits = self.lake.commits().await;
        self.learn(&commits);
        let last = commits.len() as u64;
        assert!(last <= self.finished + most, "{} commits where {most} may be", last - self.finished);
        let found = self.lake.files().await;
        let (before, after) = (generation(&commits, self.finished), generation(&commits, last));
        let named: Files = (self.finished..=last).flat_map(|number| generation(&commits, number)).collect();
        for (path, bytes) in &found {
            assert_eq!(named.get(path), Some(bytes), "{path} is seen and is not so in a commit");
        }
        let holds = |files: &Files| files.iter().all(|(path, _)| found.contains_key(path));
        assert!(holds(&before) || holds(&after), "neither the old files are whole nor the new: {found:?}");
        let (files, sequence) = if holds(&after) { (after, last) } else { (before, self.finished) };
        let rows = self.truth.get(&sequence).cloned().unwrap_or_default();
        self.holds(&files, &rows).await;
        if let Some(commit) = commits.last() {
            assert_eq!(commit["totals"]["rows"], json!(self.truth[&last].len()), "{commit:#}");
        }
    }

    /// Commits with files that are new are those of the rows that are in the table now: nobody adds any
    /// meanwhile. One that names files of others brings back what was there before the last one.
    fn learn(&mut self, commits: &[Value]) {
        let mut known = BTreeSet::new();
        for (sequence, commit) in (1..).zip(commits) {
            let files: BTreeSet<String> = files(commit).into_keys().collect();
            let rows = if files.is_empty() {
                self.truth.get(&(sequence - 1)).cloned().unwrap_or_default()
            } else if files.is_subset(&known) {
                self.truth[&self.finished].clone()
            } else {
                self.whole()
            };
            self.truth.entry(sequence).or_insert(rows);
            known.extend(files);
        }
    }

    async fn holds(&self, files: &Files, expected: &[i64]) {
        let found: Vec<i64> = self.lake.rows_of(files, ["id"]).await.into_iter().map(|[id]| id).collect();
        assert!(found == expected, "{}", crate::support::differences(&found, expected));
    }

    /// Takes away one of the files that wait for their commit, which stands.
    pub(super) async fn lose(&self) {
        let commit = self.lake.commit(self.finished + 1).await.expect("a commit stands");
        if let Some(bucket) = &self.bucket {
            return bucket.abort_uploads();
        }
        let lost = commit["files"][0]["placement"]["temp"].as_str().expect("a file waits somewhere");
        let stage = self.project.path(&format!("lake/_tidegate/{}/stage", self.target));
        std::fs::remove_file(stage.join(lost)).expect("it waits there");
    }

    /// Commits without files until the next one gets a number of which `every` is a divisor.
    pub(super) async fn age(&mut self, every: u64) {
        let mut commit = self.lake.commits().await.pop().expect("there is one");
        let rows = self.whole();
        while !(self.finished + 1).is_multiple_of(every) {
            let parent = json!({ "sequence": self.finished, "sha256": commit["checksum"] });
            self.finished += 1;
            let fields = commit.as_object_mut().expect("a commit is an object");
            for gone in ["checksum", "voids", "run"] {
                fields.remove(gone);
            }
            for (name, value) in [
                ("sequence", json!(self.finished)),
                ("sync_start", json!(self.finished)),
                ("id", json!(format!("00000000-0000-7000-8000-{:012}", self.finished))),
                ("parent", parent),
                ("files", json!([])),
            ] {
                fields.insert(name.to_owned(), value);
            }
            let (document, checksum) = sealed(&commit);
            self.lake.write_commit(self.finished, document).await;
            commit["checksum"] = json!(checksum);
            self.truth.insert(self.finished, rows.clone());
        }
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

    /// All that lies at the target and beside it, but for what a process says of itself.
    pub(super) async fn everything(&self) -> [Files; 2] {
        [self.lake.files().await, self.lake.metadata().await]
    }

    /// Files beside the data that are no commit and no hint.
    async fn waits(&self) -> usize {
        let metadata = self.lake.metadata().await;
        metadata.keys().filter(|key| key.starts_with("stage/")).count()
    }

    /// The end of what others may have committed meanwhile: forgets what it knows of commits.
    pub(super) async fn ends_whole(&mut self) {
        let known = self.lake.commits().await.len() as u64;
        let rows = self.whole();
        self.truth.extend((1..=known).map(|sequence| (sequence, rows.clone())));
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
    commits.iter().filter(is_current).flat_map(files).collect()
}

/// The files that a commit names.
fn files(commit: &Value) -> Files {
    let files = commit["files"].as_array().expect("a commit lists its files");
    let file = |file: &Value| Some((file["path"].as_str()?.to_owned(), file["bytes"].as_u64()?));
    files.iter().map(|one| file(one).expect("a file has a path and a size")).collect()
}

/// A document with its checksum, and that.
fn sealed(document: &Value) -> (Vec<u8>, String) {
    let mut bytes = serde_json::to_vec(document).expect("JSON is written");
    let digest = digest(&SHA256, &bytes);
    let hex: Vec<String> = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    let checksum = hex.concat();
    bytes.pop();
    bytes.extend(format!(",\"checksum\":\"{checksum}\"}}").into_bytes());
    (bytes, checksum)
}
