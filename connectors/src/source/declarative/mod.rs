//! The language of declarative manifests: how they are loaded, what their expressions mean, how they write time.

mod clock;
mod literal;
pub mod manifest;
mod moment;
mod number;
pub mod template;
mod value;

pub use clock::Clock;
pub use moment::{DatetimeFormat, Duration};
pub use value::{Map, Value};
