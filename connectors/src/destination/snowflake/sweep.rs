//! The end of a sync of one target: what killed syncs left is removed.
//!
//! Files and tables bear the number of the first commit that they can be part of. Once this process has
//! made that commit, nobody else can commit them any more. Their owner may still be at work: it will fail.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{FileOptions, Result, Stage, StagedFile, StagedWriter};

use super::Inner;
use super::client::QueryTag;
use super::sql::ddl;
use super::stage::parse_folder;
use super::target::Target;

/// A target's stage, which cleans up at the end.
pub(super) struct SweptStage {
    pub(super) inner: Arc<Inner>,
    pub(super) target: Arc<Target>,
    pub(super) stage: Box<dyn Stage>,
}

impl Stage for SweptStage {
    fn options(&self) -> &FileOptions {
        self.stage.options()
    }

    fn buffer_bytes(&self) -> usize {
        self.stage.buffer_bytes()
    }

    fn create<'a>(&'a self, folder: Option<&'a str>) -> BoxFuture<'a, Result<Box<dyn StagedWriter>>> {
        self.stage.create(folder)
    }

    fn discard<'a>(&'a self, files: &'a [StagedFile]) -> BoxFuture<'a, Result<()>> {
        self.stage.discard(files)
    }

    fn claim(&self) {
        self.stage.claim();
    }

    fn release(&self) -> BoxFuture<'_, ()> {
        async move {
            self.stage.release().await;
            // Who has not committed knows of nothing that is in vain.
            if !self.target.take_committed() {
                return;
            }
            if let Err(error) = self.inner.sweep(&self.target).await {
                tracing::warn!(
                    target_name = self.target.name,
                    "what other syncs left was not removed: {error:#}"
                );
            }
        }
        .boxed()
    }
}

impl Inner {
    async fn sweep(&self, target: &Target) -> Result<()> {
        let Some(standing) = target.known() else { return Ok(()) };
        let last = standing.sequence;
        let prefix = format!("{}/", target.key);
        let mut folders: Vec<String> = Vec::new();
        for file in self.area.list(&prefix).await? {
            let inside = file.path.split_once(&prefix).map_or("", |(_, inside)| inside);
            let Some((folder, _)) = inside.split_once('/') else { continue };
            let is_left = parse_folder(folder)
                .is_some_and(|(sequence, run)| run != target.run.id() && sequence <= last);
            if is_left && !folders.iter().any(|known| known == folder) {
                folders.push(folder.to_owned());
            }
        }
        if folders.is_empty() {
            return Ok(());
        }
        // Whoever left files may have left a table: it is dropped before its files are removed.
        self.sweep_tables(target, last).await?;
        for folder in folders {
            self.area.remove(&format!("{prefix}{folder}/")).await?;
        }
        Ok(())
    }

    async fn sweep_tables(&self, target: &Target, last: u64) -> Result<()> {
        let tag = QueryTag::new("").with("target", &target.name);
        let own = self.state_table(target);
        let start = format!("L_{}_", target.key);
        let pending = target
            .known()
            .and_then(|standing| Some(standing.record?.pending.as_ref()?.table.object.name().to_owned()));
        let answer = self.desk.run(ddl::show_tables(&own, &start), &tag).await?;
        for row in 0..answer.rows.len() {
            let Some(name) = answer.get(row, "name") else { continue };
            let sequence = name.strip_prefix(&start).and_then(|rest| rest.split_once('_'));
            let sequence = sequence.and_then(|(sequence, _)| sequence.parse::<u64>().ok());
            if sequence.is_some_and(|sequence| sequence <= last) && pending.as_deref() != Some(name) {
                self.desk.run(ddl::drop_table(&own.beside(name)), &tag).await?;
            }
        }
        Ok(())
    }
}
