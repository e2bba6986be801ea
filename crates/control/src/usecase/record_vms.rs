//! Discovery: what a hypervisor has becomes rows.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::error::{ErrorCode, Refusal};
use crate::id::{JobId, SubscriptionId, VmId};
use crate::model::{
    AgentState, BackupHealth, ExtensionState, HealthDetail, JobKind, OsType, PowerState,
    ResourceGroup, RestoreTarget, Vm, VmDisk,
};
use crate::port::Tx;

/// A row is not written again only because time passed, unless it was seen longer ago than this.
const SEEN_AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// What one hypervisor has.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// The hypervisor, by its configured name.
    pub hypervisor: String,
    /// The subscription in which its VMs show.
    pub subscription: SubscriptionId,
    /// The resource group in which new VMs show; made when it is not there.
    pub group: String,
    /// The hypervisor's region.
    pub region: String,
    /// All its machines.
    pub machines: Vec<DiscoveredVm>,
}

/// One machine of a hypervisor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveredVm {
    /// Identity; stable.
    pub id: VmId,
    /// Name.
    pub name: String,
    /// What runs in it.
    pub os_type: OsType,
    /// Power state.
    pub power: PowerState,
    /// Guest agent.
    pub agent: AgentState,
    /// Our extension in the guest.
    pub extension: ExtensionState,
    /// Virtual processors; 0 = not known.
    pub cpus: u32,
    /// Memory in bytes; 0 = not known.
    pub memory_bytes: u64,
    /// Whether Coffre starts and stops it.
    pub managed: bool,
    /// Its disks, the OS disk first.
    pub disks: Vec<VmDisk>,
}

/// What a discovery changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovered {
    /// VMs that were not known.
    pub added: u32,
    /// VMs that look different now.
    pub changed: u32,
    /// VMs that are gone.
    pub gone: u32,
}

/// Records what a hypervisor has. A VM that it no longer has is forgotten, unless a vault
/// protects it: then its row says since when it is missing.
pub fn record_vms(
    tx: &mut dyn Tx,
    found: Discovery,
    now: Timestamp,
) -> Result<Discovered, Refusal> {
    let mut outcome = Discovered::default();
    ensure_group(tx, &found, now)?;
    let seen: Vec<VmId> = found.machines.iter().map(|machine| machine.id).collect();
    for vm in tx.vms(found.subscription)? {
        if vm.hypervisor == found.hypervisor && !seen.contains(&vm.id) {
            outcome.gone += u32::from(lose(tx, vm, now)?);
        }
    }
    for machine in &found.machines {
        match tx.vm(machine.id)? {
            Some(vm) => outcome.changed += u32::from(refresh(tx, &found, vm, machine, now)?),
            None => {
                add(tx, &found, machine, now)?;
                outcome.added += 1;
            }
        }
    }
    Ok(outcome)
}

/// Records that a hypervisor does not answer: its VMs keep their rows, and work on them is
/// refused until it is back.
pub fn record_hypervisor_away(
    tx: &mut dyn Tx,
    hypervisor: &str,
    now: Timestamp,
) -> Result<(), Refusal> {
    for subscription in tx.subscriptions()? {
        for mut vm in tx.vms(subscription.id)? {
            if vm.hypervisor == hypervisor && vm.unreachable_since.is_none() {
                vm.unreachable_since = Some(now);
                vm.power = PowerState::Unknown;
                tx.put_vm(&mut vm)?;
            }
        }
    }
    Ok(())
}

fn ensure_group(tx: &mut dyn Tx, found: &Discovery, now: Timestamp) -> Result<(), Refusal> {
    if found.machines.is_empty() || tx.group(found.subscription, &found.group)?.is_some() {
        return Ok(());
    }
    tx.put_group(&mut ResourceGroup {
        subscription: found.subscription,
        name: found.group.clone(),
        region: found.region.clone(),
        tags: BTreeMap::new(),
        created: now,
        etag: 0,
    })?;
    Ok(())
}

fn add(
    tx: &mut dyn Tx,
    found: &Discovery,
    machine: &DiscoveredVm,
    now: Timestamp,
) -> Result<(), Refusal> {
    let group = asked_group(tx, found, machine)?.unwrap_or_else(|| found.group.clone());
    let name = free_name(tx, found, &group, machine)?;
    tx.put_vm(&mut Vm {
        id: machine.id,
        subscription: found.subscription,
        group,
        name,
        region: found.region.clone(),
        os_type: machine.os_type,
        power: machine.power,
        agent: machine.agent.clone(),
        extension: machine.extension.clone(),
        cpus: machine.cpus,
        memory_bytes: machine.memory_bytes,
        managed: machine.managed,
        disks: machine.disks.clone(),
        hypervisor: found.hypervisor.clone(),
        created: now,
        seen: now,
        missing_since: None,
        unreachable_since: None,
        etag: 0,
    })?;
    Ok(())
}

/// The group that was asked for when a restore made the machine: it has the id of its job.
fn asked_group(
    tx: &mut dyn Tx,
    found: &Discovery,
    machine: &DiscoveredVm,
) -> Result<Option<String>, Refusal> {
    let Some(job) = tx.job(JobId(machine.id.uuid()))? else { return Ok(None) };
    let JobKind::Restore { target: RestoreTarget::NewVm { group, .. }, .. } = job.kind else {
        return Ok(None);
    };
    let owner = job.vault.map(|id| tx.vault(id)).transpose()?.flatten();
    if owner.is_none_or(|vault| vault.subscription != found.subscription) {
        return Ok(None);
    }
    Ok(tx.group(found.subscription, &group)?.map(|it| it.name))
}

/// Writes the row when something is different; says whether it was.
fn refresh(
    tx: &mut dyn Tx,
    found: &Discovery,
    old: Vm,
    machine: &DiscoveredVm,
    now: Timestamp,
) -> Result<bool, Refusal> {
    let renamed = !same_name(&old.name, machine);
    let name = if renamed { free_name(tx, found, &old.group, machine)? } else { old.name.clone() };
    let mut vm = Vm {
        name,
        region: found.region.clone(),
        os_type: machine.os_type,
        power: machine.power,
        agent: machine.agent.clone(),
        extension: machine.extension.clone(),
        cpus: machine.cpus,
        memory_bytes: machine.memory_bytes,
        managed: machine.managed,
        disks: machine.disks.clone(),
        hypervisor: found.hypervisor.clone(),
        missing_since: None,
        unreachable_since: None,
        ..old.clone()
    };
    let changed = vm != old;
    if !changed && now.duration_since(old.seen) < SEEN_AGAIN {
        return Ok(false);
    }
    vm.seen = now;
    tx.put_vm(&mut vm)?;
    if old.missing_since.is_some() {
        set_health(tx, vm.id, BackupHealth::Passed)?;
    }
    Ok(changed)
}

/// Forgets a VM that is gone, or notes since when it is; says whether that was news.
fn lose(tx: &mut dyn Tx, mut vm: Vm, now: Timestamp) -> Result<bool, Refusal> {
    if tx.item_of_vm(vm.id)?.is_none() {
        tx.delete_vm(vm.id)?;
        return Ok(true);
    }
    if vm.missing_since.is_some() {
        return Ok(false);
    }
    vm.missing_since = Some(now);
    vm.unreachable_since = None;
    vm.power = PowerState::Unknown;
    tx.put_vm(&mut vm)?;
    let code = ErrorCode::UserErrorVmNotFoundV2;
    let detail = HealthDetail {
        code: code.azure().to_owned(),
        title: code.title().to_owned(),
        message: format!("Hypervisor '{}' no longer has '{}'.", vm.hypervisor, vm.name),
        recommendation: "Bring the virtual machine back, restore it, or stop protection."
            .to_owned(),
    };
    set_health(tx, vm.id, BackupHealth::ActionRequired(vec![detail]))?;
    Ok(true)
}

fn set_health(tx: &mut dyn Tx, vm: VmId, health: BackupHealth) -> Result<(), Refusal> {
    if let Some(mut item) = tx.item_of_vm(vm)? {
        item.health = health;
        tx.put_item(&mut item)?;
    }
    Ok(())
}

/// The machine's own name, with a part of its id behind it when another VM of the group has the
/// name already.
fn free_name(
    tx: &mut dyn Tx,
    found: &Discovery,
    group: &str,
    machine: &DiscoveredVm,
) -> Result<String, Refusal> {
    match tx.vm_named(found.subscription, group, &machine.name)? {
        Some(other) if other.id != machine.id => Ok(with_id(machine)),
        _ => Ok(machine.name.clone()),
    }
}

fn same_name(name: &str, machine: &DiscoveredVm) -> bool {
    name == machine.name || name == with_id(machine)
}

fn with_id(machine: &DiscoveredVm) -> String {
    let id = machine.id.uuid().simple().to_string();
    format!("{}-{}", machine.name, &id[..8])
}
