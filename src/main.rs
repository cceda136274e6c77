//! The command line of tidegate: arguments in, one result and an exit code out.

mod args;
mod command;
mod config;
mod failure;
mod human;
mod log;
mod output;
mod progress;
mod signal;
mod version;

use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use clap::error::ErrorKind as Misuse;
use clap::{CommandFactory, Parser};
use protocol::Error;
use tokio::runtime::Builder;

use args::{Arguments, Format, Global, Sync, Verb};
use command::{Context, Messages};
use config::Config;
use failure::{Failure, USAGE};
use output::{Answer, Output};
use signal::Signals;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(misuse) => return ExitCode::from(misused(&misuse)),
    };
    let output = Output::new(&arguments.global);
    let Some(verb) = arguments.verb.as_ref().filter(|_| !arguments.version) else {
        return ExitCode::from(without_verb(&arguments, &output));
    };
    let run = || match verb {
        verb if command::is_local(verb) => command::run_local(verb),
        verb => run(verb, &arguments.global, &output),
    };
    // A bug gets its exit code and its document like any other failure.
    let result = panic::catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        let bug = Error::internal("tidegate came upon a bug in itself and stopped");
        Err(bug.hint("what is committed is committed, and running it again is safe; please report it").into())
    });
    ExitCode::from(match result {
        Ok(answer) => output.answer(&answer),
        Err(failure) => output.failure(&failure),
    })
}

/// Answers `--version`, or says which verbs there are.
fn without_verb(arguments: &Arguments, output: &Output) -> u8 {
    if arguments.version {
        return output.answer(&Answer::new(version::VERSION.text(), &version::VERSION));
    }
    output.tell(&Arguments::command().render_help().ansi().to_string());
    USAGE
}

/// Carries out a verb that needs the log, signals and the runtime.
fn run(verb: &Verb, global: &Global, output: &Output) -> Result<Answer, Failure> {
    let is_live = output.is_live() && matches!(verb, Verb::Sync(_));
    let messages = if let Verb::Airbyte(verb) = verb {
        let messages = Messages::new(Output::stdout(), global.now);
        log::start_messages(global, verb.source().debug, &messages)?;
        Some(messages)
    } else {
        log::start(global, output, is_live)?;
        None
    };
    let runtime = runtime_for(verb, global)
        .enable_all()
        .build()
        .map_err(|error| Error::internal("the runtime can't be started").with_source(error))?;
    let result = runtime.block_on(async {
        let signals = Signals::listen()?;
        let context = Context { global: global.clone(), output: output.clone(), signals, messages };
        command::run(verb, &context).await
    });
    // Whatever still runs belongs to work that was given up.
    runtime.shutdown_background();
    result
}

/// One thread for what reads a manifest: its records are many small values, and where one thread makes what another
/// lets go, both wait for the allocator more than they work (benches/results/2026-11-23-manifest.md). Lanes have
/// threads of their own.
fn runtime_for(verb: &Verb, global: &Global) -> Builder {
    let is_of_manifest = |sync: &Sync| {
        let config = Config::load(global.config.as_deref()).ok();
        config.is_some_and(|config| config.type_of_source(sync.connection.as_deref()) == Some("manifest"))
    };
    match verb {
        Verb::Airbyte(verb) if verb.source().is_manifest() => Builder::new_current_thread(),
        Verb::Sync(sync) if is_of_manifest(sync) => {
            let mut builder = Builder::new_multi_thread();
            builder.worker_threads(1);
            builder
        }
        _ => Builder::new_multi_thread(),
    }
}

/// Answers arguments that can't be understood, and requests for help.
fn misused(misuse: &clap::Error) -> u8 {
    // Nobody is left to be told where even this can't be printed.
    let _ = misuse.print();
    if matches!(misuse.kind(), Misuse::DisplayHelp | Misuse::DisplayVersion) {
        return 0;
    }
    if asks_for_json(std::env::args_os().skip(1)) {
        let text = misuse.to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        let global = Global {
            config: None,
            output: Format::Json,
            log_format: Format::Text,
            log: None,
            verbose: 0,
            quiet: true,
            now: None,
        };
        let document = Failure::usage(message).document();
        Output::new(&global).answer(&Answer { text: String::new(), document, exit_code: USAGE });
    }
    USAGE
}

/// Whether arguments that could not be parsed ask for a document all the same.
fn asks_for_json(arguments: impl Iterator<Item = OsString>) -> bool {
    let arguments: Vec<String> = arguments.map(|argument| argument.to_string_lossy().into_owned()).collect();
    let is_pair = |pair: &[String]| matches!(pair[0].as_str(), "-o" | "--output") && pair[1] == "json";
    arguments.windows(2).any(is_pair)
        || arguments
            .iter()
            .any(|argument| matches!(argument.as_str(), "--output=json" | "-ojson" | "-o=json"))
}
