//! How long a snapshot is read in: it holds back vacuum in the whole database meanwhile.

use std::sync::Arc;

use super::super::snapshot::{Snapshot, locked};
use super::Sessions;

impl Sessions {
    /// Whether a part for `target` that can do without is to be read in the snapshot `id`: it is there, and
    /// not too old. One that nothing else is left to be read in ends here.
    pub(in super::super) async fn serves(&self, id: &str, target: &str) -> bool {
        let Some(snapshot) = self.kept(id).filter(|snapshot| !snapshot.is_lost()) else { return false };
        if self.max_snapshot_age.is_zero() || snapshot.age() < self.max_snapshot_age {
            return true;
        }
        self.retire(id).await;
        let left = snapshot.left();
        snapshot.plan(target, 0);
        if snapshot.left() < left {
            let age_s = snapshot.age().as_secs();
            tracing::info!(target, age_s, "the snapshot is too old: the rest is read in others");
        }
        if snapshot.left() == 0 {
            self.let_go(id, &snapshot);
        }
        false
    }

    /// Ends the sessions of a snapshot but for those that are reading in it, which end when they have.
    fn let_go(&self, id: &str, snapshot: &Arc<Snapshot>) {
        snapshot.lose();
        locked(&self.snapshots).remove(id);
        locked(&self.idle).retain(|reader| reader.inside.as_deref() != Some(id));
    }
}
