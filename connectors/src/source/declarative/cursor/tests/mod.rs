//! Cursors and states, held against what the reference said.

mod promise;

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock, Mutex};

use futures::future::BoxFuture;
use protocol::Result;

use super::many::Limits;
use super::{Cursor, Sieve, Slicer, Slicing};
use crate::http::Client;
use crate::source::declarative::clock::Clock;
use crate::source::declarative::component::Component;
use crate::source::declarative::partition::{Pages, Parent, Parents, Slice};
use crate::source::declarative::request::{Data, Parts};
use crate::source::declarative::scope::Scope;
use crate::source::declarative::state::sorted;
use crate::source::declarative::value::{Map, Value};

const CURSORS: &str = include_str!("../../fixtures/cursors.json");
const NONE: &Value = &Value::None;

type Slices = Arc<Mutex<HashMap<String, VecDeque<Vec<Value>>>>>;

/// Streams whose records are in memory: those of a stream's slices in the order in which the slices are read.
#[derive(Clone)]
struct World {
    scope: Scope,
    slices: Slices,
}

struct Stream {
    name: String,
    slicing: Slicing,
    slices: Slices,
}

struct Rows {
    name: String,
    slices: Slices,
    left: Option<VecDeque<Value>>,
}

impl Parents for World {
    fn open(&self, stream: &Component<'_>, state: Option<&Value>) -> Result<Arc<dyn Parent>> {
        let slicing = Slicing::build(stream, &self.scope, state, None, self)?;
        let name = stream.required_text("name")?;
        Ok(Arc::new(Stream { name, slicing, slices: Arc::clone(&self.slices) }))
    }
}

impl Parent for Stream {
    fn name(&self) -> &str {
        &self.name
    }

    fn slicing(&self) -> &Slicing {
        &self.slicing
    }

    fn read(&self, _slice: &Slice) -> Result<Box<dyn Pages>> {
        Ok(Box::new(Rows { name: self.name.clone(), slices: Arc::clone(&self.slices), left: None }))
    }
}

impl Pages for Rows {
    /// Pages of two records, and an empty one at the end.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Vec<Value>>>> {
        let rows = self.left.get_or_insert_with(|| {
            let mut slices = self.slices.lock().unwrap();
            slices.get_mut(&self.name).and_then(VecDeque::pop_front).unwrap_or_default().into()
        });
        let page = (!rows.is_empty()).then(|| rows.drain(..rows.len().min(2)).collect());
        Box::pin(async move { Ok(page) })
    }
}

fn scope(config: &Value, now: &str) -> Scope {
    static CLIENT: LazyLock<Client> =
        LazyLock::new(|| Client::new(&crate::http::Options::default()).expect("a client"));
    let clock = Clock::fixed(now.parse().expect("a moment"));
    Scope::new(config.clone(), clock, CLIENT.clone(), None)
}

fn world(case: &Value) -> World {
    let empty = Value::Map(Map::new());
    let slices = case.get("records").and_then(Value::as_map).cloned().unwrap_or_default();
    let slices = slices.into_iter().map(|(name, slices)| {
        let slices = slices.as_list().unwrap_or_default().iter();
        (name.into(), slices.map(|rows| rows.as_list().unwrap_or_default().to_vec()).collect())
    });
    World {
        scope: scope(case.get("config").unwrap_or(&empty), "2024-03-05T12:34:56.789012Z"),
        slices: Arc::new(Mutex::new(slices.collect())),
    }
}

/// One stream that is driven by hand, as the script does it.
struct Drive {
    slicing: Slicing,
    slicer: Option<Slicer>,
    open: Vec<Slice>,
}

impl Drive {
    fn new(case: &Value) -> Result<Self> {
        let world = world(case);
        let limits =
            if case.get("crowd").is_some() { Limits { apart: 4, kept: 7 } } else { Limits::default() };
        let stream = Component::new(case.get("stream").expect("a stream"), "stream")?;
        let slicing = Slicing::within(limits, &stream, &world.scope, case.get("state"), None, &world)?;
        Ok(Self { slicing, slicer: None, open: Vec::new() })
    }

    async fn step(&mut self, step: &[Value]) -> Result<Value> {
        let cursor: Cursor = self.slicing.cursor().clone();
        let first = step.get(1).unwrap_or(NONE);
        let what = step[0].as_text().expect("a step");
        match what {
            "next" => return self.next(first.as_int().expect("a number")).await,
            "state" => return Ok(cursor.state()),
            "finish" => return Ok(vec![cursor.finish()?].into()),
            "moment" => {
                let moment = cursor.moment_of(first);
                let text = moment.map(|moment| moment.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
                return Ok(text.map_or(Value::None, Value::from));
            }
            _ => {}
        }
        let place = usize::try_from(first.as_int().expect("a place")).expect("a place");
        let Some(slice) = self.open.get(place) else { return Ok("no such slice".into()) };
        let values = || {
            let records = step.get(2).and_then(Value::as_list).unwrap_or_default().iter();
            records.map(|record| cursor.field().and_then(|field| record.get(field)).unwrap_or(NONE))
        };
        match what {
            "observe" => cursor.observe(slice, values()).map(|()| Value::None),
            "close" => Ok(Value::List(cursor.close(slice)?.into_iter().collect())),
            "keeps" => {
                let mut sieve: Sieve = cursor.sieve(slice)?;
                let kept =
                    values().map(|value| sieve.keeps(value).map(Value::Bool)).collect::<Result<_>>()?;
                Ok(Value::List(kept))
            }
            "options" => {
                let Parts { params, headers, data, json } = self.slicing.options(slice.stream_slice());
                let Data::Form(data) = data else { panic!("options make no text") };
                Ok(Value::List([params, headers, data, json].map(Value::Map).to_vec()))
            }
            "split" => {
                let least = step.get(2).and_then(Value::as_text);
                let halves = cursor.split(slice.stream_slice(), least)?;
                let told = |halves: [_; 2]| {
                    let merged = |half: super::StreamSlice| Value::Map(half.merged().clone());
                    Value::List(halves.map(merged).to_vec())
                };
                Ok(halves.map_or(Value::None, told))
            }
            other => panic!("an unknown step {other}"),
        }
    }

    async fn next(&mut self, count: i64) -> Result<Value> {
        let mut told = Vec::new();
        if self.slicer.is_none() {
            self.slicer = Some(self.slicing.slicer()?);
        }
        let slicer = self.slicer.as_mut().expect("made above");
        for _ in 0..count {
            let Some(slice) = slicer.next().await? else { break };
            let parts = slice.stream_slice();
            let mut one: Vec<Value> =
                [parts.partition(), parts.cursor(), parts.extra()].map(|map| map.clone().into()).to_vec();
            one.extend(slice.child_response().cloned());
            told.push(Value::List(one));
            self.open.push(slice);
        }
        Ok(Value::List(told))
    }
}

fn canonical(value: &Value) -> String {
    let whole: Map = [("", value.clone())].into_iter().collect();
    Value::Map(sorted(&whole)).to_json()
}

/// Plays all cases of a group, and reports where the reference said something else.
async fn play(group: &str) {
    let document = Value::from_json(CURSORS.as_bytes()).expect("the fixture is JSON");
    let cases = document.get(group).and_then(Value::as_list).expect("cases");
    assert!(cases.len() > 50, "{group} has {} cases", cases.len());
    let (mut report, mut different) = (String::new(), 0);
    for (number, case) in cases.iter().enumerate() {
        if let Err(what) = one(case).await {
            different += 1;
            if different <= 8 {
                let mut shown = case.as_map().cloned().unwrap_or_default();
                shown.remove("said");
                let _ = writeln!(report, "{group} {number}: {}\n{what}", Value::Map(shown).to_json());
            }
        }
    }
    assert!(report.is_empty(), "{different} of {} differ\n{report}", cases.len());
}

async fn one(case: &Value) -> Result<(), String> {
    let said = case.get("said").and_then(Value::as_list).expect("what was said");
    let mut drive = match Drive::new(case) {
        Ok(drive) => drive,
        Err(_) if is_error(said.first()) => return Ok(()),
        Err(error) => return Err(format!("  can't be built: {error}")),
    };
    let steps = case.get("steps").and_then(Value::as_list).expect("steps");
    for (place, step) in steps.iter().enumerate() {
        let Some(wanted) = said.get(place) else { return Ok(()) };
        let found = drive.step(step.as_list().expect("a step")).await;
        let found = match found {
            Err(_) if is_error(Some(wanted)) => return Ok(()),
            Err(error) => format!("! {error}"),
            Ok(value) => canonical(&value),
        };
        let wanted = canonical(wanted);
        if found != wanted {
            return Err(format!(
                "  step {place} {}\n  reference {wanted}\n  ours      {found}",
                step.to_json()
            ));
        }
    }
    Ok(())
}

fn is_error(said: Option<&Value>) -> bool {
    said.is_some_and(|said| said.get("!").is_some())
}

#[tokio::test]
async fn cuts_time_as_the_reference() {
    play("windows").await;
}

#[tokio::test]
async fn reads_odd_manifests_and_states_as_the_reference() {
    play("oddities").await;
}

#[tokio::test]
async fn closes_slices_in_any_order_as_the_reference() {
    play("orders").await;
}

#[tokio::test]
async fn keeps_partitions_apart_as_the_reference() {
    play("partitions").await;
}

#[tokio::test]
async fn moves_parents_as_the_reference() {
    play("parents").await;
}

#[tokio::test]
async fn gives_up_single_partitions_as_the_reference() {
    play("crowds").await;
}
