//! Virtual machines.

use coffre_control::model::{AgentState, DiskFormat, PowerState, Vm, VmDisk};
use serde_json::{Value, json};

use super::{put, resource, time};
use crate::names::{VM_TYPE, group_id, vm_id};

/// The machine; with its instance view when the client asks for it.
pub(crate) fn vm(vm: &Vm, with_instance_view: bool) -> Value {
    let id = vm_id(vm.subscription, &vm.group, &vm.name);
    let os = vm.disks.iter().find(|disk| disk.lun.is_none());
    let data = vm.disks.iter().filter_map(|disk| disk.lun.map(|lun| data_disk(vm, disk, lun)));
    let mut properties = json!({
        "vmId": vm.id,
        "provisioningState": "Succeeded",
        "hardwareProfile": { "vmSize": size_name(vm.cpus, vm.memory_bytes) },
        "storageProfile": {},
        "osProfile": { "computerName": vm.name },
        "networkProfile": { "networkInterfaces": [] },
        "timeCreated": time(vm.created),
    });
    let storage = &mut properties["storageProfile"];
    put(storage, "osDisk", Some(os_disk(vm, os)));
    put(storage, "dataDisks", Some(data.collect()));
    put(&mut properties, "instanceView", with_instance_view.then(|| instance_view(vm)));
    let mut body = resource(id, &vm.name, VM_TYPE, properties);
    put(&mut body, "location", Some(json!(vm.region)));
    body
}

/// A size name for what a hypervisor gives: processors and memory in MiB.
pub(crate) fn size_name(cpus: u32, memory_bytes: u64) -> String {
    format!("Custom_{cpus}_{}", memory_bytes >> 20)
}

/// Disks are counted in whole GiB, rounded up, as Azure does.
fn gigabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1 << 30)
}

/// Name of a disk among all disks of the group.
pub(crate) fn disk_name(vm: &Vm, disk: &VmDisk) -> String {
    format!("{}_{}", vm.name, disk.key)
}

fn disk_id(vm: &Vm, disk: &VmDisk) -> String {
    let group = group_id(vm.subscription, &vm.group);
    format!("{group}/providers/Microsoft.Compute/disks/{}", disk_name(vm, disk))
}

fn os_disk(vm: &Vm, disk: Option<&VmDisk>) -> Value {
    let mut body = json!({
        "osType": vm.os_type.azure(),
        "createOption": "Attach",
        "caching": "None",
        "deleteOption": "Detach",
    });
    if let Some(disk) = disk {
        describe(&mut body, vm, disk);
    }
    body
}

fn data_disk(vm: &Vm, disk: &VmDisk, lun: u32) -> Value {
    let mut body = json!({
        "lun": lun,
        "createOption": "Attach",
        "caching": "None",
        "deleteOption": "Detach",
    });
    describe(&mut body, vm, disk);
    body
}

/// What a disk is, however it is attached.
fn describe(body: &mut Value, vm: &Vm, disk: &VmDisk) {
    put(body, "name", Some(json!(disk.name)));
    put(body, "managedDisk", Some(managed(vm, disk)));
    put(body, "diskSizeGB", Some(json!(gigabytes(disk.size_bytes))));
}

fn managed(vm: &Vm, disk: &VmDisk) -> Value {
    json!({ "id": disk_id(vm, disk), "storageAccountType": "Standard_LRS" })
}

/// What the machine does just now.
pub(crate) fn instance_view(vm: &Vm) -> Value {
    let (power, power_words) = power(vm);
    let (agent_code, agent_words, agent_message) = match &vm.agent {
        AgentState::Ready { .. } => ("succeeded", "Ready", "Guest Agent is running"),
        AgentState::Silent => ("Unavailable", "Not Ready", "VM agent does not answer"),
        AgentState::NotConfigured => {
            ("Unavailable", "Not Ready", "VM has no channel for a guest agent")
        }
    };
    let version = match &vm.agent {
        AgentState::Ready { version } => version.as_str(),
        AgentState::Silent | AgentState::NotConfigured => "Unknown",
    };
    let disks = vm.disks.iter().map(|disk| {
        let format = match disk.format {
            DiskFormat::Raw => "raw",
            DiskFormat::Qcow2 => "qcow2",
        };
        json!({
            "name": disk.name,
            "statuses": [{
                "code": "ProvisioningState/succeeded",
                "level": "Info",
                "displayStatus": "Provisioning succeeded",
                "message": format!("image format {format}"),
                "time": time(vm.seen),
            }],
        })
    });
    json!({
        "computerName": vm.name,
        "osName": vm.os_type.azure(),
        "vmAgent": {
            "vmAgentVersion": version,
            "statuses": [{
                "code": format!("ProvisioningState/{agent_code}"),
                "level": if agent_words == "Ready" { "Info" } else { "Warning" },
                "displayStatus": agent_words,
                "message": agent_message,
                "time": time(vm.seen),
            }],
        },
        "disks": disks.collect::<Vec<_>>(),
        "extensions": super::extension::instance_views(vm),
        "statuses": [
            {
                "code": "ProvisioningState/succeeded",
                "level": "Info",
                "displayStatus": "Provisioning succeeded",
                "time": time(vm.created),
            },
            { "code": format!("PowerState/{power}"), "level": "Info", "displayStatus": power_words },
        ],
    })
}

fn power(vm: &Vm) -> (&'static str, &'static str) {
    if vm.missing_since.is_some() || vm.unreachable_since.is_some() {
        return ("unknown", "VM unknown");
    }
    match vm.power {
        PowerState::Running => ("running", "VM running"),
        PowerState::Paused => ("stopped", "VM paused"),
        // A machine that is off takes nothing of its host.
        PowerState::Stopped => ("deallocated", "VM deallocated"),
        PowerState::Unknown => ("unknown", "VM unknown"),
    }
}
