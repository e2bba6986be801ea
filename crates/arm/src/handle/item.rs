//! Protected items, containers and protectable items, to look at.

use std::collections::HashMap;

use coffre_control::model::{FreezeWindows, ItemState, Policy, ProtectedItem, Vault, Vm};
use coffre_control::port::Tx;
use coffre_control::{ErrorCode, Refusal};
use serde_json::Value;

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::filter::Filter;
use crate::http::reply::Reply;
use crate::names::{VmRef, container_name, item_name};
use crate::render::container;
use crate::render::item::{self, ItemContext};

/// Whether a filter asks for virtual machines at all, or for things that no vault here has.
pub(crate) fn asks_for_vms(filter: &Filter) -> bool {
    filter.allows("backupManagementType", "AzureIaasVM")
        && filter.allows("workloadType", "VM")
        && filter.allows("itemType", "VM")
}

/// Rows that lists of items need, read once.
struct Rows {
    vault: Vault,
    items: Vec<ProtectedItem>,
    vms: HashMap<coffre_control::id::VmId, Vm>,
    policies: Vec<Policy>,
}

fn rows(call: &Call<'_>, tx: &mut dyn Tx) -> Result<Rows, Refusal> {
    let vault = call.vault(tx)?;
    let items = tx.items(vault.id)?;
    let vms = tx.vms(vault.subscription)?.into_iter().map(|vm| (vm.id, vm)).collect();
    let policies = tx.policies(vault.id)?;
    Ok(Rows { vault, items, vms, policies })
}

impl Rows {
    fn context<'a>(&'a self, item: &ProtectedItem, call: &Call<'_>) -> ItemContext<'a> {
        let policy = item.policy.as_deref().unwrap_or_default();
        let policy = self.policies.iter().find(|it| it.name.eq_ignore_ascii_case(policy));
        ItemContext {
            vault: &self.vault,
            vm: self.vms.get(&item.vm),
            kind: policy.map(|it| it.kind),
            points: None,
            freezes: None,
            now: call.now,
        }
    }
}

fn passes(item: &ProtectedItem, filter: &Filter) -> bool {
    filter.allows("friendlyName", &item.vm_name)
        && filter.allows("policyName", item.policy.as_deref().unwrap_or_default())
        && filter.allows("itemName", &item_name(&item.vm_group, &item.vm_name))
        && filter.allows("containerName", &container_name(&item.vm_group, &item.vm_name))
}

/// GET ~V/backupProtectedItems
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let filter = call.filter()?;
    let rows = call.read("list items", |tx| rows(call, tx))?;
    let wanted = rows.items.iter().filter(|it| asks_for_vms(&filter) && passes(it, &filter));
    call.page(wanted, |it| item::item(it, rows.context(it, call)))
}

/// The item that the path names.
pub(crate) fn find(
    tx: &mut dyn Tx,
    vault: &Vault,
    names: &VmRef,
) -> Result<ProtectedItem, Refusal> {
    tx.item_named(vault.id, &names.group, &names.name)?.ok_or_else(|| {
        Refusal::new(
            ErrorCode::ProtectedItemNotFound,
            format!(
                "Vault '{}' protects no virtual machine '{}' of resource group '{}'.",
                vault.name, names.name, names.group
            ),
        )
    })
}

/// The item as GET answers it.
pub(crate) fn body(call: &Call<'_>, names: &VmRef) -> Result<Value, ArmError> {
    call.read("show item", |tx| {
        let vault = call.vault(tx)?;
        let found = find(tx, &vault, names)?;
        let vm = tx.vm(found.vm)?;
        let kind = match &found.policy {
            Some(name) => tx.policy(vault.id, name)?.map(|policy| policy.kind),
            None => None,
        };
        let points = tx.points(found.id)?;
        let oldest = points.iter().map(|point| point.time).min();
        let freezes = FreezeWindows::of(&points);
        let (points, vm) = (Some((points.len(), oldest)), vm.as_ref());
        let context = ItemContext { vault: &vault, vm, kind, points, freezes, now: call.now };
        Ok(item::item(&found, context))
    })
}

/// GET ~PI
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    Ok(Reply::ok(body(call, &call.item_names()?)?))
}

fn container_list(call: &Call<'_>, deleted: bool) -> Result<Reply, ArmError> {
    let filter = call.filter()?;
    let rows = call.read("list containers", |tx| rows(call, tx))?;
    let is_deleted = |it: &ProtectedItem| matches!(it.state, ItemState::SoftDeleted { .. });
    let wanted = rows.items.iter().filter(|it| {
        asks_for_vms(&filter)
            && (!deleted || is_deleted(it))
            && filter.allows("status", "Registered")
            && filter.allows("friendlyName", &it.vm_name)
    });
    call.page(wanted, |it| container::container(&rows.vault, it, rows.vms.get(&it.vm)))
}

/// GET ~V/backupProtectionContainers
pub(crate) fn containers(call: &Call<'_>) -> Result<Reply, ArmError> {
    container_list(call, false)
}

/// GET ~V/backupDeletedProtectionContainers
pub(crate) fn deleted_containers(call: &Call<'_>) -> Result<Reply, ArmError> {
    container_list(call, true)
}

/// GET ~C
pub(crate) fn show_container(call: &Call<'_>) -> Result<Reply, ArmError> {
    let wanted = call.param("container");
    let rows = call.read("show container", |tx| rows(call, tx))?;
    let named = |it: &&ProtectedItem| {
        container_name(&it.vm_group, &it.vm_name).eq_ignore_ascii_case(wanted)
    };
    let found = rows.items.iter().find(named).ok_or_else(|| {
        call.no_resource(
            "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers",
            wanted,
        )
    })?;
    Ok(Reply::ok(container::container(&rows.vault, found, rows.vms.get(&found.vm))))
}

/// GET ~V/backupProtectableItems
pub(crate) fn protectable(call: &Call<'_>) -> Result<Reply, ArmError> {
    let filter = call.filter()?;
    let (vault, vms) = call.read("list protectable items", |tx| {
        let vault = call.vault(tx)?;
        let mut free = Vec::new();
        for vm in tx.vms(vault.subscription)? {
            let here = vm.region == vault.region && vm.missing_since.is_none();
            if here && tx.item_of_vm(vm.id)?.is_none() {
                free.push(vm);
            }
        }
        Ok((vault, free))
    })?;
    let wanted =
        vms.iter().filter(|vm| asks_for_vms(&filter) && filter.allows("friendlyName", &vm.name));
    call.page(wanted, |vm| container::protectable(&vault, vm))
}
