//! Freezing and thawing the file systems of this machine.
//!
//! A frozen file system stops everybody who writes to it, and nothing but a thaw helps: not the end of the process that
//! froze it, no signal, no time-out. So the freezing is done by processes that do nothing else:
//!
//! ```text
//! worker ──socket──> freezer ──socket──> watchdog
//! (any process)      freezes, thaws      thaws when the freezer ends or the ceiling is reached
//! ```
//!
//! - The *freezer* holds one open directory of each file system, freezes them innermost first and thaws in exact
//!   reverse. While anything is frozen it opens, writes, allocates and locks nothing. It thaws when told to, when the
//!   ceiling is reached, when the worker ends, and when the watchdog ends.
//! - The *watchdog* is forked from it before the first freeze, holds the same directories, and has one thread for each,
//!   so that a thaw that hangs holds up no other.
//! - The *worker* watches both, and thaws itself when both are gone or silent.
//! - What is frozen is written to a page of memory in `/run` that outlives all three: [`recover`] thaws by it.
//!
//! `docs/guest-freeze.md` says what follows for an administrator.

mod choose;
mod command;
mod freezer;
mod hurry;
mod mounts;
mod open;
mod prepare;
pub(crate) mod process;
mod recover;
mod result;
mod spec;
mod stack;
mod state;
mod watchdog;
mod wire;
mod worker;

pub use command::{is_verb, run};
pub use recover::{Recovery, recover};
pub use result::{FileSystem, FreezeCause, FreezeFailure, LeftOut, Stamp, Thawed};
pub use spec::{CEILING_MAX, FreezeSpec, STATE_FOLDER};
pub use worker::{Freezer, Frozen};

/// What the fuzzer calls.
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz {
    use super::wire::{EVENT_BYTES, Event, receive};
    use super::{FreezeSpec, choose, mounts, state};

    /// Words between the processes, and the note that they leave.
    pub(crate) fn words(bytes: &[u8]) {
        if let Some(words) = bytes.first_chunk::<EVENT_BYTES>() {
            assert_eq!(Event::from_bytes(words).to_bytes(), *words);
        }
        let _ = receive::<FreezeSpec>(bytes);
        let _ = serde_json::from_slice::<state::Session>(bytes);
    }

    /// Whatever is mounted, each file system is frozen once, and none that may hang.
    pub(crate) fn table(bytes: &[u8]) {
        let mounts = mounts::table(None, bytes);
        let stands_on = |mount: &mounts::Mount| vec![mount.source.clone()];
        let choice = choose::choose(&mounts, &FreezeSpec::default(), &stands_on);
        let mut seen = std::collections::BTreeSet::new();
        for candidate in &choice.freeze {
            assert!(seen.insert(candidate.device), "frozen twice");
            assert_eq!(choose::nature(&candidate.fs_type), choose::Nature::Freezable);
            assert!(!candidate.places.is_empty());
        }
    }
}
