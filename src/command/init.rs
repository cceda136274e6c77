//! `tidegate init`: an example to start from, and the schema that makes editors know it.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use protocol::{Error, ErrorKind};
use serde_json::json;

use crate::args::Init;
use crate::config::{Registry, schema};
use crate::failure::Failure;
use crate::output::Answer;

/// The example. Its first line makes editors with a YAML language server complete and check it.
pub(crate) const EXAMPLE: &str = include_str!("example.yaml");
/// Name of the schema that the example refers to.
const SCHEMA_FILE: &str = "tidegate.schema.json";

pub(super) fn run(arguments: &Init) -> Result<Answer, Failure> {
    let path = &arguments.path;
    let shown = path.display().to_string();
    let created = if arguments.force { fs::File::create(path) } else { fs::File::create_new(path) };
    let mut file = created.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::Usage {
            message: format!("{shown:?} exists already"),
            hint: Some("--force overwrites it".to_owned()),
        },
        _ => unwritable(path, error),
    })?;
    file.write_all(EXAMPLE.as_bytes()).map_err(|error| unwritable(path, error))?;
    let schema_path = path.with_file_name(SCHEMA_FILE);
    // Made by this program only, so that there is nothing of a person's to keep.
    let schema = format!("{:#}\n", schema(&Registry::built_in()));
    fs::write(&schema_path, schema).map_err(|error| unwritable(&schema_path, error))?;
    let schema_shown = schema_path.display().to_string();
    let text = format!(
        "wrote {shown} and, for editors, {schema_shown}\n\nNext:\n  edit {shown}\n  tidegate{} check\n",
        if shown == crate::config::DEFAULT_FILE { String::new() } else { format!(" --config {shown}") },
    );
    Ok(Answer::new(text, &json!({ "version": 1, "files": [shown, schema_shown] })))
}

fn unwritable(path: &Path, error: io::Error) -> Failure {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied => ErrorKind::Auth,
        io::ErrorKind::NotFound => ErrorKind::Config,
        _ => ErrorKind::Storage,
    };
    let message = format!("file {:?} can't be written", path.display().to_string());
    Error::new(kind, message).with_source(error).into()
}
