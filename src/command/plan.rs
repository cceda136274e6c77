//! `tidegate plan`: what a sync would read, for people and for `read` and `commit`.

use std::fmt::Write as _;
use std::fs;

use engine::StreamPlan;
use protocol::{Error, ErrorKind, Grain, Lifetime, SyncMode, WriteMode};

use super::Context;
use super::document::PlanDocument;
use super::session::Session;
use crate::args::Plan;
use crate::failure::Failure;
use crate::human;
use crate::output::{Answer, FAINT, STRONG, WARNING, styled};

pub(super) async fn run(arguments: &Plan, context: &Context) -> Result<Answer, Failure> {
    let config = context.config()?;
    let session = Session::open(&config, arguments.connection.as_deref()).await?;
    let plans = session.sync(&arguments.streams.patterns).plan(Lifetime::Detached).await?;
    let mut text = text(&plans);
    let document = PlanDocument::new(&session.name, plans);
    let mut answer = Answer::new(String::new(), &document);
    if let Some(path) = &arguments.out {
        let shown = path.display().to_string();
        fs::write(path, format!("{}\n", answer.document)).map_err(|error| {
            Error::new(ErrorKind::Storage, format!("file {shown:?} can't be written")).with_source(error)
        })?;
        let _ = writeln!(text, "\nwritten to {shown}");
    }
    answer.text = text;
    Ok(answer)
}

/// What is going to be read, stream by stream.
pub(super) fn text(plans: &[StreamPlan]) -> String {
    let mut text = String::new();
    for (at, plan) in plans.iter().enumerate() {
        if at > 0 {
            text.push('\n');
        }
        stream(&mut text, plan);
    }
    text
}

fn stream(text: &mut String, plan: &StreamPlan) {
    let stream = &plan.stream;
    let name = styled(STRONG, &human::plain(&stream.name));
    let _ = writeln!(
        text,
        "{name}  {}, {}",
        mode(stream.sync_mode, stream.cursor.as_deref()),
        write(stream.write_mode)
    );
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "  {} {}", styled(FAINT, &format!("{label:<9}")), human::plain(value));
    };
    if stream.target != stream.name {
        line("target", &stream.target);
    }
    let position = plan.cursor_before.as_deref();
    line(
        "stands at",
        &match (plan.sequence, position) {
            (0, _) => "nothing is committed yet".to_owned(),
            (commit, Some(position)) => format!("{position} (commit {commit})"),
            (commit, None) => format!("commit {commit}"),
        },
    );
    let by = &plan.unfinished.mode;
    let resumed = if plan.resumed { ", the rest of an interrupted sync" } else { "" };
    line(
        "reads",
        &match &plan.window {
            Some(window) => format!(
                "from {} up to {} ({by}{resumed})",
                window.since.as_deref().unwrap_or("the beginning"),
                window.until.as_deref().unwrap_or("the end"),
            ),
            None if stream.sync_mode == SyncMode::FullRefresh => format!("everything{resumed}"),
            None => format!("{by}{resumed}"),
        },
    );
    line("in", &parts(plan));
    for note in &plan.notes {
        let _ = writeln!(text, "  {} {}", styled(WARNING, "note:"), human::plain(note));
    }
}

fn parts(plan: &StreamPlan) -> String {
    if plan.partitions.is_empty() {
        return "no partition: nothing can be new".to_owned();
    }
    let mut text = human::counted(plan.partitions.len() as u64, "partition");
    if plan.grain == Grain::Plan && plan.partitions.len() > 1 {
        text.push_str(", committed together");
    }
    if let Some(rows) = plan.estimated_rows() {
        let _ = write!(text, ", about {}", human::counted(rows, "row"));
    }
    if let Some(bytes) = plan.estimated_bytes() {
        let _ = write!(text, ", {} at the source", human::bytes(bytes));
    }
    text
}

/// `incremental by updated_at`
fn mode(mode: SyncMode, cursor: Option<&str>) -> String {
    match (mode, cursor) {
        (SyncMode::FullRefresh, _) => "full refresh".to_owned(),
        (SyncMode::Incremental, Some(cursor)) => format!("incremental by {}", human::plain(cursor)),
        (SyncMode::Incremental, None) => "incremental".to_owned(),
    }
}

/// `append`
pub(super) fn write(mode: WriteMode) -> &'static str {
    match mode {
        WriteMode::Append => "append",
        WriteMode::Overwrite => "overwrite",
        WriteMode::Merge => "merge",
    }
}
