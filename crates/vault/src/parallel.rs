//! Running the same work on several threads.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::VaultError;
use crate::inner::lock;

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

/// How many threads to take for work that also waits for a store or a disk, on so many cores: while some wait, every core
/// has one that computes. One stays one.
pub(crate) fn with_waiting(cores: usize) -> usize {
    if cores > 1 { cores + 2 } else { cores }
}

/// How many threads this machine runs at once, 1 to 32. Asked once: the answer takes a dozen system calls.
pub(crate) fn cores() -> usize {
    static CORES: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(2, usize::from).clamp(1, 32))
}

/// Does `work` for each item on that many threads; gives the results in the order of the items, or one of the errors,
/// after which nothing new is begun.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    threads: usize,
    items: &[T],
    work: impl Fn(&T) -> Result<R, VaultError> + Sync,
) -> Result<Vec<R>, VaultError> {
    let next = AtomicUsize::new(0);
    let done: Mutex<BTreeMap<usize, Result<R, VaultError>>> = Mutex::default();
    on_threads(threads.clamp(1, items.len().max(1)), || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(at) else { return };
            let result = work(item);
            if result.is_err() {
                next.store(items.len(), Ordering::Relaxed);
            }
            lock(&done).insert(at, result);
        }
    });
    std::mem::take(&mut *lock(&done)).into_values().collect()
}
