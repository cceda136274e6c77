//! PostgreSQL's types as its catalogs describe them.

use serde::{Deserialize, Serialize};

/// A type as the catalogs describe it. Built from `pg_type` when tables are discovered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NativeType {
    /// `pg_type.oid`.
    pub oid: u32,
    /// `pg_namespace.nspname`.
    pub schema: String,
    /// `pg_type.typname`: `int4`, `_text`, `my enum`.
    pub name: String,
    /// `format_type(oid, modifier)`: `numeric(18,4)`.
    pub display: String,
    /// `pg_attribute.atttypmod`, -1 for none.
    pub modifier: i32,
    /// What it is made of.
    pub kind: TypeKind,
}

/// What a type is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TypeKind {
    /// A type of its own: `int4`, `hstore`.
    Base,
    /// One of a list of labels.
    Enum,
    /// `int4range`.
    Range,
    /// `int4multirange`.
    Multirange,
    /// `record`, `anyarray`: the type of a column of some views.
    Pseudo,
    /// Any number of dimensions of one element type, which carries the array's modifier.
    Array(Box<NativeType>),
    /// Another type under a name of its own; the base carries the domain's modifier.
    Domain(Box<NativeType>),
    /// Attributes in order, without dropped ones.
    Composite(Vec<(String, NativeType)>),
}

impl NativeType {
    /// The type below all domains.
    #[must_use]
    pub fn base(&self) -> &Self {
        match &self.kind {
            TypeKind::Domain(base) => base.base(),
            _ => self,
        }
    }
}
