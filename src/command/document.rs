//! The documents that pass between commands: plans, what was staged, states. Read strictly: a
//! document of a newer version is refused rather than half understood.

use std::fs::File;
use std::io::{Read, stdin};
use std::path::Path;

use engine::StreamPlan;
use protocol::{Error, Staged, StreamState, SyncId};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Version of all forms here.
const VERSION: u32 = 1;

/// What `plan` writes.
#[derive(Serialize, Deserialize)]
pub(super) struct PlanDocument {
    pub(super) version: u32,
    pub(super) connection: String,
    pub(super) plans: Vec<StreamPlan>,
}

/// What `read` prints.
#[derive(Serialize, Deserialize)]
pub(super) struct StagedDocument {
    pub(super) version: u32,
    pub(super) connection: String,
    pub(super) stream: String,
    pub(super) sync: SyncId,
    pub(super) partition: usize,
    pub(super) staged: Staged,
}

/// What `state export` prints.
#[derive(Serialize, Deserialize)]
pub(super) struct StateDocument {
    pub(super) version: u32,
    pub(super) connection: String,
    pub(super) states: Vec<StateEntry>,
}

/// Where one stream stands.
#[derive(Serialize, Deserialize)]
pub(super) struct StateEntry {
    pub(super) stream: String,
    pub(super) target: String,
    /// Number of the commit that the state was taken from.
    pub(super) sequence: u64,
    pub(super) state: StreamState,
}

impl PlanDocument {
    pub(super) fn new(connection: &str, plans: Vec<StreamPlan>) -> Self {
        Self { version: VERSION, connection: connection.to_owned(), plans }
    }

    /// The plan that is in `path`.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        one(path, "plan")
    }

    /// The plan of `stream`, or the only one.
    pub(super) fn plan(&self, stream: Option<&str>) -> Result<&StreamPlan, Error> {
        let names = || self.plans.iter().map(|plan| plan.stream.name.as_str()).collect::<Vec<_>>().join(", ");
        match (stream, self.plans.as_slice()) {
            (None, [only]) => Ok(only),
            (None, many) => {
                Err(Error::config(format!("the plan has {} streams: name one by --stream", many.len()))
                    .hint(format!("it has: {}", names())))
            }
            (Some(name), _) => self.plans.iter().find(|plan| plan.stream.name == name).ok_or_else(|| {
                Error::config(format!("the plan has no stream {name:?}")).hint(format!("it has: {}", names()))
            }),
        }
    }
}

impl StagedDocument {
    pub(super) fn new(connection: &str, plan: &StreamPlan, partition: usize, staged: Staged) -> Self {
        Self {
            version: VERSION,
            connection: connection.to_owned(),
            stream: plan.stream.name.clone(),
            sync: plan.sync,
            partition,
            staged,
        }
    }

    /// All that are in `path`, one after the other.
    pub(super) fn read_all(path: &Path) -> Result<Vec<Self>, Error> {
        all(path, "result of a read")
    }
}

impl StateDocument {
    pub(super) fn new(connection: &str, states: Vec<StateEntry>) -> Self {
        Self { version: VERSION, connection: connection.to_owned(), states }
    }

    /// The states in `text`, which came from `path`.
    pub(super) fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        only(all_in(text, path, "exported state")?, path, "exported state")
    }
}

fn one<T: DeserializeOwned>(path: &Path, what: &str) -> Result<T, Error> {
    only(all(path, what)?, path, what)
}

fn only<T>(mut found: Vec<T>, path: &Path, what: &str) -> Result<T, Error> {
    match (found.pop(), found.len()) {
        (Some(document), 0) => Ok(document),
        _ => Err(Error::config(format!("{} holds more than one {what}", shown(path)))),
    }
}

fn all<T: DeserializeOwned>(path: &Path, what: &str) -> Result<Vec<T>, Error> {
    all_in(&read_text(path)?, path, what)
}

/// What the file at `path` holds, or stdin.
pub(super) fn read_text(path: &Path) -> Result<String, Error> {
    text(path).map_err(|error| Error::config(format!("{} can't be read", shown(path))).with_source(error))
}

fn all_in<T: DeserializeOwned>(text: &str, path: &Path, what: &str) -> Result<Vec<T>, Error> {
    let mut documents = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let value = value
            .map_err(|error| Error::config(format!("{} is not JSON", shown(path))).with_source(error))?;
        refuse_other_version(&value, path, what)?;
        let document = serde_path_to_error::deserialize(value)
            .map_err(|error| Error::config(format!("{} holds no {what}", shown(path))).with_source(error))?;
        documents.push(document);
    }
    if documents.is_empty() {
        return Err(Error::config(format!("{} is empty, expected a {what}", shown(path))));
    }
    Ok(documents)
}

fn refuse_other_version(value: &Value, path: &Path, what: &str) -> Result<(), Error> {
    if value.get("error").is_some_and(|error| !error.is_null()) {
        return Err(Error::config(format!(
            "{} holds the error of a command that failed, no {what}",
            shown(path)
        )));
    }
    match value.get("version").and_then(Value::as_u64) {
        Some(version) if version == u64::from(VERSION) => Ok(()),
        Some(version) if version > u64::from(VERSION) => Err(Error::config(format!(
            "{} has version {version}, and this program reads {VERSION}",
            shown(path)
        ))
        .hint("a newer tidegate wrote it: use that version")),
        _ => Err(Error::config(format!("{} holds no {what}: it has no `version`", shown(path)))),
    }
}

fn shown(path: &Path) -> String {
    if path == Path::new("-") { "stdin".to_owned() } else { format!("file {:?}", path.display().to_string()) }
}

fn text(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        stdin().lock().read_to_string(&mut text)?;
    } else {
        File::open(path)?.read_to_string(&mut text)?;
    }
    Ok(text)
}
