//! `SubstreamPartitionRouter`: a partition for each record of other streams.
//!
//! Where parents stand is told after each partition, so what happens when is part of the behaviour: a record is given
//! out once the next one of its slice is known, after the parent's cursor has seen it, and the last one of a slice after
//! the slice is closed. So a state that knows a slice as read is never older than the children of its records.

use std::sync::Arc;

use futures::future::BoxFuture;
use protocol::Result;

use super::parent::{Pages, Parent};
use super::path::Path;
use super::router::{Builder, Part, Walk};
use super::slice::Slice;
use crate::source::declarative::component::Component;
use crate::source::declarative::cursor::Slicer;
use crate::source::declarative::request::{Parts, RequestOption};
use crate::source::declarative::scope::Scope;
use crate::source::declarative::state::{Parental, Snapshot, parent_state};
use crate::source::declarative::template::TextTemplate;
use crate::source::declarative::value::{Map, Value};

/// Parent streams, and what of their records makes a partition.
pub(in crate::source::declarative) struct Substream {
    links: Vec<Link>,
}

/// `ParentStreamConfig`.
struct Link {
    parent: Arc<dyn Parent>,
    /// Where the partition's value stands in a record.
    source: Path,
    /// The partition's key.
    key: String,
    extra: Vec<Path>,
    lazy: Option<Path>,
    option: Option<RequestOption>,
    is_incremental: bool,
}

impl Substream {
    pub(super) fn build(router: &Component<'_>, builder: &Builder<'_>) -> Result<Self> {
        let links = router.children("parent_stream_configs")?;
        if links.is_empty() {
            return Err(router.fail("`parent_stream_configs` needs one parent at least"));
        }
        let links = links.iter().map(|link| Link::build(link, builder)).collect::<Result<_>>()?;
        Ok(Self { links })
    }

    pub(super) fn keys(&self) -> Vec<&str> {
        self.links.iter().map(|link| link.key.as_str()).collect()
    }

    pub(super) fn has_options(&self) -> bool {
        self.links.iter().any(|link| link.option.is_some())
    }

    pub(super) fn inject(&self, parts: &mut Parts, partition: &Map) {
        for link in &self.links {
            if let (Some(option), Some(value)) = (&link.option, partition.get(&link.key))
                && value.is_true()
            {
                option.inject(parts, value.clone());
            }
        }
    }

    pub(super) fn parental(&self) -> Parental {
        let mut all: Vec<(String, Snapshot)> = Vec::new();
        for link in self.links.iter().filter(|link| link.is_incremental) {
            let (name, snapshot) = (link.parent.name(), link.parent.slicing().cursor().snapshot());
            match all.iter_mut().find(|(known, _)| known == name) {
                Some((_, known)) => *known = snapshot,
                None => all.push((name.to_owned(), snapshot)),
            }
        }
        Parental::Live(Arc::new(all))
    }

    pub(super) fn version(&self) -> u64 {
        let parents = self.links.iter().filter(|link| link.is_incremental);
        parents.map(|link| link.parent.slicing().cursor().version()).sum()
    }

    pub(super) fn walk(substream: &Arc<Self>) -> Records {
        Records { substream: Arc::clone(substream), place: 0, reading: None }
    }
}

impl Link {
    fn build(link: &Component<'_>, builder: &Builder<'_>) -> Result<Self> {
        let parameters = link.parameters();
        let context = builder.scope.context(&parameters);
        let path = |texts: &[String]| -> Result<Path> {
            let segments = texts.iter().map(|text| TextTemplate::compile(text)?.eval_text(&context));
            Ok(Path::new(segments.collect::<Result<_>>()?))
        };
        let lazy = link.texts("lazy_read_pointer")?;
        if lazy.iter().any(|segment| segment.contains('*')) {
            return Err(link.fail("`lazy_read_pointer` can't have a wildcard"));
        }
        let state = parent_state(link, builder.child, builder.scope)?;
        let option = link.child("request_option")?;
        Ok(Self {
            source: Path::parse(&link.required_template("parent_key")?.eval_text(&context)?),
            key: link.required_template("partition_field")?.eval_text(&context)?,
            extra: extra_paths(link, builder.scope)?,
            // Only the first sync takes them from the parents' records; later ones ask for them.
            lazy: if lazy.is_empty() || builder.child.is_some_and(|state| !state.is_empty()) {
                None
            } else {
                Some(path(&lazy)?)
            },
            option: option.map(|option| RequestOption::build(&option, builder.scope)).transpose()?,
            is_incremental: link.flag("incremental_dependency", false)?,
            parent: builder.parents.open(&link.required("stream")?, state.as_ref())?,
        })
    }

    /// The partition that `record` of `slice` makes; `None` where it lacks the key.
    fn part(&self, record: &Value, slice: &Slice) -> Result<Option<Part>> {
        let Some(value) = self.source.find(record)?.filter(|value| !value.is_none()) else { return Ok(None) };
        let mut part = Part::default();
        part.partition.insert(self.key.as_str(), value.clone());
        part.partition.insert("parent_slice", slice.stream_slice().partition().clone());
        for path in &self.extra {
            part.extra.insert(path.dotted(), path.find(record)?.cloned().unwrap_or_default());
        }
        if let Some(path) = &self.lazy {
            part.child = Some(path.find(record)?.cloned().unwrap_or_else(|| Value::List(Vec::new())));
        }
        Ok(Some(part))
    }
}

fn extra_paths(link: &Component<'_>, scope: &Scope) -> Result<Vec<Path>> {
    let parameters = link.parameters();
    let context = scope.context(&parameters);
    let Some(Value::List(paths)) = link.value("extra_fields") else { return Ok(Vec::new()) };
    let path = |segments: &Value| -> Result<Path> {
        let segments =
            segments.as_list().ok_or_else(|| link.fail("`extra_fields` must be a list of paths"))?;
        let texts = segments.iter().map(|segment| match segment {
            Value::Text(text) => TextTemplate::compile(text)?.eval_text(&context),
            other => Ok(other.to_json()),
        });
        Ok(Path::new(texts.collect::<Result<_>>()?))
    };
    paths.iter().map(path).collect()
}

/// The records of all parents, as partitions.
pub(super) struct Records {
    substream: Arc<Substream>,
    place: usize,
    reading: Option<Reading>,
}

/// One parent that is being read.
struct Reading {
    parent: Arc<dyn Parent>,
    slicer: Slicer,
    /// The slice that comes after the one that is open, known before that one is read.
    ahead: Option<Slice>,
    open: Option<Open>,
}

/// One slice that is being read.
struct Open {
    slice: Slice,
    pages: Box<dyn Pages>,
    page: std::vec::IntoIter<Value>,
    /// The record that comes next.
    held: Option<Value>,
}

impl Walk for Records {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Part>>> {
        Box::pin(async move {
            loop {
                let Some(link) = self.substream.links.get(self.place) else { return Ok(None) };
                let reading = match &mut self.reading {
                    Some(reading) => reading,
                    empty @ None => empty.insert(Reading::begin(link).await?),
                };
                match reading.next(link).await? {
                    Step::Part(part) => return Ok(Some(part)),
                    Step::Nothing => {}
                    Step::Over => (self.place, self.reading) = (self.place + 1, None),
                }
            }
        })
    }
}

enum Step {
    Part(Part),
    Nothing,
    Over,
}

impl Reading {
    async fn begin(link: &Link) -> Result<Self> {
        let mut slicer = link.parent.slicing().slicer()?;
        let ahead = slicer.next().await?;
        Ok(Self { parent: Arc::clone(&link.parent), slicer, ahead, open: None })
    }

    async fn next(&mut self, link: &Link) -> Result<Step> {
        let cursor = self.parent.slicing().cursor().clone();
        let open = match &mut self.open {
            Some(open) => open,
            empty @ None => {
                let Some(slice) = self.ahead.take() else { return Ok(Step::Over) };
                self.ahead = self.slicer.next().await?;
                let mut open = Open::begin(&*self.parent, slice)?;
                open.held = open.record().await?;
                empty.insert(open)
            }
        };
        let record = open.held.take();
        if record.is_some() {
            open.held = open.record().await?;
        }
        let mut part = None;
        if let Some(record) = &record {
            let value = cursor.field().and_then(|field| record.get(field));
            cursor.observe(&open.slice, value)?;
            part = link.part(record, &open.slice)?;
        }
        if open.held.is_none() {
            cursor.close(&open.slice)?;
            self.open = None;
            if self.ahead.is_none() {
                cursor.finish()?;
            }
        }
        Ok(part.map_or(Step::Nothing, Step::Part))
    }
}

impl Open {
    fn begin(parent: &dyn Parent, slice: Slice) -> Result<Self> {
        let pages = parent.read(&slice)?;
        Ok(Self { slice, pages, page: Vec::new().into_iter(), held: None })
    }

    async fn record(&mut self) -> Result<Option<Value>> {
        loop {
            if let Some(record) = self.page.next() {
                return Ok(Some(record));
            }
            match self.pages.next().await? {
                Some(page) => self.page = page.into_iter(),
                None => return Ok(None),
            }
        }
    }
}
