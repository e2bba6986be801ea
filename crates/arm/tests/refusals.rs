//! What is refused, with which code and which words; and what every answer carries.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

mod world;

use world::{Answer, World, item, sub, vault, vm_id};

async fn world_with_item() -> World {
    let world = World::new();
    world.call("PUT", &sub("/resourceGroups/rg1"), json!({ "location": "eastus" })).await;
    let answer = world.call("PUT", &vault(""), json!({ "location": "eastus" })).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let answer = protect(&world, "web-1", json!({})).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED);
    world
}

async fn protect(world: &World, vm: &str, more: Value) -> Answer {
    let mut properties = json!({
        "protectedItemType": "Microsoft.Compute/virtualMachines",
        "policyId": vault("/backupPolicies/DefaultPolicy"),
        "sourceResourceId": vm_id(vm),
    });
    for (name, value) in more.as_object().unwrap() {
        properties[name] = value.clone();
    }
    world.call("PUT", &item(vm, ""), json!({ "properties": properties })).await
}

fn refused(answer: &Answer, status: u16, code: &str, words: &str) {
    assert_eq!(answer.code(), code, "{answer:?}");
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    assert!(answer.message().contains(words), "'{words}' is not in: {}", answer.message());
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let world = world_with_item().await;
    let answer = world
        .get(&sub("/resourceGroups/none/providers/Microsoft.RecoveryServices/vaults/v1"))
        .await;
    refused(&answer, 404, "ResourceGroupNotFound", "Resource group 'none' could not be found.");
    let answer = world.get(&vault("").replace("vault1", "none")).await;
    refused(
        &answer,
        404,
        "ResourceNotFound",
        "'Microsoft.RecoveryServices/vaults/none' under resource group 'rg1'",
    );
    assert_eq!(answer.header("x-ms-failure-cause"), "gateway");
    let elsewhere = vault("").replace("/rg1/", "/lab/");
    refused(&world.get(&elsewhere).await, 404, "ResourceNotFound", "under resource group 'lab'");
    refused(&world.get(&vm_id("none")).await, 404, "ResourceNotFound", "virtualMachines/none");
    let answer = world.get(&vm_id("web-1").replace("Lab-VMs", "rg1")).await;
    refused(&answer, 404, "ResourceNotFound", &vm_id("Web-1"));
    let account = "/providers/Microsoft.Storage/storageAccounts/restores1";
    let answer = world.get(&sub(&format!("/resourceGroups/rg1{account}"))).await;
    refused(&answer, 404, "ResourceNotFound", &sub(&format!("/resourceGroups/lab{account}")));
    let answer = world.get(&format!("{}/extensions/none", vm_id("web-1"))).await;
    refused(&answer, 404, "ResourceNotFound", "extensions/none");
    let answer = world.get(&vault("/backupPolicies/none")).await;
    refused(&answer, 404, "BMSUserErrorPolicyNotFound", "no backup policy 'none'");
    let answer = world.get(&item("db-1", "")).await;
    refused(&answer, 404, "ProtectedItemNotFound", "no virtual machine 'db-1'");
    let answer = world.get(&item("web-1", "/recoveryPoints/123")).await;
    refused(&answer, 404, "UserErrorRecoveryPointNotFound", "no recovery point '123'");
    for job in ["nosuch", "00000000-0000-4000-8000-000000000000"] {
        let answer = world.get(&vault(&format!("/backupJobs/{job}"))).await;
        refused(&answer, 404, "BMSUserErrorJobNotFound", job);
    }
    let answer = world.get(&sub("/providers/Microsoft.Nothing")).await;
    refused(&answer, 404, "InvalidResourceNamespace", "Microsoft.Nothing");
    let answer = world.get(&sub("/resourceGroups/rg1/providers/Microsoft.Nothing/things/x")).await;
    refused(&answer, 404, "InvalidResourceType", "Microsoft.Nothing");
    assert_eq!(world.get("/nothing").await.status, StatusCode::NOT_FOUND);
    let answer = world.call("DELETE", "/subscriptions", Value::Null).await;
    refused(&answer, 405, "HttpMethodNotSupported", "DELETE");
}

#[tokio::test]
async fn bad_names_and_regions_give_the_reason() {
    let world = world_with_item().await;
    for (name, words) in
        [("1vault", "does not start with a letter"), ("v", "2 to 50"), ("a_b", "'_'")]
    {
        let path = vault("").replace("vault1", name);
        let answer = world.call("PUT", &path, json!({ "location": "eastus" })).await;
        refused(&answer, 400, "InvalidResourceName", words);
    }
    let path = vault("").replace("vault1", "vault2");
    let answer = world.call("PUT", &path, json!({ "location": "Mars" })).await;
    refused(&answer, 400, "LocationNotAvailableForResourceType", "eastus");
    refused(&world.call("PUT", &path, json!({})).await, 400, "InvalidRequestContent", "'location'");
    let path = vault("").replace("/rg1/", "/lab/");
    let answer = world.call("PUT", &path, json!({ "location": "eastus" })).await;
    refused(&answer, 409, "VaultNameAlreadyInUse", "resource group 'rg1'");
    let answer =
        world.call("PUT", &sub("/resourceGroups/a;b"), json!({ "location": "eastus" })).await;
    refused(&answer, 400, "InvalidResourceName", "';'");
    let many: serde_json::Map<String, Value> =
        (0..51).map(|n| (format!("t{n}"), json!("v"))).collect();
    let answer = world.call("PATCH", &vault(""), json!({ "tags": many })).await;
    refused(&answer, 400, "InvalidTags", "50");
}

#[tokio::test]
async fn protection_is_refused_before_the_answer_202() {
    let world = world_with_item().await;
    let none = json!({ "sourceResourceId": vm_id("none") });
    refused(&protect(&world, "none", none).await, 404, "UserErrorVmNotFoundV2", "'none'");
    let policy = json!({ "policyId": vault("/backupPolicies/nope") });
    refused(&protect(&world, "db-1", policy).await, 404, "BMSUserErrorPolicyNotFound", "nope");
    let foreign = vault("/backupPolicies/DefaultPolicy").replace("vault1", "vault9");
    let answer = protect(&world, "db-1", json!({ "policyId": foreign })).await;
    refused(&answer, 404, "BMSUserErrorPolicyNotFound", "vault9");
    let other = json!({ "sourceResourceId": vm_id("web-1") });
    refused(
        &protect(&world, "db-1", other).await,
        400,
        "BMSUserErrorInvalidSourceResourceId",
        "'db-1'",
    );
    let luns =
        json!({ "extendedProperties": { "diskExclusionProperties": { "diskLunList": [9] } } });
    refused(&protect(&world, "db-1", luns).await, 400, "UserErrorInvalidDiskLuns", "LUN 9");
    refused(
        &protect(&world, "db-1", json!({ "policyId": "" })).await,
        400,
        "InvalidRequestContent",
        "policyId",
    );
    let kind = json!({ "protectedItemType": "Microsoft.Sql/servers" });
    refused(&protect(&world, "db-1", kind).await, 400, "InvalidRequestContent", "Microsoft.Sql");

    let second = vault("").replace("vault1", "vault2");
    world.call("PUT", &second, json!({ "location": "eastus" })).await;
    let body = json!({ "properties": {
        "policyId": format!("{second}/backupPolicies/DefaultPolicy"), "sourceResourceId": vm_id("web-1")
    } });
    let path = item("web-1", "").replace("vault1", "vault2");
    let answer = world.call("PUT", &path, body).await;
    refused(&answer, 409, "BMSUserErrorContainerIsAlreadyRegisteredWithAnotherVault", "'vault1'");

    let mixed = item("web-1", "").replace(
        "VM%3Biaasvmcontainerv2%3Blab-vms%3Bweb-1",
        "VM%3Biaasvmcontainerv2%3Blab-vms%3Bdb-1",
    );
    refused(
        &world.get(&mixed).await,
        400,
        "BMSUserErrorInvalidSourceResourceId",
        "IaasVMContainer",
    );
    let fabric = item("web-1", "").replace("/Azure/", "/Mars/");
    refused(&world.get(&fabric).await, 404, "BMSUserErrorInvalidFabricName", "Mars");
}

#[tokio::test]
async fn backups_and_restores_are_checked_first() {
    let world = world_with_item().await;
    let path = item("web-1", "/backup");
    let kind = |kind: &str| json!({ "properties": { "objectType": kind } });
    refused(
        &world.call("POST", &path, kind("FileBackup")).await,
        400,
        "InvalidRequestContent",
        "IaasVMBackupRequest",
    );
    let past = json!({ "properties": {
        "objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "2020-01-01T00:00:00+00:00"
    } });
    let answer = world.call("POST", &path, past).await;
    refused(&answer, 400, "BMSUserErrorInvalidRecoveryPointExpiryTime", "not in the future");
    let soon = json!({ "properties": { "objectType": "IaasVMBackupRequest", "recoveryPointExpiryTimeInUTC": "soon" } });
    refused(
        &world.call("POST", &path, soon).await,
        400,
        "InvalidRequestContent",
        "recoveryPointExpiryTimeInUTC",
    );
    let good = kind("IaasVMBackupRequest");
    assert_eq!(world.call("POST", &path, good.clone()).await.status, StatusCode::ACCEPTED);
    let answer = world.call("POST", &path, good).await;
    refused(&answer, 409, "UserErrorBackupOperationInProgress", "currently in progress");
    world.work();

    let points = world.get(&item("web-1", "/recoveryPoints")).await.body;
    let point = points["value"][0]["name"].as_str().unwrap().to_owned();
    let path = item("web-1", &format!("/recoveryPoints/{point}/restore"));
    let account = |group: &str, name: &str| {
        sub(&format!("/resourceGroups/{group}/providers/Microsoft.Storage/storageAccounts/{name}"))
    };
    let base = json!({
        "objectType": "IaasVMRestoreRequest", "recoveryType": "RestoreDisks", "region": "eastus",
        "recoveryPointId": point, "storageAccountId": account("lab", "restores1"),
    });
    for (member, value, status, code) in [
        (
            "storageAccountId",
            json!(account("lab", "none")),
            404,
            "UserErrorTargetStorageAccountNotFound",
        ),
        (
            "storageAccountId",
            json!(account("rg1", "restores1")),
            404,
            "UserErrorTargetStorageAccountNotFound",
        ),
        ("storageAccountId", json!("restores1"), 400, "InvalidRequestContent"),
        ("storageAccountId", Value::Null, 400, "InvalidRequestContent"),
        ("recoveryPointId", json!("1"), 400, "InvalidRequestContent"),
        ("recoveryType", json!("Magic"), 400, "InvalidRequestContent"),
        ("region", json!("westus"), 400, "InvalidParameter"),
        ("restoreDiskLunList", json!([7]), 400, "UserErrorInvalidDiskLuns"),
        ("restoreDiskLunList", json!(["x"]), 400, "InvalidRequestContent"),
    ] {
        let mut properties = base.clone();
        properties[member] = value;
        let answer = world.call("POST", &path, json!({ "properties": properties })).await;
        refused(&answer, status, code, "");
    }
    let jobs = world.get(&vault("/backupJobs?$filter=operation eq 'Restore'")).await.body;
    assert_eq!(jobs["value"], json!([]), "nothing was started");
}

#[tokio::test]
async fn an_operation_exists_only_below_its_own_resource() {
    let world = world_with_item().await;
    let second = vault("").replace("vault1", "vault2");
    world.call("PUT", &second, json!({ "location": "eastus" })).await;
    let body = json!({ "properties": { "objectType": "IaasVMBackupRequest" } });
    let answer = world.call("POST", &item("web-1", "/backup"), body).await;
    let url = answer.header("azure-asyncoperation").split('?').next().unwrap().to_owned();
    let id = url.rsplit('/').next().unwrap();
    let own = [
        vault(&format!("/backupOperations/{id}")),
        item("WEB-1", &format!("/operationsStatus/{id}")),
    ];
    for path in own {
        assert_eq!(world.get(&path).await.status, StatusCode::OK, "{path}");
    }
    let foreign = [
        format!("{second}/backupOperations/{id}"),
        format!("{second}/operationStatus/{id}"),
        format!("{second}/operationResults/{id}"),
        item("db-1", &format!("/operationsStatus/{id}")),
        item("web-1", &format!("/operationsStatus/{id}")).replace("vault1", "vault2"),
        vault("/backupOperations/00000000-0000-4000-8000-000000000000"),
        vault("/backupOperations/x"),
    ];
    for path in foreign {
        refused(&world.get(&path).await, 404, "OperationNotFound", "");
    }
    let job = world.get(&vault("/backupJobs")).await.body["value"][0]["name"]
        .as_str()
        .unwrap()
        .to_owned();
    let answer = world.get(&format!("{second}/backupJobs/{job}")).await;
    refused(&answer, 404, "BMSUserErrorJobNotFound", "vault2");
}

#[tokio::test]
async fn a_vault_with_items_says_the_words_that_force_looks_for() {
    let world = world_with_item().await;
    let answer = world.call("DELETE", &vault(""), Value::Null).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.message().contains("existing resources within the vault"));
    assert!(answer.message().contains("'Web-1'"), "what stands in the way is listed");
}

async fn send_raw(world: &World, uri: &str, body: impl Into<Body>) -> Answer {
    let request = Request::put(uri)
        .header("authorization", format!("Bearer {}", world.token))
        .header("content-type", "application/json")
        .body(body.into());
    world.send(request.unwrap()).await
}

#[tokio::test]
async fn broken_and_oversized_requests_are_refused() {
    let world = World::new();
    let group = sub("/resourceGroups/rg1?api-version=2024-11-01");
    for body in ["{", "nonsense", "{\"a\":1}x", "[1]", "\"text\""] {
        let answer = send_raw(&world, &group, body).await;
        refused(&answer, 400, "InvalidRequestContent", "");
    }
    let deep = format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    refused(&send_raw(&world, &group, deep).await, 400, "InvalidRequestContent", "");
    let twice = r#"{"location":"eastus","LOCATION":"westus"}"#;
    refused(&send_raw(&world, &group, twice).await, 400, "InvalidRequestContent", "more than once");
    let large = format!("{{\"location\":\"{}\"}}", "x".repeat(1 << 20));
    refused(&send_raw(&world, &group, large).await, 413, "RequestContentTooLarge", "1048576");
    let answer = send_raw(&world, &sub("/resourceGroups/rg1"), "{}").await;
    refused(&answer, 400, "MissingApiVersionParameter", "api-version");
    let answer = send_raw(&world, &sub("/resourceGroups/rg1?api-version=latest"), "{}").await;
    refused(&answer, 400, "InvalidApiVersionParameter", "'latest'");
    for path in [
        "/subscriptions/%2e%2e",
        "/subscriptions/a%2fb",
        "/subscriptions/%00",
        "/subscriptions/%ff",
    ] {
        let answer = world.get(path).await;
        refused(&answer, 400, "InvalidRequestUri", "");
    }
    let long = format!("/subscriptions/{}", "a".repeat(5000));
    refused(&world.get(&long).await, 400, "InvalidRequestUri", "4096");
    let filter = sub("/resources?$filter=name gt 'x'");
    refused(&world.get(&filter).await, 400, "InvalidFilterInQueryString", "eq");
    let skip = sub("/resources?$skipToken=AAAA");
    refused(&world.get(&skip).await, 400, "InvalidSkipToken", "");
}

#[tokio::test]
async fn every_answer_carries_ids_and_echoes_those_of_the_client() {
    let world = World::new();
    let send = |correlation: &'static str| {
        let request = Request::get(sub("?api-version=2022-12-01"))
            .header("authorization", format!("Bearer {}", world.token))
            .header("x-ms-client-request-id", "0b7a9a5e-11aa-11ee-8c99-0242ac120002")
            .header("x-ms-correlation-request-id", correlation);
        world.send(request.body(Body::empty()).unwrap())
    };
    let answer = send("c0ffee00-0000-4000-8000-000000000001").await;
    assert_eq!(
        answer.header("x-ms-correlation-request-id"),
        "c0ffee00-0000-4000-8000-000000000001"
    );
    assert_eq!(answer.header("x-ms-client-request-id"), "0b7a9a5e-11aa-11ee-8c99-0242ac120002");
    assert_eq!(answer.header("x-ms-request-id").len(), 36);
    assert_eq!(answer.header("content-type"), "application/json; charset=utf-8");
    assert_eq!(answer.header("cache-control"), "no-cache");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert!(answer.header("strict-transport-security").starts_with("max-age="));
    let forged = send("<script>").await;
    assert_eq!(forged.header("x-ms-correlation-request-id"), forged.header("x-ms-request-id"));
    let unknown = world.send(Request::get("/none").body(Body::empty()).unwrap()).await;
    assert_eq!(unknown.status, StatusCode::UNAUTHORIZED, "strangers do not learn what exists");
    assert!(unknown.header("www-authenticate").contains("https://coffre.test:8443/adfs"));
    assert_eq!(unknown.header("x-ms-request-id").len(), 36);
}
