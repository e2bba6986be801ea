//! Recovery points.

use coffre_control::model::{PointTier, ProtectedItem, RecoveryPoint, Vault};
use serde_json::{Value, json};

use super::{put, resource, time};
use crate::names::item_id;
use crate::render::vm::size_name;

/// The point.
pub(crate) fn point(vault: &Vault, item: &ProtectedItem, point: &RecoveryPoint) -> Value {
    let mut properties = json!({
        "objectType": "IaasVMRecoveryPoint",
        "recoveryPointType": point.consistency.azure(),
        "recoveryPointTime": time(point.time),
        "recoveryPointAdditionalInfo": additional_info(point),
        "sourceVMStorageType": "NormalStorage",
        "isSourceVMEncrypted": false,
        "isInstantIlrSessionActive": false,
        "recoveryPointTierDetails": tiers(point),
        "isManagedVirtualMachine": true,
        "virtualMachineSize": size_name(point.vm.cpus, point.vm.memory_bytes),
        "originalStorageAccountOption": false,
        "osType": point.vm.os_type.azure(),
        "recoveryPointMoveReadinessInfo": {
            "ArchivedRP": {
                "isReadyForMove": false,
                "additionalInfo": "This vault has no archive tier.",
            },
        },
        "securityType": "None",
        "isPrivateAccessEnabledOnAnyDisk": false,
        "recoveryPointDiskConfiguration": disks(point),
    });
    let rules: Vec<&str> = point.tags.iter().map(|it| it.tag.name()).collect();
    let mut kept = json!({
        "ruleName": point.rule,
        "allRuleNames": rules,
        "isSoftDeleted": point.deletion.is_some(),
    });
    let ends = point.deletion.map(|deletion| deletion.until).or(point.expires);
    put(&mut kept, "expiryTime", ends.map(|at| json!(time(at))));
    let snapshot = point.local.as_ref().and_then(|local| local.until);
    put(&mut kept, "snapshotExpiryTime", snapshot.map(|at| json!(time(at))));
    put(&mut kept, "lockedUntil", point.locked_until.map(|at| json!(time(at))));
    put(&mut properties, "recoveryPointProperties", Some(kept));
    resource(
        format!("{}/recoveryPoints/{}", item_id(vault, item), point.number),
        &point.number.to_string(),
        "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/recoveryPoints",
        properties,
    )
}

fn tiers(point: &RecoveryPoint) -> Vec<Value> {
    let status = if point.is_usable() { "Valid" } else { "Deleted" };
    let tier = |tier: &PointTier| json!({ "type": tier.azure(), "status": status });
    let local = point.local.as_ref();
    let gone = local.is_some_and(|local| local.gone.is_some());
    let deleted = gone.then(|| json!({ "type": PointTier::Instant.azure(), "status": "Deleted" }));
    deleted.into_iter().chain(point.tiers.iter().map(tier)).collect()
}

/// Why it is as consistent as it is, and why it has no snapshot where one was wanted.
fn additional_info(point: &RecoveryPoint) -> String {
    let never = point.local.as_ref().filter(|local| local.until.is_none());
    match never.and_then(|local| local.reason.as_deref()) {
        Some(reason) => format!("{}; no snapshot is kept: {reason}", point.consistency_reason),
        None => point.consistency_reason.clone(),
    }
}

fn disks(point: &RecoveryPoint) -> Value {
    // The OS disk has no number of its own at the surface; Azure shows it as -1.
    let disk =
        |lun: Option<u32>, name: &str| json!({ "lun": lun.map_or(-1, i64::from), "name": name });
    let held = |key: &str| point.disks.iter().any(|disk| disk.key == key);
    let excluded = point.vm.disks.iter().filter(|it| !held(&it.key));
    json!({
        "numberOfDisksIncludedInBackup": point.disks.len(),
        "numberOfDisksAttachedToVm": point.vm.disks.len(),
        "includedDiskList": point.disks.iter().map(|it| disk(it.lun, &it.name)).collect::<Vec<_>>(),
        "excludedDiskList": excluded.map(|it| disk(it.lun, &it.name)).collect::<Vec<_>>(),
    })
}
