//! An order for a report, until it is made: created, asked after every five seconds, created again where it failed.

use std::time::Duration;

use protocol::{Error, ErrorKind, Result};

use super::Jobs;
use crate::http::{Answer, Moment, pause};
use crate::source::declarative::component::Component;
use crate::source::declarative::request::{Call, Outcome, Requester};
use crate::source::declarative::scope::Scope;
use crate::source::declarative::template::{StreamSlice, TextTemplate, text_of};
use crate::source::declarative::value::{Map, Value};

/// Between two questions after a report.
const INTERVAL: Duration = Duration::from_secs(5);
/// How often a report is ordered.
const ATTEMPTS: u32 = 3;

/// What has become of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    Running,
    Completed,
    Failed,
    TimedOut,
    Skipped,
}

/// A report that is made.
pub(super) struct Made {
    /// What templates see as `creation_response`.
    pub(super) creation: Value,
    /// What templates see as `polling_response`.
    pub(super) polling: Value,
    pub(super) answer: Answer,
}

/// Which words of the server mean which status. A word that means two is an error.
pub(super) fn mapping(component: &Component<'_>, scope: &Scope) -> Result<Vec<(String, Status)>> {
    const FIELDS: [(&str, Status); 5] = [
        ("running", Status::Running),
        ("completed", Status::Completed),
        ("failed", Status::Failed),
        ("timeout", Status::TimedOut),
        ("skipped", Status::Skipped),
    ];
    let parameters = component.parameters();
    let context = scope.context(&parameters);
    let mut mapping: Vec<(String, Status)> = Vec::new();
    for (field, status) in FIELDS {
        for word in component.texts(field)? {
            let word = TextTemplate::compile(&word)?.eval_text(&context)?;
            match mapping.iter().find(|(known, _)| *known == word) {
                Some((_, known)) if *known != status => {
                    return Err(component.fail(format!("{word:?} stands for two statuses")));
                }
                Some(_) => {}
                None => mapping.push((word, status)),
            }
        }
    }
    Ok(mapping)
}

impl Jobs {
    /// Has the report of a slice made; nothing where the server says that there is none to be had.
    pub(super) async fn order(&self, slice: &StreamSlice) -> Result<Option<Made>> {
        let limit = self.scope.vault().jobs();
        let gone = |error| Error::internal("the limit of jobs is gone").with_source(error);
        let _permit = limit.acquire_owned().await.map_err(gone)?;
        let mut attempt = 1;
        loop {
            let (failed, error, respite) = match self.create(slice).await {
                Ok(creation) => {
                    let seen = with(slice, &[("creation_response", &creation)]);
                    match self.watch(&seen).await? {
                        (Status::Completed, answer) => {
                            let polling = response(&answer);
                            return Ok(Some(Made { creation, polling, answer }));
                        }
                        (Status::Skipped, _) => return Ok(None),
                        (status, _) => {
                            if status == Status::TimedOut {
                                self.give_up(&seen).await;
                            }
                            let what = if status == Status::TimedOut { "took too long" } else { "failed" };
                            let respite =
                                if status == Status::Failed { self.respite } else { Duration::ZERO };
                            (what, None, respite)
                        }
                    }
                }
                Err(error) if breaks(&error) => return Err(error),
                Err(error) => ("could not be ordered", Some(error), Duration::ZERO),
            };
            if attempt >= ATTEMPTS {
                let kind = error.as_ref().map_or(ErrorKind::Data, Error::kind);
                let fault = Error::new(kind, format!("a report {failed}, however often it was ordered"))
                    .context("attempts", attempt.to_string());
                return Err(match error {
                    Some(error) => fault.with_source(error),
                    None => fault,
                });
            }
            tracing::warn!(attempt, error = error.map(|error| error.to_string()), "a report {failed}");
            attempt += 1;
            pause(INTERVAL.max(respite)).await;
        }
    }

    /// Orders it. What the server said to it.
    async fn create(&self, slice: &StreamSlice) -> Result<Value> {
        let answer = ask(&self.creation, slice).await?.filter(|answer| answer.status < 400);
        let answer = answer.ok_or_else(|| Error::data("the order of a report got no answer that counts"))?;
        Ok(response(&answer))
    }

    /// Asks after it until it is made, failed or has taken too long.
    async fn watch(&self, slice: &StreamSlice) -> Result<(Status, Answer)> {
        let began = Moment::now();
        loop {
            let answer = ask(&self.polling, slice)
                .await?
                .ok_or_else(|| Error::data("the question after a report got no answer that counts"))?;
            let word = self.status.values(&self.status.decode(&answer)?)?;
            let word = word.first().map_or_else(|| "None".to_owned(), text_of);
            let status = self.mapping.iter().find(|(known, _)| *known == word).map(|(_, status)| *status);
            let status = status.ok_or_else(|| {
                Error::data(format!("a report is in a status that the manifest does not know: {word:?}"))
                    .hint("Add it to `status_mapping` of the AsyncRetriever.")
            })?;
            if status != Status::Running {
                return Ok((status, answer));
            }
            if began.elapsed() >= self.timeout {
                return Ok((Status::TimedOut, answer));
            }
            pause(INTERVAL).await;
        }
    }

    /// Tells the server that nobody waits any more.
    async fn give_up(&self, slice: &StreamSlice) {
        if let Some(abort) = &self.abort
            && let Err(error) = ask(abort, slice).await
        {
            tracing::warn!(error = %error, "a report can't be called off");
        }
    }

    /// Tells the server that the report was fetched.
    pub(super) async fn dismiss(&self, slice: &StreamSlice, made: &Made) {
        let Some(delete) = &self.delete else { return };
        let slice = with(slice, &[("creation_response", &made.creation)]);
        if let Err(error) = ask(delete, &slice).await {
            tracing::warn!(error = %error, "a report that was fetched can't be deleted");
        }
    }

    /// What is to be downloaded: of each a word that templates see as `download_target`.
    pub(super) async fn to_download(&self, made: &Made) -> Result<Vec<Value>> {
        let Some(targets) = &self.targets else { return Ok(vec![Value::from("")]) };
        let Some(target) = &self.target else {
            return targets.values(&targets.decode(&made.answer)?);
        };
        let slice = StreamSlice::new(
            Map::new(),
            Map::new(),
            Map::from_iter([("polling_response", made.polling.clone())]),
        );
        let answer = ask(target, &slice).await?.filter(|answer| answer.status < 400);
        let answer =
            answer.ok_or_else(|| Error::data("the question for downloads got no answer that counts"))?;
        targets.values(&targets.decode(&answer)?)
    }
}

/// Whether no further attempt can help.
fn breaks(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Config | ErrorKind::Auth | ErrorKind::Unsupported | ErrorKind::Internal)
}

async fn ask(requester: &Requester, slice: &StreamSlice) -> Result<Option<Answer>> {
    match requester.send(Call { slice: Some(slice), ..Call::default() }).await? {
        Outcome::Answer(answer) => Ok(Some(answer)),
        Outcome::Ignored(answer) => Ok(answer),
        _ => Err(Error::config(
            "an error handler of a job asks for other pages or windows, which it has none of",
        )),
    }
}

/// A slice with more that templates see.
pub(super) fn with(slice: &StreamSlice, more: &[(&str, &Value)]) -> StreamSlice {
    let mut extra = slice.extra().clone();
    for (name, value) in more {
        extra.insert(*name, (*value).clone());
    }
    StreamSlice::new(slice.partition().clone(), slice.cursor().clone(), extra)
}

/// An answer as templates see it: its object, with its headers.
fn response(answer: &Answer) -> Value {
    let body = Value::from_json(&answer.body).unwrap_or_default();
    let mut map = body.as_map().cloned().unwrap_or_default();
    if !map.contains("headers") {
        let mut headers = Map::new();
        for (name, value) in &answer.headers {
            headers.insert(name.as_str(), value.as_str());
            headers.insert(name.to_ascii_lowercase(), value.as_str());
            headers.insert(titled(name), value.as_str());
        }
        map.insert("headers", headers);
    }
    map.into()
}

/// A header's name as people write it: `Content-Type`.
fn titled(name: &str) -> String {
    let part = |part: &str| {
        let mut letters = part.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_ascii_uppercase().to_string() + &letters.as_str().to_ascii_lowercase()
        })
    };
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}
