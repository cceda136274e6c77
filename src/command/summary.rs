//! What a sync did, for people.

use std::fmt::Write as _;

use engine::{Outcome, Report, StreamReport};
use protocol::{Adjustment, SyncMode};

use super::plan;
use crate::human::{self, Columns};
use crate::output::{BAD, GOOD, Output, STRONG, WARNING, styled};

/// The whole report: how it ended, a line per stream, and sums.
pub(super) fn text(report: &Report) -> String {
    let mut text = String::new();
    if !report.streams.is_empty() {
        text.push_str(&table(&report.streams));
        text.push('\n');
    }
    let outcome = match report.outcome {
        Outcome::Succeeded => styled(GOOD, "succeeded"),
        Outcome::Interrupted => styled(WARNING, "interrupted"),
        Outcome::Failed => styled(BAD, "failed"),
    };
    let totals = &report.totals;
    let name = styled(STRONG, &human::plain(&report.connection));
    let _ = write!(text, "{name}: {outcome} in {}", human::seconds(report.seconds));
    if !report.streams.is_empty() {
        let _ = write!(
            text,
            ", {} written to {}, {}",
            human::counted(totals.rows_written, "row"),
            human::counted(totals.files, "file"),
            human::bytes(totals.bytes_written),
        );
    }
    if totals.streams_failed > 0 {
        let of = totals.streams_failed + totals.streams_succeeded;
        let _ =
            write!(text, "; {} of {} not done", totals.streams_failed, human::counted(of as u64, "stream"));
    }
    let soft_deleted: u64 = report.streams.iter().filter_map(|stream| stream.soft_deleted).sum();
    if soft_deleted > 0 {
        let _ = write!(text, "; {} marked as deleted at the source", human::counted(soft_deleted, "row"));
    }
    let late: u64 = report.streams.iter().filter_map(|stream| stream.late_rows).sum();
    if late > 0 {
        let _ = write!(text, "; {} found with an old cursor", human::counted(late, "row"));
    }
    if totals.retries > 0 {
        let _ = write!(text, "; {} made again", human::counted(totals.retries, "attempt"));
    }
    text.push('\n');
    text
}

/// A line per stream.
pub(super) fn table(streams: &[StreamReport]) -> String {
    let mut table = Columns::new(&["stream", "mode", ">rows", ">bytes", ">files", ">seconds", "cursor"]);
    for stream in streams {
        table.row([
            stream.stream.clone(),
            mode(stream),
            human::count(stream.rows_written),
            human::bytes(stream.bytes_written),
            human::count(stream.files),
            format!("{:.1}", stream.seconds.total),
            cursor(stream),
        ]);
    }
    table.text()
}

fn mode(stream: &StreamReport) -> String {
    let what = match stream.sync_mode {
        SyncMode::FullRefresh => "full refresh",
        SyncMode::Incremental => "incremental",
    };
    let how = match stream.outcome {
        Outcome::Succeeded if stream.resumed => ", resumed",
        Outcome::Succeeded => "",
        Outcome::Interrupted => ", interrupted",
        Outcome::Failed => ", failed",
    };
    format!("{what}, {}{how}", plan::write(stream.write_mode))
}

fn cursor(stream: &StreamReport) -> String {
    let cursor = &stream.cursor;
    match (&cursor.before, &cursor.after) {
        (None, None) => String::new(),
        (before, after) if before == after => format!("{} (unchanged)", after.as_deref().unwrap_or("–")),
        (before, after) => {
            format!("{} → {}", before.as_deref().unwrap_or("–"), after.as_deref().unwrap_or("–"))
        }
    }
}

/// What a person should know besides: notes, changed values and schemas, errors.
pub(super) fn tell(output: &Output, report: &Report) {
    for stream in &report.streams {
        let name = human::plain(&stream.stream);
        for note in &stream.notes {
            output.warn(&name, &human::plain(note));
        }
        for change in &stream.schema_changes {
            output.warn(&name, &human::plain(&change.to_string()));
        }
        for adjusted in &stream.adjusted {
            output.warn(&name, &adjustment(adjusted));
        }
    }
}

fn adjustment(adjusted: &Adjustment) -> String {
    let values = human::counted(adjusted.values, "value");
    format!(
        "{values} of column {:?} did not fit ({}) and changed as `on_unfit` says",
        adjusted.column, adjusted.reason
    )
}

/// What failed.
pub(super) fn tell_errors(output: &Output, report: &Report) {
    if let Some(error) = &report.error {
        output.error(None, error);
    }
    for stream in &report.streams {
        // That a signal stopped it is no failure of the stream.
        if let Some(error) = stream.error.as_ref().filter(|_| stream.outcome == Outcome::Failed) {
            output.error(Some(&human::plain(&stream.stream)), error);
        }
    }
}
