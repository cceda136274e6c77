//! Copies from a real server.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_schema::{Field, Schema};
use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{Adjustment, Emitter, ErrorKind, Event, Outlet, Result, Secret, UnfitPolicy};

use super::copy_out;
use crate::source::postgres::config::Config;
use crate::source::postgres::connect::Connector;
use crate::source::postgres::decode::Decoder;
use crate::source::postgres::types::{Column, NativeType, TypeKind, arrow_field};

/// Keeps all that is sent.
struct Kept {
    events: Vec<Event>,
    batch_bytes: usize,
}

impl Outlet for Kept {
    fn send(&mut self, event: Event) -> BoxFuture<'_, Result<()>> {
        self.events.push(event);
        async { Ok(()) }.boxed()
    }

    fn batch_bytes(&self) -> usize {
        self.batch_bytes
    }
}

impl Kept {
    fn batches(&self) -> Vec<&RecordBatch> {
        self.events
            .iter()
            .filter_map(|event| if let Event::Batch(batch) = event { Some(batch) } else { None })
            .collect()
    }

    fn adjustments(&self) -> Vec<&Adjustment> {
        self.events
            .iter()
            .filter_map(|event| if let Event::Adjusted(adjustment) = event { Some(adjustment) } else { None })
            .collect()
    }
}

fn column(name: &str, oid: u32, native: &str) -> Column {
    let native = NativeType {
        oid,
        schema: "pg_catalog".into(),
        name: native.into(),
        display: native.into(),
        modifier: -1,
        kind: TypeKind::Base,
    };
    Column::new(&native, &arrow_field(name, &native, true)).unwrap()
}

async fn copied(query: &str, columns: &[Column], policy: UnfitPolicy) -> Result<(u64, Kept)> {
    let database = lab::Cluster::shared().database();
    let config = Config { url: Some(Secret::new(database.url())), ..Config::default() };
    let mut client = Connector::new(&config)?.primary().await?;
    let fields: Vec<Field> = columns.iter().map(|column| column.field().clone()).collect();
    let mut kept = Kept { events: Vec::new(), batch_bytes: 64 << 10 };
    let decoder = Decoder::new(columns, Arc::new(Schema::new(fields)), policy, kept.batch_bytes)?;
    let sql = format!("COPY ({query}) TO STDOUT (FORMAT binary)");
    let mut out = Emitter::<()>::new(&mut kept);
    let rows = copy_out(&mut client, &sql, "could not read it", decoder, &mut out).await?;
    // The session is fit for the next statement.
    client.simple_query("SELECT 1").await.unwrap();
    Ok((rows, kept))
}

#[tokio::test]
async fn every_row_arrives_once() {
    let query = "SELECT i, repeat(i::text, (i % 50)::int) FROM generate_series(1::int8, 100000) AS g(i)";
    let columns = [column("i", 20, "int8"), column("t", 25, "text")];
    let (rows, kept) = copied(query, &columns, UnfitPolicy::Error).await.unwrap();
    assert_eq!(rows, 100_000);
    let mut expected = 1;
    for batch in kept.batches() {
        let numbers = batch.column(0).as_primitive::<Int64Type>();
        let texts = batch.column(1).as_string::<i32>();
        for (number, text) in numbers.values().iter().zip(texts) {
            assert_eq!(*number, expected);
            assert_eq!(text.unwrap(), expected.to_string().repeat(usize::try_from(expected % 50).unwrap()));
            expected += 1;
        }
        assert!(batch.get_array_memory_size() < (64 << 10) * 3 / 2, "batches are as large as asked for");
    }
    assert_eq!(expected, 100_001);
}

#[tokio::test]
async fn rows_without_columns_are_counted() {
    let (rows, kept) =
        copied("SELECT FROM generate_series(1, 70000)", &[], UnfitPolicy::Error).await.unwrap();
    assert_eq!(rows, 70_000);
    assert_eq!(kept.batches().iter().map(|batch| batch.num_rows()).sum::<usize>(), 70_000);
}

#[tokio::test]
async fn a_value_of_a_hundred_megabytes_passes() {
    let query = "SELECT repeat('Gezeiten', 13107200) UNION ALL SELECT 'ebb'";
    let (rows, kept) = copied(query, &[column("t", 25, "text")], UnfitPolicy::Error).await.unwrap();
    assert_eq!(rows, 2);
    let texts = kept.batches()[0].column(0).as_string::<i32>();
    assert_eq!(texts.value(0).len(), 100 << 20);
    assert!(texts.value(0).ends_with("Gezeiten"));
}

#[tokio::test]
async fn what_did_not_fit_is_told_behind_its_batch() {
    let query = "SELECT CASE WHEN i % 1000 = 0 THEN 'infinity' ELSE current_date END \
                 FROM generate_series(1, 100000) AS g(i)";
    let (_, kept) = copied(query, &[column("d", 1082, "date")], UnfitPolicy::Null).await.unwrap();
    assert!(kept.batches().len() > 1);
    assert_eq!(kept.adjustments().iter().map(|adjustment| adjustment.values).sum::<u64>(), 100);
    let mut expected = 0;
    for event in &kept.events {
        match event {
            Event::Batch(batch) => expected += batch.column(0).null_count() as u64,
            Event::Adjusted(adjustment) => expected -= adjustment.values,
            Event::Checkpoint { .. } => unreachable!("a copy knows no checkpoints"),
        }
    }
    assert_eq!(expected, 0);
}

#[tokio::test]
async fn an_error_after_many_rows_is_the_servers() {
    let query = "SELECT 1 / (50000 - i) FROM generate_series(1, 100000) AS g(i)";
    let error = copied(query, &[column("q", 23, "int4")], UnfitPolicy::Error).await.map(drop).unwrap_err();
    assert_eq!(error.context_value("sqlstate"), Some("22012"), "{error:?}");
    assert!(error.message().starts_with("could not read it: "), "{error:?}");
}

#[tokio::test]
async fn a_value_that_does_not_fit_ends_the_copy() {
    let query = "SELECT 'infinity'::date FROM generate_series(1, 100000)";
    let error = copied(query, &[column("d", 1082, "date")], UnfitPolicy::Error).await.map(drop).unwrap_err();
    assert_eq!((error.kind(), error.context_value("column")), (ErrorKind::Data, Some("d")));
}
