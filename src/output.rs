//! The only place that prints. Results go to stdout, everything else to stderr; a reader that is
//! gone is no failure.

use std::fmt::Write as _;
use std::io::{self, BufRead, IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use engine::ErrorReport;
use indicatif::{MultiProgress, ProgressDrawTarget};
use protocol::ErrorKind;
use serde::Serialize;
use serde_json::Value;

use crate::args::{Format, Global};
use crate::failure::Failure;
use crate::human;

/// Bold.
pub(crate) const STRONG: Style = Style::new().bold();
/// For what is less important.
pub(crate) const FAINT: Style = Style::new().dimmed();
/// For what went well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// For what should be looked at.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// For what failed.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// What a command has to say: the same twice, for people and for programs.
pub(crate) struct Answer {
    pub(crate) text: String,
    pub(crate) document: Value,
    pub(crate) exit_code: u8,
}

impl Answer {
    /// A success.
    pub(crate) fn new(text: impl Into<String>, document: &impl Serialize) -> Self {
        Self { text: text.into(), document: to_value(document), exit_code: 0 }
    }

    /// A success whose text is its document.
    pub(crate) fn json(document: &impl Serialize) -> Self {
        let document = to_value(document);
        Self { text: format!("{document:#}\n"), document, exit_code: 0 }
    }
}

fn to_value(document: &impl Serialize) -> Value {
    serde_json::to_value(document).expect("documents have text keys and serialise without fail")
}

/// `text` in `style`. Styles are taken out again where the stream is no terminal.
pub(crate) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Standard output and standard error.
#[derive(Clone)]
pub(crate) struct Output {
    format: Format,
    log_format: Format,
    is_live: bool,
    /// Draws the progress view; hidden until there is one.
    bars: MultiProgress,
}

impl Output {
    /// The streams of this process, used as the command line says.
    pub(crate) fn new(global: &Global) -> Self {
        let can_draw = !ProgressDrawTarget::stderr().is_hidden();
        let is_live = can_draw && global.log_format == Format::Text && !global.quiet;
        Self {
            format: global.output,
            log_format: global.log_format,
            is_live,
            bars: MultiProgress::with_draw_target(ProgressDrawTarget::hidden()),
        }
    }

    /// Whether somebody watches stderr and wants to see progress.
    pub(crate) fn is_live(&self) -> bool {
        self.is_live
    }

    /// Whether stderr shows colours.
    pub(crate) fn is_styled(&self) -> bool {
        self.log_format == Format::Text && AutoStream::choice(&io::stderr()) != ColorChoice::Never
    }

    /// Where a progress view is drawn.
    pub(crate) fn bars(&self) -> &MultiProgress {
        &self.bars
    }

    /// Where messages go that are a program's input, line by line.
    pub(crate) fn stdout() -> impl Write + Send + 'static {
        io::stdout()
    }

    /// Prints a result. Returns the exit code: the answer's, unless it could not be printed.
    pub(crate) fn answer(&self, answer: &Answer) -> u8 {
        // Said already, as messages.
        if answer.document.is_null() && answer.text.is_empty() {
            return answer.exit_code;
        }
        let printed = match self.format {
            Format::Text => {
                let mut stdout = anstream::stdout().lock();
                stdout.write_all(answer.text.as_bytes()).and_then(|()| stdout.flush())
            }
            Format::Json => {
                let mut stdout = io::stdout().lock();
                writeln!(stdout, "{}", answer.document).and_then(|()| stdout.flush())
            }
        };
        match printed {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                self.tell(&format!("{}: stdout can't be written: {error}", styled(BAD, "error")));
                if answer.exit_code == 0 { ErrorKind::Storage.exit_code() } else { answer.exit_code }
            }
            _ => answer.exit_code,
        }
    }

    /// Says why there is no result: on stderr, and as the document of a program.
    pub(crate) fn failure(&self, failure: &Failure) -> u8 {
        if let Failure::Config(error) = failure
            && self.log_format == Format::Text
        {
            let problems = error.problems().iter();
            let shown: Vec<String> =
                problems.map(|problem| format!("{}: {problem}", styled(BAD, "error"))).collect();
            self.tell(&shown.join("\n"));
        } else {
            self.error(None, &failure.report());
        }
        let exit_code = failure.exit_code();
        match self.format {
            Format::Json => {
                self.answer(&Answer { text: String::new(), document: failure.document(), exit_code })
            }
            Format::Text => exit_code,
        }
    }

    /// Says what failed, for `subject` where it is not the command as a whole.
    pub(crate) fn error(&self, subject: Option<&str>, error: &ErrorReport) {
        match self.log_format {
            Format::Text => self.tell(&error_text(subject, error)),
            Format::Json => tracing::error!(
                subject,
                kind = error.kind,
                hint = error.hint,
                causes = (!error.causes.is_empty()).then(|| error.causes.join(": ")),
                context = (!error.context.is_empty()).then(|| context_text(error)),
                "{}",
                error.message
            ),
        }
    }

    /// Says what to look at.
    pub(crate) fn warn(&self, subject: &str, note: &str) {
        match self.log_format {
            Format::Text => self.tell(&format!("{}: {subject}: {note}", styled(WARNING, "warning"))),
            Format::Json => tracing::warn!(subject, "{note}"),
        }
    }

    /// Asks a person. `None` where there is nobody to ask.
    pub(crate) fn ask(&self, question: &str) -> Option<bool> {
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return None;
        }
        self.bars.suspend(|| {
            let mut stderr = anstream::stderr().lock();
            let _ = write!(stderr, "{question} [y/N] ").and_then(|()| stderr.flush());
        });
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line).ok()?;
        Some(matches!(line.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// Prints lines on stderr.
    pub(crate) fn tell(&self, text: &str) {
        // Nobody can be told that stderr is gone.
        self.bars.suspend(|| {
            let _ = writeln!(anstream::stderr().lock(), "{}", text.trim_end());
        });
    }

    /// Prints a line of the log.
    pub(crate) fn log_line(&self, line: &[u8]) {
        self.bars.suspend(|| {
            let _ = io::stderr().lock().write_all(line);
        });
    }
}

/// An error with its place, its causes and what to do.
pub(crate) fn error_text(subject: Option<&str>, error: &ErrorReport) -> String {
    let mut text = format!("{}: ", styled(BAD, "error"));
    if let Some(subject) = subject {
        let _ = write!(text, "{subject}: ");
    }
    text.push_str(&error_lines(subject, error));
    text
}

/// An error without its heading.
pub(crate) fn error_lines(subject: Option<&str>, error: &ErrorReport) -> String {
    let mut text = human::plain(&error.message);
    let context: Vec<String> = error
        .context
        .iter()
        // What the message or the subject says already.
        .filter(|(_, value)| Some(value.as_str()) != subject && !error.message.contains(value.as_str()))
        .map(|(key, value)| format!("{key} {value:?}"))
        .collect();
    if !context.is_empty() {
        let _ = write!(text, " ({})", context.join(", "));
    }
    // A message often ends with its cause.
    for cause in error.causes.iter().filter(|cause| !error.message.contains(cause.as_str())) {
        let _ = write!(text, "\n  {} {}", styled(FAINT, "caused by:"), human::plain(cause));
    }
    if let Some(hint) = &error.hint {
        let _ = write!(text, "\n  {} {}", styled(FAINT, "hint:"), human::plain(hint));
    }
    text
}

fn context_text(error: &ErrorReport) -> String {
    error.context.iter().map(|(key, value)| format!("{key} {value:?}")).collect::<Vec<_>>().join(", ")
}
