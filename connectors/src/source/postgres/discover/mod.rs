//! What there is to read: catalog queries, as [`Relation`]s and as [`protocol::Stream`]s.

mod name;
mod relation;

pub(crate) use relation::{Index, Leaf, Relation, RelationColumn};

use protocol::{Result, Stream, StreamFilter};

use super::connect::Client;

/// The table of that stream name, as it is now. Several catalog queries: inside a transaction they
/// see one state of the catalogs.
///
/// Fails with [`Config`](protocol::ErrorKind::Config) where there is none, with near names as a hint,
/// and with [`Auth`](protocol::ErrorKind::Auth) where the role lacks a right, with the GRANT to run.
pub(crate) async fn relation(client: &Client, stream_name: &str) -> Result<Relation> {
    unimplemented!()
}

/// All tables that `filter` asks for, of `schemas` if given, and that the role can read something of.
pub(crate) async fn relations(
    client: &Client,
    filter: &StreamFilter,
    schemas: Option<&[String]>,
) -> Result<Vec<Relation>> {
    unimplemented!()
}

/// What the engine needs to know of it.
pub(crate) fn stream(relation: &Relation) -> Stream {
    unimplemented!()
}
