//! Reports that a server makes on order: created, polled, downloaded (`AsyncRetriever`).
//!
//! One slice is one report. What it takes to have it made is in `order`; the records of what was made come page by
//! page, as they were extracted: filters and transformations are the stream's.

mod order;
mod reply;
mod report;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use protocol::{Error, Result};
use tokio::sync::OwnedSemaphorePermit;

use super::component::Component;
use super::number;
use super::page::Paginator;
use super::record::Selector;
use super::request::Requester;
use super::scope::Scope;
use super::template::{StreamSlice, TextTemplate};
use super::value::{Map, Value};
use order::Status;
pub use report::Report;

/// How long a report may take, where a manifest does not say so.
const TIMEOUT: Duration = Duration::from_hours(1);

/// Orders reports as an `AsyncRetriever` says.
pub struct Jobs {
    creation: Requester,
    polling: Requester,
    download: Requester,
    target: Option<Requester>,
    abort: Option<Requester>,
    delete: Option<Requester>,
    status: Selector,
    targets: Option<Selector>,
    selector: Selector,
    paginator: Paginator,
    mapping: Vec<(String, Status)>,
    timeout: Duration,
    /// How long to wait beside the usual before a report that failed is ordered again.
    respite: Duration,
    /// No report can be had any more: the credentials are wrong, or the manifest is.
    broken: AtomicBool,
    scope: Scope,
}

impl Jobs {
    /// Of an `AsyncRetriever`; `name` is the stream's.
    pub fn build(component: &Component<'_>, scope: &Scope, name: &str) -> Result<Self> {
        if component.kind() != "AsyncRetriever" {
            return Err(component.unknown("retriever"));
        }
        let requester = |field: &str, what: &str| -> Result<Option<Requester>> {
            let child = component.child(field)?;
            child.map(|child| Requester::build(&child, scope, &format!("job {what} - {name}"))).transpose()
        };
        let needed = |field: &str, what: &str| -> Result<Requester> {
            Requester::build(&component.required(field)?, scope, &format!("job {what} - {name}"))
        };
        let decoder = component.child("decoder")?;
        let targets = component.child("download_target_extractor")?;
        let target = requester("download_target_requester", "extract_url")?;
        if target.is_some() && targets.is_none() {
            return Err(component.fail("`download_target_requester` needs `download_target_extractor`"));
        }
        let root = Value::Map(Map::from_iter([
            ("type", Value::from("DpathExtractor")),
            ("field_path", Value::List(Vec::new())),
        ]));
        let extractor = match component.child("download_extractor")? {
            Some(extractor) => extractor,
            None => Component::new(&root, component.place())?,
        };
        let selector =
            Selector::extractor(Some(&extractor), component.child("download_decoder")?.as_ref(), scope)?;
        let pages = component.child("download_paginator")?;
        let paginator = Paginator::build(pages.as_ref(), scope, &|template| selector.apart(template))?;
        let minutes =
            count(component, "polling_job_timeout", scope)?.map(|minutes| minutes.saturating_mul(60));
        let respite = count(component, "failed_retry_wait_time_in_seconds", scope)?;
        Ok(Self {
            creation: needed("creation_requester", "creation")?,
            polling: needed("polling_requester", "polling")?,
            download: needed("download_requester", "download")?,
            target,
            abort: requester("abort_requester", "abort")?,
            delete: requester("delete_requester", "delete")?,
            status: Selector::extractor(
                Some(&component.required("status_extractor")?),
                decoder.as_ref(),
                scope,
            )?,
            targets: targets
                .map(|extractor| Selector::extractor(Some(&extractor), decoder.as_ref(), scope))
                .transpose()?,
            selector,
            paginator,
            mapping: order::mapping(&component.required("status_mapping")?)?,
            timeout: minutes.map_or(TIMEOUT, Duration::from_secs),
            respite: Duration::from_secs(respite.unwrap_or(0)),
            broken: AtomicBool::new(false),
            scope: scope.clone(),
        })
    }

    /// The report of one slice. Nothing is ordered yet.
    #[must_use]
    pub fn report(self: &Arc<Self>, slice: Arc<StreamSlice>) -> Report {
        Report::new(Arc::clone(self), slice)
    }

    /// Waits until one more report may be in the making.
    pub async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        let gone = |error| Error::internal("the limit of jobs is gone").with_source(error);
        self.scope.vault().jobs().acquire_owned().await.map_err(gone)
    }

    /// Whether no report can be had any more: the credentials are wrong, or the manifest is.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Relaxed)
    }

    fn breaks(&self) {
        self.broken.store(true, Ordering::Relaxed);
    }
}

/// How many reports of a manifest may be in the making at once: one, unless it says something that makes sense.
#[must_use]
pub fn at_once(manifest: &Component<'_>, scope: &Scope) -> usize {
    const FIELD: &str = "max_concurrent_async_job_count";
    count(manifest, FIELD, scope).ok().flatten().and_then(|number| usize::try_from(number).ok()).unwrap_or(1)
}

/// A number, or a template that evaluates to one. Zero is none.
fn count(component: &Component<'_>, field: &str, scope: &Scope) -> Result<Option<u64>> {
    let value = match component.value(field) {
        None => return Ok(None),
        Some(Value::Text(text)) => {
            TextTemplate::compile(text)?.eval(&scope.context(&component.parameters()))?
        }
        Some(other) => other.clone(),
    };
    let number = match &value {
        Value::Int(number) => u64::try_from(*number).ok(),
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "so does int()")]
        Value::Float(number) if *number >= 0.0 => Some(number.trunc() as u64),
        Value::Text(text) => number::parse_int(text, 10).and_then(|number| u64::try_from(&number).ok()),
        _ => None,
    };
    let number = number.ok_or_else(|| component.fail(format!("`{field}` must be a number of 1 or more")))?;
    Ok(Some(number).filter(|number| *number > 0))
}
