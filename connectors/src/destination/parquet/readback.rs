//! What readers see of a target: the files that its commits name.

use futures::TryStreamExt;
use protocol::{CommittedFile, Result};

use super::head;
use super::layout::{Layout, checked};
use super::store::Store;

/// The files of all visible commits of the generation that stands, in their order.
pub(super) async fn visible(store: &Store, layout: &Layout) -> Result<Vec<CommittedFile>> {
    let Some(last) = head::find(store, layout).await?.head else { return Ok(Vec::new()) };
    let mut commits = std::pin::pin!(head::commits(store, layout, last.generation_start, last.sequence));
    let mut files = Vec::new();
    while let Some(commit) = commits.try_next().await? {
        if commit.is_visible() {
            commit.files.iter().try_for_each(|file| checked(&file.path).map(drop))?;
            files.extend(commit.files.into_iter().map(|file| CommittedFile::new(file, commit.sequence)));
        }
    }
    Ok(files)
}
