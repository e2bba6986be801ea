//! The paths of the resources of the world.

use super::SUBSCRIPTION;

/// Path of the subscription.
pub fn sub(rest: &str) -> String {
    format!("/subscriptions/{SUBSCRIPTION}{rest}")
}

/// Path of the vault `vault1` in the group `rg1`.
pub fn vault(rest: &str) -> String {
    sub(&format!("/resourceGroups/rg1/providers/Microsoft.RecoveryServices/vaults/vault1{rest}"))
}

/// Path of the item of a VM in `vault1`, as the commands write it.
pub fn item(vm: &str, rest: &str) -> String {
    let part = format!("iaasvmcontainerv2%3Blab-vms%3B{vm}");
    vault(&format!(
        "/backupFabrics/Azure/protectionContainers/IaasVMContainer%3B{part}/protectedItems/VM%3B{part}{rest}"
    ))
}

/// Id of a VM.
pub fn vm_id(vm: &str) -> String {
    sub(&format!("/resourceGroups/Lab-VMs/providers/Microsoft.Compute/virtualMachines/{vm}"))
}
