//! Bytes as the server sends them, and the values they must become under each policy.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Int32Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef};
use arrow_buffer::i256;
use arrow_schema::{DataType, Field};
use protocol::{ErrorKind, UnfitPolicy};

use super::{Wire, array_of, base, batches, column, decoder, native, numeric, one};
use crate::source::postgres::types::{Column, NativeType, TypeKind, arrow_field};

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

fn value(native: &NativeType, hex: &str, policy: UnfitPolicy) -> protocol::Result<ArrayRef> {
    one(native, &[Some(&bytes(hex))], policy)
}

/// The error's kind, the array with NULL in it, and the array with the nearest value.
fn unfit(native: &NativeType, hex: &str, reason: &str) -> ArrayRef {
    let error = value(native, hex, UnfitPolicy::Error).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Data);
    assert_eq!(error.context_value("column"), Some("c"));
    assert!(value(native, hex, UnfitPolicy::Null).unwrap().is_null(0));
    for policy in [UnfitPolicy::Null, UnfitPolicy::Clamp] {
        let mut decoder = decoder(&[column("c", native)], policy, 1000).unwrap();
        let wire = Wire::new().row(&[Some(&bytes(hex))]).row(&[None]).row(&[Some(&bytes(hex))]).end();
        batches(&mut decoder, [&wire[..]]).unwrap();
        let adjustments = decoder.take_adjustments();
        assert_eq!(adjustments.len(), 1);
        assert_eq!((adjustments[0].column.as_str(), adjustments[0].reason.as_str()), ("c", reason));
        assert_eq!(adjustments[0].values, 2);
        assert!(decoder.take_adjustments().is_empty(), "they are counted once");
    }
    value(native, hex, UnfitPolicy::Clamp).unwrap()
}

#[test]
fn dates() {
    let date = base(1082, "date");
    let days = |array: &ArrayRef| array.as_primitive::<Date32Type>().value(0);
    assert_eq!(days(&value(&date, "00000000", UnfitPolicy::Error).unwrap()), 10_957);
    assert_eq!(days(&value(&date, "ffda9915", UnfitPolicy::Error).unwrap()), -2_440_222, "4713-11-24 BC");
    assert_eq!(days(&value(&date, "7fda970c", UnfitPolicy::Error).unwrap()), 2_145_042_905, "5874897-12-31");
    assert_eq!(days(&unfit(&date, "7fffffff", "infinity")), 2_932_896, "9999-12-31");
    assert_eq!(days(&unfit(&date, "80000000", "infinity")), -719_162, "0001-01-01");
    assert_eq!(days(&unfit(&date, "7ffffff0", "out_of_range")), 2_932_896);
}

#[test]
fn timestamps() {
    for native in [base(1114, "timestamp"), base(1184, "timestamptz")] {
        let micros = |array: &ArrayRef| array.as_primitive::<TimestampMicrosecondType>().value(0);
        let exact = |hex: &str| micros(&value(&native, hex, UnfitPolicy::Error).unwrap());
        assert_eq!(exact("0000000000000000"), 946_684_800_000_000);
        assert_eq!(exact("fd0f9983eb0ae000"), -210_835_180_800_000_000, "4713-11-24 BC");
        let latest = i64::MAX - 946_684_800_000_000;
        assert_eq!(exact(&format!("{latest:016x}")), i64::MAX, "in the year 294247");
        let (first, last) = (-62_135_596_800_000_000, 253_402_300_799_999_999);
        assert_eq!(micros(&unfit(&native, &format!("{:016x}", latest + 1), "out_of_range")), last);
        assert_eq!(micros(&unfit(&native, "7fffff5bb3b29fff", "out_of_range")), last, "294276-12-31");
        assert_eq!(micros(&unfit(&native, "7fffffffffffffff", "infinity")), last);
        assert_eq!(micros(&unfit(&native, "8000000000000000", "infinity")), first);
    }
}

#[test]
fn times() {
    let time = base(1083, "time");
    let micros = |array: &ArrayRef| array.as_primitive::<Time64MicrosecondType>().value(0);
    assert_eq!(micros(&value(&time, "000000141dd75fff", UnfitPolicy::Error).unwrap()), 86_399_999_999);
    assert_eq!(micros(&unfit(&time, "000000141dd76000", "out_of_range")), 86_399_999_999, "24:00:00");
    let error = value(&time, "000000141dd76001", UnfitPolicy::Null).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Schema);
}

#[test]
fn decimals_of_128_bits() {
    let units = |array: &ArrayRef| array.as_primitive::<Decimal128Type>().value(0);
    let exact = |native: &NativeType, hex: &str| units(&value(native, hex, UnfitPolicy::Error).unwrap());
    assert_eq!(exact(&numeric(18, 4), "0003000100000004000109291a85"), 123_456_789, "12345.6789");
    assert_eq!(exact(&numeric(10, 4), "0001ffff400000040001"), -1);
    assert_eq!(exact(&numeric(9, 2), "00010001000000020001"), 1_000_000, "10000.00");
    assert_eq!(exact(&numeric(5, 2), "0000000000000002"), 0);
    assert_eq!(exact(&numeric(38, 0), "00010005000000000001"), 10_i128.pow(20));
    let nines = format!("000a000900000000{}{}", "0063", "270f".repeat(9));
    assert_eq!(exact(&numeric(38, 0), &nines), 10_i128.pow(38) - 1);
    assert_eq!(exact(&numeric(2, -3), "0002000100000000000926ac"), 99_900, "as 99,900 is not rounded here");
    assert_eq!(exact(&numeric(3, 5), "0002ffff4000000500632328"), -999, "-0.00999");
}

#[test]
fn decimals_without_such_a_value() {
    let units = |array: &ArrayRef| array.as_primitive::<Decimal128Type>().value(0);
    let greatest = 10_i128.pow(10) - 1;
    let requested = numeric(10, 2);
    assert!(unfit(&requested, "00000000c0000000", "nan").is_null(0), "nothing is near");
    assert_eq!(units(&unfit(&requested, "00000000d0000020", "infinity")), greatest);
    assert_eq!(units(&unfit(&requested, "00000000f0000020", "infinity")), -greatest);
    assert_eq!(units(&unfit(&requested, "00010005000000000001", "out_of_range")), greatest, "1e20");
    assert_eq!(units(&unfit(&requested, "00017fff000000000001", "out_of_range")), greatest, "1e131068");
    assert_eq!(units(&unfit(&requested, "0001ffff00000003000a", "inexact")), 0, "0.001");
    assert_eq!(units(&unfit(&requested, "0001ffff000000030032", "inexact")), 1, "0.005");
    assert_eq!(units(&unfit(&requested, "0001ffff400000030032", "inexact")), -1, "-0.005");
    assert_eq!(units(&unfit(&requested, "0001fffe000000081388", "inexact")), 0, "0.00005");
    assert_eq!(units(&unfit(&numeric(10, 4), "0001fffe000000081388", "inexact")), 1, "0.00005");
    assert_eq!(units(&unfit(&numeric(10, 4), "0001fffe000000081387", "inexact")), 0, "0.00004999");
    assert_eq!(units(&unfit(&numeric(10, 0), "0001fffe000000081388", "inexact")), 0, "0.00005");
    assert_eq!(
        units(&unfit(&numeric(4, 0), "0002000000000001270f1388", "inexact")),
        9999,
        "9999.5 has no room to go up"
    );
}

#[test]
fn decimals_of_256_bits() {
    let units = |array: &ArrayRef| array.as_primitive::<Decimal256Type>().value(0);
    let nines = format!("0013001240000000{}", "270f".repeat(19));
    let greatest = i256::from_string(&"9".repeat(76)).unwrap();
    let native = numeric(76, 0);
    assert_eq!(units(&value(&native, &nines, UnfitPolicy::Error).unwrap()), greatest.wrapping_neg());
    assert_eq!(
        units(&value(&native, "0001000000000000002a", UnfitPolicy::Error).unwrap()),
        i256::from_i128(42)
    );
    assert_eq!(units(&unfit(&native, "00010013000000000001", "out_of_range")), greatest, "1e76");
    assert_eq!(units(&unfit(&native, "00000000f0000020", "infinity")), greatest.wrapping_neg());
}

#[test]
fn digits_that_are_none_are_refused() {
    for hex in [
        "0001000000000000ffff",
        "00010000000000002710",
        "0002000000000000",
        "000000001234",
        "00000000123400000000",
    ] {
        for native in [numeric(10, 2), numeric(60, 2), base(1700, "numeric")] {
            let error = value(&native, hex, UnfitPolicy::Clamp).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Schema, "{hex}");
        }
    }
}

#[test]
fn unbounded_numerics_are_text() {
    let text = |hex: &str| {
        let array = value(&base(1700, "numeric"), hex, UnfitPolicy::Error).unwrap();
        array.as_string::<i32>().value(0).to_owned()
    };
    assert_eq!(text("0003000100000004000109291a85"), "12345.6789");
    assert_eq!(text("0001ffff400000040001"), "-0.0001");
    assert_eq!(text("0000000000000002"), "0.00");
    assert_eq!(text("00010001000000020001"), "10000.00");
    assert_eq!(text("00000000c0000000"), "NaN");
    assert_eq!(text("00000000d0000020"), "Infinity");
    assert_eq!(text("00000000f0000020"), "-Infinity");
    assert_eq!(text("00017fff000000000001"), format!("1{}", "0".repeat(4 * 32_767)));
    assert_eq!(text("0001f00000003fff0001").len(), 2 + 16_383);
}

#[test]
fn texts_of_one_byte() {
    let text = |hex: &str| {
        let array = value(&base(18, "char"), hex, UnfitPolicy::Error).unwrap();
        array.as_string::<i32>().value(0).to_owned()
    };
    assert_eq!(
        (text("61"), text("00"), text("ff"), text("80")),
        ("a".into(), String::new(), "\\377".into(), "\\200".into())
    );
    assert!(value(&base(18, "char"), "6161", UnfitPolicy::Error).is_err());
}

#[test]
fn jsonb_of_an_unknown_version_is_refused() {
    let jsonb = base(3802, "jsonb");
    let array = value(&jsonb, "017b2261223a20317d", UnfitPolicy::Error).unwrap();
    assert_eq!(array.as_string::<i32>().value(0), r#"{"a": 1}"#);
    assert!(value(&jsonb, "027b7d", UnfitPolicy::Error).is_err());
    assert!(value(&jsonb, "", UnfitPolicy::Error).is_err());
}

#[test]
fn arrays() {
    let ints = |hex: &str| {
        let array = value(&array_of(base(23, "int4")), hex, UnfitPolicy::Error).unwrap();
        array.as_list::<i32>().value(0).as_primitive::<Int32Type>().iter().collect::<Vec<_>>()
    };
    let offset = "000000010000000000000017000000020000000000000004000000070000000400000008";
    assert_eq!(ints(offset), [Some(7), Some(8)], "[0:1]={{7,8}}");
    assert_eq!(ints("000000000000000000000017"), []);
    let texts = "0000000100000001000000190000000300000001000000 0161ffffffff00000000".replace(' ', "");
    let array = value(&array_of(base(25, "text")), &texts, UnfitPolicy::Error).unwrap();
    let values = array.as_list::<i32>().value(0);
    assert_eq!(values.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a"), None, Some("")]);
}

#[test]
fn matrices_are_no_lists() {
    let matrix = "000000020000000000000017000000020000000100000002000000010000000400000001000000040000000200000004000000030000000400000004";
    let flat = unfit(&array_of(base(23, "int4")), matrix, "multidimensional");
    let flat = flat.as_list::<i32>().value(0);
    assert_eq!(flat.as_primitive::<Int32Type>().values(), &[1, 2, 3, 4]);
}

#[test]
fn elements_that_do_not_fit_follow_the_policy() {
    let hex = "000000010000000000000 43a00000001000000010000000 47fffffff".replace(' ', "");
    let native = array_of(base(1082, "date"));
    assert!(value(&native, &hex, UnfitPolicy::Error).is_err());
    let nulled = value(&native, &hex, UnfitPolicy::Null).unwrap();
    assert!(nulled.is_valid(0) && nulled.as_list::<i32>().value(0).is_null(0));
}

#[test]
fn malformed_arrays_are_refused() {
    for hex in [
        "",
        "0000000700000000000000170000",
        "ffffffff0000000000000017",
        "00000001000000000000001 7ffffffff00000001",
        "000000010000000000000017000000020000000100000004000000 07",
        "0000000100000000000000170000000000000001ff",
        "00000006000000000000001 77fffffff000000017fffffff000000017fffffff000000017fffffff000000017fffffff000000017fffffff00000001",
    ] {
        let hex = hex.replace(' ', "");
        let error = value(&array_of(base(23, "int4")), &hex, UnfitPolicy::Clamp).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Schema, "{hex}");
    }
}

fn pair() -> NativeType {
    let attributes = vec![("a".to_owned(), base(23, "int4")), ("b".to_owned(), base(25, "text"))];
    native(16_500, "pair", TypeKind::Composite(attributes))
}

#[test]
fn composites_and_arrays_of_them() {
    let row = "000000020000001700000004 0000000100000019ffffffff".replace(' ', "");
    let array = value(&pair(), &row, UnfitPolicy::Error).unwrap();
    let row = array.as_struct();
    assert_eq!(row.column(0).as_primitive::<Int32Type>().value(0), 1);
    assert!(row.is_valid(0) && row.column(1).is_null(0));
    let rows =
        "00000001000000000000408200000001000000010000001900000002000000170000000400000001000000190000000178";
    let array = value(&array_of(pair()), rows, UnfitPolicy::Error).unwrap();
    let rows = array.as_list::<i32>().value(0);
    assert_eq!(rows.as_struct().column(1).as_string::<i32>().value(0), "x");
    assert!(value(&pair(), "0000000100000017ffffffff", UnfitPolicy::Error).is_err(), "an attribute less");
}

#[test]
fn maps() {
    let hstore = base(16_700, "hstore");
    let array = value(&hstore, "00000002000000016100000001310000000162ffffffff", UnfitPolicy::Error).unwrap();
    let entries = array.as_map().value(0);
    assert_eq!(entries.column(0).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("a"), Some("b")]);
    assert_eq!(entries.column(1).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("1"), None]);
    assert!(value(&hstore, "00000001ffffffff", UnfitPolicy::Error).is_err(), "a key that is NULL");
}

#[test]
fn numerics_inside_arrays_and_domains_take_the_requested_decimal() {
    let domain = native(16_800, "amounts", TypeKind::Domain(Box::new(array_of(base(1700, "numeric")))));
    let element = Field::new("element", DataType::Decimal128(10, 2), true);
    let field = arrow_field("c", &domain, true).with_data_type(DataType::List(element.into()));
    let columns = [Column::new(&domain, &field).unwrap()];
    let mut decoder = decoder(&columns, UnfitPolicy::Error, 1000).unwrap();
    let hex = "0000000100000000000006a400000001000000010000000a0001ffff400000040064";
    let batches = batches(&mut decoder, [&Wire::new().row(&[Some(&bytes(hex))]).end()[..]]).unwrap();
    let values = batches[0].column(0).as_list::<i32>().value(0);
    assert_eq!(values.as_primitive::<Decimal128Type>().value(0), -1);
}
