//! `tidegate check`: proves that what is configured can work.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use engine::{ErrorReport, Sync};
use protocol::{ConfiguredStream, DynSource, Error, StreamFilter};
use serde::Serialize;
use serde_json::json;

use super::Context;
use super::session::{Session, pick};
use crate::args::Check;
use crate::config::{Config, Kind, Problem};
use crate::failure::Failure;
use crate::human;
use crate::output::{Answer, BAD, FAINT, GOOD, STRONG, WARNING, error_lines, styled};

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Ok,
    Warn,
    Fail,
}

/// One thing that was checked.
#[derive(Serialize)]
struct Checked {
    /// What it is: `source`, `destination`, `connection`, `stream`.
    subject: &'static str,
    name: String,
    status: Status,
    details: Vec<String>,
    exit_code: u8,
    error: Option<ErrorReport>,
    problems: Vec<Problem>,
    #[serde(skip)]
    failure: Option<Failure>,
}

impl Checked {
    fn new(subject: &'static str, name: &str, status: Status, details: Vec<String>) -> Self {
        Self {
            subject,
            name: name.to_owned(),
            status,
            details,
            exit_code: 0,
            error: None,
            problems: Vec::new(),
            failure: None,
        }
    }

    fn failed(subject: &'static str, name: &str, failure: Failure) -> Self {
        Self {
            exit_code: failure.exit_code(),
            error: Some(failure.report()),
            problems: failure.problems().to_vec(),
            failure: Some(failure),
            ..Self::new(subject, name, Status::Fail, Vec::new())
        }
    }

    fn of(subject: &'static str, name: &str, result: Result<Vec<String>, Error>) -> Self {
        match result {
            Ok(details) => Self::new(subject, name, Status::Ok, details),
            Err(error) => Self::failed(subject, name, error.into()),
        }
    }
}

pub(super) async fn run(arguments: &Check, context: &Context) -> Result<Answer, Failure> {
    let config = context.config()?;
    let mut checks = Checks { config: &config, results: Vec::new(), ends: BTreeSet::new() };
    if let Some(name) = &arguments.source {
        checks.source(name).await?;
    }
    if let Some(name) = &arguments.destination {
        checks.destination(name).await?;
    }
    if arguments.source.is_none() && arguments.destination.is_none() {
        let names = match &arguments.connection {
            Some(name) => vec![pick(&config, Kind::Connection, Some(name))?.name.clone()],
            None if config.sections(Kind::Connection).next().is_none() => {
                vec![pick(&config, Kind::Connection, None)?.name.clone()]
            }
            None => config.sections(Kind::Connection).map(|section| section.name.clone()).collect(),
        };
        for name in names {
            checks.connection(&name).await;
        }
    }
    Ok(answer(&checks.results))
}

struct Checks<'a> {
    config: &'a Config,
    results: Vec<Checked>,
    /// Sources and destinations that were checked: several connections may share one.
    ends: BTreeSet<(&'static str, String)>,
}

impl Checks<'_> {
    async fn source(&mut self, name: &str) -> Result<(), Failure> {
        let setup = self.config.source(pick(self.config, Kind::Source, Some(name))?);
        let result = match setup {
            Ok(setup) => match (setup.open)().await {
                Ok(source) => {
                    let result = source.check().await;
                    source.close().await;
                    Checked::of("source", name, result)
                }
                Err(error) => Checked::failed("source", name, error.into()),
            },
            Err(error) => Checked::failed("source", name, error.into()),
        };
        self.results.push(result);
        Ok(())
    }

    async fn destination(&mut self, name: &str) -> Result<(), Failure> {
        let setup = self.config.destination(pick(self.config, Kind::Destination, Some(name))?);
        let result = match setup {
            Ok(setup) => match (setup.open)().await {
                Ok(destination) => Checked::of("destination", name, destination.check().await),
                Err(error) => Checked::failed("destination", name, error.into()),
            },
            Err(error) => Checked::failed("destination", name, error.into()),
        };
        self.results.push(result);
        Ok(())
    }

    async fn connection(&mut self, name: &str) {
        let session = match Session::open(self.config, Some(name)).await {
            Ok(session) => session,
            Err(failure) => return self.results.push(Checked::failed("connection", name, failure)),
        };
        let mut reachable = true;
        if self.ends.insert(("source", session.config.source.clone())) {
            let checked = Checked::of("source", &session.config.source, session.source.check().await);
            reachable = checked.status == Status::Ok;
            self.results.push(checked);
        }
        if self.ends.insert(("destination", session.config.destination.clone())) {
            let result = session.destination.check().await;
            self.results.push(Checked::of("destination", &session.config.destination, result));
        }
        if reachable {
            self.streams(&session, &session.sync(&[])).await;
        }
        session.source.close().await;
    }

    async fn streams(&mut self, session: &Session, sync: &Sync) {
        let streams = match sync.streams().await {
            Ok(streams) => streams,
            Err(error) => {
                return self.results.push(Checked::failed("connection", &session.name, error.into()));
            }
        };
        let details = vec![human::counted(streams.len() as u64, "stream")];
        self.results.push(Checked::new("connection", &session.name, Status::Ok, details));
        match cursors(session.source.as_ref(), &streams).await {
            Ok(checked) => self.results.extend(checked),
            Err(error) => self.results.push(Checked::failed("connection", &session.name, error.into())),
        }
    }
}

/// How each stream with a cursor is read, and a warning where no index leads with it.
async fn cursors(source: &dyn DynSource, streams: &[ConfiguredStream]) -> Result<Vec<Checked>, Error> {
    let with_cursor = || streams.iter().filter_map(|stream| Some((stream, stream.cursor.as_deref()?)));
    let patterns: Vec<String> = with_cursor().map(|(stream, _)| stream.name.clone()).collect();
    if patterns.is_empty() {
        return Ok(Vec::new());
    }
    let catalog = source.discover(&StreamFilter { patterns }).await?;
    let mut checked = Vec::new();
    for (stream, cursor) in with_cursor() {
        let candidates =
            catalog.stream(&stream.name).map(|found| found.cursors.as_slice()).unwrap_or_default();
        let Some(found) = candidates.iter().find(|candidate| candidate.field == cursor) else { continue };
        let mode = found.mode.as_ref().map(|mode| format!("mode {mode}"));
        if found.indexed == Some(false) {
            let mut details =
                vec![format!("no index leads with the cursor {cursor:?}: each sync reads the whole table")];
            details.extend(found.note.clone());
            details.extend(mode);
            checked.push(Checked::new("stream", &stream.name, Status::Warn, details));
        } else if let Some(mode) = mode {
            checked.push(Checked::new("stream", &stream.name, Status::Ok, vec![mode]));
        }
    }
    Ok(checked)
}

fn answer(results: &[Checked]) -> Answer {
    let worst = results.iter().find(|result| result.exit_code != 0).map_or(0, |result| result.exit_code);
    let document = json!({
        "version": 1,
        "outcome": if worst == 0 { "succeeded" } else { "failed" },
        "exit_code": worst,
        "checks": results,
    });
    let mut text = String::new();
    for result in results {
        let mark = match result.status {
            Status::Ok => styled(GOOD, "ok  "),
            Status::Warn => styled(WARNING, "warn"),
            Status::Fail => styled(BAD, "fail"),
        };
        let name = styled(STRONG, &human::plain(&result.name));
        let _ = writeln!(text, "{mark}  {} {name}", result.subject);
        let lines = match (&result.failure, &result.error) {
            (Some(Failure::Config(error)), _) => error.to_string(),
            (_, Some(error)) => error_lines(Some(&result.name), error),
            _ => String::new(),
        };
        let details = result.details.iter().map(|detail| human::plain(detail));
        for line in details.chain(lines.lines().map(str::to_owned)) {
            let _ = writeln!(text, "      {line}");
        }
    }
    let with = |status| results.iter().filter(|result| result.status == status).count();
    let sum =
        format!("{} ok, {} to look at, {} failed", with(Status::Ok), with(Status::Warn), with(Status::Fail));
    let _ = writeln!(text, "\n{}", styled(FAINT, &sum));
    Answer { text, document, exit_code: worst }
}
