//! Deployments of templates, as the commands send them: not quite JSON, then polled.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::time::Duration;

use axum::http::StatusCode;
use coffre_control::model::{Deployment, PrincipalKind};
use coffre_control::port::tx;
use coffre_control::usecase::put_deployment;
use coffre_control::{Caller, Cx, Role};
use serde_json::{Value, json};
use uuid::Uuid;

mod world;

use world::journey::{backed_up, send_template, world_with_vault};
use world::{Answer, READER, World, sub, vault};

/// The template of the quickstart that puts existing machines under a new policy in a new vault.
const BACKUP_VMS: &str = include_str!("data/backup-vms.json");

fn deployment(name: &str, rest: &str) -> String {
    sub(&format!("/resourcegroups/rg1/providers/Microsoft.Resources/deployments/{name}{rest}"))
}

/// Sends a template and waits for the end: the status and the headers of the first answer, the body
/// of the last.
async fn deploy(world: &World, name: &str, parameters: Value, template: &str) -> Answer {
    let path = deployment(name, "");
    let mut answer = send_template(world, "PUT", &path, &parameters, template).await;
    while answer.body["properties"]["provisioningState"] == "Running" {
        tokio::time::sleep(Duration::from_millis(2)).await;
        answer.body = world.get(&path).await.body;
    }
    answer
}

fn quickstart() -> Value {
    json!({
        "vaultName": { "value": "qs-vault" },
        "existingVirtualMachinesResourceGroup": { "value": "Lab-VMs" },
        "existingVirtualMachines": { "value": ["Web-1", "db-1"] },
    })
}

#[tokio::test]
async fn the_quickstart_protects_two_machines() {
    let world = world_with_vault().await;
    let path = deployment("qs", "/validate");
    let checked = send_template(&world, "POST", &path, &quickstart(), BACKUP_VMS).await;
    assert_eq!(checked.status, StatusCode::OK, "{}", checked.body);
    assert_eq!(checked.body["properties"]["validatedResources"].as_array().unwrap().len(), 4);
    assert_eq!(world.get(&deployment("qs", "")).await.code(), "DeploymentNotFound");

    let made = deploy(&world, "qs", quickstart(), BACKUP_VMS).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let url = made.header("azure-asyncoperation").to_owned();
    assert!(url.contains("/deployments/qs/operationStatuses/"), "{url}");
    let status = world.get(url.strip_prefix("https://coffre.test:8443").unwrap()).await;
    assert_eq!(status.body, json!({ "status": "Succeeded" }));

    let shown = world.get(&deployment("QS", "")).await.body;
    let properties = &shown["properties"];
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(properties["outputResources"].as_array().unwrap().len(), 4);
    assert_eq!(properties["outputs"]["protected"], json!({ "type": "Int", "value": 2 }));
    let id = properties["outputs"]["vaultId"]["value"].as_str().unwrap();
    assert!(id.ends_with("/vaults/qs-vault"), "{id}");
    let items = world.get(&format!("{id}/backupProtectedItems")).await.body;
    assert_eq!(items["value"].as_array().unwrap().len(), 2);
    let policy = world.get(&format!("{id}/backupPolicies/nightly")).await.body;
    assert_eq!(policy["properties"]["protectedItemsCount"], 2);

    // The same again changes nothing and succeeds.
    let again = deploy(&world, "qs", quickstart(), BACKUP_VMS).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.body);
    assert_eq!(again.body["properties"]["provisioningState"], "Succeeded");
    let list = world.get(&deployment("", "")).await.body;
    assert_eq!(list["value"].as_array().unwrap().len(), 1);
    let path = sub("/resourcegroups/rg1/deployments/qs/operations");
    let operations = world.get(&path).await.body;
    assert_eq!(operations["value"].as_array().unwrap().len(), 4);
    assert_eq!(operations["value"][0]["properties"]["provisioningState"], "Succeeded");

    let gone = world.call("DELETE", &deployment("qs", ""), Value::Null).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&deployment("qs", "")).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get(id).await.status, StatusCode::OK);
}

#[tokio::test]
async fn an_existing_vault_is_used_when_the_parameter_says_so() {
    let world = world_with_vault().await;
    let mut parameters = quickstart();
    parameters["vaultName"] = json!({ "value": "vault1" });
    parameters["existingVault"] = json!({ "value": true });
    let made = deploy(&world, "qs", parameters, BACKUP_VMS).await;
    assert_eq!(made.body["properties"]["provisioningState"], "Succeeded", "{}", made.body);
    assert_eq!(made.body["properties"]["outputResources"].as_array().unwrap().len(), 3);
    let items = world.get(&vault("/backupProtectedItems")).await.body;
    assert_eq!(items["value"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_failure_names_the_resource_and_stops_what_depends_on_it() {
    let world = world_with_vault().await;
    let mut parameters = quickstart();
    parameters["existingVirtualMachines"] = json!({ "value": ["Web-1", "nobody"] });
    let made = deploy(&world, "qs", parameters, BACKUP_VMS).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let error = &made.body["properties"]["error"];
    assert_eq!(error["code"], "DeploymentFailed");
    let detail = &error["details"][0];
    assert_eq!(detail["code"], "UserErrorVmNotFoundV2");
    assert!(detail["message"].as_str().unwrap().contains("vm;iaasvmcontainerv2;Lab-VMs;nobody"));
    let url = made.header("azure-asyncoperation").to_owned();
    let status = world.get(url.strip_prefix("https://coffre.test:8443").unwrap()).await;
    assert_eq!(status.body["status"], "Failed");
    assert_eq!(status.body["error"]["code"], "DeploymentFailed");
    // The other machine is protected all the same.
    let path = sub(
        "/resourceGroups/rg1/providers/Microsoft.RecoveryServices/vaults/qs-vault/backupProtectedItems",
    );
    assert_eq!(world.get(&path).await.body["value"].as_array().unwrap().len(), 1);

    let chain = json!({ "resources": [
        { "type": "Microsoft.RecoveryServices/vaults", "apiVersion": "2021-03-01", "name": "x",
          "location": "eastus" },
        { "type": "Microsoft.RecoveryServices/vaults/backupPolicies", "apiVersion": "2021-03-01",
          "name": "x/p", "dependsOn": ["x"], "properties": {} },
    ]});
    let made = deploy(&world, "chain", json!({}), &chain.to_string()).await;
    let steps = world.get(&deployment("chain", "/operations")).await.body;
    assert_eq!(steps["value"][0]["properties"]["provisioningState"], "Failed", "{}", made.body);
    assert_eq!(steps["value"][1]["properties"]["statusCode"], "Skipped");
    assert_eq!(made.body["properties"]["error"]["details"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn wrong_templates_are_refused_before_anything_is_made() {
    let world = world_with_vault().await;
    let vault = |more: Value| {
        let mut resource = json!({ "type": "Microsoft.RecoveryServices/vaults", "name": "t-vault",
            "apiVersion": "2021-03-01", "location": "eastus", "properties": {} });
        for (name, value) in more.as_object().unwrap() {
            resource[name] = value.clone();
        }
        json!({ "resources": [resource] })
    };
    let cases = [
        (vault(json!({ "name": "[parameters('x')]" })), "no parameter 'x'"),
        (vault(json!({ "name": "[variables('x')]" })), "no variable 'x'"),
        (vault(json!({ "name": "[nothing('x')]" })), "the function 'nothing' is not known"),
        (vault(json!({ "name": "[concat('x']" })), "cannot be read at character"),
        (vault(json!({ "tags": { "a": "[add('x', 1)]" } })), "argument 1 of 'add'"),
        (vault(json!({ "dependsOn": ["other"] })), "depends on 'other'"),
        (vault(json!({ "type": "Microsoft.Web/sites" })), "Microsoft.Web"),
        (vault(json!({ "name": "a/b" })), "needs 1 names"),
        (json!({ "parameters": { "n": { "type": "int" } }, "resources": [] }), "'n' has no value"),
        (
            json!({ "variables": { "a": "[variables('b')]", "b": "[variables('a')]" },
                 "resources": [], "outputs": { "o": { "type": "string", "value": "[variables('a')]" } } }),
            "needs itself",
        ),
        (json!({ "resources": 7 }), "'resources'"),
    ];
    for (template, part) in cases {
        let answer = deploy(&world, "bad", json!({}), &template.to_string()).await;
        assert_eq!(answer.status.as_u16() / 100, 4, "{template}: {}", answer.body);
        assert!(answer.message().contains(part), "{template}: {}", answer.message());
    }
    let ring = json!({ "resources": [
        { "type": "Microsoft.RecoveryServices/vaults", "name": "aa", "apiVersion": "2021-03-01", "dependsOn": ["bb"] },
        { "type": "Microsoft.RecoveryServices/vaults", "name": "bb", "apiVersion": "2021-03-01", "dependsOn": ["aa"] },
    ]});
    let answer = deploy(&world, "bad", json!({}), &ring.to_string()).await;
    assert!(answer.message().contains("in a ring"), "{}", answer.message());
    let path = sub("/providers/Microsoft.RecoveryServices/vaults");
    assert_eq!(world.get(&path).await.body["value"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn nested_templates_deploy_to_other_groups_and_give_outputs() {
    let world = world_with_vault().await;
    let template = json!({
        "parameters": { "name": { "type": "string", "defaultValue": "outer" } },
        "resources": [
            { "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "inner",
              "resourceGroup": "lab",
              "properties": {
                "mode": "Incremental",
                "expressionEvaluationOptions": { "scope": "inner" },
                "parameters": { "name": { "value": "[concat(parameters('name'), '-vault')]" } },
                "template": {
                    "parameters": { "name": { "type": "string" } },
                    "resources": [{
                        "type": "Microsoft.RecoveryServices/vaults", "apiVersion": "2021-03-01",
                        "name": "[parameters('name')]", "location": "[resourceGroup().location]",
                        "sku": { "name": "RS0", "tier": "Standard" }, "properties": {} }],
                    "outputs": { "group": { "type": "string", "value": "[resourceGroup().name]" } }
                } } }
        ],
        "outputs": {
            "group": { "type": "string", "value": "[reference('inner').outputs.group.value]" },
            "state": { "type": "string",
                "value": "[reference(resourceId('lab', 'Microsoft.RecoveryServices/vaults', 'outer-vault'), '2021-03-01').provisioningState]" }
        }
    });
    let made = deploy(&world, "outer", json!({}), &template.to_string()).await;
    let outputs = &made.body["properties"]["outputs"];
    assert_eq!(outputs["group"]["value"], "lab", "{}", made.body);
    assert_eq!(outputs["state"]["value"], "Succeeded");
    let inner = sub("/resourceGroups/lab/providers/Microsoft.Resources/deployments/inner");
    assert_eq!(world.get(&inner).await.status, StatusCode::OK);
}

#[tokio::test]
async fn loops_of_deployments_end() {
    let world = world_with_vault().await;
    let mut template = json!({ "resources": [] });
    for _ in 0..7 {
        template = json!({ "resources": [{
            "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01",
            "name": "[concat('d', copyIndex())]", "copy": { "name": "c", "count": 2 },
            "properties": { "mode": "Incremental",
                "expressionEvaluationOptions": { "scope": "inner" }, "template": template } }] });
    }
    let made = deploy(&world, "deep", json!({}), &template.to_string()).await;
    assert!(made.body.to_string().contains("nested too deeply"), "{}", made.body);
    let bomb = json!({
        "variables": (1..40).map(|n| (format!("v{n}"), json!(format!("[concat(variables('v{}'), variables('v{}'))]", n - 1, n - 1))))
            .chain([("v0".to_owned(), json!("xxxxxxxxxx"))]).collect::<serde_json::Map<_, _>>(),
        "resources": [],
        "outputs": { "o": { "type": "string", "value": "[variables('v39')]" } }
    });
    let answer = deploy(&world, "bomb", json!({}), &bomb.to_string()).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "a bomb was computed");
}

#[tokio::test]
async fn a_template_gives_nobody_more_than_he_has() {
    let world = world_with_vault().await;
    let reader = world.token_of(READER, 0);
    let body = json!({ "properties": { "mode": "Incremental", "template": { "resources": [] } } });
    let answer = world.call_as(&reader, "PUT", &deployment("x", ""), body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);

    let contributor = "aaaaaaaa-0000-4000-8000-000000000009";
    let caller = world::principal(
        contributor,
        "bc",
        PrincipalKind::ServicePrincipal,
        Role::BackupContributor,
    );
    let mut caller = caller;
    coffre_control::port::tx(&*world.db, "test", |tx| Ok(tx.put_principal(&mut caller)?)).unwrap();
    let token = world.token_of(contributor, 0);
    let group = json!({ "resources": [{ "type": "Microsoft.Resources/resourceGroups", "name": "g9",
        "apiVersion": "2024-11-01", "location": "eastus" }] });
    let body = json!({ "properties": { "mode": "Incremental", "template": group } });
    let answer = world.call_as(&token, "PUT", &deployment("x", ""), body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", answer.body);
    assert!(answer.message().contains("/resourceGroups/g9"), "{}", answer.message());
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let world = world_with_vault().await;
    backed_up(&world, "Web-1").await;
    let template = json!({
        "parameters": { "p": { "type": "securestring" } }, "resources": [],
        "outputs": { "o": { "type": "securestring", "value": "[parameters('p')]" } } });
    let parameters = json!({ "p": { "value": "hunter2" } });
    let made = deploy(&world, "s", parameters, &template.to_string()).await;
    assert_eq!(made.status, StatusCode::CREATED);
    assert!(!made.body.to_string().contains("hunter2"));
    assert!(!world.get(&deployment("s", "")).await.body.to_string().contains("hunter2"));
}

/// Puts the record of a deployment that never ended into the store, as a service leaves it that dies.
fn leave_running(world: &World, runner: Uuid) {
    let record = Deployment {
        scope: sub("/resourceGroups/rg1"),
        name: "qs".to_owned(),
        parameters: json!({}),
        outputs: json!({}),
        template: json!({ "resources": [] }),
        template_hash: "1".to_owned(),
        error: None,
        steps: Vec::new(),
        operation: Uuid::from_u128(7),
        correlation: Uuid::from_u128(8),
        runner: Some(runner),
        cancelled: false,
        ended: (world.state.clock)(),
        took_ms: 0,
        etag: 0,
    };
    let (caller, ids) = (Caller::system(), Uuid::new_v4);
    let cx = Cx::new(&caller, record.ended, &ids);
    tx(&*world.db, "test", |tx| put_deployment(tx, &cx, record.clone(), runner)).unwrap();
}

#[tokio::test]
async fn a_deployment_that_the_end_of_the_service_interrupted_has_failed_and_can_be_repeated() {
    let world = world_with_vault().await;
    leave_running(&world, Uuid::new_v4());
    let shown = world.get(&deployment("qs", "")).await.body;
    assert_eq!(shown["properties"]["provisioningState"], "Failed");
    let path = deployment("qs", &format!("/operationStatuses/{}", Uuid::from_u128(7)));
    let status = world.get(&path).await.body;
    assert_eq!(status["status"], "Failed");
    assert!(status["error"]["message"].as_str().unwrap().contains("Deploy again"), "{status}");
    let late = world.call("POST", &deployment("qs", "/cancel"), Value::Null).await;
    assert_eq!(late.code(), "DeploymentCannotBeCancelled");
    let made = deploy(&world, "qs", quickstart(), BACKUP_VMS).await;
    assert_eq!(made.status, StatusCode::OK);
    assert_eq!(made.body["properties"]["provisioningState"], "Succeeded", "{}", made.body);
}

#[tokio::test]
async fn a_running_deployment_is_not_repeated_and_can_be_cancelled() {
    let world = world_with_vault().await;
    leave_running(&world, world.state.deployments.runner());
    let again =
        send_template(&world, "PUT", &deployment("qs", ""), &quickstart(), BACKUP_VMS).await;
    assert_eq!((again.status, again.code()), (StatusCode::CONFLICT, "DeploymentActive"));
    let gone = world.call("DELETE", &deployment("qs", ""), Value::Null).await;
    assert_eq!((gone.status, gone.code()), (StatusCode::CONFLICT, "DeploymentActive"));
    let stopped = world.call("POST", &deployment("qs", "/cancel"), Value::Null).await;
    assert_eq!(stopped.status, StatusCode::NO_CONTENT);
}

/// The store takes notes of all that a deployment does; one of them says that it shall end.
#[tokio::test]
async fn a_cancelled_deployment_keeps_what_it_made_and_makes_no_more() {
    let world = world_with_vault().await;
    let resource = |name: &str| {
        json!({ "type": "Microsoft.RecoveryServices/vaults", "name": name,
        "apiVersion": "2021-03-01", "location": "eastus", "sku": { "name": "RS0" }, "properties": {} })
    };
    let many: Vec<Value> = (0..60).map(|at| resource(&format!("many-{at}"))).collect();
    let template = json!({ "resources": many }).to_string();
    let begun = send_template(&world, "PUT", &deployment("many", ""), &json!({}), &template).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.body);
    assert_eq!(begun.body["properties"]["provisioningState"], "Running");
    let stopped = world.call("POST", &deployment("many", "/cancel"), Value::Null).await;
    assert_eq!(stopped.status, StatusCode::NO_CONTENT);
    let ended = loop {
        let shown = world.get(&deployment("many", "")).await.body;
        if shown["properties"]["provisioningState"] != "Running" {
            break shown;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    };
    assert_eq!(ended["properties"]["provisioningState"], "Canceled", "{ended}");
    assert_eq!(ended["properties"]["error"]["code"], "DeploymentCanceled");
    let made = ended["properties"]["outputResources"].as_array().unwrap().len();
    assert!(made < 60, "all {made} were made");
    let vaults = world.get(&sub("/providers/Microsoft.RecoveryServices/vaults")).await.body;
    assert_eq!(vaults["value"].as_array().unwrap().len(), made + 1);
}
