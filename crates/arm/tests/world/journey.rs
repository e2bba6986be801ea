//! The steps of a journey that more than one test takes, as the commands send them.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::{Answer, World, item, sub, vault, vm_id};

/// The body of `az backup vault create`.
pub fn vault_body() -> Value {
    json!({
        "location": "East US",
        "sku": { "name": "Standard" },
        "properties": {
            "securitySettings": { "softDeleteSettings": {
                "enhancedSecurityState": "AlwaysOn",
                "softDeleteState": "AlwaysOn",
                "softDeleteRetentionPeriodInDays": 14
            } },
            "publicNetworkAccess": "Enabled",
            "monitoringSettings": {
                "azureMonitorAlertSettings": { "alertsForAllJobFailures": "Enabled" },
                "classicAlertSettings": { "alertsForCriticalOperations": "Disabled" }
            },
            "costManagementSettings": { "granularityLevel": "VaultLevel" }
        }
    })
}

pub async fn world_with_vault() -> World {
    let world = World::new();
    let answer =
        world.call("PUT", &sub("/resourcegroups/rg1"), json!({ "location": "eastus" })).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let answer = world.call("PUT", &vault(""), vault_body()).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    world
}

/// Enables protection the way the command does.
pub async fn protect(world: &World, vm: &str) -> Answer {
    let body = json!({ "properties": {
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "policyId": vault("/backupPolicies/DefaultPolicy"),
        "sourceResourceId": vm_id(vm),
    } });
    world.call("PUT", &item(vm, ""), body).await
}

/// The operation id as the commands cut it out: the last segment of the header.
pub fn operation_id(answer: &Answer) -> String {
    let url = answer.header("azure-asyncoperation");
    let path = url.split('?').next().unwrap();
    path.rsplit('/').next().unwrap().to_owned()
}

/// The job of an operation that is done, as the commands look it up.
pub async fn job_of(world: &World, answer: &Answer) -> Value {
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    assert_eq!(answer.header("retry-after"), "1");
    let operation = operation_id(answer);
    let status = world.get(&vault(&format!("/backupOperations/{operation}"))).await;
    assert_eq!(status.status, StatusCode::OK);
    assert_eq!(status.body["id"], operation);
    assert_eq!(status.body["status"], "Succeeded", "{}", status.body);
    assert_eq!(status.body["properties"]["objectType"], "OperationStatusJobExtendedInfo");
    let job = status.body["properties"]["jobId"].as_str().unwrap();
    world.get(&vault(&format!("/backupJobs/{job}"))).await.body
}

/// Sends a template the way the commands do: the file spliced in as it is.
pub async fn send_template(
    world: &World,
    method: &str,
    path: &str,
    parameters: &Value,
    template: impl std::fmt::Display,
) -> Answer {
    let body = format!(
        "{{\"properties\": {{\"mode\": \"Incremental\", \"parameters\": {parameters}, template:{template}}}}}"
    );
    let request = Request::builder()
        .method(method)
        .uri(format!("{path}?api-version=2025-04-01"))
        .header("authorization", format!("Bearer {}", world.token))
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap();
    world.send(request).await
}

/// Backs a protected machine up now.
pub async fn back_up(world: &World, vm: &str) {
    let body = json!({ "properties": { "objectType": "IaasVMBackupRequest" } });
    let answer = world.call("POST", &item(vm, "/backup"), body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    world.work();
}

/// Protects a machine and backs it up; returns the name of the point.
pub async fn backed_up(world: &World, vm: &str) -> String {
    protect(world, vm).await;
    back_up(world, vm).await;
    let body = world.get(&item(vm, "/recoveryPoints")).await.body;
    body["value"][0]["name"].as_str().unwrap().to_owned()
}
