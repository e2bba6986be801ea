//! What can go wrong, as a person must understand it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use uuid::Uuid;

use crate::nbd::NbdError;
use crate::qmp::QmpError;

/// Result of this room.
pub type Result<T, E = FabricError> = std::result::Result<T, E>;

/// What went wrong. The text reads after "failed to …:" and never repeats its source.
#[derive(Debug, thiserror::Error)]
pub enum FabricError {
    /// The configuration cannot be used.
    #[error("the configuration of machines is wrong: {0}")]
    Config(String),
    /// No machine has this id.
    #[error("no machine with the id {0} is known")]
    UnknownMachine(Uuid),
    /// The machine has no such disk.
    #[error("the machine {machine} has no disk {disk}")]
    UnknownDisk {
        /// Name of the machine.
        machine: String,
        /// Key of the disk.
        disk: String,
    },
    /// The image of a disk is not there.
    #[error("the image {path} of disk {disk} of the machine {machine} is missing")]
    DiskMissing {
        /// Name of the machine.
        machine: String,
        /// Key of the disk.
        disk: String,
        /// Where it should be.
        path: PathBuf,
    },
    /// Coffre does not start and stop this machine.
    #[error("the machine {0} is not managed by Coffre: start and stop it where it is run")]
    NotManaged(String),
    /// It must be off for this.
    #[error("the machine {0} must be off for this")]
    NotStopped(String),
    /// It must run for this.
    #[error("the machine {0} is off")]
    NotRunning(String),
    /// QEMU did not start.
    #[error("the machine {machine} did not start: {output}")]
    StartFailed {
        /// Name of the machine.
        machine: String,
        /// What QEMU said.
        output: String,
    },
    /// Another point of the machine is still open.
    #[error("the machine {machine} still has the snapshot {point}: release it first")]
    SnapshotExists {
        /// Name of the machine.
        machine: String,
        /// The point that lives.
        point: Uuid,
    },
    /// The point is gone or was not whole all the time: it must be taken again.
    #[error("the snapshot {point} of the machine {machine} broke: {reason}")]
    SnapshotLost {
        /// Name of the machine.
        machine: String,
        /// The point.
        point: Uuid,
        /// Why, in words.
        reason: String,
    },
    /// Too little room for what the guest overwrites while the point is read.
    #[error(
        "the scratch folder {folder} has {free_bytes} bytes free, at least {need_bytes} are needed"
    )]
    ScratchFull {
        /// The folder.
        folder: PathBuf,
        /// What is free, in bytes.
        free_bytes: u64,
        /// What must be free to begin, in bytes.
        need_bytes: u64,
    },
    /// A QEMU process has one NBD server, and somebody else runs it.
    #[error("somebody else runs the NBD server of the machine {0}")]
    NbdServerBusy(String),
    /// It took too long.
    #[error("{doing} took longer than {after:?}")]
    Timeout {
        /// What was tried, as "…ing".
        doing: String,
        /// The limit.
        after: Duration,
    },
    /// QEMU could not be asked, or refused.
    #[error("asking QEMU of the machine {machine}")]
    Qmp {
        /// Name of the machine.
        machine: String,
        /// Why.
        #[source]
        source: QmpError,
    },
    /// The guest agent could not be asked, or refused.
    #[error("asking the guest agent of the machine {machine}")]
    Agent {
        /// Name of the machine.
        machine: String,
        /// Why.
        #[source]
        source: QmpError,
    },
    /// The machine has no channel for a guest agent, or nobody answers on it.
    #[error("no guest agent answers in the machine {0}")]
    AgentSilent(String),
    /// A disk could not be read or written over NBD.
    #[error("moving data of the disk {disk}")]
    Nbd {
        /// Key of the disk, or path of the image.
        disk: String,
        /// Why.
        #[source]
        source: NbdError,
    },
    /// The copy of a point beside the disks is missing or cannot be used.
    #[error("the snapshot of point {point} in the images cannot be used: {reason}")]
    LocalCopyUnusable {
        /// The point.
        point: Uuid,
        /// Why, in words.
        reason: String,
    },
    /// An earlier restore's old image was neither confirmed nor put back.
    #[error("the old image {0} of an earlier restore is still kept")]
    OldImageKept(PathBuf),
    /// A tool of QEMU failed.
    #[error("{program} failed: {output}")]
    Tool {
        /// Name of the program.
        program: &'static str,
        /// What it said.
        output: String,
    },
    /// The operating system refused something.
    #[error("{doing} {path}")]
    Io {
        /// What was tried, as "…ing".
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl FabricError {
    /// For `map_err`: an operating system error with what was tried on which path.
    pub(crate) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }

    /// Whether QEMU or a tool of it was asked and said no.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            Self::Qmp { source, .. } => source.refusal().is_some(),
            other => matches!(other, Self::Tool { .. }),
        }
    }

    /// The error with its causes.
    pub(crate) fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        text
    }

    /// Whether the same call may well succeed later with nothing done about it.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::SnapshotLost { .. }
            | Self::LocalCopyUnusable { .. }
            | Self::ScratchFull { .. }
            | Self::NbdServerBusy(_)
            | Self::Qmp { .. }
            | Self::Agent { .. }
            | Self::AgentSilent(_)
            | Self::Nbd { .. }
            | Self::Timeout { .. } => true,
            Self::Config(_)
            | Self::UnknownMachine(_)
            | Self::UnknownDisk { .. }
            | Self::DiskMissing { .. }
            | Self::NotManaged(_)
            | Self::NotStopped(_)
            | Self::NotRunning(_)
            | Self::StartFailed { .. }
            | Self::SnapshotExists { .. }
            | Self::OldImageKept(_)
            | Self::Tool { .. }
            | Self::Io { .. } => false,
        }
    }
}
