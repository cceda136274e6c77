//! `for`, and what `loop` knows.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use super::call::Arguments;
use super::fault::{Fault, Outcome};
use super::machine::Machine;
use super::object::{Loop, Object};
use super::syntax::For;

impl<'a> Machine<'a> {
    pub(super) fn repeat(
        &mut self,
        repeat: &'a For,
        over: &Object<'a>,
        depth: usize,
        out: &mut String,
    ) -> Outcome<()> {
        let mut items = over.items()?;
        self.host.budget.room(items.len() * size_of::<Object>())?;
        if let Some(condition) = &repeat.test {
            let mut kept = Vec::new();
            for item in items {
                let holds = self.within(|machine| {
                    machine.assign(&repeat.target, item.clone())?;
                    Ok(machine.expr(condition)?.is_true())
                })?;
                if holds {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            return self.within(|machine| machine.run(&repeat.otherwise, out));
        }
        let items: Rc<[Object<'a>]> = items.into();
        let state = Rc::new(Loop {
            items: Rc::clone(&items),
            at: Cell::new(0),
            depth,
            last_changed: RefCell::new(None),
            node: repeat.recursive.then_some(repeat),
        });
        for (place, item) in items.iter().enumerate() {
            state.at.set(place);
            self.within(|machine| {
                machine.define("loop", Object::Loop(Rc::clone(&state)));
                machine.assign(&repeat.target, item.clone())?;
                machine.run(&repeat.body, out)
            })?;
        }
        Ok(())
    }

    /// `loop(items)` inside of a recursive loop.
    pub(super) fn recurse(&mut self, state: &Loop<'a>, args: &Arguments<'a>) -> Outcome<Object<'a>> {
        let Some(node) = state.node else {
            return Err(Fault::kind("The loop must have the 'recursive' marker to be called recursively."));
        };
        let [items] = args.bind("loop", ["*iterable"], 1)?;
        let mut text = String::new();
        self.host.budget.enter()?;
        self.repeat(node, &items.unwrap_or(Object::None), state.depth + 1, &mut text)?;
        self.host.budget.leave();
        Ok(text.into())
    }
}

/// `loop.name`.
pub(super) fn attribute<'a>(state: &Loop<'a>, name: &str) -> Option<Object<'a>> {
    let (at, length) = (state.at.get(), state.items.len());
    let neighbour = |place: Option<usize>, missing: &str| {
        place.and_then(|place| state.items.get(place)).cloned().unwrap_or_else(|| Object::undefined(missing))
    };
    Some(match name {
        "index" => (at + 1).into(),
        "index0" => at.into(),
        "revindex" => (length - at).into(),
        "revindex0" => (length - at - 1).into(),
        "first" => (at == 0).into(),
        "last" => (at + 1 == length).into(),
        "length" => length.into(),
        "depth" => (state.depth + 1).into(),
        "depth0" => state.depth.into(),
        "previtem" => neighbour(at.checked_sub(1), "there is no previous item"),
        "nextitem" => neighbour(Some(at + 1), "there is no next item"),
        _ => return None,
    })
}

/// `loop.cycle(...)` and `loop.changed(...)`.
pub(super) fn call<'a>(state: &Loop<'a>, name: &str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    if name == "cycle" {
        if args.positional.is_empty() {
            return Err(Fault::kind("no items for cycling given"));
        }
        return Ok(args.positional[state.at.get() % args.positional.len()].clone());
    }
    let mut last = state.last_changed.borrow_mut();
    let same = last.as_ref().is_some_and(|last| {
        last.len() == args.positional.len()
            && last.iter().zip(&args.positional).all(|(left, right)| left.equals(right))
    });
    *last = Some(args.positional.clone());
    Ok((!same).into())
}
