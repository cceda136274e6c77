//! The stand-in for Snowflake: official drivers work with it, it keeps to the service's rules where fakesnow
//! does not, and it fails where it is told to.

mod client;
mod driver;
mod fault;
mod login;
mod rule;
