//! Job: a long-running piece of work, as a row. What may happen to it next is in [`crate::job`].

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::ErrorCode;
use crate::id::{ItemId, JobId, PointId, VaultId, VmId};
use crate::model::step::{Facts, StepRecord};

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Identity.
    pub id: JobId,
    /// The vault it belongs to; none for work on machines.
    pub vault: Option<VaultId>,
    /// The item it works on.
    pub item: Option<ItemId>,
    /// The VM it works on.
    pub vm: Option<VmId>,
    /// What people call the thing it works on.
    pub name: String,
    /// What it does.
    pub kind: JobKind,
    /// Where it is.
    pub state: JobState,
    /// Running: index of the step to do. Unwinding: how many steps are still to be undone.
    pub cursor: u16,
    /// What became of each step, in order; as long as the list of steps of its kind.
    pub steps: Vec<StepRecord>,
    /// How often the step at the cursor failed and was put off.
    pub attempt: u16,
    /// Who works on it.
    pub lease: Option<Lease>,
    /// Number of the last lease that was given out; 0 = none yet.
    pub epoch: u64,
    /// How often it began again from its first step.
    #[serde(default)]
    pub restarts: u16,
    /// The slot of the schedule that it works for.
    #[serde(default)]
    pub slot: Option<Timestamp>,
    /// The failed job that it repeats.
    #[serde(default)]
    pub retry_of: Option<JobId>,
    /// Whether somebody wants it cancelled.
    pub cancel_requested: bool,
    /// Whether a person (or their script) asked for it.
    pub user_triggered: bool,
    /// When it was asked for.
    pub created: Timestamp,
    /// When its first step began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// Why it failed.
    pub error: Option<JobError>,
    /// What else went wrong on the way.
    pub warnings: Vec<JobWarning>,
    /// How far it is.
    pub progress: Progress,
    /// What its steps found out.
    pub facts: Facts,
    /// Not before this time; none = at once.
    pub wake_at: Option<Timestamp>,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}

/// What a job does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobKind {
    /// Puts a VM under a policy.
    ConfigureBackup {
        /// Name of the policy.
        policy: String,
    },
    /// Makes a recovery point.
    Backup {
        /// Identity of the point to be.
        point: PointId,
        /// How long to keep it; none = as the policy says.
        retain_until: Option<Timestamp>,
        /// Whether the schedule started it.
        scheduled: bool,
    },
    /// Brings disks or a whole VM back.
    Restore {
        /// The point.
        point: PointId,
        /// Where to.
        target: RestoreTarget,
    },
    /// Stops protection and keeps the points.
    DisableBackup,
    /// Stops protection and deletes the points.
    DeleteBackupData {
        /// The points to remove from the vault's store; empty when they are deleted softly.
        points: Vec<PointId>,
    },
    /// Brings a deleted item back.
    Undelete,
    /// Starts a VM.
    StartVm,
    /// Stops a VM.
    StopVm {
        /// Whether the guest is asked first.
        graceful: bool,
    },
    /// Looks for new VMs.
    RefreshContainers,
}

impl JobKind {
    /// The operation as Azure names it (`ConfigureBackup`, `Backup`, …).
    pub fn azure(&self) -> &'static str {
        match self {
            Self::ConfigureBackup { .. } => "ConfigureBackup",
            Self::Backup { .. } => "Backup",
            Self::Restore { .. } => "Restore",
            Self::DisableBackup => "DisableBackup",
            Self::DeleteBackupData { .. } => "DeleteBackupData",
            Self::Undelete => "Undelete",
            Self::StartVm => "StartVm",
            Self::StopVm { .. } => "StopVm",
            Self::RefreshContainers => "RefreshContainers",
        }
    }
}

/// Where a restore puts what it brings back. The OS disk is always among the disks; `luns` of
/// none means all data disks, an empty list none of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestoreTarget {
    /// Image files in a folder of a storage account.
    Disks {
        /// Name of the storage account.
        account: String,
        /// Which data disks.
        luns: Option<Vec<u32>>,
        /// The folder, made by the restore.
        folder: String,
    },
    /// The disks of the VM that was backed up.
    InPlace {
        /// Which data disks.
        luns: Option<Vec<u32>>,
        /// Whether it ran and Coffre runs it: it is turned off for the restore and on again after
        /// it, however that ends.
        #[serde(default)]
        restart: bool,
    },
    /// A VM of its own.
    NewVm {
        /// Its name.
        name: String,
        /// Its resource group.
        group: String,
    },
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobState {
    /// Nobody began it.
    Queued,
    /// Its steps are being done.
    Running,
    /// Its steps are being undone.
    Unwinding {
        /// How it ends when all is undone.
        to: Unwound,
    },
    /// Ended: all was done.
    Completed,
    /// Ended: what counts was done, something else was not.
    CompletedWithWarnings,
    /// Ended: it failed and left nothing behind.
    Failed,
    /// Ended: it was cancelled and left nothing behind.
    Cancelled,
}

/// How an unwound job ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unwound {
    /// As failed.
    Failed,
    /// As cancelled.
    Cancelled,
    /// Not at all: it begins again with its first step.
    Again,
}

impl JobState {
    /// Whether the job has ended. An ended job never changes again.
    pub fn is_ended(self) -> bool {
        match self {
            Self::Queued | Self::Running | Self::Unwinding { .. } => false,
            Self::Completed | Self::CompletedWithWarnings | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// State of a job in Azure's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JobStatus {
    /// It waits or runs.
    InProgress,
    /// It is being cancelled.
    Cancelling,
    /// All was done.
    Completed,
    /// What counts was done.
    CompletedWithWarnings,
    /// It failed.
    Failed,
    /// It was cancelled.
    Cancelled,
}

impl JobStatus {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::InProgress,
        Self::Cancelling,
        Self::Completed,
        Self::CompletedWithWarnings,
        Self::Failed,
        Self::Cancelled,
    ];

    /// The word Azure uses, the same as the name here.
    pub fn azure(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Cancelling => "Cancelling",
            Self::Completed => "Completed",
            Self::CompletedWithWarnings => "CompletedWithWarnings",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Reads Azure's word, whatever the case.
    pub fn from_azure(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.azure().eq_ignore_ascii_case(word))
    }
}

impl Job {
    /// The state in Azure's words.
    pub fn status(&self) -> JobStatus {
        match self.state {
            JobState::Unwinding { to: Unwound::Cancelled } => JobStatus::Cancelling,
            JobState::Queued | JobState::Running | JobState::Unwinding { .. } => {
                if self.cancel_requested { JobStatus::Cancelling } else { JobStatus::InProgress }
            }
            JobState::Completed => JobStatus::Completed,
            JobState::CompletedWithWarnings => JobStatus::CompletedWithWarnings,
            JobState::Failed => JobStatus::Failed,
            JobState::Cancelled => JobStatus::Cancelled,
        }
    }

    /// How long it has run, from its start (or its request) to its end or `now`, in seconds;
    /// never below 0.
    pub fn seconds(&self, now: Timestamp) -> f64 {
        let from = self.started.unwrap_or(self.created);
        self.ended.unwrap_or(now).duration_since(from).as_secs_f64().max(0.0)
    }
}

/// Who works on a job, and until when the others keep away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Random identity of the process, new with each start.
    pub owner: Uuid,
    /// Grows by one with each lease of the job: the fencing token.
    pub epoch: u64,
    /// When it runs out.
    pub until: Timestamp,
}

/// Why a job failed, in words for its owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// The code.
    pub code: ErrorCode,
    /// What happened.
    pub message: String,
    /// What to do.
    pub recommendation: String,
}

impl JobError {
    /// An error with the recommendation of its code.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), recommendation: code.recommendation().to_owned() }
    }
}

/// Something that went wrong and did not matter for what counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobWarning {
    /// The code.
    pub code: ErrorCode,
    /// What happened.
    pub message: String,
}

/// How far a job is, in bytes. All grow while a step runs; a repeated step starts them anew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Done of the total.
    pub done_bytes: u64,
    /// What is to be done; 0 = not known yet.
    pub total_bytes: u64,
    /// Read from the source.
    pub read_bytes: u64,
    /// New to the vault.
    pub new_bytes: u64,
    /// Written to the vault's store.
    pub stored_bytes: u64,
}
