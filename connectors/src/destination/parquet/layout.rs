//! Where everything is under the destination's URL, and how names become path segments.
//!
//! ```text
//! <target>/[created_at_day=2026-11-22/]<sequence>-<random>.parquet    what readers see
//! _tidegate/<target>/manifest/<sequence>.json                         the commits
//! _tidegate/<target>/checkpoint/<sequence>.json                       what is visible, every hundred commits
//! _tidegate/<target>/head.json                                        a hint where the last one is
//! _tidegate/<target>/stage/                                           files not yet visible, or notes of them
//! ```
//!
//! A key is such a path, relative to the URL, with `/` between its segments.

use std::fmt::Write;

use protocol::{Error, Result};
use uuid::Uuid;

/// Folder of everything that is not data. No target has this name, see [`segment`].
const METADATA: &str = "_tidegate";
/// Longest segment that common file systems take.
const LONGEST_SEGMENT: usize = 255;

/// The keys of one target.
#[derive(Debug, Clone)]
pub(super) struct Layout {
    /// The target as it is configured.
    pub(super) target: String,
    segment: String,
}

impl Layout {
    /// Fails with `Config` when no folder can have the target's name.
    pub(super) fn new(target: &str) -> Result<Self> {
        if target.is_empty() {
            return Err(Error::config("a target needs a name"));
        }
        let segment = segment(target);
        if segment.len() > LONGEST_SEGMENT {
            return Err(Error::config(format!(
                "target {target:?} is too long: written as a folder it has {} characters, {LONGEST_SEGMENT} is the most",
                segment.len()
            ))
            .hint("give the stream a shorter `target`"));
        }
        Ok(Self { target: target.to_owned(), segment })
    }

    /// Folder of the visible files.
    pub(super) fn data(&self) -> &str {
        &self.segment
    }

    /// Key of a visible file; `path` is that of its [`StagedFile`](protocol::StagedFile).
    pub(super) fn file(&self, path: &str) -> String {
        format!("{}/{path}", self.segment)
    }

    /// Folder of the target's metadata.
    pub(super) fn metadata(&self) -> String {
        format!("{METADATA}/{}", self.segment)
    }

    /// Folder of the commits.
    pub(super) fn manifests(&self) -> String {
        format!("{METADATA}/{}/manifest", self.segment)
    }

    /// Key of one commit.
    pub(super) fn manifest(&self, sequence: u64) -> String {
        format!("{METADATA}/{}/manifest/{}", self.segment, manifest_name(sequence))
    }

    /// Folder of the checkpoints.
    pub(super) fn checkpoints(&self) -> String {
        format!("{METADATA}/{}/checkpoint", self.segment)
    }

    /// Key of the checkpoint of one commit.
    pub(super) fn checkpoint(&self, sequence: u64) -> String {
        format!("{METADATA}/{}/checkpoint/{}", self.segment, manifest_name(sequence))
    }

    /// Key of the hint.
    pub(super) fn head(&self) -> String {
        format!("{METADATA}/{}/head.json", self.segment)
    }

    /// Folder of what is not committed: the files themselves in a directory, notes about uploads in an
    /// object store.
    pub(super) fn stage(&self) -> String {
        format!("{METADATA}/{}/stage", self.segment)
    }

    /// Key of something in that folder.
    pub(super) fn staged(&self, name: &str) -> String {
        format!("{METADATA}/{}/stage/{name}", self.segment)
    }
}

/// Folder of all targets' metadata.
pub(super) fn metadata_root() -> &'static str {
    METADATA
}

/// Name of a commit in its folder.
pub(super) fn manifest_name(sequence: u64) -> String {
    format!("{sequence:08}.json")
}

/// The sequence that [`manifest_name`] was given.
pub(super) fn manifest_sequence(name: &str) -> Option<u64> {
    let sequence = name.strip_suffix(".json")?.parse().ok()?;
    (manifest_name(sequence) == name).then_some(sequence)
}

/// Path of a new file, which no other attempt ever gets. The sequence is for people: it says after
/// which commit the file was begun.
pub(super) fn new_file(folder: Option<&str>, sequence: u64) -> Result<String> {
    let name = format!("{sequence:08}-{}.parquet", Uuid::now_v7().simple());
    let Some(folder) = folder else { return Ok(name) };
    let folder = hive_segment(folder);
    if folder.len() > LONGEST_SEGMENT {
        return Err(Error::config(format!(
            "folder {folder:?} is too long: {LONGEST_SEGMENT} characters are the most"
        ))
        .hint("put files into `folders` by another column"));
    }
    Ok(format!("{folder}/{name}"))
}

/// What the names of files that were begun for that commit, or a later one, sort behind.
pub(super) fn first_file(sequence: u64) -> String {
    format!("{sequence:08}-")
}

/// Whether [`new_file`] makes such paths.
pub(super) fn is_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let Some((sequence, random)) = name.strip_suffix(".parquet").and_then(|name| name.split_once('-')) else {
        return false;
    };
    sequence.len() >= 8
        && sequence.bytes().all(|byte| byte.is_ascii_digit())
        && random.len() == 32
        && random.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Refuses paths that lead out of their folder: they come back from other processes.
pub(super) fn checked(path: &str) -> Result<&str> {
    let inside =
        path.split('/').all(|segment| !matches!(segment, "" | "." | "..") && !segment.contains('\0'));
    if inside { Ok(path) } else { Err(Error::data(format!("{path:?} is no path of a staged file"))) }
}

/// A name as one path segment, different for different names: every byte but `A-Z a-z 0-9 . _ -`
/// becomes `%XX`, and so does a leading `.` or `_`, which would hide the folder from readers.
pub(super) fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    escape(&mut out, name, true);
    out
}

/// A Hive-style folder, `name=value`, with both halves escaped as Hive, Spark and Arrow read them;
/// DuckDB does so with the value.
fn hive_segment(folder: &str) -> String {
    let Some((name, value)) = folder.split_once('=') else { return segment(folder) };
    let mut out = segment(name);
    out.push('=');
    escape(&mut out, value, false);
    out
}

fn escape(out: &mut String, text: &str, leads: bool) {
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'.' | b'_' if leads && at == 0 => write_escaped(out, byte),
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' => out.push(char::from(byte)),
            _ => write_escaped(out, byte),
        }
    }
}

fn write_escaped(out: &mut String, byte: u8) {
    write!(out, "%{byte:02X}").expect("a String takes all that is written to it");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unescape(segment: &str) -> Option<String> {
        let mut bytes = Vec::new();
        let mut rest = segment;
        while let Some(at) = rest.find('%') {
            bytes.extend_from_slice(&rest.as_bytes()[..at]);
            bytes.push(u8::from_str_radix(rest.get(at + 1..at + 3)?, 16).ok()?);
            rest = &rest[at + 3..];
        }
        bytes.extend_from_slice(rest.as_bytes());
        String::from_utf8(bytes).ok()
    }

    #[test]
    fn plain_names_stay_as_they_are() {
        for name in ["public.orders", "orders_2026", "A-b.c"] {
            assert_eq!(segment(name), name);
        }
    }

    #[test]
    fn hostile_names_become_one_visible_segment() {
        for (name, expected) in [
            ("..", "%2E."),
            (".hidden", "%2Ehidden"),
            ("_tidegate", "%5Ftidegate"),
            ("a/../b", "a%2F..%2Fb"),
            ("100%", "100%25"),
            ("we\"ird; drop", "we%22ird%3B%20drop"),
            ("é", "%C3%A9"),
            ("nul\0", "nul%00"),
        ] {
            assert_eq!(segment(name), expected);
        }
    }

    #[test]
    fn refuses_names_that_no_folder_can_have() {
        assert!(Layout::new("").is_err());
        assert!(Layout::new(&"a".repeat(255)).is_ok());
        assert_eq!(Layout::new(&"a".repeat(256)).unwrap_err().kind(), protocol::ErrorKind::Config);
        assert!(Layout::new(&"é".repeat(43)).is_err());
    }

    #[test]
    fn folders_keep_their_equals_sign() {
        assert_eq!(hive_segment("created_at_day=2026-11-22"), "created_at_day=2026-11-22");
        assert_eq!(hive_segment("_a/b=__HIVE_DEFAULT_PARTITION__"), "%5Fa%2Fb=__HIVE_DEFAULT_PARTITION__");
        assert_eq!(hive_segment("a=b=c"), "a=b%3Dc");
        let path = new_file(Some("day=2026-11-22"), 7).unwrap();
        assert!(path.starts_with("day=2026-11-22/00000007-") && is_file(&path), "{path}");
    }

    #[test]
    fn knows_its_own_files_and_commits() {
        assert!(is_file(&new_file(None, 1).unwrap()));
        for foreign in ["part-0.parquet", "00000001-.parquet", "data.csv", "00000001-0192f0.parquet"] {
            assert!(!is_file(foreign), "{foreign}");
        }
        assert_eq!(manifest_sequence(&manifest_name(123_456_789)), Some(123_456_789));
        for foreign in ["1.json", "00000001.json.bak", "+0000001.json", ".tmp-1"] {
            assert_eq!(manifest_sequence(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn refuses_paths_that_lead_out() {
        for path in ["../x", "a/../b", "/etc/passwd", "a//b", "", ".", "a\0"] {
            assert!(checked(path).is_err(), "{path:?}");
        }
        assert!(checked("day=1/00000001-x.parquet").is_ok());
    }

    proptest! {
        #[test]
        fn every_name_round_trips(name: String) {
            let segment = segment(&name);
            prop_assert_eq!(unescape(&segment), Some(name.clone()));
            prop_assert!(!segment.contains('/') && !segment.starts_with(['.', '_']));
            prop_assert!(segment.is_ascii() && !segment.contains(|c: char| c.is_ascii_control()));
        }
    }
}
