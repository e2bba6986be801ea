//! The life of an item and the codes that its jobs end with, through the API: the rows of the
//! tables of Azure's rules that apply here.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::time::Duration;

use axum::http::StatusCode;
use coffre_control::ErrorCode;
use coffre_control::job::{Event, Failure, Next, Retry};
use coffre_control::port::tx;
use coffre_control::usecase::{begin_step, lease_job, report_job};
use serde_json::{Value, json};
use uuid::Uuid;

mod world;

use world::journey::{back_up, world_with_vault};
use world::{Answer, READER, World, item, sub, vault, vm_id};

async fn world_with_item() -> World {
    let world = world_with_vault().await;
    let answer = protect(&world, "DefaultPolicy").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    world
}

async fn put_item(world: &World, properties: Value) -> Answer {
    world.call("PUT", &item("web-1", ""), json!({ "properties": properties })).await
}

async fn protect(world: &World, policy: &str) -> Answer {
    let properties = json!({
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "policyId": vault(&format!("/backupPolicies/{policy}")),
        "sourceResourceId": vm_id("web-1"),
    });
    put_item(world, properties).await
}

async fn backup(world: &World) {
    back_up(world, "web-1").await;
    world.advance(Duration::from_secs(60));
}

async fn points(world: &World) -> Vec<Value> {
    let answer = world.get(&item("web-1", "/recoveryPoints")).await;
    answer.body["value"].as_array().unwrap().clone()
}

async fn state(world: &World) -> String {
    let answer = world.get(&item("web-1", "")).await;
    answer.body["properties"]["protectionState"].as_str().unwrap().to_owned()
}

async fn set_immutability(world: &World, state: &str) -> Answer {
    let settings = json!({ "immutabilitySettings": { "state": state } });
    let body = json!({ "properties": { "securitySettings": settings } });
    world.call("PATCH", &vault(""), body).await
}

/// A policy of the vault with other days of daily retention.
async fn put_days(world: &World, name: &str, days: u32) -> Answer {
    let mut policy = world.get(&vault("/backupPolicies/DefaultPolicy")).await.body;
    let properties = &mut policy["properties"];
    properties["retentionPolicy"]["dailySchedule"]["retentionDuration"]["count"] = json!(days);
    let path = vault(&format!("/backupPolicies/{name}"));
    world.call("PUT", &path, json!({ "properties": properties })).await
}

fn refused(answer: &Answer, status: u16, code: &str, words: &str) {
    assert_eq!(answer.code(), code, "{answer:?}");
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert!(answer.message().contains(words), "'{words}' is not in: {}", answer.message());
}

/// B-070: stop and keep, resume under any policy, stop and delete.
#[tokio::test]
async fn protection_stops_resumes_and_ends() {
    let world = world_with_item().await;
    backup(&world).await;
    let stop = json!({
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "protectionState": "ProtectionStopped",
        "sourceResourceId": vm_id("web-1"),
    });
    assert_eq!(put_item(&world, stop).await.status, StatusCode::ACCEPTED);
    assert_eq!(state(&world).await, "ProtectionStopped");
    let next = world.get(&item("web-1", "/nextRun")).await;
    assert_eq!(next.body["slot"], Value::Null);
    let body = json!({ "properties": { "objectType": "IaasVMBackupRequest" } });
    let answer = world.call("POST", &item("web-1", "/backup"), body).await;
    refused(&answer, 409, "BMSUserErrorProtectionStopped", "Resume it with a policy");
    assert_eq!(protect(&world, "EnhancedPolicy").await.status, StatusCode::ACCEPTED);
    assert_eq!(state(&world).await, "Protected");
    let next = world.get(&item("web-1", "/nextRun")).await;
    assert!(next.body["slot"].is_string(), "{next:?}");
    // Once Enhanced, never back.
    let answer = protect(&world, "DefaultPolicy").await;
    refused(&answer, 400, "BMSUserErrorInvalidPolicyInput", "cannot go back");
    let answer = world.call("DELETE", &item("web-1", ""), Value::Null).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
}

/// B-071: deleted data is kept 14 days, can be brought back, and stands in the way of the vault's end.
#[tokio::test]
async fn deleted_data_can_be_brought_back() {
    let world = world_with_item().await;
    backup(&world).await;
    world.call("DELETE", &item("web-1", ""), Value::Null).await;
    let shown = world.get(&item("web-1", "")).await;
    assert_eq!(shown.body["properties"]["isScheduledForDeferredDelete"], json!(true));
    let answer = world.call("DELETE", &vault(""), Value::Null).await;
    refused(&answer, 400, "ServiceResourceNotEmptyWithContainerDetails", "kept until");
    refused(
        &protect(&world, "DefaultPolicy").await,
        409,
        "BMSUserErrorItemInSoftDeletedState",
        "undelete",
    );
    let undelete = json!({
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "isRehydrate": true,
        "sourceResourceId": vm_id("web-1"),
    });
    assert_eq!(put_item(&world, undelete.clone()).await.status, StatusCode::ACCEPTED);
    assert_eq!(state(&world).await, "ProtectionStopped");
    let answer = put_item(&world, undelete).await;
    refused(&answer, 409, "BMSUserErrorItemNotInSoftDeletedState", "was not deleted");
    let config = |days: u32| {
        json!({ "properties": {
            "softDeleteFeatureState": "Enabled", "softDeleteRetentionPeriodInDays": days,
        }})
    };
    for (days, good) in [(13, false), (14, true), (180, true), (181, false)] {
        let path = vault("/backupconfig/vaultconfig");
        let answer = world.call("PATCH", &path, config(days)).await;
        assert_eq!(answer.status.is_success(), good, "{days}: {answer:?}");
    }
}

/// A vault with nothing but deleted items says how it gets empty, and that way leads to its end.
#[tokio::test]
async fn a_vault_of_deleted_items_can_be_cleared() {
    let world = world_with_item().await;
    backup(&world).await;
    world.call("DELETE", &item("web-1", ""), Value::Null).await;
    world.work();
    let answer = world.call("DELETE", &vault(""), Value::Null).await;
    let code = "ServiceResourceNotEmptyWithContainerDetails";
    refused(&answer, 400, code, "'Web-1' (deleted, kept until");
    refused(&answer, 400, code, "switch soft delete off and delete their data again");
    // Deleting again changes nothing while soft delete is on.
    let again = world.call("DELETE", &item("web-1", ""), Value::Null).await;
    refused(&again, 409, "BMSUserErrorItemInSoftDeletedState", "undelete");
    let off = json!({ "properties": { "softDeleteFeatureState": "Disabled" } });
    let path = vault("/backupconfig/vaultconfig");
    assert_eq!(world.call("PATCH", &path, off).await.status, StatusCode::OK);
    let answer = world.call("DELETE", &vault(""), Value::Null).await;
    refused(&answer, 400, code, "delete the data of deleted items again");
    let again = world.call("DELETE", &item("web-1", ""), Value::Null).await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{again:?}");
    world.work();
    assert_eq!(world.get(&item("web-1", "")).await.status, StatusCode::NOT_FOUND);
    let answer = world.call("DELETE", &vault(""), Value::Null).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
}

/// B-072: an immutable vault refuses what would end points early, and only that.
#[tokio::test]
async fn an_immutable_vault_refuses_whatever_ends_points_early() {
    let world = world_with_item().await;
    backup(&world).await;
    backup(&world).await;
    let suspend = json!({
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "protectionState": "BackupsSuspended",
        "sourceResourceId": vm_id("web-1"),
    });
    refused(&put_item(&world, suspend.clone()).await, 400, "InvalidParameter", "immutable vault");
    assert!(set_immutability(&world, "Unlocked").await.status.is_success());
    let answer = world.call("DELETE", &item("web-1", ""), Value::Null).await;
    refused(&answer, 403, "UserErrorDeleteBackupItemOnImmutableItem", "cannot be deleted");
    let oldest = points(&world).await.last().unwrap()["name"].as_str().unwrap().to_owned();
    let path = item("web-1", &format!("/recoveryPoints/{oldest}"));
    let answer = world.call("DELETE", &path, Value::Null).await;
    refused(&answer, 403, "UserErrorDeleteBackupItemOnImmutableItem", "immutable");
    let code = "UserErrorRetentionReductionOnImmutableVault";
    refused(&put_days(&world, "DefaultPolicy", 20).await, 403, code, "dailySchedule");
    assert!(put_days(&world, "DefaultPolicy", 40).await.status.is_success());
    assert!(put_days(&world, "Short", 10).await.status.is_success());
    refused(&protect(&world, "Short").await, 403, code, "dailySchedule");
    assert_eq!(put_item(&world, suspend).await.status, StatusCode::ACCEPTED);
    assert_eq!(state(&world).await, "BackupsSuspended");
    assert!(set_immutability(&world, "Locked").await.status.is_success());
    let answer = set_immutability(&world, "Disabled").await;
    refused(&answer, 403, "UserErrorImmutabilityLocked", "locked");
}

/// Beyond B-070: a single point goes, with a grace, and comes back.
#[tokio::test]
async fn a_single_point_is_deleted_and_brought_back() {
    let world = world_with_item().await;
    backup(&world).await;
    backup(&world).await;
    let listed = points(&world).await;
    let path = |at: usize, rest: &str| {
        item("web-1", &format!("/recoveryPoints/{}{rest}", listed[at]["name"].as_str().unwrap()))
    };
    let answer = world.call("DELETE", &path(0, ""), Value::Null).await;
    refused(&answer, 409, "Conflict", "the newest");
    let reader = world.token_of(READER, 0);
    let answer = world.call_as(&reader, "DELETE", &path(1, ""), Value::Null).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let answer = world.call("DELETE", &path(1, ""), Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let kept = &answer.body["properties"]["recoveryPointProperties"];
    assert_eq!(kept["isSoftDeleted"], json!(true));
    let restore = json!({ "properties": {
        "objectType": "IaasVMRestoreRequest",
        "recoveryPointId": listed[1]["name"],
        "recoveryType": "RestoreDisks",
        "sourceResourceId": vm_id("web-1"),
        "storageAccountId": sub("/resourceGroups/lab/providers/Microsoft.Storage/storageAccounts/restores1"),
        "region": "eastus",
    }});
    let answer = world.call("POST", &path(1, "/restore"), restore).await;
    assert!(answer.message().contains("was deleted"), "{answer:?}");
    let answer = world.call("POST", &path(1, "/undelete"), json!({})).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let answer = world.call("POST", &path(1, "/undelete"), json!({})).await;
    refused(&answer, 409, "BMSUserErrorItemNotInSoftDeletedState", "was not deleted");
}

/// Lets the next job fail with a code at its first step.
fn fail_next(world: &World, code: ErrorCode) {
    let now = (world.state.clock)();
    let owner = Uuid::new_v4();
    let ttl = Duration::from_secs(60);
    let (token, _) = tx(&*world.db, "lease", |tx| lease_job(tx, owner, now, ttl)).unwrap().unwrap();
    let (_, next) = tx(&*world.db, "begin", |tx| begin_step(tx, token, now)).unwrap();
    let Next::Do(step) = next else { panic!("{next:?}") };
    let failure = Failure { code, message: "It went wrong.".into(), retry: Retry::Never };
    let event = Event::StepFailed { step, failure };
    let mut event = event;
    loop {
        tx(&*world.db, "report", |tx| report_job(tx, token, event, now)).unwrap();
        match tx(&*world.db, "begin", |tx| begin_step(tx, token, now)) {
            Ok((_, Next::Undo(step))) => event = Event::StepUndone { step },
            // The lease went with the end of the job.
            _ => return,
        }
    }
}

/// B.7: each code that a backup can end with here is shown with its title and what to do, and the
/// job can be done again.
#[tokio::test]
async fn every_code_of_a_failed_backup_is_shown_and_the_job_can_be_done_again() {
    let codes = [
        ErrorCode::UserErrorGuestAgentStatusUnavailable,
        ErrorCode::GuestAgentSnapshotTaskStatusError,
        ErrorCode::UserErrorFsFreezeFailed,
        ErrorCode::ExtensionFailedTimeoutVMNetworkUnresponsive,
        ErrorCode::ExtensionOperationFailedForManagedDisks,
        ErrorCode::ExtensionFailedSnapshotLimitReachedError,
        ErrorCode::UserErrorBCMPremiumStorageQuotaError,
        ErrorCode::UserErrorVmNotFoundV2,
        ErrorCode::UserErrorVmNotInDesirableState,
        ErrorCode::UserErrorUnsupportedDiskSize,
        ErrorCode::CopyingVHDsFromBackUpVaultTakingLongTime,
        ErrorCode::VaultStoreFull,
        ErrorCode::VaultStoreUnavailable,
        ErrorCode::BackupInternalError,
    ];
    let world = world_with_item().await;
    let body = json!({ "properties": { "objectType": "IaasVMBackupRequest" } });
    for code in codes {
        world.call("POST", &item("web-1", "/backup"), body.clone()).await;
        fail_next(&world, code);
        let jobs = world.get(&vault("/backupJobs?$filter=operation eq 'Backup'")).await;
        let newest = &jobs.body["value"][0];
        let name = newest["name"].as_str().unwrap();
        let job = world.get(&vault(&format!("/backupJobs/{name}"))).await.body;
        let properties = &job["properties"];
        assert_eq!(properties["status"], "Failed", "{code}");
        assert_eq!(properties["actionsInfo"], json!(["Retriable"]));
        let error = &properties["errorDetails"][0];
        assert_eq!(error["errorTitle"], code.title());
        assert!(error["errorString"].as_str().unwrap().contains(code.azure()));
        assert_eq!(error["recommendations"], json!([code.recommendation()]));
        let shown = world.get(&item("web-1", "")).await.body;
        assert_eq!(shown["properties"]["healthStatus"], "ActionRequired");
        assert_eq!(shown["properties"]["protectionState"], "IRPending");
        world.advance(Duration::from_secs(60));
        let again =
            world.call("POST", &vault(&format!("/backupJobs/{name}/retry")), json!({})).await;
        assert_eq!(again.status, StatusCode::OK, "{again:?}");
        // One operation at a time on an item.
        let second = world.call("POST", &item("web-1", "/backup"), body.clone()).await;
        refused(&second, 409, "UserErrorBackupOperationInProgress", "currently in progress");
        world.work();
        world.advance(Duration::from_secs(60));
        let done = again.body["name"].as_str().unwrap();
        let job = world.get(&vault(&format!("/backupJobs/{done}"))).await.body;
        assert_eq!(job["properties"]["status"], "Completed");
        let path = vault(&format!("/backupJobs/{done}/retry"));
        let answer = world.call("POST", &path, json!({})).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{answer:?}");
        break_item_back(&world).await;
    }
}

/// Starts the item's life anew, so that each code meets a pending initial backup.
async fn break_item_back(world: &World) {
    let config = json!({ "properties": { "softDeleteFeatureState": "Disabled" } });
    world.call("PATCH", &vault("/backupconfig/vaultconfig"), config).await;
    let answer = world.call("DELETE", &item("web-1", ""), Value::Null).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    world.work();
    world.advance(Duration::from_secs(60));
    let answer = protect(world, "DefaultPolicy").await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
}

/// Each broken rule of B.1 is refused with its field and a value that keeps it.
#[tokio::test]
async fn invalid_policies_name_the_field_the_rule_and_an_example() {
    let world = world_with_item().await;
    let policy = world.get(&vault("/backupPolicies/DefaultPolicy")).await.body;
    let cases: [(&str, Value, &str); 8] = [
        ("/timeZone", json!("Mars Standard Time"), "Europe/Paris"),
        ("/instantRpRetentionRangeInDays", json!(6), "1 to 5"),
        ("/retentionPolicy/dailySchedule/retentionDuration/count", json!(6), "7 to 9999"),
        ("/retentionPolicy/dailySchedule/retentionDuration/count", json!(10_000), "7 to 9999"),
        ("/schedulePolicy/scheduleRunTimes", json!(["2026-01-01T22:10:00Z"]), "22:30"),
        ("/schedulePolicy/scheduleRunFrequency", json!("Hourly"), "lacks the member"),
        ("/schedulePolicy/scheduleRunFrequency", json!("Weekly"), "pick at least one"),
        ("/daylightSaving", json!("Sometimes"), "daylightSaving"),
    ];
    for (pointer, value, words) in cases {
        let mut properties = policy["properties"].clone();
        match properties.pointer_mut(pointer) {
            Some(place) => *place = value,
            None => properties[pointer.trim_start_matches('/')] = value,
        }
        let path = vault("/backupPolicies/Wrong");
        let answer = world.call("PUT", &path, json!({ "properties": properties })).await;
        assert_eq!(answer.code(), "BMSUserErrorInvalidPolicyInput", "{pointer}: {answer:?}");
        assert!(answer.message().contains(words), "'{words}' is not in: {}", answer.message());
        assert!(answer.body["error"]["target"].is_string(), "{answer:?}");
    }
    // Less than a week is allowed when it is wanted.
    let mut properties = policy["properties"].clone();
    properties["retentionPolicy"]["dailySchedule"]["retentionDuration"]["count"] = json!(3);
    properties["allowShortRetention"] = json!(true);
    let path = vault("/backupPolicies/Short");
    let answer = world.call("PUT", &path, json!({ "properties": properties })).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

/// A policy is lived ahead, and a proposal says which points it would delete.
#[tokio::test]
async fn a_policy_is_simulated_with_what_a_change_would_delete() {
    let world = world_with_item().await;
    let path = vault("/backupPolicies/DefaultPolicy/simulate");
    let answer = world.call("POST", &path, json!({ "days": 100 })).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let counts = answer.body["counts"].as_array().unwrap();
    let end = counts.last().unwrap();
    assert_eq!(end["points"], json!(30));
    // DefaultPolicy keeps snapshots for two days: each of its last two points has one.
    assert_eq!((&end["snapshotAndVault"], &end["vaultOnly"]), (&json!(2), &json!(28)));
    let snapshots = answer.body["snapshots"].as_array().unwrap();
    assert_eq!(snapshots.len(), 2);
    let days = answer.body["calendar"].as_array().unwrap();
    let both = json!(["InstantRP", "HardenedRP"]);
    assert!(snapshots.iter().chain(&days[28..]).all(|it| it["tiers"] == both));
    assert!(days[..28].iter().all(|it| it["tiers"] == json!(["HardenedRP"])));
    assert_eq!(answer.body["nextRuns"].as_array().unwrap().len(), 10);
    assert_eq!(answer.body["calendar"].as_array().unwrap().len(), 30);
    let answer = world.call("POST", &path, json!({ "days": 0 })).await;
    refused(&answer, 400, "InvalidParameter", "Choose 1 to");
    let costs = world.get(&vault("/backupCostReport")).await;
    assert_eq!(costs.body["value"], json!([]), "what has no point costs nothing");
    backup(&world).await;
    let costs = world.get(&vault("/backupCostReport")).await;
    let first = &costs.body["value"][0]["properties"];
    assert_eq!(first["protectedInstanceBytes"], json!(700 << 20));
    assert_eq!(
        (&first["sizeBand"], &first["recoveryPointCount"]),
        (&json!("up to 50 GB"), &json!(1))
    );
}
