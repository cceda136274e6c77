//! Runs a future to its end from any thread, inside a runtime or out of it.

use std::thread;

/// Blocks the calling thread until `future` is done. It runs on a thread and a runtime of its own,
/// so that starting and dropping parts works in plain functions, in async ones and in `Drop`.
pub(crate) fn wait<F>(future: F) -> F::Output
where
    F: Future + Send,
    F::Output: Send,
{
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime needs no more than a few file descriptors").block_on(future)
        });
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
