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
