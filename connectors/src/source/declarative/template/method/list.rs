//! Methods of lists, tuples and sets.

use super::super::call::{Arguments, integer};
use super::super::fault::{Fault, Outcome};
use super::super::machine::Host;
use super::super::object::Object;
use super::{no_ring, unknown};

pub(super) const NAMES: &[&str] =
    &["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "remove", "reverse", "sort"];
pub(super) const SET_NAMES: &[&str] = &[
    "add",
    "clear",
    "copy",
    "difference",
    "discard",
    "intersection",
    "issubset",
    "issuperset",
    "remove",
    "union",
    "update",
];

pub(super) fn call<'a>(
    host: &Host<'a>,
    object: &Object<'a>,
    name: &str,
    args: &Arguments<'a>,
) -> Outcome<Object<'a>> {
    match name {
        "count" => {
            let [wanted] = args.bind(name, ["*value"], 1)?;
            let wanted = wanted.unwrap_or(Object::None);
            return Ok(object.items()?.iter().filter(|item| item.equals(&wanted)).count().into());
        }
        "index" => {
            let [wanted, start, end] = args.bind(name, ["*value", "*start", "*stop"], 1)?;
            let wanted = wanted.unwrap_or(Object::None);
            let items = object.items()?;
            let bound = |bound: Option<Object<'a>>, usual: usize| -> Outcome<usize> {
                let Some(bound) = bound else { return Ok(usual) };
                let bound = integer(&bound, "index")?;
                let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
                let bound = if bound < 0 { bound + length } else { bound };
                Ok(usize::try_from(bound.clamp(0, length)).unwrap_or(0))
            };
            let (start, end) = (bound(start, 0)?, bound(end, items.len())?);
            let place = (start..end).find(|place| items[*place].equals(&wanted));
            return place.map(Object::from).ok_or_else(|| Fault::other("the value is not in the list"));
        }
        "copy" => {
            args.bind(name, [], 0)?;
            return Ok(Object::list(object.items()?));
        }
        _ => {}
    }
    let Object::List(list) = object else { return Err(unknown(object, name)) };
    change(host, object, list, name, args)
}

fn change<'a>(
    host: &Host<'a>,
    object: &Object<'a>,
    list: &std::rc::Rc<std::cell::RefCell<Vec<Object<'a>>>>,
    name: &str,
    args: &Arguments<'a>,
) -> Outcome<Object<'a>> {
    let given = |value: Option<Object<'a>>| value.unwrap_or(Object::None);
    match name {
        "append" => {
            let [value] = args.bind(name, ["*object"], 1)?;
            let value = given(value);
            no_ring(list, &value)?;
            host.budget.room(size_of::<Object>())?;
            list.borrow_mut().push(value);
        }
        "extend" => {
            let [values] = args.bind(name, ["*iterable"], 1)?;
            let values = given(values).items()?;
            host.budget.room(values.len() * size_of::<Object>())?;
            values.iter().try_for_each(|value| no_ring(list, value))?;
            list.borrow_mut().extend(values);
        }
        "insert" => {
            let [place, value] = args.bind(name, ["*index", "*object"], 2)?;
            let (place, value) = (integer(&given(place), name)?, given(value));
            no_ring(list, &value)?;
            host.budget.room(size_of::<Object>())?;
            let mut list = list.borrow_mut();
            let length = i64::try_from(list.len()).unwrap_or(i64::MAX);
            let place = if place < 0 { place + length } else { place }.clamp(0, length);
            list.insert(usize::try_from(place).unwrap_or(0), value);
        }
        "pop" => {
            let [place] = args.bind(name, ["*index"], 0)?;
            let place = place.map_or(Ok(-1), |place| integer(&place, name))?;
            let mut list = list.borrow_mut();
            let place = if place < 0 { place + i64::try_from(list.len()).unwrap_or(0) } else { place };
            let place = usize::try_from(place).ok().filter(|place| *place < list.len());
            return place
                .map(|place| list.remove(place))
                .ok_or_else(|| Fault::other("pop index out of range"));
        }
        "remove" => {
            let [value] = args.bind(name, ["*value"], 1)?;
            let value = given(value);
            let place = list.borrow().iter().position(|item| item.equals(&value));
            let place = place.ok_or_else(|| Fault::other("the value is not in the list"))?;
            list.borrow_mut().remove(place);
        }
        "reverse" => list.borrow_mut().reverse(),
        "clear" => list.borrow_mut().clear(),
        "sort" => {
            let [key, reverse] = args.bind(name, ["key", "reverse"], 0)?;
            if key.is_some_and(|key| !matches!(key, Object::None)) {
                return Err(unknown(object, "sort with a key"));
            }
            let sorted = super::super::filter::sorted(
                object.items()?,
                reverse.is_some_and(|reverse| reverse.is_true()),
            )?;
            *list.borrow_mut() = sorted;
        }
        _ => return Err(unknown(object, name)),
    }
    Ok(Object::None)
}

pub(super) fn call_set<'a>(object: &Object<'a>, name: &str, args: &Arguments<'a>) -> Outcome<Object<'a>> {
    let items = object.items()?;
    let set = |items: Vec<Object<'a>>| Object::Set(std::rc::Rc::new(items.into()));
    let other = || -> Outcome<Vec<Object<'a>>> {
        args.positional.first().map_or_else(|| Ok(Vec::new()), Object::items)
    };
    let has = |items: &[Object<'a>], item: &Object<'a>| items.iter().any(|known| known.equals(item));
    let union = |mut items: Vec<Object<'a>>, others: Vec<Object<'a>>| -> Outcome<Vec<Object<'a>>> {
        for item in others {
            item.hashable()?;
            if !has(&items, &item) {
                items.push(item);
            }
        }
        Ok(items)
    };
    match name {
        "copy" => return Ok(set(items)),
        "union" => return Ok(set(union(items, other()?)?)),
        "difference" => {
            let others = other()?;
            return Ok(set(items.into_iter().filter(|item| !has(&others, item)).collect()));
        }
        "intersection" => {
            let others = other()?;
            return Ok(set(items.into_iter().filter(|item| has(&others, item)).collect()));
        }
        "issubset" => {
            let others = other()?;
            return Ok(items.iter().all(|item| has(&others, item)).into());
        }
        "issuperset" => return Ok(other()?.iter().all(|item| has(&items, item)).into()),
        _ => {}
    }
    let Object::Set(own) = object else { return Err(unknown(object, name)) };
    match name {
        "add" => {
            let [value] = args.bind(name, ["*element"], 1)?;
            let united = union(items, value.into_iter().collect())?;
            *own.borrow_mut() = united;
        }
        "update" => {
            let united = union(items, other()?)?;
            *own.borrow_mut() = united;
        }
        "discard" | "remove" => {
            let [value] = args.bind(name, ["*element"], 1)?;
            let value = value.unwrap_or(Object::None);
            if name == "remove" && !has(&items, &value) {
                return Err(Fault::other("the value is not in the set"));
            }
            own.borrow_mut().retain(|item| !item.equals(&value));
        }
        "clear" => own.borrow_mut().clear(),
        _ => return Err(unknown(object, name)),
    }
    Ok(Object::None)
}
