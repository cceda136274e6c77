//! Every order of the steps of two syncs and a clean-up, with crashes and lost answers.
//!
//! `cargo test -p tidegate-model -- --ignored --nocapture` explores larger worlds: half an hour and some
//! gigabytes of memory.

use std::time::Instant;

use model::{Flaw, Protocol};
use stateright::{Checker, HasDiscoveries, Model};

/// Two syncs that append.
fn appends() -> Protocol {
    Protocol { flaw: None, overwrites: [false, false], batches: 1, rows: 2, crashes: 1, losses: 1 }
}

/// Tries everything.
#[track_caller]
fn explore(name: &str, protocol: Protocol) {
    let begin = Instant::now();
    let checker = protocol.checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    eprintln!(
        "{name}: {} states, {} steps, {} at most in a row, {:.1?}",
        checker.unique_state_count(),
        checker.state_count(),
        checker.max_depth(),
        begin.elapsed()
    );
}

/// Fails unless the flaw is found, and unless it breaks that property.
#[track_caller]
fn finds(flaw: Flaw, broken: &'static str, protocol: &Protocol) {
    let wanted = HasDiscoveries::AnyOf([broken].into());
    let checker =
        Protocol { flaw: Some(flaw), ..protocol.clone() }.checker().finish_when(wanted).spawn_bfs().join();
    let path = checker.assert_any_discovery(broken);
    eprintln!("{flaw:?}: {broken:?} is broken after {:?}", path.into_actions());
}

#[test]
fn two_syncs_that_append_lose_and_double_nothing() {
    explore("appends", appends());
}

#[test]
fn syncs_of_several_commits_lose_and_double_nothing() {
    explore("several commits", Protocol { batches: 2, rows: 3, losses: 0, ..appends() });
}

#[test]
fn a_refresh_and_an_increment_lose_and_double_nothing() {
    explore("refresh and increment", Protocol { overwrites: [true, false], ..appends() });
}

#[test]
fn two_refreshes_lose_and_double_nothing() {
    explore("refreshes", Protocol { overwrites: [true, true], ..appends() });
}

#[test]
#[ignore = "minutes"]
fn larger_worlds_lose_and_double_nothing() {
    explore("several commits and a lost answer", Protocol { batches: 2, rows: 3, ..appends() });
    explore("two lost answers", Protocol { losses: 2, ..appends() });
    explore("two crashes", Protocol { crashes: 2, ..appends() });
    explore("a refresh and two crashes", Protocol { crashes: 2, overwrites: [true, false], ..appends() });
}

#[test]
fn each_flaw_is_found() {
    finds(Flaw::UnconditionalPut, "no number is used twice", &appends());
    finds(Flaw::UnconditionalPut, "every visible file is in one commit", &appends());
    finds(Flaw::NoRollForward, "all of a commit is done before the next one", &appends());
    finds(Flaw::EagerCleanUp, "no committed file is lost", &appends());
    finds(Flaw::CleanUpByNumber, "no committed file is lost", &Protocol { batches: 2, ..appends() });
    finds(Flaw::ForgottenDoubt, "no committed file is lost", &appends());
    finds(Flaw::StateApart, "each row of a state is in its files, once", &appends());
}
