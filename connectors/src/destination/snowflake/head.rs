//! Where a target stands: its row, which is the truth, and the copy on the stage, which costs no warehouse.
//!
//! The copy is written after a commit and removed before the next one begins, so one that is there is the
//! row, as a rule. Where it is not, as after a process was paused in between, a plan is made from an older
//! state, and its commit fails: the row's number is another. That commit removes the copy.

use std::sync::Arc;

use bytes::Bytes;
use protocol::{Error, Result};

use super::Inner;
use super::client::{Answer, QueryTag};
use super::desk::{found, is_missing};
use super::record::{Record, Standing};
use super::sql::{ddl, state};
use super::target::Target;

impl Inner {
    fn copy_path(target: &Target) -> String {
        format!("{}/head.json", target.key)
    }

    /// What the copy says; `None` where there is none that can be believed.
    pub(super) async fn copy(&self, target: &Target) -> Result<Option<Standing>> {
        let path = Self::copy_path(target);
        let Some(Some(bytes)) = found(self.area.get(&path).await)? else { return Ok(None) };
        let read = std::str::from_utf8(&bytes).ok().and_then(|text| Record::read(text, &path).ok());
        // One of another target would be its row as well: let that tell.
        let mine = read.filter(|record| record.target == target.name && record.table == target.table);
        Ok(mine.map(|record| Standing { sequence: record.head.sequence, record: Some(Arc::new(record)) }))
    }

    /// Writes the copy. What fails here costs the next sync a look at the row.
    pub(super) async fn keep_copy(&self, target: &Target, standing: &Standing) {
        let Some(record) = &standing.record else { return };
        let text = Bytes::from(record.text());
        if let Err(error) = self.area.put(&Self::copy_path(target), &text).await {
            tracing::warn!(target_name = target.name, "the copy of the head was not written: {error:#}");
        }
    }

    pub(super) async fn drop_copy(&self, target: &Target) -> Result<()> {
        found(self.area.remove(&Self::copy_path(target)).await).map(drop)
    }

    /// Notes which transaction is open, so that another process can end it if this one dies, and those that
    /// others left. What fails here makes that one wait for longer.
    pub(super) async fn keep_transaction(&self, target: &Target, number: u64) {
        let numbers = target.left().into_iter().chain([number]);
        let text = numbers.map(|number| number.to_string()).collect::<Vec<_>>().join(" ");
        if let Err(error) = self.area.put(&Self::transaction_path(target), &Bytes::from(text)).await {
            tracing::warn!(target_name = target.name, "the transaction's number was not written: {error:#}");
        }
    }

    /// The last transactions that somebody noted. They have ended, as a rule.
    pub(super) async fn kept_transactions(&self, target: &Target, tag: &QueryTag) -> Result<Vec<u64>> {
        const MOST: usize = 4;
        match self.area.get(&Self::transaction_path(target)).await {
            Ok(bytes) => {
                let bytes = bytes.unwrap_or_default();
                let text = String::from_utf8_lossy(&bytes);
                let mut numbers: Vec<u64> =
                    text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
                numbers.drain(..numbers.len().saturating_sub(MOST));
                Ok(numbers)
            }
            // Somebody dropped the stage.
            Err(error) if self.is_stage_ours && is_missing(&error) => {
                let stage = self.places.own(super::STAGE);
                self.create(&ddl::create_stage(&stage), &stage.place(), tag).await?;
                Ok(Vec::new())
            }
            Err(error) => {
                tracing::warn!(target_name = target.name, "no transaction's number can be read: {error:#}");
                Ok(Vec::new())
            }
        }
    }

    fn transaction_path(target: &Target) -> String {
        format!("{}/transaction", target.key)
    }

    /// What the row says; `None` where there is no such table.
    pub(super) async fn row(&self, target: &Target, tag: &QueryTag) -> Result<Option<Standing>> {
        let table = self.state_table(target);
        let Some(answer) = found(self.desk.compute(state::read(&table), tag).await)? else {
            return Ok(None);
        };
        standing(&answer, &table.to_string()).map(Some)
    }

    /// The same, and makes the row where there is none.
    pub(super) async fn ensured_row(&self, target: &Target, tag: &QueryTag) -> Result<Standing> {
        if let Some(standing) = self.row(target, tag).await? {
            return Ok(standing);
        }
        let table = self.state_table(target);
        if self.is_stage_ours {
            self.create(&ddl::create_stage(&self.places.own(super::STAGE)), &table.place(), tag).await?;
        }
        self.create(&state::create(&table, &target.table), &table.place(), tag).await?;
        self.row(target, tag).await?.ok_or_else(|| Error::internal(format!("{table} was made and is gone")))
    }

    /// Runs a CREATE, and makes its schema first where that is missing: the right to make schemas is
    /// needed then only.
    pub(super) async fn create(&self, sql: &str, place: &str, tag: &QueryTag) -> Result<()> {
        if found(self.desk.compute(sql.to_owned(), tag).await)?.is_some() {
            return Ok(());
        }
        self.desk.run(ddl::create_schema(place), tag).await?;
        self.desk.compute(sql.to_owned(), tag).await.map(drop)
    }
}

fn standing(answer: &Answer, place: &str) -> Result<Standing> {
    let damaged = |what: &str| {
        Error::data(format!("{place} {what}")).hint(
            "only tidegate writes it: restore it (`UNDROP`, Time Travel), or give the stream a new `target`",
        )
    };
    if answer.rows.len() != 1 {
        return Err(damaged(&format!("has {} rows, and should have one", answer.rows.len())));
    }
    let sequence = answer.get(0, "SEQUENCE").and_then(|text| text.parse().ok());
    let sequence: u64 = sequence.ok_or_else(|| damaged("has no number of a commit"))?;
    let record = match answer.get(0, "RECORD") {
        None if sequence == 0 => None,
        None => return Err(damaged("has no record")),
        Some(text) => Some(Arc::new(Record::read(text, place)?)),
    };
    if record.as_ref().is_some_and(|record| record.head.sequence != sequence) {
        return Err(damaged("has the record of another commit"));
    }
    Ok(Standing { sequence, record })
}
