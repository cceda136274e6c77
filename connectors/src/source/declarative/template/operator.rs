//! Arithmetic: integers without bounds, true division, floor and modulo with the divisor's sign, sequences, dates.

use std::rc::Rc;

use num_bigint::BigInt;
use num_traits::{Signed, ToPrimitive, Zero};

use super::budget::Budget;
use super::fault::{Fault, Outcome};
use super::object::Object;
use super::percent;
use super::syntax::Operator;
use crate::source::declarative::moment::{Calendar, Delta, Moment, add_days};
use crate::source::declarative::number;

/// Bits of an integer that a power may have.
const WIDEST: u64 = 200_000;

impl Operator {
    fn sign(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Sub => "-",
            Self::Mul => "*",
            Self::Div => "/",
            Self::FloorDiv => "//",
            Self::Mod => "%",
            Self::Pow => "** or pow()",
        }
    }
}

/// `left operator right`.
pub(super) fn apply<'a>(
    left: &Object<'a>,
    operator: Operator,
    right: &Object<'a>,
    budget: &Budget,
) -> Outcome<Object<'a>> {
    if let (Object::Int(left), Object::Int(right)) = (left, right)
        && let Some(result) = small(*left, operator, *right)
    {
        return Ok(result);
    }
    left.demand()?;
    // Text is formatted with what is undefined; everything else fails.
    let formats = operator == Operator::Mod && matches!(left.kind(), "str" | "Markup");
    if !formats {
        right.demand()?;
    }
    if let Some(result) = numbers(left, operator, right)? {
        return Ok(result);
    }
    let result = match operator {
        Operator::Add => add(left, right, budget)?,
        Operator::Sub => subtract(left, right)?,
        Operator::Mul => multiply(left, right, budget)?,
        Operator::Mod if formats => {
            let text = percent::format(left.as_str().unwrap_or_default(), right, budget)?;
            Some(if matches!(left, Object::Markup(_)) { Object::Markup(text.into()) } else { text.into() })
        }
        Operator::Div | Operator::FloorDiv | Operator::Mod => divide_spans(left, operator, right)?,
        Operator::Pow => None,
    };
    result.ok_or_else(|| {
        let (sign, left, right) = (operator.sign(), left.kind(), right.kind());
        Fault::kind(format!("unsupported operand type(s) for {sign}: '{left}' and '{right}'"))
    })
}

fn small<'a>(left: i64, operator: Operator, right: i64) -> Option<Object<'a>> {
    let result = match operator {
        Operator::Add => left.checked_add(right)?,
        Operator::Sub => left.checked_sub(right)?,
        Operator::Mul => left.checked_mul(right)?,
        Operator::FloorDiv => {
            let quotient = left.checked_div(right)?;
            quotient - i64::from(left % right != 0 && (left < 0) != (right < 0))
        }
        Operator::Mod => {
            let rest = left.checked_rem(right)?;
            if rest != 0 && (rest < 0) != (right < 0) { rest + right } else { rest }
        }
        Operator::Div | Operator::Pow => return None,
    };
    Some(Object::Int(result))
}

const BY_ZERO: &str = "division by zero";

fn numbers<'a>(left: &Object<'a>, operator: Operator, right: &Object<'a>) -> Outcome<Option<Object<'a>>> {
    if let (Some(left), Some(right)) = (left.as_integer(), right.as_integer()) {
        return integers(&left, operator, &right).map(Some);
    }
    let is_number = |object: &Object| object.is_integer() || matches!(object, Object::Float(_));
    if !is_number(left) || !is_number(right) {
        return Ok(None);
    }
    let (left, right) = (to_float(left)?, to_float(right)?);
    if right == 0.0 && matches!(operator, Operator::Div | Operator::FloorDiv | Operator::Mod) {
        return Err(Fault::other(BY_ZERO));
    }
    let modulo = || {
        let rest = left % right;
        if rest == 0.0 {
            0f64.copysign(right)
        } else if (rest < 0.0) == (right < 0.0) {
            rest
        } else {
            rest + right
        }
    };
    Ok(Some(Object::Float(match operator {
        Operator::Add => left + right,
        Operator::Sub => left - right,
        Operator::Mul => left * right,
        Operator::Div => left / right,
        Operator::Mod => modulo(),
        Operator::FloorDiv => {
            let quotient = (left - modulo()) / right;
            let floor = quotient.floor();
            if quotient - floor > 0.5 { floor + 1.0 } else { floor }
        }
        Operator::Pow => power(left, right)?,
    })))
}

fn power(left: f64, right: f64) -> Outcome<f64> {
    if left == 0.0 && right < 0.0 {
        return Err(Fault::other("0.0 cannot be raised to a negative power"));
    }
    let result = left.powf(right);
    if left < 0.0 && right.fract() != 0.0 && right.is_finite() {
        return Err(Fault::other("a root of a negative number is complex, which is not supported"));
    }
    if result.is_infinite() && left.is_finite() && right.is_finite() {
        return Err(Fault::other("a number is too large"));
    }
    Ok(result)
}

pub(super) fn to_float(object: &Object<'_>) -> Outcome<f64> {
    match object {
        Object::Float(number) => Ok(*number),
        #[expect(clippy::cast_precision_loss, reason = "the nearest double is what is asked for")]
        Object::Int(number) => Ok(*number as f64),
        other => other
            .as_integer()
            .and_then(|number| number::to_float(&number))
            .ok_or_else(|| Fault::other("int too large to convert to float")),
    }
}

fn integers<'a>(left: &BigInt, operator: Operator, right: &BigInt) -> Outcome<Object<'a>> {
    if right.is_zero() && matches!(operator, Operator::Div | Operator::FloorDiv | Operator::Mod) {
        return Err(Fault::other(BY_ZERO));
    }
    if left.bits().max(right.bits()) > WIDEST
        || (operator == Operator::Mul && left.bits() + right.bits() > WIDEST)
    {
        return Err(Fault::Limit("a number has too many digits".to_owned()));
    }
    let uneven = || !(left % right).is_zero() && left.is_negative() != right.is_negative();
    Ok(match operator {
        Operator::Add => left + right,
        Operator::Sub => left - right,
        Operator::Mul => left * right,
        Operator::FloorDiv => left / right - BigInt::from(u8::from(uneven())),
        Operator::Mod => {
            let rest = left % right;
            if uneven() { rest + right } else { rest }
        }
        Operator::Div => return true_division(left, right).map(Object::Float),
        Operator::Pow => return integer_power(left, right),
    }
    .into())
}

fn true_division(left: &BigInt, right: &BigInt) -> Outcome<f64> {
    const EXACT: u64 = 53;
    if left.bits() <= EXACT && right.bits() <= EXACT {
        return Ok(left.to_f64().unwrap_or(0.0) / right.to_f64().unwrap_or(1.0));
    }
    // Enough digits of the quotient that rounding them is rounding it: 66 bits, the last of which says whether more follow.
    let shift = 66 + i64::try_from(right.bits()).unwrap_or(0) - i64::try_from(left.bits()).unwrap_or(0);
    let (top, bottom) = (left.abs(), right.abs());
    let scaled = if shift > 0 { &top << shift } else { top.clone() };
    let bottom = if shift < 0 { &bottom << -shift } else { bottom };
    let (quotient, rest) = (&scaled / &bottom, &scaled % &bottom);
    let mut bits =
        quotient.to_u128().ok_or_else(|| Fault::other("integer division result too large for a float"))?;
    bits |= u128::from(!rest.is_zero());
    #[expect(clippy::cast_precision_loss, reason = "this is the one rounding")]
    let mantissa = bits as f64;
    let exponent = i32::try_from(-shift).map_err(|_| Fault::other("a number is too large"))?;
    let result = scale(mantissa, exponent);
    if result.is_infinite() {
        return Err(Fault::other("integer division result too large for a float"));
    }
    Ok(if left.is_negative() == right.is_negative() { result } else { -result })
}

/// `mantissa` times two to the power of `exponent`, in steps that stay in range.
fn scale(mantissa: f64, mut exponent: i32) -> f64 {
    let mut result = mantissa;
    while exponent != 0 {
        let step = exponent.clamp(-500, 500);
        result *= 2f64.powi(step);
        exponent -= step;
    }
    result
}

fn integer_power<'a>(left: &BigInt, right: &BigInt) -> Outcome<Object<'a>> {
    if right.is_negative() {
        let left = number::to_float(left).ok_or_else(|| Fault::other("int too large to convert to float"))?;
        let right =
            number::to_float(right).ok_or_else(|| Fault::other("int too large to convert to float"))?;
        return power(left, right).map(Object::Float);
    }
    let too_large = || Fault::Limit("a number has too many digits".to_owned());
    let is_unit = left.bits() <= 1;
    let exponent = if is_unit {
        // 0, 1 and -1 stay small.
        let parity = u32::from((right % 2u32) == BigInt::from(1));
        if right.is_zero() { 0 } else { 2 - parity }
    } else {
        right
            .to_u32()
            .filter(|exponent| u64::from(*exponent) * left.bits() <= WIDEST)
            .ok_or_else(too_large)?
    };
    Ok(left.pow(exponent).into())
}

fn add<'a>(left: &Object<'a>, right: &Object<'a>, budget: &Budget) -> Outcome<Option<Object<'a>>> {
    if let (Some(first), Some(second)) = (left.as_str(), right.as_str()) {
        budget.room(first.len() + second.len())?;
        return Ok(Some(match (left, right) {
            (Object::Text(_), Object::Text(_)) => format!("{first}{second}").into(),
            _ => Object::Markup(format!("{}{}", escaped(left), escaped(right)).into()),
        }));
    }
    if matches!(left.kind(), "str" | "Markup") {
        return Err(Fault::kind(format!("can only concatenate str (not \"{}\") to str", right.kind())));
    }
    if matches!(left.kind(), "list" | "tuple") && left.kind() == right.kind() {
        let (mut items, more) = (left.items()?, right.items()?);
        budget.room((items.len() + more.len()) * size_of::<Object>())?;
        items.extend(more);
        return Ok(Some(if left.kind() == "list" { Object::list(items) } else { Object::tuple(items) }));
    }
    Ok(match (left, right) {
        (Object::Bytes(left), Object::Bytes(right)) => {
            Some(Object::Bytes([&left[..], right].concat().into()))
        }
        (Object::Delta(left), Object::Delta(right)) => Some(span(left.0 + right.0)?),
        (Object::Moment(moment), Object::Delta(delta)) | (Object::Delta(delta), Object::Moment(moment)) => {
            Some(in_range(moment.plus(**delta))?)
        }
        (Object::Date(date), Object::Delta(delta)) | (Object::Delta(delta), Object::Date(date)) => {
            Some(Object::Date(add_days(*date, **delta).ok_or_else(out_of_range)?))
        }
        (Object::Calendar(calendar), Object::Moment(moment))
        | (Object::Moment(moment), Object::Calendar(calendar)) => Some(in_range(calendar.after(moment))?),
        (Object::Calendar(calendar), Object::Date(date))
        | (Object::Date(date), Object::Calendar(calendar)) => {
            Some(Object::Date(calendar.after_date(*date).ok_or_else(out_of_range)?))
        }
        (Object::Calendar(calendar), Object::Delta(delta))
        | (Object::Delta(delta), Object::Calendar(calendar)) => {
            Some(with_rest(**calendar, calendar.rest.0 + delta.0))
        }
        (Object::Calendar(left), Object::Calendar(right)) => Some(joined(**left, **right)),
        _ => None,
    })
}

fn subtract<'a>(left: &Object<'a>, right: &Object<'a>) -> Outcome<Option<Object<'a>>> {
    Ok(match (left, right) {
        (Object::Delta(left), Object::Delta(right)) => Some(span(left.0 - right.0)?),
        (Object::Moment(moment), Object::Delta(delta)) => Some(in_range(moment.plus(Delta(-delta.0)))?),
        (Object::Moment(left), Object::Moment(right)) => {
            if left.zone.is_some() != right.zone.is_some() {
                return Err(Fault::kind("can't subtract offset-naive and offset-aware datetimes"));
            }
            Some(span(i128::from(left.epoch_micros()) - i128::from(right.epoch_micros()))?)
        }
        (Object::Date(date), Object::Delta(delta)) => {
            let days = Delta(-delta.days() * 86_400_000_000);
            Some(Object::Date(add_days(*date, days).ok_or_else(out_of_range)?))
        }
        (Object::Date(left), Object::Date(right)) => {
            Some(span(i128::from((*left - *right).num_days()) * 86_400_000_000)?)
        }
        (Object::Moment(moment), Object::Calendar(calendar)) => {
            Some(in_range(calendar.negated().after(moment))?)
        }
        (Object::Date(date), Object::Calendar(calendar)) => {
            Some(Object::Date(calendar.before_date(*date).ok_or_else(out_of_range)?))
        }
        (Object::Calendar(calendar), Object::Delta(delta)) => {
            Some(with_rest(**calendar, calendar.rest.0 - delta.0))
        }
        (Object::Delta(delta), Object::Calendar(calendar)) => {
            Some(with_rest(calendar.negated(), delta.0 - calendar.rest.0))
        }
        (Object::Calendar(left), Object::Calendar(right)) => Some(joined(**left, right.negated())),
        _ if left.kind() == "set" && right.kind() == "set" => {
            let (items, others) = (left.items()?, right.items()?);
            let left: Vec<_> =
                items.into_iter().filter(|item| !others.iter().any(|other| other.equals(item))).collect();
            Some(Object::Set(Rc::new(left.into())))
        }
        _ => None,
    })
}

fn multiply<'a>(left: &Object<'a>, right: &Object<'a>, budget: &Budget) -> Outcome<Option<Object<'a>>> {
    let (value, count) = if right.is_integer() { (left, right) } else { (right, left) };
    if let (Object::Delta(delta), Object::Float(factor)) = (value, count) {
        return Ok(Some(scaled(**delta, *factor)?.into()));
    }
    if let (Object::Float(factor), Object::Delta(delta)) = (value, count) {
        return Ok(Some(scaled(**delta, *factor)?.into()));
    }
    let Some(times) = count.as_integer() else { return Ok(None) };
    match value {
        Object::Delta(delta) => {
            let times = times.to_i64().ok_or_else(out_of_range)?;
            return Ok(Some(span(delta.0.checked_mul(i128::from(times)).ok_or_else(out_of_range)?)?));
        }
        Object::Calendar(calendar) => {
            let times = times.to_i32().ok_or_else(out_of_range)?;
            let factor = f64::from(times);
            let rest = Delta(calendar.rest.0.saturating_mul(i128::from(times)));
            let (years, months) = (calendar.years * factor, calendar.months * factor);
            return Ok(Some(Object::Calendar(Rc::new(Calendar { years, months, rest }))));
        }
        _ => {}
    }
    if !matches!(value.kind(), "str" | "Markup" | "list" | "tuple" | "bytes") {
        return Ok(None);
    }
    let too_large = || Fault::Limit("a value is repeated too often".to_owned());
    let times = if times.is_negative() { 0 } else { times.to_usize().ok_or_else(too_large)? };
    if let Some(text) = value.as_str() {
        budget.room(text.len().checked_mul(times).ok_or_else(too_large)?)?;
        let text = text.repeat(times);
        return Ok(Some(if matches!(value, Object::Markup(_)) {
            Object::Markup(text.into())
        } else {
            text.into()
        }));
    }
    if let Object::Bytes(bytes) = value {
        budget.room(bytes.len().checked_mul(times).ok_or_else(too_large)?)?;
        return Ok(Some(Object::Bytes(bytes.repeat(times).into())));
    }
    let items = value.items()?;
    budget.room((items.len() * size_of::<Object>()).checked_mul(times).ok_or_else(too_large)?)?;
    let repeated: Vec<Object<'a>> = std::iter::repeat_n(&items, times).flatten().cloned().collect();
    Ok(Some(if value.kind() == "list" { Object::list(repeated) } else { Object::tuple(repeated) }))
}

fn divide_spans<'a>(
    left: &Object<'a>,
    operator: Operator,
    right: &Object<'a>,
) -> Outcome<Option<Object<'a>>> {
    let Object::Delta(delta) = left else { return Ok(None) };
    let micros = delta.0;
    match right {
        Object::Delta(other) => {
            if other.0 == 0 {
                return Err(Fault::other(BY_ZERO));
            }
            let (left, right) = (BigInt::from(micros), BigInt::from(other.0));
            Ok(Some(match operator {
                Operator::Div => Object::Float(true_division(&left, &right)?),
                Operator::FloorDiv => integers(&left, operator, &right)?,
                _ => span(
                    micros.rem_euclid(other.0)
                        + if other.0 < 0 && micros.rem_euclid(other.0) != 0 { other.0 } else { 0 },
                )?,
            }))
        }
        Object::Float(divisor) if operator == Operator::Div => {
            if *divisor == 0.0 {
                return Err(Fault::other(BY_ZERO));
            }
            Ok(Some(scaled(*delta.as_ref(), 1.0 / divisor)?.into()))
        }
        other => {
            let Some(divisor) = other.as_int().filter(|_| operator != Operator::Mod) else { return Ok(None) };
            if divisor == 0 {
                return Err(Fault::other(BY_ZERO));
            }
            let divisor = i128::from(divisor);
            let floor =
                micros.div_euclid(divisor) - i128::from(divisor < 0 && micros.rem_euclid(divisor) != 0);
            if operator == Operator::FloorDiv {
                return Ok(Some(span(floor)?));
            }
            // Rounded to the even neighbour.
            let rest = micros - floor * divisor;
            let twice = (rest * 2).abs().cmp(&divisor.abs());
            let up = twice.is_gt() || (twice.is_eq() && floor % 2 != 0);
            Ok(Some(span(floor + i128::from(up))?))
        }
    }
}

fn scaled(delta: Delta, factor: f64) -> Outcome<Delta> {
    if !factor.is_finite() {
        return Err(Fault::other("cannot convert float to integer"));
    }
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "checked against the range after"
    )]
    let micros = (delta.0 as f64 * factor).round_ties_even() as i128;
    Delta::checked(micros).ok_or_else(out_of_range)
}

fn with_rest<'a>(calendar: Calendar, rest: i128) -> Object<'a> {
    Object::Calendar(Rc::new(Calendar { rest: Delta(rest), ..calendar }))
}

fn joined<'a>(left: Calendar, right: Calendar) -> Object<'a> {
    let (years, months) = (left.years + right.years, left.months + right.months);
    Object::Calendar(Rc::new(Calendar { years, months, rest: Delta(left.rest.0 + right.rest.0) }))
}

pub(super) fn out_of_range() -> Fault {
    Fault::other("date value out of range")
}

fn in_range<'a>(moment: Option<Moment>) -> Outcome<Object<'a>> {
    moment.map(Object::from).ok_or_else(out_of_range)
}

fn span<'a>(micros: i128) -> Outcome<Object<'a>> {
    Delta::checked(micros).map(Object::from).ok_or_else(out_of_range)
}

/// Text as it goes into markup.
pub(super) fn escaped(object: &Object<'_>) -> String {
    match object {
        Object::Markup(text) => text.to_string(),
        other => escape(&other.text().unwrap_or_default()),
    }
}

pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('>', "&gt;")
        .replace('<', "&lt;")
        .replace('\'', "&#39;")
        .replace('"', "&#34;")
}

/// `-value`.
pub(super) fn negate<'a>(value: &Object<'a>) -> Outcome<Object<'a>> {
    value.demand()?;
    match value {
        Object::Float(number) => Ok(Object::Float(-number)),
        Object::Delta(delta) => span(-delta.0),
        Object::Calendar(calendar) => Ok(Object::Calendar(Rc::new(calendar.negated()))),
        other => match other.as_integer() {
            Some(number) => Ok((-number).into()),
            None => Err(Fault::kind(format!("bad operand type for unary -: '{}'", other.kind()))),
        },
    }
}

/// `+value`.
pub(super) fn posit<'a>(value: &Object<'a>) -> Outcome<Object<'a>> {
    value.demand()?;
    match value {
        Object::Float(_) | Object::Delta(_) => Ok(value.clone()),
        other => match other.as_integer() {
            Some(number) => Ok(number.into()),
            None => Err(Fault::kind(format!("bad operand type for unary +: '{}'", other.kind()))),
        },
    }
}
