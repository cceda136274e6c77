//! Which variables a template takes from outside. The reference refuses to evaluate one that names an unknown
//! variable, even where it would never look at it, so this is found once and without evaluating.
//!
//! A name that is assigned inside of an `if` alone counts as taken from outside too, as in Jinja2.

use std::collections::BTreeSet;

use super::syntax::{Args, Expr, For, Macro, Node, Step, Target};

/// One scope: the names that it knows and those that it assigns.
#[derive(Clone, Default)]
struct Frame<'n> {
    known: BTreeSet<&'n str>,
    stored: BTreeSet<&'n str>,
}

struct Finder<'n> {
    frames: Vec<Frame<'n>>,
    free: BTreeSet<&'n str>,
}

/// The names that `nodes` take from outside.
pub(super) fn free(nodes: &[Node]) -> Vec<Box<str>> {
    let mut finder = Finder { frames: vec![Frame::default()], free: BTreeSet::new() };
    finder.scope(nodes);
    finder.free.into_iter().map(Box::from).collect()
}

/// Whether `nodes` take `name` from outside.
pub(super) fn mentions(nodes: &[Node], name: &str) -> bool {
    let mut finder = Finder { frames: vec![Frame::default()], free: BTreeSet::new() };
    finder.scope(nodes);
    finder.free.contains(name)
}

impl<'n> Finder<'n> {
    fn top(&mut self) -> &mut Frame<'n> {
        self.frames.last_mut().expect("the outermost frame is never taken off")
    }

    fn load(&mut self, name: &'n str) {
        if !self.frames.iter().any(|frame| frame.known.contains(name)) {
            self.top().known.insert(name);
            self.free.insert(name);
        }
    }

    fn store(&mut self, name: &'n str) {
        let top = self.top();
        top.stored.insert(name);
        top.known.insert(name);
    }

    /// Everything in a frame: first its own statements, then the scopes inside of them, which see all its names.
    fn scope(&mut self, nodes: &'n [Node]) {
        for node in nodes {
            self.own(node);
        }
        for node in nodes {
            self.inner(node);
        }
    }

    fn within(&mut self, work: impl FnOnce(&mut Self)) {
        self.frames.push(Frame::default());
        work(self);
        self.frames.pop();
    }

    fn own(&mut self, node: &'n Node) {
        match node {
            Node::Data(_) | Node::Scope(_) => {}
            Node::Print(expr) => self.expr(expr),
            Node::Set(target, expr) => {
                self.expr(expr);
                self.target(target);
            }
            Node::SetBlock(target, ..) => self.target(target),
            Node::If(branches, otherwise) => self.branches(branches, otherwise),
            Node::For(repeat) => self.expr(&repeat.over),
            Node::With(values, _) => values.iter().for_each(|(_, value)| self.expr(value)),
            Node::Filter(filters, _) => filters.iter().for_each(|(_, args)| self.args(args)),
            Node::Macro(definition) => self.store(&definition.name),
            Node::Call(call, _) => self.expr(call),
        }
    }

    fn branches(&mut self, branches: &'n [(Expr, Vec<Node>)], otherwise: &'n [Node]) {
        let Some(((test, body), others)) = branches.split_first() else { return };
        self.expr(test);
        let before = self.top().clone();
        let mut stored = BTreeSet::new();
        let mut known = before.known.clone();
        let mut run = |finder: &mut Self, work: &mut dyn FnMut(&mut Self)| {
            *finder.top() = before.clone();
            work(finder);
            stored.extend(finder.top().stored.difference(&before.stored).copied());
            known.extend(finder.top().known.iter().copied());
        };
        run(self, &mut |finder| body.iter().for_each(|node| finder.own(node)));
        run(self, &mut |finder| {
            for (test, body) in others {
                finder.expr(test);
                // Each `elif` is an `if` of its own: what it stores is free inside of it already.
                let before = finder.top().clone();
                for node in body {
                    finder.own(node);
                }
                let new: Vec<&str> = finder.top().stored.difference(&before.stored).copied().collect();
                finder.conditional(new);
            }
        });
        run(self, &mut |finder| otherwise.iter().for_each(|node| finder.own(node)));
        let top = self.top();
        top.known = known;
        top.stored = before.stored;
        top.stored.extend(stored.iter().copied());
        self.conditional(stored);
    }

    /// Names that only a branch assigns come from outside where no outer scope knows them.
    fn conditional(&mut self, names: impl IntoIterator<Item = &'n str>) {
        let (_, outer) = self.frames.split_last().expect("the outermost frame is never taken off");
        let free: Vec<&str> =
            names.into_iter().filter(|name| !outer.iter().any(|frame| frame.known.contains(name))).collect();
        self.free.extend(free);
    }

    fn inner(&mut self, node: &'n Node) {
        match node {
            Node::If(branches, otherwise) => {
                branches.iter().flat_map(|(_, body)| body).chain(otherwise).for_each(|node| self.inner(node));
            }
            Node::SetBlock(_, filters, body) | Node::Filter(filters, body) => self.within(|finder| {
                for (_, args) in filters {
                    finder.args(args);
                }
                finder.scope(body);
            }),
            Node::Scope(body) => self.within(|finder| finder.scope(body)),
            Node::With(values, body) => self.within(|finder| {
                for (target, _) in values {
                    finder.target(target);
                }
                finder.scope(body);
            }),
            Node::For(repeat) => self.repeat(repeat),
            Node::Macro(definition) | Node::Call(_, definition) => self.definition(definition),
            Node::Data(_) | Node::Print(_) | Node::Set(..) => {}
        }
    }

    fn repeat(&mut self, repeat: &'n For) {
        self.within(|finder| {
            finder.target(&repeat.target);
            finder.store("loop");
            finder.scope(&repeat.body);
        });
        if let Some(test) = &repeat.test {
            self.within(|finder| {
                finder.target(&repeat.target);
                finder.expr(test);
            });
        }
        self.within(|finder| finder.scope(&repeat.otherwise));
    }

    fn definition(&mut self, definition: &'n Macro) {
        self.within(|finder| {
            for (name, default) in &definition.parameters {
                if let Some(default) = default {
                    finder.expr(default);
                }
                finder.store(name);
            }
            for name in ["varargs", "kwargs", "caller"] {
                finder.store(name);
            }
            finder.scope(&definition.body);
        });
    }

    fn target(&mut self, target: &'n Target) {
        match target {
            Target::Name(name) => self.store(name),
            Target::Attribute(name, _) => self.load(name),
            Target::Several(targets) => targets.iter().for_each(|target| self.target(target)),
        }
    }

    fn args(&mut self, args: &'n Args) {
        for expr in &args.positional {
            self.expr(expr);
        }
        for (_, expr) in &args.named {
            self.expr(expr);
        }
        args.rest.iter().chain(&args.named_rest).for_each(|expr| self.expr(expr));
    }

    fn expr(&mut self, expr: &'n Expr) {
        match expr {
            Expr::Const(_) => {}
            Expr::Name(name) => self.load(name),
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
            Expr::Choice(choice) => {
                let (condition, then, otherwise) = &**choice;
                self.expr(condition);
                self.expr(then);
                if let Some(otherwise) = otherwise {
                    self.expr(otherwise);
                }
            }
            Expr::Chain(inner, steps) => {
                self.expr(inner);
                for step in steps {
                    self.step(step);
                }
            }
        }
    }

    fn step(&mut self, step: &'n Step) {
        match step {
            Step::Attribute(_) => {}
            Step::Item(item) => self.expr(item),
            Step::Slice(parts) => parts.iter().flatten().for_each(|part| self.expr(part)),
            Step::Call(args) | Step::Method(_, args) | Step::Filter(_, args) | Step::Test(_, args, _) => {
                self.args(args);
            }
        }
    }
}
