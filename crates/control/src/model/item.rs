//! Protected item: a VM that a vault protects.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{ItemId, PointId, VaultId, VmId};
use crate::model::job::JobError;

/// A protected item. A VM has at most one, in one vault.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProtectedItem {
    /// Identity.
    pub id: ItemId,
    /// The vault that protects it.
    pub vault: VaultId,
    /// The VM.
    pub vm: VmId,
    /// The VM's name when protection began; part of the item's name.
    pub vm_name: String,
    /// The VM's resource group when protection began; part of the item's name.
    pub vm_group: String,
    /// `protectedItemDataId`: 19 digits.
    pub number: u64,
    /// Name of its policy; none when protection is stopped.
    pub policy: Option<String>,
    /// Where it is in its life.
    pub state: ItemState,
    /// The last backup that ended.
    pub last_backup: Option<LastBackup>,
    /// The newest recovery point.
    pub last_point: Option<LastPoint>,
    /// Whether the next backup is expected to work.
    pub health: BackupHealth,
    /// Which data disks are backed up; none = all.
    pub disk_selection: Option<DiskSelection>,
    /// How many points went by themselves lately.
    #[serde(default)]
    pub expiry: ExpiryBook,
    /// When protection began.
    pub created: Timestamp,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}

/// How many points of an item went by themselves in the day that began then.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpiryBook {
    /// When the day began, in vault time; none = nothing ever went.
    pub day: Option<Timestamp>,
    /// How many went in it.
    pub gone: u32,
    /// How many more are due and wait for the next day.
    pub held: u32,
}

/// Where an item is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ItemState {
    /// Protected, but no backup succeeded yet.
    IrPending,
    /// Protected.
    Protected,
    /// No more backups; the points are kept.
    Stopped,
    /// No more backups; the points go when their policy says so.
    Suspended,
    /// Deleted; can be brought back.
    SoftDeleted {
        /// When it was deleted.
        since: Timestamp,
        /// After this the points are removed.
        until: Timestamp,
    },
}

impl ItemState {
    /// `protectionState` as Azure names it; a deleted item reads `ProtectionStopped` there.
    pub fn azure(self) -> &'static str {
        match self {
            Self::IrPending => "IRPending",
            Self::Protected => "Protected",
            Self::Stopped | Self::SoftDeleted { .. } => "ProtectionStopped",
            Self::Suspended => "BackupsSuspended",
        }
    }

    /// Whether backups run for it.
    pub fn is_active(self) -> bool {
        matches!(self, Self::IrPending | Self::Protected)
    }
}

/// The last backup of an item that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastBackup {
    /// How it ended.
    pub outcome: BackupOutcome,
    /// When its job started.
    pub time: Timestamp,
    /// Why it failed.
    pub error: Option<JobError>,
}

/// How a backup ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BackupOutcome {
    /// A recovery point was made.
    Completed,
    /// A recovery point was made, but something needs a look.
    CompletedWithWarnings,
    /// No recovery point was made.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl BackupOutcome {
    /// The word Azure uses, the same as the name here.
    pub fn azure(self) -> &'static str {
        match self {
            Self::Completed => "Completed",
            Self::CompletedWithWarnings => "CompletedWithWarnings",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}

/// The newest recovery point of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastPoint {
    /// Its identity.
    pub id: PointId,
    /// When its snapshot was complete.
    pub time: Timestamp,
}

/// Whether the next backup is expected to work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum BackupHealth {
    /// Yes.
    Passed,
    /// No, unless somebody acts.
    ActionRequired(Vec<HealthDetail>),
    /// Yes, but it could be better.
    ActionSuggested(Vec<HealthDetail>),
}

impl BackupHealth {
    /// The word Azure uses, the same as the name here.
    pub fn azure(&self) -> &'static str {
        match self {
            Self::Passed => "Passed",
            Self::ActionRequired(_) => "ActionRequired",
            Self::ActionSuggested(_) => "ActionSuggested",
        }
    }

    /// What is wrong; empty when nothing is.
    pub fn details(&self) -> &[HealthDetail] {
        match self {
            Self::Passed => &[],
            Self::ActionRequired(details) | Self::ActionSuggested(details) => details,
        }
    }
}

/// One thing that is wrong with an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthDetail {
    /// Azure's code.
    pub code: String,
    /// A few words.
    pub title: String,
    /// What happened.
    pub message: String,
    /// What to do.
    pub recommendation: String,
}

/// Which data disks are backed up. The OS disk always is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSelection {
    /// Logical unit numbers.
    pub luns: Vec<u32>,
    /// True: only these; false: all but these.
    pub include: bool,
}

impl DiskSelection {
    /// Whether a disk is backed up; `None` is the OS disk.
    pub fn takes(&self, lun: Option<u32>) -> bool {
        match lun {
            None => true,
            Some(lun) => self.luns.contains(&lun) == self.include,
        }
    }
}

impl ProtectedItem {
    /// What a list shows as the status of the last backup. Until the first success it is
    /// `Warning (Initial backup pending)`.
    pub fn last_backup_status(&self) -> &'static str {
        match (&self.state, &self.last_backup) {
            (ItemState::IrPending, _) => "Warning (Initial backup pending)",
            (_, Some(last)) => last.outcome.azure(),
            (_, None) => "",
        }
    }

    /// How much it needs somebody: 0 = act, 1 = look, 2 = all is well, or nobody expects backups.
    pub fn urgency(&self) -> u8 {
        match self.state {
            ItemState::Protected => match self.last_backup.as_ref().map(|last| last.outcome) {
                Some(BackupOutcome::Failed) => 0,
                Some(BackupOutcome::CompletedWithWarnings) => 1,
                Some(BackupOutcome::Completed | BackupOutcome::Cancelled) | None => 2,
            },
            ItemState::IrPending => 1,
            ItemState::Stopped | ItemState::Suspended | ItemState::SoftDeleted { .. } => 2,
        }
    }

    /// Whether it has an alert: its last backup failed, or its next one may.
    pub fn has_alert(&self) -> bool {
        self.urgency() == 0 || !self.health.details().is_empty()
    }

    /// Whether a disk of the VM is backed up.
    pub fn takes_disk(&self, lun: Option<u32>) -> bool {
        self.disk_selection.as_ref().is_none_or(|selection| selection.takes(lun))
    }
}
