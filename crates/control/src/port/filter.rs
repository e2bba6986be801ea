//! Which rows a query is for.

use jiff::Timestamp;

use crate::id::{ItemId, SubscriptionId, VaultId, VmId};
use crate::model::{JobStatus, Task};

/// Which jobs to list. Every field that is set narrows the list; newest first.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Jobs of this vault.
    pub vault: Option<VaultId>,
    /// Jobs of any vault: power and discovery are left out.
    pub of_vaults: bool,
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
    /// Jobs that are left out before the first.
    pub skip: u64,
    /// At most so many; none = all.
    pub limit: Option<u32>,
}

/// A part of a long list of VMs, items or vaults: which rows, in which order, from where to where.
/// Every field that is set narrows the list; what a noun does not have does not narrow it.
#[derive(Clone, Debug, Default)]
pub struct Search {
    /// Part of the name (of the machine, of the vault) or of its resource group, whatever the case
    /// of ASCII letters; empty = all.
    pub find: String,
    /// VMs and vaults of this subscription.
    pub subscription: Option<SubscriptionId>,
    /// Items of this vault.
    pub vault: Option<VaultId>,
    /// This resource group, whatever the case.
    pub group: Option<String>,
    /// VMs and vaults of this region.
    pub region: Option<String>,
    /// Exactly this name, whatever the case.
    pub name: Option<String>,
    /// Items under this policy, whatever the case; empty = items without one.
    pub policy: Option<String>,
    /// Rows of VMs: only those that are protected, or only those that are not.
    pub protected: Option<bool>,
    /// Rows of VMs: what becomes of those that their hypervisor no longer has.
    pub missing: Missing,
    /// Rows of items: only those that were deleted and can be brought back, or only the others.
    pub deleted: Option<bool>,
    /// Rows of items: only those that need somebody.
    pub need: Need,
    /// Which column orders the rows.
    pub order: Order,
    /// The last row first.
    pub backwards: bool,
    /// Rows that are left out before the first.
    pub skip: u64,
    /// At most so many.
    pub limit: u32,
}

/// What becomes of VMs that their hypervisor no longer has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missing {
    /// They are listed like the others.
    #[default]
    Listed,
    /// They are listed while somebody protects them: there are points to restore.
    IfProtected,
    /// They are left out.
    LeftOut,
}

/// Which items are of interest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Need {
    /// All of them.
    #[default]
    Any,
    /// Those that somebody should look at ([`crate::model::ProtectedItem::urgency`] below 2).
    Look,
    /// Those with an alert ([`crate::model::ProtectedItem::has_alert`]).
    Alert,
}

/// Which column orders the rows of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The name.
    #[default]
    Name,
    /// The resource group, then the name.
    Group,
    /// The policy, then the machine's name; VMs and vaults have none and go by name.
    Policy,
    /// Items that need somebody first, then by name; VMs and vaults go by name.
    Urgency,
}

/// A part of the recovery points, newest first.
#[derive(Clone, Copy, Debug, Default)]
pub struct PointSearch {
    /// Points of this item; none = of all.
    pub item: Option<ItemId>,
    /// Taken at this time or later.
    pub from: Option<Timestamp>,
    /// Taken at this time or earlier.
    pub to: Option<Timestamp>,
    /// Points that are left out before the first.
    pub skip: u64,
    /// At most so many.
    pub limit: u32,
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
