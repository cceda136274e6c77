//! Records of answers: extractors, filters, transformations, normalisation.

use protocol::Result;

use super::component::Component;
use super::decode::Bodies;
use super::scope::Scope;
use super::template::{StreamSlice, Template};
use super::value::Value;
use crate::http::Answer;

pub use crate::json::Records;

/// Tells by the value of the cursor's field whether a record is kept.
pub type Keep<'k> = dyn FnMut(&Value) -> Result<bool> + Send + 'k;

/// What filters and transformations see beside the record.
#[derive(Default)]
pub struct Variables<'v> {
    /// The slice.
    pub slice: Option<&'v StreamSlice>,
    /// `next_page_token` as templates see it: [`Value::None`], or an object with the token.
    pub next_page_token: Option<&'v Value>,
    /// The stream's schema, for its normalisation.
    pub schema: Option<&'v Value>,
    /// The cursor's field and which of its values are kept (`is_client_side_incremental`); [`Value::None`] where a
    /// record has none.
    pub keep: Option<(&'v str, &'v mut Keep<'v>)>,
}

/// What a page gave.
pub struct Selected {
    /// After filters and transformations.
    pub records: Records,
    /// How many there were before.
    pub extracted: usize,
}

/// A `RecordSelector` with its decoder and the stream's transformations.
pub struct Selector {}

impl Selector {
    /// Of a `RecordSelector`. `client_side`: the stream is `is_client_side_incremental`, and transforms before it
    /// filters unless the selector says otherwise.
    pub fn build(
        selector: &Component<'_>,
        decoder: Option<&Component<'_>>,
        transformations: &[Component<'_>],
        scope: &Scope,
        client_side: bool,
    ) -> Result<Self> {
        let _ = (selector, decoder, transformations, scope, client_side);
        todo!()
    }

    /// Of an extractor alone (`ResponseToFileExtractor` without one), as downloads of jobs have it: no filter, no
    /// transformation.
    pub fn extractor(
        extractor: Option<&Component<'_>>,
        decoder: Option<&Component<'_>>,
        scope: &Scope,
    ) -> Result<Self> {
        let _ = (extractor, decoder, scope);
        todo!()
    }

    /// The bodies of an answer.
    pub fn decode(&self, answer: &Answer) -> Result<Bodies> {
        let _ = answer;
        todo!()
    }

    /// The records of bodies: extracted, filtered, transformed and normalised.
    pub fn select(&self, bodies: &Bodies, variables: &mut Variables<'_>) -> Result<Selected> {
        let _ = (bodies, variables);
        todo!()
    }

    /// Filters, transforms and normalises records that were extracted elsewhere.
    pub fn refine(&self, records: Records, variables: &mut Variables<'_>) -> Result<Records> {
        let _ = (records, variables);
        todo!()
    }

    /// Whether `template` gives the same with [`Self::rest`] for its `response`: it does not look at the records.
    #[must_use]
    pub fn apart(&self, template: &Template) -> bool {
        let _ = template;
        todo!()
    }

    /// What paginators see as `response`, without the records: much cheaper than [`Bodies::first`].
    pub fn rest(&self, bodies: &Bodies) -> Result<Value> {
        let _ = bodies;
        todo!()
    }
}
