//! What a commit moves, statement by statement: planned before anything is sent.

use protocol::{Commit, ConfiguredStream, Error, Result, StagedFile, WriteMode};

use super::column::{Column, columns, logical};
use super::config::{Config, Deletes, Layout, MergeBy};
use super::name::{Identifier, Name, Spelling, literal};
use super::record::{Pending, Standing};
use super::sql::ddl::ColumnDefinition;
use super::sql::load::{self, Match, Merging, Written};
use super::target::Target;

/// How rows of a stream become rows of a table.
#[derive(Clone, Copy)]
pub(super) struct Shape<'a> {
    pub(super) config: &'a Config,
}

/// Columns that Airbyte's tables have, in its order, and their types.
const AIRBYTE: [(&str, &str); 4] = [
    ("_airbyte_raw_id", "VARCHAR(36)"),
    ("_airbyte_extracted_at", "TIMESTAMP_TZ(6)"),
    ("_airbyte_meta", "VARIANT"),
    ("_airbyte_generation_id", "NUMBER(38, 0)"),
];

impl Shape<'_> {
    fn spelled(self, name: &str) -> Identifier {
        match self.config.names {
            Spelling::Upper => Identifier::new(name.to_ascii_uppercase()),
            Spelling::Source => Identifier::new(name),
        }
    }

    fn data_column(self) -> Identifier {
        self.spelled(if self.config.airbyte_columns { "_airbyte_data" } else { "_data" })
    }

    /// The stream's columns on their way.
    pub(super) fn columns(self, schema: &arrow_schema::Schema) -> Result<Vec<Column>> {
        let columns = columns(schema, self.config.names, self.config.json)?;
        let added = AIRBYTE.map(|(name, _)| self.spelled(name));
        let clash = columns
            .iter()
            .find(|column| self.config.airbyte_columns && added.contains(&column.name))
            .filter(|_| self.config.layout == Layout::Columns);
        match clash {
            Some(column) => Err(Error::config(format!("column {} is one of Airbyte's, too", column.source))
                .context("column", column.source.name())
                .hint(
                    "leave it out by `exclude`, or `metadata` without it, or set `airbyte_columns: false`",
                )),
            None => Ok(columns),
        }
    }

    /// The columns of the table that people read.
    pub(super) fn table(self, columns: &[Column]) -> Vec<ColumnDefinition> {
        let mut all: Vec<ColumnDefinition> = match self.config.layout {
            Layout::Columns => columns
                .iter()
                .map(|column| ColumnDefinition {
                    comment: column.comment.clone(),
                    ..ColumnDefinition::new(column.name.clone(), column.kind)
                })
                .collect(),
            Layout::Variant => {
                vec![ColumnDefinition {
                    name: self.data_column(),
                    sql_type: "VARIANT".to_owned(),
                    comment: None,
                }]
            }
        };
        if self.config.airbyte_columns {
            all.extend(AIRBYTE.map(|(name, sql_type)| ColumnDefinition {
                name: self.spelled(name),
                sql_type: sql_type.to_owned(),
                comment: None,
            }));
        }
        all
    }

    /// Whether files can be copied straight into the table that people read.
    fn is_direct(self, columns: &[Column]) -> bool {
        self.config.layout == Layout::Columns
            && !self.config.airbyte_columns
            && !columns.iter().any(Column::needs_cast)
            && (self.config.names == Spelling::Source || !are_alike(columns))
    }

    /// What is written from where files were copied to.
    fn written(self, columns: &[Column], before: &Standing, commit: &Commit) -> Vec<Written> {
        let mut all = match self.config.layout {
            Layout::Columns => columns
                .iter()
                .map(|column| Written { name: column.name.clone(), value: column.value() })
                .collect(),
            Layout::Variant => {
                let pairs: Vec<String> = columns
                    .iter()
                    .map(|column| format!("{}, {}", literal(column.source.name()), column.value()))
                    .collect();
                let value = format!("TO_VARIANT(OBJECT_CONSTRUCT_KEEP_NULL({}))", pairs.join(", "));
                vec![Written { name: self.data_column(), value }]
            }
        };
        if self.config.airbyte_columns {
            let at = before.moment(commit).format("%Y-%m-%d %H:%M:%S%.6f +00:00").to_string();
            let replaced = before.record.as_ref().map_or(0, |record| record.generation);
            let generation = replaced + u64::from(commit.write_mode == WriteMode::Overwrite);
            let meta = format!("{{\"changes\":[],\"sync_id\":\"{}\"}}", commit.sync);
            let values = [
                "UUID_STRING()".to_owned(),
                format!("TO_TIMESTAMP_TZ({})", literal(&at)),
                format!("PARSE_JSON({})", literal(&meta)),
                generation.to_string(),
            ];
            let named = AIRBYTE.iter().zip(values);
            all.extend(named.map(|((name, _), value)| Written { name: self.spelled(name), value }));
        }
        all
    }

    /// Which rows of a merge meet. Fails with `Internal` where nobody said what the key is.
    fn merging(self, columns: &[Column], stream: &ConfiguredStream) -> Result<Merging> {
        let named = |source: &String| {
            columns.iter().find(|column| column.source.name() == source).map(|column| column.name.clone())
        };
        let key = stream.primary_key.iter().map(|source| {
            let name = named(source)
                .ok_or_else(|| Error::internal(format!("key column {source:?} is not in the schema")))?;
            let field = stream.schema.field_with_name(source);
            Ok((name, field.map_or(true, arrow_schema::Field::is_nullable)))
        });
        let deleted = match (self.config.deletes, &stream.soft_delete) {
            (Deletes::Hard, Some(source)) => named(source).map(|name| {
                let field = stream.schema.field_with_name(source);
                match field.map(arrow_schema::Field::data_type) {
                    Ok(arrow_schema::DataType::Boolean) => format!("COALESCE(s.{name}, FALSE)"),
                    _ => format!("s.{name} IS NOT NULL"),
                }
            }),
            _ => None,
        };
        Ok(Merging {
            key: key.collect::<Result<_>>()?,
            cursor: stream.cursor.as_ref().and_then(named),
            guarded: self.config.merge_by == MergeBy::Cursor,
            deleted,
        })
    }
}

/// Whether a comparison without regard to case could take one column for another: only letters of ASCII are
/// folded here, and Snowflake may fold others too.
fn are_alike(columns: &[Column]) -> bool {
    let mut names: Vec<String> = columns.iter().map(|column| column.name.name().to_lowercase()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

/// A statement that moves rows from where files were copied to.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) what: &'static str,
    pub(super) sql: String,
    /// How many rows it must have added; a merge may add any number.
    pub(super) rows: Option<u64>,
}

/// What a commit moves.
#[derive(Debug, Clone, Default)]
pub(super) struct Load {
    /// A table to be made before: where files are copied to, and with which columns.
    pub(super) staging: Option<(Name, Vec<ColumnDefinition>)>,
    /// Where rows of an overwrite wait from now on.
    pub(super) waiting: Option<Name>,
    /// Tables that nobody needs once the commit stands.
    pub(super) worn: Vec<Name>,
    /// COPY statements, and the files that each must load.
    pub(super) copies: Vec<(String, Vec<StagedFile>)>,
    pub(super) steps: Vec<Step>,
}

impl Load {
    /// Whether no row is moved: the state alone is written.
    pub(super) fn is_nothing(&self) -> bool {
        self.copies.is_empty() && self.steps.is_empty()
    }

    /// The table that is made for this commit, and not one where rows of the same sync wait already.
    pub(super) fn own_table(&self, pending: Option<&Pending>) -> Option<&Name> {
        let (table, _) = self.staging.as_ref()?;
        let is_shared = pending.is_some_and(|pending| pending.table == *table);
        (!is_shared).then_some(table)
    }

    /// Plans a commit on top of `before`. `place` is the target's folder on the stage.
    pub(super) fn plan(
        shape: Shape<'_>,
        target: &Target,
        before: &Standing,
        commit: &Commit,
        place: &str,
        own: &Name,
    ) -> Result<Self> {
        let schema = logical(&commit.schema)?;
        let columns = shape.columns(&schema)?;
        let files: Vec<StagedFile> = commit.files.iter().filter(|file| file.rows > 0).cloned().collect();
        let plan = Plan { shape, target, before, commit, place, own, columns, files };
        match commit.write_mode {
            WriteMode::Append => Ok(plan.append()),
            WriteMode::Merge => plan.merge(),
            WriteMode::Overwrite => plan.overwrite(),
        }
    }
}

struct Plan<'a> {
    shape: Shape<'a>,
    target: &'a Target,
    before: &'a Standing,
    commit: &'a Commit,
    place: &'a str,
    own: &'a Name,
    columns: Vec<Column>,
    files: Vec<StagedFile>,
}

impl Plan<'_> {
    fn rows(&self) -> u64 {
        self.files.iter().map(|file| file.rows).sum()
    }

    fn written(&self) -> Vec<Written> {
        self.shape.written(&self.columns, self.before, self.commit)
    }

    fn copies(&self, table: &Name, matching: Match) -> Vec<(String, Vec<StagedFile>)> {
        let copy = |files: &[StagedFile]| {
            let paths: Vec<&str> = files.iter().map(|file| file.path.as_str()).collect();
            (load::copy(table, self.place, &paths, matching), files.to_vec())
        };
        self.files.chunks(load::MOST_FILES).map(copy).collect()
    }

    /// A table of this commit alone, or of an overwrite that begins with it.
    fn own_table(&self) -> Name {
        self.own.beside(format!(
            "L_{}_{:08}_{}",
            self.target.key,
            self.commit.sequence,
            self.commit.id.to_string().replace('-', "")
        ))
    }

    fn staging(&self, table: &Name) -> (Name, Vec<ColumnDefinition>) {
        let columns = self.columns.iter().map(|column| ColumnDefinition {
            name: column.source.clone(),
            sql_type: column.kind.copied_type(),
            comment: None,
        });
        (table.clone(), columns.collect())
    }

    fn append(self) -> Load {
        let mut load = Load::default();
        if let Some(held) = self.before.pending(self.commit.sync) {
            let sql = load::insert(&self.target.table, &held.table, &self.written());
            load.steps.push(Step { what: "insert", sql, rows: Some(held.totals.rows) });
        }
        if self.files.is_empty() {
            return self.ended(load);
        }
        if self.shape.is_direct(&self.columns) {
            let matching = match self.shape.config.names {
                Spelling::Upper => Match::AnyCase,
                Spelling::Source => Match::Exact,
            };
            load.copies = self.copies(&self.target.table, matching);
            return self.ended(load);
        }
        let table = self.own_table();
        load.copies = self.copies(&table, Match::Exact);
        let sql = load::insert(&self.target.table, &table, &self.written());
        load.steps.push(Step { what: "insert", sql, rows: Some(self.rows()) });
        load.staging = Some(self.staging(&table));
        load.worn.push(table);
        self.ended(load)
    }

    fn merge(self) -> Result<Load> {
        if self.before.pending(self.commit.sync).is_some() {
            return Err(switched("merge"));
        }
        let mut load = Load::default();
        if self.files.is_empty() {
            return Ok(self.ended(load));
        }
        let stream = self.target.stream().ok_or_else(|| {
            Error::internal(format!("target {:?} is merged into and was not prepared", self.target.name))
        })?;
        let merging = self.shape.merging(&self.columns, &stream)?;
        let table = self.own_table();
        load.copies = self.copies(&table, Match::Exact);
        let sql = load::merge(&self.target.table, &table, &self.written(), &merging);
        load.steps.push(Step { what: "merge", sql, rows: None });
        load.staging = Some(self.staging(&table));
        load.worn.push(table);
        Ok(self.ended(load))
    }

    fn overwrite(self) -> Result<Load> {
        let held = self.before.pending(self.commit.sync);
        let seen = self.before.record.as_ref().is_some_and(|record| {
            record.sync == self.commit.sync
                && record.head.state.unfinished.is_some()
                && record.write_mode != WriteMode::Overwrite
        });
        if seen {
            return Err(switched("overwrite"));
        }
        let mut load = Load::default();
        let table = held.map_or_else(|| self.own_table(), |held| held.table.clone());
        let waits = held.map_or(0, |held| held.totals.rows) + self.rows();
        if !self.files.is_empty() {
            load.copies = self.copies(&table, Match::Exact);
            load.staging = Some(self.staging(&table));
        }
        let is_there = held.is_some() || !self.files.is_empty();
        if self.commit.ends_sync {
            if is_there {
                let sql = load::overwrite(&self.target.table, &table, &self.written());
                load.steps.push(Step { what: "overwrite", sql, rows: Some(waits) });
                load.worn.push(table);
            } else {
                let sql = load::empty(&self.target.table);
                load.steps.push(Step { what: "overwrite", sql, rows: None });
            }
        } else if is_there {
            load.waiting = Some(table);
        }
        Ok(self.ended(load))
    }

    /// What an overwrite has waiting that this commit ends or gives up is needed no more.
    fn ended(&self, mut load: Load) -> Load {
        let waiting = self.before.record.as_ref().and_then(|record| record.pending.as_ref());
        if let Some(pending) = waiting
            && load.waiting.as_ref() != Some(&pending.table)
            && !load.worn.contains(&pending.table)
        {
            load.worn.push(pending.table.clone());
        }
        load
    }
}

fn switched(to: &str) -> Error {
    Error::unsupported(format!("a sync that is half done can't go on with `write: {to}`"))
        .hint("restore the write mode until that sync has ended, or `tidegate state reset` the stream")
}

#[cfg(test)]
mod tests;
