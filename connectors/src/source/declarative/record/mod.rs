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
pub struct Selector { path: Vec<String>, decoder: super::decode::Decoder }

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
        Ok(Self { path: selector.required("extractor")?.texts("field_path")?, decoder: super::decode::Decoder::build(decoder, scope)? })
    }

    /// Of an extractor alone (`ResponseToFileExtractor` without one), as downloads of jobs have it: no filter, no
    /// transformation.
    pub fn extractor(
        extractor: Option<&Component<'_>>,
        decoder: Option<&Component<'_>>,
        scope: &Scope,
    ) -> Result<Self> {
        let _ = (extractor, decoder, scope);
        Err(protocol::Error::unsupported("not yet"))
    }

    /// The bodies of an answer.
    pub fn decode(&self, answer: &Answer) -> Result<Bodies> {
        let _ = answer;
        self.decoder.decode(answer)
    }

    /// The records of bodies: extracted, filtered, transformed and normalised.
    pub fn select(&self, bodies: &Bodies, variables: &mut Variables<'_>) -> Result<Selected> {
        
        {
        let mut records = Vec::new();
        for body in &bodies.values()? {
            let mut at = Some(body);
            for step in &self.path {
                at = at.and_then(|value| value.get(step));
            }
            match at {
                Some(Value::List(items)) => records.extend(items.iter().cloned()),
                Some(value) if value.is_true() => records.push(value.clone()),
                _ => {}
            }
        }
        let extracted = records.len();
        if let Some((field, keep)) = &mut variables.keep {
            let mut kept = Vec::new();
            for record in records { if keep(record.get(field).unwrap_or(&Value::None))? { kept.push(record); } }
            records = kept;
        }
        Ok(Selected { records: Records::from_values(records), extracted })
        }
    }

    /// Filters, transforms and normalises records that were extracted elsewhere.
    pub fn refine(&self, records: Records, variables: &mut Variables<'_>) -> Result<Records> {
        let _ = variables;
        Ok(records)
    }

    /// Whether `template` gives the same with [`Self::rest`] for its `response`: it does not look at the records.
    #[must_use]
    pub fn apart(&self, template: &Template) -> bool {
        let _ = template;
        false
    }

    /// What paginators see as `response`, without the records: much cheaper than [`Bodies::first`].
    pub fn rest(&self, bodies: &Bodies) -> Result<Value> {
        let _ = bodies;
        bodies.first()
    }
}
