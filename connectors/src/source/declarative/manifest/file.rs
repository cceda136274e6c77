//! A manifest's file, and the specification beside it.

use std::fs;
use std::path::Path;

use protocol::{Error, Result};

use super::{load, parse};
use crate::source::declarative::value::{Map, Value};

/// Where connectors that were packages once have what their manifest calls `spec`, in the manifest's own folder.
const SPECIFICATIONS: [&str; 3] = ["spec.yaml", "spec.yml", "spec.json"];
/// Names in such a file, and what a manifest calls them.
const FIELDS: [(&str, &str); 3] = [
    ("connectionSpecification", "connection_specification"),
    ("documentationUrl", "documentation_url"),
    ("advanced_auth", "advanced_auth"),
];

/// Reads the manifest at `path` with [`load`]. Where it has no `spec`, a `spec.yaml` or `spec.json` beside it counts:
/// it says what the configuration must be and what of it is secret.
pub fn open(path: &Path) -> Result<Value> {
    let manifest = load(&path.display().to_string(), &read(path, "manifest")?)?;
    let Value::Map(mut manifest) = manifest else { return Ok(manifest) };
    if !manifest.contains("spec")
        && let Some(specification) = beside(path)?
    {
        manifest.insert("spec", specification);
    }
    Ok(Value::Map(manifest))
}

fn beside(manifest: &Path) -> Result<Option<Value>> {
    let places = SPECIFICATIONS.iter().map(|name| manifest.with_file_name(name));
    let Some(path) = places.into_iter().find(|path| path.is_file()) else { return Ok(None) };
    let found = parse(&read(&path, "specification")?)
        .map_err(|error| error.context("specification", path.display().to_string()))?;
    let mut specification = Map::new();
    specification.insert("type", "Spec");
    for (theirs, name) in FIELDS {
        if let Some(value) = found.get(theirs).or_else(|| found.get(name)) {
            specification.insert(name, value.clone());
        }
    }
    Ok(specification.contains("connection_specification").then(|| specification.into()))
}

fn read(path: &Path, what: &str) -> Result<String> {
    fs::read_to_string(path)
        .map_err(|error| Error::config(format!("{what} {} can't be read", path.display())).with_source(error))
}
