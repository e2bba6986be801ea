//! A client of the NBD protocol (newstyle, fixed handshake, structured replies, meta contexts).
//!
//! [`handshake`] and [`reply`] are the protocol without any input or output: bytes in, facts out,
//! at any split of the bytes; every length that a server sends has a limit. [`client`] moves the
//! bytes over a Unix socket. Source: the NBD protocol document, `doc/proto.md` of the NBD project.

pub mod client;
pub mod handshake;
pub mod reply;
pub mod wire;

mod error;

pub use client::{ConnectSpec, NbdClient};
pub use error::NbdError;
pub use handshake::{Export, MetaContext};
pub use reply::StatusExtent;

/// Meta context that tells holes and zeros.
pub const CONTEXT_ALLOCATION: &str = "base:allocation";

/// Meta context of a dirty bitmap that QEMU exports.
pub fn bitmap_context(bitmap: &str) -> String {
    format!("qemu:dirty-bitmap:{bitmap}")
}
