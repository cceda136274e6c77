//! `tidegate sync`: reads what is new and commits it.

use protocol::Lifetime;

use super::document::PlanDocument;
use super::session::Session;
use super::{Context, plan, summary};
use crate::args::{Format, Sync};
use crate::failure::Failure;
use crate::output::Answer;
use crate::progress;

pub(super) async fn run(arguments: &Sync, context: &Context) -> Result<Answer, Failure> {
    let config = context.config()?;
    let opened = context.signals.or(Session::open(&config, arguments.connection.as_deref())).await;
    let mut session = opened?;
    if let Some(memory) = arguments.memory {
        session.config.memory = Some(memory);
    }
    let sync = session.sync(&arguments.streams.patterns).sweep(arguments.sweep);
    if arguments.dry_run {
        let planned = async { Ok(sync.plan(Lifetime::Session).await?) };
        let plans = context.signals.or(planned).await?;
        let text = plan::text(&plans);
        return Ok(Answer::new(text, &PlanDocument::new(&session.name, plans)));
    }
    let (output, stop, progress) = (&context.output, sync.stop(), sync.progress());
    let stopping = async {
        let name = context.signals.first().await;
        tracing::warn!("{name}: reading stops, what is complete is committed; signal again to leave at once");
        stop.request();
        std::future::pending::<()>().await;
    };
    tracing::info!(connection = session.name, "sync begins");
    let report = tokio::select! {
        report = sync.run() => report,
        () = progress::show(output, &session.name, &progress) => unreachable!("it shows for ever"),
        () = stopping => unreachable!("it waits for ever"),
    };
    progress::hide(output);
    tracing::info!(
        connection = session.name,
        exit_code = report.exit_code,
        rows_written = report.totals.rows_written,
        bytes_written = report.totals.bytes_written,
        files = report.totals.files,
        seconds = report.seconds,
        "sync ends"
    );
    summary::tell(output, &report);
    // The engine logs failures when they happen; lines of JSON need no second telling.
    if context.global.log_format == Format::Text {
        summary::tell_errors(output, &report);
    }
    let mut answer = Answer::new(summary::text(&report), &report);
    answer.exit_code = report.exit_code;
    Ok(answer)
}
