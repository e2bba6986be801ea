//! The steps of the engine on a machine and a store in memory.
#![allow(clippy::unwrap_used)] // In a test a panic is the report.

mod backup;
mod local;
mod restore;
mod world;
