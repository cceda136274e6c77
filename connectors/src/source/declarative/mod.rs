//! The language of declarative manifests: how they are loaded, what their expressions mean, how they write time.

pub mod auth;
mod clock;
mod component;
pub mod config;
pub mod cursor;
pub mod decode;
pub mod fault;
pub mod job;
mod literal;
pub mod manifest;
mod moment;
mod number;
mod page;
pub mod partition;
pub mod record;
pub mod request;
pub mod schema;
mod scope;
mod state;
pub mod stream;
pub mod template;
mod value;

pub use clock::Clock;
pub use component::Component;
pub use moment::{DatetimeFormat, Duration};
pub use scope::Scope;
pub use value::{Map, Value};
