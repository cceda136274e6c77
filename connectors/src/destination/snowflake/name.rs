//! Names of databases, schemas, tables and columns: how they follow from names at the source, and how
//! they are written in SQL.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use protocol::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most characters that Snowflake takes.
const LONGEST: usize = 255;

/// How names are spelled in Snowflake.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Spelling {
    /// ASCII letters in upper case, so that queries need no quotes: `orderId` is `ORDERID`. Names that
    /// differ by case alone are refused.
    #[default]
    Upper,
    /// As they are at the source: queries quote them.
    Source,
}

/// Which schema a target's table is in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Schemas {
    /// All in `schema`: `public.orders` is table `ORDERS` there.
    #[default]
    One,
    /// What stands before the last dot names the schema, which is created where it is missing:
    /// `public.orders` is table `ORDERS` in `PUBLIC`. Targets without a dot are in `schema`.
    Namespace,
}

/// A name as the catalog has it. Shown, it is quoted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Identifier(String);

impl Identifier {
    /// A name that is ours or checked.
    pub(super) fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// A name at the source, spelled for Snowflake. Fails with `Config` where it can't be one.
    pub(super) fn of_source(name: &str, spelling: Spelling, what: &str) -> Result<Self> {
        let problem = match name.chars().count() {
            0 => "is empty".to_owned(),
            long if long > LONGEST => format!("has {long} characters, {LONGEST} are the most"),
            _ if name.contains('\0') => "has a zero byte".to_owned(),
            _ => {
                return Ok(Self(match spelling {
                    Spelling::Upper => name.to_ascii_uppercase(),
                    Spelling::Source => name.to_owned(),
                }));
            }
        };
        let shown: String = name.chars().take(40).collect();
        Err(Error::config(format!("{what} {shown:?} can't be a name in snowflake: it {problem}"))
            .hint("give the stream a `target`, or leave the column out by `exclude`"))
    }

    /// The name itself.
    pub(super) fn name(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\"\""))
    }
}

/// Text as SQL has it.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

/// The full name of a table or stage. Shown, each part is quoted.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Name {
    pub(super) database: Identifier,
    pub(super) schema: Identifier,
    pub(super) object: Identifier,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.database, self.schema, self.object)
    }
}

impl Name {
    /// The full name of its schema.
    pub(super) fn place(&self) -> String {
        format!("{}.{}", self.database, self.schema)
    }

    /// Another object beside it.
    pub(super) fn beside(&self, object: impl Into<String>) -> Self {
        Self { object: Identifier::new(object), ..self.clone() }
    }

    /// What names of our own objects of this table are made of: the same for no two tables of a database.
    pub(super) fn key(&self) -> String {
        let text = format!("{}\0{}", self.schema.name(), self.object.name());
        let hash = digest(&SHA256, text.as_bytes());
        let (bytes, _) = hash.as_ref().split_first_chunk::<8>().expect("a digest has 32 bytes");
        format!("{:016X}", u64::from_be_bytes(*bytes))
    }
}

/// Where targets and tidegate's own objects are.
#[derive(Debug, Clone)]
pub(super) struct Places {
    pub(super) database: Identifier,
    pub(super) schema: Identifier,
    /// The schema of state, stage and what is there for a while.
    pub(super) own: Identifier,
    pub(super) schemas: Schemas,
    pub(super) spelling: Spelling,
}

impl Places {
    /// The table of a target. Fails with `Config` where the target's name can't be a table's.
    pub(super) fn table(&self, target: &str) -> Result<Name> {
        let (namespace, name) = match target.rsplit_once('.') {
            Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() => (Some(namespace), name),
            _ => (None, target),
        };
        let object = Identifier::of_source(name, self.spelling, "target")?;
        let schema = match namespace {
            Some(namespace) if self.schemas == Schemas::Namespace => {
                Identifier::of_source(namespace, self.spelling, "schema")?
            }
            _ => self.schema.clone(),
        };
        if schema == self.own {
            return Err(Error::config(format!("target {target:?} would be in the schema of tidegate's own"))
                .hint("set another `schema` or `state_schema`"));
        }
        Ok(Name { database: self.database.clone(), schema, object })
    }

    /// An object of tidegate's own.
    pub(super) fn own(&self, object: impl Into<String>) -> Name {
        Name { database: self.database.clone(), schema: self.own.clone(), object: Identifier::new(object) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(schemas: Schemas, spelling: Spelling) -> Places {
        Places {
            database: Identifier::new("LAKE"),
            schema: Identifier::new("RAW"),
            own: Identifier::new("_TIDEGATE"),
            schemas,
            spelling,
        }
    }

    #[test]
    fn identifiers_are_quoted_whatever_is_in_them() {
        for (name, expected) in [
            ("orders", r#""orders""#),
            (r#"a"b"#, r#""a""b""#),
            ("select", r#""select""#),
            ("a.b c", r#""a.b c""#),
            (r#""; DROP TABLE x;--"#, r#""""; DROP TABLE x;--""#),
            ("é🦀", r#""é🦀""#),
        ] {
            assert_eq!(Identifier::new(name).to_string(), expected);
        }
    }

    #[test]
    fn texts_end_where_they_should() {
        assert_eq!(literal("it's \\' \"x\"\n"), "'it''s \\\\'' \"x\"\n'");
    }

    #[test]
    fn targets_follow_from_names_at_the_source() {
        for (schemas, spelling, target, expected) in [
            (Schemas::One, Spelling::Upper, "public.orders", r#""LAKE"."RAW"."ORDERS""#),
            (Schemas::One, Spelling::Source, "public.orders", r#""LAKE"."RAW"."orders""#),
            (Schemas::Namespace, Spelling::Upper, "public.orders", r#""LAKE"."PUBLIC"."ORDERS""#),
            (Schemas::Namespace, Spelling::Upper, "orders", r#""LAKE"."RAW"."ORDERS""#),
            (Schemas::Namespace, Spelling::Source, "a.b.c", r#""LAKE"."a.b"."c""#),
            (Schemas::One, Spelling::Upper, "straße.é", r#""LAKE"."RAW"."é""#),
            (Schemas::One, Spelling::Upper, "..", r#""LAKE"."RAW"."..""#),
        ] {
            assert_eq!(places(schemas, spelling).table(target).unwrap().to_string(), expected);
        }
    }

    #[test]
    fn what_can_not_be_a_name_is_refused() {
        let places = places(Schemas::Namespace, Spelling::Upper);
        let long = "x".repeat(LONGEST + 1);
        for target in ["", "a\0", long.as_str(), "_tidegate.orders"] {
            let error = places.table(target).unwrap_err();
            assert_eq!(error.kind(), protocol::ErrorKind::Config, "{target:?}");
        }
        assert!(places.table(&"é".repeat(LONGEST)).is_ok());
    }

    #[test]
    fn keys_tell_tables_apart() {
        let places = places(Schemas::Namespace, Spelling::Source);
        let key = |target| places.table(target).unwrap().key();
        assert_eq!(key("a.b").len(), 16);
        assert_eq!(key("a.b"), key("a.b"));
        assert_ne!(key("a.b"), key("a.B"));
        assert_ne!(key("ab.c"), key("a.bc"));
    }
}
