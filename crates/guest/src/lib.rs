//! The VMSnapshot extension: the part of Coffre that runs inside a protected machine.
//!
//! Whatever happens in here, two promises hold: no file system stays frozen, and every command ends with one final
//! status. See `docs/adr/2026-11-22-guest-processes.md` for the processes that keep them.

pub mod adopt;
pub mod blob;
pub mod channel;
pub mod cms;
pub mod code;
pub mod command;
pub mod conf;
pub mod enable;
pub mod environment;
mod events;
mod facts;
mod file;
pub mod freeze;
/// What the fuzzer calls.
#[cfg(any(test, fuzzing))]
#[path = "../fuzz/entries.rs"]
pub mod fuzz_entries;
mod hooks;
pub mod hostsvc;
mod identity;
pub mod json;
pub mod log;
pub mod net;
pub mod package;
mod point;
pub mod report;
pub mod reporter;
mod run;
pub mod scripts;
pub mod secret;
pub mod sequence;
pub mod settings;
pub mod supervise;
mod sys;
pub mod telemetry;
pub mod ticks;
pub mod upload;
mod window;
