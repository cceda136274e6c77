//! `DeclarativeStream`: one stream, put together from its components.

use std::collections::HashSet;
use std::sync::Arc;

use protocol::Result;
use tokio::sync::OnceCell;

use super::family::Family;
use super::properties::QueryProperties;
use super::report::{ReportReading, Reports};
use super::retriever::{self as pages, Reset, Retriever, Splitting};
use super::schema::Shape;
use super::shrink::Shrinking;
use crate::source::declarative::component::Component;
use crate::source::declarative::cursor::Slicing;
use crate::source::declarative::job::Jobs;
use crate::source::declarative::page::Paginator;
use crate::source::declarative::partition::Slice;
use crate::source::declarative::record::{Records, Selector};
use crate::source::declarative::request::Requester;
use crate::source::declarative::value::{Map, Value};

/// A stream that stands at a state and is read once.
pub(super) struct Stream {
    name: String,
    primary_key: Vec<String>,
    slicing: Arc<Slicing>,
    way: Way,
    shape: Shape,
}

/// How the records of a stream are had.
enum Way {
    Pages(Arc<Retriever>),
    Reports(Arc<Reports>),
}

/// The records of one slice, page after page.
pub(super) enum Reading {
    /// Of pages that are asked for.
    Pages(Box<pages::Reading>),
    /// Of a report that is ordered.
    Report(Box<ReportReading>),
}

impl Reading {
    /// The records of the next page, which may be none; `None` at the end of the slice.
    pub(super) async fn next(&mut self) -> Result<Option<Records>> {
        match self {
            Self::Pages(pages) => pages.next().await,
            Self::Report(report) => report.next().await,
        }
    }

    /// Whether the server had nothing to read: then the slice counts as not read.
    pub(super) fn is_skipped(&self) -> bool {
        matches!(self, Self::Report(report) if report.is_skipped())
    }
}

/// Under what circumstances a stream is built.
#[derive(Default, Clone)]
pub(super) struct Origin<'o> {
    /// Where it stood.
    pub(super) state: Option<&'o Value>,
    /// The cursor's field that the user chose.
    pub(super) chosen: Option<&'o str>,
    /// Whether its answers are kept, unless the requester says no.
    pub(super) keeps: bool,
    /// The properties that the user chose.
    pub(super) properties: Option<&'o HashSet<String>>,
}

impl Stream {
    /// Of a `DeclarativeStream`.
    pub(super) fn build(component: &Component<'_>, family: &Family, origin: &Origin<'_>) -> Result<Self> {
        if component.kind() != "DeclarativeStream" {
            return Err(component.unknown("stream"));
        }
        let name = component.text("name")?.unwrap_or_default();
        let scope = family.scope();
        let slicing = Arc::new(Slicing::build(component, scope, origin.state, origin.chosen, family)?);
        let retriever = component.required("retriever")?;
        let way = match retriever.kind() {
            "SimpleRetriever" => {
                Way::Pages(Arc::new(build_simple(&retriever, component, &name, family, &slicing, origin)?))
            }
            "AsyncRetriever" => {
                Way::Reports(Arc::new(Reports::build(&retriever, component, &name, family, &slicing)?))
            }
            _ => return Err(retriever.unknown("retriever")),
        };
        let primary_key = primary_key(component)?;
        let shape = Shape::build(component, &name, family);
        Ok(Self { name, primary_key, slicing, way, shape })
    }

    /// A stream of nothing but the retriever in `field` of some other component. Its answers are kept.
    pub(super) fn of_retriever(
        component: &Component<'_>,
        field: &str,
        name: &str,
        family: &Family,
    ) -> Result<Self> {
        let stream = Value::Map(Map::from_iter([
            ("type", Value::from("DeclarativeStream")),
            ("name", Value::from(name)),
            ("retriever", component.required_value(field)?.clone()),
        ]));
        let stream = Component::new(&stream, component.place())?;
        Self::build(&stream, family, &Origin { keeps: true, ..Origin::default() })
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn slicing(&self) -> &Slicing {
        &self.slicing
    }

    pub(super) fn primary_key(&self) -> &[String] {
        &self.primary_key
    }

    /// The JSON schema; may send a request for it, once.
    pub(super) async fn json_schema(&self) -> Result<&Value> {
        let schema = match &self.way {
            Way::Pages(retriever) => &retriever.schema,
            Way::Reports(reports) => &reports.schema,
        };
        schema.get_or_try_init(|| Box::pin(self.shape.json_schema())).await
    }

    /// The pages of one slice.
    pub(super) fn reading(&self, slice: Slice) -> Reading {
        let slicing = self.slicing.clone();
        match &self.way {
            Way::Pages(retriever) => {
                Reading::Pages(Box::new(pages::Reading::new(retriever.clone(), slicing, slice)))
            }
            Way::Reports(reports) => {
                Reading::Report(Box::new(ReportReading::new(reports.clone(), slicing, slice)))
            }
        }
    }

    /// What has its reports made, where it is a stream of reports.
    pub(super) fn jobs(&self) -> Option<&Jobs> {
        match &self.way {
            Way::Pages(_) => None,
            Way::Reports(reports) => Some(&reports.jobs),
        }
    }

    /// All records, slice after slice: for streams that serve others.
    pub(super) async fn all_records(&self) -> Result<Vec<Value>> {
        let mut records = Vec::new();
        self.each_page(|page, _| {
            records.extend(page);
            true
        })
        .await?;
        Ok(records)
    }

    /// The first record of all.
    pub(super) async fn first_record(&self) -> Result<Option<Value>> {
        let mut first = None;
        self.each_page(|page, _| {
            first = page.into_iter().next();
            first.is_none()
        })
        .await?;
        Ok(first)
    }

    /// Page after page, as long as `take` wants more.
    pub(super) async fn each_page(&self, mut take: impl FnMut(Vec<Value>, &Slice) -> bool) -> Result<()> {
        let mut slicer = self.slicing.slicer()?;
        while let Some(slice) = slicer.next().await? {
            let mut reading = self.reading(slice.clone());
            while let Some(page) = reading.next().await? {
                if !take(page.into_values()?, &slice) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

/// The names of the key's columns: a name, a list of names, or a list of lists of one name.
fn primary_key(component: &Component<'_>) -> Result<Vec<String>> {
    let Some(value) = component.value("primary_key") else { return Ok(Vec::new()) };
    let name = |value: &Value| match value {
        Value::Text(name) => Some(name.clone()),
        _ => None,
    };
    let names = match value {
        Value::Text(text) => Some(vec![text.clone()]),
        Value::List(items) if items.iter().all(|item| item.as_text().is_some()) => {
            items.iter().map(name).collect()
        }
        Value::List(items) => items
            .iter()
            .map(|item| match item.as_list() {
                Some([only]) => name(only),
                _ => None,
            })
            .collect(),
        _ => None,
    };
    names.map(|names| names.into_iter().filter(|name| !name.is_empty()).collect()).ok_or_else(|| {
        component.fail("`primary_key` must be a name or a list of names; nested keys are not known")
    })
}

fn build_simple(
    component: &Component<'_>,
    stream: &Component<'_>,
    name: &str,
    family: &Family,
    slicing: &Slicing,
    origin: &Origin<'_>,
) -> Result<Retriever> {
    let scope = family.scope();
    let requester = component.required("requester")?;
    let selector = Selector::build(
        &component.required("record_selector")?,
        component.child("decoder")?.as_ref(),
        &stream.children("transformations")?,
        scope,
        slicing.is_client_side(),
    )?;
    let paginator = Paginator::build(component.child("paginator")?.as_ref(), scope, &|template| {
        selector.apart(template)
    })?;
    let shrinking = component.child("page_size_reduction")?.map(|c| Shrinking::build(&c)).transpose()?;
    if shrinking.is_some() && !paginator.can_shrink() {
        return Err(component.fail("`page_size_reduction` needs pages by offset or cursor"));
    }
    Ok(Retriever {
        requester: Requester::build(&requester, scope, name)?.keeping(
            &requester,
            family.cache(),
            origin.keeps,
        )?,
        paginator,
        selector,
        paginator_alone: component.flag("ignore_stream_slicer_parameters_on_paginated_requests", false)?,
        properties: build_properties(&requester, family, origin)?,
        schema: OnceCell::new(),
        shrinking,
        reset: component.child("pagination_reset")?.map(|reset| build_reset(&reset, slicing)).transpose()?,
        splitting: component.child("request_window_splitting")?.map(|c| build_splitting(&c)).transpose()?,
    })
}

/// The properties that a requester asks for: of a parameter, of its own, or of an endpoint.
fn build_properties(
    requester: &Component<'_>,
    family: &Family,
    origin: &Origin<'_>,
) -> Result<Option<QueryProperties>> {
    let chosen = origin.properties.cloned();
    let in_parameters = match requester.child_map("request_parameters") {
        Some(parameters) => parameters
            .iter()
            .find(|(_, value)| value.get("type").and_then(Value::as_text) == Some("QueryProperties"))
            .map(|(key, value)| {
                Component::new(value, format!("{}.request_parameters.{key}", requester.place()))
            })
            .transpose()?,
        None => None,
    };
    let endpoint = requester.child("fetch_properties_from_endpoint")?;
    match (in_parameters, endpoint, requester.child("query_properties")?) {
        (Some(_), Some(_), _) => Err(requester.fail("query properties are given twice")),
        (Some(properties), ..) | (None, None, Some(properties)) => {
            QueryProperties::build(&properties, family, chosen).map(Some)
        }
        (None, Some(endpoint), _) => QueryProperties::of_endpoint(&endpoint, family).map(Some),
        (None, None, None) => Ok(None),
    }
}

fn build_reset(component: &Component<'_>, slicing: &Slicing) -> Result<Reset> {
    let by_cursor = match component.required_text("action")?.as_str() {
        "RESET" => false,
        "SPLIT_USING_CURSOR" => slicing.cursor().field().is_some(),
        other => return Err(component.fail(format!("`action` can't be {other:?}"))),
    };
    let limit = match component.child("limits")? {
        Some(limits) => limits.int("number_of_records")?.and_then(|limit| usize::try_from(limit).ok()),
        None => None,
    };
    Ok(Reset { by_cursor, limit })
}

fn build_splitting(component: &Component<'_>) -> Result<Splitting> {
    Ok(Splitting {
        min_window: component.text("min_split_window")?,
        message: component.text("failure_message")?,
    })
}
