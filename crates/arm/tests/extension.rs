//! Our extension in a machine, as `az vm extension` and the log of a guest show it.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::sync::Arc;

use coffre_arm::GuestLog;
use coffre_control::id::VmId;
use coffre_control::model::ExtensionState;
use coffre_control::port::tx;
use serde_json::{Value, json};
use uuid::Uuid;

mod world;

use world::journey::world_with_vault;
use world::{World, vm_id};

const MACHINE: VmId = VmId(Uuid::from_u128(1));

/// A world in which discovery found the extension of `web-1` so.
async fn world_with(extension: ExtensionState) -> World {
    let world = world_with_vault().await;
    tx(&*world.db, "test", |tx| {
        let mut vm = tx.vm(MACHINE)?.unwrap();
        vm.extension = extension;
        Ok(tx.put_vm(&mut vm)?)
    })
    .unwrap();
    world
}

async fn listed(world: &World) -> Vec<Value> {
    let body = world.get(&format!("{}/extensions", vm_id("web-1"))).await.body;
    body["value"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_extension_that_is_there_is_listed_with_all_that_the_table_shows() {
    let version = "1.0.12.3".to_owned();
    let world = world_with(ExtensionState::Installed { version }).await;
    let list = listed(&world).await;
    let [one] = list.as_slice() else { panic!("{list:?}") };
    // The columns of `az vm extension list -o table`.
    let properties = &one["properties"];
    assert_eq!(one["name"], "VMSnapshotLinux");
    assert_eq!(one["type"], "Microsoft.Compute/virtualMachines/extensions");
    assert_eq!(properties["provisioningState"], "Succeeded");
    assert_eq!(properties["publisher"], "Microsoft.Azure.RecoveryServices");
    assert_eq!(properties["typeHandlerVersion"], "1.0");
    assert_eq!(properties["autoUpgradeMinorVersion"], true);
    let view = &properties["instanceView"];
    assert_eq!(view["typeHandlerVersion"], "1.0.12.3");
    assert_eq!(view["statuses"][0]["code"], "ProvisioningState/succeeded");
    assert_eq!(one["location"], "eastus");
    let shown = world.get(&format!("{}/extensions/vmsnapshotlinux", vm_id("web-1"))).await;
    assert_eq!(&shown.body, one);
}

#[tokio::test]
async fn an_extension_that_failed_says_why() {
    let reason = "the guest agent of this guest does not allow guest-exec".to_owned();
    let world = world_with(ExtensionState::Failed { version: None, reason }).await;
    let list = listed(&world).await;
    assert_eq!(list[0]["properties"]["provisioningState"], "Failed");
    let status = &list[0]["properties"]["instanceView"]["statuses"][0];
    assert_eq!(status["level"], "Error");
    assert!(status["message"].as_str().unwrap().contains("does not allow guest-exec"));
}

#[tokio::test]
async fn a_machine_without_it_has_an_empty_list() {
    let world = world_with(ExtensionState::Absent).await;
    assert_eq!(listed(&world).await, Vec::<Value>::new());
}

#[tokio::test]
async fn the_logs_of_a_guest_are_read_through_the_service() {
    let mut world = world_with_vault().await;
    world.state.guest_logs = Arc::new(|vm| {
        assert_eq!(vm, MACHINE);
        let text = "2026-11-22 frozen".to_owned();
        vec![GuestLog { path: "/var/log/azure/x/extension.log".to_owned(), text }]
    });
    let path = format!("{}/extensions/VMSnapshotLinux/logs", vm_id("web-1"));
    let body = world.get(&path).await.body;
    let one = json!({ "path": "/var/log/azure/x/extension.log", "text": "2026-11-22 frozen" });
    assert_eq!(body["value"], json!([one]));
}
