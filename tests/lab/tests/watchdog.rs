//! What a process started is gone when the process is, however it ended.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The lab as a program of its own, with a temporary folder of its own.
struct Starter {
    child: Child,
    folder: TempDir,
}

impl Starter {
    fn new(part: &str) -> Self {
        let folder = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
            .tempdir_in("/tmp")
            .expect("everyone may write to /tmp");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate-lab"));
        command.arg(part).env("TMPDIR", folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self { child: command.spawn().expect("it has just been built"), folder }
    }

    /// Waits until the part serves.
    fn serving(part: &str) -> Self {
        let mut starter = Self::new(part);
        let mut line = String::new();
        let output = starter.child.stdout.take().expect("it is a pipe");
        BufReader::new(output).read_line(&mut line).expect("it writes text");
        assert!(line.starts_with('{'), "{line}");
        assert!(!starter.processes().is_empty());
        assert!(!starter.entries().is_empty());
        starter
    }

    fn kill(&mut self) {
        self.child.kill().expect("it runs");
    }

    fn leaves_nothing_behind(mut self) {
        self.child.wait().expect("it is our child");
        let ended = Instant::now();
        loop {
            let left = (self.processes(), self.entries());
            if left.0.is_empty() && left.1.is_empty() {
                return;
            }
            assert!(ended.elapsed() < Duration::from_secs(20), "{left:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Processes but the starter that have the folder in their command or work in it.
    fn processes(&self) -> Vec<String> {
        let folder: &Path = self.folder.path();
        let mut found = Vec::new();
        for process in fs::read_dir("/proc").expect("/proc is mounted") {
            let process = process.expect("/proc can be listed").path();
            let command = fs::read(process.join("cmdline")).unwrap_or_default();
            let command = String::from_utf8_lossy(&command).into_owned();
            let works_there = fs::read_link(process.join("cwd")).is_ok_and(|path| path.starts_with(folder));
            if works_there || command.contains(folder.to_str().expect("the name is plain")) {
                found.push(command);
            }
        }
        found
    }

    fn entries(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder.path()).expect("the folder is ours");
        entries.map(|entry| entry.expect("the folder is ours").path()).collect()
    }
}

#[test]
fn a_killed_process_takes_its_cluster_along() {
    let mut starter = Starter::serving("postgres");
    starter.kill();
    starter.leaves_nothing_behind();
}

#[test]
fn a_killed_process_takes_its_s3_server_along() {
    let mut starter = Starter::serving("s3");
    starter.kill();
    starter.leaves_nothing_behind();
}

#[test]
fn a_killed_process_takes_its_stand_in_for_snowflake_along() {
    let mut starter = Starter::serving("snowflake");
    starter.kill();
    starter.leaves_nothing_behind();
}

#[test]
fn the_end_of_its_input_ends_the_part() {
    let mut starter = Starter::serving("postgres");
    drop(starter.child.stdin.take());
    starter.leaves_nothing_behind();
}

#[test]
fn a_process_killed_while_it_starts_leaves_nothing() {
    for milliseconds in [20, 60, 120, 200, 350] {
        let mut starter = Starter::new("postgres");
        std::thread::sleep(Duration::from_millis(milliseconds));
        starter.kill();
        starter.leaves_nothing_behind();
    }
}
