//! The language of declarative manifests: how they are loaded, what their expressions mean, how they write time.

mod clock;
mod component;
pub mod decode;
mod literal;
pub mod manifest;
mod moment;
mod number;
pub mod record;
pub mod schema;
mod scope;
pub mod template;
mod value;

pub use clock::Clock;
pub use component::Component;
pub use moment::{DatetimeFormat, Duration};
pub use scope::Scope;
pub use value::{Map, Value};
