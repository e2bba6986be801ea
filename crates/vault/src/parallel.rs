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

/// How many threads this machine runs at once, 1 to 32. Asked once: the answer takes a dozen system calls.
pub(crate) fn cores() -> usize {
    static CORES: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 32))
}
