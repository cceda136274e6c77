//! What a bench measured, for people.

use std::fmt::Write as _;

use engine::{BenchReport, Part, PartReport, StreamBench, Wall};

use crate::human::{self, Columns};
use crate::output::{FAINT, GOOD, STRONG, WARNING, styled};

pub(super) fn text(report: &BenchReport) -> String {
    let mut text = String::new();
    for stream in &report.streams {
        of_stream(&mut text, stream);
        text.push('\n');
    }
    let name = report.connection.as_ref().unwrap_or(&report.source);
    let _ = writeln!(
        text,
        "{}: {} of {}, medians of {}, {} here, {}",
        styled(STRONG, &human::plain(name)),
        human::counted(report.streams.len() as u64, "stream"),
        human::plain(&report.source),
        human::counted(report.rounds, "round"),
        human::counted(report.cores, "core"),
        human::seconds(report.seconds),
    );
    let explained = "MB/s: of drain as the server sends them, of decode in memory, of the others in files; speed: \
                     against drain over 1 connection. What the server spends can't be seen from here.";
    let _ = writeln!(text, "{}", styled(FAINT, explained));
    text
}

fn of_stream(text: &mut String, stream: &StreamBench) {
    let rows = stream.parts.first().map_or(0, |part| part.rows);
    let mut heading = human::counted(rows, "row");
    if let (true, Some(all)) = (stream.is_portion, stream.estimated_rows) {
        let _ = write!(heading, " of about {}", human::count(all));
    }
    let _ = writeln!(text, "{}  {heading}", styled(STRONG, &human::plain(&stream.stream)));
    let headings =
        ["part", ">connections", ">seconds", ">rows/s", ">MB/s", ">CPU s / M rows", ">peak RSS", ">speed"];
    let mut table = Columns::new(&headings);
    for part in &stream.parts {
        table.row(row(part));
    }
    text.push_str(&table.text());
    let judgement = &stream.judgement;
    let wall = styled(GOOD, &format!("the wall: {}", wall(judgement.wall)));
    let _ = writeln!(text, "{wall}: {}", judgement.because);
    for advice in &judgement.advice {
        let _ = writeln!(text, "  turn {}: {}", styled(STRONG, advice.turn.name()), advice.why);
    }
    for note in &judgement.notes {
        let _ = writeln!(text, "  {} {note}", styled(WARNING, "note:"));
    }
}

fn row(part: &PartReport) -> [String; 8] {
    let number = |value: Option<f64>, digits: usize| value.map(|value| format!("{value:.digits$}"));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rows per second are positive"
    )]
    let rate = part.rows_per_second.map(|rate| human::count(rate as u64));
    [
        name(part.part).to_owned(),
        part.connections.to_string(),
        format!("{:.2}", part.seconds),
        rate.unwrap_or_default(),
        number(part.bytes_per_second.map(|rate| rate / 1e6), 1).unwrap_or_default(),
        number(part.cpu_seconds_per_million_rows, 2).unwrap_or_default(),
        part.peak_rss_bytes.map(human::bytes).unwrap_or_default(),
        number(part.speed, 2).unwrap_or_default(),
    ]
}

/// As it stands in documents and on the command line.
pub(super) fn name(part: Part) -> &'static str {
    match part {
        Part::Drain => "drain",
        Part::Decode => "decode",
        Part::Encode => "encode",
        Part::Upload => "upload",
        Part::Whole => "whole",
    }
}

fn wall(wall: Wall) -> &'static str {
    match wall {
        Wall::Source => "the source, or the line to it",
        Wall::Destination => "the destination, or the line to it",
        Wall::Cores => "the cores of this machine",
        Wall::Decoding => "decoding",
        Wall::Encoding => "encoding",
        Wall::Nothing => "no part by itself",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_documents() {
        for part in [Part::Drain, Part::Decode, Part::Encode, Part::Upload, Part::Whole] {
            assert_eq!(serde_json::to_value(part).unwrap(), name(part));
        }
    }
}
