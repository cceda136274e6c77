//! Commands besides `sync` that change a target: killed wherever that can matter, and run again; or
//! halted there, while another process commits, and woken up too late.

use serde_json::Value;

use super::points::{Mode, Store};
use super::world::World;
use crate::cli::run::Ran;
use crate::support::until;

/// A command that changes a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    /// `reconcile --apply`, after a row was deleted.
    Reconcile,
    /// `state reset` and then `state import` of the state that it took away: each is killed.
    State,
    /// `state repair`, after files of the last commit were lost.
    Repair,
    /// `read` of a plan's partition.
    Read,
    /// `commit` of what was read.
    Commit,
}

use Work::{Commit, Read, Reconcile, Repair, State};

const ALL: [Work; 5] = [Reconcile, State, Repair, Read, Commit];

/// Places that no sync comes by.
pub(super) const OWN: &[&str] = &[
    "reconcile.begun",
    "reconcile.compared",
    "tombstone.staged",
    "tombstone.committed",
    "state.agreed",
    "state.committed",
    "repair.found",
    "repair.created",
    "detached.read",
    "detached.held",
];

const FILE: &[&str] = &["claim.alone", "claim.held", "file.created", "file.flushed", "file.finished"];
const READ: &[&str] = &["prepare.settled", "copy.begun", "file.created", "file.finished", "detached.read"];
const FILE_IN_DIRECTORY: &[&str] = &["run.opened", "local.created", "local.synced"];
const FILE_IN_BUCKET: &[&str] = &["upload.created", "upload.noted", "upload.part"];
const COMMIT: &[&str] =
    &["commit.settled", "manifest.sealed", "manifest.created", "publish.done", "void.done", "hint.written"];
const CREATE_IN_DIRECTORY: &[&str] = &["link.aside", "link.made", "hint.aside"];
const CREATE_IN_BUCKET: &[&str] = &["put.begun", "put.answered"];
const PUBLISH_IN_DIRECTORY: &[&str] = &["adopt.moved", "publish.renamed"];
const PUBLISH_IN_BUCKET: &[&str] = &["publish.completed"];
/// Of a lost commit's files one is left in a directory, and none in a bucket.
const REMOVE_IN_DIRECTORY: &[&str] = &["directory.removed"];

impl Work {
    /// Where it is killed.
    fn places(self, store: Store) -> Vec<&'static str> {
        let (file, create, publish, remove): (_, _, _, &[&str]) = match store {
            Store::Directory => {
                (FILE_IN_DIRECTORY, CREATE_IN_DIRECTORY, PUBLISH_IN_DIRECTORY, REMOVE_IN_DIRECTORY)
            }
            Store::Bucket => (FILE_IN_BUCKET, CREATE_IN_BUCKET, PUBLISH_IN_BUCKET, &[]),
        };
        match self {
            Reconcile => [
                &["prepare.settled", "prepare.swept", "reconcile.begun", "reconcile.compared"],
                file,
                FILE,
                &["tombstone.staged"],
                COMMIT,
                create,
                publish,
                &["tombstone.committed", "claim.released"],
            ]
            .concat(),
            State => [&["state.agreed"], COMMIT, create, &["state.committed"]].concat(),
            Repair => [
                &["repair.found"],
                create,
                &["repair.created", "publish.done"],
                remove,
                &["void.done", "hint.written"],
            ]
            .concat(),
            Read => [READ, file].concat(),
            Commit => [
                &["prepare.settled", "detached.held", "commit.begun"],
                COMMIT,
                create,
                publish,
                &["commit.answered"],
            ]
            .concat(),
        }
    }

    /// Where it is halted: before its commit is made, and after that.
    fn halts(self) -> &'static [&'static str] {
        match self {
            Reconcile => &[
                "reconcile.begun",
                "tombstone.staged",
                "manifest.sealed",
                "manifest.created",
                "claim.released",
            ],
            State => &["state.agreed", "manifest.sealed", "manifest.created", "void.done"],
            Commit => &["detached.held", "commit.settled", "manifest.sealed", "publish.done"],
            Repair | Read => &[],
        }
    }
}

const RECONCILE: &[&str] = &["reconcile", "--apply", "--output", "json"];
const RESET: &[&str] = &["state", "reset", "--yes", "--output", "json"];
const IMPORT: &[&str] = &["state", "import", "--yes", "--from", "state.json", "--output", "json"];
const REPAIR: &[&str] = &["state", "repair", "--yes", "--output", "json"];
const READ_ONE: &[&str] = &["read", "--plan", "plan.json", "--partition", "0"];
const COMMIT_ONE: &[&str] = &["commit", "--plan", "plan.json", "staged.json", "--output", "json"];

impl World {
    /// A run of the command that is killed at `place`, and what it leaves.
    async fn dies(&mut self, arguments: &[&str], place: &str, most: u64) {
        let (signal, ran) = self.start_as(arguments, "TIDEGATE_KILL", place).wait_for_signal();
        assert_eq!(signal, Some(9), "{arguments:?}: {place} was not reached: {}\n{}", ran.stdout, ran.stderr);
        self.is_before_or_after(most).await;
    }

    /// The state that the last commit holds.
    async fn state(&self) -> Value {
        self.lake.commits().await.pop().expect("there is a commit")["state"].clone()
    }

    /// Keeps what a command prints.
    fn keep(&self, name: &str, ran: Ran) {
        std::fs::write(self.project.path(name), ran.exits(0).stdout).expect("the folder is ours");
    }

    /// Reads what is new as far as it can be committed.
    async fn reads(&mut self) {
        self.add(3).await;
        self.project.run(&["plan", "--out", "plan.json"]).exits(0);
        self.keep("staged.json", self.project.run(READ_ONE));
    }

    async fn does(&mut self, work: Work, place: &str) {
        match work {
            Reconcile => {
                self.delete().await;
                let state = self.state().await;
                self.dies(RECONCILE, place, 1).await;
                self.project.run(RECONCILE).exits(0);
                assert_eq!(self.state().await, state, "the state is the sync's alone");
            }
            State => {
                let state = self.state().await;
                self.keep("state.json", self.project.run(&["state", "export"]));
                self.dies(RESET, place, 1).await;
                self.project.run(RESET).exits(0);
                let reset = self.state().await;
                assert_ne!(reset, state);
                self.settles().await;
                self.dies(IMPORT, place, 1).await;
                let left = self.state().await;
                assert!(left == reset || left == state, "half a state: {left:#}");
                self.project.run(IMPORT).exits(0);
                assert_eq!(self.state().await, state);
            }
            Repair => {
                self.add(300).await;
                self.dies(&["sync"], "manifest.created", 1).await;
                self.lose().await;
                self.project.run(&["sync"]).exits(65).says("state repair");
                self.dies(REPAIR, place, 2).await;
                self.project.run(REPAIR).exits(0);
            }
            Read => {
                self.add(3).await;
                self.project.run(&["plan", "--out", "plan.json"]).exits(0);
                self.dies(READ_ONE, place, 0).await;
                self.keep("staged.json", self.project.run(READ_ONE));
                self.project.run(COMMIT_ONE).exits(0);
            }
            Commit => {
                self.reads().await;
                self.dies(COMMIT_ONE, place, 1).await;
                // Where it was committed it is a conflict now.
                let again = self.project.run(COMMIT_ONE);
                assert!([0, 75].contains(&again.code), "{}\n{}", again.stdout, again.stderr);
            }
        }
    }

    /// Halts the command at `place` until another process has committed, and returns its exit code.
    async fn is_late(&mut self, work: Work, place: &str) -> i32 {
        let (arguments, rival): (_, &[&str]) = match work {
            Reconcile => {
                self.delete().await;
                (RECONCILE, &["sync"])
            }
            State => {
                self.keep("state.json", self.project.run(&["state", "export"]));
                (IMPORT, &["sync"])
            }
            Commit => {
                self.reads().await;
                (COMMIT_ONE, &["sync"])
            }
            Repair | Read => unreachable!("it is halted nowhere"),
        };
        let mut zombie = self.start_as(arguments, "TIDEGATE_PAUSE", place);
        until(place, || zombie.is_stopped() || zombie.has_ended());
        assert!(zombie.is_stopped(), "{place} was not reached: {:?}", zombie.wait().stderr);
        self.add(3).await;
        self.project.run(rival).exits(0);
        let commits = self.lake.commits().await.len();
        zombie.signal("CONT");
        let ran = zombie.wait();
        let stood = self.lake.commits().await.len();
        assert!([0, 75].contains(&ran.code), "{place}: {}\n{}\n{}", ran.code, ran.stdout, ran.stderr);
        assert_eq!(stood, commits, "{place}: {} came too late, and has committed", ran.code);
        if work == Reconcile {
            self.project.run(RECONCILE).exits(0);
        }
        ran.code
    }

    /// Commits that stand are done.
    async fn settles(&mut self) {
        self.is_before_or_after(2).await;
        self.finished = self.lake.commits().await.len() as u64;
    }
}

async fn can_be_killed_anywhere(store: Store) {
    let killed_at: Vec<_> = ALL.iter().flat_map(|work| work.places(store)).collect();
    let left_out: Vec<_> = OWN.iter().filter(|place| !killed_at.contains(place)).collect();
    assert!(left_out.is_empty(), "places that nothing is killed at: {left_out:?}");
    let mut world = World::new(Mode::Later, store).await;
    world.begin(0, false).await;
    let mut cases = 0;
    for work in ALL {
        for place in work.places(store) {
            eprintln!("{work:?}, {store:?}: {place}");
            world.does(work, place).await;
            world.recovers().await;
            cases += 1;
        }
    }
    eprintln!("{store:?}: killed in {cases} cases");
}

async fn can_wake_up_too_late(store: Store) {
    let mut world = World::new(Mode::Later, store).await;
    world.begin(0, false).await;
    for work in [Reconcile, State, Commit] {
        let mut codes = Vec::new();
        for place in work.halts() {
            eprintln!("{work:?}, {store:?}: {place}");
            codes.push(world.is_late(work, place).await);
            world.ends_whole().await;
        }
        assert!(codes.contains(&0) && codes.contains(&75), "{work:?}: none or all lost: {codes:?}");
    }
}

#[tokio::test]
async fn what_changes_a_directory_besides_syncs_can_be_killed_anywhere() {
    can_be_killed_anywhere(Store::Directory).await;
}

#[tokio::test]
async fn what_changes_a_bucket_besides_syncs_can_be_killed_anywhere() {
    can_be_killed_anywhere(Store::Bucket).await;
}

#[tokio::test]
async fn what_changes_a_directory_besides_syncs_can_wake_up_too_late() {
    can_wake_up_too_late(Store::Directory).await;
}

#[tokio::test]
async fn what_changes_a_bucket_besides_syncs_can_wake_up_too_late() {
    can_wake_up_too_late(Store::Bucket).await;
}

/// Commands that only look, whatever they meet.
#[tokio::test]
async fn what_only_looks_changes_nothing() {
    for store in [Store::Directory, Store::Bucket] {
        let mut world = World::new(Mode::Later, store).await;
        world.begin(0, false).await;
        world.add(3).await;
        // A commit that nobody has carried out, a file that nobody has committed, a row that is gone.
        world.dies(&["sync"], "manifest.created", 1).await;
        world.delete().await;
        let before = world.everything().await;
        for arguments in [
            &["verify"][..],
            &["verify", "--source"],
            &["reconcile"],
            &["reconcile", "--columns", "all"],
            &["state", "show"],
            &["state", "export"],
            &["plan"],
            &["sync", "--dry-run"],
            &["discover"],
        ] {
            let ran = world.project.run(arguments);
            assert!([0, 65].contains(&ran.code), "{arguments:?}: {}\n{}", ran.stdout, ran.stderr);
            assert!(world.everything().await == before, "{arguments:?} has changed something");
        }
    }
}
