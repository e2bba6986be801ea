//! The long lists: the store filters, orders, counts and cuts them, whatever their length.

use jiff::Timestamp;

use crate::id::{ItemId, VaultId};
use crate::model::{AuditRecord, Policy, ProtectedItem, RecoveryPoint, Vault, Vm};
use crate::port::{JobFilter, PointSearch, Search, StoreFault};

/// Recovery points in sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// How many there are.
    pub points: u64,
    /// Bytes that they took in the store when they were written.
    pub bytes: u64,
}

/// A hypervisor, as its machines tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HypervisorRow {
    /// Its configured name.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Machines that it has now.
    pub vms: u64,
    /// Whether it did not answer when it was last asked.
    pub away: bool,
    /// When it was last seen.
    pub seen: Timestamp,
}

/// Lists that the store cuts into pages.
pub trait Lists {
    /// VMs that a search finds.
    fn search_vms(&mut self, search: &Search) -> Result<Vec<Vm>, StoreFault>;
    /// How many VMs a search finds, on all its pages.
    fn count_vms(&mut self, search: &Search) -> Result<u64, StoreFault>;
    /// Vaults that a search finds.
    fn search_vaults(&mut self, search: &Search) -> Result<Vec<Vault>, StoreFault>;
    /// How many vaults a search finds, on all its pages.
    fn count_vaults(&mut self, search: &Search) -> Result<u64, StoreFault>;
    /// Items that a search finds; deleted ones that can be brought back are among them.
    fn search_items(&mut self, search: &Search) -> Result<Vec<ProtectedItem>, StoreFault>;
    /// How many items a search finds, on all its pages.
    fn count_items(&mut self, search: &Search) -> Result<u64, StoreFault>;
    /// Policies of a vault by name: `limit` of them after the first `skip`.
    fn search_policies(
        &mut self,
        vault: VaultId,
        skip: u64,
        limit: u32,
    ) -> Result<Vec<Policy>, StoreFault>;
    /// Recovery points that a search finds, newest first.
    fn search_points(&mut self, search: &PointSearch) -> Result<Vec<RecoveryPoint>, StoreFault>;
    /// The time of the oldest recovery point of an item.
    fn oldest_point(&mut self, item: ItemId) -> Result<Option<Timestamp>, StoreFault>;
    /// The recovery points of an item in sum.
    fn stored_of_item(&mut self, item: ItemId) -> Result<Stored, StoreFault>;
    /// The recovery points of a vault in sum, or of all vaults.
    fn stored(&mut self, vault: Option<VaultId>) -> Result<Stored, StoreFault>;
    /// How many jobs a filter finds, on all its pages.
    fn count_jobs(&mut self, filter: &JobFilter) -> Result<u64, StoreFault>;
    /// Records of the audit in which a text stands as part of the name or the target, newest
    /// first: `limit` of them after the first `skip`. The case of ASCII letters does not matter.
    fn search_audit(
        &mut self,
        find: &str,
        skip: u64,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, StoreFault>;
    /// How many records of the audit a text finds.
    fn count_audit(&mut self, find: &str) -> Result<u64, StoreFault>;
    /// Hypervisors that have or had a machine, by name.
    fn hypervisors(&mut self) -> Result<Vec<HypervisorRow>, StoreFault>;
}
