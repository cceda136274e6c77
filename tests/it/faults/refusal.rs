//! A sync that is refused must say why, and change nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::Ledger;

/// Everything that is committed in a directory: data, manifests and hints with their content.
pub(super) fn committed_tree(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let (mut tree, mut folders) = (BTreeMap::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder is the test's own").flatten() {
            let path = entry.path();
            if path.is_dir() {
                if !path.ends_with("stage") {
                    folders.push(path);
                }
            } else {
                let name = path.strip_prefix(root).expect("it is below").display().to_string();
                tree.insert(name, fs::read(&path).expect("it can be read"));
            }
        }
    }
    tree
}

impl Ledger {
    /// Syncs with a changed configuration, which must end with `code`, name all of `words` and leave
    /// the target as it was. Returns the document on stdout.
    #[track_caller]
    pub(super) fn refuses(&mut self, change: impl FnOnce(&mut Value), code: i32, words: &[&str]) -> Value {
        let right = self.project.configuration().clone();
        change(self.project.configuration());
        let document = self.fails(code, words);
        *self.project.configuration() = right;
        document
    }

    /// The same, with the configuration as it is.
    #[track_caller]
    pub(super) fn fails(&self, code: i32, words: &[&str]) -> Value {
        let root = self.project.path("lake");
        let before = committed_tree(&root);
        let ran = self.project.run(&["sync", "--output", "json"]).exits(code);
        let document = ran.json();
        assert_eq!(document["exit_code"], code, "{document:#}");
        let told = error_of(&document).to_string();
        for word in words {
            // What a document writes as JSON, a person reads as it is.
            let written = serde_json::to_string(word).expect("a text is written");
            let written = written.trim_matches('"');
            assert!(told.contains(written), "no {word:?} in the document: {told}");
            assert!(ran.stderr.contains(word), "no {word:?} on stderr: {}", ran.stderr);
        }
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
        let after = committed_tree(&root);
        assert!(before == after, "the target changed: {:?} {:?}", before.keys(), after.keys());
        document
    }
}

/// The error of a document, of whichever stream.
#[track_caller]
pub(super) fn error_of(document: &Value) -> &Value {
    let streams = document["streams"].as_array().map(Vec::as_slice).unwrap_or_default();
    let errors = std::iter::once(document).chain(streams).map(|part| &part["error"]);
    errors.into_iter().find(|error| error.is_object()).unwrap_or_else(|| panic!("no error in {document:#}"))
}
