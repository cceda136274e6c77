//! Rows that say that a row is deleted: the last values that it had, and since when it is known to be
//! gone. They are staged pass by pass and committed once, at the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use chrono::{DateTime, Utc};
use protocol::{
    Commit, CommitId, ConfiguredStream, DriftPolicy, Error, Prepared, Result, Stage, StagedFile, SyncId,
    WriteMode,
};

use super::columns::deleted_at_columns;
use super::image::Place;
use super::target::Target;
use crate::budget::Share;
use crate::conform::{Conform, deleted_at_field, is_added, is_deleted_at, widen};
use crate::retry::retrying;
use crate::stream::Context;
use crate::write::{FileSettings, FileWriter, Folders};
use crate::{Count, Stop, clock};

/// The column that marks deleted rows, where no other name is configured.
const DELETED_AT: &str = "_tidegate_deleted_at";
/// Files that are open at once: rows come folder by folder as a rule, and each open one takes memory.
const OPEN_FILES: usize = 4;

/// Tombstones on their way to a target.
pub(super) struct Tombstones {
    prepared: Prepared,
    /// What rows had, but for the columns that tidegate adds: those are new in a tombstone.
    kept: SchemaRef,
    conform: Conform,
    settings: FileSettings,
    folders: Folders,
    sync: SyncId,
    open: BTreeMap<Option<String>, FileWriter>,
    staged: Vec<StagedFile>,
    pub(super) rows: u64,
}

/// Makes the target ready: it gets the column that marks deleted rows, if it has none.
pub(super) async fn prepare(
    context: &Context,
    stream: &ConfiguredStream,
    schema: &Schema,
) -> Result<Prepared> {
    let mut fields = schema.fields().to_vec();
    if deleted_at_columns(schema).is_empty() {
        let name = context.config.metadata.deleted_at.as_deref().unwrap_or(DELETED_AT);
        if schema.field_with_name(name).is_ok() {
            return Err(Error::config(format!(
                "column {name:?} is the source's, and can't mark deleted rows"
            ))
            .context("column", name)
            .hint("choose another name under `metadata: {deleted_at: …}`"));
        }
        fields.push(Arc::new(deleted_at_field(name)));
    }
    let schema: SchemaRef = Arc::new(Schema::new(fields));
    // What `freeze` is to keep away are changes of the source.
    let stream = ConfiguredStream { on_drift: DriftPolicy::Evolve, ..stream.clone() };
    let retries = Count::default();
    retrying(context.config.patience(), &context.stop, &retries, || {
        context.destination.prepare(&stream, &schema)
    })
    .await
}

impl Tombstones {
    /// Tombstones of rows that are found deleted `at` this time.
    pub(super) fn new(
        context: &Context,
        stream: &ConfiguredStream,
        prepared: Prepared,
        share: Share,
        at: DateTime<Utc>,
    ) -> Self {
        prepared.stage.claim();
        let target = &prepared.schema;
        let is_kept = |field: &&Arc<arrow_schema::Field>| {
            !is_deleted_at(field) && !is_added(&context.config.metadata, field.name())
        };
        let kept =
            target.fields().iter().filter(is_kept).map(|field| field.as_ref().clone().with_nullable(true));
        let kept: SchemaRef = Arc::new(Schema::new(kept.collect::<Vec<_>>()));
        // The sync that is unfinished, if one is, goes on as if nothing had happened.
        let unfinished = prepared.head.state.unfinished.as_ref();
        let sync = unfinished.map_or_else(SyncId::new, |unfinished| unfinished.sync);
        let rows = ConfiguredStream { schema: Arc::clone(&kept), ..stream.clone() };
        let conform = Conform::new(&rows, &context.config.metadata, Arc::clone(target), sync, at).deleted(at);
        let options = prepared.stage.options();
        let added = [context.config.metadata.names(), deleted_at_columns(target)].concat();
        let settings =
            FileSettings::new(Arc::clone(target), options.compression, share.row_group_bytes).added(&added);
        let folders = Folders::new(options.folder_by.clone(), at);
        let (open, staged) = (BTreeMap::new(), Vec::new());
        Self { prepared, kept, conform, settings, folders, sync, open, staged, rows: 0 }
    }

    /// Stages tombstones of the rows at `places`.
    pub(super) async fn bury(&mut self, target: &Target<'_>, places: &[Place]) -> Result<()> {
        target.rows(places, None, async |rows| self.write(&rows).await).await
    }

    async fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        let count = rows.num_rows() as u64;
        let column = |field: &Arc<arrow_schema::Field>| match rows.column_by_name(field.name()) {
            Some(column) => widen(column, field),
            None => Ok(arrow_array::new_null_array(field.data_type(), rows.num_rows())),
        };
        let columns = self.kept.fields().iter().map(column).collect::<Result<Vec<_>>>()?;
        let kept = RecordBatch::try_new(Arc::clone(&self.kept), columns)
            .map_err(|error| Error::internal("rows do not fit the target's schema").with_source(error))?;
        for (folder, part) in self.folders.split(self.conform.apply(&kept)?)? {
            if !self.open.contains_key(&folder) && self.open.len() >= OPEN_FILES {
                self.close().await?;
            }
            let mut file = match self.open.remove(&folder) {
                Some(file) => file,
                None => FileWriter::create(&self.settings, self.stage(), folder.as_deref()).await?,
            };
            let written = file.write(&part).await;
            let is_full = file.bytes() >= self.stage().options().target_bytes;
            // Also a file that failed is kept: it is thrown away with the others.
            self.open.insert(folder, file);
            written?;
            if is_full {
                self.close().await?;
            }
        }
        self.rows += count;
        Ok(())
    }

    fn stage(&self) -> &dyn Stage {
        self.prepared.stage.as_ref()
    }

    async fn close(&mut self) -> Result<()> {
        while let Some((_, file)) = self.open.pop_first() {
            self.staged.push(file.finish().await?);
        }
        Ok(())
    }

    /// Commits what was staged, if there is any, and returns the number of the commit. The state stays
    /// what it was: a sync neither reads a row again nor leaves one out for it.
    pub(super) async fn commit(
        &mut self,
        context: &Context,
        stream: &ConfiguredStream,
    ) -> Result<Option<u64>> {
        self.close().await?;
        if self.staged.is_empty() {
            return Ok(None);
        }
        protocol::point!("tombstone.staged");
        let head = &self.prepared.head;
        let commit = Commit {
            id: CommitId::new(),
            sequence: head.sequence + 1,
            sync: self.sync,
            connection: stream.connection.clone(),
            files: std::mem::take(&mut self.staged),
            ends_sync: head.state.unfinished.is_none(),
            state: head.state.clone(),
            schema: Arc::clone(&self.prepared.schema),
            write_mode: WriteMode::Append,
            at: clock::now(),
        };
        // A commit under way is not given up for a signal: its outcome would stay unknown.
        let retries = Count::default();
        let head = retrying(context.config.patience(), &Stop::default(), &retries, || {
            context.destination.commit(&stream.target, &commit)
        })
        .await?;
        protocol::point!("tombstone.committed");
        Ok(Some(head.sequence))
    }

    /// Throws away what is staged and not committed, and leaves the target to others.
    pub(super) async fn end(mut self) {
        let abandoned = std::mem::take(&mut self.open).into_values().map(FileWriter::abandon);
        let mut results = futures::future::join_all(abandoned).await;
        if !self.staged.is_empty() {
            results.push(self.stage().discard(&self.staged).await);
        }
        for error in results.into_iter().filter_map(Result::err) {
            // Nothing that was left aside is ever visible; a later clean-up finds it.
            tracing::warn!(error = format!("{error:#}"), "staged files could not be removed");
        }
        self.stage().release().await;
    }
}
