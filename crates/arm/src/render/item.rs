//! Protected items.

use coffre_control::model::{FreezeWindows, ItemState, PolicyKind, ProtectedItem, Vault, Vm};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{put, resource, time};
use crate::names::{VM_TYPE, item_id, item_name, policy_id, source_id, vault_id, vm_part};

/// What stands for "never" in a time that the clients need.
const NEVER: &str = "2001-01-01T00:00:00Z";

/// What is shown of an item beside its own row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ItemContext<'a> {
    /// The vault that protects it.
    pub(crate) vault: &'a Vault,
    /// The VM, unless its row is gone.
    pub(crate) vm: Option<&'a Vm>,
    /// Kind of its policy, unless it has none.
    pub(crate) kind: Option<PolicyKind>,
    /// How many recovery points it has, and when the oldest was taken; none leaves it out.
    pub(crate) points: Option<(usize, Option<Timestamp>)>,
    /// How long the VM stood still for them.
    pub(crate) freezes: Option<FreezeWindows>,
    /// Now.
    pub(crate) now: Timestamp,
}

/// The item.
pub(crate) fn item(item: &ProtectedItem, context: ItemContext<'_>) -> Value {
    let ItemContext { vault, vm, .. } = context;
    let source = source_id(vault, item, vm);
    let policy = item.policy.as_deref().unwrap_or_default();
    let policy_id = if policy.is_empty() { String::new() } else { policy_id(vault, policy) };
    let mut properties = json!({
        "friendlyName": item.vm_name,
        "virtualMachineId": source,
        "sourceResourceId": source,
        "protectionStatus": "Healthy",
        "protectionState": item.state.azure(),
        "healthStatus": item.health.azure(),
        "kpisHealths": {},
        "lastBackupStatus": item.last_backup.as_ref().map_or("", |last| last.outcome.azure()),
        "lastBackupTime": item.last_backup.as_ref().map_or(NEVER.to_owned(), |last| time(last.time)),
        // Null, not absent: the commands' tables index it without asking.
        "lastRecoveryPoint": item.last_point.map(|last| time(last.time)),
        "protectedItemDataId": item.number.to_string(),
        "policyType": context.kind.unwrap_or(PolicyKind::Standard).azure(),
        "protectedItemType": VM_TYPE,
        "backupManagementType": "AzureIaasVM",
        "workloadType": "VM",
        "containerName": vm_part(&item.vm_group, &item.vm_name),
        "policyId": policy_id,
        "policyName": policy,
        "vaultId": vault_id(vault),
        "isArchiveEnabled": false,
        "softDeleteRetentionPeriod": vault.soft_delete.days,
        "softDeleteRetentionPeriodInDays": vault.soft_delete.days,
        "sourceLocation": vault.region,
        "sourceSideScanInfo": {
            "sourceSideScanStatus": "NotConfigured",
            "sourceSideScanSummary": "Unknown",
        },
    });
    add_health(&mut properties, item);
    add_soft_delete(&mut properties, item, context.now);
    let disks = item.disk_selection.as_ref().map(|selection| {
        json!({
            "diskExclusionProperties": {
                "diskLunList": selection.luns,
                "isInclusionList": selection.include,
            },
        })
    });
    put(&mut properties, "extendedProperties", disks);
    let extended = context.points.map(|(count, oldest)| {
        json!({
            "freezeWindows": context.freezes.map(freeze_windows),
            "oldestRecoveryPoint": oldest.map(time),
            "oldestRecoveryPointInVault": oldest.map(time),
            "recoveryPointCount": count,
            "policyInconsistent": false,
        })
    });
    put(&mut properties, "extendedInfo", extended);
    resource(
        item_id(vault, item),
        &item_name(&item.vm_group, &item.vm_name),
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems",
        properties,
    )
}

fn freeze_windows(freezes: FreezeWindows) -> Value {
    json!({
        "count": freezes.count,
        "medianMilliseconds": freezes.median_ms,
        "p99Milliseconds": freezes.p99_ms,
        "longestMilliseconds": freezes.longest_ms,
    })
}

fn add_health(properties: &mut Value, item: &ProtectedItem) {
    let details: Vec<Value> = item
        .health
        .details()
        .iter()
        .map(|detail| {
            json!({
                "code": super::job::number_of_code(&detail.code),
                "title": detail.title,
                "message": detail.message,
                "recommendations": [detail.recommendation],
            })
        })
        .collect();
    put(properties, "healthDetails", (!details.is_empty()).then_some(Value::Array(details)));
}

fn add_soft_delete(properties: &mut Value, item: &ProtectedItem, now: Timestamp) {
    let ItemState::SoftDeleted { until, .. } = item.state else { return };
    let rest = until.duration_since(now).max(SignedDuration::ZERO);
    put(properties, "isScheduledForDeferredDelete", Some(json!(true)));
    put(properties, "deferredDeleteTimeInUTC", Some(json!(time(until))));
    put(properties, "deferredDeleteTimeRemaining", Some(json!(dotted(rest))));
    put(properties, "isDeferredDeleteScheduleUpcoming", Some(json!(false)));
}

/// A duration as `d.hh:mm:ss.fffffff`; this one member alone is not ISO 8601.
fn dotted(duration: SignedDuration) -> String {
    let seconds = duration.as_secs();
    let ticks = duration.subsec_nanos() / 100;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    format!("{days}.{hours:02}:{minutes:02}:{:02}.{ticks:07}", seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_of_soft_deletion_is_dotted() {
        let rest = SignedDuration::new(13 * 86_400 + 23 * 3600 + 59 * 60 + 43, 806_890_800);
        assert_eq!(dotted(rest), "13.23:59:43.8068908");
    }
}
