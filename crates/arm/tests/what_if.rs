//! What a deployment would change, without a change.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Value, json};

mod world;

use world::journey::{send_template, world_with_vault};
use world::{Answer, READER, World, sub, vault};

fn path(rest: &str) -> String {
    sub(&format!("/resourcegroups/rg1/providers/Microsoft.Resources/deployments/d{rest}"))
}

async fn ask(world: &World, parameters: Value, template: impl std::fmt::Display) -> Answer {
    send_template(world, "POST", &path("/whatIf"), &parameters, template).await
}

/// The changes by the last part of the id.
fn changes(answer: &Answer) -> BTreeMap<String, Value> {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let list = answer.body["properties"]["changes"].as_array().unwrap().iter();
    let name =
        |it: &Value| it["resourceId"].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    list.map(|it| (name(it), it.clone())).collect()
}

fn kinds(answer: &Answer) -> BTreeMap<String, String> {
    let kind = |it: Value| it["changeType"].as_str().unwrap().to_owned();
    changes(answer).into_iter().map(|(name, it)| (name, kind(it))).collect()
}

fn of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect()
}

fn resource(name: &str, more: Value) -> Value {
    let mut body = json!({ "type": "Microsoft.RecoveryServices/vaults", "apiVersion": "2021-03-01",
        "name": name, "location": "eastus", "sku": { "name": "RS0", "tier": "Standard" },
        "properties": {} });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn the_quickstart_is_all_new_and_then_nothing_is() {
    let world = world_with_vault().await;
    let template = include_str!("data/backup-vms.json");
    let parameters = json!({
        "vaultName": { "value": "qs-vault" },
        "existingVirtualMachinesResourceGroup": { "value": "Lab-VMs" },
        "existingVirtualMachines": { "value": ["Web-1"] },
    });
    let before = ask(&world, parameters.clone(), template).await;
    let item = "vm;iaasvmcontainerv2;Lab-VMs;Web-1";
    let new =
        [("qs-vault", "Create"), ("nightly", "Create"), (item, "Create"), ("vault1", "Ignore")];
    assert_eq!(kinds(&before), of(&new));
    let after = &changes(&before)["nightly"]["after"];
    assert_eq!(after["properties"]["backupManagementType"], "AzureIaasVM");
    assert!(after["apiVersion"].is_string(), "{after}");
    let unchanged = world.get(&sub("/providers/Microsoft.RecoveryServices/vaults")).await.body;
    assert_eq!(unchanged["value"].as_array().unwrap().len(), 1, "a question makes nothing");

    let mut made = send_template(&world, "PUT", &path(""), &parameters, &template).await.body;
    while made["properties"]["provisioningState"] == "Running" {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        made = world.get(&path("")).await.body;
    }
    assert_eq!(made["properties"]["provisioningState"], "Succeeded", "{made}");
    let again = ask(&world, parameters, template).await;
    let same = [
        ("qs-vault", "NoChange"),
        ("nightly", "NoChange"),
        (item, "NoChange"),
        ("vault1", "Ignore"),
    ];
    assert_eq!(kinds(&again), of(&same), "{:#}", again.body);
}

#[tokio::test]
async fn a_change_is_shown_member_by_member() {
    let world = world_with_vault().await;
    let off = json!({ "publicNetworkAccess": "Disabled" });
    let wish = resource("vault1", json!({ "properties": off, "tags": { "team": "storage" } }));
    let answer = ask(&world, json!({}), json!({ "resources": [wish.clone()] })).await;
    let change = &changes(&answer)["vault1"];
    assert_eq!(change["changeType"], "Modify", "{change:#}");
    let delta = change["delta"].as_array().unwrap();
    let expected = [
        json!({ "path": "properties.publicNetworkAccess", "propertyChangeType": "Modify",
            "before": "Enabled", "after": "Disabled" }),
        json!({ "path": "tags", "propertyChangeType": "Create", "after": { "team": "storage" } }),
    ];
    assert_eq!(delta.len(), 2, "{delta:#?}");
    assert!(expected.iter().all(|it| delta.contains(it)), "{delta:#?}");
    assert_eq!(change["after"]["properties"]["publicNetworkAccess"], "Disabled");
    // What it says comes true.
    assert_eq!(world.call("PUT", &vault(""), wish.clone()).await.status, StatusCode::OK);
    let shown = world.get(&vault("")).await.body;
    assert_eq!(shown["properties"], change["after"]["properties"]);
    let again = ask(&world, json!({}), json!({ "resources": [wish] })).await;
    assert_eq!(kinds(&again), of(&[("vault1", "NoChange")]), "{:#}", again.body);
}

#[tokio::test]
async fn without_payloads_and_in_the_mode_complete() {
    let world = world_with_vault().await;
    let template = json!({ "resources": [resource("vault2", json!({}))] });
    let asked = |mode: &str, format: &str| {
        json!({ "properties": { "mode": mode, "template": template,
            "whatIfSettings": { "resultFormat": format } } })
    };
    let answer = world.call("POST", &path("/whatIf"), asked("Complete", "ResourceIdOnly")).await;
    assert_eq!(kinds(&answer), of(&[("vault1", "Delete"), ("vault2", "Create")]));
    assert!(changes(&answer).values().all(|it| it.get("after").is_none()));
    // It can be asked for, and it is not done.
    let refused = world.call("PUT", &path(""), asked("Complete", "x")).await;
    assert!(refused.message().contains("'Complete' is not served"), "{}", refused.message());
    let refused = world.call("POST", &path("/whatIf"), asked("Incremental", "Prose")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn what_is_inside_counts_and_what_is_not_known_is_said() {
    let world = world_with_vault().await;
    let inner = json!({ "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01",
        "name": "inner", "properties": { "mode": "Incremental",
            "expressionEvaluationOptions": { "scope": "inner" },
            "template": { "resources": [resource("vault3", json!({}))] } } });
    let state =
        "[reference(resourceId('Microsoft.RecoveryServices/vaults', 'vault4')).secureScore]";
    let later = resource("vault1", json!({ "tags": { "score": state } }));
    let template = json!({ "resources": [inner, later, resource("vault4", json!({}))] });
    let answer = ask(&world, json!({}), template).await;
    let expected = [("vault1", "Unsupported"), ("vault3", "Create"), ("vault4", "Create")];
    assert_eq!(kinds(&answer), of(&expected), "{:#}", answer.body);
}

#[tokio::test]
async fn secrets_are_stars_and_readers_are_refused() {
    let world = world_with_vault().await;
    let template = json!({
        "parameters": { "p": { "type": "securestring", "minLength": 8 } },
        "resources": [resource("vault2", json!({ "tags": { "p": "[parameters('p')]" } }))],
    });
    let answer = ask(&world, json!({ "p": { "value": "hunter2hunter2" } }), template.clone()).await;
    assert!(!answer.body.to_string().contains("hunter2"), "{}", answer.body);
    assert_eq!(changes(&answer)["vault2"]["after"]["tags"]["p"], "*******");
    let short = ask(&world, json!({ "p": { "value": "x" } }), template.clone()).await;
    assert_eq!(short.status, StatusCode::BAD_REQUEST, "the rules hold for what was given");

    let reader = world.token_of(READER, 0);
    let body = json!({ "properties": { "mode": "Incremental", "template": { "resources": [] } } });
    let answer = world.call_as(&reader, "POST", &path("/whatIf"), body).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}
