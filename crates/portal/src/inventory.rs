//! Everything that lists join: who protects which VM, in which vault.

use std::collections::BTreeMap;

use coffre_control::Refusal;
use coffre_control::id::{ItemId, VaultId, VmId};
use coffre_control::model::{Job, ProtectedItem, RecoveryPoint, Region, Vault, Vm};
use coffre_control::port::Tx;

/// All subscriptions with their vaults, items and VMs.
#[derive(Clone, Debug)]
pub(crate) struct Inventory {
    pub(crate) regions: Vec<Region>,
    /// By name within a subscription.
    pub(crate) vaults: Vec<Vault>,
    /// By vault, then by the VM's name.
    pub(crate) items: Vec<ProtectedItem>,
    /// By group and name.
    pub(crate) vms: Vec<Vm>,
}

impl Inventory {
    /// Reads it. The caller was already asked whether they may.
    pub(crate) fn read(tx: &mut dyn Tx) -> Result<Self, Refusal> {
        let subscriptions = tx.subscriptions()?;
        let (mut vaults, mut vms) = (Vec::new(), Vec::new());
        for subscription in &subscriptions {
            vaults.extend(tx.vaults(subscription.id)?);
            vms.extend(tx.vms(subscription.id)?);
        }
        let mut items = Vec::new();
        for vault in &vaults {
            items.extend(tx.items(vault.id)?);
        }
        // What a hypervisor no longer has is of interest only while there are points to restore.
        vms.retain(|vm: &Vm| {
            vm.missing_since.is_none() || items.iter().any(|item: &ProtectedItem| item.vm == vm.id)
        });
        Ok(Self { regions: tx.regions()?, vaults, items, vms })
    }

    pub(crate) fn items_by_vm(&self) -> BTreeMap<VmId, &ProtectedItem> {
        self.items.iter().map(|item| (item.vm, item)).collect()
    }

    pub(crate) fn item_names(&self) -> BTreeMap<ItemId, &str> {
        self.items.iter().map(|item| (item.id, item.vm_name.as_str())).collect()
    }

    pub(crate) fn vault_names(&self) -> BTreeMap<VaultId, &str> {
        self.vaults.iter().map(|vault| (vault.id, vault.name.as_str())).collect()
    }

    /// A region's name for people, or the name itself.
    pub(crate) fn region_label<'a>(&'a self, name: &'a str) -> &'a str {
        region_label(&self.regions, name)
    }
}

/// A region's name for people, or the name itself.
pub(crate) fn region_label<'a>(regions: &'a [Region], name: &'a str) -> &'a str {
    regions.iter().find(|region| region.name == name).map_or(name, |it| it.display_name.as_str())
}

/// Whether people want to see a job among backup jobs: power and discovery jobs belong to no vault.
pub(crate) fn is_backup_job(job: &Job) -> bool {
    job.vault.is_some()
}

/// Points of several items, newest first, cut to a length.
pub(crate) fn newest_points(
    tx: &mut dyn Tx,
    items: &[ProtectedItem],
    limit: usize,
) -> Result<(usize, Vec<RecoveryPoint>), Refusal> {
    let mut points = Vec::new();
    for item in items {
        points.extend(tx.points(item.id)?);
    }
    let count = points.len();
    points.sort_by_key(|point| std::cmp::Reverse(point.time));
    points.truncate(limit);
    Ok((count, points))
}
