//! An order for a report, until it is made: created, asked after every five seconds, created again where it failed.

use std::time::Duration;

use protocol::{Error, ErrorKind, Result};
use tokio::sync::OwnedSemaphorePermit;

use super::Jobs;
use super::reply::Reply;
use crate::http::{Moment, pause};
use crate::source::declarative::component::Component;
use crate::source::declarative::request::{Call, Outcome, Requester};
use crate::source::declarative::template::{StreamSlice, text_of};
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
    /// The last word of the server on it.
    reply: Reply,
}

/// How one attempt ended.
enum Ended {
    Made(Box<Made>),
    /// There is none to be had.
    Nothing,
    /// May be ordered again after so long.
    Failed {
        what: &'static str,
        respite: Duration,
        error: Option<Error>,
    },
}

/// Which words of the server mean which status.
pub(super) fn mapping(component: &Component<'_>) -> Result<Vec<(String, Status)>> {
    const FIELDS: [(&str, Status); 5] = [
        ("running", Status::Running),
        ("completed", Status::Completed),
        ("failed", Status::Failed),
        ("timeout", Status::TimedOut),
        ("skipped", Status::Skipped),
    ];
    let mut mapping: Vec<(String, Status)> = Vec::new();
    for (field, status) in FIELDS {
        for word in component.texts(field)? {
            if mapping.iter().any(|(known, _)| *known == word) {
                return Err(component.fail(format!("{word:?} is named twice")));
            }
            mapping.push((word, status));
        }
    }
    Ok(mapping)
}

impl Jobs {
    /// Has the report of a slice made; nothing where the server says that there is none to be had, or where no report
    /// can be had any more. `turn` is kept until then.
    pub(super) async fn order(
        &self,
        slice: &StreamSlice,
        turn: OwnedSemaphorePermit,
    ) -> Result<Option<Box<Made>>> {
        let mut attempt = 1;
        let made = loop {
            if self.is_broken() {
                break None;
            }
            let ended = self.attempt(slice).await.inspect_err(|error| {
                if is_final(error) {
                    self.breaks();
                }
            })?;
            let (what, respite, error) = match ended {
                Ended::Made(made) => break Some(made),
                Ended::Nothing => break None,
                Ended::Failed { what, respite, error } => (what, respite, error),
            };
            if attempt >= ATTEMPTS {
                return Err(given_up(what, error));
            }
            tracing::warn!(attempt, error = error.map(|error| error.to_string()), "a report {what}");
            attempt += 1;
            pause(INTERVAL.max(respite)).await;
        };
        drop(turn);
        Ok(made)
    }

    async fn attempt(&self, slice: &StreamSlice) -> Result<Ended> {
        let creation = match self.create(slice).await {
            Ok(creation) => creation,
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                let what = "could not be ordered";
                return Ok(Ended::Failed { what, respite: Duration::ZERO, error: Some(error) });
            }
        };
        let seen = with(slice, &[("creation_response", &creation)]);
        let (status, reply) = match self.watch(&seen).await {
            Ok(ended) => ended,
            Err(error) => {
                self.give_up(&seen).await;
                return Err(error);
            }
        };
        Ok(match (status, reply) {
            (Status::Completed, Some(reply)) => {
                let polling = reply.variable();
                Ended::Made(Box::new(Made { creation, polling, reply }))
            }
            (Status::Failed, _) => Ended::Failed { what: "failed", respite: self.respite, error: None },
            (Status::Skipped, _) => Ended::Nothing,
            _ => {
                self.give_up(&seen).await;
                Ended::Failed { what: "took too long", respite: Duration::ZERO, error: None }
            }
        })
    }

    /// Orders it. What the server said to it.
    async fn create(&self, slice: &StreamSlice) -> Result<Value> {
        let reply = ask(&self.creation, slice).await?.filter(|reply| reply.answer.status < 400);
        let reply = reply.ok_or_else(|| Error::data("the order of a report got no answer that counts"))?;
        Ok(reply.variable())
    }

    /// Asks after it until it is made, failed or has taken too long.
    async fn watch(&self, slice: &StreamSlice) -> Result<(Status, Option<Reply>)> {
        let began = Moment::now();
        while began.elapsed() <= self.timeout {
            match self.look(slice).await {
                Ok((Status::Running, _)) => {}
                Ok((status, reply)) => return Ok((status, Some(reply))),
                // The report may be in the making all the same.
                Err(error)
                    if matches!(error.kind(), ErrorKind::Transient | ErrorKind::RateLimited { .. }) =>
                {
                    tracing::warn!(error = %error, "the question after a report failed");
                }
                Err(error) => return Err(error),
            }
            pause(INTERVAL).await;
            if self.is_broken() {
                return Err(Error::data("no report can be had any more"));
            }
        }
        Ok((Status::TimedOut, None))
    }

    /// Asks after it.
    async fn look(&self, slice: &StreamSlice) -> Result<(Status, Reply)> {
        let reply = ask(&self.polling, slice)
            .await?
            .ok_or_else(|| Error::data("the question after a report got no answer that counts"))?;
        let words = self.status.values(&self.status.decode(&reply.answer)?)?;
        let word = words.first().map_or_else(|| "None".to_owned(), text_of);
        match self.mapping.iter().find(|(known, _)| *known == word) {
            Some((_, status)) => Ok((*status, reply)),
            None => {
                Err(Error::data(format!("a report has a status that the manifest does not know: {word:?}"))
                    .hint("Add it to `status_mapping` of the AsyncRetriever."))
            }
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
            return targets.values(&targets.decode(&made.reply.answer)?);
        };
        let seen = Map::from_iter([("polling_response", made.polling.clone())]);
        let slice = StreamSlice::new(Map::new(), Map::new(), seen);
        let reply = ask(target, &slice).await?.filter(|reply| reply.answer.status < 400);
        let reply =
            reply.ok_or_else(|| Error::data("the question for downloads got no answer that counts"))?;
        targets.values(&targets.decode(&reply.answer)?)
    }
}

/// Whether an error ends all orders: no further one can do better.
fn is_final(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Config | ErrorKind::Auth | ErrorKind::Unsupported | ErrorKind::Internal)
}

/// Why a report is not ordered once more.
fn given_up(what: &str, error: Option<Error>) -> Error {
    let kind = error.as_ref().map_or(ErrorKind::Data, Error::kind);
    let fault = Error::new(kind, format!("no report was made in {ATTEMPTS} attempts: the last one {what}"));
    match error {
        Some(error) => fault.with_source(error),
        None => fault,
    }
}

async fn ask(requester: &Requester, slice: &StreamSlice) -> Result<Option<Reply>> {
    let (outcome, request) = requester.send_seen(Call { slice: Some(slice), ..Call::default() }).await?;
    match outcome {
        Outcome::Answer(answer) | Outcome::Ignored(Some(answer)) => Ok(Some(Reply { answer, request })),
        Outcome::Ignored(None) => Ok(None),
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
