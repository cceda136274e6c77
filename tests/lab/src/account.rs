//! The account servers run under. `PostgreSQL` refuses to run as root, so root lends its servers an
//! unprivileged account; everyone else runs them as themselves.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account to lend to servers: `postgres` or else `nobody` for root, none for others.
    pub(crate) fn unprivileged() -> Option<Self> {
        let me = fs::metadata("/proc/self").expect("/proc is mounted").uid();
        if me != 0 {
            return None;
        }
        let accounts = fs::read_to_string("/etc/passwd").expect("/etc/passwd is readable");
        let find = |name| accounts.lines().find_map(|line| Self::parse(line, name));
        Some(find("postgres").or_else(|| find("nobody")).expect("an account `postgres` or `nobody` exists"))
    }

    fn parse(line: &str, name: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split(':').collect();
        match fields[..] {
            [found, _, uid, gid, ..] if found == name => {
                Some(Self { uid: uid.parse().ok()?, gid: gid.parse().ok()? })
            }
            _ => None,
        }
    }

    /// Makes `command` run under this account.
    pub(crate) fn dress(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// What makes the shell run a command under this account, put before it.
    pub(crate) fn prefix(self) -> String {
        format!("setpriv --reuid={} --regid={} --clear-groups -- ", self.uid, self.gid)
    }

    pub(crate) fn give(self, path: &Path) {
        chown(path, Some(self.uid), Some(self.gid))
            .unwrap_or_else(|error| panic!("cannot give {} away: {error}", path.display()));
    }

    /// Whether everyone, and so this account, can reach and run the file at `path`.
    pub(crate) fn can_run(path: &Path) -> bool {
        path.ancestors().all(|part| fs::metadata(part).is_ok_and(|data| data.permissions().mode() & 0o1 != 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_an_account_by_its_whole_name() {
        let line = "nobody:x:65534:65533:nobody:/nonexistent:/usr/sbin/nologin";
        let account = Account::parse(line, "nobody").unwrap();
        assert_eq!((account.uid, account.gid), (65534, 65533));
        assert!(Account::parse(line, "nobo").is_none());
        assert!(Account::parse("", "nobody").is_none());
    }
}
