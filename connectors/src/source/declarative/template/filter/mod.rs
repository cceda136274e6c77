//! `| name`: Jinja2's filters and those of the reference.

mod code;
mod json;
mod sequence;
mod text;

use super::call::Arguments;
use super::fault::{Fault, Outcome};
use super::machine::Machine;
use super::object::Object;

pub(super) use sequence::sorted;

/// All filters there are.
const NAMES: [&str; 59] = [
    "abs",
    "attr",
    "base64binascii_decode",
    "base64decode",
    "base64encode",
    "batch",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "dictsort",
    "e",
    "escape",
    "filesizeformat",
    "first",
    "float",
    "forceescape",
    "format",
    "groupby",
    "hash",
    "hmac",
    "indent",
    "int",
    "items",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "regex_replace",
    "regex_search",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "safe",
    "select",
    "selectattr",
    "slice",
    "sort",
    "string",
    "striptags",
    "sum",
    "title",
    "tojson",
    "trim",
    "truncate",
    "unique",
    "upper",
    "urlencode",
    "wordcount",
    "random",
    "pprint",
    "wordwrap",
];
/// Filters of Jinja2 that no connector uses and that are not offered.
const MISSING: [&str; 3] = ["random", "pprint", "wordwrap"];

/// Whether there is a filter of this name.
pub(super) fn exists(name: &str) -> bool {
    NAMES.contains(&name) || matches!(name, "urlize" | "xmlattr")
}

/// `value | name(args)`.
pub(super) fn call<'a>(
    machine: &mut Machine<'a>,
    name: &str,
    value: Object<'a>,
    args: &Arguments<'a>,
) -> Outcome<Object<'a>> {
    machine.host.budget.work(1)?;
    if MISSING.contains(&name) || !NAMES.contains(&name) {
        return Err(Fault::other(format!("No filter named '{name}' found.")));
    }
    if let Some(outcome) = code::call(machine, name, &value, args) {
        return outcome;
    }
    if let Some(outcome) = text::call(machine, name, &value, args) {
        return outcome;
    }
    sequence::call(machine, name, value, args)
}
