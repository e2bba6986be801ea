//! Which rows a query is for.

use jiff::Timestamp;

use crate::id::{ItemId, VaultId, VmId};
use crate::model::{JobStatus, Task};

/// Which jobs to list. Every field that is set narrows the list; newest first.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Jobs of this vault.
    pub vault: Option<VaultId>,
    /// Jobs on this item.
    pub item: Option<ItemId>,
    /// Jobs on this VM.
    pub vm: Option<VmId>,
    /// Jobs with one of these statuses; empty = any.
    pub statuses: Vec<JobStatus>,
    /// Jobs whose operation has this name ([`crate::model::JobKind::azure`]), whatever the case.
    pub operation: Option<String>,
    /// Asked for at this time or later.
    pub from: Option<Timestamp>,
    /// Asked for before this time.
    pub to: Option<Timestamp>,
    /// At most so many; none = all.
    pub limit: Option<u32>,
}

/// A part of a long list: which rows, in which order, from where to where.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Part of the machine's name or of its resource group, whatever the case of ASCII letters;
    /// empty = all.
    pub find: String,
    /// Rows of VMs: only those that are protected, or only those that are not.
    pub protected: Option<bool>,
    /// Which column orders the rows.
    pub order: Order,
    /// The last row first.
    pub backwards: bool,
    /// Rows that are left out before the first.
    pub skip: u64,
    /// At most so many.
    pub limit: u32,
}

/// Which column orders the rows of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The machine's name.
    #[default]
    Name,
    /// The machine's resource group, then its name.
    Group,
    /// The policy, then the machine's name; VMs have none and go by name.
    Policy,
}

/// What is due. Entries of hypervisors and vaults that have enough to do are left out.
#[derive(Clone, Debug)]
pub struct DueFilter {
    /// What is to be done.
    pub task: Task,
    /// Due at this time or earlier.
    pub now: Timestamp,
    /// Hypervisors to leave out.
    pub not_hosts: Vec<String>,
    /// Vaults to leave out.
    pub not_vaults: Vec<VaultId>,
    /// At most so many.
    pub limit: u32,
}
