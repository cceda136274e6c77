//! Waits for what a test needs, and gives up where it does not come.

use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_mins(1);
const STEP: Duration = Duration::from_millis(3);

/// Waits until `is_so`.
#[track_caller]
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::sleep(STEP);
    }
}

/// Waits until `is_so` answers with true.
pub(crate) async fn until_true(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        tokio::time::sleep(STEP).await;
    }
}
