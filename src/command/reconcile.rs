//! `tidegate reconcile`: how source and destination compare, and tombstones for what was deleted.

use std::fmt::Write as _;

use engine::{Compared, KeyOf, Reconcile as Asked, ReconcileOutcome, ReconcileReport, StreamReconciliation};

use super::Context;
use super::session::Session;
use crate::args::{Columns as Which, Format, Reconcile};
use crate::failure::Failure;
use crate::human::{self, Columns};
use crate::output::{Answer, BAD, FAINT, GOOD, Output, STRONG, WARNING, styled};

pub(super) async fn run(arguments: &Reconcile, context: &Context) -> Result<Answer, Failure> {
    let config = context.config()?;
    let mut session = Session::open(&config, arguments.connection.as_deref()).await?;
    if let Some(memory) = arguments.memory {
        session.config.memory = Some(memory);
    }
    let asked = Asked {
        columns: match arguments.columns {
            Which::Key => Compared::Key,
            Which::All => Compared::All,
        },
        apply: arguments.apply,
        force: arguments.force,
        show_keys: arguments.show_keys,
    };
    let report = session.sync(&arguments.streams.patterns).reconcile(&asked).await;
    // The engine logs failures when they happen; lines of JSON need no second telling.
    if context.global.log_format == Format::Text {
        tell_errors(&context.output, &report);
    }
    for stream in &report.streams {
        for note in &stream.notes {
            context.output.warn(&human::plain(&stream.stream), &human::plain(note));
        }
    }
    let mut answer = Answer::new(text(&report), &report);
    answer.exit_code = report.exit_code;
    Ok(answer)
}

fn tell_errors(output: &Output, report: &ReconcileReport) {
    if let Some(error) = &report.error {
        output.error(None, error);
    }
    for stream in &report.streams {
        if let Some(error) = &stream.error {
            output.error(Some(&human::plain(&stream.stream)), error);
        }
    }
}

/// A line per stream, keys where they were asked for, and how it ended.
fn text(report: &ReconcileReport) -> String {
    let mut text = String::new();
    if !report.streams.is_empty() {
        text.push_str(&table(&report.streams));
        text.push('\n');
    }
    for stream in &report.streams {
        let keys = &stream.keys;
        for (what, keys) in
            [("missing", &keys.missing), ("differing", &keys.differing), ("extra", &keys.extra)]
        {
            for key in keys {
                let what = styled(FAINT, what);
                let _ = writeln!(text, "{} {what} {}", human::plain(&stream.stream), shown(key));
            }
        }
    }
    let outcome = match report.outcome {
        ReconcileOutcome::Clean => styled(GOOD, "clean"),
        ReconcileOutcome::Different => styled(WARNING, "different"),
        ReconcileOutcome::Failed => styled(BAD, "failed"),
    };
    let name = styled(STRONG, &human::plain(&report.connection));
    let _ = write!(text, "{name}: {outcome} after {}", human::seconds(report.seconds));
    let marked: u64 = report.streams.iter().map(|stream| stream.marked).sum();
    if marked > 0 {
        let _ = write!(text, ", {} marked as deleted", human::counted(marked, "row"));
    }
    text.push('\n');
    text
}

fn table(streams: &[StreamReconciliation]) -> String {
    let headings =
        ["stream", ">equal", ">pending", ">missing", ">differing", ">extra", ">marked", ">seconds", ""];
    let mut table = Columns::new(&headings);
    for stream in streams {
        table.row([
            stream.stream.clone(),
            human::count(stream.equal),
            human::count(stream.pending),
            human::count(stream.missing),
            human::count(stream.differing),
            human::count(stream.extra),
            human::count(stream.marked),
            format!("{:.1}", stream.seconds),
            if stream.passes > 1 { format!("in {} passes", stream.passes) } else { String::new() },
        ]);
    }
    table.text()
}

fn shown(key: &KeyOf) -> String {
    let pairs: Vec<String> =
        key.iter().map(|(column, value)| human::plain(&format!("{column}={value}"))).collect();
    pairs.join(" ")
}
