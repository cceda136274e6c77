//! The arguments of a call, and how they go to parameters.

use super::fault::{Fault, Outcome};
use super::object::Object;

/// What a call hands over.
#[derive(Default)]
pub(crate) struct Arguments<'a> {
    pub(crate) positional: Vec<Object<'a>>,
    pub(crate) named: Vec<(&'a str, Object<'a>)>,
    /// Names that only came into being at run time.
    pub(crate) dynamic: Vec<(String, Object<'a>)>,
}

impl<'a> Arguments<'a> {
    /// All named ones.
    pub(crate) fn names(&self) -> impl Iterator<Item = (&str, &Object<'a>)> {
        self.named
            .iter()
            .map(|(name, value)| (*name, value))
            .chain(self.dynamic.iter().map(|(n, v)| (n.as_str(), v)))
    }

    /// The named ones by `name`.
    pub(crate) fn get(&self, name: &str) -> Option<&Object<'a>> {
        self.names().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    /// One value for each of the parameters of `function`, the first `required` of which must be given. Parameters
    /// that begin with a star take no names.
    pub(crate) fn bind<const N: usize>(
        &self,
        function: &str,
        parameters: [&str; N],
        required: usize,
    ) -> Outcome<[Option<Object<'a>>; N]> {
        let mut bound = [const { None }; N];
        if self.positional.len() > N {
            return Err(Fault::kind(format!("{function}() takes at most {N} arguments")));
        }
        for (place, value) in self.positional.iter().enumerate() {
            bound[place] = Some(value.clone());
        }
        for (name, value) in self.names() {
            match parameters.iter().position(|parameter| *parameter == name) {
                Some(place) if bound[place].is_none() => bound[place] = Some(value.clone()),
                Some(_) => {
                    return Err(Fault::kind(format!(
                        "{function}() got multiple values for argument '{name}'"
                    )));
                }
                None => {
                    return Err(Fault::kind(format!(
                        "{function}() got an unexpected keyword argument '{name}'"
                    )));
                }
            }
        }
        if let Some(missing) = bound.iter().take(required).position(Option::is_none) {
            return Err(Fault::kind(format!("{function}() misses the argument '{}'", parameters[missing])));
        }
        Ok(bound)
    }
}

/// The text of an argument; a `TypeError` where it is none.
pub(super) fn text<'o>(object: &'o Object<'_>, function: &str) -> Outcome<&'o str> {
    object.as_str().ok_or_else(|| Fault::kind(format!("{function}() takes text, not {}", object.kind())))
}

/// The integer of an argument; a `TypeError` where it is none.
pub(super) fn integer(object: &Object<'_>, function: &str) -> Outcome<i64> {
    match object {
        Object::Big(_) => Err(Fault::other("an integer is too large")),
        other => other
            .as_int()
            .ok_or_else(|| Fault::kind(format!("{function}() takes an integer, not {}", other.kind()))),
    }
}
