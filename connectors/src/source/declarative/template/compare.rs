//! Equality, order and containment, as Python has them.

use std::cmp::Ordering;
use std::rc::Rc;

use num_bigint::BigInt;
use num_traits::FromPrimitive;

use super::fault::{Fault, Outcome};
use super::object::Object;
use crate::source::declarative::moment::Delta;
use crate::source::declarative::value::Value;

/// Values inside of each other that are compared; deeper ones count as different.
const DEPTH: usize = 100;

impl Object<'_> {
    /// `==`.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        self.equals_at(other, 0)
    }

    fn equals_at(&self, other: &Self, depth: usize) -> bool {
        if depth > DEPTH {
            return false;
        }
        if let (Some(left), Some(right)) = (self.as_str(), other.as_str()) {
            return left == right;
        }
        if let Some(ordering) = self.numeric(other) {
            return ordering == Some(Ordering::Equal);
        }
        if self.is_mapping() && other.is_mapping() {
            return self.same_entries(other, depth);
        }
        match (self, other) {
            (Self::Undefined(_), Self::Undefined(_))
            | (Self::None, Self::None)
            | (Self::Ellipsis, Self::Ellipsis) => true,
            (Self::Bytes(left), Self::Bytes(right)) => left == right,
            (Self::Moment(left), Self::Moment(right)) => {
                left.zone.is_some() == right.zone.is_some() && left.universal() == right.universal()
            }
            (Self::Date(left), Self::Date(right)) => left == right,
            (Self::Time(left), Self::Time(right)) => left.time() == right.time(),
            (Self::Delta(left), Self::Delta(right)) => left == right,
            (Self::Zone(left), Self::Zone(right)) => left == right,
            (Self::Calendar(left), Self::Calendar(right)) => {
                left.rest == right.rest
                    && (left.years * 12.0 + left.months - right.years * 12.0 - right.months).abs() < 1e-9
            }
            (Self::Function(left), Self::Function(right)) => left == right,
            (Self::Macro(left), Self::Macro(right)) => Rc::ptr_eq(left, right),
            (Self::Iter(left), Self::Iter(right)) => Rc::ptr_eq(left, right),
            (Self::Namespace(left), Self::Namespace(right)) => Rc::ptr_eq(left, right),
            (Self::View(left), Self::View(right)) => {
                left.name != "dict_values"
                    && right.name != "dict_values"
                    && left.items.len() == right.items.len()
                    && left
                        .items
                        .iter()
                        .all(|item| right.items.iter().any(|other| item.equals_at(other, depth + 1)))
            }
            _ => self.same_items(other, depth),
        }
    }

    fn same_entries(&self, other: &Self, depth: usize) -> bool {
        let (Some(left), Ok(length)) = (self.entries(), other.length()) else { return false };
        left.len() == length
            && left
                .iter()
                .all(|(key, value)| other.lookup(key).is_some_and(|found| value.equals_at(&found, depth + 1)))
    }

    fn same_items(&self, other: &Self, depth: usize) -> bool {
        let sequence = |object: &Self| matches!(object.kind(), "list" | "tuple" | "set");
        if !sequence(self) || self.kind() != other.kind() {
            return false;
        }
        let (Ok(left), Ok(right)) = (self.items(), other.items()) else { return false };
        if left.len() != right.len() {
            return false;
        }
        if self.kind() == "set" {
            return left.iter().all(|item| right.iter().any(|other| item.equals_at(other, depth + 1)));
        }
        left.iter().zip(&right).all(|(left, right)| left.equals_at(right, depth + 1))
    }

    /// The order of two numbers (`None` inside for one that is none), or `None` where they are not both numbers.
    #[expect(
        clippy::option_option,
        reason = "whether they are numbers, and then whether they can be ordered"
    )]
    pub(crate) fn numeric(&self, other: &Self) -> Option<Option<Ordering>> {
        match (self, other) {
            (Self::Int(left), Self::Int(right)) => Some(Some(left.cmp(right))),
            (Self::Float(left), Self::Float(right)) => Some(left.partial_cmp(right)),
            (Self::Float(left), right) => Some(compare_float(*left, &right.as_integer()?)),
            (left, Self::Float(right)) => {
                Some(compare_float(*right, &left.as_integer()?).map(Ordering::reverse))
            }
            (left, right) => Some(Some(left.as_integer()?.cmp(&right.as_integer()?))),
        }
    }

    /// The order of two things; `None` inside where they have none (`nan`), a fault where they can't be compared.
    pub(crate) fn order(&self, other: &Self, operator: &str) -> Outcome<Option<Ordering>> {
        self.demand()?;
        other.demand()?;
        self.order_at(other, operator, 0)
    }

    fn order_at(&self, other: &Self, operator: &str, depth: usize) -> Outcome<Option<Ordering>> {
        if let Some(ordering) = self.numeric(other) {
            return Ok(ordering);
        }
        if let (Some(left), Some(right)) = (self.as_str(), other.as_str()) {
            return Ok(Some(left.cmp(right)));
        }
        let unlike = || {
            let (left, right) = (self.kind(), other.kind());
            Fault::kind(format!("'{operator}' not supported between instances of '{left}' and '{right}'"))
        };
        match (self, other) {
            (Self::Moment(left), Self::Moment(right)) => {
                if left.zone.is_some() != right.zone.is_some() {
                    return Err(Fault::kind("can't compare offset-naive and offset-aware datetimes"));
                }
                Ok(Some(left.universal().cmp(&right.universal())))
            }
            (Self::Date(left), Self::Date(right)) => Ok(Some(left.cmp(right))),
            (Self::Time(left), Self::Time(right)) => Ok(Some(left.time().cmp(&right.time()))),
            (Self::Delta(left), Self::Delta(right)) => Ok(Some(left.cmp(right))),
            (Self::Bytes(left), Self::Bytes(right)) => Ok(Some(left.cmp(right))),
            _ if depth < DEPTH && matches!(self.kind(), "list" | "tuple") && self.kind() == other.kind() => {
                let (left, right) = (self.items()?, other.items()?);
                for (left, right) in left.iter().zip(&right) {
                    if !left.equals(right) {
                        left.demand()?;
                        right.demand()?;
                        return left.order_at(right, operator, depth + 1);
                    }
                }
                Ok(Some(left.len().cmp(&right.len())))
            }
            _ => Err(unlike()),
        }
    }

    /// `item in self`.
    pub(crate) fn contains(&self, item: &Self) -> Outcome<bool> {
        match self {
            Self::Text(_) | Self::Markup(_) => {
                let text = self.as_str().unwrap_or_default();
                match item.as_str() {
                    Some(part) => Ok(text.contains(part)),
                    None => Err(Fault::kind(format!(
                        "'in <string>' requires string as left operand, not {}",
                        item.kind()
                    ))),
                }
            }
            _ if self.is_mapping() => {
                item.hashable()?;
                Ok(self.lookup(item).is_some())
            }
            Self::Set(_) | Self::Borrowed(Value::Set(_)) => {
                item.hashable()?;
                Ok(self.items()?.iter().any(|known| known.equals(item)))
            }
            Self::Borrowed(Value::List(items) | Value::Tuple(items)) => {
                Ok(items.iter().any(|known| Self::from(known).equals(item)))
            }
            Self::List(items) => Ok(items.borrow().iter().any(|known| known.equals(item))),
            other => match other.items() {
                Ok(items) => Ok(items.iter().any(|known| known.equals(item))),
                Err(_) => Err(Fault::kind(format!("argument of type '{}' is not iterable", other.kind()))),
            },
        }
    }
}

/// A double against an integer of any size, without rounding either.
fn compare_float(float: f64, integer: &BigInt) -> Option<Ordering> {
    if float.is_nan() {
        return None;
    }
    if float.is_infinite() {
        return Some(if float > 0.0 { Ordering::Greater } else { Ordering::Less });
    }
    let whole = BigInt::from_f64(float.trunc())?;
    Some(whole.cmp(integer).then_with(|| float.fract().partial_cmp(&0.0).unwrap_or(Ordering::Equal)))
}

/// The length of a span without its sign.
pub(super) fn magnitude(delta: Delta) -> Delta {
    Delta(delta.0.abs())
}
