//! `AsyncRetriever`: the records of one slice are those of a report that the server makes.

use std::sync::Arc;

use protocol::Result;
use tokio::sync::{OnceCell, OwnedSemaphorePermit};

use super::family::Family;
use crate::source::declarative::component::Component;
use crate::source::declarative::cursor::Slicing;
use crate::source::declarative::job::{Jobs, Report};
use crate::source::declarative::partition::Slice;
use crate::source::declarative::record::{Records, Selector, Variables};
use crate::source::declarative::template::StreamSlice;
use crate::source::declarative::value::{Map, Value};

/// How the reports of a stream are had.
pub(super) struct Reports {
    pub(super) jobs: Arc<Jobs>,
    /// Filters and transforms what the downloads extracted.
    selector: Selector,
    /// Set before the first slice is read.
    pub(super) schema: OnceCell<Value>,
}

/// The report of one slice.
pub(super) struct ReportReading {
    reports: Arc<Reports>,
    slicing: Arc<Slicing>,
    slice: Slice,
    /// What filters and transformations see.
    seen: StreamSlice,
    report: Report,
}

impl Reports {
    pub(super) fn build(
        component: &Component<'_>,
        stream: &Component<'_>,
        name: &str,
        family: &Family,
        slicing: &Slicing,
    ) -> Result<Self> {
        let scope = family.scope();
        let selector = Selector::build(
            &component.required("record_selector")?,
            component.child("decoder")?.as_ref(),
            &stream.children("transformations")?,
            scope,
            slicing.is_client_side(),
        )?;
        Ok(Self { jobs: Arc::new(Jobs::build(component, scope, name)?), selector, schema: OnceCell::new() })
    }
}

impl ReportReading {
    pub(super) fn new(reports: Arc<Reports>, slicing: Arc<Slicing>, slice: Slice) -> Self {
        let whole = slice.stream_slice();
        let seen = StreamSlice::new(whole.partition().clone(), whole.cursor().clone(), Map::new());
        let report = reports.jobs.report(whole.clone());
        Self { reports, slicing, slice, seen, report }
    }

    /// Has the report made.
    pub(super) async fn order(&mut self, turn: OwnedSemaphorePermit) -> Result<()> {
        self.report.order(turn).await
    }

    /// Whether there was none to be had.
    pub(super) fn is_skipped(&self) -> bool {
        self.report.is_skipped()
    }

    /// The records of the next page; `None` at the end of the report.
    pub(super) async fn next(&mut self) -> Result<Option<Records>> {
        match self.report.next().await? {
            Some(records) => self.refine(records).map(Some),
            None => Ok(None),
        }
    }

    fn refine(&self, records: Records) -> Result<Records> {
        let schema = self.reports.schema.get();
        let mut variables = Variables { slice: Some(&self.seen), schema, ..Variables::default() };
        let cursor = self.slicing.cursor();
        match cursor.field() {
            Some(field) if self.slicing.is_client_side() => {
                let mut sieve = cursor.sieve(&self.slice)?;
                let mut keep = |value: &Value| sieve.keeps(value);
                variables.keep = Some((field, &mut keep));
                self.reports.selector.refine(records, &mut variables)
            }
            _ => self.reports.selector.refine(records, &mut variables),
        }
    }
}
