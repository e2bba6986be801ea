//! How far a step is, and whether it should stop: written by the threads that move blocks, read by
//! the heartbeat.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use coffre_control::model::Progress;
use coffre_engine::Watch;
use coffre_vault::Advance;

/// Progress of one step.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    total: AtomicU64,
    done: AtomicU64,
    read: AtomicU64,
    new: AtomicU64,
    stored: AtomicU64,
    stop: AtomicBool,
}

impl Meter {
    /// Asks the step to stop at the next convenient moment.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// How far the step is; `None` = it moves no blocks.
    pub(crate) fn progress(&self) -> Option<Progress> {
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let total_bytes = load(&self.total);
        (total_bytes > 0).then(|| Progress {
            // Ranges are rounded to blocks, so that a little more than the plan may be done.
            done_bytes: load(&self.done).min(total_bytes),
            total_bytes,
            read_bytes: load(&self.read),
            new_bytes: load(&self.new),
            stored_bytes: load(&self.stored),
        })
    }
}

impl Watch for Meter {
    fn planned(&self, total_bytes: u64) {
        for counter in [&self.done, &self.read, &self.new, &self.stored] {
            counter.store(0, Ordering::Relaxed);
        }
        self.total.store(total_bytes, Ordering::Relaxed);
    }

    fn advance(&self, done: Advance) {
        let add = |counter: &AtomicU64, bytes: u64| counter.fetch_add(bytes, Ordering::Relaxed);
        add(&self.done, done.done_bytes);
        add(&self.read, done.read_bytes);
        add(&self.new, done.new_bytes);
        add(&self.stored, done.stored_bytes);
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}
