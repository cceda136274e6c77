use protocol::{DriftPolicy, ErrorKind};
use serde_json::{Value, json};

use super::*;

fn catalog() -> Catalog {
    let orders = Stream::new("public.orders")
        .field("id", DataType::Int64)
        .field("updated_at", DataType::Date32)
        .field("amount", DataType::Utf8)
        .primary_key(["id"])
        .cursor("updated_at");
    let strict = Stream {
        schema: Arc::new(Schema::new(vec![
            Field::new("id", DataType::Int64, false),
            Field::new("at", DataType::Date32, false),
        ])),
        ..Stream::new("public.strict")
    };
    let other = Stream::new("audit.log").field("id", DataType::Int64);
    Catalog::new([orders, strict, other])
}

fn config(streams: &Value, defaults: &Value) -> ConnectionConfig {
    let config = json!({"source": "s", "destination": "d", "streams": streams, "defaults": defaults});
    serde_json::from_value(config).unwrap()
}

fn resolved(streams: &Value, only: &[&str]) -> Result<Vec<ConfiguredStream>> {
    let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
    resolve("c", &config(streams, &json!({})), &catalog(), &only)
}

fn one(stream: &Value) -> ConfiguredStream {
    let mut streams = resolved(&json!([stream]), &[]).unwrap();
    assert_eq!(streams.len(), 1);
    streams.remove(0)
}

fn names(streams: &[ConfiguredStream]) -> Vec<&str> {
    streams.iter().map(|stream| stream.name.as_str()).collect()
}

fn columns(stream: &ConfiguredStream) -> Vec<&str> {
    stream.schema.fields().iter().map(|field| field.name().as_str()).collect()
}

/// The message and the advice of the one error that `streams` give.
fn refused(streams: &Value, only: &[&str]) -> (String, String) {
    let error = resolved(streams, only).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    (error.to_string(), error.advice().unwrap_or_default().to_owned())
}

#[test]
fn a_cursor_makes_it_incremental_and_appending() {
    let stream = one(&json!({"name": "public.orders", "cursor": "updated_at"}));
    assert_eq!((stream.sync_mode, stream.write_mode), (SyncMode::Incremental, WriteMode::Append));
    assert_eq!(stream.cursor.as_deref(), Some("updated_at"));
    assert_eq!((stream.connection.as_str(), stream.target.as_str()), ("c", "public.orders"));
    assert_eq!(stream.primary_key, ["id"]);
}

#[test]
fn without_a_cursor_everything_is_replaced() {
    let stream = one(&json!({"name": "public.orders"}));
    assert_eq!((stream.sync_mode, stream.write_mode), (SyncMode::FullRefresh, WriteMode::Overwrite));
    let stream = one(
        &json!({"name": "public.orders", "mode": "full_refresh", "cursor": "updated_at", "write": "append"}),
    );
    assert_eq!((stream.cursor, stream.write_mode), (None, WriteMode::Append));
}

#[test]
fn settings_of_a_stream_come_before_the_defaults() {
    let defaults = json!({"lag": "1h", "on_unfit": "clamp", "on_drift": "freeze"});
    let streams = json!([
        {"name": "public.orders", "lag": "5m", "on_unfit": "error", "on_drift": "evolve"},
        {"name": "public.strict"}
    ]);
    let streams = resolve("c", &config(&streams, &defaults), &catalog(), &[]).unwrap();
    let minutes = |stream: &ConfiguredStream| stream.lag.unwrap().as_secs() / 60;
    assert_eq!((minutes(&streams[0]), minutes(&streams[1])), (5, 60));
    assert_eq!((streams[0].on_unfit, streams[1].on_unfit), (UnfitPolicy::Error, UnfitPolicy::Clamp));
    assert_eq!((streams[0].on_drift, streams[1].on_drift), (DriftPolicy::Evolve, DriftPolicy::Freeze));
    // A policy that may make a value NULL makes its column nullable.
    assert!(streams[1].schema.field(0).is_nullable());
    assert!(!one(&json!({"name": "public.strict"})).schema.field(0).is_nullable());
}

#[test]
fn columns_are_chosen_in_the_sources_order() {
    let stream = one(&json!({"name": "public.orders", "columns": ["amount", "id"]}));
    assert_eq!(columns(&stream), ["id", "amount"]);
    let stream = one(&json!({"name": "public.orders", "columns": ["amount", "id"], "exclude": ["id"]}));
    assert_eq!(columns(&stream), ["amount"]);
}

#[test]
fn decimals_get_the_type_that_holds_them() {
    for (text, expected) in [
        ("18,4", DataType::Decimal128(18, 4)),
        (" 38 , 38 ", DataType::Decimal128(38, 38)),
        ("39,0", DataType::Decimal256(39, 0)),
        ("76,76", DataType::Decimal256(76, 76)),
    ] {
        let stream = one(&json!({"name": "public.orders", "decimals": {"amount": text}}));
        assert_eq!(stream.schema.field_with_name("amount").unwrap().data_type(), &expected);
    }
    for text in ["", "18", "18,", "0,0", "18,19", "18,-1", "77,2", "256,2", "18,4,1", "a,b"] {
        let (message, advice) =
            refused(&json!([{"name": "public.orders", "decimals": {"amount": text}}]), &[]);
        assert!(message.contains(&format!("column \"amount\": {text:?} is not")), "{message}");
        assert!(advice.contains("18,4"));
    }
}

#[test]
fn a_column_that_does_not_exist_is_named_with_those_that_do() {
    for (key, value) in [
        ("columns", json!(["nope"])),
        ("exclude", json!(["nope"])),
        ("decimals", json!({"nope": "1,1"})),
        ("primary_key", json!(["nope"])),
        ("cursor", json!("nope")),
    ] {
        let mut stream = json!({"name": "public.orders"});
        stream[key] = value;
        let (message, advice) = refused(&json!([stream]), &[]);
        assert_eq!(
            message,
            format!(
                "`{key}` names column \"nope\", which does not exist (column \"nope\", stream \"public.orders\")"
            )
        );
        assert_eq!(advice, "the stream has: id, updated_at, amount");
    }
}

#[test]
fn no_column_left_is_refused() {
    for stream in [
        json!({"name": "public.orders", "columns": []}),
        json!({"name": "public.orders", "columns": ["id"], "exclude": ["id"]}),
    ] {
        assert!(refused(&json!([stream]), &[]).0.contains("leave no column"));
    }
}

#[test]
fn an_incremental_sync_needs_a_cursor_and_says_which() {
    let (message, advice) = refused(&json!([{"name": "public.orders", "mode": "incremental"}]), &[]);
    assert!(message.starts_with("an incremental sync needs a `cursor`"), "{message}");
    assert_eq!(advice, "candidates: updated_at");
    let (_, advice) = refused(&json!([{"name": "audit.log", "mode": "incremental"}]), &[]);
    assert!(advice.contains("full_refresh"), "{advice}");
}

#[test]
fn an_incremental_sync_never_overwrites() {
    let stream = json!({"name": "public.orders", "cursor": "updated_at", "write": "overwrite"});
    assert!(refused(&json!([stream]), &[]).0.starts_with("an incremental sync can't overwrite"));
}

#[test]
fn a_wildcard_takes_what_has_no_entry_of_its_own() {
    let streams = json!([{"name": "public.*"}, {"name": "public.orders", "target": "o"}]);
    let streams = resolved(&streams, &[]).unwrap();
    assert_eq!(names(&streams), ["public.strict", "public.orders"]);
    assert_eq!(streams[1].target, "o");
    // What two wildcards fit, the first takes.
    let streams = resolved(&json!([{"name": "*.orders"}, {"name": "*"}]), &[]).unwrap();
    assert_eq!(names(&streams), ["public.orders", "public.strict", "audit.log"]);
}

#[test]
fn a_wildcard_may_have_all_its_streams_configured_apart() {
    let streams = json!([{"name": "audit.*"}, {"name": "audit.log", "target": "log"}]);
    assert_eq!(names(&resolved(&streams, &[]).unwrap()), ["audit.log"]);
}

#[test]
fn a_wildcard_that_fits_nothing_is_refused_but_where_others_are_selected() {
    let streams = json!([{"name": "nope.*"}, {"name": "audit.log"}]);
    assert_eq!(refused(&streams, &[]).0, "no stream at the source fits \"nope.*\"");
    assert_eq!(names(&resolved(&streams, &["audit.log"]).unwrap()), ["audit.log"]);
}

#[test]
fn a_wildcard_has_no_target() {
    let (message, _) = refused(&json!([{"name": "public.*", "target": "t"}]), &[]);
    assert_eq!(message, "\"public.*\" can't have one `target` for all its streams");
}

#[test]
fn a_stream_that_does_not_exist_is_refused() {
    let (message, advice) = refused(&json!([{"name": "Public.orders"}]), &[]);
    assert_eq!(message, "stream \"Public.orders\" does not exist at the source (stream \"Public.orders\")");
    assert!(advice.contains("case-sensitive"));
}

#[test]
fn a_stream_is_configured_once() {
    let streams = json!([{"name": "audit.log"}, {"name": "audit.log", "target": "other"}]);
    assert!(refused(&streams, &[]).0.contains("\"audit.log\" is configured twice"));
}

#[test]
fn a_target_has_one_stream() {
    let streams = json!([{"name": "audit.log"}, {"name": "public.orders", "target": "audit.log"}]);
    let (message, advice) = refused(&streams, &[]);
    assert_eq!(message, "streams \"audit.log\" and \"public.orders\" have the same target \"audit.log\"");
    assert!(advice.contains("target"));
}

#[test]
fn only_what_is_selected_is_joined() {
    // The other stream's mistakes don't matter.
    let streams = json!([{"name": "public.*"}, {"name": "audit.log", "cursor": "nope"}, {"name": "gone"}]);
    assert_eq!(names(&resolved(&streams, &["public.o*"]).unwrap()), ["public.orders"]);
    assert_eq!(names(&resolved(&streams, &["public.strict", "public.o*"]).unwrap()).len(), 2);
    let (message, advice) = refused(&streams, &["public.orders", "orders"]);
    assert_eq!(message, "no configured stream is called \"orders\"");
    assert_eq!(advice, "connection \"c\" has: public.*, audit.log, gone");
}

#[test]
fn the_source_is_asked_for_no_more_than_may_be_needed() {
    let asked = |streams: Value, only: &[&str]| {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        filter("c", &config(&streams, &json!({})), &only).map(|filter| filter.patterns)
    };
    let streams = json!([{"name": "a.*"}, {"name": "b"}, {"name": "c"}]);
    assert_eq!(asked(streams.clone(), &[]).unwrap(), ["a.*", "b", "c"]);
    assert_eq!(asked(streams, &["b"]).unwrap(), ["a.*", "b"]);
    let error = asked(json!([{"name": "b"}]), &["typo"]).unwrap_err();
    assert_eq!(error.message(), "no configured stream is called \"typo\"");
}

#[test]
fn a_soft_delete_column_is_one_that_can_mark_some_rows() {
    let stream = one(&json!({"name": "public.orders", "soft_delete": "updated_at"}));
    assert_eq!(stream.soft_delete.as_deref(), Some("updated_at"));
    for (stream, expected) in [
        (json!({"name": "public.orders", "soft_delete": "gone"}), "which does not exist"),
        (json!({"name": "public.orders", "soft_delete": "amount"}), "which is Utf8"),
        (
            json!({"name": "public.orders", "soft_delete": "updated_at", "exclude": ["updated_at"]}),
            "left out",
        ),
        (json!({"name": "public.strict", "soft_delete": "at"}), "never NULL"),
    ] {
        let (message, _) = refused(&json!([stream]), &[]);
        assert!(message.contains(expected), "{message}");
    }
}
