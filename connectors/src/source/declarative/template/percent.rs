//! `'%s' % value`, `'{}'.format(value)` and format specifications.

use num_bigint::BigInt;
use num_traits::Signed;

use super::budget::Budget;
use super::fault::{Fault, Outcome};
use super::object::Object;
use super::operator::to_float;
use crate::source::declarative::number;

/// The widest field.
const WIDEST: usize = 1 << 20;

/// What a conversion asks for.
#[derive(Default)]
struct Spec {
    fill: Option<char>,
    align: Option<char>,
    sign: Option<char>,
    alternate: bool,
    zero: bool,
    width: usize,
    comma: Option<char>,
    precision: Option<usize>,
    kind: Option<char>,
}

/// `text % args`.
pub(super) fn format(text: &str, args: &Object<'_>, budget: &Budget) -> Outcome<String> {
    let mut given: std::collections::VecDeque<Object> =
        if args.kind() == "tuple" { args.items()?.into() } else { [args.clone()].into() };
    let mut used_mapping = false;
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let mut value = None;
        if characters.next_if_eq(&'(').is_some() {
            let key: String = characters.by_ref().take_while(|c| *c != ')').collect();
            if !args.is_mapping() {
                return Err(Fault::kind("format requires a mapping"));
            }
            let found = args.lookup(&Object::from(key));
            value = Some(found.ok_or_else(|| Fault::other("a key of the format is missing"))?);
            used_mapping = true;
        }
        let mut spec = Spec { fill: Some(' '), align: Some('>'), ..Spec::default() };
        while let Some(flag) = characters.next_if(|c| "#0- +".contains(*c)) {
            match flag {
                '#' => spec.alternate = true,
                '0' => spec.zero = true,
                '-' => spec.align = Some('<'),
                sign if spec.sign != Some('+') => spec.sign = Some(sign),
                _ => {}
            }
        }
        let mut next =
            || given.pop_front().ok_or_else(|| Fault::kind("not enough arguments for format string"));
        if characters.next_if_eq(&'*').is_some() {
            let width = next()?.as_int().ok_or_else(|| Fault::kind("* wants int"))?;
            if width < 0 {
                spec.align = Some('<');
            }
            spec.width = usize::try_from(width.unsigned_abs()).unwrap_or(WIDEST + 1);
        }
        while let Some(digit) = characters.next_if(char::is_ascii_digit) {
            spec.width = (spec.width * 10 + digit as usize - '0' as usize).min(WIDEST + 1);
        }
        if characters.next_if_eq(&'.').is_some() {
            let mut precision = 0;
            if characters.next_if_eq(&'*').is_some() {
                let wanted = next()?.as_int().ok_or_else(|| Fault::kind("* wants int"))?;
                precision = usize::try_from(wanted.max(0)).unwrap_or(WIDEST + 1);
            }
            while let Some(digit) = characters.next_if(char::is_ascii_digit) {
                precision = (precision * 10 + digit as usize - '0' as usize).min(WIDEST + 1);
            }
            spec.precision = Some(precision);
        }
        while characters.next_if(|c| "hlL".contains(*c)).is_some() {}
        let Some(kind) = characters.next() else { return Err(Fault::other("incomplete format")) };
        spec.bounded()?;
        if kind == '%' {
            out.push('%');
            continue;
        }
        let value = match value {
            Some(value) => value,
            None => next()?,
        };
        let converted = conversion(&value, kind, spec)?;
        budget.room(converted.len())?;
        out.push_str(&converted);
    }
    let takes_all = used_mapping || args.is_mapping() || args.is_undefined() || args.kind() == "list";
    if !given.is_empty() && !takes_all {
        return Err(Fault::kind("not all arguments converted during string formatting"));
    }
    Ok(out)
}

fn conversion(value: &Object<'_>, kind: char, mut spec: Spec) -> Outcome<String> {
    match kind {
        's' | 'r' | 'a' => {
            let text = if kind == 's' { value.text()?.into_owned() } else { value.repr()? };
            spec.zero = false;
            Ok(spec.text(&text))
        }
        'c' => {
            let character = match (value.as_str(), value.as_int()) {
                (Some(text), _) if text.chars().count() == 1 => text.chars().next(),
                (None, Some(code)) => u32::try_from(code).ok().and_then(char::from_u32),
                _ => None,
            };
            let character = character.ok_or_else(|| Fault::kind("%c requires int or char"))?;
            Ok(spec.text(&character.to_string()))
        }
        'd' | 'i' | 'u' => {
            value.demand()?;
            let number = match value {
                Object::Float(number) => {
                    number::truncate(*number).ok_or_else(|| Fault::other("cannot convert float"))?
                }
                other => other.as_integer().ok_or_else(|| wants_number(kind, value))?,
            };
            spec.kind = Some('d');
            Ok(spec.integer(&number))
        }
        'x' | 'X' | 'o' => {
            value.demand()?;
            let number = value.as_integer().ok_or_else(|| wants_number(kind, value))?;
            spec.kind = Some(kind);
            Ok(spec.integer(&number))
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            value.demand()?;
            let number = to_float(value).map_err(|_| Fault::kind("must be real number"))?;
            spec.kind = Some(kind);
            Ok(spec.float(number))
        }
        other => Err(Fault::other(format!("unsupported format character {other:?}"))),
    }
}

fn wants_number(kind: char, value: &Object<'_>) -> Fault {
    Fault::kind(format!("%{kind} format: a real number is required, not {}", value.kind()))
}

impl Spec {
    /// A specification after the colon of a field.
    fn parse(text: &str) -> Outcome<Self> {
        let mut spec = Self::default();
        let mut characters = text.chars().peekable();
        let mut ahead = text.chars();
        let (first, second) = (ahead.next(), ahead.next());
        if second.is_some_and(|c| "<>=^".contains(c)) {
            (spec.fill, spec.align) = (first, second);
            characters.nth(1);
        } else if let Some(align) = characters.next_if(|c| "<>=^".contains(*c)) {
            spec.align = Some(align);
        }
        spec.sign = characters.next_if(|c| "+- ".contains(*c));
        spec.alternate = characters.next_if_eq(&'#').is_some();
        spec.zero = characters.next_if_eq(&'0').is_some();
        while let Some(digit) = characters.next_if(char::is_ascii_digit) {
            spec.width = (spec.width * 10 + digit as usize - '0' as usize).min(WIDEST + 1);
        }
        spec.comma = characters.next_if(|c| ",_".contains(*c));
        if characters.next_if_eq(&'.').is_some() {
            let mut precision = None;
            while let Some(digit) = characters.next_if(char::is_ascii_digit) {
                precision =
                    Some((precision.unwrap_or(0) * 10 + digit as usize - '0' as usize).min(WIDEST + 1));
            }
            spec.precision =
                Some(precision.ok_or_else(|| Fault::other("Format specifier missing precision"))?);
        }
        spec.kind = characters.next();
        if characters.next().is_some() {
            return Err(Fault::other("Invalid format specifier"));
        }
        spec.bounded()?;
        Ok(spec)
    }

    fn bounded(&self) -> Outcome<()> {
        if self.width > WIDEST || self.precision.is_some_and(|precision| precision > WIDEST) {
            return Err(Fault::Limit("a format is too wide".to_owned()));
        }
        Ok(())
    }

    fn text(&self, text: &str) -> String {
        let text: String =
            self.precision.map_or_else(|| text.to_owned(), |most| text.chars().take(most).collect());
        self.padded("", &text, '<')
    }

    fn padded(&self, sign: &str, body: &str, usual: char) -> String {
        let missing = self.width.saturating_sub(sign.len() + body.chars().count());
        let left = self.align == Some('<');
        let (fill, align) = match (self.fill, self.align) {
            (Some(' '), _) if self.zero && !left => ('0', '='),
            (fill, Some(align)) => {
                (fill.unwrap_or(if self.zero && fill.is_none() { '0' } else { ' ' }), align)
            }
            (_, None) if self.zero && usual == '>' => ('0', '='),
            (_, None) => (if self.zero { '0' } else { ' ' }, usual),
        };
        let fill = |count: usize| fill.to_string().repeat(count);
        match align {
            '<' => format!("{sign}{body}{}", fill(missing)),
            '^' => format!("{}{sign}{body}{}", fill(missing / 2), fill(missing - missing / 2)),
            '=' => format!("{sign}{}{body}", fill(missing)),
            _ => format!("{}{sign}{body}", fill(missing)),
        }
    }

    fn sign(&self, negative: bool) -> &'static str {
        match (negative, self.sign) {
            (true, _) => "-",
            (false, Some('+')) => "+",
            (false, Some(' ')) => " ",
            _ => "",
        }
    }

    fn integer(&self, number: &BigInt) -> String {
        let magnitude = number.abs();
        let (radix, prefix, group) = match self.kind {
            Some('x') => (16, "0x", 4),
            Some('X') => (16, "0X", 4),
            Some('o') => (8, "0o", 4),
            Some('b') => (2, "0b", 4),
            _ => (10, "", 3),
        };
        let mut digits = magnitude.to_str_radix(radix);
        if self.kind == Some('X') {
            digits.make_ascii_uppercase();
        }
        if let Some(precision) = self.precision {
            digits = format!("{digits:0>precision$}");
        }
        let body = self.comma.map_or_else(|| digits.clone(), |comma| grouped(&digits, comma, group));
        let sign = self.sign(number.is_negative());
        let prefix = if self.alternate { prefix } else { "" };
        self.padded(&format!("{sign}{prefix}"), &body, '>')
    }

    fn float(&self, number: f64) -> String {
        let magnitude = number.abs();
        let upper = self.kind.is_some_and(|kind| kind.is_ascii_uppercase());
        let mut body =
            if magnitude.is_finite() { self.digits(magnitude) } else { number::float_text(magnitude) };
        if upper {
            body.make_ascii_uppercase();
        }
        if let Some(comma) = self.comma {
            let end = body.find(|c: char| !c.is_ascii_digit()).unwrap_or(body.len());
            body = format!("{}{}", grouped(&body[..end], comma, 3), &body[end..]);
        }
        self.padded(self.sign(number.is_sign_negative() && !number.is_nan()), &body, '>')
    }

    fn digits(&self, number: f64) -> String {
        match self.kind.map(|kind| kind.to_ascii_lowercase()) {
            Some('f') => format!("{number:.*}", self.precision.unwrap_or(6)),
            Some('%') => format!("{:.*}%", self.precision.unwrap_or(6), number * 100.0),
            Some('e') => scientific(number, self.precision.unwrap_or(6)),
            Some('g' | 'n') => general(number, self.precision.unwrap_or(6).max(1), self.alternate),
            _ => match self.precision {
                None => number::float_text(number),
                Some(precision) => {
                    let text = general(number, precision.max(1), false);
                    if text.contains(['.', 'e']) { text } else { format!("{text}.0") }
                }
            },
        }
    }
}

fn scientific(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

fn general(number: f64, precision: usize, alternate: bool) -> String {
    let rounded = format!("{number:.*e}", precision - 1);
    let exponent: i64 = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let most = i64::try_from(precision).unwrap_or(i64::MAX);
    let trim = |text: &str| {
        if alternate || !text.contains('.') {
            return text.to_owned();
        }
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    if exponent < -4 || exponent >= most {
        let text = scientific(number, precision - 1);
        let (digits, rest) = text.split_once('e').unwrap_or((&text, "+00"));
        return format!("{}e{rest}", trim(digits));
    }
    let places = usize::try_from(most - 1 - exponent).unwrap_or(0);
    trim(&format!("{number:.places$}"))
}

fn grouped(digits: &str, comma: char, group: usize) -> String {
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(group) {
            out.push(comma);
        }
        out.push(digit);
    }
    out
}

/// What `format(value, spec)` gives.
pub(super) fn formatted(value: &Object<'_>, spec: &str) -> Outcome<String> {
    if let Object::Moment(moment) = value {
        let text = crate::source::declarative::moment::write(&moment.wall, moment.zone, spec);
        return Ok(if spec.is_empty() { moment.iso(' ') } else { text });
    }
    if spec.is_empty() {
        return Ok(value.text()?.into_owned());
    }
    if let Object::Date(date) = value {
        let midnight = date.and_hms_opt(0, 0, 0).unwrap_or_default();
        return Ok(crate::source::declarative::moment::write(&midnight, None, spec));
    }
    let spec = Spec::parse(spec)?;
    match (value, spec.kind) {
        (Object::Text(_) | Object::Markup(_), None | Some('s')) => {
            Ok(spec.text(value.as_str().unwrap_or_default()))
        }
        (Object::Float(number), None | Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | 'n' | '%')) => {
            Ok(spec.float(*number))
        }
        (_, Some('e' | 'E' | 'f' | 'F' | 'g' | 'G' | '%')) if value.is_integer() => {
            Ok(spec.float(to_float(value)?))
        }
        (_, None | Some('d' | 'n' | 'x' | 'X' | 'o' | 'b')) if value.is_integer() => {
            if spec.precision.is_some() {
                return Err(Fault::other("Precision not allowed in integer format specifier"));
            }
            let number = value.as_integer().unwrap_or_default();
            if let (Object::Bool(_), None) = (value, spec.kind) {
                return Ok(spec.integer(&number));
            }
            Ok(spec.integer(&number))
        }
        (_, Some('c')) if value.is_integer() => {
            let code = value.as_int().and_then(|code| u32::try_from(code).ok()).and_then(char::from_u32);
            code.map(|character| spec.text(&character.to_string()))
                .ok_or_else(|| Fault::other("%c arg not in range"))
        }
        (
            Object::Text(_)
            | Object::Markup(_)
            | Object::Float(_)
            | Object::Bool(_)
            | Object::Int(_)
            | Object::Big(_),
            _,
        ) => Err(Fault::other(format!("unknown format code for object of type '{}'", value.kind()))),
        _ => Err(Fault::kind(format!("unsupported format string passed to {}.__format__", value.kind()))),
    }
}
