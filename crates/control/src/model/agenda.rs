//! Agenda: what is to be done by itself, and when.

use jiff::Timestamp;
use uuid::Uuid;

use crate::id::{ItemId, VaultId};

/// One thing that is to be done by itself. Each subject has at most one entry for a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agenda {
    /// What is to be done.
    pub task: Task,
    /// The item or the vault with which.
    pub subject: Uuid,
    /// When; none = not by itself.
    pub due: Option<Timestamp>,
    /// The slot of the schedule that a backup is due for; `due` lies at or after it.
    pub slot: Option<Timestamp>,
    /// The vault.
    pub vault: VaultId,
    /// The hypervisor that has the item's VM; empty = none, or not known.
    pub host: String,
}

/// What is to be done by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// Back an item up.
    Backup,
    /// Look which points of an item have had their time.
    Expiry,
    /// Free what no point of a vault needs.
    Collection,
}

impl Task {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Backup, Self::Expiry, Self::Collection];

    /// Its name in the store.
    pub fn name(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Expiry => "expiry",
            Self::Collection => "collection",
        }
    }

    /// Reads the name in the store.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|task| task.name() == name)
    }
}

impl Agenda {
    /// The item it is about.
    pub fn item(&self) -> ItemId {
        ItemId(self.subject)
    }
}
