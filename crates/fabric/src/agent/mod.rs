//! A client of the QEMU guest agent.
//!
//! The agent serves one request at a time over one channel; a request that was given up may still
//! be carried out. So each talk begins with a sync that throws away what is left of earlier ones.

mod client;
mod exec;
mod file;
mod freeze;
mod guard;

pub use client::AgentClient;
pub use exec::ExecOutput;
pub(crate) use file::GuestFile;
pub(crate) use freeze::{FreezeOutcome, Frozen, Thawed, freeze, thaw_until_thawed};
