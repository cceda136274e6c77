use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::DateTime;
use protocol::{Error, ErrorKind};
use url::Url;

use super::*;
use crate::http::{Answer, Client, Options};
use crate::source::declarative::clock::Clock;
use crate::source::declarative::component::Component;
use crate::source::declarative::scope::Scope;
use crate::source::declarative::value::Value;

const FAULTS: &str = include_str!("../fixtures/faults.json");

/// A clock that goes by waits alone.
struct Time(Arc<AtomicI64>);

impl Time {
    fn at(micros: i64) -> Self {
        Self(Arc::new(AtomicI64::new(micros)))
    }

    fn clock(&self) -> Clock {
        let now = Arc::clone(&self.0);
        Clock::live(move || DateTime::from_timestamp_micros(now.load(Ordering::Relaxed)).expect("a moment"))
    }

    fn pass(&self, wait: Duration) {
        self.0.fetch_add(i64::try_from(wait.as_micros()).expect("a wait"), Ordering::Relaxed);
    }
}

fn scope(clock: Clock, config: &Value) -> Scope {
    static CLIENT: LazyLock<Client> = LazyLock::new(|| Client::new(&Options::default()).expect("a client"));
    Scope::new(config.clone(), clock, CLIENT.clone(), None)
}

fn answer(step: &Value) -> Answer {
    let headers = step.get("headers").and_then(Value::as_map).expect("headers");
    Answer {
        status: u16::try_from(step.get("status").and_then(Value::as_int).expect("a status"))
            .expect("a status"),
        url: Url::parse("https://user:pw@api.test/v1/items?key=k").expect("a url"),
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_lowercase(), value.as_text().expect("a text").to_owned()))
            .collect(),
        body: step.get("body").and_then(Value::as_text).expect("a body").to_owned().into(),
    }
}

#[derive(Debug, PartialEq)]
struct End {
    sent: i64,
    waits: Vec<String>,
    by: String,
    message: Option<String>,
}

fn seconds(wait: f64) -> String {
    // Real time passes beside the counted one.
    format!("{wait:.1}")
}

fn run(definition: &Value, script: &[Value], config: &Value, start: i64) -> End {
    let time = Time::at(start);
    let scope = scope(time.clock(), config);
    let component = Component::new(definition, "handler").expect("a component");
    let mut end = End { sent: 0, waits: Vec::new(), by: "unbuilt".to_owned(), message: None };
    let Ok(handler) = ErrorHandler::build(Some(&component), &scope) else { return end };
    let mut tries = Tries::new();
    loop {
        let step = &script[usize::try_from(end.sent).expect("small").min(script.len() - 1)];
        end.sent += 1;
        let answer =
            if step.get("lost").is_some() { Err(Error::transient("lost")) } else { Ok(answer(step)) };
        let (name, message) = match handler.judge(answer.as_ref(), &mut tries) {
            Verdict::Retry { wait, .. }
            | Verdict::RateLimited { wait, .. }
            | Verdict::RefreshToken { wait, .. } => {
                end.waits.push(seconds(wait.as_secs_f64()));
                time.pass(wait);
                continue;
            }
            Verdict::Success => ("SUCCESS", None),
            Verdict::Ignore(message) => ("IGNORE", message),
            Verdict::ResetPagination => ("RESET_PAGINATION", None),
            Verdict::ReducePageSize(_) => ("REDUCE_PAGE_SIZE", None),
            Verdict::SplitWindow(_) => ("SPLIT_REQUEST_WINDOW", None),
            Verdict::Fail(error) => {
                let name = match error.kind() {
                    ErrorKind::Config if error.message().contains("evaluate") => "error",
                    ErrorKind::Config | ErrorKind::Auth => "config_error",
                    ErrorKind::Transient | ErrorKind::RateLimited { .. } => "transient_error",
                    _ => "system_error",
                };
                (name, Some(error.message().to_owned()))
            }
        };
        name.clone_into(&mut end.by);
        end.message = message;
        return end;
    }
}

#[test]
fn acts_as_the_reference() {
    let fixture = Value::from_json(FAULTS.as_bytes()).expect("a fixture");
    let list = |name: &str| fixture.get(name).and_then(Value::as_list).expect("a list");
    let (handlers, scripts, config) =
        (list("handlers"), list("scripts"), fixture.get("config").expect("config"));
    let index = |value: &Value| usize::try_from(value.as_int().expect("a number")).expect("a number");
    let mut wrong = Vec::new();
    for case in list("cases") {
        let case = case.as_list().expect("a case");
        let (handler, script) =
            (&handlers[index(&case[0])], scripts[index(&case[1])].as_list().expect("steps"));
        let mut wanted = End {
            sent: case[2].get("sent").and_then(Value::as_int).expect("a number"),
            waits: case[2]
                .get("waits")
                .and_then(Value::as_list)
                .expect("waits")
                .iter()
                .map(|wait| match wait {
                    Value::Float(wait) => seconds(*wait),
                    other => format!("{}.0", other.as_int().expect("a number")),
                })
                .collect(),
            by: case[2].get("end").and_then(Value::as_text).expect("an end").to_owned(),
            message: case[2].get("message").and_then(Value::as_text).map(str::to_owned),
        };
        let mut found = run(handler, script, config, 1_709_211_909_000_000);
        // Lost connections may come back: transient here, of the system there.
        if script.iter().any(|step| step.get("lost").is_some()) && wanted.by == "system_error" {
            "transient_error".clone_into(&mut wanted.by);
        }
        if wanted.message.is_none() {
            found.message = None;
        }
        if found != wanted {
            wrong.push(format!(
                "{} {}\n  wanted {wanted:?}\n  found  {found:?}",
                handler.to_json(),
                case[1].to_json()
            ));
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong[..wrong.len().min(25)].join("\n"));
}
