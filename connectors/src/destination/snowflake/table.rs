//! What a table is like, and how it becomes what it shall be: columns are added and widened, nothing else.

use protocol::{Error, Result};

use super::Inner;
use super::client::{Answer, QueryTag};
use super::name::{Identifier, Name, Spelling};
use super::sql::ddl::{self, ColumnDefinition};

/// A type as Snowflake names it: `NUMBER(38,0)`, `VARCHAR(16777216)`, `FLOAT`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SqlType {
    base: String,
    sizes: Vec<u32>,
}

impl SqlType {
    fn parse(text: &str) -> Self {
        let text = text.trim().to_ascii_uppercase();
        let (base, rest) = text.split_once('(').unwrap_or((&text, ""));
        let sizes = rest.trim_end_matches(')').split(',').filter_map(|size| size.trim().parse().ok());
        let base = match base.trim() {
            "TEXT" | "STRING" | "CHAR" | "CHARACTER" => "VARCHAR",
            "DECIMAL" | "NUMERIC" | "INT" | "INTEGER" | "BIGINT" => "NUMBER",
            "DOUBLE" | "DOUBLE PRECISION" | "REAL" | "FLOAT4" | "FLOAT8" => "FLOAT",
            "VARBINARY" => "BINARY",
            "DATETIME" => "TIMESTAMP_NTZ",
            other => other,
        };
        Self { base: base.to_owned(), sizes: sizes.collect() }
    }
}

/// How a column that is there meets one that shall be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    /// It holds all values.
    Holds,
    /// It would, if it had more digits or characters.
    Widen,
    /// It never will.
    Never,
}

fn fit(found: &SqlType, wanted: &SqlType) -> Fit {
    if found.base != wanted.base {
        // An instant is one, whichever way it is shown.
        let instants = ["TIMESTAMP_TZ", "TIMESTAMP_LTZ"];
        let both = instants.contains(&found.base.as_str()) && instants.contains(&wanted.base.as_str());
        let is_any = found.base == "VARIANT" && wanted.base == "ARRAY";
        return if both || is_any { Fit::Holds } else { Fit::Never };
    }
    match found.base.as_str() {
        "NUMBER" => {
            let size = |of: &SqlType, at: usize, default| of.sizes.get(at).copied().unwrap_or(default);
            if size(found, 1, 0) != size(wanted, 1, 0) {
                return Fit::Never;
            }
            if size(found, 0, 38) >= size(wanted, 0, 38) { Fit::Holds } else { Fit::Widen }
        }
        "VARCHAR" | "BINARY" => match (found.sizes.first(), wanted.sizes.first()) {
            (None, _) => Fit::Holds,
            // Without a length it is the longest that the account gives.
            (Some(found), None) => {
                if *found >= 1 << 22 {
                    Fit::Holds
                } else {
                    Fit::Widen
                }
            }
            (Some(found), Some(wanted)) => {
                if found >= wanted {
                    Fit::Holds
                } else {
                    Fit::Widen
                }
            }
        },
        "TIME" | "TIMESTAMP_NTZ" | "TIMESTAMP_TZ" | "TIMESTAMP_LTZ" => {
            let digits = |of: &SqlType| of.sizes.first().copied().unwrap_or(9);
            if digits(found) >= digits(wanted) { Fit::Holds } else { Fit::Never }
        }
        _ => Fit::Holds,
    }
}

impl Inner {
    /// Adds and widens columns of a table; false where there is no such table. Fails with `Schema` where a
    /// column would change its meaning.
    pub(super) async fn widen(
        &self,
        name: &Name,
        columns: &[ColumnDefinition],
        tag: &QueryTag,
    ) -> Result<bool> {
        let Some(answer) = self.desk.find(ddl::describe(name), tag).await? else { return Ok(false) };
        for sql in changes(name, &found(&answer), columns, self.places.spelling)? {
            self.desk.run(sql, tag).await?;
        }
        Ok(true)
    }
}

fn found(answer: &Answer) -> Vec<(String, String)> {
    let one = |row| Some((answer.get(row, "name")?.to_owned(), answer.get(row, "type")?.to_owned()));
    (0..answer.rows.len()).filter_map(one).collect()
}

/// What makes a table with the columns `found` hold `columns`.
fn changes(
    name: &Name,
    found: &[(String, String)],
    columns: &[ColumnDefinition],
    spelling: Spelling,
) -> Result<Vec<String>> {
    let mut statements = Vec::new();
    for column in columns {
        let Some((_, is)) = found.iter().find(|(known, _)| known == column.name.name()) else {
            if spelling == Spelling::Upper {
                refuse_alike(name, found, columns, column)?;
            }
            statements.push(ddl::add_column(name, column));
            continue;
        };
        match fit(&SqlType::parse(is), &SqlType::parse(&column.sql_type)) {
            Fit::Holds => {}
            Fit::Widen => statements.push(ddl::widen_column(name, column)),
            Fit::Never => {
                return Err(Error::schema(format!(
                    "column {} of {name} is {is}, and would have to be {}",
                    column.name, column.sql_type
                ))
                .context("column", column.name.name())
                .hint("give the stream a new `target`, or change the column by hand"));
            }
        }
    }
    Ok(statements)
}

/// Files are copied without regard to case: of two columns that differ by it, either might get the values. Where both are the
/// stream's they are copied another way.
fn refuse_alike(
    name: &Name,
    found: &[(String, String)],
    columns: &[ColumnDefinition],
    column: &ColumnDefinition,
) -> Result<()> {
    let folded = column.name.name().to_lowercase();
    let is_ours = |known: &str| columns.iter().any(|column| column.name.name() == known);
    let other = found.iter().find(|(known, _)| known.to_lowercase() == folded && !is_ours(known));
    let Some((other, _)) = other else { return Ok(()) };
    let other = Identifier::new(other);
    Err(Error::schema(format!("{name} has column {other}, and the stream's would be {}", column.name))
        .context("column", column.name.name())
        .hint(
            "set `names: source` where the table's columns are spelled as at the source, or give the stream a \
             new `target`",
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_known_by_any_name() {
        for (found, wanted, expected) in [
            ("NUMBER(38,0)", "NUMBER(38, 0)", Fit::Holds),
            ("NUMBER(10,2)", "NUMBER(12, 2)", Fit::Widen),
            ("NUMBER(12,2)", "NUMBER(10, 2)", Fit::Holds),
            ("NUMBER(12,2)", "NUMBER(12, 4)", Fit::Never),
            ("VARCHAR(16777216)", "VARCHAR", Fit::Holds),
            ("VARCHAR(134217728)", "VARCHAR", Fit::Holds),
            ("VARCHAR(20)", "VARCHAR(36)", Fit::Widen),
            ("TEXT", "VARCHAR(36)", Fit::Holds),
            ("VARCHAR(16777216)", "NUMBER(38, 0)", Fit::Never),
            ("TIMESTAMP_NTZ(9)", "TIMESTAMP_NTZ(6)", Fit::Holds),
            ("TIMESTAMP_NTZ(3)", "TIMESTAMP_NTZ(6)", Fit::Never),
            ("TIMESTAMP_LTZ(9)", "TIMESTAMP_TZ(6)", Fit::Holds),
            ("TIMESTAMP_NTZ(9)", "TIMESTAMP_TZ(6)", Fit::Never),
            ("BINARY(8388608)", "BINARY", Fit::Holds),
            ("DOUBLE", "FLOAT", Fit::Holds),
            ("VARIANT", "VARIANT", Fit::Holds),
            ("VARIANT", "ARRAY", Fit::Holds),
            ("ARRAY", "VARIANT", Fit::Never),
        ] {
            assert_eq!(fit(&SqlType::parse(found), &SqlType::parse(wanted)), expected, "{found} {wanted}");
        }
    }

    #[test]
    fn what_can_not_be_is_told_exactly() {
        let name = Name {
            database: Identifier::new("D"),
            schema: Identifier::new("S"),
            object: Identifier::new("T"),
        };
        let column = |name: &str, sql_type: &str| ColumnDefinition {
            name: Identifier::new(name),
            sql_type: sql_type.to_owned(),
            comment: None,
        };
        let is = [("A".to_owned(), "NUMBER(5,0)".to_owned()), ("X".to_owned(), "DATE".to_owned())];
        let wanted = [column("A", "NUMBER(38, 0)"), column("B", "FLOAT")];
        let statements = changes(&name, &is, &wanted, Spelling::Upper).unwrap();
        assert_eq!(
            statements,
            [
                r#"ALTER TABLE "D"."S"."T" ALTER COLUMN "A" SET DATA TYPE NUMBER(38, 0)"#,
                r#"ALTER TABLE "D"."S"."T" ADD COLUMN IF NOT EXISTS "B" FLOAT"#,
            ]
        );
        let error = changes(&name, &is, &[column("X", "VARCHAR")], Spelling::Upper).unwrap_err();
        assert_eq!(error.message(), r#"column "X" of "D"."S"."T" is DATE, and would have to be VARCHAR"#);
    }

    #[test]
    fn columns_that_differ_by_case_alone_stand_side_by_side_only_where_case_counts() {
        let name = Name {
            database: Identifier::new("D"),
            schema: Identifier::new("S"),
            object: Identifier::new("T"),
        };
        let is = [("id".to_owned(), "NUMBER(38,0)".to_owned())];
        let wanted = [ColumnDefinition {
            name: Identifier::new("ID"),
            sql_type: "NUMBER(38, 0)".to_owned(),
            comment: None,
        }];
        let error = changes(&name, &is, &wanted, Spelling::Upper).unwrap_err();
        assert_eq!(error.message(), r#""D"."S"."T" has column "id", and the stream's would be "ID""#);
        assert_eq!(changes(&name, &is, &wanted, Spelling::Source).unwrap().len(), 1);
    }
}
