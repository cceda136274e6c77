//! `tidegate verify`: whether what is committed is what was written.

use std::fmt::Write as _;

use engine::{Finding, StreamVerdict, Verdict, VerifyReport};

use super::Context;
use super::session::Session;
use crate::args::Verify;
use crate::failure::Failure;
use crate::human::{self, Columns};
use crate::output::{Answer, BAD, FAINT, GOOD, STRONG, WARNING, error_lines, styled};

pub(super) async fn run(arguments: &Verify, context: &Context) -> Result<Answer, Failure> {
    let config = context.config()?;
    let session = Session::open(&config, arguments.connection.as_deref()).await?;
    let verified = session.sync(&arguments.streams.patterns).verify(arguments.source).await;
    session.source.close().await;
    let report = verified?;
    let mut answer = Answer::new(text(&report), &report);
    answer.exit_code = report.exit_code;
    Ok(answer)
}

/// A line per stream, what is wrong with which file, and a sum.
fn text(report: &VerifyReport) -> String {
    let mut table = Columns::new(&["stream", "verdict", ">commits", ">files", ">rows", ">bytes", "content"]);
    for stream in &report.streams {
        table.row([
            stream.stream.clone(),
            word(stream.outcome).to_owned(),
            human::count(stream.commits),
            human::count(stream.files),
            human::count(stream.rows),
            human::bytes(stream.bytes),
            stream.content.map(|content| content.to_string()).unwrap_or_default(),
        ]);
    }
    let mut text = table.text();
    for stream in &report.streams {
        told(&mut text, stream);
    }
    let outcome = match report.outcome {
        Verdict::Ok => styled(GOOD, "ok"),
        Verdict::Unverified => styled(WARNING, "nothing differs, not all could be verified"),
        Verdict::Different => styled(BAD, "different"),
        Verdict::Failed => styled(BAD, "failed"),
    };
    let sum = |of: fn(&StreamVerdict) -> u64| report.streams.iter().map(of).sum::<u64>();
    let _ = writeln!(
        text,
        "\n{}: {outcome} in {}, {} of {} as written, {} read back",
        styled(STRONG, &human::plain(&report.connection)),
        human::seconds(report.seconds),
        human::count(sum(|stream| stream.files_verified)),
        human::counted(sum(|stream| stream.files), "file"),
        human::counted(sum(|stream| stream.rows), "row"),
    );
    text
}

fn told(text: &mut String, stream: &StreamVerdict) {
    if stream.findings.is_empty()
        && stream.notes.is_empty()
        && stream.error.is_none()
        && stream.source.is_none()
    {
        return;
    }
    let _ = writeln!(text, "\n{}", styled(STRONG, &human::plain(&stream.stream)));
    for finding in &stream.findings {
        let _ = writeln!(text, "  {} {}", styled(BAD, "wrong:"), human::plain(&place(finding)));
    }
    if let Some(error) = &stream.error {
        text.push_str(&error_lines(Some(&human::plain(&stream.stream)), error));
    }
    if stream.source.as_ref().is_some_and(|source| source.is_equal) {
        let _ = writeln!(text, "  {}", styled(FAINT, "the source has the same rows now"));
    }
    for note in &stream.notes {
        let _ = writeln!(text, "  {} {}", styled(WARNING, "note:"), human::plain(note));
    }
}

/// `00000001-0192f0….parquet (commit 1): the file is missing`
fn place(finding: &Finding) -> String {
    let mut place = finding.file.clone().unwrap_or_default();
    if let Some(commit) = finding.commit {
        let _ = write!(place, " (commit {commit})");
    }
    if place.is_empty() { finding.message.clone() } else { format!("{place}: {}", finding.message) }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Ok => "ok",
        Verdict::Unverified => "unverified",
        Verdict::Different => "different",
        Verdict::Failed => "failed",
    }
}
