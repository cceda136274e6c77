//! What readers see of a target: the files that its commits name.

use protocol::{CommittedFile, Result};

use super::layout::Layout;
use super::store::Store;
use super::{checkpoint, head};

/// The files of all visible commits of the generation that stands, in their order.
pub(super) async fn visible(store: &Store, layout: &Layout) -> Result<Vec<CommittedFile>> {
    match head::find(store, layout).await?.head {
        Some(last) => checkpoint::files(store, layout, &last).await,
        None => Ok(Vec::new()),
    }
}
