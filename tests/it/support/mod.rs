//! What several folders of tests share.

mod cable;
mod lake;
mod ledger;
mod process;
mod project;
mod proxy;
mod schema;
mod until;

pub(crate) use cable::{Break, Cable, Side};
pub(crate) use lake::{Files, Lake, differences};
pub(crate) use ledger::Ledger;
pub(crate) use process::Running;
pub(crate) use project::Project;
pub(crate) use proxy::{Fate, Gate, Proxy, Request};
pub(crate) use schema::violations;
pub(crate) use until::{until, until_true};
