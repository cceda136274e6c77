//! Cursors in the future and times of many zones.

use serde_json::{Value, json};

use super::server::page;
use super::{Case, stream};

/// A stream `items` with a cursor over `at`.
fn case(items: impl Fn(usize) -> Value + Send + Sync + 'static) -> Case {
    let sync = "    incremental_sync:
      type: DatetimeBasedCursor
      cursor_field: at
      datetime_format: '%Y-%m-%dT%H:%M:%S%z'
      cursor_datetime_formats: ['%Y-%m-%dT%H:%M:%S%z', '%Y-%m-%dT%H:%M:%SZ', '%Y-%m-%d %H:%M:%S']
      start_datetime: '2024-01-01T00:00:00+0000'
      end_datetime: '{{ now_utc().strftime(\"%Y-%m-%dT%H:%M:%S%z\") }}'
      start_time_option: {type: RequestOption, inject_into: request_parameter, field_name: since}
";
    let case = Case::of(&stream("items", "", sync), move |number, _| {
        page(json!({"items": items(number)}).to_string())
    });
    Case { place: case.place.set("TIDEGATE_NOW", "2024-03-01T12:00:00Z"), server: case.server }
}

fn at(read: &super::Read) -> String {
    let state = read.states.last().expect("a state");
    state["stream"]["stream_state"]["at"].as_str().expect("a time").to_owned()
}

/// The state that comes last, as the next read takes it.
fn state(read: &super::Read) -> Value {
    let mut state = read.states.last().expect("a state").clone();
    state.as_object_mut().expect("an object").remove("sourceStats");
    json!([state])
}

#[test]
fn times_of_many_zones_are_compared_as_points_in_time() {
    let case = case(|_| {
        json!([
            {"id": 1, "at": "2024-02-01T10:00:00+0200"},
            {"id": 2, "at": "2024-02-01T09:30:00Z"},
            {"id": 3, "at": "2024-02-01 09:15:00"},
            {"id": 4, "at": "2024-02-01T04:00:00-0500"},
        ])
    });
    let read = case.read().gives(1..5);
    assert_eq!(at(&read), "2024-02-01T09:30:00+0000");
}

#[test]
fn a_cursor_in_the_future_is_told() {
    let case = case(|number| match number {
        0 => json!([{"id": 1, "at": "2024-02-01T00:00:00Z"}, {"id": 2, "at": "2999-01-01T00:00:00Z"}]),
        _ => json!([{"id": 3, "at": "2024-03-01T00:00:00Z"}]),
    });
    let read = case.read().gives([1, 2]);
    assert_eq!(at(&read), "2999-01-01T00:00:00+0000");
    // As in the reference nothing is asked for before 2999; here it is told.
    let again = case.read_streams(&["items"], Some(&state(&read))).gives([]);
    assert!(again.said.contains("lies in the future"), "{}", again.said);
    assert_eq!(case.asked(), 1);
    assert!(!read.said.contains("lies in the future"), "{}", read.said);
}

#[test]
fn a_time_that_can_not_be_read_moves_no_state() {
    let case = case(|_| json!([{"id": 1, "at": "yesterday"}, {"id": 2, "at": null}, {"id": 3}]));
    let read = case.read().gives(1..4);
    assert_eq!(at(&read), "2024-01-01T00:00:00+0000");
}
