//! One part of a bench, in a process of its own: its CPU time and its memory are those of the part alone.

use std::num::NonZeroUsize;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use engine::{ErrorReport, Part, Sample, Task};
use protocol::{Error, ErrorKind};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;
use tokio::time::timeout;

use super::text;
use crate::args::Bench;
use crate::command::Context;
use crate::command::session::Session;
use crate::failure::Failure;
use crate::output::Answer;

/// How long a part may take to clean up after a signal.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a process says that fails.
#[derive(Deserialize)]
struct Failed {
    exit_code: u8,
    error: ErrorReport,
}

/// The process itself: measures `part` and says what it found.
pub(super) async fn measure(
    arguments: &Bench,
    part: Part,
    session: Session,
    context: &Context,
) -> Result<Answer, Failure> {
    let sync = session.sync(&arguments.streams.patterns);
    let task = Task {
        part,
        connections: arguments.connections,
        rows: (arguments.rows > 0).then_some(arguments.rows),
        bytes: arguments.bytes,
    };
    let stop = sync.stop();
    let stopping = async {
        context.signals.first().await;
        stop.request();
        std::future::pending::<()>().await;
    };
    let sample = tokio::select! {
        measured = sync.measure(&task) => measured?,
        () = stopping => unreachable!("it waits for ever"),
    };
    Ok(Answer::json(&sample))
}

/// Starts the process, and waits for what it says. A signal is handed on, so that nothing is left behind.
pub(super) async fn spawn(
    arguments: &Bench,
    stream: &str,
    part: Part,
    connections: NonZeroUsize,
    bytes: u64,
    context: &Context,
) -> Result<Sample, Failure> {
    let mut command = command(arguments, context)?;
    command.args(["--part", text::name(part), "--stream", stream]);
    command.args(["--connections", &connections.to_string(), "--bytes", &bytes.to_string()]);
    let child = command.spawn().map_err(|error| unstartable().with_source(error))?;
    let process = Pid::from_child(&child);
    let mut ended = tokio::task::spawn_blocking(move || child.wait_with_output());
    let output = tokio::select! {
        output = &mut ended => output,
        name = context.signals.first() => {
            // It may have ended by itself.
            let _ = kill_process(process, Signal::TERM);
            if timeout(PATIENCE, ended).await.is_err() {
                let _ = kill_process(process, Signal::KILL);
            }
            return Err(Error::new(ErrorKind::Interrupted, format!("stopped by {name}")).into());
        }
    };
    let output = output.map_err(|error| unstartable().with_source(error))?;
    understood(&output.map_err(|error| unstartable().with_source(error))?)
}

/// This program again, with what matters of this command line.
fn command(arguments: &Bench, context: &Context) -> Result<Command, Error> {
    let program = std::env::current_exe().map_err(|error| unstartable().with_source(error))?;
    let mut command = Command::new(program);
    command.arg("bench").stdin(Stdio::null()).stdout(Stdio::piped());
    let global = &context.global;
    if let Some(config) = &global.config {
        command.arg("--config").arg(config);
    }
    command.args(["--output", "json"]);
    if global.verbose > 0 {
        command.arg(format!("-{}", "v".repeat(global.verbose.into())));
    } else {
        // What fails is told here.
        command.arg("--quiet").stderr(Stdio::null());
    }
    command.args(&arguments.connection);
    if let Some(source) = &arguments.source {
        command.args(["--source", source]);
    }
    if arguments.scale.is_some() {
        command.arg("--made");
    }
    if let Some(memory) = arguments.memory {
        command.args(["--memory", &memory.to_string()]);
    }
    command.args(["--rows", &arguments.rows.to_string()]);
    Ok(command)
}

fn unstartable() -> Error {
    Error::internal("a part of the bench can't be measured in a process of its own")
}

fn understood(output: &Output) -> Result<Sample, Failure> {
    if output.status.success() {
        let sample = serde_json::from_slice(&output.stdout);
        return Ok(sample.map_err(|error| mute(output.status).with_source(error))?);
    }
    let failed: Failed = serde_json::from_slice(&output.stdout).map_err(|_| mute(output.status))?;
    Err(Failure::Reported { report: Box::new(failed.error), exit_code: failed.exit_code })
}

/// Of a process that was killed, as by a system that is short of memory.
fn mute(status: ExitStatus) -> Error {
    Error::internal(format!("a part of the bench ended without a result ({status})"))
        .hint("where it was killed, memory may have been short: `--memory` takes less")
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    fn said(code: i32, stdout: &str) -> Result<Sample, Failure> {
        let status = ExitStatus::from_raw(code);
        understood(&Output { status, stdout: stdout.into(), stderr: Vec::new() })
    }

    #[test]
    fn what_the_process_says_is_said_again() {
        let document = Failure::from(Error::new(ErrorKind::Auth, "refused").hint("ask")).document();
        let failure = said(77 << 8, &document.to_string()).unwrap_err();
        assert_eq!(failure.exit_code(), 77);
        assert_eq!(failure.document(), document);
        let sample = said(0, &serde_json::to_string(&Sample { rows: 7, ..Sample::default() }).unwrap());
        assert_eq!(sample.unwrap().rows, 7);
    }

    #[test]
    fn a_process_that_was_killed_is_no_result() {
        let failure = said(9, "").unwrap_err();
        assert_eq!(failure.exit_code(), 70);
        assert!(failure.report().message.contains("signal: 9"), "{failure:?}");
    }
}
