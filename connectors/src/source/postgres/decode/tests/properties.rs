//! What holds for any bytes: cuts do not matter, and nothing panics.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Decimal256Type};
use proptest::collection::vec;
use proptest::prelude::*;
use protocol::{Adjustment, Result, UnfitPolicy};

use super::{Wire, array_of, base, batches, column, decoder, native, numeric};
use crate::source::postgres::types::{Column, TypeKind};

/// One column of every codec.
fn columns() -> Vec<Column> {
    let pair = vec![("a".to_owned(), base(1700, "numeric")), ("b".to_owned(), array_of(base(1082, "date")))];
    [
        base(16, "bool"),
        base(21, "int2"),
        base(23, "int4"),
        base(20, "int8"),
        base(26, "oid"),
        base(700, "float4"),
        base(701, "float8"),
        numeric(18, 4),
        numeric(60, 10),
        base(1700, "numeric"),
        base(25, "text"),
        base(18, "char"),
        base(3802, "jsonb"),
        base(17, "bytea"),
        base(2950, "uuid"),
        base(1082, "date"),
        base(1083, "time"),
        base(1114, "timestamp"),
        array_of(base(25, "text")),
        native(16_500, "pair", TypeKind::Composite(pair.clone())),
        array_of(native(16_500, "pair", TypeKind::Composite(pair))),
        base(16_700, "hstore"),
    ]
    .iter()
    .enumerate()
    .map(|(number, native)| column(&format!("c{number}"), native))
    .collect()
}

/// Bytes of a numeric, mostly sound.
fn numeric_bytes() -> impl Strategy<Value = Vec<u8>> {
    let sign = prop_oneof![6 => Just(0_u16), 3 => Just(0x4000), 1 => Just(0xc000), 1 => Just(0xd000)];
    (vec(0_u16..10_000, 0..8), -4_i16..6, sign, 0_u16..12).prop_map(|(digits, weight, sign, scale)| {
        let mut bytes = u16::try_from(digits.len()).unwrap().to_be_bytes().to_vec();
        bytes.extend(weight.to_be_bytes());
        bytes.extend(sign.to_be_bytes());
        bytes.extend(scale.to_be_bytes());
        bytes.extend(digits.iter().flat_map(|digit| digit.to_be_bytes()));
        bytes
    })
}

fn texts_bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(proptest::option::of("[a-zé]{0,6}"), 0..5).prop_map(|texts| {
        let mut bytes = 1_i32.to_be_bytes().to_vec();
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 25]);
        bytes.extend(i32::try_from(texts.len()).unwrap().to_be_bytes());
        bytes.extend(1_i32.to_be_bytes());
        for text in texts {
            match text {
                Some(text) => {
                    bytes.extend(i32::try_from(text.len()).unwrap().to_be_bytes());
                    bytes.extend(text.as_bytes());
                }
                None => bytes.extend((-1_i32).to_be_bytes()),
            }
        }
        bytes
    })
}

/// The columns of [`sound_row`].
fn sound_columns() -> Vec<Column> {
    [base(23, "int4"), base(25, "text"), numeric(18, 4), base(1700, "numeric"), array_of(base(25, "text"))]
        .iter()
        .enumerate()
        .map(|(number, native)| column(&format!("c{number}"), native))
        .collect()
}

fn sound_row() -> impl Strategy<Value = Vec<Option<Vec<u8>>>> {
    use proptest::option::of;
    let int = any::<i32>().prop_map(|int| int.to_be_bytes().to_vec());
    let text = "[a-zé]{0,20}".prop_map(String::into_bytes);
    (of(int), of(text), of(numeric_bytes()), of(numeric_bytes()), of(texts_bytes()))
        .prop_map(|(a, b, c, d, e)| vec![a, b, c, d, e])
}

fn wire(rows: &[Vec<Option<Vec<u8>>>]) -> Vec<u8> {
    let row = |wire: Wire, row: &Vec<Option<Vec<u8>>>| {
        wire.row(&row.iter().map(Option::as_deref).collect::<Vec<_>>())
    };
    rows.iter().fold(Wire::new(), row).end()
}

/// The bytes in pieces of the given lengths, over and over.
fn pieces<'a>(bytes: &'a [u8], lengths: &[usize]) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    let mut rest = bytes;
    for length in lengths.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, left) = rest.split_at((*length).min(rest.len()));
        pieces.push(piece);
        rest = left;
    }
    pieces
}

/// All that comes out, or the first error, as text.
fn decode(
    columns: &[Column],
    pieces: Vec<&[u8]>,
    policy: UnfitPolicy,
    batch_bytes: usize,
) -> Result<(Vec<RecordBatch>, Vec<Adjustment>, u64), String> {
    let run = || -> Result<_> {
        let mut decoder = decoder(columns, policy, batch_bytes)?;
        let batches = batches(&mut decoder, pieces)?;
        let adjustments = decoder.take_adjustments();
        Ok((batches, adjustments, decoder.finish()?))
    };
    run().map_err(|error| error.to_string())
}

fn policies() -> impl Strategy<Value = UnfitPolicy> {
    prop_oneof![Just(UnfitPolicy::Error), Just(UnfitPolicy::Null), Just(UnfitPolicy::Clamp)]
}

proptest! {
    #[test]
    fn cuts_do_not_matter(
        rows in vec(sound_row(), 0..40),
        lengths in vec(1_usize..60, 1..6),
        policy in policies(),
        batch_bytes in 1_usize..2000,
    ) {
        let (columns, wire) = (sound_columns(), wire(&rows));
        let whole = decode(&columns, vec![&wire], policy, batch_bytes);
        let cut = decode(&columns, pieces(&wire, &lengths), policy, batch_bytes);
        if policy == UnfitPolicy::Null {
            prop_assert_eq!(whole.as_ref().map(|(_, _, rows)| *rows), Ok(rows.len() as u64));
        }
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn damaged_rows_never_panic(
        rows in vec(sound_row(), 1..10),
        damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        lengths in vec(1_usize..60, 1..4),
        policy in policies(),
    ) {
        let mut wire = wire(&rows);
        for (at, byte) in damage {
            let at = at.index(wire.len());
            wire[at] = byte;
        }
        let whole = decode(&sound_columns(), vec![&wire], policy, 500);
        let cut = decode(&sound_columns(), pieces(&wire, &lengths), policy, 500);
        prop_assert_eq!(whole, cut);
    }

    #[test]
    fn any_bytes_of_any_type_never_panic(
        values in vec(vec(any::<u8>(), 0..40), 22),
        policy in policies(),
    ) {
        for (column, value) in columns().into_iter().zip(values) {
            let wire = Wire::new().row(&[Some(&value)]).end();
            let _ = decode(&[column], vec![&wire], policy, 500);
        }
    }

    #[test]
    fn any_stream_never_panics(bytes in vec(any::<u8>(), 0..200), lengths in vec(1_usize..20, 1..4)) {
        let mut wire = Wire::new().0;
        wire.extend(bytes);
        let _ = decode(&columns(), pieces(&wire, &lengths), UnfitPolicy::Null, 500);
    }

    #[test]
    fn decimals_are_the_texts(bytes in numeric_bytes(), scale in 0_i32..8) {
        // The text is checked against the server; the decimal must be the same number.
        let text = super::one(&base(1700, "numeric"), &[Some(&bytes)], UnfitPolicy::Error).unwrap();
        let text = text.as_string::<i32>().value(0).to_owned();
        let shown = u16::from_be_bytes([bytes[6], bytes[7]]);
        for precision in [38 - scale, 60] {
            let decimal = super::one(&numeric(precision, scale), &[Some(&bytes)], UnfitPolicy::Error);
            let Ok(decimal) = decimal else { continue };
            let plain = if let arrow_schema::DataType::Decimal128(..) = decimal.data_type() {
                decimal.as_primitive::<Decimal128Type>().value_as_string(0)
            } else {
                decimal.as_primitive::<Decimal256Type>().value_as_string(0)
            };
            prop_assert!(is_same_number(&plain, &text, shown), "{} {}", plain, text);
        }
    }
}

/// Whether both texts are one number, as far as the second shows it with `shown` digits after the point.
fn is_same_number(plain: &str, text: &str, shown: u16) -> bool {
    let parts = |text: &str| {
        let (number, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(shown.into()).collect();
        let digits = number.trim_start_matches(['-', '0']).to_owned();
        (digits, fraction)
    };
    parts(plain) == parts(text)
}
