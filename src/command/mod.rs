//! The verbs, one file each: they call the engine and say what it did. None prints.

mod airbyte;
mod bench;
mod check;
mod commit;
mod completions;
mod discover;
mod document;
mod init;
mod plan;
mod read;
mod reconcile;
mod repair;
mod schema;
mod session;
mod spec;
mod state;
mod summary;
mod sync;
mod verify;

pub(crate) use airbyte::Messages;

use crate::args::{Global, State, Verb};
use crate::config::Config;
use crate::failure::Failure;
use crate::output::{Answer, Output};
use crate::signal::Signals;

/// What every verb works with.
pub(crate) struct Context {
    pub(crate) global: Global,
    pub(crate) output: Output,
    pub(crate) signals: Signals,
    /// Where messages of Airbyte's protocol go, for the verb that speaks it.
    pub(crate) messages: Option<Messages>,
}

impl Context {
    /// Reads the configuration that the command line names.
    fn config(&self) -> Result<Config, Failure> {
        Ok(Config::load(self.global.config.as_deref())?.at(self.global.now))
    }
}

/// Whether a verb works without reaching anything.
pub(crate) fn is_local(verb: &Verb) -> bool {
    matches!(verb, Verb::Init(_) | Verb::Spec(_) | Verb::Schema(_) | Verb::Completions(_))
}

/// Carries out a verb that reaches nothing.
pub(crate) fn run_local(verb: &Verb) -> Result<Answer, Failure> {
    match verb {
        Verb::Init(arguments) => init::run(arguments),
        Verb::Spec(arguments) => spec::run(arguments),
        Verb::Schema(arguments) => Ok(schema::run(arguments)),
        Verb::Completions(arguments) => Ok(completions::run(arguments)),
        _ => Err(Failure::usage("this verb needs the network")),
    }
}

/// Carries out a verb.
pub(crate) async fn run(verb: &Verb, context: &Context) -> Result<Answer, Failure> {
    let signals = context.signals.clone();
    match verb {
        Verb::Check(arguments) => signals.or(check::run(arguments, context)).await,
        Verb::Discover(arguments) => signals.or(discover::run(arguments, context)).await,
        Verb::Plan(arguments) => signals.or(plan::run(arguments, context)).await,
        Verb::Sync(arguments) => sync::run(arguments, context).await,
        Verb::Read(arguments) => signals.or(read::run(arguments, context)).await,
        Verb::Commit(arguments) => signals.after(commit::run(arguments, context)).await,
        Verb::Reconcile(arguments) => signals.or(reconcile::run(arguments, context)).await,
        Verb::Bench(arguments) => bench::run(arguments, context).await,
        Verb::Verify(arguments) => signals.or(verify::run(arguments, context)).await,
        Verb::State(State::Show(which)) => signals.or(state::show(which, context)).await,
        Verb::State(State::Export(which)) => signals.or(state::export(which, context)).await,
        Verb::State(State::Import(arguments)) => signals.or(state::import(arguments, context)).await,
        Verb::State(State::Reset(arguments)) => signals.or(state::reset(arguments, context)).await,
        Verb::State(State::Repair(arguments)) => signals.or(repair::run(arguments, context)).await,
        Verb::Airbyte(verb) => airbyte::run(verb, context).await,
        Verb::Init(_) | Verb::Spec(_) | Verb::Schema(_) | Verb::Completions(_) => run_local(verb),
    }
}
