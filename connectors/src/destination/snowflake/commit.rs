//! Makes rows visible and a state current, in one transaction.
//!
//! | step | a crash after it |
//! |---|---|
//! | the table is looked at, once in a process; the copy of the head is removed, tables for the load are made | the next sync looks at the row |
//! | BEGIN | Snowflake rolls back; what is left on the stage is removed by a later sync |
//! | COPY, then INSERT, MERGE or INSERT OVERWRITE; counts are checked | the same |
//! | UPDATE of the row: **compare-and-set** | the same |
//! | **COMMIT** | all of it stands |
//! | files, tables removed; the copy of the head written | a later sync does it |
//!
//! Where the answer of COMMIT is lost, the row tells what became of it.

use std::sync::Arc;

use protocol::{Commit, Error, Head, Result, StagedFile, WriteMode};

use super::Inner;
use super::client::{Answer, Binding, Outcome, QueryTag, Statement, Transaction};
use super::load::{Load, Shape, Step};
use super::name::Name;
use super::prepare;
use super::record::{Moved, Record, Standing};
use super::sql::{ddl, state};
use super::target::Target;

/// How a try ended.
enum Tried {
    Done(Standing),
    /// The row is not at the number before.
    Overtaken,
    Failed(Error),
    /// Whether it stands is not known.
    Unknown(Error, Option<u64>),
}

pub(super) async fn commit(inner: &Inner, target: &Target, commit: &Commit) -> Result<Head> {
    let _turn = target.turn.lock().await;
    let tag = QueryTag::new(&commit.connection)
        .with("target", &target.name)
        .with("commit", &commit.sequence.to_string())
        .with("run", &target.run.id().simple().to_string());
    let before = match target.known() {
        Some(known) if commit.sequence == known.sequence + 1 => known,
        _ => inner.ensured_row(target, &tag).await?,
    };
    if before.holds(commit) {
        target.learn(&before);
        return Ok(before.head());
    }
    before.check_owner(&commit.connection, &target.name)?;
    if commit.sequence != before.sequence + 1 {
        return Err(give_up(inner, target, commit, None, &tag).await);
    }
    if may_wait(inner, target, &before, commit) {
        return Ok(before.head());
    }
    let shape = Shape { config: &inner.config };
    let place = inner.area.place(&target.key);
    let own = inner.state_table(target);
    let load = Load::plan(shape, target, &before, commit, &place, &own)?;
    if !load.is_nothing() && !target.is_seen() {
        // Of a column that somebody dropped, COPY would leave the values out and say nothing.
        let columns = shape.columns(&*super::column::logical(&commit.schema)?)?;
        prepare::ensure_table(inner, target, &before, &shape.table(&columns), &tag).await?;
    }
    // From here on only the row knows.
    target.forget();
    inner.drop_copy(target).await?;
    make_tables(inner, target, &load, &before, commit, &tag).await?;
    protocol::point!("snowflake.commit.begun");
    target.run.doubt(&commit.files);
    let tried = attempt(inner, target, commit, &before, &load, &tag).await;
    let own = load.own_table(before.pending(commit.sync));
    let stands = settle(inner, target, commit, tried, own, &tag).await?;
    protocol::point!("snowflake.commit.stands");
    finish(inner, target, commit, &stands, &load, &tag).await;
    Ok(stands.head())
}

/// Whether nobody would see the commit, and the last one is young enough. Only for a sync: what a person
/// orders is done.
fn may_wait(inner: &Inner, target: &Target, before: &Standing, commit: &Commit) -> bool {
    let head = before.head();
    let is_young = head.at.is_some_and(|at| {
        (commit.at - at).to_std().is_ok_and(|age| age < inner.config.commit_empty_after.duration())
    });
    let same_schema = super::column::logical(&commit.schema).ok().as_ref() == head.schema.as_ref();
    commit.files.is_empty()
        && commit.write_mode != WriteMode::Overwrite
        && target.stream().is_some()
        && commit.ends_sync
        && head.state.unfinished.is_none()
        && head.state.source.is_some()
        && is_young
        && same_schema
}

/// All DDL: inside the transaction it would commit what is before it.
async fn make_tables(
    inner: &Inner,
    target: &Target,
    load: &Load,
    before: &Standing,
    commit: &Commit,
    tag: &QueryTag,
) -> Result<()> {
    let Some((name, columns)) = &load.staging else { return Ok(()) };
    if load.own_table(before.pending(commit.sync)).is_none() {
        // Columns may have come since the overwrite began.
        return inner
            .widen(name, columns, tag)
            .await
            .map(drop)
            .map_err(|error| error.context("target", target.name.clone()));
    }
    inner.desk.run(ddl::create_transient(name, columns), tag).await.map(drop)
}

async fn attempt(
    inner: &Inner,
    target: &Target,
    commit: &Commit,
    before: &Standing,
    load: &Load,
    tag: &QueryTag,
) -> Tried {
    inner.desk.wakes();
    let mut transaction = match inner.desk.session.transaction().await {
        Ok(transaction) => transaction,
        Err(error) => return Tried::Failed(error),
    };
    let mut work = Work { inner, target, transaction: &mut transaction, tag };
    let made = work.all(commit, before, load).await;
    let (record, number) = match made {
        Ok(made) => made,
        Err(error) => {
            if let Err(error) = transaction.rollback().await {
                tracing::warn!(target_name = target.name, "the transaction was not rolled back: {error:#}");
            }
            return match error {
                None => Tried::Overtaken,
                Some(error) => Tried::Failed(error),
            };
        }
    };
    protocol::point!("snowflake.commit.swapped");
    match transaction.commit().await {
        Outcome::Committed => {
            Tried::Done(Standing { sequence: commit.sequence, record: Some(Arc::new(record)) })
        }
        Outcome::RolledBack(error) => Tried::Failed(error),
        Outcome::Unknown(error) => Tried::Unknown(error, number),
    }
}

/// Statements inside the transaction.
struct Work<'a> {
    inner: &'a Inner,
    target: &'a Target,
    transaction: &'a mut Transaction,
    tag: &'a QueryTag,
}

impl Work<'_> {
    async fn run(&mut self, statement: Statement) -> Result<Answer> {
        self.transaction.run(&statement.tagged(self.tag.clone())).await
    }

    /// Everything up to COMMIT: the new record, and the transaction's number. Fails with nothing where
    /// another process has committed.
    async fn all(
        &mut self,
        commit: &Commit,
        before: &Standing,
        load: &Load,
    ) -> Result<(Record, Option<u64>), Option<Error>> {
        let answer = self.run(Statement::new(state::CURRENT_TRANSACTION)).await.map_err(Some)?;
        let number = answer.rows.first().and_then(|row| row.first()?.as_deref()?.parse().ok());
        if let Some(number) = number {
            self.inner.keep_transaction(self.target, number).await;
        }
        protocol::point!("snowflake.commit.opened");
        for (sql, files) in &load.copies {
            let answer = self.run(Statement::new(sql.as_str())).await.map_err(Some)?;
            self.inner.desk.note("copy", self.target, &answer);
            check_copied(&answer, files).map_err(Some)?;
        }
        protocol::point!("snowflake.commit.copied");
        let mut moved = Moved::default();
        for step in &load.steps {
            let answer = self.run(Statement::new(step.sql.as_str())).await.map_err(Some)?;
            self.inner.desk.note(step.what, self.target, &answer);
            check_moved(&answer, step, self.target).map_err(Some)?;
            moved.inserted += answer.changed.inserted;
            moved.deleted += answer.changed.deleted;
        }
        protocol::point!("snowflake.commit.moved");
        let (table, name) = (&self.target.table, &self.target.name);
        let record = Record::after(before, table, name, commit, load.waiting.clone(), moved).map_err(Some)?;
        let swap = Statement::new(state::swap(&self.inner.state_table(self.target)))
            .bind(number_of(commit.sequence)?)
            .bind_text(commit.id.to_string())
            .bind_text(record.text())
            .bind(number_of(before.sequence)?);
        let answer = self.run(swap).await.map_err(Some)?;
        match answer.affected {
            Some(1) => Ok((record, number)),
            Some(0) => Err(None),
            changed => Err(Some(Error::internal(format!("the row of state was changed {changed:?} times")))),
        }
    }
}

fn number_of(sequence: u64) -> Result<Binding, Option<Error>> {
    let number = i64::try_from(sequence);
    number.map(Binding::Number).map_err(|_| Some(Error::conflict("a commit has no such number")))
}

/// Each file must be loaded now, with as many rows as were written.
fn check_copied(answer: &Answer, files: &[StagedFile]) -> Result<()> {
    for file in files {
        let row = (0..answer.rows.len())
            .find(|row| answer.get(*row, "file").is_some_and(|name| name.ends_with(&file.path)));
        let loaded = row.and_then(|row| answer.get(row, "rows_loaded")?.parse::<u64>().ok());
        let status = row.and_then(|row| answer.get(row, "status")).unwrap_or("not loaded");
        if loaded != Some(file.rows) || !status.eq_ignore_ascii_case("LOADED") {
            return Err(Error::data(format!(
                "snowflake loaded {} of the {} rows in file {:?} ({})",
                loaded.unwrap_or(0),
                file.rows,
                file.path,
                status.to_ascii_lowercase()
            ))
            .context("query", answer.query_id.clone())
            .hint("nothing was committed; the next sync reads these rows again"));
        }
    }
    Ok(())
}

fn check_moved(answer: &Answer, step: &Step, target: &Target) -> Result<()> {
    match step.rows {
        Some(rows) if answer.changed.inserted != rows => Err(Error::data(format!(
            "{} wrote {} rows to {}, and {rows} were to be",
            step.what, answer.changed.inserted, target.table
        ))
        .context("query", answer.query_id.clone())
        .hint("nothing was committed; the next sync reads these rows again")),
        _ => Ok(()),
    }
}

/// Finds out what became of a try. Fails with why it does not stand.
async fn settle(
    inner: &Inner,
    target: &Target,
    commit: &Commit,
    tried: Tried,
    own: Option<&Name>,
    tag: &QueryTag,
) -> Result<Standing> {
    let error = match tried {
        Tried::Done(standing) => return Ok(standing),
        Tried::Overtaken => None,
        Tried::Failed(error) => Some(error),
        Tried::Unknown(error, number) => {
            tracing::warn!(target_name = target.name, "the answer of COMMIT is lost: {error:#}");
            end(inner, number, tag).await;
            Some(Error::transient("whether a commit took effect is not known").with_source(error))
        }
    };
    let row = match (inner.row(target, tag).await, error.as_ref()) {
        (Ok(row), _) => row.unwrap_or_default(),
        // What failed first says more, unless it says nothing.
        (Err(later), None) => return Err(later),
        (Err(_), Some(_)) => {
            return Err(error.unwrap_or_else(|| Error::internal("a try ended without a reason")));
        }
    };
    if row.holds(commit) {
        return Ok(row);
    }
    if row.sequence >= commit.sequence {
        return Err(give_up(inner, target, commit, own, tag).await);
    }
    if error.as_ref().is_some_and(is_locked) {
        for number in target.left() {
            end(inner, Some(number), tag).await;
        }
    }
    let error = error.unwrap_or_else(|| {
        Error::transient(format!("the state of target {:?} is locked by a commit that failed", target.name))
    });
    if !error.kind().is_retryable() {
        target.run.resolve(&commit.files);
        discard(inner, target, commit, own, tag).await;
    }
    Err(error.context("target", target.name.clone()))
}

/// Whether somebody held a lock for longer than anyone who is alive does.
fn is_locked(error: &Error) -> bool {
    error.context_value("code") == Some("000625")
}

/// Ends a transaction whose session is lost, so that it neither commits later nor holds its locks.
async fn end(inner: &Inner, number: Option<u64>, tag: &QueryTag) {
    let Some(number) = number else { return };
    if let Err(error) = inner.desk.run(state::abort(number), tag).await {
        // Ended by itself, as a rule.
        tracing::debug!(number, "the transaction was not aborted: {error:#}");
    }
}

/// The failure of a commit that another one was faster than.
async fn give_up(
    inner: &Inner,
    target: &Target,
    commit: &Commit,
    own: Option<&Name>,
    tag: &QueryTag,
) -> Error {
    target.forget();
    // It may be what this commit was planned by.
    if let Err(error) = inner.drop_copy(target).await {
        tracing::warn!(target_name = target.name, "the copy of the head was not removed: {error:#}");
    }
    target.run.resolve(&commit.files);
    discard(inner, target, commit, own, tag).await;
    Error::conflict(format!(
        "commit {} of target {:?} comes too late: another sync has committed",
        commit.sequence, target.name
    ))
    .hint("run one sync of a connection at a time; running it again is safe")
}

/// Removes the files of a commit that is not made, and the table that was made for it alone, on the way to a
/// failure that says more.
async fn discard(inner: &Inner, target: &Target, commit: &Commit, own: Option<&Name>, tag: &QueryTag) {
    if let Some(table) = own
        && let Err(error) = inner.desk.run(ddl::drop_table(table), tag).await
    {
        tracing::warn!(target_name = target.name, "{table} was not dropped: {error:#}");
        // Who finds the files will look for the table, too.
        return;
    }
    if let Err(error) = inner.area.remove_files(&target.key, &target.run, &commit.files).await {
        tracing::warn!(
            target_name = target.name,
            "files of a commit that was not made were not removed: {error:#}"
        );
    }
}

/// What follows a commit that stands. What fails here is done by a later sync.
async fn finish(
    inner: &Inner,
    target: &Target,
    commit: &Commit,
    stands: &Standing,
    load: &Load,
    tag: &QueryTag,
) {
    inner.desk.took(&commit.files);
    let is_latest = stands.sequence == commit.sequence;
    if is_latest {
        target.learn(stands);
        inner.keep_copy(target, stands).await;
        protocol::point!("snowflake.commit.copy_kept");
    }
    target.committed();
    for table in &load.worn {
        if let Err(error) = inner.desk.run(ddl::drop_table(table), tag).await {
            tracing::warn!(target_name = target.name, "{table} was not dropped: {error:#}");
            // A later sync that finds the files looks for tables, too.
            return;
        }
    }
    protocol::point!("snowflake.commit.dropped");
    if let Err(error) = inner.area.remove_files(&target.key, &target.run, &commit.files).await {
        tracing::warn!(target_name = target.name, "files that are loaded were not removed: {error:#}");
    }
}

#[cfg(test)]
mod tests;
