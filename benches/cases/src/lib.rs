//! What the benches measure by the clock and the guard counts: the same each time, on every machine.

mod batches;
mod copied;
mod cursor;
mod encoded;
mod kind;
mod random;
mod wire;

pub use batches::{BATCH_ROWS, lineitem_batch, payments_batch};
pub use copied::Copied;
pub use cursor::Cursor;
pub use encoded::Encoded;
pub use kind::Kind;
pub use random::Random;
