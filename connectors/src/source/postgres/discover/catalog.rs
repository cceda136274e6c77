//! What `pg_class` and its kin say: queries, and rows as values. Each query is for many tables.
//!
//! Only built-in types appear in the answers, so that the driver asks nothing in between.

use protocol::{Error, Result, StreamKind};
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, ToSql, Type};

use crate::source::postgres::connect::Client;
use crate::source::postgres::error::failed;

/// A row of `pg_class`.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    /// Of a kind that has rows; else what it is instead.
    pub(super) kind: Result<StreamKind, &'static str>,
    /// Whether it is a part of another table, or an extension made it.
    pub(super) is_hidden: bool,
    pub(super) rights: Rights,
    pub(super) row_security: bool,
    pub(super) estimated_rows: Option<u64>,
    pub(super) comment: Option<String>,
}

/// What the role may do with a table.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rights {
    /// Use its schema.
    pub(super) schema: bool,
    /// Read all its columns, system columns included.
    pub(super) whole: bool,
    /// Read some column.
    pub(super) some: bool,
}

impl Rights {
    /// Whether anything can be read.
    pub(super) fn can_read(self) -> bool {
        self.schema && self.some
    }
}

/// Which tables to look for.
pub(super) enum Sought<'a> {
    /// Those of users, in these schemas if given.
    All(Option<&'a [String]>),
    /// The one of this schema and name.
    One(&'a str, &'a str),
}

/// Not of PostgreSQL itself, and yet nobody's data: blocks of hypertables are read through these.
const HIDDEN_SCHEMAS: [&str; 2] = ["information_schema", "_timescaledb_internal"];

const CLASSES: &str = "\
    SELECT c.oid, n.nspname, c.relname, c.relkind::text, c.relispartition, c.reltuples, c.relpages, \
        has_schema_privilege(n.oid, 'USAGE'), has_table_privilege(c.oid, 'SELECT'), \
        has_any_column_privilege(c.oid, 'SELECT'), \
        CASE WHEN c.relrowsecurity THEN row_security_active(c.oid) ELSE false END, d.description, \
        x.objid IS NOT NULL \
    FROM pg_catalog.pg_class c \
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    LEFT JOIN pg_catalog.pg_description d \
        ON d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = c.oid AND d.objsubid = 0 \
    LEFT JOIN pg_catalog.pg_depend x \
        ON x.classid = 'pg_catalog.pg_class'::regclass AND x.objid = c.oid AND x.objsubid = 0 AND x.deptype = 'e' \
    WHERE c.relpersistence <> 't' AND ";

pub(super) async fn classes(client: &Client, sought: &Sought<'_>) -> Result<Vec<Class>> {
    let rows = match sought {
        Sought::All(schemas) => {
            let sql = CLASSES.to_owned()
                + "c.relkind = ANY ('{r,p,v,m,f}') AND n.nspname !~ '^pg_' AND n.nspname <> ALL ($1) \
                   AND ($2 IS NULL OR n.nspname = ANY ($2)) \
                   ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"";
            let hidden = HIDDEN_SCHEMAS.as_slice();
            list(client, "tables", &sql, &[(&hidden, Type::TEXT_ARRAY), (schemas, Type::TEXT_ARRAY)]).await
        }
        Sought::One(schema, name) => {
            let sql = CLASSES.to_owned() + "n.nspname = $1 AND c.relname = $2";
            list(client, "tables", &sql, &[(schema, Type::TEXT), (name, Type::TEXT)]).await
        }
    }?;
    rows.iter().map(class).collect()
}

fn class(row: &Row) -> Result<Class> {
    let (tuples, pages): (f32, i32) = (get(row, 5)?, get(row, 6)?);
    let kind: String = get(row, 3)?;
    let right = |at| Ok(get::<Option<bool>>(row, at)?.unwrap_or(false));
    Ok(Class {
        oid: get(row, 0)?,
        schema: get(row, 1)?,
        name: get(row, 2)?,
        kind: kind_of(&kind),
        is_hidden: get(row, 4)? || get(row, 12)?,
        rights: Rights { schema: right(7)?, whole: right(8)?, some: right(9)? },
        row_security: right(10)?,
        comment: get(row, 11)?,
        estimated_rows: rows_of(tuples, pages),
    })
}

fn kind_of(relkind: &str) -> Result<StreamKind, &'static str> {
    Ok(match relkind {
        "r" => StreamKind::Table,
        "p" => StreamKind::PartitionedTable,
        "v" => StreamKind::View,
        "m" => StreamKind::MaterializedView,
        "f" => StreamKind::ForeignTable,
        "i" | "I" => return Err("an index"),
        "S" => return Err("a sequence"),
        "c" => return Err("a type"),
        "t" => return Err("the out-of-line storage of a table"),
        _ => return Err("no table"),
    })
}

/// The estimate of the last ANALYZE; before the first it is -1, or 0 in 0 blocks before version 14.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, not below 0")]
fn rows_of(tuples: f32, pages: i32) -> Option<u64> {
    (tuples > 0.0 || (tuples == 0.0 && pages > 0)).then_some(tuples as u64)
}

/// A row of `pg_attribute`.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) relation: u32,
    pub(super) number: i16,
    pub(super) name: String,
    pub(super) type_oid: u32,
    pub(super) modifier: i32,
    pub(super) not_null: bool,
    pub(super) comment: Option<String>,
}

/// Since version 18 a column can be NOT NULL while rows from before still hold NULLs.
const ATTRIBUTES: &str = "\
    SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.atttypmod, \
        a.attnotnull AND k.conrelid IS NULL, d.description \
    FROM unnest($1::oid[], $2::bool[]) AS r (oid, whole) \
    JOIN pg_catalog.pg_attribute a ON a.attrelid = r.oid \
    LEFT JOIN pg_catalog.pg_description d \
        ON d.classoid = 'pg_catalog.pg_class'::regclass AND d.objoid = a.attrelid AND d.objsubid = a.attnum \
    LEFT JOIN pg_catalog.pg_constraint k \
        ON k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated AND k.conkey[1] = a.attnum \
    WHERE a.attnum > 0 AND NOT a.attisdropped \
        AND (r.whole OR has_column_privilege(a.attrelid, a.attnum, 'SELECT')) \
    ORDER BY a.attrelid, a.attnum";

/// The columns of these tables that the role may read, by table and then in order.
pub(super) async fn attributes(client: &Client, classes: &[&Class]) -> Result<Vec<Attribute>> {
    let oids = oids(classes);
    let whole: Vec<bool> = classes.iter().map(|class| class.rights.whole).collect();
    let parameters: [Parameter<'_>; 2] = [(&oids, Type::OID_ARRAY), (&whole, Type::BOOL_ARRAY)];
    let rows = list(client, "columns", ATTRIBUTES, &parameters).await?;
    rows.iter()
        .map(|row| {
            Ok(Attribute {
                relation: get(row, 0)?,
                number: get(row, 1)?,
                name: get(row, 2)?,
                type_oid: get(row, 3)?,
                modifier: get(row, 4)?,
                not_null: get(row, 5)?,
                comment: get(row, 6)?,
            })
        })
        .collect()
}

/// A row of `pg_index`: valid, on all rows.
#[derive(Debug)]
pub(super) struct IndexRow {
    pub(super) relation: u32,
    pub(super) method: String,
    pub(super) is_primary: bool,
    /// Whether its owner chose it to identify rows to replicas.
    pub(super) is_identity: bool,
    /// Columns by number, in key order; 0 for an expression.
    pub(super) columns: Vec<i16>,
    /// The name of the first: numbers differ between a table and its partitions.
    pub(super) leading: Option<String>,
}

const INDEXES: &str = "\
    SELECT i.indrelid, m.amname, i.indisprimary, i.indisreplident, \
        (i.indkey::int2[])[0:i.indnkeyatts - 1], a.attname \
    FROM pg_catalog.pg_index i \
    JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
    JOIN pg_catalog.pg_am m ON m.oid = c.relam \
    LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attnum > 0 \
    WHERE i.indrelid = ANY ($1) AND i.indisvalid AND i.indislive AND i.indpred IS NULL";

pub(super) async fn indexes(client: &Client, oids: &[u32]) -> Result<Vec<IndexRow>> {
    let rows = list(client, "indexes", INDEXES, &[(&oids, Type::OID_ARRAY)]).await?;
    rows.iter()
        .map(|row| {
            Ok(IndexRow {
                relation: get(row, 0)?,
                method: get(row, 1)?,
                is_primary: get(row, 2)?,
                is_identity: get(row, 3)?,
                columns: get(row, 4)?,
                leading: get(row, 5)?,
            })
        })
        .collect()
}

/// A table that holds rows of another, or its own.
#[derive(Debug)]
pub(super) struct LeafRow {
    /// Whose rows it holds.
    pub(super) root: u32,
    pub(super) oid: u32,
    pub(super) schema: String,
    pub(super) name: String,
    pub(super) kind: StreamKind,
    pub(super) method: Option<String>,
    pub(super) pages: u64,
    pub(super) bytes: u64,
    pub(super) estimated_rows: Option<u64>,
    pub(super) readable: bool,
    pub(super) file: u32,
}

/// The query for leaves: `exact` sizes need a lock on each table, for a moment.
fn leaves_sql(exact: bool, version: u32) -> String {
    let attached = if version >= 140_000 { " AND NOT i.inhdetachpending" } else { "" };
    let size = if exact {
        "pg_relation_size(c.oid), coalesce(pg_relation_size(nullif(c.reltoastrelid, 0)), 0)"
    } else {
        "c.relpages::int8 * b.bytes, coalesce(t.relpages, 0)::int8 * b.bytes"
    };
    format!(
        "WITH RECURSIVE tree (root, oid) AS ( \
            SELECT r.oid, r.oid FROM unnest($1::oid[]) AS r (oid) \
            UNION \
            SELECT tree.root, i.inhrelid FROM tree \
            JOIN pg_catalog.pg_inherits i ON i.inhparent = tree.oid{attached} \
        ) \
        SELECT tree.root, c.oid, n.nspname, c.relname, c.relkind::text, m.amname, \
            b.bytes, {size}, c.reltuples, c.relpages, \
            coalesce(has_table_privilege(c.oid, 'SELECT') AND has_schema_privilege(n.oid, 'USAGE'), false), \
            c.relfilenode \
        FROM tree \
        JOIN pg_catalog.pg_class c ON c.oid = tree.oid \
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
        LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam \
        LEFT JOIN pg_catalog.pg_class t ON t.oid = c.reltoastrelid \
        CROSS JOIN (SELECT current_setting('block_size')::int8 AS bytes) b \
        WHERE c.relkind = ANY ('{{r,m,f}}') \
        ORDER BY tree.root, c.oid"
    )
}

pub(super) async fn leaves(client: &Client, oids: &[u32], exact: bool) -> Result<Vec<LeafRow>> {
    let sql = leaves_sql(exact, client.server_version);
    let rows = list(client, "parts of tables", &sql, &[(&oids, Type::OID_ARRAY)]).await?;
    rows.iter().map(leaf).collect()
}

fn leaf(row: &Row) -> Result<LeafRow> {
    let block = unsigned(get(row, 6)?).max(1);
    let bytes = unsigned(get::<Option<i64>>(row, 7)?.unwrap_or(0));
    let counted: i32 = get(row, 10)?;
    let kind: String = get(row, 4)?;
    let pages = bytes.div_ceil(block);
    let rows = rows_of(get(row, 9)?, counted);
    Ok(LeafRow {
        root: get(row, 0)?,
        oid: get(row, 1)?,
        schema: get(row, 2)?,
        name: get(row, 3)?,
        kind: kind_of(&kind)
            .map_err(|what| Error::internal(format!("{what} has a part of a table's rows")))?,
        method: get(row, 5)?,
        pages,
        bytes: bytes + unsigned(get(row, 8)?),
        estimated_rows: scaled(rows, counted, pages),
        readable: get(row, 11)?,
        file: get(row, 12)?,
    })
}

/// Rows in so many blocks, when there were `rows` in `counted`.
fn scaled(rows: Option<u64>, counted: i32, pages: u64) -> Option<u64> {
    let counted = u128::from(counted.unsigned_abs());
    match (rows, counted) {
        (rows, 0) => rows,
        (rows, _) => rows.and_then(|rows| u64::try_from(u128::from(rows) * u128::from(pages) / counted).ok()),
    }
}

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Names of tables like `name`, to offer instead of one that is not there.
pub(super) async fn names(client: &Client) -> Result<Vec<(String, String)>> {
    let sql = "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c \
               JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
               WHERE c.relkind = ANY ('{r,p,v,m,f}') AND c.relpersistence <> 't' AND n.nspname !~ '^pg_' \
               AND n.nspname <> 'information_schema'";
    let rows = list(client, "tables", sql, &[]).await?;
    rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
}

/// A value for a query, and what it is there.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Runs a query in one round trip, and without a name that would outlive it: a pooler may give the
/// next query to another process.
pub(super) async fn list(
    client: &Client,
    what: &str,
    sql: &str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>> {
    let rows = client.query_typed(sql, parameters).await;
    rows.map_err(|error| failed(format!("could not list the {what}"), &error))
}

pub(super) fn oids(classes: &[&Class]) -> Vec<u32> {
    classes.iter().map(|class| class.oid).collect()
}

/// A value of a catalog row. The queries are ours, so that a misfit is a bug.
pub(super) fn get<'a, T: FromSql<'a>>(row: &'a Row, at: usize) -> Result<T> {
    row.try_get(at).map_err(|error| {
        Error::internal(format!("column {at} of a catalog query is not what it was")).with_source(error)
    })
}
