//! Native types, the Arrow fields they are delivered as, and how each selected column is read.
//!
//! | PostgreSQL | Arrow |
//! |---|---|
//! | `bool`, `int2`, `int4`, `int8`, `oid`, `float4`, `float8` | the type of that width; `oid` `UInt32` |
//! | `numeric(p,s)` up to 76 digits | `Decimal128` up to 38, else `Decimal256` |
//! | other `numeric` | `Utf8`, or the decimal that is requested |
//! | `text`, `varchar`, `bpchar`, `citext`, `name`, `"char"`, enums | `Utf8` |
//! | `bytea`; `uuid`; `json`, `jsonb` | `Binary`; `FixedSizeBinary(16)` + `arrow.uuid`; `Utf8` + `arrow.json` |
//! | `date`; `time`; `timestamp`; `timestamptz` | `Date32`; `Time64(µs)`; `Timestamp(µs)`; `Timestamp(µs, UTC)` |
//! | arrays; composites; `hstore` | `List`; `Struct`; `Map` |
//! | domains | as what they are a domain of |
//! | everything else | `Utf8`, cast to text by the server |
//!
//! A composite that holds anything of the last line, or has no attributes, is text as a whole; an
//! array of such elements is a list of their texts. `bpchar` keeps its padding, as it is printed.

mod codec;
mod column;
mod field;
mod native;
mod numeric;
mod oid;

pub use codec::Codec;
pub use column::Column;
pub use field::arrow_field;
pub use native::{NativeType, TypeKind};
