//! What holds whatever the reference does: nothing is lost when a sync ends anywhere, and work grows with partitions.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use futures::future::BoxFuture;
use protocol::{Error, Result};

use super::{NONE, scope};
use crate::source::declarative::component::Component;
use crate::source::declarative::cursor::{Cursor, Slicing};
use crate::source::declarative::partition::{Pages, Parent, Parents, Slice};
use crate::source::declarative::scope::Scope;
use crate::source::declarative::value::{Map, Value};

/// A service with records of streams: `stream`, `at`, `id` and what partition they belong to.
#[derive(Clone)]
struct Api {
    scope: Scope,
    rows: Arc<Vec<Row>>,
    /// How many slices of parents are read until one fails.
    patience: Arc<Mutex<Option<u32>>>,
}

struct Row {
    stream: &'static str,
    id: i64,
    at: String,
    /// The identity of the parent's record.
    of: Option<i64>,
}

struct Stream {
    name: String,
    slicing: Slicing,
    api: Api,
}

struct Once(Option<Result<Vec<Value>>>);

impl Api {
    fn new(rows: Vec<Row>) -> Self {
        let scope = scope(&Value::Map(Map::new()), "2024-03-05T12:34:56Z");
        Self { scope, rows: Arc::new(rows), patience: Arc::default() }
    }

    /// What a request for a slice gives: bounds count on both sides.
    fn answer(&self, stream: &str, slice: &Slice) -> Vec<Value> {
        let merged = slice.stream_slice().merged();
        let bound = |key: &str| merged.get(key).and_then(Value::as_text).map(str::to_owned);
        let (from, to) = (bound("start_time"), bound("end_time"));
        let of = merged.get("pid").and_then(Value::as_int);
        let wanted = self.rows.iter().filter(|row| {
            row.stream == stream
                && row.of == of
                && from.as_ref().is_none_or(|from| *from <= row.at)
                && to.as_ref().is_none_or(|to| row.at <= *to)
        });
        let record = |row: &Row| {
            let fields = [("id", Value::Int(row.id)), ("at", Value::from(row.at.as_str()))];
            Value::Map(fields.into_iter().collect())
        };
        wanted.map(record).collect()
    }

    fn open(&self, stream: &Value, state: Option<&Value>) -> Slicing {
        let stream = Component::new(stream, "stream").expect("an object");
        Slicing::build(&stream, &self.scope, state, None, self).expect("a stream")
    }
}

impl Parents for Api {
    fn open(&self, stream: &Component<'_>, state: Option<&Value>) -> Result<Arc<dyn Parent>> {
        let slicing = Slicing::build(stream, &self.scope, state, None, self)?;
        Ok(Arc::new(Stream { name: stream.required_text("name")?, slicing, api: self.clone() }))
    }
}

impl Parent for Stream {
    fn name(&self) -> &str {
        &self.name
    }

    fn slicing(&self) -> &Slicing {
        &self.slicing
    }

    fn read(&self, slice: &Slice) -> Result<Box<dyn Pages>> {
        let mut patience = self.api.patience.lock().unwrap();
        if let Some(left) = &mut *patience {
            if *left == 0 {
                return Ok(Box::new(Once(Some(Err(Error::transient("a parent fails"))))));
            }
            *left -= 1;
        }
        Ok(Box::new(Once(Some(Ok(self.api.answer(&self.name, slice))))))
    }
}

impl Pages for Once {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<Value>>>> {
        let page = self.0.take().transpose();
        Box::pin(async move { page })
    }
}

fn json(text: &str) -> Value {
    Value::from_json(text.as_bytes()).expect("JSON")
}

fn stream(name: &str, cut: &str, router: &str) -> String {
    let router = if router.is_empty() { String::new() } else { format!(r#","partition_router":{router}"#) };
    format!(
        r#"{{"type":"DeclarativeStream","name":"{name}","retriever":{{"type":"SimpleRetriever"{router}}},
        "incremental_sync":{{"type":"DatetimeBasedCursor","cursor_field":"at","datetime_format":"%Y-%m-%dT%H:%M:%SZ",
        "start_datetime":"2024-01-01T00:00:00Z"{cut}}}}}"#
    )
}

fn children_of(parent: &str) -> String {
    format!(
        r#"{{"type":"SubstreamPartitionRouter","parent_stream_configs":[{{"type":"ParentStreamConfig","stream":{parent},
        "parent_key":"id","partition_field":"pid","incremental_dependency":true}}]}}"#
    )
}

const WEEKS: &str = r#","step":"P1W","cursor_granularity":"PT1S""#;

fn moment(rng: &mut fastrand::Rng, until_day: u32) -> String {
    let day = rng.u32(0..until_day);
    let (month, day) = if day < 31 {
        (1, day + 1)
    } else if day < 60 {
        (2, day - 30)
    } else {
        (3, day - 59)
    };
    format!("2024-{month:02}-{day:02}T{:02}:{:02}:00Z", rng.u32(0..24), rng.u32(0..60))
}

/// Reads slices by several workers in a random order until `budget` slices are closed; each record once it was emitted.
async fn work(
    api: &Api,
    slicing: &Slicing,
    rng: &mut fastrand::Rng,
    budget: usize,
    seen: &mut BTreeSet<i64>,
) -> Cursor {
    let cursor = slicing.cursor().clone();
    let mut slicer = slicing.slicer().expect("the first time");
    let (mut open, mut closed, mut is_over) = (Vec::new(), 0, false);
    while closed < budget && !(is_over && open.is_empty()) {
        if !is_over && (open.is_empty() || (open.len() < 4 && rng.bool())) {
            match slicer.next().await {
                Ok(Some(slice)) => open.push(slice),
                Ok(None) | Err(_) => is_over = true,
            }
            continue;
        }
        let slice = open.swap_remove(rng.usize(0..open.len()));
        let records = api.answer("s", &slice);
        if rng.u32(0..8) == 0 {
            // It fails, with what it has emitted until then.
            let half = &records[..records.len() / 2];
            seen.extend(half.iter().filter_map(|record| record.get("id")?.as_int()));
            cursor
                .observe(&slice, half.iter().map(|record| record.get("at").unwrap_or(NONE)))
                .expect("dates");
            continue;
        }
        seen.extend(records.iter().filter_map(|record| record.get("id")?.as_int()));
        cursor.observe(&slice, records.iter().map(|record| record.get("at").unwrap_or(NONE))).expect("dates");
        cursor.close(&slice).expect("an open slice");
        closed += 1;
    }
    cursor
}

/// Syncs that end anywhere, one after the other, each from where the one before stood, until one ends well.
async fn nothing_is_lost(manifest: &str, rows: impl Fn(&mut fastrand::Rng) -> Vec<Row>) {
    let manifest = json(manifest);
    for seed in 0..150 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let api = Api::new(rows(&mut rng));
        let all: BTreeSet<i64> = api.rows.iter().filter(|row| row.stream == "s").map(|row| row.id).collect();
        let (mut state, mut seen) = (None, BTreeSet::new());
        for _ in 0..rng.u32(1..4) {
            *api.patience.lock().unwrap() = rng.bool().then(|| rng.u32(0..6));
            let slicing = api.open(&manifest, state.as_ref());
            let budget = rng.usize(0..12);
            let cursor = work(&api, &slicing, &mut rng, budget, &mut seen).await;
            state = Some(match rng.u32(0..3) {
                0 => cursor.state(),
                1 => cursor.checkpoint(),
                _ => cursor.finish().expect("a state"),
            });
        }
        *api.patience.lock().unwrap() = None;
        let slicing = api.open(&manifest, state.as_ref());
        let mut slicer = slicing.slicer().expect("the first time");
        while let Some(slice) = slicer.next().await.expect("a slice") {
            seen.extend(api.answer("s", &slice).iter().filter_map(|record| record.get("id")?.as_int()));
        }
        let lost: Vec<&i64> = all.difference(&seen).collect();
        assert!(lost.is_empty(), "seed {seed}: lost {lost:?}, state {}", state.unwrap_or_default().to_json());
    }
}

fn records(rng: &mut fastrand::Rng, count: i64) -> Vec<Row> {
    (0..count).map(|id| Row { stream: "s", id, at: moment(rng, 64), of: None }).collect()
}

/// Parents that carry the greatest value of their children, as a service does that marks them as changed.
fn families(rng: &mut fastrand::Rng) -> Vec<Row> {
    let mut rows = Vec::new();
    for parent in 1..=rng.i64(1..9) {
        let children: Vec<String> = (0..rng.u32(0..4)).map(|_| moment(rng, 64)).collect();
        let at = children.iter().max().cloned().unwrap_or_else(|| moment(rng, 64));
        rows.push(Row { stream: "p", id: parent, at, of: None });
        for (place, at) in (0i64..).zip(children) {
            rows.push(Row { stream: "s", id: parent * 100 + place, at, of: Some(parent) });
        }
    }
    rows
}

#[tokio::test]
async fn loses_no_record_of_slices_that_end_anywhere() {
    nothing_is_lost(&stream("s", WEEKS, ""), |rng| records(rng, 30)).await;
}

#[tokio::test]
async fn loses_no_record_of_partitions_that_end_anywhere() {
    nothing_is_lost(&stream("s", "", &children_of(&stream("p", WEEKS, ""))), families).await;
}

#[tokio::test]
async fn loses_no_record_where_all_partitions_have_one_cursor() {
    let global = r#","global_substream_cursor":true"#;
    nothing_is_lost(&stream("s", global, &children_of(&stream("p", WEEKS, ""))), families).await;
}

#[tokio::test]
async fn reads_a_gap_alone_after_an_interruption() {
    let manifest = json(&stream("s", WEEKS, ""));
    let api = Api::new(Vec::new());
    let whole = api.open(&manifest, None);
    let mut slicer = whole.slicer().expect("the first time");
    let mut windows = Vec::new();
    while let Some(slice) = slicer.next().await.expect("a slice") {
        windows.push(slice);
    }
    for (place, slice) in windows.iter().enumerate().filter(|(place, _)| *place != 2) {
        whole.cursor().close(slice).unwrap_or_else(|error| panic!("{place}: {error}"));
    }
    let again = api.open(&manifest, Some(&whole.cursor().checkpoint()));
    let mut slicer = again.slicer().expect("the first time");
    let mut told = Vec::new();
    while let Some(slice) = slicer.next().await.expect("a slice") {
        told.push(slice.stream_slice().cursor().clone());
    }
    let gap = r#"{"start_time":"2024-01-15T00:00:00Z","end_time":"2024-01-21T23:59:59Z"}"#;
    assert_eq!(Value::from(told.remove(0)).to_json(), gap);
    assert_eq!(told.len(), 1, "what is left is the last second, which may still grow");
}

#[tokio::test]
async fn a_parent_that_fails_moves_no_state() {
    let manifest = json(&stream("s", "", &children_of(&stream("p", WEEKS, ""))));
    let rows = vec![
        Row { stream: "p", id: 1, at: "2024-01-02T00:00:00Z".into(), of: None },
        Row { stream: "p", id: 2, at: "2024-01-03T00:00:00Z".into(), of: None },
        Row { stream: "p", id: 3, at: "2024-02-02T00:00:00Z".into(), of: None },
        Row { stream: "s", id: 100, at: "2024-02-01T00:00:00Z".into(), of: Some(1) },
    ];
    let api = Api::new(rows);
    *api.patience.lock().unwrap() = Some(1);
    let slicing = api.open(&manifest, None);
    let mut rng = fastrand::Rng::with_seed(3);
    let cursor = work(&api, &slicing, &mut rng, 100, &mut BTreeSet::new()).await;
    let state = cursor.finish().expect("a state");
    assert!(state.get("state").is_none(), "new partitions must begin at the start: {}", state.to_json());
}

#[tokio::test]
async fn a_partition_that_comes_twice_is_read_once() {
    let router = r#"{"type":"ListPartitionRouter","values":["a","b","a"],"cursor_field":"k"}"#;
    let api = Api::new(Vec::new());
    let slicing = api.open(&json(&stream("s", "", router)), None);
    let mut slicer = slicing.slicer().expect("the first time");
    let mut told = Vec::new();
    while let Some(slice) = slicer.next().await.expect("a slice") {
        told.push(slice.stream_slice().partition().get("k").cloned().unwrap_or_default());
        slicing.cursor().close(&slice).expect("an open slice");
    }
    assert_eq!(told.iter().filter_map(Value::as_text).collect::<Vec<_>>(), ["a", "b"]);
}

/// A step whose work grew with all partitions that are known would take minutes here.
#[tokio::test]
async fn many_partitions_of_partitions_take_no_more_than_their_number() {
    const COUNT: i64 = 6000;
    let middle = stream("m", "", &children_of(&stream("p", "", "")));
    let manifest = json(&stream("s", "", &children_of(&middle)));
    let at = || "2024-02-01T00:00:00Z".to_owned();
    // One child for each parent, found by its number: the service is not what is tried here.
    let rows = (1..=COUNT).map(|id| Row { stream: "p", id, at: at(), of: None }).collect();
    let api = Crowd(Api::new(rows));
    let stream = Component::new(&manifest, "stream").expect("an object");
    let slicing = Slicing::build(&stream, &api.0.scope, None, None, &api).expect("a stream");
    let mut slicer = slicing.slicer().expect("the first time");
    let cursor = slicing.cursor();
    let mut count = 0;
    while let Some(slice) = slicer.next().await.expect("a slice") {
        cursor.observe(&slice, [Value::from(at())]).expect("a date");
        cursor.close(&slice).expect("an open slice");
        count += 1;
    }
    assert_eq!(count, COUNT);
    let state = cursor.finish().expect("a state");
    let length =
        |state: Option<&Value>| state.and_then(|state| state.get("states")?.as_list().map(<[_]>::len));
    assert_eq!(length(Some(&state)), Some(6000));
    assert_eq!(length(state.get("parent_state").and_then(|parents| parents.get("m"))), Some(6000));
}

/// Streams `p` and `m`, where each slice of `m` has one record.
struct Crowd(Api);

struct Member {
    name: String,
    slicing: Slicing,
    api: Api,
}

impl Parents for Crowd {
    fn open(&self, stream: &Component<'_>, state: Option<&Value>) -> Result<Arc<dyn Parent>> {
        let slicing = Slicing::build(stream, &self.0.scope, state, None, self)?;
        Ok(Arc::new(Member { name: stream.required_text("name")?, slicing, api: self.0.clone() }))
    }
}

impl Parent for Member {
    fn name(&self) -> &str {
        &self.name
    }

    fn slicing(&self) -> &Slicing {
        &self.slicing
    }

    fn read(&self, slice: &Slice) -> Result<Box<dyn Pages>> {
        let page = if self.name == "p" {
            self.api.answer("p", slice)
        } else {
            let fields = [("id", Value::Int(7)), ("at", Value::from("2024-02-01T00:00:00Z"))];
            vec![Value::Map(fields.into_iter().collect())]
        };
        Ok(Box::new(Once(Some(Ok(page)))))
    }
}
