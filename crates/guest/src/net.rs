//! HTTP as the peers of this handler expect it: one request for each connection, and every header just as it is written.

mod client;
mod message;
mod proxy;
mod sas;

pub use client::{Client, Connection, Stage, TransportError};
pub use message::{HEADERS_MAX, Request, Response, read_response};
#[cfg(any(test, fuzzing))]
pub(crate) use proxy::fuzz as proxy_fuzz;
pub use sas::Sas;

use std::time::Duration;

/// Longest time for one call to a blob.
pub const BLOB_TIMEOUT: Duration = Duration::from_secs(10);

/// Longest time for one call to the host.
pub const HOST_TIMEOUT: Duration = Duration::from_secs(40);
