//! The kit for HTTP sources against servers that do what servers do, and what they should not.

#![allow(
    clippy::unwrap_used,
    clippy::field_reassign_with_default,
    clippy::large_stack_arrays,
    reason = "a test that can't go on ends"
)]

mod body;
mod example;
mod exchange;
mod listing;
mod redirect;
mod request;
mod server;
mod token;
mod transport;
mod version;

/// As it stands in the folder of examples.
#[path = "../../examples/shop.rs"]
pub mod shop;

use connectors::http::{Client, Options};
use protocol::{ByteSize, Error, Period};
use std::time::Duration;

/// Options that do not wait long, whatever proxies the environment knows.
fn options() -> Options {
    let mut options = Options::default();
    options.idle_timeout = Period::from(Duration::from_millis(1500));
    options.max_body = ByteSize::mib(8);
    options
}

fn client() -> Client {
    Client::new(&options()).unwrap()
}

/// All that an error shows to anybody.
fn shown(error: &Error) -> String {
    format!("{error:?} {error:#} {}", error.advice().unwrap_or_default())
}
