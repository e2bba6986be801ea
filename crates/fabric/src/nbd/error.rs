//! What can go wrong between us and an NBD server.

use std::io;
use std::path::PathBuf;

/// What went wrong. After any error but [`NbdError::Server`], [`NbdError::OutOfRange`],
/// [`NbdError::NoContext`] and [`NbdError::Unsupported`] the connection cannot be used any more.
#[derive(Debug, thiserror::Error)]
pub enum NbdError {
    /// The socket could not be reached.
    #[error("connecting to {path}")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Bytes could not be moved, or not in time.
    #[error("talking to the NBD server")]
    Io(#[source] io::Error),
    /// The server closed the connection.
    #[error("the NBD server closed the connection")]
    Closed,
    /// An earlier error made the connection useless.
    #[error("the connection to the NBD server broke earlier")]
    Broken,
    /// The server said what the protocol does not allow, or more than our limits.
    #[error("the NBD server broke the protocol: {0}")]
    Protocol(String),
    /// The server refused the export or an option.
    #[error("the NBD server refused {what}: {message} (code {code:#x})")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// What the server said about it; may be empty.
        message: String,
        /// The protocol's code.
        code: u32,
    },
    /// The export has no such meta context.
    #[error("the NBD export has no map {0}")]
    NoContext(String),
    /// The server could not do what was asked. The connection goes on.
    #[error("the NBD server failed to {command}: {message} (errno {errno})")]
    Server {
        /// What was asked.
        command: &'static str,
        /// The protocol's error number: those of Linux.
        errno: u32,
        /// What the server said about it; may be empty.
        message: String,
    },
    /// A range that does not lie inside the export.
    #[error("the range {offset}+{length} is outside of the export of {size_bytes} bytes")]
    OutOfRange {
        /// First byte.
        offset: u64,
        /// Number of bytes.
        length: u64,
        /// Size of the export.
        size_bytes: u64,
    },
    /// The export does not offer this command.
    #[error("the NBD export does not offer {0}")]
    Unsupported(&'static str),
}
