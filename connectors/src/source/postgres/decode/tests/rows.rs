//! How rows are framed, cut into batches, counted and refused.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int32Type;
use arrow_schema::{Field, Schema};
use protocol::{ErrorKind, UnfitPolicy};

use super::super::{Decoder, MAX_ROWS};
use super::{Wire, base, batches, column, decoder};
use crate::source::postgres::types::{Column, arrow_field};

fn int_column() -> Column {
    column("c", &base(23, "int4"))
}

fn int_wire(values: std::ops::Range<i32>) -> Vec<u8> {
    values.fold(Wire::new(), |wire, value| wire.row(&[Some(&value.to_be_bytes())])).end()
}

#[test]
fn an_empty_table_has_no_batch() {
    let mut decoder = decoder(&[int_column()], UnfitPolicy::Error, 1000).unwrap();
    assert_eq!(batches(&mut decoder, [&Wire::new().end()[..]]).unwrap(), []);
    assert_eq!(decoder.finish().unwrap(), 0);
}

#[test]
fn rows_without_columns_are_counted() {
    let mut decoder = Decoder::new(&[], Arc::new(Schema::empty()), UnfitPolicy::Error, 1000).unwrap();
    let wire = Wire::new().row(&[]).row(&[]).row(&[]).end();
    let batches = batches(&mut decoder, wire.chunks(1)).unwrap();
    assert_eq!(batches.iter().map(arrow_array::RecordBatch::num_rows).sum::<usize>(), 3);
    assert_eq!(decoder.finish().unwrap(), 3);
}

#[test]
fn batches_are_full_at_their_bytes_and_keep_all_rows() {
    let mut decoder = decoder(&[int_column()], UnfitPolicy::Error, 330).unwrap();
    let wire = int_wire(0..1000);
    let batches = batches(&mut decoder, wire.chunks(7)).unwrap();
    // 33 bits each.
    assert_eq!(batches[0].num_rows(), 80);
    let values: Vec<i32> = batches
        .iter()
        .flat_map(|batch| batch.column(0).as_primitive::<Int32Type>().values().to_vec())
        .collect();
    assert_eq!(values, (0..1000).collect::<Vec<_>>());
    assert_eq!(decoder.finish().unwrap(), 1000);
}

#[test]
fn batches_have_a_bounded_number_of_rows() {
    let mut decoder = decoder(&[int_column()], UnfitPolicy::Error, usize::MAX).unwrap();
    let batches = batches(&mut decoder, [&int_wire(0..100_000)[..]]).unwrap();
    let rows: Vec<usize> = batches.iter().map(arrow_array::RecordBatch::num_rows).collect();
    assert_eq!(rows, [MAX_ROWS, 100_000 - MAX_ROWS]);
}

#[test]
fn a_value_far_beyond_the_batch_passes() {
    let text = "ä".repeat(50 << 20);
    let mut decoder = decoder(&[column("t", &base(25, "text"))], UnfitPolicy::Error, 1 << 20).unwrap();
    let small: &[u8] = b"small";
    let wire = Wire::new().row(&[Some(small)]).row(&[Some(text.as_bytes())]).row(&[Some(small)]).end();
    let batches = batches(&mut decoder, wire.chunks(64 << 10)).unwrap();
    let rows: Vec<usize> = batches.iter().map(arrow_array::RecordBatch::num_rows).collect();
    assert_eq!(rows, [2, 1]);
    assert_eq!(batches[0].column(0).as_string::<i32>().value(1), text);
}

#[test]
fn long_values_of_all_kinds_survive_any_cut() {
    let text = "0123456789abcdef".repeat(10_000);
    let json = [b"\x01", text.as_bytes()].concat();
    let (small, number) = (&b"small"[..], &7_i32.to_be_bytes()[..]);
    let natives = [base(25, "text"), base(17, "bytea"), base(3802, "jsonb"), base(23, "int4")];
    let columns: Vec<Column> = natives.iter().map(|native| column(&native.name, native)).collect();
    let long = [Some(text.as_bytes()), Some(text.as_bytes()), Some(&json[..]), Some(number)];
    let wire = Wire::new()
        .row(&[Some(small), None, None, None])
        .row(&long)
        .row(&[None, Some(small), None, Some(number)])
        .row(&long)
        .end();
    for size in [1, 1000, 65_536, 100_003, wire.len()] {
        let mut decoder = decoder(&columns, UnfitPolicy::Error, usize::MAX).unwrap();
        let batch = batches(&mut decoder, wire.chunks(size)).unwrap().remove(0);
        assert_eq!(decoder.finish().unwrap(), 4);
        let texts: Vec<_> = batch.column(0).as_string::<i32>().iter().collect();
        assert_eq!(texts, [Some("small"), Some(&text), None, Some(&text)]);
        let binaries: Vec<_> = batch.column(1).as_binary::<i32>().iter().collect();
        assert_eq!(binaries, [None, Some(text.as_bytes()), Some(small), Some(text.as_bytes())]);
        assert_eq!(batch.column(2).as_string::<i32>().value(3), text);
        assert_eq!(batch.column(3).as_primitive::<Int32Type>().value(3), 7);
    }
}

#[test]
fn room_follows_the_batch_before() {
    let mut decoder = decoder(&[int_column()], UnfitPolicy::Error, 40_000).unwrap();
    let batches = batches(&mut decoder, [&int_wire(0..60_000)[..]]).unwrap();
    for batch in &batches[..5] {
        let (held, needed) = (batch.get_array_memory_size(), batch.num_rows() * 4);
        assert!(held < needed + needed / 8 + 200, "{held} bytes are held for {needed}");
    }
}

#[test]
fn a_missing_trailer_is_a_lost_connection() {
    let mut wire = int_wire(0..3);
    wire.truncate(wire.len() - 2);
    let mut decoder = decoder(&[int_column()], UnfitPolicy::Error, 1000).unwrap();
    batches(&mut decoder, [&wire[..]]).unwrap();
    assert_eq!(decoder.finish().unwrap_err().kind(), ErrorKind::Transient);
}

#[test]
fn an_end_amid_a_row_is_a_lost_connection() {
    let mut wire = int_wire(0..3);
    wire.truncate(wire.len() - 4);
    let mut decoder = decoder(&[int_column()], UnfitPolicy::Error, 1000).unwrap();
    decoder.decode(&wire).unwrap();
    assert_eq!(decoder.take_batch().unwrap_err().kind(), ErrorKind::Transient);
}

#[test]
fn bytes_after_the_trailer_are_refused() {
    let mut wire = int_wire(0..3);
    wire.push(0);
    let mut decoder = decoder(&[int_column()], UnfitPolicy::Error, 1000).unwrap();
    assert!(decoder.decode(&wire).is_err());
    assert!(decoder.decode(&[]).is_err(), "nothing goes on after an error");
    assert!(decoder.take_batch().is_err());
}

#[test]
fn another_number_of_columns_is_another_table() {
    let wire = Wire::new().row(&[None, None]).end();
    let mut decoder = decoder(&[int_column()], UnfitPolicy::Error, 1000).unwrap();
    assert_eq!(decoder.decode(&wire).unwrap_err().kind(), ErrorKind::Schema);
}

#[test]
fn an_extension_of_the_header_is_skipped() {
    let mut wire = b"PGCOPY\n\xff\r\n\0\0\0\0\x01\0\0\0\x05extra".to_vec();
    wire.extend(&Wire::new().row(&[Some(&7_i32.to_be_bytes())]).end()[19..]);
    for size in [1, 3, 100] {
        let mut decoder = decoder(&[int_column()], UnfitPolicy::Error, 1000).unwrap();
        assert_eq!(batches(&mut decoder, wire.chunks(size)).unwrap()[0].num_rows(), 1);
    }
    wire[11] = 1;
    let mut decoder = decoder(&[int_column()], UnfitPolicy::Error, 1000).unwrap();
    assert_eq!(decoder.decode(&wire).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn text_formats_are_refused() {
    let mut decoder = decoder(&[int_column()], UnfitPolicy::Error, 1000).unwrap();
    assert!(decoder.decode(b"1\tan export in text format\n").is_err());
}

#[test]
fn bytes_of_another_type_name_the_column_and_not_the_value() {
    let wire = Wire::new().row(&[Some(b"secret")]).end();
    let mut decoder = decoder(&[int_column()], UnfitPolicy::Error, 1000).unwrap();
    let error = decoder.decode(&wire).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
    assert_eq!(error.context_value("column"), Some("c"));
    assert!(!format!("{error:?}").contains("secret"));
}

#[test]
fn null_where_the_table_has_none_is_refused() {
    let columns = [Column::new(&base(23, "int4"), &arrow_field("c", &base(23, "int4"), false)).unwrap()];
    let mut decoder = decoder(&columns, UnfitPolicy::Error, 1000).unwrap();
    decoder.decode(&Wire::new().row(&[None]).end()).unwrap();
    let error = decoder.take_batch().unwrap_err();
    assert_eq!((error.kind(), error.context_value("column")), (ErrorKind::Data, Some("c")));
}

#[test]
fn a_policy_that_makes_null_wants_nullable_columns() {
    for (native, policy, is_fine) in [
        (base(1184, "timestamptz"), UnfitPolicy::Error, true),
        (base(1184, "timestamptz"), UnfitPolicy::Null, false),
        (base(1184, "timestamptz"), UnfitPolicy::Clamp, true),
        (super::numeric(10, 2), UnfitPolicy::Null, false),
        (super::numeric(10, 2), UnfitPolicy::Clamp, false),
        (base(23, "int4"), UnfitPolicy::Null, true),
        (base(1700, "numeric"), UnfitPolicy::Null, true),
    ] {
        let columns = [Column::new(&native, &arrow_field("c", &native, false)).unwrap()];
        let made = decoder(&columns, policy, 1000);
        assert_eq!(made.is_ok(), is_fine, "{} {policy:?}", native.name);
        if let Err(error) = made {
            assert_eq!((error.kind(), error.context_value("column")), (ErrorKind::Config, Some("c")));
        }
    }
}

#[test]
fn columns_and_schema_must_agree() {
    let schema = Arc::new(Schema::new(vec![Field::new("c", arrow_schema::DataType::Int64, true)]));
    assert!(Decoder::new(&[int_column()], schema, UnfitPolicy::Error, 1000).is_err());
}

#[test]
fn texts_that_are_not_utf8_name_the_column() {
    let wire = Wire::new().row(&[Some(b"\xff\xfe")]).end();
    let mut decoder = decoder(&[column("t", &base(25, "text"))], UnfitPolicy::Error, 1000).unwrap();
    decoder.decode(&wire).unwrap();
    let error = decoder.take_batch().unwrap_err();
    assert_eq!((error.kind(), error.context_value("column")), (ErrorKind::Data, Some("t")));
}
