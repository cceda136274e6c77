//! What holds for the repository as a whole.

use std::fs;
use std::path::{Path, PathBuf};

const LONGEST: usize = 500;
/// Tests are lists of cases, and may be longer.
const LONGEST_TEST: usize = 600;
/// What connectors will be made of, and none by itself.
const LANGUAGES: [&str; 1] = ["declarative"];
/// What is made on the machine and belongs to nobody's work.
const MADE: [&str; 5] = ["target", ".lab", ".git", "demo", "node_modules"];

/// Every file of the repository, by its path from the root.
fn files() -> Vec<(String, PathBuf)> {
    let root = lab::root();
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the repository can be read").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if path.is_symlink() || (folder == root && MADE.contains(&name.as_str())) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let shown = path.strip_prefix(&root).expect("it is below").display().to_string();
                files.push((shown, path));
            }
        }
    }
    files.sort();
    files
}

/// Every file that is text, with its content.
fn texts() -> Vec<(String, String)> {
    files().into_iter().filter_map(|(shown, path)| Some((shown, fs::read_to_string(path).ok()?))).collect()
}

fn sources() -> Vec<(String, String)> {
    texts().into_iter().filter(|(path, _)| has_extension(path, "rs")).collect()
}

fn has_extension(path: &str, wanted: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == wanted)
}

fn is_test(path: &str) -> bool {
    path.starts_with("tests/")
        || path.contains("/tests/")
        || path.ends_with("tests.rs")
        || path.starts_with("benches/")
}

#[track_caller]
fn none(what: &str, found: &[String]) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}

/// A room for everything: folders that stand at the root, beside files and what begins with a dot.
#[test]
fn the_rooms_are_the_known_ones() {
    const ROOMS: [&str; 7] = ["benches", "connectors", "docker", "engine", "protocol", "src", "tests"];
    let is_strange = |path: &String| {
        path.split_once('/').is_some_and(|(room, _)| !ROOMS.contains(&room) && !room.starts_with('.'))
    };
    let strange: Vec<String> = files().into_iter().map(|(shown, _)| shown).filter(is_strange).collect();
    none("files in rooms that nobody knows", &strange);
}

#[test]
fn files_are_short() {
    let long = |(path, text): &(String, String)| {
        let (lines, most) = (text.lines().count(), if is_test(path) { LONGEST_TEST } else { LONGEST });
        (lines > most).then(|| format!("{path}: {lines} lines, {most} are the most"))
    };
    none("files that should be two", &sources().iter().filter_map(long).collect::<Vec<_>>());
}

#[test]
fn modules_say_what_they_own() {
    let silent = sources().into_iter().filter(|(path, text)| {
        let is_public = path != "build.rs" && !path.ends_with("/tests.rs");
        is_public && !text.starts_with("//!")
    });
    none("files without a `//!` header", &silent.map(|(path, _)| path).collect::<Vec<_>>());
}

#[test]
fn connectors_are_registered_and_described() {
    let root = lab::root().join("connectors/src");
    let registry = fs::read_to_string(root.join("registry.rs")).expect("there is a registry");
    let mut missing = Vec::new();
    for side in ["source", "destination"] {
        for entry in fs::read_dir(root.join(side)).expect("there are both sides").flatten() {
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if !path.is_dir() || LANGUAGES.contains(&name.as_str()) {
                continue;
            }
            if !registry.contains(&format!("{side}::{name}::")) {
                missing.push(format!("{side} {name} is not in registry.rs"));
            }
            if !path.join("README.md").is_file() {
                missing.push(format!("{side} {name} has no README.md"));
            }
        }
    }
    none("connectors are not complete", &missing);
}

#[test]
fn nothing_is_left_undone_in_silence() {
    // Put together here, so that this file does not hold them.
    let marks = ["todo!", "unimplemented!", "dbg!"].map(|name| format!("{name}("));
    let mut found = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| path != "tests/it/tidy.rs") {
        for (number, line) in (1..).zip(text.lines()) {
            if marks.iter().any(|mark| line.contains(mark)) {
                found.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    none("unfinished", &found);
}

#[test]
fn nothing_speaks_of_the_machine_it_was_written_on() {
    let root = lab::root().display().to_string();
    let folders = ["home", "root", "Users"].map(|folder| format!("/{folder}"));
    let phrases = ["Co-authored", "Generated with", "Generated by"]
        .map(|phrase| format!("{phrase}-by: ").replace("by-by", "by"));
    let mut found = Vec::new();
    for (path, text) in texts().iter().filter(|(path, _)| path != "Cargo.lock") {
        for (number, line) in (1..).zip(text.lines()) {
            let is_path = line.contains(&root)
                || folders.iter().any(|folder| starts_a_path(line, folder))
                || phrases.iter().any(|phrase| line.contains(phrase));
            if is_path {
                found.push(format!("{path}:{number}: {}", line.trim()));
            }
        }
    }
    none("traces of a machine", &found);
}

/// Whether `folder` stands in `line` where a path begins.
fn starts_a_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        before.is_none_or(|before| !before.is_alphanumeric() && !"._-*}/$~\"".contains(before))
    })
}

#[test]
fn links_in_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for (path, text) in texts().iter().filter(|(path, _)| has_extension(path, "md")) {
        let folder = lab::root().join(path);
        let folder = folder.parent().unwrap_or(Path::new("/"));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                broken.push(format!("{path}: {link}"));
            }
        }
    }
    none("links that lead nowhere", &broken);
}

/// The table of faults, and the folders that its short names stand for.
fn faults() -> (String, Vec<(String, String)>) {
    let text = fs::read_to_string(lab::root().join("tests/FAULTS.md")).expect("there is a table");
    let short = |line: &str| {
        let (name, rest) = line.strip_prefix("- `")?.split_once("` is `")?;
        Some((name.to_owned(), rest.split('`').next()?.to_owned()))
    };
    let folders = text.lines().filter_map(short).collect();
    (text, folders)
}

#[test]
fn tests_that_the_table_of_faults_names_exist() {
    let (text, folders) = faults();
    let mut missing = Vec::new();
    let mut named = 0;
    for test in text.split('`').filter(|words| words.contains(".rs::")) {
        let (path, name) = test.split_once("::").expect("it was looked for");
        let short =
            folders.iter().find_map(|(short, folder)| Some((folder, path.strip_prefix(short.as_str())?)));
        let path = short.map_or_else(|| path.to_owned(), |(folder, rest)| format!("{folder}{rest}"));
        let source = fs::read_to_string(lab::root().join(&path)).unwrap_or_default();
        // Macros make some of them.
        let is_word = |word: &str| word == name;
        if !source.split(|c: char| !c.is_alphanumeric() && c != '_').any(is_word) {
            missing.push(format!("{path}::{name}"));
        }
        named += 1;
    }
    assert!(named > 100, "the table names {named} tests");
    none("tests that are named and not there", &missing);
}

#[test]
fn the_table_of_faults_adds_up() {
    const STATES: [&str; 3] = ["yes", "partly", "no"];
    let (text, _) = faults();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = text.lines().filter(|line| line.starts_with("| ")).map(cells).collect();
    let mut wrong = Vec::new();
    let mut sums = [0; 3];
    for class in ["K", "P", "N", "D", "S", "H", "E", "V", "L", "M", "G", "Z"] {
        let is_of = |row: &&Vec<String>| {
            row[1].strip_prefix(class).is_some_and(|number| number.parse::<u32>().is_ok())
        };
        let found = STATES.map(|state| rows.iter().filter(is_of).filter(|row| row[4] == state).count());
        assert_eq!(found.iter().sum::<usize>(), rows.iter().filter(is_of).count(), "{class}: another word");
        let told = rows.iter().find(|row| row[1] == class).expect("each class has a sum");
        let counts = found.map(|count| count.to_string());
        if told[3..6] != counts {
            wrong.push(format!("| {class} | {} | {} |", told[2], counts.join(" | ")));
        }
        for (sum, count) in sums.iter_mut().zip(found) {
            *sum += count;
        }
    }
    let told = rows.iter().find(|row| row[1] == "all").expect("there is a sum of all");
    let counts = sums.map(|count| count.to_string());
    if told[3..6] != counts {
        wrong.push(format!("| all | | {} |", counts.join(" | ")));
    }
    none("sums that are other ones", &wrong);
}
