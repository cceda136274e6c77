//! How a sync is asked to stop.

use tokio::sync::watch;

/// Asks a sync to stop: it reads no further, commits what is complete and ends.
#[derive(Debug, Clone)]
pub struct Stop(watch::Sender<bool>);

impl Default for Stop {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stop {
    /// Asks. Asking twice is asking once.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// Whether somebody asked.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until somebody asks.
    pub async fn requested(&self) {
        let mut changes = self.0.subscribe();
        // The sender lives in `self`, so waiting can only end by the request.
        let _ = changes.wait_for(|requested| *requested).await;
    }
}
