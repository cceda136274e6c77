//! `tidegate read`: one partition of a plan, on any machine that has the configuration.

use super::Context;
use super::document::{PlanDocument, StagedDocument};
use super::session::Session;
use crate::args::Read;
use crate::failure::Failure;
use crate::output::Answer;

pub(super) async fn run(arguments: &Read, context: &Context) -> Result<Answer, Failure> {
    let plans = PlanDocument::read(&arguments.plan)?;
    let plan = plans.plan(arguments.stream.as_deref())?;
    let config = context.config()?;
    let session = Session::open(&config, Some(&plans.connection)).await?;
    let staged = session.sync(&[]).read(plan, arguments.partition).await;
    session.source.close().await;
    Ok(Answer::json(&StagedDocument::new(&plans.connection, plan, arguments.partition, staged?)))
}
