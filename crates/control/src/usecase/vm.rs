//! Virtual machines: list, get, who protects them, start and stop.

use super::accept::{Accepted, accept};
use super::find;
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::{SubscriptionId, VaultId, VmId};
use crate::job::NewJob;
use crate::model::{JobKind, OperationEnd, ProtectedItem, Vault, Vm};
use crate::port::Tx;

/// A VM with its protection.
#[derive(Clone, Debug)]
pub struct VmView {
    /// The VM.
    pub vm: Vm,
    /// The item that protects it, and the item's vault.
    pub protection: Option<(Vault, ProtectedItem)>,
}

/// A VM that a person may pick for protection by a vault.
#[derive(Clone, Debug)]
pub struct VmChoice {
    /// The VM.
    pub vm: Vm,
    /// Why it cannot be picked; none when it can.
    pub obstacle: Option<String>,
}

/// What is to happen to a VM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Power {
    /// Start it.
    Start,
    /// Stop it.
    Stop {
        /// Whether the guest is asked first.
        graceful: bool,
    },
}

/// VMs of a subscription, or of one of its resource groups, by group and name. Those that their
/// hypervisor no longer has are left out.
pub fn list_vms(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    group: Option<&str>,
) -> Result<Vec<Vm>, Refusal> {
    cx.may(Action::Read)?;
    find::subscription(tx, subscription)?;
    let mut vms = tx.vms(subscription)?;
    vms.retain(|vm| vm.missing_since.is_none());
    if let Some(group) = group {
        let group = find::group(tx, subscription, group)?;
        vms.retain(|vm| vm.group.eq_ignore_ascii_case(&group.name));
    }
    Ok(vms)
}

/// The same with their protection.
pub fn list_vm_views(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
) -> Result<Vec<VmView>, Refusal> {
    let vms = list_vms(tx, cx, subscription, None)?;
    vms.into_iter().map(|vm| view(tx, vm)).collect()
}

/// One VM by name.
pub fn get_vm(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    subscription: SubscriptionId,
    group: &str,
    name: &str,
) -> Result<VmView, Refusal> {
    cx.may(Action::Read)?;
    find::subscription(tx, subscription)?;
    let group = find::group(tx, subscription, group)?;
    let vm = tx
        .vm_named(subscription, &group.name, name)?
        .filter(|vm| vm.missing_since.is_none())
        .ok_or_else(|| {
            Refusal::new(
                ErrorCode::ResourceNotFound,
                format!(
                    "The Resource 'Microsoft.Compute/virtualMachines/{name}' under resource \
                     group '{}' was not found.",
                    group.name
                ),
            )
        })?;
    view(tx, vm)
}

/// One VM by identity, also one that is gone.
pub fn get_vm_by_id(tx: &mut dyn Tx, cx: &Cx<'_>, id: VmId) -> Result<VmView, Refusal> {
    cx.may(Action::Read)?;
    let vm = find::vm(tx, id)?;
    view(tx, vm)
}

/// The VMs that a vault could protect: in its region, there, and protected by nobody.
pub fn list_protectable_vms(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
) -> Result<Vec<Vm>, Refusal> {
    let choices = list_vm_choices(tx, cx, vault)?;
    Ok(choices.into_iter().filter(|it| it.obstacle.is_none()).map(|it| it.vm).collect())
}

/// All VMs of the vault's subscription, each with the reason why it cannot be picked, if any.
pub fn list_vm_choices(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
) -> Result<Vec<VmChoice>, Refusal> {
    cx.may(Action::Read)?;
    let vault = find::vault(tx, vault)?;
    let vms = tx.vms(vault.subscription)?;
    vm_choices(tx, cx, &vault, vms)
}

/// Some VMs, each with the reason why the vault cannot protect it, if any.
pub fn vm_choices(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: &Vault,
    vms: Vec<Vm>,
) -> Result<Vec<VmChoice>, Refusal> {
    cx.may(Action::Read)?;
    let mut choices = Vec::new();
    for vm in vms {
        let obstacle = obstacle(tx, vault, &vm)?;
        choices.push(VmChoice { vm, obstacle });
    }
    Ok(choices)
}

/// Starts or stops a VM that Coffre runs.
pub fn power_vm(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: VmId,
    power: Power,
    scope: &str,
) -> Result<Accepted, Refusal> {
    cx.may(Action::PowerVm)?;
    let vm = find::vm(tx, id)?;
    super::lock::refuse_vm(tx, cx, &vm)?;
    check_reachable(&vm)?;
    if !vm.managed {
        return Err(Refusal::new(
            ErrorCode::UserErrorVmNotManaged,
            format!(
                "Virtual machine '{}' is not run by Coffre. Start and stop it on hypervisor '{}'.",
                vm.name, vm.hypervisor
            ),
        ));
    }
    check_not_busy(tx, &vm)?;
    let (kind, verb) = match power {
        Power::Start => (JobKind::StartVm, "start"),
        Power::Stop { graceful } => (JobKind::StopVm { graceful }, "stop"),
    };
    let new = NewJob {
        id: cx.id(),
        kind,
        vault: None,
        item: None,
        vm: Some(vm.id),
        name: vm.name.clone(),
        user_triggered: true,
    };
    let accepted = accept(tx, cx, new, OperationEnd::JobEnded, scope)?;
    cx.record(tx, Action::PowerVm, format!("virtual machine {}: {verb}", vm.name))?;
    Ok(accepted)
}

/// Refuses when the VM is gone or its hypervisor does not answer.
pub(crate) fn check_reachable(vm: &Vm) -> Result<(), Refusal> {
    if let Some(since) = vm.missing_since {
        return Err(Refusal::new(
            ErrorCode::UserErrorVmNotFoundV2,
            format!(
                "Virtual machine '{}' is gone: hypervisor '{}' has not had it since {since:.0}. \
                 Bring it back, or restore it from a recovery point.",
                vm.name, vm.hypervisor
            ),
        )
        .about(vm.name.clone()));
    }
    if let Some(since) = vm.unreachable_since {
        return Err(Refusal::new(
            ErrorCode::UserErrorHypervisorUnavailable,
            format!(
                "Hypervisor '{}' of virtual machine '{}' has not answered since {since:.0}. Try \
                 again when it is back.",
                vm.hypervisor, vm.name
            ),
        )
        .about(vm.name.clone()));
    }
    Ok(())
}

/// Refuses while a job works on the VM: a backup, a restore in place, a start, a stop.
pub(crate) fn check_not_busy(tx: &mut dyn Tx, vm: &Vm) -> Result<(), Refusal> {
    let Some(job) = tx.running_job_of_vm(vm.id)? else { return Ok(()) };
    Err(Refusal::new(
        ErrorCode::UserErrorBackupOperationInProgress,
        format!(
            "Another operation is currently in progress on '{}': {} job {}. Wait for its end.",
            vm.name,
            job.kind.azure(),
            job.id
        ),
    )
    .about(job.id.to_string()))
}

fn view(tx: &mut dyn Tx, vm: Vm) -> Result<VmView, Refusal> {
    let protection = match tx.item_of_vm(vm.id)? {
        Some(item) => Some((find::vault(tx, item.vault)?, item)),
        None => None,
    };
    Ok(VmView { vm, protection })
}

fn obstacle(tx: &mut dyn Tx, vault: &Vault, vm: &Vm) -> Result<Option<String>, Refusal> {
    if let Err(refusal) = check_reachable(vm) {
        return Ok(Some(refusal.message));
    }
    if vm.region != vault.region {
        return Ok(Some(format!(
            "It is in region '{}', the vault in '{}'.",
            vm.region, vault.region
        )));
    }
    let Some(item) = tx.item_of_vm(vm.id)? else { return Ok(None) };
    let other = find::vault(tx, item.vault)?;
    Ok(Some(format!("It is an item of vault '{}' already.", other.name)))
}
