//! A client of QEMU's machine protocol (QMP), which the guest agent's protocol shares in form.
//!
//! [`codec`] is the protocol without any input or output. [`client`] moves the bytes over a Unix
//! socket; many threads share one client, because QEMU's socket serves one connection at a time.
//! `command` has the commands that we use with their types. Source: QEMU's documents
//! `docs/interop/qmp-spec` and the QAPI schema.

pub mod client;
pub mod codec;
pub(crate) mod command;

mod error;

pub use client::{EventStream, QmpClient};
pub use codec::Event;
pub use error::QmpError;
