//! Schemas in files beside the manifest.

use std::path::{Component as Part, Path, PathBuf};

use protocol::{Error, Result};

use super::super::component::Component;
use super::super::scope::Scope;
use super::super::template::Context;
use super::super::value::{Map, Value};

/// References in references.
const DEPTH: usize = 32;
/// A file of a schema is no longer.
const LONGEST: u64 = 16 << 20;

/// Of a `JsonFileSchemaLoader`.
pub(super) fn load(loader: &Component<'_>, name: &str, scope: &Scope) -> Result<Value> {
    let parameters = with_name(loader.parameters(), name);
    let context: Context<'_> = scope.context(&parameters);
    let path = match loader.template("file_path")? {
        None => None,
        Some(template) => Some(template.eval_text(&context)?).filter(|path| !path.is_empty()),
    };
    let candidates = match &path {
        Some(path) => places(path),
        None => defaults(name),
    };
    let shown = path.unwrap_or_else(|| format!("schemas/{name}.json"));
    read_first(&candidates, scope)?.ok_or_else(|| {
        loader
            .fail(format!("the schema file {shown:?} is not there"))
            .hint("put the connector's folder `schemas` beside the manifest")
    })
}

/// Where streams without a schema loader have their schema; none is no fault.
pub(super) fn default(name: &str, scope: &Scope) -> Result<Option<Value>> {
    read_first(&defaults(name), scope)
}

fn with_name(parameters: Value, name: &str) -> Value {
    match parameters {
        Value::Map(mut map) if !map.contains("name") => {
            map.insert("name", name);
            map.into()
        }
        other => other,
    }
}

/// A path of a manifest begins with the package that the connector was, which is the manifest's own folder here.
fn places(path: &str) -> Vec<PathBuf> {
    let path = Path::new(path);
    let whole: PathBuf =
        path.components().filter(|part| !matches!(part, Part::RootDir | Part::CurDir)).collect();
    let inner: PathBuf = whole.components().skip(1).collect();
    let mut places = vec![whole];
    if inner.components().next().is_some() {
        places.push(inner);
    }
    places
}

fn defaults(name: &str) -> Vec<PathBuf> {
    let file = format!("{name}.json");
    vec![Path::new("schemas").join(&file), PathBuf::from(file)]
}

fn read_first(places: &[PathBuf], scope: &Scope) -> Result<Option<Value>> {
    let Some(folder) = scope.folder() else { return Ok(None) };
    for place in places {
        if place.components().any(|part| !matches!(part, Part::Normal(_))) {
            return Err(Error::config("the path of a schema file leads out of the manifest's folder"));
        }
        let path = folder.join(place);
        if let Some(schema) = read(&path)? {
            let shared = path.parent().map(|folder| folder.join("shared")).unwrap_or_default();
            let expanded = expand(&schema, &schema, &shared, 0)?;
            return Ok(Some(without_definitions(expanded)));
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<Option<Value>> {
    let Ok(data) = std::fs::metadata(path) else { return Ok(None) };
    let place = || path.display().to_string();
    if !data.is_file() || data.len() > LONGEST {
        return Err(Error::config("a schema file is no file, or longer than 16 MiB").context("file", place()));
    }
    let text = std::fs::read(path).map_err(|error| {
        Error::config("a schema file can't be read").with_source(error).context("file", place())
    })?;
    Value::from_json(&text).map(Some).map_err(|error| {
        Error::config("a schema file is no JSON").with_source(error).context("file", place())
    })
}

/// A file that a schema refers to. Folders of its path are folders in `shared`, where what leads there is left out.
fn read_shared(file: &str, shared: &Path) -> Result<Value> {
    let inner: PathBuf =
        Path::new(file).components().filter(|part| matches!(part, Part::Normal(_))).collect();
    let from_shared = inner.strip_prefix("schemas").unwrap_or(&inner);
    let from_shared = from_shared.strip_prefix("shared").unwrap_or(from_shared);
    let name = Path::new(from_shared.file_name().unwrap_or_default());
    for place in [from_shared, name] {
        if let Some(found) = read(&shared.join(place))? {
            return Ok(found);
        }
    }
    Err(Error::config(format!("the shared schema file {file:?} is not there")))
}

/// The schema with what it refers to in place: definitions of its own, files in the folder `shared`.
fn expand(value: &Value, root: &Value, shared: &Path, depth: usize) -> Result<Value> {
    if depth > DEPTH {
        return Err(Error::config("references of a schema file go in a circle, or too deep"));
    }
    match value {
        Value::Map(map) => {
            if let Some(reference) = map.get("$ref").and_then(Value::as_text) {
                let (file, pointer) = reference.split_once('#').unwrap_or((reference, ""));
                let other;
                let root = if file.is_empty() {
                    root
                } else {
                    other = read_shared(file, shared)?;
                    &other
                };
                let found = pointer
                    .split('/')
                    .filter(|key| !key.is_empty())
                    .try_fold(root, |value, key| value.get(key))
                    .ok_or_else(|| {
                        Error::config(format!("a schema refers to {reference:?}, which is not there"))
                    })?;
                let mut expanded = without_definitions(expand(found, root, shared, depth + 1)?);
                if let Value::Map(expanded) = &mut expanded {
                    for (key, value) in
                        map.iter().filter(|(key, _)| *key != "$ref" && !expanded_has(found, key))
                    {
                        expanded.insert(key, expand(value, root, shared, depth + 1)?);
                    }
                }
                return Ok(expanded);
            }
            let entries = map.iter().map(|(key, value)| {
                Ok((key, expand(value, root, shared, depth + usize::from(key == "$ref"))?))
            });
            Ok(Value::Map(entries.collect::<Result<Vec<(&str, Value)>>>()?.into_iter().collect::<Map>()))
        }
        Value::List(items) => items
            .iter()
            .map(|item| expand(item, root, shared, depth))
            .collect::<Result<Vec<_>>>()
            .map(Value::List),
        other => Ok(other.clone()),
    }
}

/// What is referred to wins over what stands beside the reference.
fn expanded_has(found: &Value, key: &str) -> bool {
    found.as_map().is_some_and(|map| map.contains(key))
}

fn without_definitions(mut schema: Value) -> Value {
    if let Value::Map(map) = &mut schema {
        map.remove("definitions");
    }
    schema
}
