//! `strptime`: reads a moment by a format, in the way of Python's regular expressions: each directive first takes
//! what Python's alternatives take first, and gives back where the rest would not fit.

use chrono::{Datelike, NaiveDate, TimeDelta};

use super::write::{DAYS, MONTHS};
use super::{Moment, Zone};

/// Why a text is not what the format says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The format has a directive that can't be read, or one twice.
    Format,
    /// The text does not fit.
    Text,
}

/// What the directives found.
#[derive(Clone, Default)]
struct Found {
    numbers: Vec<(char, i64)>,
    zone: Option<i64>,
    is_afternoon: Option<bool>,
    weekday: Option<i64>,
    month: Option<i64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Item {
    Directive(char),
    Blank,
    Character(char),
}

/// Reads `text` by `format`. Without a zone in the text the moment has none.
pub(crate) fn scan(text: &str, format: &str) -> Result<Moment, Fault> {
    let mut items = Vec::with_capacity(format.len());
    expand(format, &mut items)?;
    for (place, item) in items.iter().enumerate() {
        if matches!(item, Item::Directive(_)) && items[..place].contains(item) {
            return Err(Fault::Format);
        }
    }
    let mut found = Found::default();
    let mut steps = 0;
    if !fits(&items, text, &mut found, &mut steps) {
        return Err(Fault::Text);
    }
    found.moment().ok_or(Fault::Text)
}

/// The parts of a format; blanks of any number fit blanks of any number.
fn expand(format: &str, items: &mut Vec<Item>) -> Result<(), Fault> {
    let mut characters = format.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            if !crate::source::declarative::number::is_space(character) {
                items.push(Item::Character(character));
            } else if items.last() != Some(&Item::Blank) {
                items.push(Item::Blank);
            }
            continue;
        }
        match characters.next() {
            Some('c') => expand("%a %b %d %H:%M:%S %Y", items)?,
            Some('x') => expand("%m/%d/%y", items)?,
            Some('X') => expand("%H:%M:%S", items)?,
            Some('%') => items.push(Item::Character('%')),
            Some(letter) if "aAbBdfHIGjmMpSuUVwWyYzZ".contains(letter) => items.push(Item::Directive(letter)),
            _ => return Err(Fault::Format),
        }
    }
    Ok(())
}

fn fits(items: &[Item], text: &str, found: &mut Found, steps: &mut u32) -> bool {
    *steps += 1;
    // No format of any sense comes near; one with many blanks could double the work with each.
    if *steps > 100_000 {
        return false;
    }
    let Some((item, items)) = items.split_first() else { return text.is_empty() };
    match *item {
        Item::Character(wanted) => {
            let Some(character) = text.chars().next() else { return false };
            let same = character == wanted || character.to_lowercase().eq(wanted.to_lowercase());
            same && fits(items, &text[character.len_utf8()..], found, steps)
        }
        Item::Blank => {
            let end = text.find(|c| !crate::source::declarative::number::is_space(c)).unwrap_or(text.len());
            let mut ends: Vec<usize> = text[..end].char_indices().map(|(at, c)| at + c.len_utf8()).collect();
            ends.reverse();
            ends.into_iter().any(|end| fits(items, &text[end..], found, steps))
        }
        Item::Directive(letter) => {
            for (length, value) in candidates(letter, text) {
                let before = found.clone();
                found.take(letter, value);
                if fits(items, &text[length..], found, steps) {
                    return true;
                }
                *found = before;
            }
            false
        }
    }
}

/// Up to three candidates, in the order in which Python tries them: how long, and what it means.
fn candidates(letter: char, text: &str) -> Vec<(usize, i64)> {
    let bytes = text.as_bytes();
    let number = |length: usize| -> Option<i64> {
        let digits = bytes.get(..length).filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
        std::str::from_utf8(digits).ok()?.parse().ok()
    };
    let within = |length: usize, low: i64, high: i64| {
        number(length).filter(|value| (low..=high).contains(value)).map(|value| (length, value))
    };
    let several = |all: [Option<(usize, i64)>; 3]| all.into_iter().flatten().collect::<Vec<_>>();
    match letter {
        'd' => several([
            within(2, 1, 31),
            within(1, 1, 9),
            (bytes.first() == Some(&b' '))
                .then(|| bytes.get(1))
                .flatten()
                .and_then(|digit| matches!(digit, b'1'..=b'9').then(|| (2, i64::from(digit - b'0')))),
        ]),
        'f' => (1..=6)
            .rev()
            .filter_map(|length| Some((length, number(length)? * 10i64.pow(6 - u32::try_from(length).ok()?))))
            .collect(),
        'H' => several([within(2, 0, 23), within(1, 0, 9), None]),
        'I' | 'm' => several([within(2, 1, 12), within(1, 1, 9), None]),
        'j' => several([within(3, 1, 366), within(2, 1, 99), within(1, 1, 9)]),
        'M' => several([within(2, 0, 59), within(1, 0, 9), None]),
        'S' => several([within(2, 0, 61), within(1, 0, 9), None]),
        'U' | 'W' => several([within(2, 0, 53), within(1, 0, 9), None]),
        'V' => several([within(2, 1, 53), within(1, 0, 9), None]),
        'w' => several([within(1, 0, 6), None, None]),
        'u' => several([within(1, 1, 7), None, None]),
        'y' => several([within(2, 0, 99), None, None]),
        'Y' | 'G' => several([within(4, 0, 9999), None, None]),
        'a' => named(text, DAYS.iter().map(|name| &name[..3])),
        'A' => named(text, DAYS.iter().copied()),
        'b' => named(text, MONTHS.iter().map(|name| &name[..3])),
        'B' => named(text, MONTHS.iter().copied()),
        'p' => named(text, ["AM", "PM"].into_iter()),
        'Z' => named(text, ["UTC", "GMT"].into_iter()),
        'z' => offset(text).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn named<'n>(text: &str, names: impl Iterator<Item = &'n str>) -> Vec<(usize, i64)> {
    let mut hits: Vec<(usize, i64)> = names
        .enumerate()
        .filter(|(_, name)| text.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)))
        .filter_map(|(place, name)| Some((name.len(), i64::try_from(place).ok()?)))
        .collect();
    hits.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
    hits
}

/// `+HH:MM`, with seconds and fractions where they are, or `Z`: in microseconds, the longest first.
fn offset(text: &str) -> Vec<(usize, i64)> {
    let bytes = text.as_bytes();
    let sign = match bytes.first() {
        Some(b'Z') => return vec![(1, 0)],
        Some(b'+') => 1,
        Some(b'-') => -1,
        _ => return Vec::new(),
    };
    let two = |at: usize, high: i64| -> Option<i64> {
        let digits =
            text.get(at..at + 2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
        digits.parse().ok().filter(|value| *value <= high)
    };
    let mut out = Vec::new();
    let Some(hours) = two(1, 99) else { return out };
    let colon = usize::from(bytes.get(3) == Some(&b':'));
    let Some(minutes) = two(3 + colon, 59) else { return out };
    let mut at = 5 + colon;
    out.push((at, sign * (hours * 60 + minutes) * 60_000_000));
    let next = usize::from(bytes.get(at) == Some(&b':'));
    // Python refuses a colon in one place but not in the other.
    if next != colon {
        return out;
    }
    if let Some(seconds) = two(at + next, 59) {
        at += next + 2;
        let whole = (hours * 3600 + minutes * 60 + seconds) * 1_000_000;
        out.insert(0, (at, sign * whole));
        if bytes.get(at) == Some(&b'.') {
            let digits = bytes[at + 1..].iter().take(6).take_while(|byte| byte.is_ascii_digit()).count();
            if let Ok(value) = text[at + 1..at + 1 + digits].parse::<i64>() {
                let scale = 10i64.pow(6 - u32::try_from(digits).unwrap_or(6));
                out.insert(0, (at + 1 + digits, sign * (whole + value * scale)));
            }
        }
    }
    out
}

impl Found {
    fn take(&mut self, letter: char, value: i64) {
        match letter {
            'z' => self.zone = Some(value),
            'p' => self.is_afternoon = Some(value == 1),
            'a' | 'A' => self.weekday = Some(value),
            'w' => self.weekday = Some(if value == 0 { 6 } else { value - 1 }),
            'u' => self.weekday = Some(value - 1),
            'b' | 'B' => self.month = Some(value + 1),
            'm' => self.month = Some(value),
            'Z' => {}
            other => self.numbers.push((other, value)),
        }
    }

    fn number(&self, letter: char) -> Option<i64> {
        self.numbers.iter().find(|(known, _)| *known == letter).map(|(_, value)| *value)
    }

    fn hour(&self) -> i64 {
        match (self.number('H'), self.number('I')) {
            (_, Some(twelve)) => twelve % 12 + if self.is_afternoon == Some(true) { 12 } else { 0 },
            (hour, None) => hour.unwrap_or(0),
        }
    }

    fn year(&self) -> Option<i64> {
        let short = self.number('y').map(|year| if year <= 68 { 2000 + year } else { 1900 + year });
        self.number('Y').or(short)
    }

    fn date(&self) -> Option<NaiveDate> {
        let iso = (self.number('G'), self.number('V'), self.weekday);
        match iso {
            (Some(year), Some(week), Some(day)) if self.number('j').is_none() => {
                return day_of_iso_week(i32::try_from(year).ok()?, week, day);
            }
            (Some(_), ..) | (None, Some(_), _) => return None,
            _ => {}
        }
        let given = self.year();
        let year = i32::try_from(given.unwrap_or(1900)).ok()?;
        if let (Some(_), None, Some(day)) = (given, self.number('j'), self.weekday)
            && let Some((week, first)) = self.number('U').map(|w| (w, 6)).or(self.number('W').map(|w| (w, 0)))
        {
            return day_of_week(year, week, day, first);
        }
        if let (Some(day), Some(_)) = (self.number('j'), given) {
            // The last day of a leap year is the first of the next one in other years.
            return NaiveDate::from_ymd_opt(year, 1, 1)?.checked_add_signed(TimeDelta::days(day - 1));
        }
        let month = u32::try_from(self.month.unwrap_or(1)).ok()?;
        let day = u32::try_from(self.number('d').unwrap_or(1)).ok()?;
        NaiveDate::from_ymd_opt(year, month, day)
    }

    fn moment(&self) -> Option<Moment> {
        let date = self.date().filter(|date| (1..=9999).contains(&date.year()))?;
        let part = |value: i64| u32::try_from(value).ok();
        let wall = date.and_hms_micro_opt(
            part(self.hour())?,
            part(self.number('M').unwrap_or(0))?,
            part(self.number('S').unwrap_or(0))?,
            part(self.number('f').unwrap_or(0))?,
        )?;
        // A zone must be nearer than a day.
        if self.zone.is_some_and(|zone| zone.abs() >= 86_400_000_000) {
            return None;
        }
        Some(Moment { wall, zone: self.zone.map(Zone::east) })
    }
}

/// The day of an ISO week, even of one that the year does not have.
fn day_of_iso_week(year: i32, week: i64, day: i64) -> Option<NaiveDate> {
    let fourth = NaiveDate::from_ymd_opt(year, 1, 4)?;
    let offset = (week - 1) * 7 + day - i64::from(fourth.weekday().num_days_from_monday());
    fourth.checked_add_signed(TimeDelta::days(offset))
}

/// The day of a week counted from the first `first` (0 is Monday) of the year.
fn day_of_week(year: i32, week: i64, day: i64, first: i64) -> Option<NaiveDate> {
    let new_year = NaiveDate::from_ymd_opt(year, 1, 1)?;
    let start = i64::from(new_year.weekday().num_days_from_monday());
    let (start, day) = if first == 6 { ((start + 1) % 7, (day + 1) % 7) } else { (start, day) };
    let to_first_week = (7 - start) % 7;
    let offset = if week == 0 { day - start } else { to_first_week + 7 * (week - 1) + day };
    new_year.checked_add_signed(TimeDelta::days(offset))
}
