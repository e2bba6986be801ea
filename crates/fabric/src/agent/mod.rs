//! A client of the QEMU guest agent.
//!
//! The agent serves one request at a time over one channel; a request that was given up may still
//! be carried out. So each talk begins with a sync that throws away what is left of earlier ones.

mod client;
mod freeze;

pub use client::{AgentClient, ExecOutput};
pub(crate) use freeze::{FreezeOutcome, Thawed, freeze, thaw_until_thawed};
