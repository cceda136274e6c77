//! `tidegate bench`: what each part of a sync takes on a stream as it is, and what to turn.

mod part;
mod text;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;

use chrono::Utc;
use engine::{BENCH_VERSION, BenchReport, Nowhere, Part, Sample, StreamBench, Subject};
use protocol::{DynDestination, Error};
use serde_json::json;

use super::Context;
use super::session::{Session, pick};
use crate::args::Bench;
use crate::config::{Config, Kind};
use crate::failure::Failure;
use crate::human;
use crate::output::Answer;
use crate::version::VERSION;

pub(super) async fn run(arguments: &Bench, context: &Context) -> Result<Answer, Failure> {
    let config = context.config()?;
    let opened = context.signals.or(open(arguments, &config)).await;
    let mut session = opened?;
    if let Some(measured) = arguments.part {
        return part::measure(arguments, measured, session, context).await;
    }
    if arguments.scale.is_some() && arguments.connection.is_none() && arguments.source.is_none() {
        return Err(Failure::Usage {
            message: "`--scale` writes to a source, which must be named".to_owned(),
            hint: Some("name the connection, or the source by `--source`".to_owned()),
        });
    }
    let measured = measured(arguments, &mut session, context).await;
    // Also after a failure or a signal.
    let removed = session.source.drop_samples().await;
    session.source.close().await;
    match (measured, removed) {
        (Ok(report), Ok(())) => Ok(Answer::new(text::text(&report), &report)),
        (Ok(_), Err(error)) => Err(error.into()),
        (Err(failure), Ok(())) => Err(failure),
        (Err(failure), Err(error)) => {
            context.output.error(None, &engine::ErrorReport::from(&error));
            Err(failure)
        }
    }
}

/// A connection, or a source with nowhere to write to.
async fn open(arguments: &Bench, config: &Config) -> Result<Session, Failure> {
    let mut session = match &arguments.source {
        None => Session::open(config, arguments.connection.as_deref()).await?,
        Some(name) => {
            let setup = config.source(pick(config, Kind::Source, Some(name))?)?;
            let source = (setup.open)().await.map_err(|error| error.context("source", setup.name.clone()))?;
            let connection = json!({ "source": setup.name, "destination": "", "streams": [] });
            Session {
                config: serde_json::from_value(connection).map_err(unreadable)?,
                name: setup.name,
                source: Arc::from(source),
                destination: Arc::new(Nowhere) as Arc<dyn DynDestination>,
            }
        }
    };
    if arguments.made || arguments.source.is_some() && arguments.scale.is_none() {
        if arguments.streams.patterns.is_empty() {
            return Err(Failure::Usage {
                message: "a source alone has no streams configured".to_owned(),
                hint: Some("name one by `--stream`; `tidegate discover` lists what there is".to_owned()),
            });
        }
        name_streams(&mut session, &arguments.streams.patterns)?;
    }
    if let Some(memory) = arguments.memory {
        session.config.memory = Some(memory);
    }
    Ok(session)
}

/// Streams that nobody has configured.
fn name_streams(session: &mut Session, names: &[String]) -> Result<(), Failure> {
    let streams: Vec<_> = names.iter().map(|name| json!({ "name": name })).collect();
    session.config.streams = serde_json::from_value(streams.into()).map_err(unreadable)?;
    Ok(())
}

fn unreadable(error: serde_json::Error) -> Error {
    Error::internal("settings of our own can't be read").with_source(error)
}

/// Makes tables where that is asked for, and measures stream by stream.
async fn measured(
    arguments: &Bench,
    session: &mut Session,
    context: &Context,
) -> Result<BenchReport, Failure> {
    let started_at = Utc::now();
    if let Some(scale) = arguments.scale {
        tell(context, &format!("making tables of scale {scale} in source {:?}", session.config.source));
        let made = async { Ok(session.source.make_samples(scale).await?) };
        let names = context.signals.or(made).await?;
        name_streams(session, &names)?;
    }
    let rows = (arguments.rows > 0).then_some(arguments.rows);
    let sync = session.sync(&arguments.streams.patterns);
    let subjects = context.signals.or(async { Ok(sync.subjects(rows).await?) }).await;
    // What the plans keep open would be in the way, and is not read.
    session.source.close().await;
    let subjects = subjects?;
    if subjects.len() > 1 && arguments.streams.patterns.is_empty() && arguments.scale.is_none() {
        let names: Vec<&str> = subjects.iter().map(|subject| subject.stream.as_str()).collect();
        return Err(Failure::Usage {
            message: format!(
                "connection {:?} has {} streams: name one by `--stream`",
                session.name,
                names.len()
            ),
            hint: Some(names.join(", ")),
        });
    }
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    let mut streams = Vec::new();
    for subject in subjects {
        let parts = rounds(arguments, &subject, context).await?;
        let parallelism = session.config.parallelism().get() as u64;
        streams.push(StreamBench::new(&subject, parts, parallelism, cores));
    }
    let seconds = (Utc::now() - started_at).as_seconds_f64();
    Ok(BenchReport {
        version: BENCH_VERSION,
        connection: arguments.source.is_none().then(|| session.name.clone()),
        source: session.config.source.clone(),
        program: VERSION.tidegate.to_owned(),
        started_at,
        seconds,
        rounds: arguments.rounds,
        cores,
        scale: arguments.scale,
        streams,
    })
}

/// Measures all parts in turn, round after round: what else the machine does hits all of them alike.
async fn rounds(
    arguments: &Bench,
    subject: &Subject,
    context: &Context,
) -> Result<Vec<(Part, u64, Vec<Sample>)>, Failure> {
    let most = subject.connections;
    let mut steps: Vec<(Part, NonZeroUsize)> =
        sweep(most).into_iter().map(|connections| (Part::Drain, connections)).collect();
    steps.push((Part::Decode, most));
    if arguments.source.is_none() {
        steps.extend([Part::Encode, Part::Upload, Part::Whole].map(|part| (part, most)));
    }
    let mut measured: Vec<(Part, u64, Vec<Sample>)> =
        steps.iter().map(|(part, connections)| (*part, connections.get() as u64, Vec::new())).collect();
    for round in 1..=arguments.rounds {
        let mut encoded = 0;
        for ((part, connections), (_, _, samples)) in steps.iter().zip(&mut measured) {
            if *part == Part::Upload && encoded == 0 {
                continue;
            }
            let sample =
                part::spawn(arguments, &subject.stream, *part, *connections, encoded, context).await?;
            if *part == Part::Encode {
                encoded = sample.bytes;
            }
            let (took, at_once) = (human::seconds(sample.seconds), connections.get() as u64);
            let rounds = arguments.rounds;
            tell(
                context,
                &format!(
                    "{} round {round} of {rounds}: {} over {} took {took}",
                    subject.stream,
                    text::name(*part),
                    human::counted(at_once, "connection")
                ),
            );
            samples.push(sample);
        }
    }
    Ok(measured)
}

/// 1, 2, 4, … and `most`.
fn sweep(most: NonZeroUsize) -> Vec<NonZeroUsize> {
    let mut counts: Vec<NonZeroUsize> = std::iter::successors(Some(NonZeroUsize::MIN), |count| {
        count.checked_mul(NonZeroUsize::MIN.saturating_add(1))
    })
    .take_while(|count| *count < most)
    .collect();
    counts.push(most);
    counts
}

/// A line for who watches.
fn tell(context: &Context, line: &str) {
    if context.output.is_live() {
        context.output.tell(&human::plain(line));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_doubled_up_to_what_is_allowed() {
        let sweep = |most| {
            sweep(NonZeroUsize::new(most).unwrap()).into_iter().map(NonZeroUsize::get).collect::<Vec<_>>()
        };
        assert_eq!(sweep(1), [1]);
        assert_eq!(sweep(2), [1, 2]);
        assert_eq!(sweep(6), [1, 2, 4, 6]);
        assert_eq!(sweep(8), [1, 2, 4, 8]);
    }
}
