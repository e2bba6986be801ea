//! Looking things up, with a refusal that says what is missing.

use crate::error::{ErrorCode, Refusal};
use crate::id::{ItemId, JobId, PointId, SubscriptionId, VaultId, VmId};
use crate::model::{
    Job, Policy, ProtectedItem, RecoveryPoint, Region, ResourceGroup, Subscription, Vault, Vm,
};
use crate::port::Tx;

pub(crate) fn subscription(tx: &mut dyn Tx, id: SubscriptionId) -> Result<Subscription, Refusal> {
    tx.subscription(id)?.ok_or_else(|| {
        Refusal::new(
            ErrorCode::SubscriptionNotFound,
            format!("The subscription '{id}' could not be found."),
        )
    })
}

pub(crate) fn region(tx: &mut dyn Tx, name: &str) -> Result<Region, Refusal> {
    // Azure takes "East Asia" for "eastasia".
    let wanted: String = name.chars().filter(|c| !c.is_whitespace()).collect();
    if let Some(region) = tx.region(&wanted)? {
        return Ok(region);
    }
    let known: Vec<String> = tx.regions()?.into_iter().map(|region| region.name).collect();
    Err(Refusal::new(
        ErrorCode::LocationNotAvailableForResourceType,
        format!("There is no region '{name}'. Use one of these: {}.", known.join(", ")),
    )
    .about("location"))
}

pub(crate) fn group(
    tx: &mut dyn Tx,
    subscription: SubscriptionId,
    name: &str,
) -> Result<ResourceGroup, Refusal> {
    tx.group(subscription, name)?.ok_or_else(|| {
        Refusal::new(
            ErrorCode::ResourceGroupNotFound,
            format!("Resource group '{name}' could not be found."),
        )
        .about(name)
    })
}

pub(crate) fn vault(tx: &mut dyn Tx, id: VaultId) -> Result<Vault, Refusal> {
    tx.vault(id)?.ok_or_else(|| {
        Refusal::new(ErrorCode::ResourceNotFound, format!("There is no vault with id '{id}'."))
    })
}

pub(crate) fn policy(tx: &mut dyn Tx, vault: &Vault, name: &str) -> Result<Policy, Refusal> {
    if let Some(policy) = tx.policy(vault.id, name)? {
        return Ok(policy);
    }
    let known: Vec<String> = tx.policies(vault.id)?.into_iter().map(|it| it.name).collect();
    Err(Refusal::new(
        ErrorCode::BMSUserErrorPolicyNotFound,
        format!(
            "Vault '{}' has no backup policy '{name}'. It has these: {}.",
            vault.name,
            known.join(", ")
        ),
    )
    .about("policyId"))
}

pub(crate) fn vm(tx: &mut dyn Tx, id: VmId) -> Result<Vm, Refusal> {
    tx.vm(id)?.ok_or_else(|| {
        Refusal::new(
            ErrorCode::UserErrorVmNotFoundV2,
            format!("There is no virtual machine with id '{id}'."),
        )
    })
}

pub(crate) fn item(tx: &mut dyn Tx, id: ItemId) -> Result<ProtectedItem, Refusal> {
    tx.item(id)?.ok_or_else(|| {
        Refusal::new(
            ErrorCode::ProtectedItemNotFound,
            format!("There is no protected item with id '{id}'."),
        )
    })
}

pub(crate) fn point(tx: &mut dyn Tx, id: PointId) -> Result<RecoveryPoint, Refusal> {
    tx.point(id)?.ok_or_else(|| {
        Refusal::new(
            ErrorCode::UserErrorRecoveryPointNotFound,
            format!("There is no recovery point with id '{id}'."),
        )
    })
}

pub(crate) fn job(tx: &mut dyn Tx, id: JobId) -> Result<Job, Refusal> {
    tx.job(id)?.ok_or_else(|| {
        Refusal::new(ErrorCode::BMSUserErrorJobNotFound, format!("There is no job '{id}'."))
    })
}

/// Refuses while a job on the item runs.
pub(crate) fn no_running_job(tx: &mut dyn Tx, item: &ProtectedItem) -> Result<(), Refusal> {
    let Some(job) = tx.running_job(item.id)? else { return Ok(()) };
    Err(Refusal::new(
        ErrorCode::UserErrorBackupOperationInProgress,
        format!(
            "Another operation is currently in progress on '{}': {} job {}. Wait for its end, \
             or cancel it.",
            item.vm_name,
            job.kind.azure(),
            job.id
        ),
    )
    .about(job.id.to_string()))
}
