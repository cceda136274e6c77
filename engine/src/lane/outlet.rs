//! The engine's side of an emitter: charges large batches to the budget and waits while there is no room.

use std::sync::Arc;

use futures::FutureExt;
use futures::future::BoxFuture;
use protocol::{Error, ErrorKind, Event, Outlet, Result};
use tokio::sync::mpsc;

use crate::budget::{Budget, Charge, Share};

/// An event and the bytes it is charged with until it is dealt with.
pub(crate) struct Parcel {
    pub(crate) event: Event,
    pub(crate) charge: Option<Charge>,
}

pub(crate) struct LaneOutlet {
    sender: mpsc::Sender<Parcel>,
    budget: Arc<Budget>,
    share: Share,
}

impl LaneOutlet {
    pub(crate) fn new(sender: mpsc::Sender<Parcel>, budget: Arc<Budget>, share: Share) -> Self {
        Self { sender, budget, share }
    }

    /// Batches of the usual size are part of the lane's share; what is beyond is charged by itself.
    async fn charge(&self, event: &Event) -> Option<Charge> {
        let Event::Batch(batch) = event else { return None };
        let beyond = (batch.get_array_memory_size() as u64).saturating_sub(2 * self.share.batch_bytes);
        if beyond == 0 { None } else { Some(self.budget.spend_headroom(beyond).await) }
    }
}

impl Outlet for LaneOutlet {
    fn send(&mut self, event: Event) -> BoxFuture<'_, Result<()>> {
        async move {
            let charge = self.charge(&event).await;
            let gone = |_| Error::new(ErrorKind::Interrupted, "the lane has ended");
            self.sender.send(Parcel { event, charge }).await.map_err(gone)
        }
        .boxed()
    }

    fn batch_bytes(&self) -> usize {
        usize::try_from(self.share.batch_bytes).unwrap_or(usize::MAX)
    }
}
