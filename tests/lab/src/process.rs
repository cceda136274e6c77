//! A server that dies with the process that started it, also when that is killed.
//!
//! Between the two stands a small shell script, the watchdog: its standard input is a pipe whose
//! other end only this process holds. When this process ends in whatever way, the pipe closes, and
//! the watchdog stops the server and removes its directory.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::fs::Permissions;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::account::Account;

/// How long a server may take to start or to stop.
const PATIENCE: Duration = Duration::from_mins(1);

/// A directory and at most one server in it; both end with this value or with this process.
#[derive(Debug)]
pub struct Process {
    directory: PathBuf,
    account: Option<Account>,
    watchdog: Mutex<Child>,
}

impl Process {
    /// Makes the directory. `signals` stop the server, gentlest first, ten seconds for each.
    pub fn new(signals: &[&str]) -> Self {
        Self::under(None, signals)
    }

    /// The same, for a server that runs under `account` and owns the directory.
    pub(crate) fn under(account: Option<Account>, signals: &[&str]) -> Self {
        let directory = directory(account);
        let mut command = Command::new("sh");
        command.args(["-c", include_str!("watchdog.sh"), "watchdog"]).arg(&directory).arg(signals.join(" "));
        // A group of its own: an interrupt typed at the terminal reaches only the tests.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let watchdog = command.spawn().expect("a shell is always there");
        Self { directory, account, watchdog: Mutex::new(watchdog) }
    }

    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Writes a file the server can read into the directory.
    pub fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.join(name);
        fs::write(&path, content).unwrap_or_else(|error| panic!("cannot write {}: {error}", path.display()));
        self.own(&path, 0o600);
        path
    }

    /// Names files outside the directory that the server leaves behind, to be removed with it.
    pub(crate) fn litter(&self, paths: &[String]) {
        self.write("litter", &(paths.join("\n") + "\n"));
    }

    /// Hands a file or directory over to the server's account.
    pub(crate) fn own(&self, path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("we made the file");
        if let Some(account) = self.account {
            account.give(path);
        }
    }

    /// Whether the server runs under another account than this process.
    pub(crate) fn has_account(&self) -> bool {
        self.account.is_some()
    }

    /// A command that runs as the server does.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.directory).stdin(Stdio::null());
        if let Some(account) = self.account {
            account.dress(&mut command);
        }
        command
    }

    /// Runs `program` as the server.
    pub fn start<I, S>(&self, program: &Path, arguments: I)
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let mut line = OsString::from("exec ");
        if let Some(account) = self.account {
            line.push(account.prefix());
        }
        line.push(quote(program.as_os_str()));
        for argument in arguments {
            line.push(" ");
            line.push(quote(argument.as_ref()));
        }
        fs::write(self.directory.join("run"), line.as_bytes()).expect("the directory is ours");
        self.restart();
    }

    /// Runs the last server again, after [`stop`](Self::stop).
    pub fn restart(&self) {
        let _ = fs::remove_file(self.directory.join("pid"));
        self.order("start");
        self.until("its start", || self.pid().is_some());
    }

    /// Stops the server and waits until it is gone. The directory stays.
    pub fn stop(&self, signal: &str) {
        self.order(&format!("stop {signal} KILL"));
        self.until("its end", || self.has_ended());
    }

    /// The number of the running server, or of the last one that ran.
    pub fn pid(&self) -> Option<u32> {
        fs::read_to_string(self.directory.join("pid")).ok()?.trim().parse().ok()
    }

    pub fn has_ended(&self) -> bool {
        self.directory.join("exit").exists()
    }

    /// What the server wrote, its last lines.
    pub fn log(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(25)..].join("\n")
    }

    /// Waits until `is_ready`. Returns false when the server ended instead.
    pub fn wait(&self, mut is_ready: impl FnMut() -> bool) -> bool {
        let mut ready = false;
        self.until("the server", || {
            ready = is_ready();
            ready || self.has_ended()
        });
        ready
    }

    fn order(&self, order: &str) {
        let mut watchdog = self.watchdog.lock().expect("nobody panics with the lock held");
        let orders = watchdog.stdin.as_mut().expect("the pipe stays open until the drop");
        writeln!(orders, "{order}").expect("the watchdog reads until the pipe closes");
    }

    fn until(&self, what: &str, mut done: impl FnMut() -> bool) {
        let start = Instant::now();
        while !done() {
            assert!(start.elapsed() < PATIENCE, "waited too long for {what}; its log ends:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(watchdog) = self.watchdog.get_mut() {
            drop(watchdog.stdin.take());
            let _ = watchdog.wait();
        }
    }
}

/// A fresh directory that `account` owns and can reach.
fn directory(account: Option<Account>) -> PathBuf {
    let mut parent = std::env::temp_dir();
    // The path of a Unix socket must stay below 108 bytes.
    if parent.as_os_str().len() > 60 || (account.is_some() && !Account::can_run(&parent)) {
        parent = PathBuf::from("/tmp");
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix("tidegate-lab-").permissions(Permissions::from_mode(0o755));
    let directory = builder.tempdir_in(&parent).expect("the temporary directory is writable").keep();
    if let Some(account) = account {
        account.give(&directory);
    }
    directory
}

/// The word as the shell takes it literally.
fn quote(word: &OsStr) -> OsString {
    let mut quoted = OsString::from("'");
    for (index, part) in word.as_bytes().split(|byte| *byte == b'\'').enumerate() {
        if index > 0 {
            quoted.push(r"'\''");
        }
        quoted.push(OsStr::from_bytes(part));
    }
    quoted.push("'");
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passes_arguments_unchanged_and_removes_the_directory() {
        let process = Process::new(&["TERM"]);
        let directory = process.directory().to_path_buf();
        process.start(Path::new("printf"), ["%s\n", "it's", "$HOME \"x\" *"]);
        assert!(!process.wait(|| false));
        assert_eq!(process.log(), "it's\n$HOME \"x\" *");
        drop(process);
        assert!(!directory.exists());
    }

    #[test]
    fn stops_and_starts_again() {
        let process = Process::new(&["TERM"]);
        process.start(Path::new("sleep"), ["600"]);
        let first = process.pid().unwrap();
        process.stop("TERM");
        assert!(!Path::new(&format!("/proc/{first}")).exists());
        process.restart();
        assert!(!process.has_ended());
        assert_ne!(process.pid().unwrap(), first);
    }

    #[test]
    fn stops_a_server_that_is_suspended() {
        let process = Process::new(&["TERM", "KILL"]);
        process.start(Path::new("sleep"), ["600"]);
        let pid = process.pid().unwrap().to_string();
        assert!(Command::new("kill").args(["-STOP", &pid]).status().unwrap().success());
        drop(process);
        assert!(!Path::new("/proc").join(pid).exists());
    }
}
