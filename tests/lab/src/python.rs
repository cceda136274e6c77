//! Programs in Python that read what tidegate wrote: a second opinion on every file.

use std::process::Command;

use serde_json::Value;

use crate::root::{installed, root};

/// What runs a script of `tests/lab/python`.
pub fn python_command(script: &str) -> Command {
    let interpreter = installed("venv/bin/python");
    assert!(interpreter.exists(), "{} is missing: run tests/setup", interpreter.display());
    let mut command = Command::new(interpreter);
    command.arg(root().join("tests/lab/python").join(script));
    command
}

/// Runs a script of `tests/lab/python` and returns the JSON it prints.
pub fn python(script: &str, arguments: &[&str]) -> Value {
    let output = python_command(script).args(arguments).output().expect("the interpreter is there");
    let [text, errors] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "{script} {arguments:?}: {}\n{text}\n{errors}", output.status);
    serde_json::from_str(&text)
        .unwrap_or_else(|error| panic!("{script} {arguments:?}: {error} in:\n{text}\n{errors}"))
}
