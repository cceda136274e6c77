//! Which parts of a variable a template looks at: a record or an answer need not be read whole for it.

use super::syntax::{Args, Expr, For, Macro, Node, Step};
use super::{Kind, Template};
use crate::source::declarative::value::Value;

/// What of a variable is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reach {
    /// What is at these paths of keys, and all that is in it. No path: nothing at all.
    Paths(Vec<Vec<String>>),
    /// No telling: all of it.
    Whole,
}

impl Reach {
    /// The keys that the paths begin with, where that is all.
    pub(crate) fn keys(&self) -> Option<Vec<String>> {
        match self {
            Self::Whole => None,
            Self::Paths(paths) => {
                let mut keys: Vec<String> = paths.iter().filter_map(|path| path.first().cloned()).collect();
                keys.sort();
                keys.dedup();
                Some(keys)
            }
        }
    }
}

impl Template {
    /// What of `variable` is looked at.
    pub(crate) fn reach(&self, variable: &str) -> Reach {
        let mut search = Search { variable, paths: Vec::new(), is_whole: false };
        match &self.kind {
            Kind::Constant(_) | Kind::Withdrawn => {}
            Kind::Single(expr) => search.expr(expr),
            Kind::Nodes(nodes) => search.nodes(nodes),
        }
        if search.is_whole { Reach::Whole } else { Reach::Paths(search.paths) }
    }
}

struct Search<'s> {
    variable: &'s str,
    paths: Vec<Vec<String>>,
    is_whole: bool,
}

impl Search<'_> {
    fn nodes(&mut self, nodes: &[Node]) {
        for node in nodes {
            self.node(node);
        }
    }

    fn node(&mut self, node: &Node) {
        match node {
            Node::Data(_) => {}
            Node::Print(expr) | Node::Set(_, expr) => self.expr(expr),
            Node::SetBlock(_, filters, body) | Node::Filter(filters, body) => {
                for (_, args) in filters {
                    self.args(args);
                }
                self.nodes(body);
            }
            Node::If(branches, otherwise) => {
                for (condition, body) in branches {
                    self.expr(condition);
                    self.nodes(body);
                }
                self.nodes(otherwise);
            }
            Node::For(repeat) => self.repeat(repeat),
            Node::With(values, body) => {
                for (_, expr) in values {
                    self.expr(expr);
                }
                self.nodes(body);
            }
            Node::Macro(definition) => self.definition(definition),
            Node::Call(expr, caller) => {
                self.expr(expr);
                self.definition(caller);
            }
            Node::Scope(body) => self.nodes(body),
        }
    }

    fn repeat(&mut self, repeat: &For) {
        self.expr(&repeat.over);
        if let Some(test) = &repeat.test {
            self.expr(test);
        }
        self.nodes(&repeat.body);
        self.nodes(&repeat.otherwise);
    }

    fn definition(&mut self, definition: &Macro) {
        definition
            .parameters
            .iter()
            .filter_map(|(_, default)| default.as_ref())
            .for_each(|expr| self.expr(expr));
        self.nodes(&definition.body);
    }

    fn args(&mut self, args: &Args) {
        for expr in &args.positional {
            self.expr(expr);
        }
        for (_, expr) in &args.named {
            self.expr(expr);
        }
        args.rest.iter().chain(&args.named_rest).for_each(|expr| self.expr(expr));
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Const(_) => {}
            Expr::Name(name) => self.is_whole |= **name == *self.variable,
            Expr::List(items)
            | Expr::Tuple(items)
            | Expr::And(items)
            | Expr::Or(items)
            | Expr::Concat(items) => {
                for item in items {
                    self.expr(item);
                }
            }
            Expr::Dict(entries) => entries.iter().for_each(|(key, value)| {
                self.expr(key);
                self.expr(value);
            }),
            Expr::Not(inner) | Expr::Negative(inner) | Expr::Positive(inner) => self.expr(inner),
            Expr::Arithmetic(first, rest) => {
                self.expr(first);
                for (_, operand) in rest {
                    self.expr(operand);
                }
            }
            Expr::Compare(first, rest) => {
                self.expr(first);
                for (_, operand) in rest {
                    self.expr(operand);
                }
            }
            Expr::Choice(parts) => {
                self.expr(&parts.0);
                self.expr(&parts.1);
                if let Some(otherwise) = &parts.2 {
                    self.expr(otherwise);
                }
            }
            Expr::Chain(head, steps) => self.chain(head, steps),
        }
    }

    fn chain(&mut self, head: &Expr, steps: &[Step]) {
        match head {
            Expr::Name(name) if **name == *self.variable => self.follow(steps),
            head => self.expr(head),
        }
        for step in steps {
            match step {
                Step::Attribute(_) => {}
                Step::Item(item) => self.expr(item),
                Step::Slice(bounds) => bounds.iter().flatten().for_each(|bound| self.expr(bound)),
                Step::Call(args) | Step::Method(_, args) | Step::Filter(_, args) | Step::Test(_, args, _) => {
                    self.args(args);
                }
            }
        }
    }

    /// The keys that steps from the variable itself lead through.
    fn follow(&mut self, steps: &[Step]) {
        let mut path = Vec::new();
        for step in steps {
            match step {
                Step::Attribute(name) => path.push(name.to_string()),
                Step::Item(Expr::Const(Value::Text(key))) => path.push(key.clone()),
                Step::Method(name, args) if **name == *"get" => {
                    let Some(Expr::Const(Value::Text(key))) = args.positional.first() else { break };
                    // A key of the method's name would hide it.
                    self.paths.push([&path[..], &["get".to_owned()]].concat());
                    path.push(key.clone());
                }
                _ => break,
            }
        }
        self.is_whole |= path.is_empty();
        self.paths.push(path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(source: &str) -> Option<Vec<String>> {
        Template::compile(source).expect("a template").reach("record").keys()
    }

    #[test]
    fn finds_what_is_looked_at() {
        let of = |keys: &[&str]| Some(keys.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>());
        assert_eq!(keys("constant"), of(&[]));
        assert_eq!(keys("{{ config['a'] }}"), of(&[]));
        assert_eq!(keys("{{ record.a.b }} {{ record['c'] | int }}"), of(&["a", "c"]));
        assert_eq!(keys("{{ record.get('a', {}).get('b') }}"), of(&["a", "get"]));
        assert_eq!(keys("{% if record.a %}{{ x[record['b']] }}{% endif %}"), of(&["a", "b"]));
        assert_eq!(keys("{{ record.a is defined and not record.b }}"), of(&["a", "b"]));
        for whole in [
            "{{ record }}",
            "{{ record[config.key] }}",
            "{{ record.items() }}",
            "{{ record | length }}",
            "{% set r = record %}{{ r.a }}",
            "{% for k in record %}{{ k }}{% endfor %}",
            "{{ f(record) }}",
            "{{ [record] }}",
            "{{ record is defined }}",
            "{{ record.get(x) }}",
        ] {
            assert_eq!(keys(whole), None, "{whole}");
        }
    }
}
