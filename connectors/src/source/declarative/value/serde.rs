//! Values from whatever serde reads.
