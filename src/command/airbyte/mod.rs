//! `tidegate airbyte`: Airbyte's protocol on stdout, for manifests and for any source of tidegate's.
//!
//! Options, messages and exit codes are those of Airbyte's `source-declarative-manifest`: who runs that today runs
//! this instead. What fails is said in a message; the exit code is 1.

mod input;
mod manifest;
mod messages;
mod record;
mod row;
mod sink;
mod source;

use protocol::{Error, ErrorKind};
use serde_json::Value;

use super::Context;
use crate::args::{Airbyte, AirbyteSource};
use crate::failure::Failure;
use crate::output::Answer;

pub(crate) use messages::Messages;

/// Exit code for all that fails.
const FAILED: u8 = 1;

/// Whether all went well.
type Outcome = Result<bool, Error>;

pub(super) async fn run(verb: &Airbyte, context: &Context) -> Result<Answer, Failure> {
    let Some(messages) = &context.messages else {
        return Err(Error::internal("there is nobody to take the messages").into());
    };
    let which = verb.source();
    if which.components_path.is_some() {
        messages.log("WARN", "Python components are not run: streams that need them fail");
    }
    let work = async {
        let is_native = which.source.is_some() || which.connector.is_some();
        let done = if is_native {
            source::run(verb, context, messages).await
        } else {
            manifest::run(verb, context, messages).await
        };
        Ok(done)
    };
    let outcome = context.signals.or(work).await.unwrap_or_else(|failure| match failure {
        Failure::Error(error) => Err(error),
        other => Err(Error::config(other.report().message)),
    });
    let is_done = outcome.unwrap_or_else(|error| {
        tell(messages, None, &error);
        false
    });
    // A reader that is gone is no failure of ours; what it did not read is.
    let exit_code = if messages.flush().is_ok() && is_done { 0 } else { FAILED };
    Ok(Answer { text: String::new(), document: Value::Null, exit_code })
}

/// Says what failed, for people and as a trace.
fn tell(messages: &Messages, stream: Option<&str>, error: &Error) {
    let message = error.advice().map_or_else(|| error.to_string(), |advice| format!("{error}; {advice}"));
    let level = if stream.is_none() { "FATAL" } else { "ERROR" };
    messages.log(level, &format!("{error:#}"));
    messages.error(stream, &message, &format!("{error:#}"), error.kind());
}

/// That streams failed, at the end of all.
fn tell_failed(messages: &Messages, failed: &[(String, Error)]) {
    let said: Vec<String> = failed.iter().map(|(stream, error)| format!("{stream}: {error}")).collect();
    let message =
        format!("During the sync, the following streams did not sync successfully: {}", said.join("\n"));
    messages.log("FATAL", &message);
    messages.error(None, &message, &message, ErrorKind::Config);
}

/// The file that `--config` names.
fn config_path<'a>(which: &AirbyteSource, context: &'a Context) -> Result<&'a std::path::Path, Error> {
    let _ = which;
    context.global.config.as_deref().ok_or_else(|| {
        Error::config("`--config` is missing").hint("it names Airbyte's configuration, a JSON file")
    })
}
