//! The journey of a virtual machine through a vault, as the requests that the commands send, with
//! the members that the commands read from the answers.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use axum::http::StatusCode;
use serde_json::{Value, json};

mod world;

use world::journey::{backed_up, job_of, protect, world_with_vault};
use world::{NOW, World, item, sub, vault, vm_id};

const VM_ITEMS: &str = "?$filter=backupManagementType eq 'AzureIaasVM' and itemType eq 'VM'";

#[tokio::test]
async fn enabling_makes_an_item_and_no_point() {
    let world = world_with_vault().await;
    let filter = "?$filter=backupManagementType eq 'AzureIaasVM'";
    let free = world.get(&vault(&format!("/backupProtectableItems{filter}"))).await.body;
    let web = &free["value"][1];
    assert_eq!(web["name"], "iaasvmcontainerv2;lab-vms;web-1");
    assert_eq!(web["properties"]["virtualMachineId"], vm_id("Web-1"));
    assert!(web["id"].as_str().unwrap().ends_with(
        "/protectionContainers/IaasVMContainer;iaasvmcontainerv2;lab-vms;web-1/protectableItems/vm;iaasvmcontainerv2;lab-vms;web-1"
    ));

    let answer = protect(&world, "web-1").await;
    let job = job_of(&world, &answer).await;
    assert_eq!(job["properties"]["operation"], "ConfigureBackup");
    assert_eq!(job["properties"]["status"], "Completed", "done when the operation says so");
    assert_eq!(job["properties"]["extendedInfo"]["tasksList"], json!([]));
    assert_eq!(job["properties"]["extendedInfo"]["propertyBag"]["Policy Name"], "DefaultPolicy");

    let body = world.get(&vault(&format!("/backupProtectedItems{VM_ITEMS}"))).await.body;
    let properties = &body["value"][0]["properties"];
    assert_eq!(body["value"][0]["name"], "VM;iaasvmcontainerv2;lab-vms;web-1");
    assert_eq!(properties["protectionState"], "IRPending");
    assert_eq!(properties["lastBackupStatus"], "");
    assert_eq!(properties["lastBackupTime"], "2001-01-01T00:00:00Z");
    assert!(properties.as_object().unwrap().contains_key("lastRecoveryPoint"));
    assert_eq!(properties["lastRecoveryPoint"], Value::Null);
    assert_eq!(properties["policyName"], "DefaultPolicy");
    assert_eq!(properties["virtualMachineId"], vm_id("Web-1"));
    assert_eq!(properties["sourceResourceId"], vm_id("Web-1"));
    assert_eq!(properties["workloadType"], "VM");
    let number: i64 = properties["protectedItemDataId"].as_str().unwrap().parse().unwrap();
    assert!(number > 0);
    let points = world.get(&item("web-1", "/recoveryPoints")).await.body;
    assert_eq!(points["value"], json!([]));

    let free = world.get(&vault("/backupProtectableItems")).await.body;
    assert_eq!(free["value"].as_array().unwrap().len(), 1, "only what is not protected");
    let filter = "?$filter=backupManagementType eq 'AzureIaasVM' and friendlyName eq 'web-1' and status eq 'Registered'";
    let body = world.get(&vault(&format!("/backupProtectionContainers{filter}"))).await.body;
    let properties = &body["value"][0]["properties"];
    assert_eq!(properties["containerType"], "Microsoft.Compute/virtualMachines");
    assert_eq!(properties["registrationStatus"], "Registered");
    assert_eq!(properties["friendlyName"], "Web-1");
    let policy = world.get(&vault("/backupPolicies/DefaultPolicy")).await.body;
    assert_eq!(policy["properties"]["protectedItemsCount"], 1);
    let storage = world.get(&vault("/backupstorageconfig/vaultstorageconfig")).await.body;
    assert_eq!(storage["properties"]["storageTypeState"], "Locked");
}

#[tokio::test]
async fn who_protects_a_machine_can_be_asked() {
    let world = world_with_vault().await;
    let path = sub("/providers/Microsoft.RecoveryServices/locations/eastus/backupStatus");
    let ask = json!({ "resourceType": "VM", "resourceId": vm_id("Web-1") });
    let body = world.call("POST", &path, ask.clone()).await.body;
    assert_eq!(body["protectionStatus"], "NotProtected");
    assert_eq!(body["vaultId"], "");
    protect(&world, "web-1").await;
    let body = world.call("POST", &path, ask).await.body;
    assert_eq!(body["protectionStatus"], "Protected");
    assert_eq!(body["vaultId"], vault(""));
}

#[tokio::test]
async fn a_backup_runs_behind_its_operation_and_leaves_a_point() {
    let world = world_with_vault().await;
    protect(&world, "web-1").await;
    let body = json!({ "properties": {
        "recoveryPointExpiryTimeInUTC": "2026-12-31T00:00:00Z", "objectType": "IaasVMBackupRequest"
    } });
    let answer = world.call("POST", &item("web-1", "/backup"), body).await;
    let job = job_of(&world, &answer).await;
    assert_eq!(job["properties"]["status"], "InProgress", "the operation does not wait for it");
    assert_eq!(job["properties"]["actionsInfo"], json!(["Cancellable"]));
    assert!(job["properties"].get("endTime").is_none());
    let list = world.get(&vault("/backupJobs?$filter=status eq 'InProgress'")).await.body;
    assert_eq!(list["value"].as_array().unwrap().len(), 1);
    assert!(list["value"][0]["properties"].get("extendedInfo").is_none());

    world.work();
    let job =
        world.get(&vault(&format!("/backupJobs/{}", job["name"].as_str().unwrap()))).await.body;
    let properties = &job["properties"];
    assert_eq!(properties["jobType"], "AzureIaaSVMJob");
    assert_eq!(properties["status"], "Completed");
    assert_eq!(properties["operation"], "Backup");
    assert_eq!(properties["endTime"], NOW);
    assert_eq!(properties["duration"], "PT0S");
    assert_eq!(properties["entityFriendlyName"], "Web-1");
    let tasks = properties["extendedInfo"]["tasksList"].as_array().unwrap();
    assert_eq!(tasks[0]["taskId"], "Take Snapshot");
    assert_eq!(tasks[1]["taskId"], "Transfer data to vault");
    let bag = &properties["extendedInfo"]["propertyBag"];
    assert_eq!(bag["VM Name"], "Web-1");
    assert_eq!(bag["Backup Size"], "700 MB");
    assert!(bag["Recovery Point Expiry Time in UTC"].as_str().unwrap().starts_with("2026-12-31"));

    let body = world.get(&item("web-1", "/recoveryPoints")).await.body;
    let point = &body["value"][0];
    let name = point["name"].as_str().unwrap();
    assert!((12..=19).contains(&name.len()) && name.bytes().all(|it| it.is_ascii_digit()));
    let properties = &point["properties"];
    assert_eq!(properties["objectType"], "IaasVMRecoveryPoint");
    assert_eq!(properties["recoveryPointType"], "FileSystemConsistent");
    assert_eq!(properties["recoveryPointTime"], NOW);
    for (member, value) in [
        ("isInstantIlrSessionActive", false),
        ("isManagedVirtualMachine", true),
        ("originalStorageAccountOption", false),
        ("isPrivateAccessEnabledOnAnyDisk", false),
    ] {
        assert_eq!(properties[member], value, "{member}");
    }
    assert_eq!(properties["recoveryPointTierDetails"][0]["status"], "Valid");
    assert_eq!(properties["recoveryPointDiskConfiguration"]["numberOfDisksIncludedInBackup"], 3);
    let one = world.get(&item("web-1", &format!("/recoveryPoints/{name}"))).await.body;
    assert_eq!(&one, point);

    let body = world.get(&item("web-1", "")).await.body;
    assert_eq!(body["properties"]["protectionState"], "Protected");
    assert_eq!(body["properties"]["lastBackupStatus"], "Completed");
    assert_eq!(body["properties"]["lastRecoveryPoint"], NOW);
    assert_eq!(body["properties"]["extendedInfo"]["recoveryPointCount"], 1);
}

#[tokio::test]
async fn points_and_jobs_are_filtered_by_time() {
    let world = world_with_vault().await;
    backed_up(&world, "web-1").await;
    let dates = |from: &str, to: &str, names: [&str; 2]| {
        format!("?$filter={} eq '{to}' and {} eq '{from}'", names[1], names[0])
    };
    for (from, to, count) in [
        ("2026-01-01 12:00:00 AM", "2026-12-31 12:00:00 AM", 1),
        ("2026-11-21 10:00:00 AM", "2026-11-21 10:00:01 AM", 1),
        ("2026-11-22 12:00:00 AM", "2026-12-31 12:00:00 AM", 0),
    ] {
        let filter = dates(from, to, ["startDate", "endDate"]);
        let body = world.get(&item("web-1", &format!("/recoveryPoints{filter}"))).await.body;
        assert_eq!(body["value"].as_array().unwrap().len(), count, "points {filter}");
        let filter = dates(from, to, ["startTime", "endTime"]);
        let filter = format!("{filter} and operation eq 'Backup' and status eq 'Completed'");
        let body = world.get(&vault(&format!("/backupJobs{filter}"))).await.body;
        assert_eq!(body["value"].as_array().unwrap().len(), count, "jobs {filter}");
    }
}

fn restore_body(point: &str, kind: &str, more: Value) -> Value {
    let mut properties = json!({
        "createNewCloudService": false,
        "recoveryPointId": point,
        "recoveryType": kind,
        "region": "eastus",
        "storageAccountId": sub("/resourceGroups/lab/providers/Microsoft.Storage/storageAccounts/restores1"),
        "sourceResourceId": vm_id("Web-1"),
        "originalStorageAccountOption": false,
        "objectType": "IaasVMRestoreRequest",
    });
    for (name, value) in more.as_object().unwrap() {
        properties[name] = value.clone();
    }
    json!({ "properties": properties })
}

#[tokio::test]
async fn disks_are_restored_to_a_storage_account() {
    let world = world_with_vault().await;
    let point = backed_up(&world, "web-1").await;
    let path = item("web-1", &format!("/recoveryPoints/{point}/restore"));
    let classic =
        sub("/resourceGroups/lab/providers/Microsoft.ClassicStorage/storageAccounts/restores1");
    assert_eq!(world.get(&classic).await.status, StatusCode::NOT_FOUND);
    let account = sub("/resourceGroups/lab/providers/Microsoft.Storage/storageAccounts/restores1");
    assert_eq!(world.get(&account).await.body["location"], "eastus");

    let body = restore_body(
        &point,
        "RestoreDisks",
        json!({ "targetResourceGroupId": sub("/resourceGroups/rg1") }),
    );
    let answer = world.call("POST", &path, body).await;
    let job = job_of(&world, &answer).await;
    assert_eq!(job["properties"]["operation"], "Restore");
    assert_eq!(job["properties"]["status"], "InProgress", "right after the trigger");
    world.work();
    let job =
        world.get(&vault(&format!("/backupJobs/{}", job["name"].as_str().unwrap()))).await.body;
    assert_eq!(job["properties"]["status"], "Completed");
    let extended = &job["properties"]["extendedInfo"];
    assert_eq!(extended["internalPropertyBag"]["restoreLocationType"], "RestoreDisks");
    assert_eq!(extended["propertyBag"]["Job Type"], "Recover disks");
    assert_eq!(extended["propertyBag"]["Target Storage Account Name"], "restores1");
    assert_eq!(extended["propertyBag"]["Recovery point time "], NOW);
    assert_eq!(extended["propertyBag"]["Config Blob Name"], "config.json");
    let tasks = extended["tasksList"].as_array().unwrap();
    assert!(tasks.iter().any(|task| task["taskId"] == "Transfer data from vault"));
    let result = world
        .get(answer.header("location").strip_prefix("https://coffre.test:8443").unwrap())
        .await;
    assert_eq!(result.status, StatusCode::OK, "the result of an operation on an item is the item");
    assert_eq!(result.body["name"], "VM;iaasvmcontainerv2;lab-vms;web-1");
}

#[tokio::test]
async fn a_restore_may_take_some_disks_or_go_in_place() {
    let world = world_with_vault().await;
    let point = backed_up(&world, "web-1").await;
    let path = item("web-1", &format!("/recoveryPoints/{point}/restore"));
    for (kind, more) in [
        ("RestoreDisks", json!({ "restoreDiskLunList": [] })),
        ("RestoreDisks", json!({ "restoreDiskLunList": ["0", 1] })),
        ("OriginalLocation", json!({ "storageAccountId": null })),
        ("AlternateLocation", json!({ "targetVirtualMachineId": vm_id("copy-1") })),
    ] {
        let answer = world.call("POST", &path, restore_body(&point, kind, more)).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{kind}: {}", answer.body);
        world.work();
    }
    let body = world.get(&vault("/backupJobs?$filter=operation eq 'Restore'")).await.body;
    assert_eq!(body["value"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_job_is_cancelled() {
    let world = world_with_vault().await;
    protect(&world, "web-1").await;
    let body = json!({ "properties": { "objectType": "IaasVMBackupRequest" } });
    let answer = world.call("POST", &item("web-1", "/backup"), body).await;
    let job = job_of(&world, &answer).await["name"].as_str().unwrap().to_owned();
    let answer =
        world.call("POST", &vault(&format!("/backupJobs/{job}/cancel")), Value::Null).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let result = answer.header("location").strip_prefix("https://coffre.test:8443").unwrap();
    assert!(result.contains(&format!("/backupJobs/{job}/operationResults/")));
    assert_eq!(world.get(result).await.status, StatusCode::NO_CONTENT);
    world.work();
    let body = world.get(&vault(&format!("/backupJobs/{job}"))).await.body;
    assert_eq!(body["properties"]["status"], "Cancelled");
    let answer =
        world.call("POST", &vault(&format!("/backupJobs/{job}/cancel")), Value::Null).await;
    assert_eq!(answer.code(), "BMSUserErrorJobNotInCancelableState");
}

async fn put_item(world: &World, properties: Value) -> Value {
    let answer = world.call("PUT", &item("web-1", ""), json!({ "properties": properties })).await;
    job_of(world, &answer).await["properties"]["operation"].clone()
}

#[tokio::test]
async fn protection_is_changed_stopped_deleted_and_brought_back() {
    let world = world_with_vault().await;
    backed_up(&world, "web-1").await;
    let base = json!({ "protectedItemType": "Microsoft.Compute/virtualMachines", "sourceResourceId": vm_id("Web-1") });
    let with = |more: Value| {
        let mut properties = base.clone();
        for (name, value) in more.as_object().unwrap() {
            properties[name] = value.clone();
        }
        properties
    };
    let policy = vault("/backupPolicies/EnhancedPolicy");

    let disks =
        json!({ "diskExclusionProperties": { "diskLunList": ["0"], "isInclusionList": true } });
    let done =
        put_item(&world, with(json!({ "policyId": policy, "extendedProperties": disks }))).await;
    assert_eq!(done, "ConfigureBackup");
    let body = world.get(&item("web-1", "")).await.body;
    assert_eq!(body["properties"]["policyName"], "EnhancedPolicy");
    assert_eq!(body["properties"]["policyType"], "V2");
    let chosen = &body["properties"]["extendedProperties"]["diskExclusionProperties"];
    assert_eq!(chosen, &json!({ "diskLunList": [0], "isInclusionList": true }));
    put_item(&world, with(json!({ "policyId": policy }))).await;
    let body = world.get(&item("web-1", "")).await.body;
    assert!(body["properties"].get("extendedProperties").is_some(), "absent keeps the choice");
    put_item(&world, with(json!({ "policyId": policy, "extendedProperties": {} }))).await;
    let body = world.get(&item("web-1", "")).await.body;
    assert!(body["properties"].get("extendedProperties").is_none(), "empty takes all again");

    let stop = with(json!({ "policyId": "", "protectionState": "ProtectionStopped" }));
    assert_eq!(put_item(&world, stop).await, "DisableBackup");
    let body = world.get(&item("web-1", "")).await.body;
    assert_eq!(body["properties"]["protectionState"], "ProtectionStopped");
    assert_eq!(body["properties"]["policyName"], "", "not null");
    assert_eq!(put_item(&world, with(json!({ "policyId": policy }))).await, "ConfigureBackup");

    let answer = world.call("DELETE", &item("web-1", ""), Value::Null).await;
    let job = job_of(&world, &answer).await;
    assert_eq!(job["properties"]["operation"], "DeleteBackupData");
    let body = world.get(&item("web-1", "")).await.body;
    assert_eq!(body["properties"]["isScheduledForDeferredDelete"], true);
    assert_eq!(body["properties"]["deferredDeleteTimeRemaining"], "14.00:00:00.0000000");
    let deleted = world.get(&vault("/backupDeletedProtectionContainers")).await.body;
    assert_eq!(deleted["value"].as_array().unwrap().len(), 1);

    let back = with(
        json!({ "policyId": "", "protectionState": "ProtectionStopped", "isRehydrate": true }),
    );
    assert_eq!(put_item(&world, back).await, "Undelete");
    let body = world.get(&item("web-1", "")).await.body;
    assert!(body["properties"].get("isScheduledForDeferredDelete").is_none());
    assert_eq!(body["properties"]["protectionState"], "ProtectionStopped");
}
