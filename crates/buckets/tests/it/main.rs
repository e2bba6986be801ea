//! Stores that are reached over HTTP, against emulators of S3 and Azure Blob on this machine.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

#[path = "../../../vault/tests/it/contract.rs"]
mod contract;
mod emulator;
mod journey;
mod liar;
mod locks;
mod stores;
