//! `tidegate completions`: scripts that complete commands in a shell.

use clap::CommandFactory;
use serde_json::json;

use crate::args::{Arguments, Completions};
use crate::output::Answer;

pub(super) fn run(arguments: &Completions) -> Answer {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "tidegate", &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    let document = json!({ "version": 1, "shell": arguments.shell.to_string(), "script": script });
    Answer::new(script, &document)
}
