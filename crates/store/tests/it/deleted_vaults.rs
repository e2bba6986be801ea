//! Deleted vaults: kept, brought back, gone for good.

use coffre_control::ErrorCode;
use coffre_control::model::{DeletedVault, SoftDelete, SoftDeleteState};
use coffre_control::usecase::*;
use jiff::SignedDuration;

use crate::scene::Scene;

const DAY: i64 = 86_400;

fn deleted(scene: &Scene) -> Vec<DeletedVault> {
    let subscription = scene.subscription;
    scene.act(|tx, cx| list_deleted_vaults(tx, cx, subscription, "local")).unwrap()
}

fn undelete(scene: &Scene, group: &str) -> Result<(), coffre_control::Refusal> {
    let kept = deleted(scene).remove(0);
    scene.act(|tx, cx| undelete_vault(tx, cx, kept.clone(), group, "scope")).map(drop)
}

fn purge(scene: &Scene) -> usize {
    let grace = SignedDuration::from_hours(1);
    scene.act(|tx, cx| purge_deleted_vaults(tx, ExpiryTime { now: cx.now, grace })).unwrap()
}

#[test]
fn a_deleted_vault_comes_back_with_its_policies() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    scene.act(|tx, cx| delete_policy(tx, cx, vault.id, "EnhancedPolicy")).unwrap();
    scene.act(|tx, cx| delete_vault(tx, cx, vault.id)).unwrap();
    let kept = deleted(&scene);
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].name(), format!("rg_{}", vault.id));
    assert_eq!(kept[0].until, scene.now.get() + SignedDuration::from_secs(14 * DAY));
    let elsewhere = |tx: &mut dyn coffre_control::port::Tx, cx: &coffre_control::Cx<'_>| {
        list_deleted_vaults(tx, cx, scene.subscription, "remote")
    };
    assert_eq!(scene.act(elsewhere).unwrap(), vec![]);

    assert_eq!(undelete(&scene, "no").unwrap_err().code, ErrorCode::ResourceGroupNotFound);
    undelete(&scene, "RG").unwrap();
    assert_eq!(deleted(&scene), vec![]);
    let back = scene.act(|tx, cx| get_vault_by_id(tx, cx, vault.id)).unwrap();
    assert_eq!((back.name.as_str(), &back.store_url), ("shop", &vault.store_url));
    let policies = scene.act(|tx, cx| list_policies(tx, cx, vault.id)).unwrap();
    assert_eq!(policies.len(), 1, "the policies as they were, and no others");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.backup(item.id).unwrap();
    assert_eq!(scene.work(), 1);
}

#[test]
fn the_name_of_a_deleted_vault_is_free_and_then_it_cannot_come_back() {
    let scene = Scene::new();
    let first = scene.vault("shop", "local");
    scene.act(|tx, cx| delete_vault(tx, cx, first.id)).unwrap();
    let second = scene.vault("shop", "local");
    assert_ne!(first.id, second.id);
    assert_eq!(undelete(&scene, "rg").unwrap_err().code, ErrorCode::VaultNameAlreadyInUse);
    // Both are kept side by side.
    scene.act(|tx, cx| delete_vault(tx, cx, second.id)).unwrap();
    assert_eq!(deleted(&scene).len(), 2);
    undelete(&scene, "rg").unwrap();
    assert_eq!(undelete(&scene, "rg").unwrap_err().code, ErrorCode::VaultNameAlreadyInUse);
}

#[test]
fn a_deleted_vault_goes_when_its_time_is_over() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let days = SoftDelete { state: SoftDeleteState::Enabled, days: 20 };
    let patch = VaultPatch { soft_delete: Some(days), ..VaultPatch::default() };
    scene.act(|tx, cx| update_vault(tx, cx, vault.id, patch)).unwrap();
    scene.act(|tx, cx| delete_vault(tx, cx, vault.id)).unwrap();
    scene.pass(20 * DAY);
    assert_eq!((purge(&scene), deleted(&scene).len()), (0, 1), "within the grace");
    scene.pass(3600);
    assert_eq!((purge(&scene), deleted(&scene).len()), (1, 0));
    let name = format!("rg_{}", vault.id);
    let gone = scene
        .act(|tx, cx| get_deleted_vault(tx, cx, scene.subscription, "local", &name))
        .unwrap_err();
    assert_eq!(gone.code, ErrorCode::ResourceNotFound);
}

#[test]
fn without_soft_delete_nothing_is_kept() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let off = SoftDelete { state: SoftDeleteState::Disabled, days: 14 };
    let patch = VaultPatch { soft_delete: Some(off), ..VaultPatch::default() };
    scene.act(|tx, cx| update_vault(tx, cx, vault.id, patch)).unwrap();
    scene.act(|tx, cx| delete_vault(tx, cx, vault.id)).unwrap();
    assert_eq!(deleted(&scene), vec![]);
}
