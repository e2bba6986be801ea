//! A thread that runs ahead of others while a guest waits for it.

use rustix::process::{Pid, getpriority_process, setpriority_process};

/// Ahead of all that is ordinary.
const AHEAD: i32 = -20;

/// The calling thread runs ahead of others until this is dropped.
///
/// A guest stands still until three short messages have gone back and forth. On a busy host each of them would wait for a
/// processor; what the thread does in between takes a millisecond.
pub(crate) struct Hurry {
    thread: Pid,
    before: i32,
}

impl Hurry {
    /// `None` = this process may not; then all takes as long as it takes.
    pub(crate) fn begin() -> Option<Hurry> {
        // On Linux the priority of the «process» with the number of a thread is that of the thread alone.
        let thread = rustix::thread::gettid();
        let before = getpriority_process(Some(thread)).ok()?;
        setpriority_process(Some(thread), AHEAD).ok()?;
        Some(Hurry { thread, before })
    }
}

impl Drop for Hurry {
    fn drop(&mut self) {
        // A thread that has ended needs no priority.
        let _ = setpriority_process(Some(self.thread), self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_is_as_it_was_afterwards_and_others_never_were_different() {
        let mine = || getpriority_process(Some(rustix::thread::gettid())).unwrap();
        let before = mine();
        let main = rustix::process::getpid();
        let of_main = getpriority_process(Some(main)).unwrap();
        if let Some(hurry) = Hurry::begin() {
            assert_eq!(mine(), AHEAD);
            assert_eq!(getpriority_process(Some(main)).unwrap(), of_main);
            drop(hurry);
        }
        assert_eq!(mine(), before);
    }
}
