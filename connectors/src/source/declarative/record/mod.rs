//! Records of answers: extractors, filters, transformations, normalisation.
//!
//! Records stay spans of the page's text while nothing has to look into all of them; a filter is handed the fields
//! alone that it names.

mod expand;
mod extract;
mod keys;
mod lookup;
mod normalise;
mod path;
#[cfg(test)]
mod tests;
mod transform;

use protocol::{Error, Result};

use super::component::Component;
use super::decode::{Bodies, Decoder};
use super::scope::Scope;
use super::template::{Condition, Object, Reach, StreamSlice, Template};
use super::value::{Map, Value};
use crate::http::Answer;
use extract::Extractor;
pub(super) use lookup::Lookup;
use transform::Transformation;

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
pub struct Selector {
    scope: Scope,
    decoder: Decoder,
    extractor: Extractor,
    filter: Option<Filter>,
    transformations: Vec<Transformation>,
    transforms_first: bool,
    normalises: bool,
}

/// `RecordFilter`.
struct Filter {
    condition: Condition,
    parameters: Value,
    /// The fields that the condition looks at, where that is all.
    fields: Option<Vec<String>>,
}

impl Filter {
    fn build(component: &Component<'_>) -> Result<Self> {
        if component.kind() != "RecordFilter" {
            return Err(component.unknown("record filter"));
        }
        // No condition holds for no record, as with the reference.
        let condition = component.condition("condition")?.unwrap_or_else(|| Condition::constant(false));
        let fields = condition.reach("record").keys();
        Ok(Self { condition, parameters: component.parameters(), fields })
    }

    fn holds(&self, record: &Value, scope: &Scope, variables: &Variables<'_>) -> Result<bool> {
        const NONE: &Value = &Value::None;
        let context = scope
            .context(&self.parameters)
            .with("record", record)
            .with("next_page_token", variables.next_page_token.unwrap_or(NONE))
            .with_slice(variables.slice);
        self.condition.eval(&context)
    }
}

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
        let extractor = selector.required("extractor")?;
        let normalises = match selector.value("schema_normalization") {
            None => false,
            Some(Value::Text(kind)) if kind == "None" => false,
            Some(Value::Text(kind)) if kind == "Default" => true,
            Some(Value::Map(_)) => {
                return Err(selector.required("schema_normalization")?.unknown("schema normalisation"));
            }
            Some(_) => return Err(selector.fail("`schema_normalization` must be None or Default")),
        };
        let filter = selector.child("record_filter")?;
        let mut built = Self::extractor(Some(&extractor), decoder, scope)?;
        built.filter = filter.map(|filter| Filter::build(&filter)).transpose()?;
        // With a cursor to filter by, no condition is no filter.
        if client_side && built.filter.as_ref().is_some_and(|_| has_no_condition(selector)) {
            built.filter = None;
        }
        built.transformations = transformations
            .iter()
            .map(|transformation| Transformation::build(transformation, scope))
            .collect::<Result<_>>()?;
        built.transforms_first = selector.flag("transform_before_filtering", client_side)?;
        built.normalises = normalises;
        Ok(built)
    }

    /// Of an extractor alone (`ResponseToFileExtractor` without one), as downloads of jobs have it: no filter, no
    /// transformation.
    pub fn extractor(
        extractor: Option<&Component<'_>>,
        decoder: Option<&Component<'_>>,
        scope: &Scope,
    ) -> Result<Self> {
        let extractor = match extractor {
            Some(component) => {
                (Extractor::build(component, scope)?, component.flag("preserve_na_values", false)?)
            }
            None => (Extractor::All, false),
        };
        let decoder = match extractor {
            (Extractor::All, keeps_words) => Decoder::of_file(keeps_words),
            _ => Decoder::build(decoder, scope)?,
        };
        Ok(Self {
            scope: scope.clone(),
            decoder,
            extractor: extractor.0,
            filter: None,
            transformations: Vec::new(),
            transforms_first: false,
            normalises: false,
        })
    }

    /// The bodies of an answer.
    pub fn decode(&self, answer: &Answer) -> Result<Bodies> {
        self.decoder.decode(answer)
    }

    /// The records of bodies: extracted, filtered, transformed and normalised.
    pub fn select(&self, bodies: &Bodies, variables: &mut Variables<'_>) -> Result<Selected> {
        let extracted = self.extractor.extract(bodies)?;
        let records = self.refine(extracted.records, variables)?;
        Ok(Selected { records, extracted: extracted.count })
    }

    /// What is extracted from bodies, whether records or words.
    pub(in crate::source::declarative) fn values(&self, bodies: &Bodies) -> Result<Vec<Value>> {
        self.extractor.extract(bodies)?.records.into_values()
    }

    /// Filters, transforms and normalises records that were extracted elsewhere.
    pub fn refine(&self, mut records: Records, variables: &mut Variables<'_>) -> Result<Records> {
        if self.transforms_first {
            records = self.transform(records, variables)?;
            self.sift(&mut records, variables)?;
        } else {
            self.sift(&mut records, variables)?;
            records = self.transform(records, variables)?;
        }
        records.check()?;
        match variables.schema.filter(|schema| self.normalises && schema.is_true()) {
            None => Ok(records),
            Some(schema) => {
                let mut values = records.into_values()?;
                values.iter_mut().try_for_each(|value| normalise::normalise(value, schema))?;
                Ok(Records::from_values(values))
            }
        }
    }

    fn sift(&self, records: &mut Records, variables: &mut Variables<'_>) -> Result<()> {
        if let Some((field, keep)) = &mut variables.keep {
            records.retain(|records, index| keep(&records.field(index, field)?.unwrap_or_default()))?;
        }
        let Some(filter) = &self.filter else { return Ok(()) };
        records.retain(|records, index| {
            let record = match &filter.fields {
                Some(fields) => records.some(index, fields)?,
                None => records.value(index)?,
            };
            filter.holds(&record, &self.scope, variables)
        })
    }

    fn transform(&self, records: Records, variables: &Variables<'_>) -> Result<Records> {
        if self.transformations.is_empty() {
            return Ok(records);
        }
        let mut values = records.into_values()?;
        for value in &mut values {
            for transformation in &self.transformations {
                transformation.apply(value, &self.scope, variables.slice)?;
            }
        }
        Ok(Records::from_values(values))
    }

    /// Whether `template` gives the same with [`Self::rest`] for its `response`: it does not look at the records.
    #[must_use]
    pub fn apart(&self, template: &Template) -> bool {
        let Reach::Paths(looks) = template.reach("response") else { return false };
        if looks.is_empty() {
            return true;
        }
        match self.extractor.plain() {
            Some(path) if !path.is_empty() => {
                looks.iter().all(|look| look.iter().zip(&path).any(|(look, key)| look != key))
            }
            _ => false,
        }
    }

    /// What paginators see as `response`, without the records: much cheaper than [`Bodies::first`].
    pub fn rest(&self, bodies: &Bodies) -> Result<Value> {
        match self.extractor.plain() {
            Some(path) => bodies.rest(&path),
            None => bodies.first(),
        }
    }
}

fn has_no_condition(selector: &Component<'_>) -> bool {
    let filter = selector.value("record_filter").and_then(Value::as_map);
    filter.and_then(|filter| filter.get("condition")).is_none_or(|condition| !condition.is_true())
}

/// What Python's `str` makes of a value.
fn text_of(value: &Value) -> Result<String> {
    match Object::from(value).text() {
        Ok(text) => Ok(text.into_owned()),
        Err(_) => Err(Error::data("a value has no text")),
    }
}

/// One transformation of a [`DynamicSchemaLoader`](super::schema)'s properties.
pub(super) struct Transformations(Vec<Transformation>);

impl Transformations {
    pub(super) fn build(components: &[Component<'_>], scope: &Scope) -> Result<Self> {
        components.iter().map(|one| Transformation::build(one, scope)).collect::<Result<_>>().map(Self)
    }

    pub(super) fn apply(&self, properties: Map, scope: &Scope) -> Result<Map> {
        let mut value = Value::Map(properties);
        self.0.iter().try_for_each(|one| one.apply(&mut value, scope, None))?;
        match value {
            Value::Map(map) => Ok(map),
            _ => Err(Error::schema("the properties of a schema are no object after its transformations")),
        }
    }
}

/// The filter of a `DynamicSchemaLoader`: which properties stay.
pub(super) fn filtered(filter: &Component<'_>, properties: Map, scope: &Scope) -> Result<Map> {
    let filter = Filter::build(filter)?;
    let mut kept = Map::new();
    for (key, value) in properties {
        let one = Value::Map(Map::from_iter([(key.clone(), value.clone())]));
        if filter.holds(&one, scope, &Variables::default())? {
            kept.insert(key, value);
        }
    }
    Ok(kept)
}
