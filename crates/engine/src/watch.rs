//! Who looks on while blocks move, and may stop it.

use std::sync::atomic::{AtomicBool, Ordering};

use coffre_vault::{Advance, Progress};

/// Hears about progress and may ask to stop. Called from several threads.
pub trait Watch: Sync {
    /// The step will pass this many bytes. Called once a step, before the first advance; called
    /// again when the plan had to change.
    fn planned(&self, total_bytes: u64);

    /// Takes note of what was done since the last call.
    fn advance(&self, done: Advance);

    /// Whether to stop at the next convenient moment.
    fn cancelled(&self) -> bool;
}

/// Listens to nothing and never stops anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn planned(&self, _total_bytes: u64) {}

    fn advance(&self, _done: Advance) {}

    fn cancelled(&self) -> bool {
        false
    }
}

/// Lets the vault speak to a [`Watch`], and passes the crash point in the middle of the work.
pub(crate) struct Passed<'a> {
    watch: &'a dyn Watch,
    middle: &'static str,
    begun: AtomicBool,
}

impl<'a> Passed<'a> {
    pub(crate) fn new(watch: &'a dyn Watch, middle: &'static str) -> Passed<'a> {
        Passed { watch, middle, begun: AtomicBool::new(false) }
    }
}

impl Progress for Passed<'_> {
    fn advance(&self, done: Advance) {
        self.watch.advance(done);
        if self.begun.swap(true, Ordering::Relaxed) {
            crate::crash::here(self.middle);
        }
    }

    fn cancelled(&self) -> bool {
        self.watch.cancelled()
    }
}
