//! Evaluates the tree of a template.

use std::rc::Rc;

use super::Context;
use super::budget::Budget;
use super::call::Arguments;
use super::fault::{Fault, Outcome};
use super::object::{Closure, Object, Text, put};
use super::syntax::{Args, Comparison, Expr, Macro, Node, Step, Target};
use super::{filter, function, item, method, operator, test};
use crate::source::declarative::clock::Clock;
use crate::source::declarative::value::Value;

/// What all of an evaluation share.
pub(crate) struct Host<'a> {
    pub(crate) budget: Budget,
    pub(crate) clock: &'a Clock,
}

/// One evaluation.
pub(super) struct Machine<'a> {
    pub(super) host: Host<'a>,
    context: &'a Context<'a>,
    pub(super) scopes: Vec<Vec<(&'a str, Object<'a>)>>,
    /// Values of the outside that the template changed: seen by the rest of the evaluation and by nobody else.
    changed: Vec<(*const Value, Object<'a>)>,
}

impl<'a> Machine<'a> {
    pub(super) fn new(context: &'a Context<'a>) -> Self {
        let host = Host { budget: Budget::new(), clock: &context.clock };
        Self { host, context, scopes: vec![Vec::new()], changed: Vec::new() }
    }

    pub(super) fn run(&mut self, nodes: &'a [Node], out: &mut String) -> Outcome<()> {
        self.host.budget.enter()?;
        for node in nodes {
            self.node(node, out)?;
        }
        self.host.budget.leave();
        Ok(())
    }

    fn node(&mut self, node: &'a Node, out: &mut String) -> Outcome<()> {
        self.host.budget.work(1)?;
        match node {
            Node::Data(data) => self.print(out, data)?,
            Node::Print(expr) => {
                let value = self.expr(expr)?;
                let text = value.text()?;
                self.print(out, &text)?;
            }
            Node::Set(target, expr) => {
                let value = self.expr(expr)?;
                self.assign(target, value)?;
            }
            Node::SetBlock(target, filters, body) => {
                let mut text = String::new();
                self.within(|machine| machine.run(body, &mut text))?;
                let value = self.filters(text.into(), filters)?;
                self.assign(target, value)?;
            }
            Node::If(branches, otherwise) => {
                for (condition, body) in branches {
                    if self.expr(condition)?.is_true() {
                        return self.run(body, out);
                    }
                }
                self.run(otherwise, out)?;
            }
            Node::For(repeat) => {
                let over = self.expr(&repeat.over)?;
                self.repeat(repeat, &over, 0, out)?;
            }
            Node::With(values, body) => {
                let values = values
                    .iter()
                    .map(|(target, expr)| Ok((target, self.expr(expr)?)))
                    .collect::<Outcome<Vec<_>>>()?;
                self.within(|machine| {
                    for (target, value) in values {
                        machine.assign(target, value)?;
                    }
                    machine.run(body, out)
                })?;
            }
            Node::Filter(filters, body) => {
                let mut text = String::new();
                self.within(|machine| machine.run(body, &mut text))?;
                let value = self.filters(text.into(), filters)?;
                let text = value.text()?;
                self.print(out, &text)?;
            }
            Node::Macro(definition) => {
                let closure = self.closure(definition);
                self.define(&definition.name, closure);
            }
            Node::Call(call, body) => {
                let value = self.call_with(call, body)?;
                let text = value.text()?;
                self.print(out, &text)?;
            }
            Node::Scope(body) => self.within(|machine| machine.run(body, out))?,
        }
        Ok(())
    }

    fn print(&self, out: &mut String, text: &str) -> Outcome<()> {
        self.host.budget.room(text.len())?;
        out.push_str(text);
        Ok(())
    }

    pub(super) fn within<T>(&mut self, inner: impl FnOnce(&mut Self) -> Outcome<T>) -> Outcome<T> {
        self.scopes.push(Vec::new());
        let outcome = inner(self);
        self.scopes.pop();
        outcome
    }

    fn filters(&mut self, mut value: Object<'a>, filters: &'a [(Box<str>, Args)]) -> Outcome<Object<'a>> {
        for (name, args) in filters {
            let args = self.arguments(args)?;
            value = filter::call(self, name, value, &args)?;
        }
        Ok(value)
    }

    pub(super) fn define(&mut self, name: &'a str, value: Object<'a>) {
        let scope = self.scopes.last_mut().expect("the outermost scope is never left");
        match scope.iter_mut().find(|(known, _)| *known == name) {
            Some((_, place)) => *place = value,
            None => scope.push((name, value)),
        }
    }

    pub(super) fn assign(&mut self, target: &'a Target, value: Object<'a>) -> Outcome<()> {
        match target {
            Target::Name(name) => self.define(name, value),
            Target::Attribute(name, attribute) => {
                let Object::Namespace(entries) = self.name(name) else {
                    return Err(Fault::other("cannot assign attribute on non-namespace object"));
                };
                let mut entries = entries.borrow_mut();
                match entries.iter_mut().find(|(known, _)| **known == **attribute) {
                    Some((_, place)) => *place = value,
                    None => entries.push(((&**attribute).into(), value)),
                }
            }
            Target::Several(targets) => {
                let items = value.items()?;
                if items.len() != targets.len() {
                    let (wanted, given) = (targets.len(), items.len());
                    return Err(Fault::other(format!(
                        "{given} values to unpack where {wanted} are expected"
                    )));
                }
                for (target, item) in targets.iter().zip(items) {
                    self.assign(target, item)?;
                }
            }
        }
        Ok(())
    }

    fn name(&self, name: &str) -> Object<'a> {
        for scope in self.scopes.iter().rev() {
            if let Some((_, value)) = scope.iter().find(|(known, _)| *known == name) {
                return self.current(value.clone());
            }
        }
        if let Some(value) = self.context.get(name) {
            return self.current(value);
        }
        function::named(name).unwrap_or_else(|| Object::undefined(format!("'{name}' is undefined")))
    }

    /// A value of the outside as the template left it.
    fn current(&self, object: Object<'a>) -> Object<'a> {
        if let Object::Borrowed(value) = object
            && let Some((_, changed)) = self.changed.iter().find(|(known, _)| std::ptr::eq(*known, value))
        {
            return changed.clone();
        }
        object
    }

    /// A value that may be changed, in place of one of the outside.
    fn own(&mut self, object: Object<'a>) -> Outcome<Object<'a>> {
        let Object::Borrowed(value) = object else { return Ok(object) };
        self.host.budget.room(object.length()? * size_of::<Object>())?;
        let owned = match object.entries() {
            Some(entries) => Object::dict(entries),
            None if object.kind() == "set" => Object::Set(Rc::new(object.items()?.into())),
            None => Object::list(object.items()?),
        };
        self.changed.push((value, owned.clone()));
        Ok(owned)
    }

    pub(super) fn expr(&mut self, expr: &'a Expr) -> Outcome<Object<'a>> {
        self.host.budget.work(1)?;
        match expr {
            Expr::Const(value) => Ok(value.into()),
            Expr::Name(name) => Ok(self.name(name)),
            Expr::Chain(inner, steps) => {
                self.host.budget.enter()?;
                let mut value = self.expr(inner)?;
                for step in steps {
                    value = self.step(value, step)?;
                }
                self.host.budget.leave();
                Ok(value)
            }
            _ => {
                self.host.budget.enter()?;
                let value = self.compound(expr)?;
                self.host.budget.leave();
                Ok(value)
            }
        }
    }

    fn all(&mut self, items: &'a [Expr]) -> Outcome<Vec<Object<'a>>> {
        self.host.budget.room(size_of_val(items))?;
        items.iter().map(|item| self.expr(item)).collect()
    }

    fn compound(&mut self, expr: &'a Expr) -> Outcome<Object<'a>> {
        match expr {
            Expr::Const(_) | Expr::Name(_) | Expr::Chain(..) => self.expr(expr),
            Expr::List(items) => self.all(items).map(Object::list),
            Expr::Tuple(items) => self.all(items).map(Object::tuple),
            Expr::Dict(entries) => {
                let mut dict = Vec::with_capacity(entries.len());
                for (key, value) in entries {
                    let key = self.expr(key)?;
                    key.hashable()?;
                    put(&mut dict, key, self.expr(value)?);
                }
                Ok(Object::dict(dict))
            }
            Expr::Not(inner) => Ok((!self.expr(inner)?.is_true()).into()),
            Expr::Negative(inner) => operator::negate(&self.expr(inner)?),
            Expr::Positive(inner) => operator::posit(&self.expr(inner)?),
            Expr::Arithmetic(first, rest) => {
                let mut value = self.expr(first)?;
                for (operator, operand) in rest {
                    let operand = self.expr(operand)?;
                    value = operator::apply(&value, *operator, &operand, &self.host.budget)?;
                }
                Ok(value)
            }
            Expr::Compare(first, rest) => {
                let mut left = self.expr(first)?;
                for (comparison, operand) in rest {
                    let right = self.expr(operand)?;
                    if !compare(&left, *comparison, &right)? {
                        return Ok(false.into());
                    }
                    left = right;
                }
                Ok(true.into())
            }
            Expr::And(operands) => self.first(operands, false),
            Expr::Or(operands) => self.first(operands, true),
            Expr::Concat(operands) => {
                let mut text = String::new();
                for operand in operands {
                    let value = self.expr(operand)?;
                    let part = value.text()?;
                    self.print(&mut text, &part)?;
                }
                Ok(text.into())
            }
            Expr::Choice(choice) => {
                let (condition, then, otherwise) = &**choice;
                if self.expr(condition)?.is_true() {
                    return self.expr(then);
                }
                match otherwise {
                    Some(otherwise) => self.expr(otherwise),
                    None => Ok(Object::undefined("the condition does not hold and there is no else")),
                }
            }
        }
    }

    /// The first operand whose truth is `wanted`, or the last.
    fn first(&mut self, operands: &'a [Expr], wanted: bool) -> Outcome<Object<'a>> {
        let mut value = Object::None;
        for operand in operands {
            value = self.expr(operand)?;
            if value.is_true() == wanted {
                break;
            }
        }
        Ok(value)
    }

    fn step(&mut self, value: Object<'a>, step: &'a Step) -> Outcome<Object<'a>> {
        self.host.budget.work(1)?;
        match step {
            Step::Attribute(name) => {
                // The usual case without a copy of the name.
                if let Object::Borrowed(Value::Map(map)) = &value
                    && !method::exists(&value, name)
                    && let Some(found) = map.get(name)
                {
                    return Ok(self.current(found.into()));
                }
                item::attribute(&value, name).map(|found| self.current(found))
            }
            Step::Item(key) => {
                let key = self.expr(key)?;
                item::item(&value, &key).map(|found| self.current(found))
            }
            Step::Slice(parts) => {
                let mut bounds = [const { None }; 3];
                for (bound, part) in bounds.iter_mut().zip(parts.iter()) {
                    *bound = part.as_ref().map(|part| self.expr(part)).transpose()?;
                }
                item::slice(&value, &bounds, &self.host.budget)
            }
            Step::Call(args) => {
                value.demand()?;
                let args = self.arguments(args)?;
                self.call(&value, &args)
            }
            Step::Method(name, args) => {
                value.demand()?;
                if method::exists(&value, name) {
                    let args = self.arguments(args)?;
                    return self.method(value, name, &args);
                }
                let callee = item::attribute(&value, name)?;
                callee.demand()?;
                let args = self.arguments(args)?;
                self.call(&callee, &args)
            }
            Step::Filter(name, args) => {
                let args = self.arguments(args)?;
                filter::call(self, name, value, &args)
            }
            Step::Test(name, args, negated) => {
                let args = self.arguments(args)?;
                Ok((test::call(self, name, &value, &args)? != *negated).into())
            }
        }
    }

    fn method(&mut self, value: Object<'a>, name: &str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
        let value = if method::changes(&value, name) { self.own(value)? } else { value };
        method::call(&self.host, &value, name, args).map(|found| self.current(found))
    }

    pub(super) fn arguments(&mut self, args: &'a Args) -> Outcome<Arguments<'a>> {
        let mut made = Arguments { positional: self.all(&args.positional)?, ..Arguments::default() };
        for (name, value) in &args.named {
            made.named.push((name, self.expr(value)?));
        }
        if let Some(rest) = &args.rest {
            let rest = self.expr(rest)?;
            made.positional.extend(rest.items()?);
        }
        if let Some(rest) = &args.named_rest {
            let rest = self.expr(rest)?;
            let entries = rest.entries().ok_or_else(|| Fault::kind("argument after ** must be a mapping"))?;
            for (key, value) in entries {
                let name = key.as_str().ok_or_else(|| Fault::kind("keywords must be strings"))?;
                made.dynamic.push((name.to_owned(), value));
            }
        }
        Ok(made)
    }

    pub(super) fn call(&mut self, callee: &Object<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
        match callee {
            Object::Function(name) => function::call(&self.host, name, args),
            Object::Method(bound) => self.method(bound.0.clone(), &bound.1, args),
            Object::Macro(closure) => self.expand(closure, args),
            Object::Loop(state) => self.recurse(state, args),
            Object::Joiner(joiner) => {
                Ok(if joiner.1.replace(true) { Object::Text(joiner.0.clone()) } else { Object::from("") })
            }
            other => {
                other.demand()?;
                Err(Fault::kind(format!("'{}' object is not callable", other.kind())))
            }
        }
    }

    fn closure(&self, definition: &'a Macro) -> Object<'a> {
        Object::Macro(Rc::new(Closure { definition, depth: self.scopes.len(), caller: None }))
    }

    fn call_with(&mut self, call: &'a Expr, body: &'a Macro) -> Outcome<Object<'a>> {
        let caller = self.closure(body);
        let Expr::Chain(inner, steps) = call else { return Err(Fault::other("a call block needs a call")) };
        let mut value = self.expr(inner)?;
        for (place, step) in steps.iter().enumerate() {
            if let (Step::Call(args), true) = (step, place + 1 == steps.len()) {
                let mut args = self.arguments(args)?;
                args.named.push(("caller", caller.clone()));
                value = self.call(&value, &args)?;
            } else {
                value = self.step(value, step)?;
            }
        }
        Ok(value)
    }

    /// Calls a macro: its text.
    fn expand(&mut self, closure: &Rc<Closure<'a>>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
        let definition = closure.definition;
        let mut scope: Vec<(&'a str, Object<'a>)> = Vec::new();
        let count = definition.parameters.len();
        if args.positional.len() > count && !definition.catches_rest {
            return Err(Fault::kind(format!(
                "macro '{}' takes not more than {count} argument(s)",
                definition.name
            )));
        }
        let (mut rest, mut caller) = (Vec::new(), closure.caller.clone());
        for (name, value) in args.names() {
            if name == "caller" {
                caller = Some(value.clone());
            } else if !definition.parameters.iter().any(|(known, _)| **known == *name) {
                if !definition.catches_named {
                    return Err(Fault::kind(format!(
                        "macro '{}' takes no keyword argument '{name}'",
                        definition.name
                    )));
                }
                rest.push((Object::from(name.to_owned()), value.clone()));
            }
        }
        let kept = self.scopes.split_off(closure.depth.min(self.scopes.len()));
        self.scopes.push(Vec::new());
        let outcome = self.host.budget.enter().and_then(|()| {
            for (place, (name, default)) in definition.parameters.iter().enumerate() {
                let given = args.positional.get(place).or_else(|| args.get(name)).cloned();
                let value = match (given, default) {
                    (Some(value), _) => value,
                    (None, Some(default)) => self.expr(default)?,
                    (None, None) => Object::undefined(format!("parameter '{name}' was not provided")),
                };
                self.define(name, value);
            }
            if definition.catches_rest {
                scope.push(("varargs", Object::tuple(args.positional.iter().skip(count).cloned().collect())));
            }
            if definition.catches_named {
                scope.push(("kwargs", Object::dict(rest)));
            }
            if definition.catches_caller {
                let none = || Object::undefined("No caller defined");
                scope.push(("caller", caller.unwrap_or_else(none)));
            }
            for (name, value) in scope {
                self.define(name, value);
            }
            let mut text = String::new();
            self.run(&definition.body, &mut text)?;
            self.host.budget.leave();
            Ok(Object::Text(Text::Shared(text.into())))
        });
        self.scopes.truncate(closure.depth);
        self.scopes.extend(kept);
        outcome
    }
}

pub(super) fn compare<'a>(left: &Object<'a>, comparison: Comparison, right: &Object<'a>) -> Outcome<bool> {
    let ordered =
        |sign: &str, holds: fn(std::cmp::Ordering) -> bool| Ok(left.order(right, sign)?.is_some_and(holds));
    match comparison {
        Comparison::Eq => Ok(left.equals(right)),
        Comparison::Ne => Ok(!left.equals(right)),
        Comparison::Lt => ordered("<", std::cmp::Ordering::is_lt),
        Comparison::Le => ordered("<=", std::cmp::Ordering::is_le),
        Comparison::Gt => ordered(">", std::cmp::Ordering::is_gt),
        Comparison::Ge => ordered(">=", std::cmp::Ordering::is_ge),
        Comparison::In => right.contains(left),
        Comparison::NotIn => right.contains(left).map(|found| !found),
    }
}
