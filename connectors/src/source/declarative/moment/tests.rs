use std::fmt::Write as _;

use chrono::{DateTime, FixedOffset, Utc};

use super::*;
use crate::source::declarative::value::Value;

const LOADING: &str = include_str!("../fixtures/loading.json");

fn rows<'v>(document: &'v Value, name: &str) -> Vec<(DatetimeFormat, &'v Value)> {
    let rows = document.get(name).and_then(Value::as_list).expect("rows");
    rows.iter()
        .map(|row| {
            let [format, found] = row.as_list().expect("a row") else { panic!("a row has two parts") };
            (DatetimeFormat::new(format.as_text().expect("a format")), found)
        })
        .collect()
}

#[test]
fn dates_are_the_reference_s() {
    let document = Value::from_json(LOADING.as_bytes()).expect("the fixture is JSON");
    let mut report = String::new();
    for (format, wanted) in rows(&document, "read") {
        for text in document.get("texts").and_then(Value::as_list).expect("texts") {
            let wanted = text.as_text().and_then(|text| wanted.get(text)).and_then(Value::as_text);
            let found = format.read(text).ok().map(|moment| moment.iso('T'));
            if found.as_deref() != wanted {
                let _ = writeln!(
                    report,
                    "{:?} read by {:?}: reference {wanted:?}, ours {found:?}",
                    text.to_json(),
                    format.text()
                );
            }
        }
    }
    for (format, wanted) in rows(&document, "written") {
        for (moment, wanted) in wanted.as_map().expect("moments").iter() {
            let moment: DateTime<FixedOffset> = moment.parse().expect("a moment");
            let found = format.format(&moment);
            if wanted.as_text() != Some(&found) {
                let _ = writeln!(
                    report,
                    "{moment} written by {:?}: reference {}, ours {found:?}",
                    format.text(),
                    wanted.to_json()
                );
            }
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[test]
fn months_are_counted_on_the_calendar() {
    let moment = |text: &str| text.parse::<DateTime<Utc>>().expect("a moment");
    let month = Duration::parse("P1M").expect("a duration");
    assert_eq!(month.after(&moment("2024-01-31T00:00:00Z")), Some(moment("2024-02-29T00:00:00Z")));
    assert_eq!(month.before(&moment("2024-03-31T12:00:00Z")), Some(moment("2024-02-29T12:00:00Z")));
    assert!(Duration::parse("P0D").expect("a duration").is_zero());
    assert!(!month.is_zero());
    for text in ["", "P", "1D", "P1", "PD", "P1H", "PT1D", "P1D1Y"] {
        assert!(Duration::parse(text).is_err(), "{text}");
    }
}
