//! What a sync meets that it should not: mistakes of people, failing parts, crashes. Of each: the exit
//! code, what is said, and that nothing is lost.

mod answers;
mod clock;
mod configuration;
mod crash;
mod disk;
mod http;
mod limit;
mod line;
mod manifest;
mod refusal;
mod request;
mod resume;
mod rivals;
mod secret;
mod server;
mod session;
mod signals;
mod source;
mod store;
mod works;
