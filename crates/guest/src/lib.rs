//! The VMSnapshot extension: the part of Coffre that runs inside a protected machine.
//!
//! Whatever happens in here, two promises hold: no file system stays frozen, and every command ends with one terminal
//! status. See `docs/adr/2026-11-22-guest-processes.md` for the processes that keep them.

pub mod freeze;
pub mod scripts;
mod sys;
