//! `SimpleRetriever`: the pages of one slice, one after the other.

use std::sync::Arc;

use protocol::{Error, Result};
use tokio::sync::OnceCell;

use super::shrink::{Shrinker, Shrinking};
use crate::http::Answer;
use crate::source::declarative::cursor::{Slicing, Tracker};
use crate::source::declarative::decode::Bodies;
use crate::source::declarative::page::{Page, Paginator, Repeats};
use crate::source::declarative::partition::Slice;
use crate::source::declarative::record::{Records, Selected, Selector, Variables};
use crate::source::declarative::request::{Call, Outcome, Requester};
use crate::source::declarative::template::StreamSlice;
use crate::source::declarative::value::Value;

use super::properties::QueryProperties;

/// Halvings of one slice before it is given up.
const DEEPEST_SPLIT: usize = 10;

/// How the records of a slice are fetched.
pub(super) struct Retriever {
    pub(super) requester: Requester,
    pub(super) paginator: Paginator,
    pub(super) selector: Selector,
    /// From the second page on only the paginator's options are sent.
    pub(super) paginator_alone: bool,
    pub(super) properties: Option<QueryProperties>,
    /// Set before the first slice is read.
    pub(super) schema: OnceCell<Value>,
    pub(super) shrinking: Option<Shrinking>,
    /// `pagination_reset`.
    pub(super) reset: Option<Reset>,
    /// `request_window_splitting`: the smallest window, and what to say when it is reached.
    pub(super) splitting: Option<Splitting>,
}

/// `pagination_reset`.
#[derive(Debug, Clone)]
pub(super) struct Reset {
    /// Whether the slice shrinks to what is left of it (`SPLIT_USING_CURSOR`).
    pub(super) by_cursor: bool,
    /// Records after which the pagination starts over by itself.
    pub(super) limit: Option<usize>,
}

/// `request_window_splitting`.
#[derive(Debug, Clone)]
pub(super) struct Splitting {
    pub(super) min_window: Option<String>,
    pub(super) message: Option<String>,
}

/// The pages of one slice.
pub(super) struct Reading {
    retriever: Arc<Retriever>,
    slicing: Arc<Slicing>,
    slice: Slice,
    /// Windows that are still to be read, the next one last, and how often each was halved.
    windows: Vec<(Arc<StreamSlice>, usize)>,
    walk: Option<Walk>,
    /// Why there is no page after the one that was given out.
    failed: Option<Error>,
}

/// The way through the pages of one window.
struct Walk {
    /// What requests see: less than `whole` once resets shrank it.
    window: Arc<StreamSlice>,
    /// What records belong to.
    whole: Arc<StreamSlice>,
    splits: usize,
    tracker: Option<Tracker>,
    token: Option<Value>,
    repeats: Repeats,
    shrinker: Option<Shrinker>,
    since_reset: usize,
    same_window: usize,
    /// The first page, where the parent's record holds it.
    child: Option<Value>,
}

/// What came of one request.
enum Fetched {
    Page(Box<FetchedPage>),
    /// No records and no further page.
    End,
    Again,
    Split(Option<String>),
    Reset,
}

struct FetchedPage {
    records: Records,
    /// As many as were left before records of a data feed that are known were dropped.
    kept: usize,
    /// What the page after it is asked for by. That this fails takes no records away.
    next: Result<Option<Value>>,
}

impl Reading {
    pub(super) fn new(retriever: Arc<Retriever>, slicing: Arc<Slicing>, slice: Slice) -> Self {
        let window = slice.stream_slice().clone();
        Self { retriever, slicing, slice, windows: vec![(window, 0)], walk: None, failed: None }
    }

    /// The records of the next page, which may be none; `None` at the end of the slice.
    pub(super) async fn next(&mut self) -> Result<Option<Records>> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        loop {
            let mut walk = match self.walk.take() {
                Some(walk) => walk,
                None => match self.windows.pop() {
                    Some((window, splits)) => self.start(window, splits),
                    None => return Ok(None),
                },
            };
            match self.fetch(&mut walk).await? {
                Fetched::Again => self.walk = Some(walk),
                Fetched::End => {}
                Fetched::Reset => {
                    self.restart(&mut walk)?;
                    self.walk = Some(walk);
                }
                Fetched::Split(message) => self.split(&walk, message.as_deref())?,
                Fetched::Page(page) => {
                    walk.since_reset += page.kept;
                    if let (Some(tracker), Some(field)) = (&mut walk.tracker, self.slicing.cursor().field()) {
                        tracker.observe(&walk.whole, &cursor_values(&page.records, field)?)?;
                    }
                    self.failed = page.next.and_then(|next| self.go_on(walk, next)).err();
                    return Ok(Some(page.records));
                }
            }
        }
    }

    /// What follows a page: the next one, or the first one where the pagination starts over by itself.
    fn go_on(&mut self, mut walk: Walk, next: Option<Value>) -> Result<()> {
        let limit = self.retriever.reset.as_ref().and_then(|reset| reset.limit);
        if limit.is_some_and(|limit| walk.since_reset >= limit) {
            self.restart(&mut walk)?;
            self.walk = Some(walk);
        } else if next.is_some() {
            walk.token = next;
            self.walk = Some(walk);
        }
        Ok(())
    }

    fn start(&self, window: Arc<StreamSlice>, splits: usize) -> Walk {
        let by_cursor = self.retriever.reset.as_ref().is_some_and(|reset| reset.by_cursor);
        Walk {
            whole: window.clone(),
            window,
            splits,
            tracker: if by_cursor { self.slicing.cursor().tracker() } else { None },
            token: self.retriever.paginator.first(),
            repeats: Repeats::default(),
            shrinker: self.retriever.shrinking.as_ref().map(Shrinking::shrinker),
            since_reset: 0,
            same_window: 0,
            child: self.slice.child_response().cloned(),
        }
    }

    async fn fetch(&self, walk: &mut Walk) -> Result<Fetched> {
        if let Some(child) = walk.child.take() {
            return self.page(walk, &embedded(&child)?, None);
        }
        if self.retriever.properties.is_some() {
            return self.fetch_in_chunks(walk).await;
        }
        match self.ask(walk, &walk.window).await? {
            Outcome::Answer(answer) | Outcome::Ignored(Some(answer)) => {
                if let Some(shrinker) = &mut walk.shrinker {
                    shrinker.worked();
                }
                // An error that is passed over is no page, whatever it says.
                if answer.status >= 400 {
                    return Ok(Fetched::End);
                }
                self.page(walk, &answer, None)
            }
            other => self.unusual(walk, other).await,
        }
    }

    /// What is to be done where no answer came that counts.
    async fn unusual(&self, walk: &mut Walk, outcome: Outcome) -> Result<Fetched> {
        match outcome {
            Outcome::Answer(_) | Outcome::Ignored(_) => Ok(Fetched::End),
            Outcome::ResetPagination => Ok(Fetched::Reset),
            Outcome::SplitWindow(message) => Ok(Fetched::Split(message)),
            Outcome::ReducePageSize(message) => match &mut walk.shrinker {
                Some(shrinker) => {
                    shrinker.shrink(self.retriever.paginator.page_size()?, message.as_deref()).await?;
                    Ok(Fetched::Again)
                }
                None => Err(Error::config("an error handler asks for smaller pages")
                    .hint("The retriever needs `page_size_reduction` for that.")),
            },
        }
    }

    /// The request of a page.
    async fn ask(&self, walk: &Walk, window: &StreamSlice) -> Result<Outcome> {
        let retriever = &self.retriever;
        let size = walk.shrinker.as_ref().and_then(Shrinker::size);
        let token = walk.token.as_ref();
        let mut parts = retriever.paginator.parts(token, size)?;
        if token.is_none() || !retriever.paginator_alone {
            parts.merge(self.slicing.options(window))?;
        }
        let path = retriever.paginator.path(token);
        let call = Call { slice: Some(window), token, path: path.as_deref(), parts };
        retriever.requester.send(call).await
    }

    /// One page whose properties are asked for in several requests.
    async fn fetch_in_chunks(&self, walk: &mut Walk) -> Result<Fetched> {
        let Some(properties) = &self.retriever.properties else { return Ok(Fetched::End) };
        let mut merger = properties.merger();
        let mut last: Option<(Answer, usize)> = None;
        for chunk in properties.chunks().await? {
            let window = with_properties(&walk.window, chunk);
            match self.ask(walk, &window).await? {
                Outcome::Answer(answer) | Outcome::Ignored(Some(answer)) if answer.status < 400 => {
                    let bodies = self.retriever.selector.decode(&answer)?;
                    let selected = self.select(&bodies, &walk.whole, walk.token.as_ref())?;
                    merger.add(selected.records.into_values()?);
                    last = Some((answer, selected.extracted));
                }
                Outcome::Answer(_) | Outcome::Ignored(_) => last = None,
                other => return self.unusual(walk, other).await,
            }
        }
        let records = Records::from_values(merger.finish());
        if let Some((answer, extracted)) = last {
            return self.page(walk, &answer, Some(Selected { records, extracted }));
        }
        let kept = records.len();
        Ok(Fetched::Page(Box::new(FetchedPage { records, kept, next: Ok(None) })))
    }

    fn select(&self, bodies: &Bodies, window: &StreamSlice, token: Option<&Value>) -> Result<Selected> {
        let token = Paginator::variable(token);
        let schema = self.retriever.schema.get();
        let mut variables =
            Variables { slice: Some(window), next_page_token: Some(&token), schema, keep: None };
        let cursor = self.slicing.cursor();
        match cursor.field() {
            Some(field) if self.slicing.is_client_side() && !self.slicing.is_data_feed() => {
                let mut sieve = cursor.sieve(&self.slice)?;
                let mut keep = |value: &Value| sieve.keeps(value);
                let mut variables = Variables { keep: Some((field, &mut keep)), ..variables };
                self.retriever.selector.select(bodies, &mut variables)
            }
            _ => self.retriever.selector.select(bodies, &mut variables),
        }
    }

    /// The records of an answer and the token of the page after it.
    fn page(&self, walk: &mut Walk, answer: &Answer, merged: Option<Selected>) -> Result<Fetched> {
        let selector = &self.retriever.selector;
        let bodies = selector.decode(answer)?;
        let selected = match merged {
            Some(selected) => selected,
            None => self.select(&bodies, &walk.whole, walk.token.as_ref())?,
        };
        let (mut records, extracted) = (selected.records, selected.extracted);
        let kept = records.len();
        let page = Page {
            response: &|apart| if apart { selector.rest(&bodies) } else { bodies.first() },
            headers: &answer.headers,
            last_record: &|| records.last(),
            kept,
            extracted,
            token: walk.token.as_ref(),
            size: walk.shrinker.as_ref().and_then(Shrinker::size),
            slice: &walk.window,
        };
        let next = if self.feed_ends(&records)? {
            Ok(None)
        } else {
            self.retriever.paginator.next(&page).and_then(|next| {
                next.as_ref().map_or(Ok(()), |token| walk.repeats.note(&page, &answer.body, token))?;
                Ok(next)
            })
        };
        records = self.drop_known(records)?;
        Ok(Fetched::Page(Box::new(FetchedPage { records, kept, next })))
    }

    /// Whether the last record of a data feed's page is one that is known.
    fn feed_ends(&self, records: &Records) -> Result<bool> {
        if !self.slicing.is_data_feed() || records.is_empty() {
            return Ok(false);
        }
        let cursor = self.slicing.cursor();
        let Some(field) = cursor.field() else { return Ok(false) };
        let last = records.field(records.len() - 1, field)?.unwrap_or_default();
        Ok(!cursor.sieve(&self.slice)?.keeps(&last)?)
    }

    /// Drops the records of a data feed that are known.
    fn drop_known(&self, records: Records) -> Result<Records> {
        let cursor = self.slicing.cursor();
        let Some(field) = cursor.field().filter(|_| self.slicing.is_data_feed()) else { return Ok(records) };
        let mut sieve = cursor.sieve(&self.slice)?;
        let keep = (0..records.len())
            .map(|index| sieve.keeps(&records.field(index, field)?.unwrap_or_default()))
            .collect::<Result<Vec<bool>>>()?;
        if !keep.contains(&false) {
            return Ok(records);
        }
        let kept = records.into_values()?.into_iter().zip(keep).filter(|(_, keep)| *keep);
        Ok(Records::from_values(kept.map(|(record, _)| record).collect()))
    }

    /// The pagination starts over, on what is left of the window where the cursor can tell.
    fn restart(&self, walk: &mut Walk) -> Result<()> {
        let (window, most) = match &walk.tracker {
            Some(tracker) => (Arc::new(tracker.reduce(&walk.whole)), 1),
            None => (walk.window.clone(), 2),
        };
        if window.merged().iter().eq(walk.window.merged().iter()) {
            walk.same_window += 1;
            if walk.same_window >= most {
                return Err(Error::data("the pagination starts over and over on the same slice"));
            }
        } else {
            walk.same_window = 0;
        }
        walk.window = window;
        walk.token = self.retriever.paginator.first();
        walk.since_reset = 0;
        walk.repeats.forget();
        Ok(())
    }

    /// Puts the halves of a window in its place.
    fn split(&mut self, walk: &Walk, message: Option<&str>) -> Result<()> {
        let Some(splitting) = &self.retriever.splitting else {
            return Err(Error::config("an error handler asks to split the window of a request")
                .hint("The retriever needs `request_window_splitting` for that."));
        };
        let mut refused = String::from("the API refuses even the smallest window");
        for part in [message, splitting.message.as_deref()].into_iter().flatten() {
            refused.push_str(": ");
            refused.push_str(part);
        }
        if walk.splits >= DEEPEST_SPLIT {
            return Err(Error::transient(refused));
        }
        let halves = self.slicing.cursor().split(&walk.window, splitting.min_window.as_deref())?;
        let Some([first, second]) = halves else { return Err(Error::transient(refused)) };
        self.windows.push((Arc::new(second), walk.splits + 1));
        self.windows.push((Arc::new(first), walk.splits + 1));
        Ok(())
    }
}

/// A window that says which properties are asked for.
fn with_properties(window: &StreamSlice, chunk: Vec<String>) -> StreamSlice {
    let names = chunk.into_iter().map(Value::Text).collect::<Vec<_>>();
    let extra = crate::source::declarative::value::Map::from_iter([("query_properties", Value::List(names))]);
    StreamSlice::new(window.partition().clone(), window.cursor().clone(), extra)
}

/// The cursor's values of records; [`Value::None`] where one has none.
pub(super) fn cursor_values(records: &Records, field: &str) -> Result<Vec<Value>> {
    (0..records.len()).map(|index| Ok(records.field(index, field)?.unwrap_or_default())).collect()
}

/// The first page of a slice, where a parent's record holds it.
fn embedded(child: &Value) -> Result<Answer> {
    let url = url::Url::parse("about:blank")
        .map_err(|error| Error::internal("an address that is fixed is wrong").with_source(error))?;
    Ok(Answer { status: 200, url, headers: Vec::new(), body: child.to_json().into() })
}
