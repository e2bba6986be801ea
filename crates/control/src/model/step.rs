//! Steps of jobs: which there are, what became of each, and what they found out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::point::Consistency;

/// A step of a job. Each is performed by a worker and safe to repeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    /// Backup 1: the point in time on the hypervisor. Undo: release it, keep the old bitmap.
    TakeSnapshot,
    /// Backup 2: blocks into the vault, the commit record last. Undo: delete the point there.
    TransferToVault,
    /// Backup 3: read back what was committed. Once done, the point counts.
    ValidatePoint,
    /// Backup 4: release the snapshot, drop the old bitmap.
    ReleaseSnapshot,
    /// Restore 1: room and targets. Undo: remove them.
    PrepareRestore,
    /// Restore 2: blocks out of the vault. Undo: remove what was written.
    TransferFromVault,
    /// Restore 3: read back what was written.
    ValidateRestore,
    /// Restore 4: put it where it belongs. Once done, the restore counts. Undo: put back what
    /// was there before.
    PublishRestore,
    /// Removes recovery points from the vault's store.
    DeletePoints,
    /// Starts the machine.
    StartMachine,
    /// Stops the machine.
    StopMachine,
    /// Asks every hypervisor what it has.
    DiscoverMachines,
}

impl Step {
    /// Its name as Azure shows it (`Take Snapshot`, `Transfer data to vault`, …).
    pub fn label(self) -> &'static str {
        match self {
            Self::TakeSnapshot => "Take Snapshot",
            Self::TransferToVault => "Transfer data to vault",
            Self::ValidatePoint => "Validate",
            Self::ReleaseSnapshot => "Release snapshot",
            Self::PrepareRestore => "Prepare target",
            Self::TransferFromVault => "Transfer data from vault",
            Self::ValidateRestore => "Validate",
            Self::PublishRestore => "Put in place",
            Self::DeletePoints => "Delete recovery points",
            Self::StartMachine => "Start virtual machine",
            Self::StopMachine => "Stop virtual machine",
            Self::DiscoverMachines => "Discover virtual machines",
        }
    }
}

/// What became of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepRecord {
    /// The step.
    pub step: Step,
    /// What became of it.
    pub status: StepStatus,
    /// When it was first begun.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StepStatus {
    /// Not begun.
    NotStarted,
    /// Begun; whether it had an effect is not known.
    InProgress,
    /// Done.
    Completed,
    /// Failed, but it did not matter for what counts.
    CompletedWithWarnings,
    /// Failed.
    Failed,
    /// Undone.
    Undone,
}

impl StepStatus {
    /// The word Azure uses in `tasksList`.
    pub fn azure(self) -> &'static str {
        match self {
            Self::NotStarted => "NotStarted",
            Self::InProgress => "InProgress",
            Self::Completed => "Completed",
            Self::CompletedWithWarnings => "CompletedWithWarnings",
            Self::Failed => "Failed",
            Self::Undone => "Cancelled",
        }
    }
}

/// What the steps of a job found out; each step fills its own field.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    /// Of [`Step::TakeSnapshot`].
    pub snapshot: Option<SnapshotFacts>,
    /// Of [`Step::TransferToVault`].
    pub transfer: Option<TransferFacts>,
    /// Of [`Step::PrepareRestore`].
    #[serde(default)]
    pub prepared: Option<PreparedFacts>,
    /// Of [`Step::PublishRestore`].
    pub restore: Option<RestoreFacts>,
}

/// What taking a snapshot found out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SnapshotFacts {
    /// How consistent the snapshot is.
    pub consistency: Consistency,
    /// Why.
    pub reason: String,
    /// How long the guest was frozen, in milliseconds; none when it was not.
    pub freeze_ms: Option<u64>,
    /// Who froze it, and when what happened; none when nobody did.
    #[serde(default)]
    pub freeze: Option<FreezeFacts>,
    /// When the snapshot was complete.
    pub taken: Timestamp,
    /// The disks in it.
    pub disks: Vec<SnapshotDiskFacts>,
    /// What the driver needs to make the machine again; no secrets.
    pub config: Value,
    /// What became of the copy beside the disks; none = none was asked for.
    #[serde(default)]
    pub local: Option<LocalFacts>,
}

/// What became of a copy of a point beside the disks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalFacts {
    /// Whether there is one.
    pub kept: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// What preparing a restore found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreparedFacts {
    /// The disks are rolled back to the copy beside them; nothing comes from the vault.
    pub from_copy: bool,
    /// Why not, though there should have been a copy, in words for people. It is no warning: what was asked for is done.
    #[serde(default)]
    pub doubt: Option<String>,
}

/// Who froze a guest, and when what happened by the clock of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeFacts {
    /// Who froze it, in words for people: the extension with its version, or the guest agent.
    pub by: String,
    /// When the guest was asked.
    pub asked: Timestamp,
    /// When it said that it is frozen.
    pub frozen: Timestamp,
    /// When the snapshot was complete.
    pub taken: Timestamp,
    /// When it said that it is thawed; none when it did not.
    pub thawed: Option<Timestamp>,
    /// The same by the clock of the guest; none when it does not tell.
    pub guest: Option<GuestTimes>,
}

/// What happened when by the clock of a guest, which may be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestTimes {
    /// The first file system began to freeze.
    pub started: Timestamp,
    /// The last one was frozen.
    pub frozen: Timestamp,
    /// The last one was thawed; none when it did not say so.
    pub thawed: Option<Timestamp>,
}

/// One disk of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotDiskFacts {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// How much changed since the last point, in bytes; none = not known.
    pub changed_bytes: Option<u64>,
    /// Why the changes are not known.
    pub unknown_reason: Option<String>,
}

/// What a transfer to the vault found out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TransferFacts {
    /// Bytes read from the disks.
    pub read_bytes: u64,
    /// Bytes that the vault did not have yet.
    pub new_bytes: u64,
    /// Bytes written to the vault's store.
    pub stored_bytes: u64,
    /// Why disks were read whole; none when only changes were read.
    pub read_reason: Option<String>,
}

/// What a restore made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreFacts {
    /// The files, disks first.
    pub files: Vec<RestoredFile>,
    /// Bytes written to the target.
    pub written_bytes: u64,
}

/// One restored file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredFile {
    /// Key of the disk; empty for a file that is no disk (the machine's configuration).
    pub disk: String,
    /// Where it is.
    pub path: String,
}
