//! Where the configuration lies: one file, or a folder with a file for each source, destination and
//! connection.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::document::{self, Node, Span};
use super::error::{Problem, SourceFile, unknown};
use super::{Kind, Section};

/// Name of the file that is read when none is named.
pub(crate) const DEFAULT_FILE: &str = "tidegate.yaml";
/// Nobody writes a longer one by hand.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// All sections that `path` (or the working folder) holds, what is wrong, and what to call it.
pub(crate) fn read(path: Option<&Path>) -> (Vec<Section>, Vec<Problem>, String) {
    let path = path.map_or_else(|| PathBuf::from(DEFAULT_FILE), Path::to_owned);
    let is_default = path == Path::new(DEFAULT_FILE);
    let mut sections = Vec::new();
    let mut problems = Vec::new();
    let folder = if is_default && !path.exists() { PathBuf::from(".") } else { path.clone() };
    let inside = path.join(DEFAULT_FILE);
    let shown = if inside.is_file() {
        read_file(&inside, &mut sections, &mut problems);
        inside
    } else if folder.is_dir() && Kind::ALL.iter().any(|kind| folder.join(kind.key()).is_dir()) {
        for kind in Kind::ALL {
            read_folder(&folder, kind, &mut sections, &mut problems);
        }
        folder
    } else if path.is_dir() {
        let message = format!(
            "folder {:?} holds neither {DEFAULT_FILE:?} nor folders `sources`, `destinations` and `connections`",
            path.display().to_string()
        );
        problems.push(Problem::general(message).hint("`tidegate init` writes an example"));
        path
    } else {
        read_file(&path, &mut sections, &mut problems);
        path
    };
    (sections, problems, shown.display().to_string())
}

/// Reads a file with all three keys.
fn read_file(path: &Path, sections: &mut Vec<Section>, problems: &mut Vec<Problem>) {
    let Some((file, root)) = load(path, problems) else { return };
    if !matches!(root.tree, document::Tree::Map(_)) {
        let message =
            format!("expected the keys `sources`, `destinations` and `connections`, found {}", root.kind());
        problems.push(Problem::unread(&file, root.span, message));
        return;
    }
    for entry in root.entries() {
        match Kind::ALL.into_iter().find(|kind| kind.key() == entry.key) {
            Some(kind) => named(kind, &file, &entry.value, sections, problems),
            // As in other YAML formats: a place for anchors.
            None if entry.key.starts_with("x-") => {}
            None => {
                let known = Kind::ALL.map(Kind::key);
                let message = unknown("field", &entry.key, &known);
                problems.push(Problem::unread(&file, entry.key_span, message));
            }
        }
    }
}

/// Takes the sections of one kind out of a map of names.
fn named(
    kind: Kind,
    file: &Arc<SourceFile>,
    map: &Node,
    sections: &mut Vec<Section>,
    problems: &mut Vec<Problem>,
) {
    match &map.tree {
        document::Tree::Map(entries) => {
            for entry in entries {
                sections.push(Section::new(
                    kind,
                    &entry.key,
                    file.clone(),
                    entry.key_span,
                    entry.value.clone(),
                ));
            }
        }
        document::Tree::Null => {}
        _ => {
            let message = format!("expected a map of names, found {}", map.kind());
            problems.push(Problem::unread(file, map.span, message).path(kind.key()));
        }
    }
}

/// Reads a folder of files, each named after the section it holds.
fn read_folder(folder: &Path, kind: Kind, sections: &mut Vec<Section>, problems: &mut Vec<Problem>) {
    let folder = folder.join(kind.key());
    let mut paths: Vec<PathBuf> = match fs::read_dir(&folder) {
        Ok(entries) => entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return,
        Err(error) => {
            let shown = folder.display().to_string();
            problems.push(Problem::of_file(&shown, format!("the folder can't be read: {error}")));
            return;
        }
    };
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml"));
    paths.sort();
    for path in paths {
        let Some(name) =
            path.file_stem().and_then(|stem| stem.to_str()).filter(|name| !name.starts_with('.'))
        else {
            continue;
        };
        let Some((file, root)) = load(&path, problems) else { continue };
        if sections.iter().any(|section| section.kind == kind && section.name == name) {
            let message = format!("{} {name:?} has two files", kind.noun());
            problems.push(Problem::of_file(&file.shown, message));
            continue;
        }
        let start = Span { start: root.span.start, end: root.span.start };
        sections.push(Section::new(kind, name, file, start, root));
    }
}

/// Reads a file as YAML. `None` where there is nothing to go on with.
fn load(path: &Path, problems: &mut Vec<Problem>) -> Option<(Arc<SourceFile>, Node)> {
    let shown = path.display().to_string();
    let text = match read_text(path) {
        Ok(text) => text,
        Err(error) => {
            let hint = match error.kind() {
                io::ErrorKind::NotFound => Some("write one by `tidegate init`, or name it by --config"),
                _ => None,
            };
            let problem = Problem::of_file(&shown, format!("the configuration can't be read: {error}"));
            problems.push(match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
            return None;
        }
    };
    let (root, faults) = document::parse(&text);
    let folder = std::path::absolute(path).ok()?.parent()?.to_owned();
    let file = Arc::new(SourceFile { shown, folder, text });
    let is_fatal = faults.iter().any(|fault| fault.is_fatal);
    problems.extend(faults.into_iter().map(|fault| Problem::unread(&file, fault.at, fault.message)));
    (!is_fatal).then_some((file, root))
}

fn read_text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::other("it is larger than 16 MiB"));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let line = error.as_bytes()[..error.utf8_error().valid_up_to()].split(|byte| *byte == b'\n').count();
        io::Error::other(format!("line {line} is not UTF-8"))
    })?;
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}
