//! What there is to read: catalog queries, as [`Relation`]s and as [`protocol::Stream`]s.

mod catalog;
mod cursor;
mod missing;
mod name;
mod relation;
mod types;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use arrow_schema::Schema;
use futures::try_join;
use protocol::{Result, Stream, StreamFilter, StreamKind};

pub(crate) use relation::{Index, Leaf, Relation, RelationColumn};

use self::catalog::{Attribute, Class, IndexRow, LeafRow, Sought};
use self::types::Types;
use super::alone::Blind;
use super::connect::Client;
use super::types::arrow_field;

/// The table of that stream name, as it is now; partitions and tables of extensions too. Several
/// catalog queries: inside a transaction they see one state of the catalogs.
///
/// Fails with [`Config`](protocol::ErrorKind::Config) where there is none, with near names as a hint,
/// and with [`Auth`](protocol::ErrorKind::Auth) where the role lacks a right, with the GRANT to run.
pub(crate) async fn relation(client: &Client, stream_name: &str) -> Result<Relation> {
    let (schema, name) = name::parse(stream_name)?;
    let classes = catalog::classes(client, &Sought::One(&schema, &name)).await?;
    let found = classes.first().filter(|class| class.kind.is_ok() && class.rights.can_read());
    let relation = match found {
        Some(class) => described(client, &[class], true).await?.pop(),
        None => None,
    };
    match relation {
        Some(relation) => Ok(relation),
        None => Err(missing::explain(client, stream_name, classes.first()).await?),
    }
}

/// All tables that `filter` asks for, of `schemas` if given, and that the role can read something of.
/// Partitions and tables of extensions only where the filter has their very name.
pub(crate) async fn relations(
    client: &Client,
    filter: &StreamFilter,
    schemas: Option<&[String]>,
) -> Result<Vec<Relation>> {
    let classes = catalog::classes(client, &Sought::All(schemas)).await?;
    let wanted = |class: &&Class| {
        let name = name::stream_name(&class.schema, &class.name);
        let is_meant = !class.is_hidden || filter.patterns.contains(&name);
        class.rights.can_read() && filter.matches(&name) && is_meant
    };
    let wanted: Vec<&Class> = classes.iter().filter(wanted).collect();
    described(client, &wanted, false).await
}

/// How many tables there are that the role can read something of, and how many that it can't.
pub(crate) async fn count(client: &Client, schemas: Option<&[String]>) -> Result<(usize, usize)> {
    let mut classes = catalog::classes(client, &Sought::All(schemas)).await?;
    classes.retain(|class| !class.is_hidden);
    let readable = classes.iter().filter(|class| class.rights.can_read()).count();
    Ok((readable, classes.len() - readable))
}

/// What the engine needs to know of it.
pub(crate) fn stream(relation: &Relation, blind: Option<Blind>) -> Stream {
    let field = |column: &RelationColumn| {
        let mut field = arrow_field(&column.name, &column.native, !column.not_null);
        if let Some(comment) = &column.comment {
            field.metadata_mut().insert(Stream::COMMENT.to_owned(), comment.clone());
        }
        field
    };
    let mut stream = Stream::new(relation.stream_name());
    stream.kind = relation.kind;
    stream.schema = Arc::new(Schema::new(relation.columns.iter().map(field).collect::<Vec<_>>()));
    stream.primary_key.clone_from(&relation.primary_key);
    stream.comment.clone_from(&relation.comment);
    stream.estimated_rows = relation.estimated_rows;
    stream.estimated_bytes = relation.bytes;
    stream.cursors = cursor::candidates(relation, blind);
    stream
}

/// All about these tables, in their order. With `exact` sizes are as they are now, which needs a
/// lock on each table for a moment; else as the last ANALYZE counted them.
async fn described(client: &Client, classes: &[&Class], exact: bool) -> Result<Vec<Relation>> {
    if classes.is_empty() {
        return Ok(Vec::new());
    }
    let oids = catalog::oids(classes);
    let (attributes, types, leaves) = try_join!(
        catalog::attributes(client, classes),
        Types::of(client, &oids),
        catalog::leaves(client, &oids, exact)
    )?;
    let mut tables: Vec<u32> = oids.iter().copied().chain(leaves.iter().map(|leaf| leaf.oid)).collect();
    tables.sort_unstable();
    tables.dedup();
    let indexes = grouped(catalog::indexes(client, &tables).await?, |index| index.relation);
    let mut attributes = grouped(attributes, |attribute| attribute.relation);
    let mut leaves = grouped(leaves, |leaf| leaf.root);
    let relations = classes.iter().map(|class| {
        let attributes = attributes.remove(&class.oid).unwrap_or_default();
        let leaves = leaves.remove(&class.oid).unwrap_or_default();
        assemble(class, attributes, leaves, &indexes, &types)
    });
    // A table that was dropped meanwhile has no columns left, or no kind.
    relations.filter_map(Result::transpose).collect()
}

fn grouped<K: Eq + Hash, T>(rows: Vec<T>, key: impl Fn(&T) -> K) -> HashMap<K, Vec<T>> {
    let mut groups: HashMap<K, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(key(&row)).or_default().push(row);
    }
    groups
}

fn assemble(
    class: &Class,
    attributes: Vec<Attribute>,
    leaves: Vec<LeafRow>,
    indexes: &HashMap<u32, Vec<IndexRow>>,
    types: &Types,
) -> Result<Option<Relation>> {
    let Ok(kind) = class.kind else { return Ok(None) };
    // An heir may lack what its parent demands.
    let strict = kind == StreamKind::PartitionedTable || leaves.len() < 2;
    let columns = attributes.into_iter().map(|attribute| {
        Ok(RelationColumn {
            native: types.native(attribute.type_oid, attribute.modifier)?,
            number: attribute.number,
            name: attribute.name,
            not_null: attribute.not_null && strict,
            comment: attribute.comment,
        })
    });
    let columns: Vec<RelationColumn> = columns.collect::<Result<_>>()?;
    let own = indexes.get(&class.oid).map(Vec::as_slice).unwrap_or_default();
    Ok(Some(Relation {
        oid: class.oid,
        kind,
        schema: class.schema.clone(),
        name: class.name.clone(),
        primary_key: primary_key(own, &columns),
        indexes: usable_indexes(class.oid, &leaves, indexes),
        estimated_rows: match kind {
            StreamKind::Table if leaves.len() == 1 => leaves[0].estimated_rows,
            StreamKind::Table | StreamKind::PartitionedTable => {
                known_sum(&leaves, |leaf| leaf.estimated_rows)
            }
            _ => class.estimated_rows,
        },
        bytes: known_sum(&leaves, |leaf| Some(leaf.bytes)),
        leaves: leaves.into_iter().map(Leaf::from).collect(),
        columns,
        whole: class.rights.whole,
        row_security: class.row_security,
        comment: class.comment.clone(),
    }))
}

/// The sum of what is known; `None` where nothing is.
fn known_sum(leaves: &[LeafRow], value: impl Fn(&LeafRow) -> Option<u64>) -> Option<u64> {
    leaves.iter().filter_map(value).reduce(u64::saturating_add)
}

/// The columns of the primary key, or of the index that its owner chose to identify rows.
fn primary_key(indexes: &[IndexRow], columns: &[RelationColumn]) -> Vec<String> {
    let key = indexes.iter().find(|index| index.is_primary);
    let Some(key) = key.or_else(|| indexes.iter().find(|index| index.is_identity)) else {
        return Vec::new();
    };
    let names = key.columns.iter().map(|number| column_name(columns, *number));
    // Without the right to read all of it there is no key.
    names.collect::<Option<_>>().unwrap_or_default()
}

/// Indexes that a range can use: those of the table itself, or of its first leaf if all leaves have
/// the like.
fn usable_indexes(oid: u32, leaves: &[LeafRow], indexes: &HashMap<u32, Vec<IndexRow>>) -> Vec<Index> {
    let of = |oid: u32| {
        let usable = |index: &&IndexRow| matches!(index.method.as_str(), "btree" | "brin");
        indexes.get(&oid).into_iter().flatten().filter(usable)
    };
    let is_led_by =
        |leaf: &LeafRow, name: &str| of(leaf.oid).any(|index| index.leading.as_deref() == Some(name));
    let mut found: Vec<Index> = Vec::new();
    for index in of(leaves.first().map_or(oid, |leaf| leaf.oid)) {
        let Some(leading) = index.leading.clone() else { continue };
        if !leaves.iter().skip(1).all(|leaf| is_led_by(leaf, &leading)) {
            continue;
        }
        let index = Index { leading, columns: index.columns.len(), method: index.method.clone() };
        if !found.contains(&index) {
            found.push(index);
        }
    }
    found
}

fn column_name(columns: &[RelationColumn], number: i16) -> Option<String> {
    columns.iter().find(|column| column.number == number).map(|column| column.name.clone())
}

impl From<LeafRow> for Leaf {
    fn from(row: LeafRow) -> Self {
        Self {
            oid: row.oid,
            schema: row.schema,
            name: row.name,
            kind: row.kind,
            access_method: row.method,
            pages: row.pages,
            bytes: row.bytes,
            readable: row.readable,
            file: row.file,
        }
    }
}
