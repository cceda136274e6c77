//! What a sync meets that it should not: mistakes of people, failing parts, crashes. Of each: the exit
//! code, what is said, and that nothing is lost.

mod answers;
mod configuration;
mod crash;
mod disk;
mod manifest;
mod refusal;
mod rivals;
mod secret;
mod server;
mod signals;
mod source;
mod store;
mod works;
