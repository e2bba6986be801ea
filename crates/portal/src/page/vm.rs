//! One virtual machine: what is known of it, its disks, and who protects it.

use askama::Template;
use axum::extract::{Path, State};
use coffre_control::Action;
use coffre_control::id::VmId;
use coffre_control::model::{AgentState, ExtensionState, PowerState, Vm};
use coffre_control::port::JobFilter;
use coffre_control::usecase::vm::{VmView, get_vm_by_id};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::az::AzCommand;
use crate::inventory::region_label;
use crate::page::parse_id;
use crate::page::prelude::*;
use crate::policy_text;
use crate::table::{JobTable, agent, power};
use crate::view::TimeElement;
use crate::words;

/// Newest jobs of the VM that its page shows.
const JOBS_MAX: u32 = 10;

/// What is written otherwise in a part of a path.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

#[derive(Template)]
#[template(path = "vm.html")]
struct VmPage<'a> {
    view: &'a View,
    section: &'static str,
    vm: &'a Vm,
    os: &'static str,
    region: &'a str,
    cpus: String,
    memory: String,
    seen: TimeElement,
    power: Status,
    agent: Status,
    agent_version: Option<&'a str>,
    agent_advice: Option<Notice>,
    extension: Status,
    extension_version: Option<&'a str>,
    extension_advice: Option<Notice>,
    gone: Option<Notice>,
    protection: Option<Protection>,
    may_protect: bool,
    may_start: bool,
    may_stop: bool,
    has_log: bool,
    disks: Vec<Disk>,
    jobs: JobTable<'a>,
    no_jobs: Empty,
    az: AzLines<'a>,
}

struct Protection {
    item: String,
    vault: String,
    vault_name: String,
    policy: Option<String>,
    /// Where the policy is changed; none for who may not.
    policy_address: Option<String>,
    status: Status,
}

struct Disk {
    name: String,
    role: String,
    size: String,
    format: &'static str,
    backed_up: Option<bool>,
}

/// `GET /portal/vms/{id}`.
pub(crate) async fn show(State(app): State<App>, view: View, Path(id): Path<String>) -> Answer {
    let id: VmId = parse_id(&id)?;
    let (found, regions, jobs) = app
        .look("portal_vm", view.caller(), move |tx, cx| {
            let found = get_vm_by_id(tx, cx, id)?;
            let filter = JobFilter { vm: Some(id), limit: Some(JOBS_MAX), ..JobFilter::default() };
            Ok((found, tx.regions()?, tx.jobs(&filter)?))
        })
        .await?;
    let VmView { vm, protection } = &found;
    let may_power = vm.managed && view.may(Action::PowerVm);
    html(&VmPage {
        view: &view,
        section: "vms",
        vm,
        os: words::os(vm.os_type),
        region: region_label(&regions, &vm.region),
        cpus: known(u64::from(vm.cpus), |cpus| view.number(cpus)),
        memory: known(vm.memory_bytes, |bytes| view.bytes(bytes)),
        seen: view.time(vm.seen),
        power: power(&view, vm),
        agent: agent(&view, vm),
        agent_version: match &vm.agent {
            AgentState::Ready { version } => Some(version),
            AgentState::Silent | AgentState::NotConfigured => None,
        },
        agent_advice: agent_advice(&view, vm),
        extension: status(&view, words::extension(&vm.extension)),
        extension_version: match &vm.extension {
            ExtensionState::Installed { version } => Some(version),
            ExtensionState::Failed { version, .. } => version.as_deref(),
            ExtensionState::NotOffered | ExtensionState::Absent => None,
        },
        extension_advice: match &vm.extension {
            ExtensionState::Failed { reason, .. } => {
                let text = view.t1("extension-failed-text", "reason", &view.say(reason));
                Some(Notice::new(Tone::Warn, [text]))
            }
            _ => None,
        },
        gone: gone(&view, vm),
        protection: protection.as_ref().map(|(vault, item)| Protection {
            item: item.id.to_string(),
            vault: vault.id.to_string(),
            vault_name: vault.name.clone(),
            policy: item.policy.clone(),
            policy_address: item
                .policy
                .as_ref()
                .filter(|_| view.may(Action::WritePolicy))
                .map(|name| policy_text::address(vault.id, name)),
            status: status(&view, words::item(item)),
        }),
        may_protect: protection.is_none() && view.may(Action::EnableProtection),
        may_start: may_power && vm.power == PowerState::Stopped,
        may_stop: may_power && vm.power == PowerState::Running,
        has_log: matches!(vm.agent, AgentState::Ready { .. }) || has_extension(vm),
        disks: disks(&view, &found),
        jobs: JobTable::new(&view, &jobs),
        no_jobs: empty(&view, "jobs-none", "vm-jobs-none-text"),
        az: az(&view, commands(vm, may_power)),
    })
}

fn has_extension(vm: &Vm) -> bool {
    matches!(vm.extension, ExtensionState::Installed { .. } | ExtensionState::Failed { .. })
}

/// A figure, or a dash when it is not known.
fn known(value: u64, write: impl FnOnce(u64) -> String) -> String {
    if value == 0 { "–".to_owned() } else { write(value) }
}

fn commands(vm: &Vm, may_power: bool) -> Vec<AzCommand> {
    let of_vm = |verbs| {
        AzCommand::new(verbs).option("--resource-group", &vm.group).option("--name", &vm.name)
    };
    let mut commands = vec![of_vm("vm show")];
    match vm.power {
        PowerState::Stopped if may_power => commands.push(of_vm("vm start")),
        PowerState::Running if may_power => commands.push(of_vm("vm stop")),
        _ => {}
    }
    if has_extension(vm) {
        let list = AzCommand::new("vm extension list");
        let list = list.option("--resource-group", &vm.group).option("--vm-name", &vm.name);
        commands.push(list);
        commands.push(AzCommand::new("rest --method get").option("--url", &log_command(vm)));
    }
    commands
}

/// The address of the guest's log at the API. It is read when somebody asks, and not each time that
/// the page of the machine is shown.
pub(crate) fn log_command(vm: &Vm) -> String {
    let part = |name| utf8_percent_encode(name, IN_PATH);
    format!(
        "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.Compute/virtualMachines/{}\
         /extensions/VMSnapshotLinux/logs?api-version=2024-07-01",
        vm.subscription,
        part(&vm.group),
        part(&vm.name)
    )
}

fn disks(view: &View, found: &VmView) -> Vec<Disk> {
    let disk = |disk: &coffre_control::model::VmDisk| Disk {
        name: disk.name.clone(),
        role: match disk.lun {
            None => view.t("disk-os"),
            Some(lun) => view.t1("disk-lun", "lun", u64::from(lun)),
        },
        size: view.bytes(disk.size_bytes),
        format: words::disk_format(disk.format),
        backed_up: found.protection.as_ref().map(|(_, item)| item.takes_disk(disk.lun)),
    };
    found.vm.disks.iter().map(disk).collect()
}

fn agent_advice(view: &View, vm: &Vm) -> Option<Notice> {
    if vm.missing_since.is_some() || vm.unreachable_since.is_some() {
        return None;
    }
    let text = match &vm.agent {
        AgentState::Ready { .. } => return None,
        AgentState::Silent => "agent-silent-advice",
        AgentState::NotConfigured => "agent-not-configured-advice",
    };
    Some(Notice::new(Tone::Info, [view.t(text)]))
}

fn gone(view: &View, vm: &Vm) -> Option<Notice> {
    let (key, since) = match (vm.missing_since, vm.unreachable_since) {
        (Some(since), _) => ("vm-missing-text", since),
        (None, Some(since)) => ("vm-unreachable-text", since),
        (None, None) => return None,
    };
    let since = view.time(since);
    let text = view.t2(key, "hypervisor", &vm.hypervisor, "time", since.text());
    Some(Notice::new(Tone::Warn, [text]))
}
