//! Resource ids, and the names that Azure Backup builds from other names.
//!
//! The clients cut these texts with case-sensitive expressions, so the spelling is part of the
//! contract. Names go out in their stored casing; the parts of container and item names are in
//! lower case, as Azure has them.

use crate::id::{JobId, SubscriptionId};
use crate::model::{ProtectedItem, Vault};

/// Type of a vault.
pub const VAULT_TYPE: &str = "Microsoft.RecoveryServices/vaults";
/// Type of a virtual machine; the commands compare it letter by letter.
pub const VM_TYPE: &str = "Microsoft.Compute/virtualMachines";
/// Type of a storage account.
pub const STORAGE_TYPE: &str = "Microsoft.Storage/storageAccounts";

/// Id of a resource group.
pub fn group_id(subscription: SubscriptionId, group: &str) -> String {
    format!("/subscriptions/{subscription}/resourceGroups/{group}")
}

/// Id of a VM.
pub fn vm_id(subscription: SubscriptionId, group: &str, name: &str) -> String {
    format!("{}/providers/{VM_TYPE}/{name}", group_id(subscription, group))
}

/// Id of a storage account.
pub fn storage_id(subscription: SubscriptionId, group: &str, name: &str) -> String {
    format!("{}/providers/{STORAGE_TYPE}/{name}", group_id(subscription, group))
}

/// Id of a vault.
pub fn vault_id(vault: &Vault) -> String {
    format!("{}/providers/{VAULT_TYPE}/{}", group_id(vault.subscription, &vault.group), vault.name)
}

/// Id of a policy.
pub fn policy_id(vault: &Vault, name: &str) -> String {
    format!("{}/backupPolicies/{name}", vault_id(vault))
}

/// Id of a job.
pub fn job_id(vault: &Vault, job: JobId) -> String {
    format!("{}/backupJobs/{job}", vault_id(vault))
}

/// The part that container and item names share: `iaasvmcontainerv2;{group};{vm}`.
pub fn vm_part(group: &str, vm: &str) -> String {
    format!("iaasvmcontainerv2;{};{}", group.to_lowercase(), vm.to_lowercase())
}

/// Name of the container of a VM.
pub fn container_name(group: &str, vm: &str) -> String {
    format!("IaasVMContainer;{}", vm_part(group, vm))
}

/// Name of the protected item of a VM.
pub fn item_name(group: &str, vm: &str) -> String {
    format!("VM;{}", vm_part(group, vm))
}

/// Id of the container of a VM in a vault.
pub fn container_id(vault: &Vault, group: &str, vm: &str) -> String {
    let name = container_name(group, vm);
    format!("{}/backupFabrics/Azure/protectionContainers/{name}", vault_id(vault))
}

/// Id of a protected item.
pub fn item_id(vault: &Vault, item: &ProtectedItem) -> String {
    let (group, vm) = (&item.vm_group, &item.vm_name);
    format!("{}/protectedItems/{}", container_id(vault, group, vm), item_name(group, vm))
}
