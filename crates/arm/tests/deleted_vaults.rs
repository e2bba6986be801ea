//! Deleted vaults, as `az backup deleted-vault` sees them.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use axum::http::StatusCode;
use serde_json::{Value, json};

mod world;

use world::journey::{vault_body, world_with_vault};
use world::{READER, sub, vault};

fn deleted(rest: &str) -> String {
    sub(&format!("/providers/Microsoft.RecoveryServices/locations/eastus/deletedVaults{rest}"))
}

#[tokio::test]
async fn a_vault_is_deleted_seen_and_brought_back() {
    let world = world_with_vault().await;
    assert_eq!(world.get(&deleted("")).await.body["value"], json!([]));
    let gone = world.call("DELETE", &vault(""), Value::Null).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&vault("")).await.status, StatusCode::NOT_FOUND);

    let list = world.get(&deleted("")).await.body;
    let kept = &list["value"][0];
    let name = kept["name"].as_str().unwrap().to_owned();
    assert!(name.starts_with("rg1_"), "{name}");
    assert_eq!(kept["properties"]["vaultId"], vault(""));
    assert_eq!(kept["properties"]["purgeAt"], "2026-12-05T10:00:00.1234560Z");
    assert_eq!(world.get(&deleted(&format!("/{name}"))).await.body, *kept);
    let far = sub("/providers/Microsoft.RecoveryServices/locations/westus/deletedVaults");
    assert_eq!(world.get(&far).await.body["value"], json!([]));

    let undelete = deleted(&format!("/{name}/undelete"));
    let into = |group: &str| json!({ "properties": { "recoveryResourceGroupId": group } });
    let reader = world.token_of(READER, 0);
    let refused = world.call_as(&reader, "POST", &undelete, into("rg1")).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let nowhere = world.call("POST", &undelete, into(&sub("/resourceGroups/no"))).await;
    assert_eq!(nowhere.code(), "ResourceGroupNotFound");
    let wrong = world.call("POST", &undelete, into("/subscriptions/x/resourceGroups/rg1")).await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);

    let back = world.call("POST", &undelete, into(&sub("/resourceGroups/rg1"))).await;
    assert_eq!(back.status, StatusCode::ACCEPTED, "{}", back.body);
    let url = back.header("azure-asyncoperation").to_owned();
    let status = world.get(url.strip_prefix("https://coffre.test:8443").unwrap()).await;
    assert_eq!(status.body["status"], "Succeeded", "{}", status.body);
    assert_eq!(world.get(&vault("")).await.status, StatusCode::OK);
    let policies = world.get(&vault("/backupPolicies")).await.body;
    assert_eq!(policies["value"].as_array().unwrap().len(), 2);
    let again = world.call("POST", &undelete, into("rg1")).await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_vault_of_the_same_name_stands_in_the_way() {
    let world = world_with_vault().await;
    world.call("DELETE", &vault(""), Value::Null).await;
    let made = world.call("PUT", &vault(""), vault_body()).await;
    assert_eq!(made.status, StatusCode::CREATED, "the name is free");
    let list = world.get(&deleted("")).await.body;
    let name = list["value"][0]["name"].as_str().unwrap();
    let refused = world.call("POST", &deleted(&format!("/{name}/undelete")), json!({})).await;
    assert_eq!(refused.code(), "VaultNameAlreadyInUse");
}
