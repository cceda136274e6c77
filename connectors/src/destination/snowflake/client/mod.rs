//! The session with Snowflake: who we are, login, tokens, statements, transactions. Knows nothing of
//! tables and of what is loaded.

mod account;
mod answer;
mod host;
mod http;
mod identity;
mod jwt;
mod key;
mod login;
mod pace;
mod query;
mod refusal;
mod reply;
mod rows;
mod service;
mod session;
mod statement;
mod tag;
mod target;
#[cfg(test)]
mod tests;
mod transaction;

pub(super) use self::account::Account;
pub(super) use self::answer::{Answer, Changed, Column};
pub(super) use self::session::Session;
pub(super) use self::statement::{Binding, Statement};
pub(super) use self::tag::QueryTag;
pub(super) use self::target::{
    Credentials, Direction, EncryptionMaterial, Place, RemoteFile, Store, UploadTarget,
};
pub(super) use self::transaction::{Outcome, Transaction};
