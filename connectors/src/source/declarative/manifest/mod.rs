//! Manifests: read, references put in place, types and parameters handed down.
//!
//! What comes out is what the reference works with: components that carry every inherited parameter as a field, and so
//! many a field that means nothing to them.

mod file;
mod parameters;
mod reference;
#[cfg(test)]
mod tests;
mod yaml;

use std::fmt::Write as _;

use protocol::{Error, Result};

use super::value::Value;

pub use file::open;

/// Levels of a manifest, references in place.
const DEPTH: usize = 200;
/// Values of a manifest, those that aliases and references repeat included.
const MOST_VALUES: usize = 5_000_000;
/// Octets of a manifest's text.
const LONGEST: usize = 64 << 20;

/// Reads the manifest `text` of the file `name` (YAML, or JSON where it begins with a brace), puts references in
/// place and hands down types and parameters.
pub fn load(name: &str, text: &str) -> Result<Value> {
    let read = || {
        let value = parse(text)?;
        resolve(value)
    };
    read().map_err(|error| error.context("manifest", name))
}

/// Reads YAML as the reference does, by the rules of YAML 1.1; JSON where it begins with a brace.
pub fn parse(text: &str) -> Result<Value> {
    if text.len() > LONGEST {
        return Err(Error::config(format!("the manifest is larger than {} MiB", LONGEST >> 20)));
    }
    if text.trim_start().starts_with('{')
        && let Ok(value) = Value::from_json(text.as_bytes())
    {
        return Ok(value);
    }
    yaml::parse(text)
}

/// Puts references in place and hands down types and parameters.
pub fn resolve(manifest: Value) -> Result<Value> {
    let Value::Map(mut map) = manifest else {
        return Err(Error::config(format!("a manifest must be an object, not {}", manifest.kind())));
    };
    if !map.contains("type") {
        map.insert("type", "DeclarativeSource");
    }
    let resolved = reference::resolve(&Value::Map(map))?;
    propagate("", resolved, None, false)
}

/// Hands types and parameters down a component that came into being later, such as a stream made from a template.
/// `place` is the parent's type and field (`DeclarativeSource.streams`). With `parents_win` the inherited parameters
/// count more than the component's own.
pub fn propagate(
    place: &str,
    component: Value,
    inherited: Option<&Value>,
    parents_win: bool,
) -> Result<Value> {
    parameters::propagate(place, component, inherited.and_then(Value::as_map), parents_win)
}

/// A place in a document, put together only when something is wrong there.
#[derive(Clone, Copy)]
struct Trail<'t> {
    parent: Option<&'t Trail<'t>>,
    step: Step<'t>,
    depth: usize,
}

#[derive(Clone, Copy)]
enum Step<'t> {
    Root,
    Key(&'t str),
    Index(usize),
}

impl<'t> Trail<'t> {
    const ROOT: Trail<'static> = Trail { parent: None, step: Step::Root, depth: 0 };

    fn key(&'t self, key: &'t str) -> Result<Self> {
        self.step(Step::Key(key))
    }

    fn index(&'t self, index: usize) -> Result<Self> {
        self.step(Step::Index(index))
    }

    fn step(&'t self, step: Step<'t>) -> Result<Self> {
        if self.depth >= DEPTH {
            return Err(self.fail(format!("the manifest is nested deeper than {DEPTH} levels")));
        }
        Ok(Self { parent: Some(self), step, depth: self.depth + 1 })
    }

    fn fail(&self, message: impl Into<String>) -> Error {
        let (mut steps, mut at) = (Vec::new(), Some(self));
        while let Some(trail) = at {
            steps.push(trail.step);
            at = trail.parent;
        }
        let mut path = String::new();
        for step in steps.iter().rev() {
            match step {
                Step::Root => {}
                Step::Key(key) if path.is_empty() => path.push_str(key),
                Step::Key(key) => {
                    let _ = write!(path, ".{key}");
                }
                Step::Index(index) => {
                    let _ = write!(path, "[{index}]");
                }
            }
        }
        Error::config(message).context("place", path)
    }
}
