//! `tidegate state repair`: goes on after files of a commit were lost before they became visible.

use std::fmt::Write as _;

use chrono::Utc;
use protocol::{Error, Repair};
use serde_json::json;

use super::Context;
use super::session::Session;
use super::state::{Standing, answer, confirm, standings};
use crate::args::Reset;
use crate::failure::Failure;
use crate::human;
use crate::output::{Answer, STRONG, styled};

pub(super) async fn run(arguments: &Reset, context: &Context) -> Result<Answer, Failure> {
    let config = context.config()?;
    let session = Session::open(&config, arguments.connection.as_deref()).await?;
    let mut broken = Vec::new();
    for standing in standings(&session, &arguments.streams.patterns).await? {
        if let Some(repair) = repair(&session, &standing, false).await? {
            broken.push((standing, repair));
        }
    }
    if broken.is_empty() {
        session.source.close().await;
        return Ok(answer(&session, &[], "no commit has lost files: nothing to repair\n"));
    }
    let mut warning =
        format!("The next sync of {:?} reads again what these commits had read:\n", session.name);
    for (standing, repair) in &broken {
        let _ = writeln!(
            warning,
            "  {}: {}",
            styled(STRONG, &human::plain(&standing.stream)),
            human::plain(&fate(&session, repair))
        );
    }
    warning
        .push_str("A reader that has seen the files that are removed meets their rows again in new ones.\n");
    confirm(context, arguments.yes, &warning, "Repair").await?;
    let (mut documents, mut text) = (Vec::new(), String::new());
    for (standing, _) in broken {
        let repaired = context.signals.after(repair(&session, &standing, true)).await?;
        // Somebody else may have repaired it meanwhile.
        let Some(repaired) = repaired else { continue };
        let position = position(&session, &repaired);
        let stream = human::plain(&standing.stream);
        let _ = writeln!(text, "{stream}: back at {position} (commit {})", repaired.sequence + 1);
        documents.push(json!({
            "stream": standing.stream,
            "target": standing.target,
            "position": position,
            "sequence": repaired.sequence + 1,
            "lost_files": repaired.lost_files,
            "lost_rows": repaired.lost_rows,
            "removed_rows": repaired.removed_rows,
        }));
    }
    session.source.close().await;
    Ok(answer(&session, &documents, &text))
}

async fn repair(session: &Session, standing: &Standing, apply: bool) -> Result<Option<Repair>, Error> {
    let repaired = session.destination.repair(&standing.target, apply, Utc::now()).await;
    repaired.map_err(|error| error.context("stream", standing.stream.clone()))
}

fn position(session: &Session, repair: &Repair) -> String {
    let state = repair.state.source.as_ref();
    state.and_then(|state| session.source.position(state)).unwrap_or_else(|| "the beginning".to_owned())
}

fn fate(session: &Session, repair: &Repair) -> String {
    format!(
        "commit {} has lost {} with {}; {} in its other files are removed, and all are read again from {}",
        repair.sequence,
        human::counted(repair.lost_files, "file"),
        human::counted(repair.lost_rows, "row"),
        human::counted(repair.removed_rows, "row"),
        position(session, repair)
    )
}
