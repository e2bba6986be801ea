//! Containers (what a vault calls the machine of an item) and protectable items.

use coffre_control::model::{ProtectedItem, Vault, Vm};
use serde_json::{Value, json};

use super::resource;
use crate::names::{VM_TYPE, container_id, container_name, source_id, vault_id, vm_id, vm_part};

/// The container of an item.
pub(crate) fn container(vault: &Vault, item: &ProtectedItem, vm: Option<&Vm>) -> Value {
    resource(
        container_id(vault, &item.vm_group, &item.vm_name),
        &container_name(&item.vm_group, &item.vm_name),
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers",
        json!({
            "virtualMachineId": source_id(vault, item, vm),
            "virtualMachineVersion": "Compute",
            "resourceGroup": item.vm_group.to_lowercase(),
            "friendlyName": item.vm_name,
            "backupManagementType": "AzureIaasVM",
            "registrationStatus": "Registered",
            "healthStatus": "Healthy",
            "containerType": VM_TYPE,
            "protectableObjectType": VM_TYPE,
            "sourceLocation": vault.region,
        }),
    )
}

/// A VM of the vault's region that no vault protects.
pub(crate) fn protectable(vault: &Vault, vm: &Vm) -> Value {
    let part = vm_part(&vm.group, &vm.name);
    let container = container_name(&vm.group, &vm.name);
    resource(
        format!(
            "{}/backupFabrics/Azure/protectionContainers/{container}/protectableItems/vm;{part}",
            vault_id(vault)
        ),
        &part,
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectableItems",
        json!({
            "virtualMachineId": vm_id(vm.subscription, &vm.group, &vm.name),
            "virtualMachineVersion": "Compute",
            "resourceGroup": vm.group.to_lowercase(),
            "backupManagementType": "AzureIaasVM",
            "workloadType": "VM",
            "protectableItemType": VM_TYPE,
            "friendlyName": vm.name,
            "protectionState": "NotProtected",
        }),
    )
}
