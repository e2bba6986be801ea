//! A vault under a resource guard, through the API as `az` calls it: what takes protection away
//! needs a second person, once, for exactly that.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::time::Duration;

use axum::http::StatusCode;
use coffre_control::Role;
use coffre_control::model::{Principal, PrincipalKind};
use coffre_control::port::tx;
use serde_json::{Value, json};

mod world;

use world::journey::{backed_up, world_with_vault};
use world::{Answer, SUBSCRIPTION, World, item, sub, vault};

const BOB: &str = "bbbbbbbb-0000-4000-8000-000000000011";
const EVE: &str = "bbbbbbbb-0000-4000-8000-000000000012";

/// The guard of the vault, as the commands name it.
fn guard() -> String {
    sub("/resourceGroups/rg1/providers/Microsoft.DataProtection/resourceGuards/watch")
}

fn proxy(rest: &str) -> String {
    vault(&format!("/backupResourceGuardProxies/VaultProxy{rest}"))
}

/// A vault with one backed-up item under a guard that bob holds. The owner runs the vault.
async fn guarded() -> (World, String) {
    let world = world_with_vault().await;
    backed_up(&world, "web-1").await;
    world.advance(Duration::from_secs(60));
    for (id, name, role) in [(BOB, "bob", Role::BackupMuaAdmin), (EVE, "eve", Role::BackupMuaAdmin)]
    {
        let mut row: Principal = world::principal(id, name, PrincipalKind::ServicePrincipal, role);
        tx(&*world.db, "test", |tx| Ok(tx.put_principal(&mut row)?)).unwrap();
    }
    let bob = world.token_of(BOB, 0);
    let made = world.call_as(&bob, "PUT", &guard(), json!({ "location": "eastus" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let body = json!({ "properties": { "resourceGuardResourceId": guard() } });
    let bound = world.call("PUT", &proxy(""), body).await;
    assert_eq!(bound.status, StatusCode::OK, "{bound:?}");
    (world, bob)
}

fn needs_approval(answer: &Answer) {
    assert_eq!(answer.code(), "UserErrorResourceGuardApprovalNeeded", "{answer:?}");
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert!(answer.message().contains("'bob' has to approve"), "{}", answer.message());
    assert!(answer.message().contains("is filed"), "{}", answer.message());
}

/// The requests that wait.
async fn waiting(world: &World) -> Vec<Value> {
    let me = world.token_of(world::OWNER, 0);
    let path = vault("/backupApprovals");
    let answer = world.call_as(&me, "GET", &path, Value::Null).await;
    let all = answer.body["value"].as_array().unwrap().clone();
    all.into_iter().filter(|it| it["properties"]["state"] == "Asked").collect()
}

async fn decide(world: &World, who: &str, request: &Value, what: &str) -> Answer {
    let token = &world.token_of(who, 0);
    let path = format!("{}/{what}", request["id"].as_str().unwrap());
    world.call_as(token, "POST", &path, json!({})).await
}

async fn grant_all(world: &World) {
    for request in waiting(world).await {
        let answer = decide(world, BOB, &request, "grant").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    }
}

/// B-073 as the commands do it: they look for the request that the guard wants, ask to unlock, and
/// delete.
#[tokio::test]
async fn stop_with_delete_takes_two_people() {
    let (world, _) = guarded().await;
    let shown = world.get(&proxy("")).await;
    let details = shown.body["properties"]["resourceGuardOperationDetails"].as_array().unwrap();
    let wanted = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/delete";
    let request = details.iter().find(|it| it["vaultCriticalOperation"] == wanted).unwrap();
    let body = json!({
        "resourceGuardOperationRequests": [request["defaultResourceRequest"]],
        "resourceToBeDeleted": item("web-1", ""),
    });
    let asked = world.call("POST", &proxy("/unlockDelete"), body.clone()).await;
    needs_approval(&asked);
    needs_approval(&world.call("DELETE", &item("web-1", ""), Value::Null).await);
    let requests = waiting(&world).await;
    assert_eq!(requests.len(), 1, "the same is asked for once: {requests:?}");
    assert_eq!(requests[0]["properties"]["request"], "delete all backup data of 'Web-1'");

    // Neither whoever asked, nor somebody who does not hold the guard.
    for who in [world::OWNER, EVE] {
        let answer = decide(&world, who, &requests[0], "grant").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{answer:?}");
    }
    grant_all(&world).await;
    let unlocked = world.call("POST", &proxy("/unlockDelete"), body).await;
    assert_eq!(unlocked.status, StatusCode::OK, "{unlocked:?}");
    assert!(unlocked.body["unlockDeleteExpiryTime"].is_string());
    let gone = world.call("DELETE", &item("web-1", ""), Value::Null).await;
    assert_eq!(gone.status, StatusCode::ACCEPTED, "{gone:?}");
    world.work();
    let all = world.get(&vault("/backupApprovals")).await;
    assert_eq!(all.body["value"][0]["properties"]["state"], "Used");
    assert_eq!(all.body["value"][0]["properties"]["decidedBy"], "bob");
    let audit = world.call("POST", "/providers/Microsoft.Coffre/audit/list", json!({})).await;
    let text = audit.body.to_string();
    for words in ["asked for: delete all", "granted to", "used what bob granted"] {
        assert!(text.contains(words), "'{words}' is not in {text}");
    }
}

/// What is granted holds for exactly what was asked for, once, and for eight hours.
#[tokio::test]
async fn an_approval_is_exact_single_and_short() {
    let (world, _) = guarded().await;
    let put = |days: u32| {
        let world = &world;
        async move {
            let me = world.token_of(world::OWNER, 0);
            let path = vault("/backupPolicies/DefaultPolicy");
            let mut policy = world.call_as(&me, "GET", &path, Value::Null).await.body;
            let count = &mut policy["properties"]["retentionPolicy"]["dailySchedule"];
            count["retentionDuration"]["count"] = json!(days);
            let body = json!({ "properties": policy["properties"] });
            world.call_as(&me, "PUT", &path, body).await
        }
    };
    assert_eq!(put(40).await.status, StatusCode::OK, "more is always allowed");
    needs_approval(&put(20).await);
    grant_all(&world).await;
    needs_approval(&put(10).await);
    assert_eq!(put(20).await.status, StatusCode::OK);
    assert_eq!(put(40).await.status, StatusCode::OK);
    needs_approval(&put(20).await);
    grant_all(&world).await;
    world.advance(Duration::from_secs(9 * 3600));
    needs_approval(&put(20).await);
    world.advance(Duration::from_secs(8 * 86400));
    assert_eq!(waiting(&world).await.len(), 0, "nobody decided in time");
    needs_approval(&put(20).await);
    let request = waiting(&world).await.remove(0);
    let answer = decide(&world, BOB, &request, "refuse").await;
    assert_eq!(answer.body["properties"]["state"], "Refused");
    needs_approval(&put(20).await);
}

/// Deletion in every vault goes by the clock: each guard wants a second person, for this day.
#[tokio::test]
async fn the_word_that_the_clock_is_right_takes_two_people() {
    let (world, _) = guarded().await;
    let path = sub("/providers/Microsoft.RecoveryServices/confirmClock");
    let confirm = || async {
        let me = world.token_of(world::OWNER, 0);
        world.call_as(&me, "POST", &path, json!({})).await
    };
    let refused = confirm().await;
    needs_approval(&refused);
    assert!(refused.message().contains("today is 2026-11-21"), "{}", refused.message());
    needs_approval(&confirm().await);
    assert_eq!(waiting(&world).await.len(), 1, "the same is asked for once");
    grant_all(&world).await;
    let done = confirm().await;
    assert_eq!(done.status, StatusCode::OK, "{done:?}");
    assert!(done.body["confirmed"].is_string(), "{done:?}");
    needs_approval(&confirm().await);
    grant_all(&world).await;
    world.advance(Duration::from_secs(86400));
    needs_approval(&confirm().await);
    // A guard that leaves it out leaves it to one person; without a guard nobody is asked.
    let excluded = json!({ "location": "eastus", "properties": {
        "vaultCriticalOperationExclusionList": ["Microsoft.RecoveryServices/confirmClock/action"],
    }});
    let bob = world.token_of(BOB, 0);
    let changed = world.call_as(&bob, "PUT", &guard(), excluded).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    assert_eq!(confirm().await.status, StatusCode::OK);
}

/// Soft delete, immutability, and the guard itself; and nobody takes the place of a holder.
#[tokio::test]
async fn the_way_around_is_closed_too() {
    let (world, bob) = guarded().await;
    let config = |state: &str, days: u32| {
        json!({ "properties": {
            "softDeleteFeatureState": state, "softDeleteRetentionPeriodInDays": days,
        }})
    };
    let path = vault("/backupconfig/vaultconfig");
    assert_eq!(world.call("PATCH", &path, config("Enabled", 30)).await.status, StatusCode::OK);
    needs_approval(&world.call("PATCH", &path, config("Enabled", 14)).await);
    needs_approval(&world.call("PATCH", &path, config("Disabled", 30)).await);
    let immutable = |state: &str| {
        let settings = json!({ "immutabilitySettings": { "state": state } });
        json!({ "properties": { "securitySettings": settings } })
    };
    world.call("PATCH", &vault(""), immutable("Unlocked")).await;
    needs_approval(&world.call("PATCH", &vault(""), immutable("Disabled")).await);
    let point = world.get(&item("web-1", "/recoveryPoints")).await.body["value"][0].clone();
    assert!(point["id"].is_string());
    // The guard: not deleted while it is used, not changed by others, not taken away by one person.
    let answer = world.call_as(&bob, "DELETE", &guard(), Value::Null).await;
    assert_eq!(answer.code(), "ResourceGuardInUse", "{answer:?}");
    for method in ["PUT", "DELETE"] {
        let answer = world.call(method, &guard(), json!({ "location": "eastus" })).await;
        assert_eq!(answer.code(), "UserErrorResourceGuardHeld", "{answer:?}");
    }
    let answer = world.call("DELETE", &sub("/resourceGroups/rg1"), Value::Null).await;
    assert!(answer.message().contains("resource guard 'watch'"), "{answer:?}");
    needs_approval(&world.call("DELETE", &proxy(""), Value::Null).await);
    assert_eq!(waiting(&world).await.len(), 4);
    grant_all(&world).await;
    let answer = world.call("DELETE", &proxy(""), Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    assert_eq!(world.get(&proxy("")).await.status, StatusCode::NOT_FOUND);
    let answer = world.call("PATCH", &path, config("Disabled", 30)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let answer = world.call_as(&bob, "DELETE", &guard(), Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
}

/// What a guard leaves out needs nobody; what it must not leave out is refused.
#[tokio::test]
async fn a_guard_leaves_out_what_its_holder_says() {
    let (world, bob) = guarded().await;
    let all = "Microsoft.RecoveryServices/vaults/backupFabrics/protectionContainers/protectedItems/delete";
    let body = |operation: &str| {
        json!({
            "location": "eastus",
            "properties": { "vaultCriticalOperationExclusionList": [operation] },
        })
    };
    let answer = world.call_as(&bob, "PUT", &guard(), body("Anything")).await;
    assert_eq!(answer.code(), "InvalidRequestContent");
    let never = "Microsoft.RecoveryServices/vaults/backupResourceGuardProxies/delete";
    let answer = world.call_as(&bob, "PUT", &guard(), body(never)).await;
    assert_eq!(answer.code(), "InvalidParameter", "{answer:?}");
    let answer = world.call_as(&bob, "PUT", &guard(), body(all)).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let answer = world.call("DELETE", &item("web-1", ""), Value::Null).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let list = world.get(&sub("/providers/Microsoft.DataProtection/resourceGuards")).await;
    assert_eq!(list.body["value"][0]["name"], "watch", "{SUBSCRIPTION}");
}
