//! Whether what is committed is what was written: every commit, every file, every row.
//!
//! A file is read back and its receipt computed again; what a destination knows of its commits it
//! checks itself ([`protocol::Destination::audit`]). Nothing is changed.

mod file;
mod report;
mod source;

use std::collections::HashSet;
use std::time::Duration;

use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use protocol::{Audit, CommittedFile, ConfiguredStream, Digest, ErrorKind, Result};

use crate::clock::Watch;
use crate::panic::caught;
use crate::retry::retrying;
use crate::stream::Context;
use crate::{Count, ErrorReport, Sync, resolve};
use file::Checked;
pub use report::{Finding, Problem, SourceVerdict, StreamVerdict, VERIFY_VERSION, Verdict, VerifyReport};

/// Times that a target may be overwritten while it is read.
const ATTEMPTS: usize = 3;
/// How long a commit that stands is given to be carried out before it is looked at again.
const SETTLES: Duration = Duration::from_millis(500);

impl Sync {
    /// Reads back what is committed and compares it with its receipts; with `with_source`, a full
    /// refresh also with a fresh read of the source. Never fails for one stream alone: what could not be
    /// found out is in the report.
    ///
    /// The source is asked which streams there are only where names have wildcards or it is compared.
    pub async fn verify(&self, with_source: bool) -> Result<VerifyReport> {
        let watch = Watch::start();
        let subjects = match self.named_targets().filter(|_| !with_source) {
            Some(named) => {
                named.into_iter().map(|(name, target)| Subject { name, target, stream: None }).collect()
            }
            None => self.streams().await?.into_iter().map(Subject::of).collect::<Vec<_>>(),
        };
        let mut streams = Vec::new();
        for subject in subjects {
            streams.push(self.verify_stream(subject).await);
        }
        if with_source {
            self.context.source.close().await;
        }
        let outcome = streams.iter().map(|stream| stream.outcome).max().unwrap_or(Verdict::Ok);
        // A difference is what one asked for: it counts more than what could not be found out.
        let worst = |stream: &&StreamVerdict| (stream.outcome == Verdict::Different, stream.exit_code);
        let exit_code = streams.iter().max_by_key(worst).map_or(0, |stream| stream.exit_code);
        Ok(VerifyReport {
            version: VERIFY_VERSION,
            connection: self.connection.clone(),
            outcome,
            exit_code,
            seconds: watch.seconds(),
            streams,
        })
    }

    /// Names and targets, where no name has a wildcard.
    fn named_targets(&self) -> Option<Vec<(String, String)>> {
        resolve::named_targets(&self.context.config, &self.only)
    }

    async fn verify_stream(&self, subject: Subject) -> StreamVerdict {
        let mut verdict = StreamVerdict::of(&subject.name, &subject.target);
        let result =
            caught("the verification of the stream", check(&self.context, &subject, &mut verdict)).await;
        if let Err(error) = result {
            match error.kind() {
                // The destination's word on its commits.
                ErrorKind::Data => {
                    verdict.findings.push(Finding::new(Problem::Commits, format!("{error:#}")));
                }
                kind => {
                    verdict.exit_code = kind.exit_code();
                    verdict.error = Some(ErrorReport::from(&error.context("stream", subject.name.clone())));
                }
            }
        }
        verdict.conclude();
        tracing::info!(
            stream = subject.name,
            outcome = ?verdict.outcome,
            files = verdict.files,
            rows = verdict.rows,
            bytes = verdict.bytes,
            findings = verdict.findings.len(),
            "verified"
        );
        verdict
    }
}

/// What is verified.
struct Subject {
    name: String,
    target: String,
    /// As configured and described by the source, where that is needed.
    stream: Option<ConfiguredStream>,
}

impl Subject {
    fn of(stream: ConfiguredStream) -> Self {
        Self { name: stream.name.clone(), target: stream.target.clone(), stream: Some(stream) }
    }
}

async fn check(context: &Context, subject: &Subject, verdict: &mut StreamVerdict) -> Result<()> {
    let target = subject.target.as_str();
    let mut audit = settled_audit(context, target).await?;
    for attempt in 1.. {
        let checked = read_all(context, target, &audit).await;
        let is_missing = |checked: &Checked| {
            checked.finding.as_ref().is_some_and(|finding| finding.problem == Problem::Missing)
        };
        let is_doubtful = checked.as_ref().map_or(true, |checked| checked.iter().any(is_missing));
        if attempt < ATTEMPTS && is_doubtful {
            // A sync that overwrites has taken them away meanwhile: what it wrote is what counts.
            let now = settled_audit(context, target).await?;
            if now.sequence != audit.sequence {
                audit = now;
                continue;
            }
        }
        take(verdict, &audit, checked?);
        break;
    }
    if let Some(stream) = &subject.stream {
        let head = retried(context, || context.destination.head(target)).await?;
        source::compare(context, stream, &head, verdict).await?;
    }
    Ok(())
}

/// What the destination says, once a commit that is being carried out just now is done.
async fn settled_audit(context: &Context, target: &str) -> Result<Audit> {
    let mut attempt = 1;
    loop {
        let audit = retried(context, || context.destination.audit(target)).await?;
        if audit.is_settled || attempt == ATTEMPTS {
            return Ok(audit);
        }
        attempt += 1;
        tokio::time::sleep(SETTLES).await;
    }
}

async fn retried<T, F: Future<Output = Result<T>>>(context: &Context, call: impl FnMut() -> F) -> Result<T> {
    retrying(context.config.patience(), &context.stop, &Count::default(), call).await
}

/// Reads all files, several at once.
async fn read_all(context: &Context, target: &str, audit: &Audit) -> Result<Vec<Checked>> {
    let added = context.config.metadata.names();
    let added = &added;
    let files: Vec<BoxFuture<'_, Result<Checked>>> = audit
        .files
        .iter()
        .map(|file| {
            async move {
                let destination = context.destination.as_ref();
                retried(context, || file::check(destination, target, file, added, &context.budget)).await
            }
            .boxed()
        })
        .collect();
    stream::iter(files).buffered(context.config.parallelism().get()).try_collect().await
}

/// Writes down what was found.
fn take(verdict: &mut StreamVerdict, audit: &Audit, checked: Vec<Checked>) {
    verdict.sequence = audit.sequence;
    verdict.commits = audit.commits;
    verdict.files = audit.files.len() as u64;
    verdict.bytes = audit.files.iter().map(|file| file.bytes).sum();
    let problems = audit.problems.iter();
    verdict.findings.extend(problems.map(|problem| Finding::new(Problem::Commits, problem.clone())));
    let mut content = Some(Digest::default());
    for (file, checked) in audit.files.iter().zip(checked) {
        content = content.zip(checked.content).map(|(sum, content)| sum + content);
        verdict.rows += checked.rows;
        match checked.finding {
            Some(finding) => verdict.findings.push(named(finding, file)),
            None if checked.is_verified => verdict.files_verified += 1,
            None => verdict.files_unverified += 1,
        }
    }
    verdict.content = content;
    doubled(verdict, &audit.files);
    for (path, bytes) in audit.unexpected.iter().flatten() {
        let message = format!("no commit names this file of {bytes} bytes, and readers take it for data");
        let finding = Finding::new(Problem::Unexpected, message);
        verdict.findings.push(Finding { file: Some(path.clone()), ..finding });
    }
    if audit.unexpected.is_none() {
        verdict.notes.push("the destination can't list its files: one too many is not seen".to_owned());
    }
    if !audit.is_settled && !verdict.findings.is_empty() {
        verdict.notes.push(
            "the last commit was not carried out to its end, as after a crash: `tidegate sync` does that; \
             then verify again"
                .to_owned(),
        );
    }
    if verdict.files_unverified > 0 {
        verdict.notes.push(format!(
            "{} of {} files have no receipt: they can be read and have as many rows as their commits say, no \
             more is known",
            verdict.files_unverified, verdict.files
        ));
    }
}

/// A file that is named twice would be read twice.
fn doubled(verdict: &mut StreamVerdict, files: &[CommittedFile]) {
    let mut seen = HashSet::new();
    for file in files.iter().filter(|file| !seen.insert(file.path.as_str())) {
        verdict.findings.push(named(Finding::new(Problem::Commits, "the file is committed twice"), file));
    }
}

fn named(finding: Finding, file: &CommittedFile) -> Finding {
    Finding { file: Some(file.path.clone()), commit: Some(file.sequence), ..finding }
}
