//! `tidegate commit`: what reads of a plan have staged becomes visible.

use std::collections::BTreeMap;

use engine::{ErrorReport, StreamPlan, StreamReport};
use protocol::{Error, Staged};
use serde_json::{Value, json};

use super::Context;
use super::document::{PlanDocument, StagedDocument};
use super::session::Session;
use super::summary;
use crate::args::Commit;
use crate::failure::Failure;
use crate::output::Answer;

pub(super) async fn run(arguments: &Commit, context: &Context) -> Result<Answer, Failure> {
    let plans = PlanDocument::read(&arguments.plan)?;
    let staged = gathered(arguments, &plans)?;
    let config = context.config()?;
    let session = Session::open(&config, Some(&plans.connection)).await?;
    let sync = session.sync(&[]);
    let (mut reports, mut documents) = (Vec::new(), Vec::new());
    let mut exit_code = 0;
    for (stream, staged) in staged {
        let plan = plans.plan(Some(&stream))?;
        match sync.commit(plan, staged).await {
            Ok(report) => {
                documents.push(json!(report));
                reports.push(report);
            }
            // The others' commits stand or fall by themselves.
            Err(error) => {
                let error = error.context("stream", stream.clone());
                let report = ErrorReport::from(&error);
                context.output.error(Some(&stream), &report);
                exit_code = if exit_code == 0 { error.kind().exit_code() } else { exit_code };
                documents.push(failed(plan, &error, &report));
            }
        }
    }
    session.source.close().await;
    Ok(answer(&plans.connection, &reports, &documents, exit_code))
}

/// What was staged, by stream, checked to be of this plan.
fn gathered(arguments: &Commit, plans: &PlanDocument) -> Result<BTreeMap<String, Vec<Staged>>, Error> {
    let mut streams: BTreeMap<String, Vec<Staged>> = BTreeMap::new();
    for path in &arguments.staged {
        for document in StagedDocument::read_all(path)? {
            let plan = plans.plan(Some(&document.stream))?;
            if document.connection != plans.connection || document.sync != plan.sync {
                return Err(Error::config(format!(
                    "partition {} in {:?} was read for another plan",
                    document.partition,
                    path.display().to_string()
                ))
                .context("stream", document.stream)
                .hint("commit it with the plan that it was read by"));
            }
            streams.entry(document.stream).or_default().push(document.staged);
        }
    }
    Ok(streams)
}

fn failed(plan: &StreamPlan, error: &Error, report: &ErrorReport) -> Value {
    json!({
        "stream": plan.stream.name,
        "target": plan.stream.target,
        "outcome": "failed",
        "exit_code": error.kind().exit_code(),
        "sync": plan.sync,
        "error": report,
    })
}

fn answer(connection: &str, reports: &[StreamReport], documents: &[Value], exit_code: u8) -> Answer {
    let document = json!({
        "version": 1,
        "connection": connection,
        "outcome": if exit_code == 0 { "succeeded" } else { "failed" },
        "exit_code": exit_code,
        "streams": documents,
    });
    let text = if reports.is_empty() { String::new() } else { summary::table(reports) };
    Answer { text, document, exit_code }
}
