//! Vaults, policies, machines, groups: as the commands make, change, list and remove them.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use axum::http::StatusCode;
use serde_json::{Value, json};

mod world;

use world::journey::{vault_body, world_with_vault};
use world::{World, sub, vault, vm_id};

#[tokio::test]
async fn a_new_vault_has_all_members_that_the_commands_read() {
    let world = world_with_vault().await;
    let body = world.get(&vault("")).await.body;
    assert_eq!(body["type"], "Microsoft.RecoveryServices/vaults");
    assert_eq!(body["location"], "eastus");
    assert_eq!(body["sku"]["name"], "Standard");
    assert!(body["etag"].as_str().unwrap().starts_with("W/\"datetime'"));
    let properties = &body["properties"];
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(properties["costManagementSettings"]["granularityLevel"], "VaultLevel");
    let soft = &properties["securitySettings"]["softDeleteSettings"];
    assert_eq!(soft["softDeleteState"], "Enabled", "the wish for always-on is not binding");
    assert_eq!(soft["softDeleteRetentionPeriodInDays"], 14);
    let redundancy = &properties["redundancySettings"];
    assert_eq!(redundancy["standardTierStorageRedundancy"], "GeoRedundant");
    assert_eq!(redundancy["crossRegionRestore"], "Disabled");
    let monitoring = &properties["monitoringSettings"];
    assert_eq!(monitoring["azureMonitorAlertSettings"]["alertsForAllJobFailures"], "Enabled");
    assert_eq!(monitoring["classicAlertSettings"]["alertsForCriticalOperations"], "Disabled");

    let again = world.call("PUT", &vault(""), vault_body()).await;
    assert_eq!(again.status, StatusCode::OK, "a second PUT changes nothing and is no error");
    let config = world.get(&vault("/backupconfig/vaultconfig")).await.body;
    assert_eq!(config["properties"]["softDeleteFeatureState"], "Enabled");
    assert!(config["properties"]["enhancedSecurityState"].is_string());
    let storage = world.get(&vault("/backupstorageconfig/vaultstorageconfig")).await.body;
    assert_eq!(storage["properties"]["storageTypeState"], "Unlocked");
    let encryption =
        world.get(&vault("/backupEncryptionConfigs/backupResourceEncryptionConfig")).await.body;
    assert_eq!(encryption["properties"]["encryptionAtRestType"], "MicrosoftManaged");
    assert_eq!(world.get(&vault("/backupResourceGuardProxies")).await.body["value"], json!([]));
}

#[tokio::test]
async fn a_vault_is_patched_in_parts() {
    let world = world_with_vault().await;
    let body = json!({ "properties": { "redundancySettings": {
        "standardTierStorageRedundancy": "LocallyRedundant", "crossRegionRestore": "Disabled"
    } } });
    let answer = world.call("PATCH", &vault(""), body).await;
    assert_eq!(answer.status, StatusCode::OK);
    let answer = world.call("PATCH", &vault(""), json!({ "tags": { "Env": "lab" } })).await;
    assert_eq!(answer.body["tags"], json!({ "Env": "lab" }));
    let redundancy = &answer.body["properties"]["redundancySettings"];
    assert_eq!(redundancy["standardTierStorageRedundancy"], "LocallyRedundant");
    let body = json!({ "properties": {
        "softDeleteFeatureState": "Disabled",
        "enhancedSecurityState": "Disabled",
        "softDeleteRetentionPeriodInDays": null
    } });
    let answer = world.call("PATCH", &vault("/backupconfig/vaultconfig"), body).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.body["properties"]["softDeleteFeatureState"], "Disabled");
}

#[tokio::test]
async fn policies_are_listed_also_with_a_slash_at_the_end() {
    let world = world_with_vault().await;
    for path in ["/backupPolicies", "/backupPolicies/", "/BACKUPPOLICIES"] {
        let body = world.get(&vault(path)).await.body;
        let names: Vec<&str> = body["value"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["DefaultPolicy", "EnhancedPolicy"]);
    }
    let body = world.get(&vault("/backupPolicies/defaultpolicy")).await.body;
    let properties = &body["properties"];
    assert_eq!(body["name"], "DefaultPolicy", "the stored casing comes back");
    assert_eq!(properties["backupManagementType"], "AzureIaasVM");
    assert_eq!(properties["protectedItemsCount"], 0);
    assert_eq!(properties["instantRpRetentionRangeInDays"], 2);
    assert_eq!(properties["schedulePolicy"]["schedulePolicyType"], "SimpleSchedulePolicy");
    assert_eq!(properties["schedulePolicy"]["scheduleRunFrequency"], "Daily");
    let daily = &properties["retentionPolicy"]["dailySchedule"];
    assert_eq!(daily["retentionDuration"], json!({ "count": 30, "durationType": "Days" }));
    assert!(properties["tieringPolicy"]["ArchivedRP"].is_object());
    let enhanced = world.get(&vault("/backupPolicies/EnhancedPolicy")).await.body;
    let hourly = &enhanced["properties"]["schedulePolicy"]["hourlySchedule"];
    assert_eq!(hourly["interval"], 4);
    assert_eq!(hourly["scheduleWindowDuration"], 12);
    let filter = "?$filter=backupManagementType eq 'AzureWorkload'";
    let body = world.get(&vault(&format!("/backupPolicies{filter}"))).await.body;
    assert_eq!(body["value"], json!([]));
}

#[tokio::test]
async fn a_policy_survives_its_own_read_back_in_the_spelling_of_the_commands() {
    let world = world_with_vault().await;
    for name in ["DefaultPolicy", "EnhancedPolicy"] {
        let mut body = world.get(&vault(&format!("/backupPolicies/{name}"))).await.body;
        let properties = body["properties"].as_object_mut().unwrap();
        let details = properties.remove("instantRPDetails").unwrap();
        properties.insert("instantRpDetails".to_owned(), details);
        properties.insert("instantRpRetentionRangeInDays".to_owned(), json!("2"));
        properties.insert("resourceGuardOperationRequests".to_owned(), Value::Null);
        body["resourceGroup"] = json!("rg1");
        body["eTag"] = Value::Null;
        let answer = world.call("PUT", &vault("/backupPolicies/gold-1"), body.clone()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let stored = world.get(&vault("/backupPolicies/gold-1")).await.body;
        for member in ["schedulePolicy", "retentionPolicy", "timeZone", "policyType"] {
            assert_eq!(stored["properties"][member], body["properties"][member], "{name} {member}");
        }
        let answer = world.call("DELETE", &vault("/backupPolicies/gold-1"), Value::Null).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT);
    }
}

#[tokio::test]
async fn machines_show_power_and_agent_when_asked() {
    let world = World::new();
    let body = world.get(&sub("/providers/Microsoft.Compute/virtualMachines")).await.body;
    let names: Vec<&str> =
        body["value"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["db-1", "Web-1"]);
    let body = world.get(&vm_id("web-1").to_lowercase()).await.body;
    assert_eq!(body["id"], vm_id("Web-1"));
    assert_eq!(body["type"], "Microsoft.Compute/virtualMachines");
    assert!(body["properties"].get("instanceView").is_none());
    let storage = &body["properties"]["storageProfile"];
    assert_eq!(storage["osDisk"]["osType"], "Linux");
    assert_eq!(storage["osDisk"]["diskSizeGB"], 8);
    assert_eq!(storage["dataDisks"][1]["lun"], 1);
    assert_eq!(body["properties"]["networkProfile"]["networkInterfaces"], json!([]));
    let body = world.get(&format!("{}?$expand=instanceView", vm_id("Web-1"))).await.body;
    let view = &body["properties"]["instanceView"];
    assert_eq!(view["statuses"][1]["code"], "PowerState/running");
    assert_eq!(view["vmAgent"]["statuses"][0]["displayStatus"], "Ready");
    let view = world.get(&format!("{}/instanceView", vm_id("db-1"))).await.body;
    assert_eq!(view["statuses"][1]["code"], "PowerState/deallocated");
    assert_eq!(view["vmAgent"]["statuses"][0]["displayStatus"], "Not Ready");
}

#[tokio::test]
async fn a_machine_is_started_and_stopped() {
    let world = World::new();
    for verb in ["start", "deallocate", "powerOff?skipShutdown=true"] {
        let answer = world.call("POST", &format!("{}/{verb}", vm_id("db-1")), Value::Null).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{verb}");
        let path =
            |name| answer.header(name).strip_prefix("https://coffre.test:8443").unwrap().to_owned();
        let (status, result) = (path("azure-asyncoperation"), path("location"));
        assert_eq!(world.get(&status).await.body["status"], "InProgress");
        assert_eq!(world.get(&result).await.status, StatusCode::ACCEPTED);
        world.work();
        assert_eq!(world.get(&status).await.body["status"], "Succeeded");
        assert_eq!(world.get(&result).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn groups_and_resources_are_listed_found_and_removed() {
    let world = world_with_vault().await;
    let rg1 = sub("/resourcegroups/RG1");
    assert_eq!(world.call("HEAD", &rg1, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&rg1).await.body["name"], "rg1");
    assert_eq!(
        world.call("HEAD", &sub("/resourcegroups/no"), Value::Null).await.status,
        StatusCode::NOT_FOUND
    );
    let all = world.get(&sub("/resources?$filter=&$expand=createdTime")).await.body;
    assert_eq!(all["value"].as_array().unwrap().len(), 4);
    let filter =
        "?$filter=resourceGroup eq 'rg1' and resourceType eq 'Microsoft.RecoveryServices/vaults'";
    let some = world.get(&sub(&format!("/resources{filter}"))).await.body;
    assert_eq!(some["value"][0]["name"], "vault1");

    let answer = world.call("DELETE", &rg1, Value::Null).await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(answer.message().contains("vault 'vault1'"), "the refusal lists what is in the way");
    assert_eq!(world.call("DELETE", &vault(""), Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.call("DELETE", &vault(""), Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.call("DELETE", &rg1, Value::Null).await.status, StatusCode::OK);
    assert_eq!(world.get(&rg1).await.code(), "ResourceGroupNotFound");
}

#[tokio::test]
async fn a_free_name_is_told_from_a_taken_and_a_bad_one() {
    let world = world_with_vault().await;
    let path = sub(
        "/resourceGroups/rg1/providers/Microsoft.RecoveryServices/locations/eastus/checkNameAvailability",
    );
    for (name, free, reason) in [
        ("vault2", true, Value::Null),
        ("VAULT1", false, json!("AlreadyExists")),
        ("1x", false, json!("Invalid")),
    ] {
        let ask = json!({ "name": name, "type": "Microsoft.RecoveryServices/vaults" });
        let body = world.call("POST", &path, ask).await.body;
        assert_eq!(body["nameAvailable"], free, "{name}");
        assert_eq!(body["reason"], reason, "{name}");
    }
}

#[tokio::test]
async fn providers_list_versions_that_work() {
    let world = World::new();
    let body = world.get(&sub("/providers/microsoft.recoveryservices")).await.body;
    assert_eq!(body["registrationState"], "Registered");
    for kind in body["resourceTypes"].as_array().unwrap() {
        let version = kind["apiVersions"][0].as_str().unwrap();
        let answer = world.get(&sub(&format!("/locations?api-version={version}"))).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.body["value"][0]["name"], "eastus");
    }
}

#[tokio::test]
async fn discovery_runs_behind_its_location_and_ends_with_204() {
    let world = world_with_vault().await;
    let answer =
        world.call("POST", &vault("/backupFabrics/Azure/refreshContainers"), Value::Null).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    let result = answer.header("location").strip_prefix("https://coffre.test:8443").unwrap();
    assert!(result.starts_with(&vault("/backupFabrics/Azure/operationResults/")));
    assert_eq!(world.get(result).await.status, StatusCode::ACCEPTED);
    world.work();
    assert_eq!(world.get(result).await.status, StatusCode::NO_CONTENT);
}
