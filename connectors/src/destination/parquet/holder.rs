//! Who is at work on a target: shown to whoever meets it, and asked whether it still lives, where that
//! can be known from here.

use std::fmt;
use std::fs;

use serde::{Deserialize, Serialize};

/// A process, as another one may meet it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    host: String,
    pid: u32,
    /// The machine since it was switched on, and its space of process ids. Containers that share a name
    /// differ in it. `None` where the system has no such names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    machine: Option<String>,
    /// When the process began, as its machine counts: process ids are used again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    began: Option<u64>,
}

impl Holder {
    /// This process.
    pub(super) fn me() -> Self {
        let pid = std::process::id();
        let host = fs::read_to_string("/proc/sys/kernel/hostname");
        Self {
            host: host.map_or_else(|_| "an unnamed host".to_owned(), |host| host.trim().to_owned()),
            pid,
            machine: machine(),
            began: stat(pid).map(|(_, began)| began),
        }
    }

    /// Whether it works: `false` once it has ended, and while it is stopped. `None` where one can't
    /// know, as on another machine.
    pub(super) fn works(&self) -> Option<bool> {
        let (began, here) = (self.began?, machine()?);
        if self.machine.as_ref() != Some(&here) {
            return None;
        }
        let works = |(state, since): (char, u64)| since == began && !matches!(state, 'T' | 'Z' | 'X');
        Some(stat(self.pid).is_some_and(works))
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

fn machine() -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let processes = fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), processes.display()))
}

/// State and beginning of a process, where there is one.
fn stat(pid: u32) -> Option<(char, u64)> {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may contain anything.
    let (_, fields) = line.rsplit_once(") ")?;
    let mut fields = fields.split(' ');
    let state = fields.next()?.chars().next()?;
    Some((state, fields.nth(18)?.parse().ok()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_works_until_it_is_stopped_or_ends() {
        let me = Holder::me();
        assert_eq!(me.works(), Some(true), "{me:?}");
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let holder =
            Holder { pid: child.id(), began: stat(child.id()).map(|(_, began)| began), ..me.clone() };
        assert_eq!(holder.works(), Some(true));
        let signal = |name: &str| {
            Command::new("kill").args([name.to_owned(), child.id().to_string()]).status().unwrap()
        };
        signal("-STOP");
        while stat(child.id()).is_some_and(|(state, _)| state != 'T') {
            std::thread::yield_now();
        }
        assert_eq!(holder.works(), Some(false), "stopped");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(holder.works(), Some(false), "ended");
        assert_eq!(Holder { began: Some(1), ..me.clone() }.works(), Some(false), "another with its id");
        assert_eq!(Holder { machine: Some("elsewhere".into()), ..me }.works(), None);
    }
}
