//! Shapes of vaults, of their configuration, and of the guards over them.

use serde_json::Value;

use super::shape::{
    Shapes, anything, boolean, exactly, guid, id, list, map, object, one_of, or_null, resource,
    switch, text, time, tracked, whole, with, word,
};

const VAULT: &str = "Microsoft.RecoveryServices/vaults";

pub(super) fn all() -> Shapes {
    vec![
        (
            "Vault",
            with(
                with(with(tracked(VAULT, properties()), "etag", word()), "sku", sku()),
                "identity?",
                identity(),
            ),
        ),
        ("DeletedVault", deleted()),
        (
            "StorageConfig",
            resource("Microsoft.RecoveryServices/vaults/backupstorageconfig", storage_config()),
        ),
        ("VaultConfig", resource("Microsoft.RecoveryServices/vaults/backupconfig", vault_config())),
        (
            "EncryptionConfig",
            resource("Microsoft.RecoveryServices/vaults/backupEncryptionConfigs", encryption()),
        ),
        ("Usage", usage()),
        ("NameAvailability", availability()),
        ("Cost", cost()),
        ("ResourceGuard", guard()),
        (
            "GuardProxy",
            resource("Microsoft.RecoveryServices/vaults/backupResourceGuardProxies", proxy()),
        ),
        ("UnlockDelete", object([("unlockDeleteExpiryTime", time())])),
        ("Approval", resource("Microsoft.RecoveryServices/vaults/backupApprovals", approval())),
    ]
}

fn sku() -> Value {
    object([("name", one_of(&["Standard", "RS0"]))])
}

fn identity() -> Value {
    let kinds = ["SystemAssigned", "None", "UserAssigned", "SystemAssigned, UserAssigned"];
    object([
        ("type", one_of(&kinds)),
        ("principalId?", guid()),
        ("tenantId?", guid()),
        ("userAssignedIdentities?", map(anything())),
    ])
}

fn redundancy() -> Value {
    one_of(&["GeoRedundant", "LocallyRedundant", "ZoneRedundant"])
}

fn soft_delete_state() -> Value {
    one_of(&["Enabled", "Disabled", "AlwaysON"])
}

fn properties() -> Value {
    object([
        ("provisioningState", one_of(&["Succeeded", "Provisioning", "Deleting", "Failed"])),
        ("privateEndpointStateForBackup", one_of(&["None", "Enabled"])),
        ("privateEndpointStateForSiteRecovery", one_of(&["None", "Enabled"])),
        ("monitoringSettings", monitoring()),
        ("costManagementSettings", object([("granularityLevel", exactly("VaultLevel"))])),
        ("securitySettings", security()),
        (
            "redundancySettings",
            object([
                ("standardTierStorageRedundancy", redundancy()),
                ("crossRegionRestore", switch()),
            ]),
        ),
        ("regionOfChoiceSettings", object([("status", switch())])),
        ("restoreSettings", restore_settings()),
        ("secureScore", one_of(&["None", "Minimum", "Adequate", "Maximum"])),
        ("bcdrSecurityLevel", one_of(&["Poor", "Fair", "Good", "Excellent"])),
        ("publicNetworkAccess", switch()),
    ])
}

fn restore_settings() -> Value {
    let state = one_of(&["Enabled", "Disabled", "PermanentlyDisabled"]);
    let across = object([("crossSubscriptionRestoreState", state)]);
    object([("crossSubscriptionRestoreSettings", across)])
}

fn monitoring() -> Value {
    object([
        (
            "azureMonitorAlertSettings",
            object([
                ("alertsForAllJobFailures", switch()),
                ("alertsForAllReplicationIssues", switch()),
                ("alertsForAllFailoverIssues", switch()),
            ]),
        ),
        (
            "classicAlertSettings",
            object([
                ("alertsForCriticalOperations", switch()),
                ("emailNotificationsForSiteRecovery", switch()),
            ]),
        ),
    ])
}

fn security() -> Value {
    object([
        (
            "softDeleteSettings",
            object([
                ("softDeleteRetentionPeriodInDays", whole()),
                ("softDeleteState", soft_delete_state()),
                ("enhancedSecurityState", soft_delete_state()),
            ]),
        ),
        ("immutabilitySettings", object([("state", one_of(&["Disabled", "Unlocked", "Locked"]))])),
        ("multiUserAuthorization", one_of(&["Invalid", "Enabled", "Disabled"])),
        ("sourceScanConfiguration", object([("state", switch())])),
    ])
}

fn deleted() -> Value {
    let properties =
        object([("vaultId", id()), ("vaultDeletionTime", time()), ("purgeAt", time())]);
    resource("Microsoft.RecoveryServices/locations/deletedVaults", properties)
}

fn storage_config() -> Value {
    object([
        ("storageModelType", redundancy()),
        ("storageType", redundancy()),
        ("storageTypeState", one_of(&["Locked", "Unlocked"])),
        ("crossRegionRestoreFlag", boolean()),
        ("dedupState", switch()),
        ("xcoolState", switch()),
    ])
}

fn vault_config() -> Value {
    object([
        ("storageModelType", redundancy()),
        ("storageType", redundancy()),
        ("storageTypeState", one_of(&["Locked", "Unlocked"])),
        ("enhancedSecurityState", soft_delete_state()),
        ("softDeleteFeatureState", soft_delete_state()),
        ("softDeleteRetentionPeriodInDays", whole()),
        ("isSoftDeleteFeatureStateEditable", boolean()),
    ])
}

fn encryption() -> Value {
    object([
        ("encryptionAtRestType", one_of(&["MicrosoftManaged", "CustomerManaged"])),
        ("useSystemAssignedIdentity", boolean()),
        ("lastUpdateStatus", exactly("NotEnabled")),
        ("infrastructureEncryptionState", switch()),
        ("subscriptionId", guid()),
    ])
}

fn usage() -> Value {
    object([
        ("unit", one_of(&["Count", "Bytes"])),
        ("currentValue", whole()),
        ("limit", whole()),
        ("name", object([("value", word()), ("localizedValue", word())])),
    ])
}

fn availability() -> Value {
    object([
        ("nameAvailable", boolean()),
        ("reason?", one_of(&["AlreadyExists", "Invalid"])),
        ("message?", word()),
    ])
}

fn cost() -> Value {
    object([
        ("id", id()),
        ("name", word()),
        (
            "properties",
            object([
                ("protectionState", word()),
                ("protectedInstanceBytes", whole()),
                ("sizeBasis", one_of(&["Allocated", "Provisioned"])),
                ("sizeBand", word()),
                ("recoveryPointCount", whole()),
                ("storedBytes", whole()),
            ]),
        ),
    ])
}

fn guard() -> Value {
    let operation = object([("vaultCriticalOperation", word()), ("requestResourceType", word())]);
    let properties = object([
        ("provisioningState", exactly("Succeeded")),
        ("allowAutoApprovals", boolean()),
        ("resourceGuardOperations", list(operation)),
        ("vaultCriticalOperationExclusionList", list(word())),
        ("holders", list(text())),
    ]);
    tracked("Microsoft.DataProtection/resourceGuards", properties)
}

fn proxy() -> Value {
    let detail = object([("vaultCriticalOperation", word()), ("defaultResourceRequest", id())]);
    object([
        ("resourceGuardResourceId", id()),
        ("resourceGuardOperationDetails", list(detail)),
        ("lastUpdatedTime", time()),
    ])
}

fn approval() -> Value {
    object([
        ("operation", word()),
        ("request", word()),
        ("exactly", text()),
        ("requestedBy", text()),
        ("requestedTime", time()),
        ("state", one_of(&["Asked", "Granted", "Refused", "Used", "Expired"])),
        ("decidedBy", or_null(text())),
        ("expiryTime", time()),
    ])
}

#[cfg(test)]
mod tests {
    use super::super::shape::named;
    use super::*;

    #[test]
    fn a_vault_needs_what_the_commands_index_without_asking() {
        let shape = all().swap_remove(0).1;
        let required = shape["properties"]["properties"]["required"].as_array().unwrap();
        for member in ["monitoringSettings", "securitySettings", "redundancySettings"] {
            assert!(required.iter().any(|it| it == member), "{member}");
        }
        assert_eq!(shape["properties"]["tags"], named("Tags"));
    }
}
