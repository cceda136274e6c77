//! A run of a connector's command: its files, its output as whole lines, its end.
//!
//! A thread reads the output, so that a connector that is faster than its reader waits in its pipe. The process is
//! killed where nobody waits for it any more.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{Error, ErrorKind, Result, Secret};
use tokio::sync::mpsc;

/// Octets of output that are handed on at once.
const CHUNK: usize = 256 << 10;
/// Chunks that wait for their reader.
const WAITING: usize = 4;
/// Lines of stderr that are kept for an error's message.
const LAST_LINES: usize = 10;
/// Longest line: a record, a catalog.
const LONGEST: usize = 256 << 20;
/// What stands for the folder in arguments.
const FOLDER: &str = "{folder}";

/// How the command is called.
pub(super) struct Program {
    pub(super) command: Vec<String>,
    pub(super) environment: Vec<(String, Secret)>,
}

/// A run that has begun.
pub(super) struct Run {
    child: Child,
    chunks: mpsc::Receiver<Result<Vec<u8>>>,
    last: Arc<Mutex<VecDeque<String>>>,
    // Removed at the end.
    _folder: tempfile::TempDir,
}

impl Program {
    /// Starts `verb` with these files: option and content.
    pub(super) fn start(&self, verb: &str, files: &[(&str, &str)]) -> Result<Run> {
        let write = |error: std::io::Error| {
            Error::new(ErrorKind::Storage, "a folder for the connector's files can't be made")
                .with_source(error)
        };
        // Only its owner can look into it.
        let folder = tempfile::Builder::new().prefix("tidegate-").tempdir().map_err(write)?;
        let shown = folder.path().display().to_string();
        let mut words = self.command.iter().map(|word| word.replace(FOLDER, &shown));
        let program = words.next().ok_or_else(|| Error::config("`command` is empty"))?;
        let mut command = Command::new(&program);
        command.args(words).arg(verb);
        for (option, content) in files {
            let path = folder.path().join(format!("{option}.json"));
            fs::write(&path, content).map_err(write)?;
            let mut name = OsString::from("--");
            name.push(option);
            command.arg(name).arg(path);
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value.reveal())));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| {
            Error::config(format!("the connector's command {program:?} can't be started")).with_source(error)
        })?;
        let (sender, chunks) = mpsc::channel(WAITING);
        let last = Arc::default();
        if let Some(output) = child.stdout.take() {
            std::thread::spawn(move || hand_on(output, &sender));
        }
        if let Some(errors) = child.stderr.take() {
            let last = Arc::clone(&last);
            std::thread::spawn(move || remember(errors, &last));
        }
        Ok(Run { child, chunks, last, _folder: folder })
    }
}

impl Run {
    /// Some whole lines of the output; `None` at its end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        self.chunks.recv().await.transpose()
    }

    /// Waits for the end of a process whose output has ended. Gives the last lines of its stderr, too.
    pub(super) async fn end(mut self) -> Result<(ExitStatus, String)> {
        loop {
            let status = self.child.try_wait().map_err(|error| {
                Error::transient("the connector's process can't be waited for").with_source(error)
            })?;
            if let Some(status) = status {
                let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
                return Ok((status, last.iter().map(String::as_str).collect::<Vec<_>>().join("\n")));
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        // One that has ended can't be killed, and that is all that can fail.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads whole lines until the output or its reader ends.
fn hand_on(output: impl Read, to: &mpsc::Sender<Result<Vec<u8>>>) {
    let mut output = BufReader::with_capacity(CHUNK, output);
    let mut chunk = Vec::with_capacity(CHUNK);
    loop {
        let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX);
        let read = match output.by_ref().take(limit).read_until(b'\n', &mut chunk) {
            Ok(read) => read,
            Err(error) => {
                let failure = Error::transient("the connector's output can't be read").with_source(error);
                let _ = to.blocking_send(Err(failure));
                return;
            }
        };
        if read >= LONGEST {
            let _ = to.blocking_send(Err(Error::data(format!(
                "the connector printed a line of more than {} MiB",
                LONGEST >> 20
            ))));
            return;
        }
        // What is in the buffer costs no waiting: a chunk is handed on when the connector pauses, or is full.
        let is_paused = !output.buffer().contains(&b'\n');
        if !chunk.is_empty() && (read == 0 || is_paused || chunk.len() >= CHUNK) {
            let full = std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK));
            if to.blocking_send(Ok(full)).is_err() {
                return;
            }
        }
        if read == 0 {
            return;
        }
    }
}

/// Keeps the last lines of stderr.
fn remember(errors: impl Read, last: &Mutex<VecDeque<String>>) {
    for line in BufReader::new(errors).split(b'\n').map_while(std::io::Result::ok) {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(String::from_utf8_lossy(&line).into_owned());
    }
}
