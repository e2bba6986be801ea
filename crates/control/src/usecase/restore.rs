//! Starts a restore.

use super::accept::{Accepted, accept};
use super::enable_protection::refuse_deleted;
use super::{find, names, vm};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::{ItemId, JobId, PointId};
use crate::job::NewJob;
use crate::model::{
    JobKind, OperationEnd, PowerState, ProtectedItem, RecoveryPoint, RestoreTarget, Vault,
};
use crate::port::Tx;

/// A restore as asked for.
#[derive(Clone, Debug)]
pub struct Restore {
    /// The item.
    pub item: ItemId,
    /// One of its points.
    pub point: PointId,
    /// Where to.
    pub target: RestoreWish,
}

/// Where a restore is to put what it brings back. The OS disk always comes; `luns` of none means
/// all data disks, an empty list none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RestoreWish {
    /// Image files in a storage account.
    Disks {
        /// Name of the account.
        account: String,
        /// Which data disks.
        luns: Option<Vec<u32>>,
    },
    /// The disks of the VM that was backed up.
    InPlace {
        /// Which data disks.
        luns: Option<Vec<u32>>,
    },
    /// A VM of its own.
    NewVm {
        /// Its name.
        name: String,
        /// Its resource group.
        group: String,
    },
}

/// Starts a restore.
pub fn restore(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    input: Restore,
    scope: &str,
) -> Result<Accepted, Refusal> {
    cx.may(Action::Restore)?;
    let item = find::item(tx, input.item)?;
    super::lock::refuse_item(tx, cx, &item, super::lock::Change::Write)?;
    refuse_deleted(&item)?;
    let vault = find::vault(tx, item.vault)?;
    let point = find::point(tx, input.point)?;
    if point.item != item.id {
        return Err(Refusal::new(
            ErrorCode::UserErrorRecoveryPointNotFound,
            format!("'{}' has no recovery point '{}'.", item.vm_name, point.number),
        ));
    }
    if !point.is_usable() {
        return Err(Refusal::new(
            ErrorCode::UserErrorRecoveryPointNotFound,
            format!(
                "Recovery point '{}' of '{}' was deleted. Bring it back first, or use another.",
                point.number, item.vm_name
            ),
        ));
    }
    let id: JobId = cx.id();
    let in_place = matches!(input.target, RestoreWish::InPlace { .. });
    let target = match input.target {
        RestoreWish::Disks { account, luns } => {
            check_luns(&point, luns.as_deref())?;
            into_account(tx, &vault, &item, id, &account, luns)?
        }
        RestoreWish::InPlace { luns } => {
            check_luns(&point, luns.as_deref())?;
            let restart = check_original(tx, &item)?;
            RestoreTarget::InPlace { luns, restart }
        }
        RestoreWish::NewVm { name, group } => as_new_vm(tx, &vault, name, group)?,
    };
    find::no_running_job(tx, &item)?;
    let new = NewJob {
        id,
        kind: JobKind::Restore { point: point.id, target },
        vault: Some(vault.id),
        item: Some(item.id),
        // Only a restore in place keeps the VM from being started meanwhile.
        vm: in_place.then_some(item.vm),
        name: item.vm_name.clone(),
        user_triggered: true,
    };
    let accepted = accept(tx, cx, new, OperationEnd::Accepted, scope)?;
    cx.record(tx, Action::Restore, format!("{} from point {}", item.vm_name, point.number))?;
    Ok(accepted)
}

fn into_account(
    tx: &mut dyn Tx,
    vault: &Vault,
    item: &ProtectedItem,
    job: JobId,
    account: &str,
    luns: Option<Vec<u32>>,
) -> Result<RestoreTarget, Refusal> {
    let Some(account) = tx.storage_account(vault.subscription, account)? else {
        let known: Vec<String> =
            tx.storage_accounts(vault.subscription)?.into_iter().map(|it| it.name).collect();
        return Err(Refusal::new(
            ErrorCode::UserErrorTargetStorageAccountNotFound,
            format!(
                "There is no storage account '{account}'. There are these: {}.",
                known.join(", ")
            ),
        )
        .about("storageAccountId"));
    };
    if account.region != vault.region {
        return Err(Refusal::new(
            ErrorCode::UserErrorStorageAccountInAnotherRegion,
            format!(
                "Storage account '{}' is in region '{}', but vault '{}' is in region '{}'. Use \
                 one of the vault's region.",
                account.name, account.region, vault.name, vault.region
            ),
        )
        .about("storageAccountId"));
    }
    let folder = format!(
        "{}/{}-{}",
        account.folder.trim_end_matches('/'),
        item.vm_name.to_ascii_lowercase(),
        job.uuid().simple()
    );
    Ok(RestoreTarget::Disks { account: account.name, luns, folder })
}

fn as_new_vm(
    tx: &mut dyn Tx,
    vault: &Vault,
    name: String,
    group: String,
) -> Result<RestoreTarget, Refusal> {
    names::check_vm_name(&name)?;
    let group = find::group(tx, vault.subscription, &group)?;
    if tx.vm_named(vault.subscription, &group.name, &name)?.is_some() {
        return Err(Refusal::new(
            ErrorCode::UserErrorTargetVmAlreadyExists,
            format!(
                "Resource group '{}' has a virtual machine '{name}' already. Choose another name.",
                group.name
            ),
        )
        .about("targetVirtualMachineId"));
    }
    Ok(RestoreTarget::NewVm { name, group: group.name })
}

fn check_luns(point: &RecoveryPoint, luns: Option<&[u32]>) -> Result<(), Refusal> {
    let known: Vec<u32> = point.disks.iter().filter_map(|disk| disk.lun).collect();
    match luns.into_iter().flatten().find(|lun| !known.contains(lun)) {
        None => Ok(()),
        Some(lun) => Err(Refusal::new(
            ErrorCode::UserErrorInvalidDiskLuns,
            format!(
                "Recovery point '{}' has no data disk with LUN {lun}; it has these: {known:?}.",
                point.number
            ),
        )
        .about("restoreDiskLunList")),
    }
}

/// Says whether the machine runs and the job turns it off and on again.
fn check_original(tx: &mut dyn Tx, item: &ProtectedItem) -> Result<bool, Refusal> {
    let vm = find::vm(tx, item.vm)?;
    vm::check_reachable(&vm)?;
    // A VM that Coffre runs is stopped by the job itself.
    if !vm.managed && vm.power != PowerState::Stopped {
        return Err(Refusal::new(
            ErrorCode::UserErrorVmNotInDesirableState,
            format!(
                "Virtual machine '{}' must be off before its disks are replaced, and Coffre may \
                 not stop it. Stop it on hypervisor '{}', or restore the disks elsewhere.",
                vm.name, vm.hypervisor
            ),
        )
        .about(vm.name.clone()));
    }
    vm::check_not_busy(tx, &vm)?;
    Ok(vm.managed && vm.power != PowerState::Stopped)
}
