//! Running the same work on several threads.

use std::thread;

/// Runs `work` on that many threads at once and waits for all. With one, it runs on the caller's thread.
pub(crate) fn on_threads(threads: usize, work: impl Fn() + Sync) {
    if threads <= 1 {
        return work();
    }
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(&work);
        }
    });
}
