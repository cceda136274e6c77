//! Listings that do not end, go in circles, shrink or change while they are read.

use super::server::{page, reply};
use super::{BY_TOKEN, Case};

/// A paginator of that strategy, whose token is the parameter `page`.
fn by(strategy: &str) -> String {
    format!(
        "      paginator:
        type: DefaultPaginator
        page_token_option: {{type: RequestOption, inject_into: request_parameter, field_name: page}}
        pagination_strategy: {strategy}
"
    )
}

fn records(ids: impl IntoIterator<Item = usize>) -> String {
    ids.into_iter().map(|id| format!(r#"{{"id": {id}}}"#)).collect::<Vec<_>>().join(", ")
}

#[test]
fn an_empty_page_with_a_next_one_does_not_end_a_listing() {
    let case = Case::with(BY_TOKEN, |_, asked| match asked.number("page") {
        0 => page(r#"{"items": [{"id": 1}], "next": 1}"#),
        1 => page(r#"{"items": [], "next": 2}"#),
        2 => page(r#"{"next": 3}"#),
        _ => page(r#"{"items": [{"id": 2}], "next": null}"#),
    });
    case.read().gives([1, 2]);
}

#[test]
fn the_same_token_for_ever_is_given_up() {
    let case = Case::with(BY_TOKEN, |_, _| page(r#"{"items": [{"id": 1}, {"id": 2}], "next": "again"}"#));
    case.read().fails("goes in a circle");
    assert!(case.asked() <= 3, "{}", case.asked());
}

#[test]
fn a_ring_of_tokens_is_given_up() {
    let case = Case::with(BY_TOKEN, |_, asked| {
        let number = asked.number("page");
        page(format!(r#"{{"items": [{{"id": {number}}}], "next": {}}}"#, number % 5 + 1))
    });
    case.read().fails("goes in a circle");
    assert!(case.asked() <= 8, "{}", case.asked());
}

#[test]
fn a_scroll_keeps_its_token_to_the_end() {
    let case = Case::with(BY_TOKEN, |number, _| {
        let next = if number < 4 { r#""scroll""# } else { "null" };
        page(format!(r#"{{"items": [{{"id": {number}}}], "next": {next}}}"#))
    });
    case.read().gives(0..5);
}

#[test]
fn an_offset_beyond_the_total_ends_a_listing() {
    for (total, requests) in [(6, 3), (7, 3), (2, 1), (0, 1)] {
        let case = Case::with(&by("{type: OffsetIncrement, page_size: 3}"), move |_, asked| {
            let offset = asked.number("page");
            page(format!(r#"{{"items": [{}]}}"#, records(offset..total.min(offset + 3))))
        });
        case.read().gives(0..total as u64);
        assert_eq!(case.asked(), requests, "of {total}");
    }
}

#[test]
fn an_offset_that_the_server_refuses_is_a_failure() {
    let case = Case::with(&by("{type: OffsetIncrement, page_size: 3}"), |_, asked| {
        if asked.number("page") < 3 {
            page(format!(r#"{{"items": [{}]}}"#, records(0..3)))
        } else {
            reply(416, &[], "")
        }
    });
    assert_eq!(case.read().fails("416").ids(), [0, 1, 2]);
}

#[test]
fn a_total_that_shrinks_ends_a_listing() {
    // Each request finds one record fewer at the end.
    let case = Case::with(&by("{type: OffsetIncrement, page_size: 3}"), |number, asked| {
        let (offset, total) = (asked.number("page"), 12 - 2 * number);
        page(format!(
            r#"{{"items": [{}], "total": {total}}}"#,
            records(offset.min(total)..total.min(offset + 3))
        ))
    });
    case.read().gives(0..8);
}

#[test]
fn a_record_that_moves_to_the_next_page_comes_twice_and_none_is_lost() {
    // A record comes in at the front between two pages.
    let case = Case::with(&by("{type: OffsetIncrement, page_size: 3}"), |number, asked| {
        let all: Vec<usize> =
            if number == 0 { (0..6).collect() } else { [9].into_iter().chain(0..6).collect() };
        let offset = asked.number("page").min(all.len());
        page(format!(r#"{{"items": [{}]}}"#, records(all[offset..all.len().min(offset + 3)].to_vec())))
    });
    let mut ids = case.read().ids();
    ids.sort_unstable();
    assert_eq!(ids, [0, 1, 2, 2, 3, 4, 5]);
}

#[test]
fn link_headers_are_read_however_they_are_written() {
    let paginator = "      paginator:
        type: DefaultPaginator
        page_token_option: {type: RequestPath}
        pagination_strategy:
          type: CursorPagination
          cursor_value: \"{{ headers['link']['next']['url'] }}\"
          stop_condition: \"{{ 'next' not in headers['link'] }}\"
";
    let case = Case::with(paginator, |_, asked| {
        let number = asked.number("page");
        let host = asked
            .text
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("host: ").map(str::to_owned));
        let next = format!("<http://{}/items?page={}&q=a,b>", host.unwrap_or_default(), number + 1);
        let link = match number {
            0 => format!("Link: {next}; rel=\"next\""),
            1 => format!("link: {next};rel=next, <http://x.test/>; rel=\"last\""),
            2 => format!("LINK: <http://x.test/>; rel=\"prev\" , {next} ; title=\"a; b\"; rel='next'"),
            _ => "Link: <http://x.test/>; rel=\"prev\"".to_owned(),
        };
        reply(200, &[&link], format!(r#"{{"items": [{{"id": {number}}}]}}"#))
    });
    case.read().gives(0..4);
}

#[test]
fn a_next_page_on_another_host_is_as_the_manifest_says() {
    // The manifest trusts the address in the body; the reference sends its credentials there as well.
    let paginator = BY_TOKEN.replace(
        "{type: RequestOption, inject_into: request_parameter, field_name: page}",
        "{type: RequestPath}",
    );
    let case = Case::with(&paginator, |number, asked| match number {
        0 => {
            let host = asked
                .text
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("host: ").map(str::to_owned));
            let next = format!("http://{}/more?a=1", host.unwrap_or_default());
            page(format!(r#"{{"items": [{{"id": 0}}], "next": "{next}"}}"#))
        }
        _ => page(r#"{"items": [{"id": 1}]}"#),
    });
    case.read().gives(0..2);
    assert_eq!(case.server.asked()[1].target, "/more?a=1");
}
