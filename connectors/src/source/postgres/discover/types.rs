//! Types as trees, from one query over `pg_type`.

use std::collections::HashMap;

use futures::try_join;
use protocol::{Error, Result};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::catalog::{Parameter, get, list};
use crate::source::postgres::connect::Client;
use crate::source::postgres::types::{NativeType, TypeKind};

/// The types of some tables' columns and all that these are made of.
#[derive(Debug)]
pub(super) struct Types {
    rows: HashMap<u32, TypeRow>,
    /// Names with a modifier: `numeric(18,4)`.
    displays: HashMap<(u32, i32), String>,
}

/// A row of `pg_type`.
#[derive(Debug)]
struct TypeRow {
    schema: String,
    name: String,
    display: String,
    kind: String,
    /// Of an array, else 0.
    element: u32,
    /// Of a domain.
    base: Option<Reference>,
    /// Of a composite.
    attributes: Vec<(String, Reference)>,
}

/// A type with a modifier, and its name with that.
#[derive(Debug)]
struct Reference {
    oid: u32,
    modifier: i32,
    display: String,
}

/// Only true arrays have a variable length and elements; `name` and `point` have the latter alone.
const TYPES: &str = "\
    WITH RECURSIVE needed (oid) AS ( \
        SELECT DISTINCT a.atttypid FROM pg_catalog.pg_attribute a \
        WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND NOT a.attisdropped \
        UNION \
        SELECT part.oid FROM needed \
        JOIN pg_catalog.pg_type t ON t.oid = needed.oid \
        CROSS JOIN LATERAL ( \
            SELECT t.typelem WHERE t.typelem <> 0 AND t.typlen = -1 \
            UNION ALL SELECT t.typbasetype WHERE t.typbasetype <> 0 \
            UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a \
                WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped \
        ) part (oid) \
    ) \
    SELECT t.oid, n.nspname, t.typname, format_type(t.oid, -1), t.typtype::text, \
        CASE WHEN t.typlen = -1 THEN t.typelem ELSE 0::oid END, \
        t.typbasetype, t.typtypmod, format_type(nullif(t.typbasetype, 0), t.typtypmod), \
        c.names, c.types, c.modifiers, c.displays \
    FROM needed \
    JOIN pg_catalog.pg_type t ON t.oid = needed.oid \
    JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace \
    LEFT JOIN LATERAL ( \
        SELECT array_agg(a.attname::text ORDER BY a.attnum) AS names, \
            array_agg(a.atttypid ORDER BY a.attnum) AS types, \
            array_agg(a.atttypmod ORDER BY a.attnum) AS modifiers, \
            array_agg(format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum) AS displays \
        FROM pg_catalog.pg_attribute a \
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped \
    ) c ON true";

const DISPLAYS: &str = "\
    SELECT p.oid, p.modifier, format_type(p.oid, p.modifier) FROM ( \
        SELECT DISTINCT a.atttypid, a.atttypmod FROM pg_catalog.pg_attribute a \
        WHERE a.attrelid = ANY ($1) AND a.attnum > 0 AND a.atttypmod <> -1 AND NOT a.attisdropped \
    ) p (oid, modifier)";

/// Deeper than any type is; a catalog that says otherwise runs in circles.
const DEEPEST: usize = 100;

impl Types {
    /// The types of the columns of these tables.
    pub(super) async fn of(client: &Client, oids: &[u32]) -> Result<Self> {
        let parameters: [Parameter<'_>; 1] = [(&oids, Type::OID_ARRAY)];
        let (types, displays) = try_join!(
            list(client, "types", TYPES, &parameters),
            list(client, "names of types", DISPLAYS, &parameters)
        )?;
        Ok(Self {
            rows: types.iter().map(|row| Ok((get(row, 0)?, type_row(row)?))).collect::<Result<_>>()?,
            displays: displays
                .iter()
                .map(|row| Ok(((get(row, 0)?, get(row, 1)?), get(row, 2)?)))
                .collect::<Result<_>>()?,
        })
    }

    /// The type of a column as a tree.
    pub(super) fn native(&self, oid: u32, modifier: i32) -> Result<NativeType> {
        self.tree(oid, modifier, self.displays.get(&(oid, modifier)).cloned(), DEEPEST)
    }

    fn tree(&self, oid: u32, modifier: i32, display: Option<String>, depth: usize) -> Result<NativeType> {
        let row = self.rows.get(&oid).ok_or_else(|| {
            // Types have no lock of their own.
            Error::transient(format!("the type {oid} was changed while it was looked up"))
        })?;
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Error::internal(format!("the type {:?} contains itself", row.name)));
        };
        let display = display.unwrap_or_else(|| row.display.clone());
        let refer = |to: &Reference| self.tree(to.oid, to.modifier, Some(to.display.clone()), depth);
        let kind = match (row.kind.as_str(), &row.base) {
            ("e", _) => TypeKind::Enum,
            ("r", _) => TypeKind::Range,
            ("m", _) => TypeKind::Multirange,
            ("p", _) => TypeKind::Pseudo,
            ("d", Some(base)) => TypeKind::Domain(Box::new(refer(base)?)),
            ("c", _) => {
                let attributes = row.attributes.iter().map(|(name, to)| Ok((name.clone(), refer(to)?)));
                TypeKind::Composite(attributes.collect::<Result<_>>()?)
            }
            _ if row.element != 0 => {
                // `numeric(18,4)[]` has elements `numeric(18,4)`.
                let element = display.strip_suffix("[]").filter(|_| modifier != -1).map(str::to_owned);
                TypeKind::Array(Box::new(self.tree(row.element, modifier, element, depth)?))
            }
            _ => TypeKind::Base,
        };
        let (schema, name) = (row.schema.clone(), row.name.clone());
        Ok(NativeType { oid, schema, name, display, modifier, kind })
    }
}

fn type_row(row: &Row) -> Result<TypeRow> {
    let base = match get::<u32>(row, 6)? {
        0 => None,
        oid => Some(Reference { oid, modifier: get(row, 7)?, display: get(row, 8)? }),
    };
    let names: Vec<String> = get::<Option<_>>(row, 9)?.unwrap_or_default();
    let types: Vec<u32> = get::<Option<_>>(row, 10)?.unwrap_or_default();
    let modifiers: Vec<i32> = get::<Option<_>>(row, 11)?.unwrap_or_default();
    let displays: Vec<String> = get::<Option<_>>(row, 12)?.unwrap_or_default();
    let references = types
        .into_iter()
        .zip(modifiers)
        .zip(displays)
        .map(|((oid, modifier), display)| Reference { oid, modifier, display });
    Ok(TypeRow {
        schema: get(row, 1)?,
        name: get(row, 2)?,
        display: get(row, 3)?,
        kind: get(row, 4)?,
        element: get(row, 5)?,
        base,
        attributes: names.into_iter().zip(references).collect(),
    })
}
