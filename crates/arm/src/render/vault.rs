//! Vaults and their configuration objects.

use coffre_control::model::{Identity, Vault};
use serde_json::{Value, json};

use super::{enabled, put, resource, time};
use crate::names::{VAULT_TYPE, vault_id};

/// The vault, as GET answers it; `state` is its `provisioningState`.
pub(crate) fn vault(vault: &Vault, state: &str) -> Value {
    let mut body = json!({
        "location": vault.region,
        "name": vault.name,
        "etag": etag(vault),
        "type": VAULT_TYPE,
        "id": vault_id(vault),
        "sku": { "name": "Standard" },
        "properties": {
            "provisioningState": state,
            "privateEndpointStateForBackup": "None",
            "privateEndpointStateForSiteRecovery": "None",
            "monitoringSettings": monitoring(vault),
            "costManagementSettings": { "granularityLevel": "VaultLevel" },
            "securitySettings": security(vault),
            "redundancySettings": {
                "standardTierStorageRedundancy": vault.redundancy.azure(),
                "crossRegionRestore": enabled(vault.cross_region_restore),
            },
            "regionOfChoiceSettings": { "status": "Disabled" },
            "restoreSettings": {
                "crossSubscriptionRestoreSettings": {
                    "crossSubscriptionRestoreState": enabled(vault.cross_subscription_restore),
                },
            },
            "secureScore": "Adequate",
            "bcdrSecurityLevel": "Good",
            "publicNetworkAccess": enabled(vault.public_network_access),
        },
    });
    put(&mut body, "tags", (!vault.tags.is_empty()).then(|| json!(vault.tags)));
    put(&mut body, "identity", vault.identity.as_ref().map(identity));
    body
}

/// What changes with every change of the vault.
pub(crate) fn etag(vault: &Vault) -> String {
    format!("W/\"datetime'{}'\"", time(vault.changed))
}

fn monitoring(vault: &Vault) -> Value {
    let settings = &vault.monitoring;
    json!({
        "azureMonitorAlertSettings": {
            "alertsForAllJobFailures": enabled(settings.job_failures),
            "alertsForAllReplicationIssues": enabled(settings.replication_issues),
            "alertsForAllFailoverIssues": enabled(settings.failover_issues),
        },
        "classicAlertSettings": {
            "alertsForCriticalOperations": enabled(settings.classic_critical),
            "emailNotificationsForSiteRecovery": enabled(settings.classic_site_recovery_mail),
        },
    })
}

fn security(vault: &Vault) -> Value {
    json!({
        "softDeleteSettings": {
            "softDeleteRetentionPeriodInDays": vault.soft_delete.days,
            "softDeleteState": vault.soft_delete.state.azure(),
            "enhancedSecurityState": vault.soft_delete.state.azure(),
        },
        "immutabilitySettings": { "state": vault.immutability.azure() },
        "multiUserAuthorization": "Disabled",
        "sourceScanConfiguration": { "state": "Disabled" },
    })
}

fn identity(identity: &Identity) -> Value {
    let kind = match (identity.system_assigned, identity.user_assigned.is_empty()) {
        (true, true) => "SystemAssigned",
        (true, false) => "SystemAssigned, UserAssigned",
        (false, false) => "UserAssigned",
        (false, true) => "None",
    };
    let mut body = json!({ "type": kind });
    put(&mut body, "principalId", identity.principal.map(|id| json!(id)));
    let assigned = (!identity.user_assigned.is_empty()).then(|| json!(identity.user_assigned));
    put(&mut body, "userAssignedIdentities", assigned);
    body
}

/// `backupstorageconfig/vaultstorageconfig`.
pub(crate) fn storage_config(vault: &Vault) -> Value {
    let redundancy = vault.redundancy.azure();
    resource(
        format!("{}/backupstorageconfig/vaultstorageconfig", vault_id(vault)),
        "vaultstorageconfig",
        "Microsoft.RecoveryServices/vaults/backupstorageconfig",
        json!({
            "storageModelType": redundancy,
            "storageType": redundancy,
            "storageTypeState": if vault.redundancy_locked { "Locked" } else { "Unlocked" },
            "crossRegionRestoreFlag": vault.cross_region_restore,
            "dedupState": "Enabled",
            "xcoolState": "Disabled",
        }),
    )
}

/// `backupconfig/vaultconfig`.
pub(crate) fn vault_config(vault: &Vault) -> Value {
    use coffre_control::model::SoftDeleteState;
    let redundancy = vault.redundancy.azure();
    let (security, editable) = match vault.soft_delete.state {
        SoftDeleteState::Disabled => ("Disabled", true),
        SoftDeleteState::Enabled => ("Enabled", true),
        SoftDeleteState::AlwaysOn => ("Enabled", false),
    };
    resource(
        format!("{}/backupconfig/vaultconfig", vault_id(vault)),
        "vaultconfig",
        "Microsoft.RecoveryServices/vaults/backupconfig",
        json!({
            "storageModelType": redundancy,
            "storageType": redundancy,
            "storageTypeState": if vault.redundancy_locked { "Locked" } else { "Unlocked" },
            "enhancedSecurityState": security,
            "softDeleteFeatureState": vault.soft_delete.state.azure(),
            "softDeleteRetentionPeriodInDays": vault.soft_delete.days,
            "isSoftDeleteFeatureStateEditable": editable,
        }),
    )
}

/// `backupEncryptionConfigs/backupResourceEncryptionConfig`: the vault's own key seals its data.
pub(crate) fn encryption_config(vault: &Vault) -> Value {
    resource(
        format!("{}/backupEncryptionConfigs/backupResourceEncryptionConfig", vault_id(vault)),
        "backupResourceEncryptionConfig",
        "Microsoft.RecoveryServices/vaults/backupEncryptionConfigs",
        json!({
            "encryptionAtRestType": "MicrosoftManaged",
            "useSystemAssignedIdentity": false,
            "lastUpdateStatus": "NotEnabled",
            "infrastructureEncryptionState": "Disabled",
            "subscriptionId": vault.subscription,
        }),
    )
}

/// One entry of `usages` and `backupUsageSummaries`; a limit of -1 means that there is none.
pub(crate) fn usage(name: &str, label: &str, unit: &str, value: u64) -> Value {
    json!({
        "unit": unit,
        "currentValue": value,
        "limit": -1,
        "name": { "value": name, "localizedValue": label },
    })
}
