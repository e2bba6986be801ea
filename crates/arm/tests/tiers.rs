//! Where a point is kept, as clients see it: the snapshot beside the disks comes with the point and goes before it.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::time::Duration;

use axum::http::StatusCode;
use coffre_control::ErrorCode;
use coffre_control::job::{Event, Next, StepFacts};
use coffre_control::model::PreparedFacts;
use coffre_control::port::tx;
use coffre_control::retention::Rules;
use coffre_control::usecase::{
    LocalCopy, begin_step, due_local_copies, forget_local_copy, lease_job, local_copies, report_job,
};
use serde_json::{Value, json};
use uuid::Uuid;

mod world;

use world::journey::{back_up, protect, world_with_vault};
use world::{World, item, vault, vm_id};

/// A machine that was backed up a minute ago.
async fn with_a_point() -> World {
    let world = world_with_vault().await;
    protect(&world, "web-1").await;
    one_more(&world).await;
    world
}

async fn one_more(world: &World) {
    back_up(world, "web-1").await;
    world.advance(Duration::from_secs(60));
}

async fn points(world: &World) -> Vec<Value> {
    let path = item("web-1", "/recoveryPoints");
    // Days pass: a token of the beginning has ended.
    let token = world.token_of(world::OWNER, 0);
    let answer = world.call_as(&token, "GET", &path, Value::Null).await;
    answer.body["value"].as_array().unwrap().clone()
}

fn tiers(point: &Value) -> &Value {
    &point["properties"]["recoveryPointTierDetails"]
}

fn due(world: &World) -> Vec<LocalCopy> {
    let now = (world.state.clock)();
    tx(&*world.db, "due", |tx| due_local_copies(tx, now)).unwrap()
}

fn forget(world: &World, copy: &LocalCopy) {
    let now = (world.state.clock)();
    tx(&*world.db, "forget", |tx| forget_local_copy(tx, copy, now, "its time was over")).unwrap();
}

/// Every copy is kept until the moment that a simulation of its policy says.
fn as_foretold(world: &World) {
    tx(&*world.db, "foretold", |tx| {
        for copy in local_copies(tx)? {
            let item = tx.item(copy.item)?.unwrap();
            let policy = tx.policy(item.vault, item.policy.as_deref().unwrap())?.unwrap();
            let point = tx.point(copy.point)?.unwrap();
            let foretold = Rules::of(&policy).unwrap().snapshot_until(&point.entry());
            assert_eq!(copy.until, foretold);
        }
        Ok(())
    })
    .unwrap();
}

/// B-031: the snapshot and the vault, then the vault alone.
#[tokio::test]
async fn a_point_is_in_the_snapshot_tier_for_the_days_of_the_policy() {
    let world = with_a_point().await;
    let [point] = points(&world).await.try_into().unwrap();
    let both = json!([
        { "type": "InstantRP", "status": "Valid" },
        { "type": "HardenedRP", "status": "Valid" },
    ]);
    assert_eq!(*tiers(&point), both);
    let until = point["properties"]["recoveryPointProperties"]["snapshotExpiryTime"].as_str();
    assert!(until.is_some(), "{point}");
    assert_eq!(due(&world), []);
    as_foretold(&world);
    world.advance(Duration::from_secs(2 * 86_400 - 120));
    assert_eq!(due(&world), [], "the default policy keeps it for two days");
    world.advance(Duration::from_secs(120));
    let [copy] = due(&world).try_into().unwrap();
    assert_eq!(*tiers(&points(&world).await[0]), both, "it is there until it is deleted");
    forget(&world, &copy);
    forget(&world, &copy);
    let one = json!([
        { "type": "InstantRP", "status": "Deleted" },
        { "type": "HardenedRP", "status": "Valid" },
    ]);
    assert_eq!(*tiers(&points(&world).await[0]), one);
    assert_eq!(due(&world), []);
}

/// What nobody can restore any more is due at once, and is on record until it is deleted in the images.
#[tokio::test]
async fn a_snapshot_goes_when_its_point_or_its_item_is_deleted() {
    let world = with_a_point().await;
    one_more(&world).await;
    let old = points(&world).await.pop().unwrap();
    let path = item("web-1", &format!("/recoveryPoints/{}", old["name"].as_str().unwrap()));
    let answer = world.call("DELETE", &path, Value::Null).await;
    assert!(answer.status.is_success(), "{answer:?}");
    let [copy] = due(&world).try_into().unwrap();
    forget(&world, &copy);
    let answer = world.call("DELETE", &item("web-1", ""), Value::Null).await;
    assert!(answer.status.is_success(), "{answer:?}");
    world.work();
    assert_eq!(due(&world).len(), 1, "the item is deleted");
    let known = tx(&*world.db, "copies", |tx| local_copies(tx)).unwrap();
    assert_eq!(known, due(&world));
}

/// B.7: a restore that finds no snapshot says so, and takes the vault.
#[tokio::test]
async fn a_restore_without_its_snapshot_names_its_tier_and_why() {
    let world = with_a_point().await;
    let [point] = points(&world).await.try_into().unwrap();
    let name = point["name"].as_str().unwrap();
    let body = json!({ "properties": {
        "objectType": "IaasVMRestoreRequest", "recoveryPointId": name,
        "recoveryType": "OriginalLocation", "sourceResourceId": vm_id("web-1"),
        "region": "eastus", "createNewCloudService": false,
    } });
    let path = item("web-1", &format!("/recoveryPoints/{name}/restore"));
    let answer = world.call("POST", &path, body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    let now = (world.state.clock)();
    let lease = |tx: &mut dyn coffre_control::port::Tx| {
        lease_job(tx, Uuid::new_v4(), now, Duration::from_secs(60))
    };
    let (token, _) = tx(&*world.db, "lease", lease).unwrap().unwrap();
    let (_, next) = tx(&*world.db, "begin", |tx| begin_step(tx, token, now)).unwrap();
    let Next::Do(step) = next else { panic!("{next:?}") };
    let doubt = "The restore takes the recovery point from the vault: it is gone.".to_owned();
    let prepared = PreparedFacts { from_copy: false, doubt: Some(doubt.clone()) };
    let event = Event::StepDone { step, facts: StepFacts::Prepared(prepared) };
    tx(&*world.db, "report", |tx| report_job(tx, token, event, now)).unwrap();
    let jobs = world.get(&vault("/backupJobs?$filter=operation eq 'Restore'")).await;
    let name = jobs.body["value"][0]["name"].as_str().unwrap();
    let job = world.get(&vault(&format!("/backupJobs/{name}"))).await.body;
    assert_eq!(job["properties"]["errorDetails"], Value::Null, "{job}");
    let bag = &job["properties"]["extendedInfo"]["propertyBag"];
    let reason = format!("{doubt} ({})", ErrorCode::UserErrorInstantRpNotFound);
    assert_eq!(bag["Recovery point tier reason"], reason, "{job}");
    assert_eq!(bag["Recovery point tier"], "Vault-Standard", "{job}");
}
