//! Shapes of policies, items, points, jobs and operations.

use serde_json::Value;

use super::shape::{
    Shapes, boolean, duration, exactly, guid, id, list, map, named, number, object, one_of,
    or_null, resource, text, time, url, whole, word,
};

const VM: &str = "Microsoft.Compute/virtualMachines";
const CONTAINER: &str = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers";

pub(super) fn all() -> Shapes {
    let mut shapes = super::of_policy::all();
    shapes.extend([
        ("Container", resource(CONTAINER, container())),
        ("ProtectableItem", resource(&format!("{CONTAINER}/protectableItems"), protectable())),
        ("ProtectedItem", resource(&format!("{CONTAINER}/protectedItems"), item())),
        (
            "NextRun",
            object([("id", id()), ("slot", or_null(time())), ("startsAt", or_null(time()))]),
        ),
        ("RecoveryPoint", resource(&format!("{CONTAINER}/protectedItems/recoveryPoints"), point())),
        ("Job", job_with(&[])),
        ("JobDetail", job_with(&["extendedInfo"])),
        ("Retry", retry()),
        ("Operation", operation()),
        // The operation, or with `monitor=true` its result, which has no members.
        ("PowerOperation", serde_json::json!({ "anyOf": [named("Operation"), named("Empty")] })),
        ("BackupStatus", backup_status()),
        ("FeatureSupport", object([("supportStatus", one_of(&["Supported", "NotSupported"]))])),
        ("FileScripts", object([("clientScripts", list(script()))])),
        ("ClockConfirmed", object([("confirmed", time())])),
    ]);
    shapes
}

fn job_with(required: &[&str]) -> Value {
    let mut properties = job();
    if let Some(list) = properties["required"].as_array_mut() {
        list.extend(required.iter().map(|it| Value::from(*it)));
    }
    resource("Microsoft.RecoveryServices/vaults/backupJobs", properties)
}

fn container() -> Value {
    object([
        ("virtualMachineId", id()),
        ("virtualMachineVersion", exactly("Compute")),
        ("resourceGroup", word()),
        ("friendlyName", word()),
        ("backupManagementType", exactly("AzureIaasVM")),
        ("registrationStatus", exactly("Registered")),
        ("healthStatus", exactly("Healthy")),
        ("containerType", exactly(VM)),
        ("protectableObjectType", exactly(VM)),
        ("sourceLocation", word()),
    ])
}

fn protectable() -> Value {
    object([
        ("virtualMachineId", id()),
        ("virtualMachineVersion", exactly("Compute")),
        ("resourceGroup", word()),
        ("backupManagementType", exactly("AzureIaasVM")),
        ("workloadType", exactly("VM")),
        ("protectableItemType", exactly(VM)),
        ("friendlyName", word()),
        ("protectionState", exactly("NotProtected")),
    ])
}

fn item() -> Value {
    let scan = object([
        ("sourceSideScanStatus", exactly("NotConfigured")),
        ("sourceSideScanSummary", exactly("Unknown")),
    ]);
    let exclusion = object([("diskLunList", list(whole())), ("isInclusionList", boolean())]);
    object([
        ("friendlyName", word()),
        ("virtualMachineId", id()),
        ("sourceResourceId", id()),
        ("protectionStatus", exactly("Healthy")),
        ("protectionState", state_of_item()),
        ("healthStatus", one_of(&["Passed", "ActionRequired", "ActionSuggested"])),
        ("healthDetails?", list(health_detail())),
        ("kpisHealths", map(text())),
        (
            "lastBackupStatus",
            one_of(&["", "Completed", "CompletedWithWarnings", "Failed", "Cancelled"]),
        ),
        ("lastBackupTime", time()),
        ("lastRecoveryPoint", or_null(time())),
        ("protectedItemDataId", word()),
        ("policyType", one_of(&["V1", "V2"])),
        ("protectedItemType", exactly(VM)),
        ("backupManagementType", exactly("AzureIaasVM")),
        ("workloadType", exactly("VM")),
        ("containerName", word()),
        ("policyId", text()),
        ("policyName", text()),
        ("vaultId", id()),
        ("isArchiveEnabled", boolean()),
        ("softDeleteRetentionPeriod", whole()),
        ("softDeleteRetentionPeriodInDays", whole()),
        ("sourceLocation", word()),
        ("sourceSideScanInfo", scan),
        ("extendedProperties?", object([("diskExclusionProperties", exclusion)])),
        ("extendedInfo?", item_counts()),
        ("isScheduledForDeferredDelete?", boolean()),
        ("deferredDeleteTimeInUTC?", time()),
        ("deferredDeleteTimeRemaining?", word()),
        ("isDeferredDeleteScheduleUpcoming?", boolean()),
    ])
}

fn state_of_item() -> Value {
    one_of(&["IRPending", "Protected", "ProtectionStopped", "BackupsSuspended"])
}

fn health_detail() -> Value {
    object([
        ("code", whole()),
        ("title", word()),
        ("message", word()),
        ("recommendations", list(text())),
    ])
}

fn item_counts() -> Value {
    let freezes = object([
        ("count", whole()),
        ("medianMilliseconds", whole()),
        ("p99Milliseconds", whole()),
        ("longestMilliseconds", whole()),
    ]);
    object([
        ("freezeWindows", or_null(freezes)),
        ("oldestRecoveryPoint", or_null(time())),
        ("oldestRecoveryPointInVault", or_null(time())),
        ("recoveryPointCount", whole()),
        ("policyInconsistent", boolean()),
    ])
}

fn point() -> Value {
    let tier = object([
        ("type", one_of(&["InstantRP", "HardenedRP", "ArchivedRP"])),
        ("status", one_of(&["Valid", "Deleted"])),
    ]);
    let readiness = object([("isReadyForMove", boolean()), ("additionalInfo", text())]);
    object([
        ("objectType", exactly("IaasVMRecoveryPoint")),
        (
            "recoveryPointType",
            one_of(&["AppConsistent", "FileSystemConsistent", "CrashConsistent"]),
        ),
        ("recoveryPointTime", time()),
        ("recoveryPointAdditionalInfo", text()),
        ("sourceVMStorageType", word()),
        ("isSourceVMEncrypted", boolean()),
        ("isInstantIlrSessionActive", boolean()),
        ("recoveryPointTierDetails", list(tier)),
        ("isManagedVirtualMachine", boolean()),
        ("virtualMachineSize", word()),
        ("originalStorageAccountOption", boolean()),
        ("osType", one_of(&["Linux", "Windows"])),
        ("recoveryPointMoveReadinessInfo", map(readiness)),
        ("securityType", word()),
        ("isPrivateAccessEnabledOnAnyDisk", boolean()),
        ("recoveryPointDiskConfiguration", point_disks()),
        ("recoveryPointProperties", point_rules()),
    ])
}

fn point_disks() -> Value {
    let disk = || object([("lun", whole()), ("name", text())]);
    object([
        ("numberOfDisksIncludedInBackup", whole()),
        ("numberOfDisksAttachedToVm", whole()),
        ("includedDiskList", list(disk())),
        ("excludedDiskList", list(disk())),
    ])
}

fn point_rules() -> Value {
    object([
        ("ruleName", text()),
        ("allRuleNames", list(word())),
        ("isSoftDeleted", boolean()),
        ("expiryTime?", time()),
        ("lockedUntil?", time()),
        ("snapshotExpiryTime?", time()),
    ])
}

fn job() -> Value {
    let operations = [
        "ConfigureBackup",
        "Backup",
        "Restore",
        "DisableBackup",
        "DeleteBackupData",
        "Undelete",
        "RefreshContainers",
    ];
    let failure = object([
        ("errorCode", whole()),
        ("errorTitle", word()),
        ("errorString", word()),
        ("recommendations", list(text())),
    ]);
    object([
        ("jobType", exactly("AzureIaaSVMJob")),
        ("duration", duration()),
        ("virtualMachineVersion", exactly("Compute")),
        ("entityFriendlyName", word()),
        ("backupManagementType", exactly("AzureIaasVM")),
        ("operation", one_of(&operations)),
        ("status", status_of_job()),
        ("startTime", time()),
        ("endTime?", time()),
        ("activityId", guid()),
        ("isUserTriggered", boolean()),
        ("containerName?", word()),
        ("actionsInfo?", list(one_of(&["Cancellable", "Retriable"]))),
        ("errorDetails?", list(failure)),
        ("extendedInfo?", job_tasks()),
    ])
}

fn status_of_job() -> Value {
    one_of(&[
        "InProgress",
        "Cancelling",
        "Completed",
        "CompletedWithWarnings",
        "Failed",
        "Cancelled",
    ])
}

fn job_tasks() -> Value {
    let statuses = ["InProgress", "Completed", "CompletedWithWarnings", "Failed", "Cancelled"];
    let task = object([
        ("taskId", word()),
        ("duration", duration()),
        ("status", one_of(&statuses)),
        ("startTime?", time()),
        ("endTime?", time()),
    ]);
    object([
        ("tasksList", list(task)),
        ("propertyBag", map(text())),
        ("internalPropertyBag?", map(text())),
        ("progressPercentage?", number()),
        ("estimatedRemainingDuration?", duration()),
        ("dynamicErrorMessage?", text()),
    ])
}

fn retry() -> Value {
    let properties = object([("operation", word()), ("retryOf", guid())]);
    object([("id", id()), ("name", guid()), ("properties", properties)])
}

fn operation() -> Value {
    let job =
        object([("objectType", exactly("OperationStatusJobExtendedInfo")), ("jobId", guid())]);
    object([
        ("id", guid()),
        ("name", guid()),
        ("status", one_of(&["InProgress", "Succeeded", "Failed", "Canceled"])),
        ("startTime", time()),
        // An operation that has not ended says so with a time before all others, without a zone.
        ("endTime", serde_json::json!({ "anyOf": [time(), exactly("0001-01-01T00:00:00")] })),
        ("properties?", job),
        ("error?", named("ErrorBody")),
    ])
}

fn backup_status() -> Value {
    object([
        ("protectionStatus", one_of(&["Protected", "NotProtected"])),
        ("vaultId", text()),
        ("fabricName", exactly("Azure")),
        ("containerName", text()),
        ("protectedItemName", text()),
        ("policyName", text()),
        ("registrationStatus", one_of(&["", "Registered"])),
        ("errorCode", exactly("Success")),
        ("errorMessage", text()),
    ])
}

fn script() -> Value {
    object([
        ("scriptContent", word()),
        ("scriptExtension", word()),
        ("scriptNameSuffix", word()),
        ("osType", exactly("Linux")),
        ("url", or_null(url())),
    ])
}
