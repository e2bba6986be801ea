//! Puts a VM under a policy of a vault: first protection, another policy, or resuming after a
//! stop. Makes no recovery point; the first backup does.

use super::accept::{Accepted, accept};
use super::expiry::settle_points;
use super::plan::{Timetables, plan_backup, plan_expiry};
use super::reduction::{check_end, check_reduction};
use super::{find, vm};
use jiff::Timestamp;

use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::{VaultId, VmId, number_of};
use crate::job::NewJob;
use crate::model::{
    BackupHealth, DiskSelection, ExpiryBook, ItemState, JobKind, OperationEnd, Policy, PolicyKind,
    ProtectedItem, Vault, Vm,
};
use crate::port::Tx;

/// Protection as asked for.
#[derive(Clone, Debug)]
pub struct EnableProtection {
    /// The vault.
    pub vault: VaultId,
    /// The VM.
    pub vm: VmId,
    /// Name of one of the vault's policies.
    pub policy: String,
    /// Which data disks; `None` leaves the choice as it is (all, at first), `Some(None)` takes
    /// all.
    pub disk_selection: Option<Option<DiskSelection>>,
}

/// Puts a VM under a policy. `scope` is the resource id that the operation belongs to.
pub fn enable_protection(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    input: EnableProtection,
    scope: &str,
) -> Result<(ProtectedItem, Accepted), Refusal> {
    cx.may(Action::EnableProtection)?;
    let vault = find::vault(tx, input.vault)?;
    let vm = find::vm(tx, input.vm)?;
    let policy = find::policy(tx, &vault, &input.policy)?;
    check_disks(&vm, input.disk_selection.as_ref().and_then(Option::as_ref))?;
    let mut item = match tx.item_of_vm(vm.id)? {
        Some(item) => change(tx, cx, (&vault, &vm, &policy), item)?,
        None => begin(tx, cx, &vault, &vm, &policy)?,
    };
    super::lock::refuse_item(tx, cx, &item, super::lock::Change::Write)?;
    if let Some(selection) = input.disk_selection {
        item.disk_selection = selection;
    }
    tx.put_item(&mut item)?;
    settle_points(tx, &vault, &item)?;
    plan_backup(tx, &item, &mut Timetables::default(), cx.now)?;
    plan_expiry(tx, &item, Some(Timestamp::MIN))?;
    lock_redundancy(tx, vault.clone())?;
    let new = NewJob {
        id: cx.id(),
        kind: JobKind::ConfigureBackup { policy: policy.name.clone() },
        vault: Some(vault.id),
        item: Some(item.id),
        vm: Some(vm.id),
        name: item.vm_name.clone(),
        user_triggered: true,
    };
    let accepted = accept(tx, cx, new, OperationEnd::JobEnded, scope)?;
    cx.record(
        tx,
        Action::EnableProtection,
        format!("{} in vault {} under policy {}", item.vm_name, vault.name, policy.name),
    )?;
    Ok((item, accepted))
}

fn begin(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: &Vault,
    vm: &Vm,
    policy: &Policy,
) -> Result<ProtectedItem, Refusal> {
    vm::check_reachable(vm)?;
    if vm.region != vault.region {
        return Err(Refusal::new(
            ErrorCode::BMSUserErrorVmNotInVaultRegion,
            format!(
                "Virtual machine '{}' is in region '{}', but vault '{}' is in region '{}'. Use \
                 or create a vault in region '{}'.",
                vm.name, vm.region, vault.name, vault.region, vm.region
            ),
        )
        .about(vm.name.clone()));
    }
    if vm.subscription != vault.subscription {
        return Err(Refusal::new(
            ErrorCode::UserErrorVmNotFoundV2,
            format!("Virtual machine '{}' is in another subscription than the vault.", vm.name),
        ));
    }
    if tx.item_named(vault.id, &vm.group, &vm.name)?.is_some() {
        return Err(Refusal::new(
            ErrorCode::Conflict,
            format!(
                "Vault '{}' holds recovery points of an earlier virtual machine '{}' in resource \
                 group '{}'. Stop protection of that item with deletion of its data first, or \
                 rename the new virtual machine.",
                vault.name, vm.name, vm.group
            ),
        ));
    }
    let id = cx.id();
    Ok(ProtectedItem {
        id,
        vault: vault.id,
        vm: vm.id,
        vm_name: vm.name.clone(),
        vm_group: vm.group.clone(),
        number: number_of(id.uuid()),
        policy: Some(policy.name.clone()),
        state: ItemState::IrPending,
        last_backup: None,
        last_point: None,
        health: BackupHealth::Passed,
        disk_selection: None,
        expiry: ExpiryBook::default(),
        created: cx.now,
        etag: 0,
    })
}

fn change(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    (vault, vm, policy): (&Vault, &Vm, &Policy),
    mut item: ProtectedItem,
) -> Result<ProtectedItem, Refusal> {
    if item.vault != vault.id {
        let other = find::vault(tx, item.vault)?;
        return Err(Refusal::new(
            ErrorCode::BMSUserErrorContainerIsAlreadyRegisteredWithAnotherVault,
            format!(
                "Virtual machine '{}' is an item of vault '{}' in resource group '{}' already. A \
                 virtual machine is an item of one vault only: use that one, or delete its \
                 backup data there first.",
                vm.name, other.name, other.group
            ),
        )
        .about(other.name));
    }
    refuse_deleted(&item)?;
    if item.policy.is_none() && item.last_point.is_some() {
        // Without a policy its points had no end; now they get one.
        check_end(tx, cx, vault, policy, &item)?;
    }
    if matches!(item.state, ItemState::Stopped | ItemState::Suspended) {
        vm::check_reachable(vm)?;
        let first = item.last_point.is_none();
        item.state = if first { ItemState::IrPending } else { ItemState::Protected };
    }
    if let Some(old) = item.policy.clone()
        && !old.eq_ignore_ascii_case(&policy.name)
    {
        check_no_way_back(tx, cx, (vault, policy), &old, &item)?;
    }
    item.policy = Some(policy.name.clone());
    Ok(item)
}

/// Another policy must not keep points less long in an immutable vault, nor lead back from an
/// Enhanced policy to a Standard one.
fn check_no_way_back(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    (vault, policy): (&Vault, &Policy),
    old: &str,
    item: &ProtectedItem,
) -> Result<(), Refusal> {
    let Some(old) = tx.policy(vault.id, old)? else { return Ok(()) };
    check_reduction(tx, cx, vault, (&old, policy), Some(item))?;
    if old.kind == PolicyKind::Enhanced && policy.kind == PolicyKind::Standard {
        return Err(Refusal::new(
            ErrorCode::BMSUserErrorInvalidPolicyInput,
            format!(
                "An item under an Enhanced policy ('{}') cannot go back to a Standard one ('{}'). \
                 Choose an Enhanced policy.",
                old.name, policy.name
            ),
        )
        .about("policyId"));
    }
    Ok(())
}

/// Refuses when the item was deleted and could be brought back.
pub(crate) fn refuse_deleted(item: &ProtectedItem) -> Result<(), Refusal> {
    let ItemState::SoftDeleted { until, .. } = item.state else { return Ok(()) };
    Err(Refusal::new(
        ErrorCode::BMSUserErrorItemInSoftDeletedState,
        format!(
            "The backup data of '{}' was deleted and is kept until {until:.0}. Bring it back \
             with undelete first.",
            item.vm_name
        ),
    )
    .about(item.vm_name.clone()))
}

fn check_disks(vm: &Vm, selection: Option<&DiskSelection>) -> Result<(), Refusal> {
    let Some(selection) = selection else { return Ok(()) };
    let known: Vec<u32> = vm.disks.iter().filter_map(|disk| disk.lun).collect();
    match selection.luns.iter().find(|lun| !known.contains(lun)) {
        None => Ok(()),
        Some(lun) => Err(Refusal::new(
            ErrorCode::UserErrorInvalidDiskLuns,
            format!(
                "Virtual machine '{}' has no data disk with LUN {lun}; it has these: {known:?}.",
                vm.name
            ),
        )
        .about("diskExclusionProperties")),
    }
}

fn lock_redundancy(tx: &mut dyn Tx, mut vault: Vault) -> Result<(), Refusal> {
    if !vault.redundancy_locked {
        vault.redundancy_locked = true;
        tx.put_vault(&mut vault)?;
    }
    Ok(())
}
