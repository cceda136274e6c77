//! A YAML file as a tree in which every key and value knows where it stands.
//!
//! YAML 1.2 with its core schema: `yes` and `no` are text. Keys are text, given once. Anchors work
//! within bounds; tags of one's own, merge keys and a second document in a file are refused.

use std::collections::HashMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span as Marks, Tag};
use serde_json::Number;

/// Deeper than any configuration, and far from what recursion over the tree could not bear.
const MAX_DEPTH: usize = 64;
/// Values of one file, those that aliases repeat included.
const MAX_NODES: usize = 100_000;

/// A character of a file, both counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// From a character up to another one, which is excluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) start: Place,
    pub(crate) end: Place,
}

/// A value and where it stands. Has no `Debug`: it may hold secrets.
#[derive(Clone)]
pub(crate) struct Node {
    pub(crate) tree: Tree,
    pub(crate) span: Span,
    /// Whether its text was put together from references, and so must not be shown.
    pub(crate) referenced: bool,
}

/// What a value is.
#[derive(Clone)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

/// Something that is wrong with the file as YAML.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) at: Span,
    pub(crate) message: String,
    /// Whether the rest of the file could not be read, so that nobody knows what its lines hold.
    pub(crate) is_fatal: bool,
}

impl Node {
    /// The value of `key`, where this is a map that has it.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|entry| entry.key == key).map(|entry| &entry.value)
    }

    /// The entries, where this is a map.
    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.tree {
            Tree::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The text, where this is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.tree {
            Tree::Text(text) => Some(text),
            _ => None,
        }
    }

    /// What it is, for people.
    pub(crate) fn kind(&self) -> &'static str {
        match self.tree {
            Tree::Null => "nothing",
            Tree::Bool(_) => "true or false",
            Tree::Number(_) => "a number",
            Tree::Text(_) => "text",
            Tree::List(_) => "a list",
            Tree::Map(_) => "a map",
        }
    }

    fn count(&self) -> usize {
        1 + match &self.tree {
            Tree::List(items) => items.iter().map(Node::count).sum(),
            Tree::Map(entries) => entries.iter().map(|entry| entry.value.count()).sum(),
            _ => 0,
        }
    }
}

impl From<Marker> for Place {
    fn from(mark: Marker) -> Self {
        Self { line: mark.line().max(1), column: mark.col() + 1 }
    }
}

impl From<Marks> for Span {
    fn from(marks: Marks) -> Self {
        Self { start: marks.start.into(), end: marks.end.into() }
    }
}

/// Reads the one document of `text`. What could be read is returned next to what is wrong with it.
pub(crate) fn parse(text: &str) -> (Node, Vec<Fault>) {
    let mut builder = Builder::default();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        match event {
            Ok((event, marks)) => {
                let span = Span::from(marks);
                builder.take(event, span);
                if builder.nodes > MAX_NODES {
                    builder.fatal(span, format!("more than {MAX_NODES} values, aliases counted in full"));
                }
                if builder.is_over {
                    break;
                }
            }
            Err(error) => {
                let start = Place::from(*error.marker());
                builder.fatal(Span { start, end: start }, format!("this is not YAML: {}", error.info()));
                break;
            }
        }
    }
    let start = Place { line: 1, column: 1 };
    let empty = Node { tree: Tree::Null, span: Span { start, end: start }, referenced: false };
    (builder.root.unwrap_or(empty), builder.faults)
}

/// A list or map whose end has not been seen.
struct Open {
    start: Place,
    anchor: usize,
    items: Vec<Node>,
    entries: Vec<Entry>,
    is_map: bool,
    key: Option<(String, Span)>,
    /// The keys so far and their lines.
    lines: HashMap<String, usize>,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
    documents: usize,
    faults: Vec<Fault>,
    is_over: bool,
}

impl Builder {
    fn fault(&mut self, at: Span, message: impl Into<String>) {
        self.faults.push(Fault { at, message: message.into(), is_fatal: false });
    }

    fn fatal(&mut self, at: Span, message: impl Into<String>) {
        self.faults.push(Fault { at, message: message.into(), is_fatal: true });
        self.is_over = true;
    }

    fn take(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    self.fault(span, "a second document begins here: only one is allowed in a file");
                    self.is_over = true;
                }
            }
            Event::SequenceStart(anchor, tag) => self.begin(false, anchor, tag.as_deref(), span),
            Event::MappingStart(anchor, tag) => self.begin(true, anchor, tag.as_deref(), span),
            Event::SequenceEnd | Event::MappingEnd => self.end(span),
            Event::Scalar(text, style, anchor, tag) => {
                self.scalar(&text, style, anchor, tag.as_deref(), span);
            }
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }

    fn begin(&mut self, is_map: bool, anchor: usize, tag: Option<&Tag>, span: Span) {
        self.nodes += 1;
        self.refuse_tag(tag, span);
        if self.open.len() >= MAX_DEPTH {
            self.fatal(span, format!("nested deeper than {MAX_DEPTH} levels"));
            return;
        }
        self.open.push(Open {
            start: span.start,
            anchor,
            items: Vec::new(),
            entries: Vec::new(),
            is_map,
            key: None,
            lines: HashMap::new(),
        });
    }

    fn end(&mut self, span: Span) {
        let Some(open) = self.open.pop() else { return };
        let tree = if open.is_map { Tree::Map(open.entries) } else { Tree::List(open.items) };
        let span = Span { start: open.start, end: span.end };
        self.place(Node { tree, span, referenced: false }, open.anchor);
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, anchor: usize, tag: Option<&Tag>, span: Span) {
        let is_text = style != ScalarStyle::Plain
            || tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        self.nodes += 1;
        self.refuse_tag(tag, span);
        if let Some(open) = self.open.last_mut().filter(|open| open.is_map && open.key.is_none()) {
            open.key = Some((text.to_owned(), span));
            if text == "<<" && !is_text {
                self.fault(span, "merge keys (`<<`) are not YAML 1.2: repeat the keys, or use `defaults`");
            }
            return;
        }
        let tree = if is_text { Tree::Text(text.to_owned()) } else { plain(text) };
        self.place(Node { tree, span, referenced: false }, anchor);
    }

    fn alias(&mut self, anchor: usize, span: Span) {
        match self.anchors.get(&anchor) {
            Some(node) => {
                self.nodes += node.count();
                if self.nodes <= MAX_NODES {
                    let node = node.clone();
                    self.place(node, 0);
                }
            }
            None => self.fatal(span, "this alias stands for a value that it is a part of"),
        }
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, node: Node, anchor: usize) {
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        if !open.is_map {
            open.items.push(node);
            return;
        }
        let Some((key, key_span)) = open.key.take() else {
            self.fatal(node.span, "a key must be plain text");
            return;
        };
        if let Some(line) = open.lines.insert(key.clone(), key_span.start.line) {
            self.fault(key_span, format!("key {key:?} is given twice: first in line {line}"));
            return;
        }
        open.entries.push(Entry { key, key_span, value: node });
    }

    fn refuse_tag(&mut self, tag: Option<&Tag>, span: Span) {
        let known = ["str", "int", "float", "bool", "null", "seq", "map"];
        if let Some(tag) =
            tag.filter(|tag| !(tag.is_yaml_core_schema() && known.contains(&tag.suffix.as_str())))
        {
            self.fault(span, format!("the tag {:?} means nothing here", tag.to_string()));
        }
    }
}

/// The value of a scalar without quotes, by YAML 1.2's core schema.
fn plain(text: &str) -> Tree {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Tree::Null,
        "true" | "True" | "TRUE" => return Tree::Bool(true),
        "false" | "False" | "FALSE" => return Tree::Bool(false),
        _ => {}
    }
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if let Some(radix) =
        [("0x", 16), ("0o", 8)].iter().find_map(|(prefix, radix)| Some((text.strip_prefix(prefix)?, *radix)))
        && let Ok(number) = u64::from_str_radix(radix.0, radix.1)
    {
        return Tree::Number(number.into());
    }
    if let Ok(number) = unsigned.parse::<u64>() {
        return Tree::Number(number.into());
    }
    if let Ok(number) = text.parse::<i64>() {
        return Tree::Number(number.into());
    }
    let is_decimal = text.contains(|c: char| c.is_ascii_digit())
        && text.contains(['.', 'e', 'E'])
        && !text.contains(|c: char| !matches!(c, '0'..='9' | '.' | 'e' | 'E' | '+' | '-'));
    if is_decimal && let Some(number) = text.parse::<f64>().ok().and_then(Number::from_f64) {
        return Tree::Number(number);
    }
    Tree::Text(text.to_owned())
}
