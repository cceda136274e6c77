//! `tidegate state`: where streams stand, and how that is changed by hand.
//!
//! A change is a commit without files, numbered like any other: a sync that runs meanwhile makes it
//! fail, or is made to fail by it, and neither is lost half.

mod airbyte;

use std::fmt::Write as _;
use std::path::Path;

use chrono::Utc;
use protocol::{
    Commit, CommitId, ConfiguredStream, Error, Head, StreamFilter, StreamState, SyncId, SyncMode, WriteMode,
};
use serde_json::{Value, json};

use super::Context;
use super::document::{self, StateDocument, StateEntry};
use super::session::Session;
use crate::args::{Export, Import, Reset, StateForm, StateOf};
use crate::failure::Failure;
use crate::human::{self, Columns};
use crate::output::{Answer, STRONG, styled};

/// A stream and where its target stands.
pub(super) struct Standing {
    pub(super) stream: String,
    pub(super) target: String,
    write: WriteMode,
    head: Head,
}

pub(super) async fn show(which: &StateOf, context: &Context) -> Result<Answer, Failure> {
    let config = context.config()?;
    let session = Session::open(&config, which.connection.as_deref()).await?;
    let standings = standings(&session, &which.streams.patterns).await?;
    session.source.close().await;
    let mut table = Columns::new(&[
        "stream",
        ">commit",
        "stands at",
        ">rows",
        ">files",
        ">bytes",
        "committed at",
        "left",
    ]);
    let mut documents = Vec::new();
    for standing in &standings {
        let head = &standing.head;
        let position = position(&session, head);
        let left = head.state.unfinished.as_ref().map(|unfinished| unfinished.remaining.len() as u64);
        table.row([
            standing.stream.clone(),
            head.sequence.to_string(),
            position.clone().unwrap_or_default(),
            human::count(head.totals.rows),
            human::count(head.totals.files),
            human::bytes(head.totals.bytes),
            head.at.map(|at| at.format("%Y-%m-%d %H:%M:%SZ").to_string()).unwrap_or_default(),
            left.map(|left| human::counted(left, "partition")).unwrap_or_default(),
        ]);
        documents.push(json!({
            "stream": standing.stream,
            "target": standing.target,
            "position": position,
            "head": head,
        }));
    }
    let document = json!({ "version": 1, "connection": session.name, "streams": documents });
    Ok(Answer::new(table.text(), &document))
}

pub(super) async fn export(arguments: &Export, context: &Context) -> Result<Answer, Failure> {
    let which = &arguments.which;
    let config = context.config()?;
    let session = Session::open(&config, which.connection.as_deref()).await?;
    let standings = standings(&session, &which.streams.patterns).await?;
    session.source.close().await;
    let entry = |standing: Standing| StateEntry {
        stream: standing.stream,
        target: standing.target,
        sequence: standing.head.sequence,
        state: standing.head.state,
    };
    let entries: Vec<StateEntry> = standings.into_iter().map(entry).collect();
    match arguments.form {
        StateForm::Tidegate => Ok(Answer::json(&StateDocument::new(&session.name, entries))),
        StateForm::Airbyte => Ok(Answer::json(&airbyte::export(session.source.as_ref(), &entries)?)),
    }
}

/// The states in the file at `path`, of whichever form: tidegate's own or Airbyte's.
async fn given(
    path: &Path,
    session: &Session,
    patterns: &[String],
) -> Result<(Vec<StateEntry>, Vec<String>), Failure> {
    // `--from airbyte` takes what stdin holds.
    let is_named = path == Path::new("airbyte") && !path.exists();
    let path = if is_named { Path::new("-") } else { path };
    let text = document::read_text(path)?;
    match airbyte::parse(&text) {
        Some(found) => {
            let streams = session.sync(patterns).streams().await?;
            Ok(airbyte::adopt(session.source.as_ref(), &streams, &found)?)
        }
        None => Ok((StateDocument::parse(&text, path)?.states, Vec::new())),
    }
}

pub(super) async fn import(arguments: &Import, context: &Context) -> Result<Answer, Failure> {
    let config = context.config()?;
    let session = Session::open(&config, arguments.connection.as_deref()).await?;
    let filter = StreamFilter { patterns: arguments.streams.patterns.clone() };
    let (mut entries, notes) = given(&arguments.from, &session, &filter.patterns).await?;
    for note in &notes {
        context.output.warn(&session.name, note);
    }
    entries.retain(|entry| filter.matches(&entry.stream));
    if entries.is_empty() {
        return Err(Failure::usage("the exported state has no such stream"));
    }
    let names: Vec<String> = entries.iter().map(|entry| entry.stream.clone()).collect();
    let mut changes = Vec::new();
    for standing in standings(&session, &names).await? {
        let Some(at) = entries.iter().position(|entry| entry.stream == standing.stream) else { continue };
        let entry = entries.swap_remove(at);
        refuse_other_source(&session, &entry)?;
        refuse_lost_files(&standing, &entry)?;
        changes.push((standing, entry.state));
    }
    let mut warning = format!("This sets where streams of {:?} stand:\n", session.name);
    for (standing, state) in &changes {
        let to = state.source.as_ref().map(|state| session.source.position(state).unwrap_or_default());
        let to = to.unwrap_or_else(|| "the beginning".to_owned());
        let from = position(&session, &standing.head).unwrap_or_else(|| "the beginning".to_owned());
        let _ =
            writeln!(warning, "  {}: from {from} to {to}", styled(STRONG, &human::plain(&standing.stream)));
    }
    warning.push_str("What was synced in between is read again by the next sync.\n");
    confirm(context, arguments.yes, &warning, "Set").await?;
    apply(context, &session, changes, "set").await
}

pub(super) async fn reset(arguments: &Reset, context: &Context) -> Result<Answer, Failure> {
    let config = context.config()?;
    let session = Session::open(&config, arguments.connection.as_deref()).await?;
    let mut standings = standings(&session, &arguments.streams.patterns).await?;
    standings.retain(|standing| standing.head.state != StreamState::default());
    if standings.is_empty() {
        return Ok(answer(&session, &[], "no stream has a state: nothing to reset\n"));
    }
    let mut warning = format!("The next sync of {:?} reads everything again:\n", session.name);
    for standing in &standings {
        let rows = human::counted(standing.head.totals.rows, "row");
        let fate = match standing.write {
            WriteMode::Append => {
                format!("its {rows} stay in {:?}, and all rows are APPENDED ONCE MORE", standing.target)
            }
            WriteMode::Overwrite => {
                format!("its {rows} in {:?} are replaced when that sync ends", standing.target)
            }
            WriteMode::Merge => {
                format!("its {rows} in {:?} stay, each until a row with its key is read", standing.target)
            }
        };
        let _ = writeln!(
            warning,
            "  {}: {}",
            styled(STRONG, &human::plain(&standing.stream)),
            human::plain(&fate)
        );
    }
    if standings.iter().any(|standing| standing.write == WriteMode::Append) {
        warning.push_str("To replace them instead, set `write: overwrite` for one sync, or give the stream a new `target`.\n");
    }
    confirm(context, arguments.yes, &warning, "Reset").await?;
    let changes = standings.into_iter().map(|standing| (standing, StreamState::default())).collect();
    apply(context, &session, changes, "reset").await
}

/// Where each stream stands, as its destination says.
pub(super) async fn standings(session: &Session, patterns: &[String]) -> Result<Vec<Standing>, Error> {
    let filter = StreamFilter { patterns: patterns.to_vec() };
    let is_plain = session.config.streams.iter().all(|stream| !stream.name.contains('*'));
    // Names without wildcards need no look at the source: it may be down while somebody looks here.
    let streams: Vec<(String, String, WriteMode)> = if is_plain {
        let configured = session.config.streams.iter().filter(|stream| filter.matches(&stream.name));
        configured
            .map(|stream| {
                let mode = stream.mode.unwrap_or(match stream.cursor {
                    Some(_) => SyncMode::Incremental,
                    None => SyncMode::FullRefresh,
                });
                let write = stream.write.unwrap_or(match mode {
                    SyncMode::Incremental => WriteMode::Append,
                    SyncMode::FullRefresh => WriteMode::Overwrite,
                });
                let target = stream.target.clone().unwrap_or_else(|| stream.name.clone());
                (stream.name.clone(), target, write)
            })
            .collect()
    } else {
        let streams = session.sync(patterns).streams().await?;
        streams.into_iter().map(|stream| (stream.name, stream.target, stream.write_mode)).collect()
    };
    for pattern in patterns {
        if !streams.iter().any(|(name, ..)| StreamFilter::pattern_matches(pattern, name)) {
            let names: Vec<&str> = session.config.streams.iter().map(|stream| stream.name.as_str()).collect();
            return Err(Error::config(format!("no configured stream is called {pattern:?}")).hint(format!(
                "connection {:?} has: {}",
                session.name,
                names.join(", ")
            )));
        }
    }
    let mut standings = Vec::new();
    for (stream, target, write) in streams {
        let head = session.destination.head(&target).await;
        let head = head.map_err(|error| error.context("stream", stream.clone()))?;
        if let Some(owner) = head.connection.as_ref().filter(|owner| **owner != session.name) {
            return Err(Error::config(format!("target {target:?} belongs to connection {owner:?}"))
                .context("stream", stream)
                .hint("give the stream a `target` of its own"));
        }
        standings.push(Standing { stream, target, write, head });
    }
    Ok(standings)
}

fn position(session: &Session, head: &Head) -> Option<String> {
    head.state.source.as_ref().and_then(|state| session.source.position(state))
}

fn refuse_other_source(session: &Session, entry: &StateEntry) -> Result<(), Error> {
    let next = entry.state.unfinished.as_ref().map(|unfinished| &unfinished.next);
    for state in [entry.state.source.as_ref(), next].into_iter().flatten() {
        if state.source != session.source.name() {
            return Err(Error::config(format!(
                "the state was written by source {:?}, and this one is {:?}",
                state.source,
                session.source.name()
            ))
            .context("stream", entry.stream.clone()));
        }
    }
    Ok(())
}

/// An overwrite that is half done can only go on where its files still wait for its end.
fn refuse_lost_files(standing: &Standing, entry: &StateEntry) -> Result<(), Error> {
    let of = |state: &StreamState| state.unfinished.as_ref().map(|unfinished| unfinished.sync);
    let wanted = of(&entry.state);
    if standing.write != WriteMode::Overwrite || wanted.is_none() || wanted == of(&standing.head.state) {
        return Ok(());
    }
    Err(Error::config("the exported state is of an unfinished overwrite, whose files are gone")
        .context("stream", entry.stream.clone())
        .hint("reset the stream instead: its next sync replaces everything"))
}

/// Lets a person agree. Without one, `--yes` must have been given.
pub(super) async fn confirm(context: &Context, yes: bool, warning: &str, verb: &str) -> Result<(), Failure> {
    context.output.tell(warning);
    if yes {
        return Ok(());
    }
    // On a thread of its own, so that a signal is heard meanwhile.
    let (output, question) = (context.output.clone(), format!("{verb}?"));
    let answer = tokio::task::spawn_blocking(move || output.ask(&question)).await;
    match answer.map_err(|failure| Error::internal("the question failed").with_source(failure))? {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::usage("nothing was changed")),
        None => Err(Failure::Usage {
            message: "this changes where streams stand, and nobody is there to be asked".to_owned(),
            hint: Some("--yes agrees to it".to_owned()),
        }),
    }
}

/// Commits the new states, stream by stream.
async fn apply(
    context: &Context,
    session: &Session,
    changes: Vec<(Standing, StreamState)>,
    done: &str,
) -> Result<Answer, Failure> {
    // A target without a commit has no schema yet: it gets its stream's.
    let is_new = |(standing, _): &(Standing, StreamState)| standing.head.schema.is_none();
    let streams = if changes.iter().any(is_new) { session.sync(&[]).streams().await? } else { Vec::new() };
    let mut documents = Vec::new();
    let mut text = String::new();
    for (standing, state) in changes {
        let commit = commit(session, &standing, state, &streams)?;
        protocol::point!("state.agreed");
        let committed = context.signals.after(session.destination.commit(&standing.target, &commit)).await;
        let head = committed.map_err(|error| {
            error
                .context("stream", standing.stream.clone())
                .hint("another sync may have committed: look at `tidegate state show`")
        })?;
        protocol::point!("state.committed");
        let position = position(session, &head);
        let shown = position.clone().unwrap_or_else(|| "the beginning".to_owned());
        let _ = writeln!(
            text,
            "{}: {done} to {shown} (commit {})",
            human::plain(&standing.stream),
            head.sequence
        );
        documents.push(json!({
            "stream": standing.stream,
            "target": standing.target,
            "position": position,
            "sequence": head.sequence,
        }));
    }
    session.source.close().await;
    Ok(answer(session, &documents, &text))
}

/// A commit that moves the state and nothing else.
fn commit(
    session: &Session,
    standing: &Standing,
    state: StreamState,
    streams: &[ConfiguredStream],
) -> Result<Commit, Error> {
    let described =
        || streams.iter().find(|stream| stream.name == standing.stream).map(|stream| &stream.schema);
    let schema = standing.head.schema.as_ref().or_else(described).ok_or_else(|| {
        Error::config("the stream does not exist at the source").context("stream", standing.stream.clone())
    })?;
    Ok(Commit {
        id: CommitId::new(),
        sequence: standing.head.sequence + 1,
        sync: state.unfinished.as_ref().map_or_else(SyncId::new, |unfinished| unfinished.sync),
        connection: session.name.clone(),
        files: Vec::new(),
        schema: schema.clone(),
        // What is there stays there; what waits for the end of an unfinished overwrite goes on waiting.
        write_mode: if state.unfinished.is_some() { standing.write } else { WriteMode::Append },
        ends_sync: state.unfinished.is_none(),
        state,
        at: Utc::now(),
    })
}

pub(super) fn answer(session: &Session, streams: &[Value], text: &str) -> Answer {
    Answer::new(text, &json!({ "version": 1, "connection": session.name, "streams": streams }))
}
