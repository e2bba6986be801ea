//! What belongs to any scope: tags, locks, roles; and resources that backups only name.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use coffre_control::model::PrincipalKind;
use coffre_control::port::tx;
use serde_json::{Value, json};

mod world;

use world::journey::{vault_body, world_with_vault};
use world::{SUBSCRIPTION, World, sub, vault, vm_id};

const TAGS: &str = "/providers/Microsoft.Resources/tags/default";
const LOCK: &str = "/providers/Microsoft.Authorization/locks/l1";
const OPERATOR: &str = "00c29273-979b-4161-815c-10b084fb9324";

fn assignment(scope: &str) -> String {
    format!(
        "{scope}/providers/Microsoft.Authorization/roleAssignments/11111111-0000-4000-8000-000000000001"
    )
}

/// A program without any role of its own.
fn nobody(world: &World) -> (String, String) {
    let id = "aaaaaaaa-0000-4000-8000-00000000000a".to_owned();
    let mut row = world::principal(
        &id,
        "nobody",
        PrincipalKind::ServicePrincipal,
        coffre_control::Role::Reader,
    );
    row.roles.clear();
    tx(&*world.db, "test", |tx| Ok(tx.put_principal(&mut row)?)).unwrap();
    let token = world.token_of(&id, 0);
    (id, token)
}

#[tokio::test]
async fn tags_are_merged_replaced_and_deleted_on_every_kind_of_resource() {
    let world = world_with_vault().await;
    let group = sub("/resourceGroups/rg1");
    for scope in [group, vault(""), vm_id("Web-1")] {
        let path = format!("{scope}{TAGS}");
        let merge = |tags: Value| json!({ "operation": "Merge", "properties": { "tags": tags } });
        let answer = world.call("PATCH", &path, merge(json!({ "a": "1", "b": "2" }))).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        world.call("PATCH", &path, merge(json!({ "b": "3" }))).await;
        let shown = world.get(&path).await.body;
        assert_eq!(shown["properties"]["tags"], json!({ "a": "1", "b": "3" }), "{path}");
        assert_eq!(world.get(&scope).await.body["tags"], json!({ "a": "1", "b": "3" }), "{scope}");
        let delete = json!({ "operation": "Delete", "properties": { "tags": { "a": "1" } } });
        world.call("PATCH", &path, delete).await;
        assert_eq!(world.get(&scope).await.body["tags"], json!({ "b": "3" }));
        let put = json!({ "properties": { "tags": { "c": "4" } } });
        world.call("PUT", &path, put).await;
        assert_eq!(world.get(&scope).await.body["tags"], json!({ "c": "4" }));
    }
    let list = sub("/resources?$filter=tagname eq 'c' and tagvalue eq '4'");
    assert_eq!(world.get(&list).await.body["value"].as_array().unwrap().len(), 2);
    // A read-back of a machine, as `az resource tag` sends it.
    let mut body = world.get(&vm_id("Web-1")).await.body;
    body["tags"] = json!({ "d": "5" });
    let answer = world.call("PUT", &vm_id("Web-1"), body.clone()).await;
    assert_eq!(answer.body["tags"], json!({ "d": "5" }));
    body["location"] = json!("westus");
    assert_eq!(world.call("PUT", &vm_id("Web-1"), body).await.status, StatusCode::CONFLICT);
    assert_eq!(
        world.get(&format!("{}{TAGS}", vm_id("nobody"))).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_lock_holds_what_is_below_it_until_it_is_gone() {
    let world = world_with_vault().await;
    let group = sub("/resourceGroups/rg1");
    let body = json!({ "properties": { "level": "CanNotDelete", "notes": "keep" } });
    let made = world.call("PUT", &format!("{group}{LOCK}"), body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    for path in [vault(""), group.clone()] {
        let answer = world.call("DELETE", &path, Value::Null).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "ScopeLocked"), "{path}");
    }
    assert_eq!(world.call("PUT", &vault(""), vault_body()).await.status, StatusCode::OK);
    let read_only = json!({ "properties": { "level": "ReadOnly" } });
    world.call("PUT", &format!("{}{LOCK}", vault("")), read_only).await;
    assert_eq!(world.call("PUT", &vault(""), vault_body()).await.code(), "ScopeLocked");
    let policy = vault("/backupPolicies/DefaultPolicy");
    assert_eq!(world.call("DELETE", &policy, Value::Null).await.code(), "ScopeLocked");
    assert_eq!(world.get(&vault("")).await.status, StatusCode::OK);
    let list = world.get(&format!("{group}/providers/Microsoft.Authorization/locks")).await.body;
    assert_eq!(list["value"].as_array().unwrap().len(), 2);
    for path in [vault(""), group.clone()] {
        let answer = world.call("DELETE", &format!("{path}{LOCK}"), Value::Null).await;
        assert_eq!(answer.status, StatusCode::OK);
    }
    assert_eq!(world.call("DELETE", &vault(""), Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&format!("{group}{LOCK}")).await.code(), "LockNotFound");
}

#[tokio::test]
async fn a_role_counts_at_its_scope_and_below_and_nowhere_else() {
    let world = world_with_vault().await;
    let (id, token) = nobody(&world);
    let policies = vault("/backupPolicies");
    assert_eq!(
        world.call_as(&token, "GET", &policies, Value::Null).await.status,
        StatusCode::FORBIDDEN
    );
    let path = assignment(&sub("/resourceGroups/rg1"));
    let body = json!({ "properties": {
        "principalId": id,
        "principalType": "ServicePrincipal",
        "roleDefinitionId": format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{OPERATOR}"),
    } });
    let refused = world.call_as(&token, "PUT", &path, body.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "nobody gives himself a role");
    assert_eq!(world.call("PUT", &path, body).await.status, StatusCode::CREATED);
    let allowed = world.call_as(&token, "GET", &policies, Value::Null).await;
    assert_eq!(allowed.status, StatusCode::OK, "{}", allowed.body);
    let elsewhere = sub("/resourceGroups/lab/resources");
    assert_eq!(
        world.call_as(&token, "GET", &elsewhere, Value::Null).await.status,
        StatusCode::FORBIDDEN
    );
    let answer = world.call_as(&token, "PUT", &vault(""), vault_body()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN, "an operator makes no vaults");
    let mine = world.call_as(&token, "GET", "/subscriptions", Value::Null).await;
    assert_eq!(mine.status, StatusCode::OK);
    // What a deployment does in another group needs a role there.
    let list = sub(&format!(
        "/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{id}'"
    ));
    assert_eq!(world.get(&list).await.body["value"].as_array().unwrap().len(), 1);
    assert_eq!(world.call("DELETE", &path, Value::Null).await.status, StatusCode::OK);
    assert_eq!(
        world.call_as(&token, "GET", &policies, Value::Null).await.status,
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_role_of_ones_own_allows_what_it_says() {
    let world = world_with_vault().await;
    let (id, token) = nobody(&world);
    let role = "22222222-0000-4000-8000-000000000002";
    let definition = sub(&format!("/providers/Microsoft.Authorization/roleDefinitions/{role}"));
    let body = |actions: Value| json!({ "properties": { "roleName": "Policy keeper", "permissions": [{ "actions": actions, "notActions": [] }] } });
    let empty = world.call("PUT", &definition, body(json!(["Microsoft.Web/*"]))).await;
    assert_eq!(empty.code(), "RoleWithoutActions");
    let actions = json!(["*/read", "Microsoft.RecoveryServices/vaults/backupPolicies/*"]);
    assert_eq!(world.call("PUT", &definition, body(actions)).await.status, StatusCode::CREATED);
    let body = json!({ "properties": { "principalId": id, "roleDefinitionId": definition } });
    let path = assignment(&vault(""));
    assert_eq!(world.call("PUT", &path, body).await.status, StatusCode::CREATED);
    let policy = vault("/backupPolicies/DefaultPolicy");
    let mut read = world.call_as(&token, "GET", &policy, Value::Null).await.body;
    read["properties"]["instantRpRetentionRangeInDays"] = json!(3);
    let answer = world.call_as(&token, "PUT", &policy, read).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let answer = world.call_as(&token, "PUT", &vault(""), vault_body()).await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    let used = world.call("DELETE", &definition, Value::Null).await;
    assert_eq!(used.code(), "RoleDefinitionHasAssignments");
    let all = sub("/providers/Microsoft.Authorization/roleDefinitions");
    assert_eq!(world.get(&all).await.body["value"].as_array().unwrap().len(), 7);
    let named = sub(
        "/providers/Microsoft.Authorization/roleDefinitions?$filter=roleName eq 'Backup Operator'",
    );
    assert_eq!(world.get(&named).await.body["value"][0]["name"], OPERATOR);
}

#[tokio::test]
async fn networks_and_disks_are_kept_as_they_came() {
    let world = world_with_vault().await;
    let network = sub("/resourceGroups/rg1/providers/Microsoft.Network/virtualNetworks/net1");
    let body = json!({ "location": "East US", "tags": { "a": "b" }, "properties": {
        "addressSpace": { "addressPrefixes": ["10.0.0.0/16"] },
        "subnets": [{ "name": "sub1", "properties": { "addressPrefix": "10.0.0.0/24" } }] } });
    let made = world.call("PUT", &network, body.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.body["properties"]["subnets"][0]["id"], format!("{network}/subnets/sub1"));
    assert_eq!(world.call("PUT", &network, body).await.status, StatusCode::OK);
    let part = world.get(&format!("{network}/subnets/sub1")).await.body;
    assert_eq!(part["properties"]["addressPrefix"], "10.0.0.0/24");
    let listed = sub("/resources?$filter=resourceType eq 'Microsoft.Network/virtualNetworks'");
    assert_eq!(world.get(&listed).await.body["value"][0]["id"], network);
    let disks = sub("/resourceGroups/Lab-VMs/providers/Microsoft.Compute/disks");
    let disks = world.get(&disks).await.body;
    assert_eq!(disks["value"].as_array().unwrap().len(), 6, "three of each machine");
    let id = disks["value"][0]["id"].as_str().unwrap();
    assert_eq!(world.get(id).await.body["properties"]["diskState"], "Attached");
    let disk = sub("/resourceGroups/rg1/providers/Microsoft.Compute/disks/d1");
    let made = world.call("PUT", &disk, json!({ "location": "eastus" })).await;
    assert_eq!(made.status, StatusCode::OK, "the clients accept no 201 for disks");
    assert_eq!(world.call("DELETE", &disk, Value::Null).await.status, StatusCode::NO_CONTENT);
    assert_eq!(world.get(&disk).await.code(), "ResourceNotFound");
    let site = sub("/resourceGroups/rg1/providers/Microsoft.Web/sites/s");
    assert_eq!(world.get(&site).await.code(), "InvalidResourceType");
}

#[tokio::test]
async fn etags_guard_changes_of_a_vault() {
    let world = world_with_vault().await;
    let send = async |method: &str, header: &str, value: &str| {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}?api-version=2026-07-01", vault("")))
            .header("authorization", format!("Bearer {}", world.token))
            .header(header, value)
            .body(Body::from(vault_body().to_string()))
            .unwrap();
        world.send(request).await
    };
    let etag = world.get(&vault("")).await.body["etag"].as_str().unwrap().to_owned();
    assert_eq!(send("PUT", "if-none-match", "*").await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(send("PUT", "if-match", "W/\"other\"").await.code(), "PreconditionFailed");
    assert_eq!(send("PUT", "if-match", &etag).await.status, StatusCode::OK);
    assert_eq!(send("DELETE", "if-match", "W/\"other\"").await.code(), "PreconditionFailed");
    assert_eq!(send("DELETE", "if-match", "*").await.status, StatusCode::NO_CONTENT);
    assert_eq!(send("PUT", "if-match", "*").await.status, StatusCode::PRECONDITION_FAILED);
    assert_eq!(send("PUT", "if-none-match", "*").await.status, StatusCode::CREATED);
}
