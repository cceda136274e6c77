use std::sync::Arc;

use arrow_array::builder::{FixedSizeBinaryBuilder, Int32Builder, ListBuilder, MapBuilder, StringBuilder};
use arrow_array::types::{Decimal128Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BinaryArray, BooleanArray, Date32Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, LargeBinaryArray, LargeStringArray, ListArray, PrimitiveArray,
    RecordBatch, StringArray, StringViewArray, StructArray, Time64MicrosecondArray, UInt32Array,
};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Fields, Schema};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use fastrand::Rng;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::statistics::Statistics;
use proptest::prelude::{Just, Strategy, any, prop_assert_eq, prop_oneof, proptest};
use proptest::test_runner::Config;

use super::Encoder;

fn properties(compression: Compression) -> WriterProperties {
    WriterProperties::builder()
        .set_compression(compression)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_max_row_group_row_count(None)
        .build()
}

fn zstd() -> Compression {
    Compression::ZSTD(ZstdLevel::default())
}

/// Each of `groups` becomes a row group.
fn encode(groups: &[&[RecordBatch]], compression: Compression) -> Bytes {
    let schema = groups[0][0].schema();
    let mut encoder = Encoder::new(Vec::new(), schema, properties(compression), compression).unwrap();
    for batches in groups {
        for batch in *batches {
            encoder.write(batch).unwrap();
        }
        encoder.flush().unwrap();
        assert_eq!(encoder.rows(), 0);
    }
    encoder.finish().unwrap();
    std::mem::take(encoder.out()).into()
}

/// The same by the library alone.
fn expected(groups: &[&[RecordBatch]], compression: Compression) -> Bytes {
    let schema = groups[0][0].schema();
    let mut writer = ArrowWriter::try_new(Vec::new(), schema, Some(properties(compression))).unwrap();
    for batches in groups {
        for batch in *batches {
            writer.write(batch).unwrap();
        }
        writer.flush().unwrap();
    }
    writer.into_inner().unwrap().into()
}

fn read(file: Bytes) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<_> = reader.build().unwrap().collect::<Result<_, _>>().unwrap();
    concat_batches(&schema, &batches).unwrap()
}

fn metadata(file: &Bytes) -> ParquetMetaData {
    ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Optional)
        .parse_and_finish(file)
        .unwrap()
}

/// What readers leave row groups out by.
#[derive(Debug, PartialEq, Eq)]
struct Ends {
    min: Option<Vec<u8>>,
    max: Option<Vec<u8>>,
    nulls: Option<u64>,
    is_exact: [bool; 2],
}

fn ends(statistics: Option<&Statistics>) -> Option<Ends> {
    let owned = |bytes: Option<&[u8]>| bytes.map(<[u8]>::to_vec);
    statistics.map(|of| Ends {
        min: owned(of.min_bytes_opt()),
        max: owned(of.max_bytes_opt()),
        nulls: of.null_count_opt(),
        is_exact: [of.min_is_exact(), of.max_is_exact()],
    })
}

/// How values of a column are made: how many different ones there are, and how many of a hundred are NULL.
#[derive(Debug, Clone, Copy)]
struct Shape {
    different: u64,
    nulls: u8,
}

struct Values {
    shape: Shape,
    random: Rng,
}

impl Values {
    /// A number that looks like none of its neighbours.
    fn number(&mut self) -> i64 {
        self.random.u64(..self.shape.different).wrapping_mul(0x9e37_79b9_7f4a_7c15).cast_signed()
    }

    fn some<T>(&mut self, value: impl Fn(i64) -> T) -> Option<T> {
        (self.random.u8(..100) >= self.shape.nulls).then(|| value(self.number()))
    }

    fn all<T, A: FromIterator<Option<T>>>(&mut self, rows: usize, value: impl Fn(i64) -> T) -> A {
        (0..rows).map(|_| self.some(&value)).collect()
    }

    fn decimals(&mut self, rows: usize, precision: u8) -> ArrayRef {
        let most = 10_i128.pow(u32::from(precision));
        let numbers: PrimitiveArray<Decimal128Type> =
            self.all(rows, |number| i128::from(number).wrapping_mul(0x1234_5678_9abc_def1) % most);
        Arc::new(numbers.with_precision_and_scale(precision, 2).unwrap())
    }

    fn keys(&mut self, rows: usize, width: usize) -> ArrayRef {
        let mut keys = FixedSizeBinaryBuilder::new(i32::try_from(width).unwrap());
        for _ in 0..rows {
            match self.some(i64::to_be_bytes) {
                Some(bytes) => keys.append_value(&bytes.repeat(2)[..width]).unwrap(),
                None => keys.append_null(),
            }
        }
        Arc::new(keys.finish())
    }

    fn lists(&mut self, rows: usize) -> ArrayRef {
        let mut lists = ListBuilder::new(StringBuilder::new());
        for _ in 0..rows {
            for _ in 0..self.random.u8(..3) {
                let item = self.some(text);
                lists.values().append_option(item);
            }
            lists.append(self.random.u8(..100) >= self.shape.nulls);
        }
        Arc::new(lists.finish())
    }

    /// Lists that are long, with items behind those that are NULL.
    fn numbers(&mut self, rows: usize) -> ArrayRef {
        let lengths: Vec<usize> = (0..rows).map(|_| self.random.usize(..9)).collect();
        let items: Int64Array = self.all(lengths.iter().sum(), |number| number);
        let valid: Vec<bool> = (0..rows).map(|_| self.random.u8(..100) >= self.shape.nulls).collect();
        let field = Arc::new(Field::new("item", DataType::Int64, self.shape.nulls > 0));
        Arc::new(ListArray::new(
            field,
            OffsetBuffer::from_lengths(lengths),
            Arc::new(items),
            Some(valid.into()),
        ))
    }

    fn maps(&mut self, rows: usize) -> ArrayRef {
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        for _ in 0..rows {
            maps.keys().append_value("key");
            maps.values().append_option(self.some(|number| number as i32));
            maps.append(true).unwrap();
        }
        Arc::new(maps.finish())
    }

    fn structs(&mut self, rows: usize) -> ArrayRef {
        let flags: BooleanArray = self.all(rows, |number| number % 2 == 0);
        let fields = Fields::from(vec![
            Field::new("flag", DataType::Boolean, true),
            Field::new("tags", self.lists(0).data_type().clone(), true),
        ]);
        Arc::new(StructArray::new(fields, vec![Arc::new(flags), self.lists(rows)], None))
    }

    fn batch(&mut self, rows: usize) -> RecordBatch {
        let instants: PrimitiveArray<TimestampMicrosecondType> = self.all(rows, |number| number >> 8);
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("flag", Arc::new(self.all::<_, BooleanArray>(rows, |number| number % 2 == 0))),
            ("i8", Arc::new(self.all::<_, Int8Array>(rows, |number| number as i8))),
            ("i16", Arc::new(self.all::<_, Int16Array>(rows, |number| number as i16))),
            ("tags", self.lists(rows)),
            ("numbers", self.numbers(rows)),
            ("i32", Arc::new(self.all::<_, Int32Array>(rows, |number| number as i32))),
            ("i64", Arc::new(self.all::<_, Int64Array>(rows, |number| number))),
            ("u32", Arc::new(self.all::<_, UInt32Array>(rows, |number| number as u32))),
            ("f32", Arc::new(self.all::<_, Float32Array>(rows, |number| (number >> 50) as f32 + 0.5))),
            ("f64", Arc::new(self.all::<_, Float64Array>(rows, |number| (number >> 20) as f64 + 0.5))),
            ("day", Arc::new(self.all::<_, Date32Array>(rows, |number| (number >> 45) as i32))),
            ("time", Arc::new(self.all::<_, Time64MicrosecondArray>(rows, |number| number.abs() >> 27))),
            ("at", Arc::new(instants.with_timezone("UTC"))),
            ("decimal 9", self.decimals(rows, 9)),
            ("decimal 18", self.decimals(rows, 18)),
            ("map", self.maps(rows)),
            ("decimal 20", self.decimals(rows, 20)),
            ("decimal 38", self.decimals(rows, 38)),
            ("uuid", self.keys(rows, 16)),
            ("five", self.keys(rows, 5)),
            ("text", Arc::new(self.all::<_, StringArray>(rows, text))),
            ("large text", Arc::new(self.all::<_, LargeStringArray>(rows, text))),
            ("view", Arc::new(self.all::<_, StringViewArray>(rows, text))),
            ("short", Arc::new(self.all::<_, StringArray>(rows, |number| format!("{}", number & 0xff)))),
            ("bytes", Arc::new(self.all::<_, BinaryArray>(rows, |number| text(number).into_bytes()))),
            (
                "large",
                Arc::new(self.all::<_, LargeBinaryArray>(rows, |number| vec![7; (number & 0x7f) as usize])),
            ),
            ("struct", self.structs(rows)),
        ];
        let nullable = self.shape.nulls > 0;
        RecordBatch::try_from_iter_with_nullable(
            columns.into_iter().map(|(name, values)| (name, values, nullable)),
        )
        .unwrap()
    }
}

/// Of any length up to some more than a bound in statistics, with characters of all lengths.
fn text(number: i64) -> String {
    let bits = number.cast_unsigned();
    match bits % 5 {
        0 => String::new(),
        1 => format!("{:x}", bits >> 40),
        2 => format!("{bits:032}"),
        3 => "é€𝄞z".repeat((bits >> 60) as usize),
        _ => format!("{bits:070}\u{10ffff}"),
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let different = prop_oneof![Just(1), Just(3), Just(700), Just(40_000), Just(u64::MAX)];
    let nulls = prop_oneof![Just(0), Just(7), Just(60), Just(100)];
    (different, nulls).prop_map(|(different, nulls)| Shape { different, nulls })
}

fn compressions() -> impl Strategy<Value = Compression> {
    prop_oneof![Just(zstd()), Just(Compression::SNAPPY), Just(Compression::UNCOMPRESSED)]
}

proptest! {
    #![proptest_config(Config { cases: 16, ..Config::default() })]

    #[test]
    fn what_is_written_is_read(
        shape in shapes(), seed in any::<u64>(), compression in compressions(),
        rows in prop_oneof![4 => 1..200_usize, 4 => 1_000..6_000_usize, 1 => Just(22_000)], slice in 0..100_usize,
    ) {
        let mut values = Values { shape, random: Rng::with_seed(seed) };
        let batches: Vec<RecordBatch> = (0..3).map(|_| values.batch(rows / 2 + 1)).collect();
        let first = batches[0].slice(slice.min(rows / 2), rows / 2 + 1 - slice.min(rows / 2));
        let groups: [&[RecordBatch]; 2] = [&[first, batches[1].clone()], &batches[2..]];
        let file = encode(&groups, compression);
        let all = concat_batches(&batches[0].schema(), groups.concat().iter()).unwrap();
        prop_assert_eq!(read(file.clone()), all);

        let ours = metadata(&file);
        let theirs = metadata(&expected(&groups, compression));
        for (ours, theirs) in ours.row_groups().iter().zip(theirs.row_groups()) {
            prop_assert_eq!(ours.num_rows(), theirs.num_rows());
            for (ours, theirs) in ours.columns().iter().zip(theirs.columns()) {
                let path = ours.column_path().to_string();
                prop_assert_eq!(ends(ours.statistics()), ends(theirs.statistics()), "{}", path);
                prop_assert_eq!(ours.num_values(), theirs.num_values(), "{}", path);
            }
        }
    }
}

fn one(name: &str, values: ArrayRef) -> RecordBatch {
    RecordBatch::try_from_iter([(name, values)]).unwrap()
}

#[test]
fn a_file_without_rows_is_read() {
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, false)]));
    let mut encoder = Encoder::new(Vec::new(), schema.clone(), properties(zstd()), zstd()).unwrap();
    encoder.finish().unwrap();
    assert_eq!(read(std::mem::take(encoder.out()).into()), RecordBatch::new_empty(schema));
}

#[test]
fn values_far_larger_than_a_page_are_read() {
    let texts = ["x".repeat(3 << 20), String::new(), "é".repeat(1 << 20), "short".to_owned()];
    let batch = one("text", Arc::new(StringArray::from_iter_values(texts)));
    let file = encode(&[&[batch.clone(), batch.clone()]], zstd());
    assert_eq!(read(file), concat_batches(&batch.schema(), [&batch, &batch]).unwrap());
}

#[test]
fn rows_are_found_by_the_pages_they_are_on() {
    let numbers = Int64Array::from_iter_values((0..100_000).map(|row| row * row));
    let texts = StringArray::from_iter_values((0..100_000).map(|row| format!("{:040}", row % 999)));
    let batch =
        RecordBatch::try_from_iter([("n", Arc::new(numbers) as ArrayRef), ("t", Arc::new(texts))]).unwrap();
    let file = encode(&[std::slice::from_ref(&batch)], zstd());
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Required);
    let selection = [RowSelector::skip(54_321), RowSelector::select(7), RowSelector::skip(100_000 - 54_328)];
    let reader = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).unwrap();
    let reader = reader.with_row_selection(RowSelection::from(selection.to_vec())).build().unwrap();
    let batches: Vec<_> = reader.collect::<Result<_, _>>().unwrap();
    assert_eq!(concat_batches(&batch.schema(), &batches).unwrap(), batch.slice(54_321, 7));
}

#[test]
fn what_does_not_shrink_is_not_compressed() {
    let mut random = Rng::with_seed(1);
    let noise = Int64Array::from_iter_values((0..20_000).map(|_| random.i64(..)));
    let small = Int64Array::from_iter_values((0..20_000).map(|_| random.i64(0..1000) * 1_000_003));
    let ids = Int64Array::from_iter_values(0..20_000_i64);
    let columns: [(&str, ArrayRef); 3] =
        [("noise", Arc::new(noise)), ("small", Arc::new(small)), ("ids", Arc::new(ids))];
    let file = encode(&[&[RecordBatch::try_from_iter(columns).unwrap()]], zstd());
    let metadata = metadata(&file);
    let group = metadata.row_group(0);
    let is_compressed = |at: usize| group.column(at).compressed_size() < group.column(at).uncompressed_size();
    assert_eq!([is_compressed(0), is_compressed(1), is_compressed(2)], [false, false, true]);
    let has_dictionary = |at: usize| group.column(at).encodings().any(|of| of == Encoding::RLE_DICTIONARY);
    assert_eq!([has_dictionary(0), has_dictionary(1), has_dictionary(2)], [false, true, false]);
}

#[test]
fn documents_have_no_bounds() {
    let json: std::collections::HashMap<_, _> =
        [("ARROW:extension:name".to_owned(), "arrow.json".to_owned())].into();
    let field = Field::new("document", DataType::Utf8, false).with_metadata(json);
    let schema = Arc::new(Schema::new(vec![field]));
    let values: ArrayRef = Arc::new(StringArray::from_iter_values(["{}", "[1]"]));
    let file = encode(&[&[RecordBatch::try_new(schema, vec![values]).unwrap()]], zstd());
    let metadata = metadata(&file);
    let statistics = metadata.row_group(0).column(0).statistics().unwrap();
    assert_eq!(ends(Some(statistics)).unwrap().min, None);
    assert_eq!(statistics.null_count_opt(), Some(0));
}

#[test]
fn not_a_number_leaves_no_bounds() {
    for values in [vec![1.0, f64::NAN, 2.0], vec![f64::NAN]] {
        let file = encode(&[&[one("f", Arc::new(Float64Array::from(values)))]], zstd());
        let metadata = metadata(&file);
        let ends = ends(metadata.row_group(0).column(0).statistics()).unwrap();
        assert_eq!((ends.min, ends.max), (None, None));
    }
}

#[test]
fn a_row_group_that_has_ended_takes_no_memory() {
    let mut values = Values { shape: Shape { different: 9_999, nulls: 7 }, random: Rng::with_seed(3) };
    let batch = values.batch(5_000);
    let mut encoder = Encoder::new(Vec::new(), batch.schema(), properties(zstd()), zstd()).unwrap();
    encoder.write(&batch).unwrap();
    assert!(encoder.memory() > batch.num_columns() * 10_000, "{}", encoder.memory());
    encoder.flush().unwrap();
    assert!(encoder.memory() < batch.num_columns() * 1_000 + encoder.codec.memory(), "{}", encoder.memory());
}
