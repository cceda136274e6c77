//! JSON Schema, as far as specifications of connectors go, with the words of Python's `jsonschema`.

use std::cmp::Ordering;

use fancy_regex::RegexBuilder;

use crate::source::declarative::template::text_of;
use crate::source::declarative::value::{Map, Value};

/// The deepest place that is looked at, references included.
const DEPTH: usize = 128;
/// Steps back that a pattern may take.
const BACKTRACKS: usize = 100_000;

/// Whether `value` fits a JSON schema; if not, why, in the words of Python's `jsonschema`. They hold the value that
/// does not fit: whoever shows them masks secrets.
pub fn validate(schema: &Value, value: &Value) -> Result<(), String> {
    let mut validator = Validator { root: schema, depth: 0 };
    let mut faults = Vec::new();
    validator.check(schema, value, &[], &mut faults);
    best(faults).map_or(Ok(()), Err)
}

struct Validator<'s> {
    root: &'s Value,
    depth: usize,
}

#[derive(Clone)]
struct Fault {
    path: Vec<Step>,
    weak: bool,
    fits_type: bool,
    message: String,
    /// What the alternatives said.
    context: Vec<Fault>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Item(usize),
    Key(String),
}

/// The fault that tells most: the one nearest to the root, but of alternatives the deepest.
fn best(faults: Vec<Fault>) -> Option<String> {
    let mut best = faults
        .into_iter()
        .reduce(|best, fault| if compare(&fault, &best) == Ordering::Greater { fault } else { best })?;
    while !best.context.is_empty() {
        // The sort is stable: of equals the first.
        best.context.sort_by(compare);
        if best.context.len() > 1 && compare(&best.context[0], &best.context[1]) == Ordering::Equal {
            break;
        }
        best = best.context.swap_remove(0);
    }
    Some(best.message)
}

fn compare(one: &Fault, other: &Fault) -> Ordering {
    let key = |fault: &Fault| {
        (std::cmp::Reverse(fault.path.len()), fault.path.clone(), !fault.weak, !fault.fits_type)
    };
    key(one).cmp(&key(other))
}

/// What Python's `repr` makes of a value.
fn repr(value: &Value) -> String {
    let text = text_of(&Value::List(vec![value.clone()]));
    text[1..text.len() - 1].to_owned()
}

impl<'s> Validator<'s> {
    fn check(&mut self, schema: &'s Value, value: &Value, path: &[Step], faults: &mut Vec<Fault>) {
        let fault = |message: String| Fault {
            path: path.to_vec(),
            weak: false,
            fits_type: schema.get("type").is_some_and(|types| is_of(value, types)),
            message,
            context: Vec::new(),
        };
        if let Value::Bool(false) = schema {
            faults.push(fault(format!("False schema does not allow {}", repr(value))));
        }
        let Some(rules) = schema.as_map() else { return };
        if self.depth >= DEPTH {
            faults.push(fault("the schema is nested too deeply".to_owned()));
            return;
        }
        self.depth += 1;
        for (keyword, rule) in rules.iter() {
            if self.alternatives(keyword, rule, value, path, faults, &fault)
                || self.nested(keyword, rule, rules, value, path, faults)
            {
                continue;
            }
            if let Some(message) = plain(keyword, rule, rules, value) {
                faults.push(fault(message));
            }
            if keyword == "required" {
                for name in rule.as_list().unwrap_or_default() {
                    let missing = value.as_map().is_some_and(|map| !map.contains(&text_of(name)));
                    if missing {
                        faults.push(fault(format!("{} is a required property", repr(name))));
                    }
                }
            }
        }
        self.depth -= 1;
    }

    fn is_valid(&mut self, schema: &'s Value, value: &Value) -> bool {
        let mut faults = Vec::new();
        self.check(schema, value, &[], &mut faults);
        faults.is_empty()
    }

    /// Keywords that choose among schemas. Whether it was one.
    fn alternatives(
        &mut self,
        keyword: &str,
        rule: &'s Value,
        value: &Value,
        path: &[Step],
        faults: &mut Vec<Fault>,
        fault: &dyn Fn(String) -> Fault,
    ) -> bool {
        match keyword {
            "anyOf" | "oneOf" => {
                let (mut context, mut valid) = (Vec::new(), Vec::new());
                for schema in rule.as_list().unwrap_or_default() {
                    if keyword == "anyOf" && !valid.is_empty() {
                        break;
                    }
                    let mut found = Vec::new();
                    self.check(schema, value, &[], &mut found);
                    if found.is_empty() {
                        valid.push(schema);
                    } else if valid.is_empty() {
                        context.append(&mut found);
                    }
                }
                if valid.is_empty() {
                    let message = format!("{} is not valid under any of the given schemas", repr(value));
                    faults.push(Fault { weak: true, context, ..fault(message) });
                } else if valid.len() > 1 {
                    valid.rotate_left(1);
                    let all: Vec<String> = valid.iter().map(|schema| repr(schema)).collect();
                    let message = format!("{} is valid under each of {}", repr(value), all.join(", "));
                    faults.push(Fault { weak: true, ..fault(message) });
                }
            }
            "allOf" => {
                rule.as_list()
                    .unwrap_or_default()
                    .iter()
                    .for_each(|schema| self.check(schema, value, path, faults));
            }
            "not" => {
                if self.is_valid(rule, value) {
                    faults.push(fault(format!("{} should not be valid under {}", repr(value), repr(rule))));
                }
            }
            "$ref" => {
                if let Some(schema) = rule.as_text().and_then(|pointer| self.find(pointer)) {
                    self.check(schema, value, path, faults);
                }
            }
            _ => return false,
        }
        true
    }

    /// Keywords that look into objects and lists. Whether it was one.
    fn nested(
        &mut self,
        keyword: &str,
        rule: &'s Value,
        rules: &'s Map,
        value: &Value,
        path: &[Step],
        faults: &mut Vec<Fault>,
    ) -> bool {
        let below = |step: Step| [path, &[step]].concat();
        match (keyword, value) {
            ("properties", Value::Map(map)) => {
                for (name, schema) in rule.as_map().iter().flat_map(|rule| rule.iter()) {
                    if let Some(value) = map.get(name) {
                        self.check(schema, value, &below(Step::Key(name.to_owned())), faults);
                    }
                }
            }
            ("patternProperties", Value::Map(map)) => {
                for (pattern, schema) in rule.as_map().iter().flat_map(|rule| rule.iter()) {
                    for (name, value) in map.iter().filter(|(name, _)| finds(pattern, name)) {
                        self.check(schema, value, &below(Step::Key(name.to_owned())), faults);
                    }
                }
            }
            ("additionalProperties", Value::Map(map)) if rule.as_map().is_some() => {
                for name in extra(map, rules) {
                    if let Some(value) = map.get(&name) {
                        self.check(rule, value, &below(Step::Key(name)), faults);
                    }
                }
            }
            ("items", Value::List(items)) => {
                for (at, item) in items.iter().enumerate() {
                    let schema = match rule {
                        Value::List(schemas) => schemas.get(at),
                        one => Some(one),
                    };
                    if let Some(schema) = schema {
                        self.check(schema, item, &below(Step::Item(at)), faults);
                    }
                }
            }
            ("if", value) => {
                let branch = if self.is_valid(rule, value) { "then" } else { "else" };
                if let Some(schema) = rules.get(branch) {
                    self.check(schema, value, path, faults);
                }
            }
            ("then" | "else" | "properties" | "patternProperties" | "items", _) => {}
            _ => return false,
        }
        true
    }

    /// The schema at a pointer of this document.
    fn find(&self, pointer: &str) -> Option<&'s Value> {
        let keys = pointer.strip_prefix("#")?.split('/').filter(|key| !key.is_empty());
        let mut schema = self.root;
        for key in keys {
            let key = key.replace("~1", "/").replace("~0", "~");
            schema = match schema {
                Value::List(items) => items.get(key.parse::<usize>().ok()?)?,
                other => other.get(&key)?,
            };
        }
        Some(schema)
    }
}

/// Keywords that look at the value alone: what is wrong with it.
fn plain(keyword: &str, rule: &Value, rules: &Map, value: &Value) -> Option<String> {
    let says = |wrong: bool, what: &str| wrong.then(|| format!("{} {what}", repr(value)));
    match keyword {
        "type" if !is_of(value, rule) => {
            let types: Vec<String> = match rule {
                Value::List(types) => types.iter().map(repr).collect(),
                one => vec![repr(one)],
            };
            says(true, &format!("is not of type {}", types.join(", ")))
        }
        "enum" => {
            let known = rule.as_list().unwrap_or_default();
            says(!known.iter().any(|one| same(one, value)), &format!("is not one of {}", repr(rule)))
        }
        "const" => (!same(rule, value)).then(|| format!("{} was expected", repr(rule))),
        "pattern" => {
            let text = value.as_text()?;
            says(!finds(rule.as_text()?, text), &format!("does not match {}", repr(rule)))
        }
        "additionalProperties" if matches!(rule, Value::Bool(false)) => unexpected(value.as_map()?, rules),
        "minLength" | "minItems" | "minProperties" | "maxLength" | "maxItems" | "maxProperties" => {
            size(keyword, rule.as_int()?, value)
        }
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => {
            bound(keyword, rule, value)
        }
        "uniqueItems" if rule.is_true() => {
            let items = value.as_list()?;
            let twice =
                items.iter().enumerate().any(|(at, item)| items[..at].iter().any(|one| same(one, item)));
            says(twice, "has non-unique elements")
        }
        _ => None,
    }
}

fn unexpected(map: &Map, rules: &Map) -> Option<String> {
    let mut names = extra(map, rules);
    if names.is_empty() {
        return None;
    }
    names.sort();
    let quoted: Vec<String> = names.iter().map(|name| repr(&name.as_str().into())).collect();
    let quoted = quoted.join(", ");
    if let Some(patterns) = rules.get("patternProperties").and_then(Value::as_map) {
        let mut patterns: Vec<&str> = patterns.keys().collect();
        patterns.sort_unstable();
        let patterns: Vec<String> = patterns.into_iter().map(|pattern| repr(&pattern.into())).collect();
        let verb = if names.len() == 1 { "does" } else { "do" };
        return Some(format!("{quoted} {verb} not match any of the regexes: {}", patterns.join(", ")));
    }
    let verb = if names.len() == 1 { "was" } else { "were" };
    Some(format!("Additional properties are not allowed ({quoted} {verb} unexpected)"))
}

/// Keys that neither `properties` nor `patternProperties` know.
fn extra(map: &Map, rules: &Map) -> Vec<String> {
    let known = |field: &str| rules.get(field).and_then(Value::as_map);
    map.keys()
        .filter(|name| !known("properties").is_some_and(|known| known.contains(name)))
        .filter(|name| {
            !known("patternProperties").is_some_and(|known| known.keys().any(|pattern| finds(pattern, name)))
        })
        .map(str::to_owned)
        .collect()
}

fn size(keyword: &str, limit: i64, value: &Value) -> Option<String> {
    let count = match (&keyword[3..], value) {
        ("Length", Value::Text(text)) => text.chars().count(),
        ("Items", Value::List(items)) => items.len(),
        ("Properties", Value::Map(map)) => map.len(),
        _ => return None,
    };
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    let properties = keyword.ends_with("Properties");
    let what = match (keyword.starts_with("min"), limit) {
        (true, _) if count >= limit => return None,
        (false, _) if count <= limit => return None,
        (true, 1) => "should be non-empty",
        (false, 0) => "is expected to be empty",
        (true, _) if properties => "does not have enough properties",
        (false, _) if properties => "has too many properties",
        (true, _) => "is too short",
        (false, _) => "is too long",
    };
    Some(format!("{} {what}", repr(value)))
}

fn bound(keyword: &str, rule: &Value, value: &Value) -> Option<String> {
    let (number, limit) = (number(value)?, number(rule)?);
    let what = match keyword {
        "minimum" if number < limit => "is less than the minimum of",
        "maximum" if number > limit => "is greater than the maximum of",
        "exclusiveMinimum" if number <= limit => "is less than or equal to the minimum of",
        "exclusiveMaximum" if number >= limit => "is greater than or equal to the maximum of",
        "multipleOf" if limit != 0.0 && (number / limit).fract() != 0.0 => "is not a multiple of",
        _ => return None,
    };
    Some(format!("{} {what} {}", repr(value), repr(rule)))
}

fn number(value: &Value) -> Option<f64> {
    match value {
        #[expect(clippy::cast_precision_loss, reason = "bounds of specifications are small")]
        Value::Int(number) => Some(*number as f64),
        Value::Big(number) => crate::source::declarative::number::to_float(number),
        Value::Float(number) => Some(*number),
        _ => None,
    }
}

/// Equal as JSON has it: `true` is not 1.
fn same(one: &Value, other: &Value) -> bool {
    matches!(one, Value::Bool(_)) == matches!(other, Value::Bool(_)) && one == other
}

fn is_of(value: &Value, types: &Value) -> bool {
    match types {
        Value::List(types) => types.iter().any(|one| is_of(value, one)),
        Value::Text(name) => match (name.as_str(), value) {
            ("null", Value::None)
            | ("boolean", Value::Bool(_))
            | ("integer", Value::Int(_) | Value::Big(_))
            | ("number", Value::Int(_) | Value::Big(_) | Value::Float(_))
            | ("string", Value::Text(_))
            | ("array", Value::List(_))
            | ("object", Value::Map(_)) => true,
            ("integer", Value::Float(number)) => number.fract() == 0.0,
            _ => false,
        },
        _ => false,
    }
}

/// Whether the pattern finds something; one that is malformed finds everything.
fn finds(pattern: &str, text: &str) -> bool {
    // The end is before a line break, too, if that is the last character.
    let pattern = match pattern.strip_suffix('$') {
        Some(start) if !start.ends_with('\\') => format!(r"{start}(?:\n?\z)"),
        _ => pattern.to_owned(),
    };
    RegexBuilder::new(&pattern)
        .backtrack_limit(BACKTRACKS)
        .build()
        .map_or(true, |regex| regex.is_match(text).unwrap_or(true))
}
