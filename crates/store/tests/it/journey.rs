//! The journeys of the articles, and every way in which they are refused.

use coffre_control::id::VmId;
use coffre_control::model::*;
use coffre_control::usecase::*;
use coffre_control::{Class, ErrorCode};
use jiff::SignedDuration;
use uuid::Uuid;

use crate::scene::Scene;

#[test]
fn protect_back_up_restore() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    assert_eq!(vault.store_url, format!("file:///srv/vaults/local/{}", vault.id));
    let item = scene.protect(vault.id, 1).unwrap();

    // Enabling makes no recovery point, and says that the first is pending.
    assert_eq!(scene.points(item.id), vec![]);
    assert_eq!(item.state, ItemState::IrPending);
    assert_eq!(item.last_backup_status(), "Warning (Initial backup pending)");

    let job = scene.backup(item.id).unwrap();
    assert_eq!(job.status(), JobStatus::InProgress);
    assert_eq!(scene.item(item.id).last_backup_status(), "Warning (Initial backup pending)");
    assert_eq!(scene.work(), 1);

    let job = scene.job(job.id);
    assert_eq!(job.status(), JobStatus::Completed);
    let points = scene.points(item.id);
    assert_eq!(points.len(), 1);
    let point = &points[0];
    assert_eq!(point.size_bytes, 5 << 30);
    assert_eq!(point.stats.freeze_ms, Some(12));
    assert_eq!(point.read_reason.as_deref(), Some("first backup"));
    assert_eq!(point.disks[1].lun, Some(0));
    assert_eq!(point.rule, "OnDemand");
    assert_eq!(point.expires, Some(job.created + SignedDuration::from_hours(24 * 30)));
    let item = scene.item(item.id);
    assert_eq!(item.state, ItemState::Protected);
    assert_eq!(item.last_backup_status(), "Completed");
    assert_eq!(item.last_point, Some(LastPoint { id: point.id, time: point.time }));

    let target = RestoreWish::Disks { account: "RESTORES".into(), luns: None };
    let input = Restore { item: item.id, point: point.id, target };
    let accepted = scene.act(|tx, cx| restore(tx, cx, input, "/scope")).unwrap();
    let JobKind::Restore { target: RestoreTarget::Disks { folder, account, .. }, .. } =
        &accepted.job.kind
    else {
        panic!("{:?}", accepted.job.kind)
    };
    assert_eq!(account, "restores");
    assert!(folder.starts_with("/srv/restores/web-"), "{folder}");
    assert_eq!(scene.work(), 1);
    assert_eq!(scene.job(accepted.job.id).status(), JobStatus::Completed);
    assert_eq!(scene.points(item.id).len(), 1);
}

#[test]
fn the_first_success_ends_the_warning_and_a_failure_does_not() {
    use coffre_control::job::{Event, Failure, Retry};
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.backup(item.id).unwrap();
    let token = scene.lease(scene.id()).unwrap();
    scene.act(|tx, cx| begin_step(tx, token, cx.now)).unwrap();
    let failure = Failure {
        code: ErrorCode::VaultStoreFull,
        message: "The store took no more data.".into(),
        retry: Retry::Never,
    };
    let event = Event::StepFailed { step: Step::TakeSnapshot, failure };
    scene.act(|tx, cx| report_job(tx, token, event, cx.now)).unwrap();
    while scene.one_step(token) {}

    let item = scene.item(item.id);
    assert_eq!(item.state, ItemState::IrPending);
    assert_eq!(item.last_backup_status(), "Warning (Initial backup pending)");
    let last = item.last_backup.clone().unwrap();
    assert_eq!(last.outcome, BackupOutcome::Failed);
    assert_eq!(last.error.unwrap().code, ErrorCode::VaultStoreFull);
    assert_eq!(item.health.azure(), "ActionRequired");
    assert_eq!(item.health.details()[0].code, "VaultStoreFull");

    scene.backup(item.id).unwrap();
    scene.work();
    let item = scene.item(item.id);
    assert_eq!((item.state, item.health.azure()), (ItemState::Protected, "Passed"));
}

#[test]
fn a_vm_is_protected_by_one_vault_in_its_region() {
    let scene = Scene::new();
    let shop = scene.vault("shop", "local");
    let bakery = scene.vault("bakery", "local");
    let refusal = scene.protect(shop.id, 3).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::BMSUserErrorVmNotInVaultRegion);
    assert!(refusal.message.contains("'remote'") && refusal.message.contains("'local'"));

    scene.protect(shop.id, 1).unwrap();
    let refusal = scene.protect(bakery.id, 1).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::BMSUserErrorContainerIsAlreadyRegisteredWithAnotherVault);
    assert_eq!(refusal.code.class(), Class::Conflict);
    assert!(refusal.message.contains("vault 'shop'"), "{refusal}");

    let choices = scene.act(|tx, cx| list_vm_choices(tx, cx, bakery.id)).unwrap();
    let of = |name: &str| choices.iter().find(|it| it.vm.name == name).unwrap().obstacle.clone();
    assert_eq!(of("db"), None);
    assert!(of("web").unwrap().contains("'shop'"));
    assert!(of("far").unwrap().contains("'remote'"));
    let free = scene.act(|tx, cx| list_protectable_vms(tx, cx, bakery.id)).unwrap();
    assert_eq!(free.len(), 1);

    let unknown = scene.protect(shop.id, 99).unwrap_err();
    assert_eq!(unknown.code, ErrorCode::UserErrorVmNotFoundV2);
}

#[test]
fn enabling_again_changes_the_policy() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.backup(item.id).unwrap();
    scene.work();
    let input = |policy: &str| EnableProtection {
        vault: vault.id,
        vm: VmId(Uuid::from_u128(1)),
        policy: policy.into(),
        disk_selection: None,
    };
    let (changed, accepted) =
        scene.act(|tx, cx| enable_protection(tx, cx, input("enhancedpolicy"), "s")).unwrap();
    assert_eq!(changed.id, item.id);
    assert_eq!(changed.policy.as_deref(), Some("EnhancedPolicy"));
    assert_eq!(changed.state, ItemState::Protected);
    assert_eq!(accepted.job.status(), JobStatus::Completed);
    let view = scene.act(|tx, cx| get_operation(tx, cx, accepted.operation.id)).unwrap();
    assert_eq!(view.state, OperationState::Succeeded);
    assert_eq!(view.job.unwrap().id, accepted.job.id);
    let refusal = scene.act(|tx, cx| enable_protection(tx, cx, input("Gold"), "")).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::BMSUserErrorPolicyNotFound);
    assert!(refusal.message.contains("DefaultPolicy, EnhancedPolicy"), "{refusal}");
    let refusal =
        scene.act(|tx, cx| delete_policy(tx, cx, vault.id, "EnhancedPolicy")).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::BMSUserErrorPolicyInUse);
    scene.act(|tx, cx| delete_policy(tx, cx, vault.id, "DefaultPolicy")).unwrap();
}

#[test]
fn a_backup_is_kept_until_a_date_that_makes_sense() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    let now = scene.now.get();
    let days = |count: i64| now + SignedDuration::from_hours(24 * count);
    for bad in [now, days(-1), days(99 * 366 + 1)] {
        let refusal = scene.act(|tx, cx| backup_now(tx, cx, item.id, Some(bad), "")).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::BMSUserErrorInvalidRecoveryPointExpiryTime);
        assert_eq!(refusal.target.as_deref(), Some("recoveryPointExpiryTimeInUTC"));
    }
    let accepted =
        scene.act(|tx, cx| backup_now(tx, cx, item.id, Some(days(99 * 366)), "")).unwrap();
    assert!(matches!(
        accepted.job.kind,
        JobKind::Backup { retain_until: Some(until), scheduled: false, .. } if until == days(99 * 366)
    ));
}

#[test]
fn one_job_at_a_time_works_on_an_item() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    let job = scene.backup(item.id).unwrap();
    for refusal in [
        scene.backup(item.id).unwrap_err(),
        scene.act(|tx, cx| stop_protection(tx, cx, item.id, "")).map(|_| ()).unwrap_err(),
        scene.act(|tx, cx| delete_backup_data(tx, cx, item.id, "")).map(|_| ()).unwrap_err(),
        scene.act(|tx, cx| power_vm(tx, cx, item.vm, Power::Start, "")).map(|_| ()).unwrap_err(),
    ] {
        assert_eq!(refusal.code, ErrorCode::UserErrorBackupOperationInProgress);
        assert!(refusal.message.contains(&job.id.to_string()), "{refusal}");
    }
    scene.work();
    scene.backup(item.id).unwrap();
}

#[test]
fn stop_resume_delete_undelete() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.backup(item.id).unwrap();
    scene.work();

    scene.act(|tx, cx| stop_protection(tx, cx, item.id, "")).unwrap();
    let stopped = scene.item(item.id);
    assert_eq!((stopped.state, stopped.policy.clone()), (ItemState::Stopped, None));
    assert_eq!(scene.backup(item.id).unwrap_err().code, ErrorCode::BMSUserErrorProtectionStopped);
    assert_eq!(scene.points(item.id).len(), 1);
    assert_eq!(scene.protect(vault.id, 1).unwrap().state, ItemState::Protected);

    let accepted = scene.act(|tx, cx| delete_backup_data(tx, cx, item.id, "")).unwrap();
    assert_eq!(accepted.job.status(), JobStatus::Completed);
    let deleted = scene.item(item.id);
    let ItemState::SoftDeleted { until, .. } = deleted.state else { panic!("{deleted:?}") };
    assert_eq!(until, scene.now.get() + SignedDuration::from_hours(24 * 14));
    assert_eq!(deleted.state.azure(), "ProtectionStopped");
    for code in
        [scene.backup(item.id).unwrap_err().code, scene.protect(vault.id, 1).unwrap_err().code]
    {
        assert_eq!(code, ErrorCode::BMSUserErrorItemInSoftDeletedState);
    }
    let refusal = scene.act(|tx, cx| delete_vault(tx, cx, vault.id)).unwrap_err();
    assert!(refusal.message.contains("existing resources within the vault"), "{refusal}");

    scene.act(|tx, cx| undelete_item(tx, cx, item.id, "")).unwrap();
    assert_eq!(scene.item(item.id).state, ItemState::Stopped);
    assert_eq!(scene.points(item.id).len(), 1);
    let refusal = scene.act(|tx, cx| undelete_item(tx, cx, item.id, "")).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::BMSUserErrorItemNotInSoftDeletedState);
}

#[test]
fn deleted_data_goes_when_its_time_is_over() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.backup(item.id).unwrap();
    scene.work();
    scene.act(|tx, cx| delete_backup_data(tx, cx, item.id, "")).unwrap();
    scene.pass(13 * 86_400);
    assert_eq!(purge(&scene).unwrap(), 0);
    scene.pass(86_400);
    assert_eq!(purge(&scene).unwrap(), 1);
    assert_eq!(purge(&scene).unwrap(), 0, "one job is enough");
    assert_eq!(scene.work(), 1);
    assert!(scene.act(|tx, cx| get_item_by_id(tx, cx, item.id)).is_err());
    scene.act(|tx, cx| delete_vault(tx, cx, vault.id)).unwrap();
}

#[test]
fn without_soft_delete_the_points_go_first_and_then_the_item() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let off = VaultPatch {
        soft_delete: Some(SoftDelete { state: SoftDeleteState::Disabled, days: 14 }),
        ..VaultPatch::default()
    };
    scene.act(|tx, cx| update_vault(tx, cx, vault.id, off)).unwrap();
    let item = scene.protect(vault.id, 1).unwrap();
    scene.backup(item.id).unwrap();
    scene.work();
    let accepted = scene.act(|tx, cx| delete_backup_data(tx, cx, item.id, "")).unwrap();
    assert_eq!(accepted.job.status(), JobStatus::InProgress);
    assert_eq!(scene.points(item.id).len(), 1, "not before the store has forgotten them");
    scene.work();
    assert!(scene.act(|tx, cx| get_item_by_id(tx, cx, item.id)).is_err());
    // An item without points is gone at once.
    let item = scene.protect(vault.id, 1).unwrap();
    scene.act(|tx, cx| delete_backup_data(tx, cx, item.id, "")).unwrap();
    scene.act(|tx, cx| delete_vault(tx, cx, vault.id)).unwrap();
}

#[test]
fn restores_are_refused_where_they_cannot_work() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let web = scene.protect(vault.id, 1).unwrap();
    let db = scene.protect(vault.id, 2).unwrap();
    scene.backup(web.id).unwrap();
    scene.backup(db.id).unwrap();
    assert_eq!(scene.work(), 2);
    let remote = StorageAccount {
        subscription: scene.subscription,
        group: "rg".into(),
        name: "faraway".into(),
        region: "remote".into(),
        folder: "/far".into(),
        etag: 0,
    };
    scene.act(|tx, cx| put_storage_account(tx, cx, remote)).unwrap();
    let point = scene.points(web.id)[0].id;
    let try_it = |item, point, target| {
        scene.act(|tx, cx| restore(tx, cx, Restore { item, point, target }, "")).map(|it| it.job)
    };
    let disks = |account: &str, luns| RestoreWish::Disks { account: account.into(), luns };
    let new_vm = |name: &str| RestoreWish::NewVm { name: name.into(), group: "rg".into() };
    let in_place = RestoreWish::InPlace { luns: None };
    for (item, target, code) in [
        (web.id, disks("nope", None), ErrorCode::UserErrorTargetStorageAccountNotFound),
        (web.id, disks("faraway", None), ErrorCode::UserErrorStorageAccountInAnotherRegion),
        (web.id, disks("restores", Some(vec![3])), ErrorCode::UserErrorInvalidDiskLuns),
        (web.id, new_vm("DB"), ErrorCode::UserErrorTargetVmAlreadyExists),
        (web.id, new_vm("a b"), ErrorCode::InvalidResourceName),
        (db.id, disks("restores", None), ErrorCode::UserErrorRecoveryPointNotFound),
    ] {
        assert_eq!(try_it(item, point, target.clone()).unwrap_err().code, code, "{target:?}");
    }
    // Coffre runs "web" and may stop it; "db" it does not run.
    let db_point = scene.points(db.id)[0].id;
    let refusal = try_it(db.id, db_point, in_place.clone()).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::UserErrorVmNotInDesirableState);
    let job = try_it(web.id, point, in_place).unwrap();
    assert_eq!(job.vm, Some(web.vm));
    scene.work();
    try_it(web.id, point, new_vm("web2")).unwrap();
    let gone = coffre_control::id::PointId(Uuid::from_u128(5));
    let refusal = try_it(web.id, gone, disks("restores", None)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::UserErrorRecoveryPointNotFound);
}

fn purge(scene: &Scene) -> Result<usize, coffre_control::Refusal> {
    scene.act(|tx, cx| {
        let time = ExpiryTime { now: cx.now, grace: SignedDuration::ZERO };
        purge_deleted_items(tx, cx, time)
    })
}
