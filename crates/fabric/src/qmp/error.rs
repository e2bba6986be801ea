//! What can go wrong between us and QEMU, or the guest agent.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum QmpError {
    /// The socket could not be reached: nobody listens.
    #[error("connecting to {path}")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Somebody listens and does not greet: the socket serves another client, or QEMU hangs.
    #[error("{path} does not greet: another client may be connected")]
    NoGreeting {
        /// The socket.
        path: PathBuf,
    },
    /// Bytes could not be moved.
    #[error("talking over the socket")]
    Io(#[source] io::Error),
    /// The other side closed the connection: QEMU ended.
    #[error("the connection was closed")]
    Closed,
    /// The other side said what the protocol does not allow, or more than our limits.
    #[error("the protocol was broken: {0}")]
    Protocol(String),
    /// No answer in time. The command may still be carried out.
    #[error("{command} was not answered within {after:?}")]
    Timeout {
        /// The command.
        command: String,
        /// The limit.
        after: Duration,
    },
    /// The command was refused or failed.
    #[error("{command}: {description}")]
    Command {
        /// The command.
        command: String,
        /// The class of the error, such as `GenericError`.
        class: String,
        /// What the other side said.
        description: String,
    },
    /// The answer is not of the form that the command has.
    #[error("the answer to {command} is not understood")]
    Answer {
        /// The command.
        command: String,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

impl QmpError {
    /// Whether nobody listens on the socket: the process is gone.
    pub fn is_absent(&self) -> bool {
        match self {
            Self::Connect { source, .. } => {
                matches!(source.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
            }
            Self::Closed => true,
            _ => false,
        }
    }

    /// What the other side said when it refused a command.
    pub fn refusal(&self) -> Option<&str> {
        match self {
            Self::Command { description, .. } => Some(description),
            _ => None,
        }
    }
}
