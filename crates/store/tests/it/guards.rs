//! Around the journeys: names, guarded settings, discovery, who may, signing in.

use coffre_control::id::VmId;
use coffre_control::model::*;
use coffre_control::port::JobFilter;
use coffre_control::usecase::*;
use coffre_control::{Caller, ErrorCode, Role};
use jiff::Timestamp;
use uuid::Uuid;

use crate::scene::{Scene, vm};

#[test]
fn vault_names_keep_the_rules_and_are_unique_in_the_subscription() {
    let scene = Scene::new();
    scene.vault("Shop", "local");
    let refusal =
        scene.act(|tx, cx| put_vault(tx, cx, scene.put_vault("9lives", "local"))).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::InvalidResourceName);

    let group = PutGroup {
        subscription: scene.subscription,
        name: "other".into(),
        region: "local".into(),
        tags: Default::default(),
    };
    scene.act(|tx, cx| put_group(tx, cx, group)).unwrap();
    let mut wish = scene.put_vault("sHOP", "local");
    wish.group = "other".into();
    let refusal = scene.act(|tx, cx| put_vault(tx, cx, wish)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::VaultNameAlreadyInUse);
    assert!(refusal.message.contains("vault 'Shop' in resource group 'rg'"), "{refusal}");
    let check =
        |name: &str| scene.act(|tx, cx| check_vault_name_free(tx, cx, scene.subscription, name));
    assert!(check("SHOP").is_err());
    check("bakery").unwrap();

    // The same name in the same group is the same vault.
    let (vault, written) =
        scene.act(|tx, cx| put_vault(tx, cx, scene.put_vault("SHOP", "local"))).unwrap();
    assert_eq!((vault.name.as_str(), written), ("Shop", Written::Updated));
    let refusal =
        scene.act(|tx, cx| put_vault(tx, cx, scene.put_vault("Shop", "remote"))).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::InvalidResourceLocation);
    let refusal =
        scene.act(|tx, cx| put_vault(tx, cx, scene.put_vault("New", "mars"))).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::LocationNotAvailableForResourceType);
    assert!(refusal.message.contains("local, remote"), "{refusal}");
    let mut nowhere = scene.put_vault("New", "local");
    nowhere.group = "nope".into();
    let refusal = scene.act(|tx, cx| put_vault(tx, cx, nowhere)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::ResourceGroupNotFound);
}

#[test]
fn a_new_vault_has_two_policies() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let policies = scene.act(|tx, cx| list_policies(tx, cx, vault.id)).unwrap();
    let names: Vec<&str> = policies.iter().map(|it| it.policy.name.as_str()).collect();
    assert_eq!(names, ["DefaultPolicy", "EnhancedPolicy"]);
    let default = &policies[0].policy;
    assert_eq!(default.retention.daily, Some(DailyRetention { days: 30 }));
    assert_eq!((default.instant_days, default.kind), (2, PolicyKind::Standard));
    assert!(matches!(
        policies[1].policy.schedule,
        Schedule::Hourly { interval_hours: 4, window_hours: 12, .. }
    ));
}

#[test]
fn disks_are_chosen_by_numbers_that_exist() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let input = |luns: Vec<u32>| EnableProtection {
        vault: vault.id,
        vm: VmId(Uuid::from_u128(1)),
        policy: "DefaultPolicy".into(),
        disk_selection: Some(Some(DiskSelection { luns, include: false })),
    };
    let refusal = scene.act(|tx, cx| enable_protection(tx, cx, input(vec![7]), "")).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::UserErrorInvalidDiskLuns);
    let (item, _) = scene.act(|tx, cx| enable_protection(tx, cx, input(vec![0]), "")).unwrap();
    assert!(item.takes_disk(None) && !item.takes_disk(Some(0)));
}

#[test]
fn soft_delete_redundancy_and_immutability_are_guarded() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let patch = |patch: VaultPatch| scene.act(|tx, cx| update_vault(tx, cx, vault.id, patch));
    let soft = |state, days| VaultPatch {
        soft_delete: Some(SoftDelete { state, days }),
        ..VaultPatch::default()
    };
    // The wish of every `az backup vault create`: kept as enabled, so that it can be taken back.
    let kept = patch(soft(SoftDeleteState::AlwaysOn, 14)).unwrap();
    assert_eq!(kept.soft_delete.state, SoftDeleteState::Enabled);
    let refusal = patch(soft(SoftDeleteState::Enabled, 7)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::InvalidParameter);
    scene
        .act(|tx, _| {
            let (key, value) = (settings::SOFT_DELETE_BINDING.to_owned(), "true".to_owned());
            Ok(tx.put_setting(&Setting { key, value })?)
        })
        .unwrap();
    patch(soft(SoftDeleteState::AlwaysOn, 30)).unwrap();
    let refusal = patch(soft(SoftDeleteState::Disabled, 14)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::UserErrorSoftDeleteAlwaysOn);

    let redundancy = |wanted| VaultPatch { redundancy: Some(wanted), ..VaultPatch::default() };
    patch(redundancy(Redundancy::Local)).unwrap();
    scene.protect(vault.id, 1).unwrap();
    let refusal = patch(redundancy(Redundancy::Geo)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::UserErrorStorageTypeLocked);
    patch(redundancy(Redundancy::Local)).unwrap();

    let immutable = |wanted| VaultPatch { immutability: Some(wanted), ..VaultPatch::default() };
    patch(immutable(Immutability::Locked)).unwrap();
    let refusal = patch(immutable(Immutability::Disabled)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::UserErrorImmutabilityLocked);
    let item = scene.act(|tx, cx| list_items(tx, cx, vault.id)).unwrap().remove(0).item;
    scene.backup(item.id).unwrap();
    scene.work();
    let refusal = scene.act(|tx, cx| delete_backup_data(tx, cx, item.id, "")).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::UserErrorDeleteBackupItemOnImmutableItem);
}

#[test]
fn a_vm_that_is_gone_or_away_is_not_backed_up() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    let see = |machines: &[DiscoveredVm]| {
        scene.act(|tx, cx| record_vms(tx, scene.discovery("local", machines), cx.now)).unwrap()
    };
    scene.act(|tx, cx| record_hypervisor_away(tx, "host-local", cx.now)).unwrap();
    let refusal = scene.backup(item.id).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::UserErrorHypervisorUnavailable);
    assert_eq!(refusal.code.class().status(), 503);

    // Back, but without the protected VM and without the other one.
    assert_eq!(see(&[]), Discovered { added: 0, changed: 0, gone: 2 });
    let refusal = scene.backup(item.id).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::UserErrorVmNotFoundV2);
    assert_eq!(scene.item(item.id).health.details()[0].code, "UserErrorVmNotFoundV2");
    let vms = scene.act(|tx, cx| list_vms(tx, cx, scene.subscription, None)).unwrap();
    assert_eq!(vms.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["far"]);
    assert_eq!(see(&[]).gone, 0);

    assert_eq!(see(&[vm(1, "web")]), Discovered { added: 0, changed: 1, gone: 0 });
    assert_eq!(scene.item(item.id).health, BackupHealth::Passed);
    scene.backup(item.id).unwrap();
}

#[test]
fn discovery_writes_only_what_changed_and_keeps_names_apart() {
    let scene = Scene::new();
    let see = |machines: &[DiscoveredVm]| {
        scene.act(|tx, cx| record_vms(tx, scene.discovery("local", machines), cx.now)).unwrap()
    };
    let etag = |id: u128| {
        let vm = scene.act(|tx, cx| get_vm_by_id(tx, cx, VmId(Uuid::from_u128(id)))).unwrap().vm;
        (vm.name, vm.etag)
    };
    let before = etag(1);
    assert_eq!(see(&[vm(1, "web"), vm(2, "db")]), Discovered::default());
    assert_eq!(etag(1), before);
    scene.pass(3600);
    assert_eq!(see(&[vm(1, "web"), vm(2, "db")]), Discovered::default());
    assert_eq!(etag(1).1, before.1 + 1, "seen again after a while");
    // A second machine of the same name, as after a copy.
    assert_eq!(see(&[vm(1, "web"), vm(2, "db"), vm(4, "WEB")]).added, 1);
    assert_eq!(etag(4).0, "WEB-00000000");
    assert_eq!(see(&[vm(1, "web"), vm(2, "db"), vm(4, "WEB")]), Discovered::default());
}

#[test]
fn a_machine_that_a_restore_made_is_in_the_group_that_was_asked_for() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    scene.backup(item.id).unwrap();
    scene.work();
    let group = PutGroup {
        subscription: scene.subscription,
        name: "Drill".into(),
        region: "local".into(),
        tags: std::collections::BTreeMap::new(),
    };
    scene.act(|tx, cx| put_group(tx, cx, group)).unwrap();
    let point = scene.points(item.id)[0].id;
    let target = RestoreWish::NewVm { name: "beside".into(), group: "drill".into() };
    let wish = Restore { item: item.id, point, target };
    let job = scene.act(|tx, cx| restore(tx, cx, wish, "")).unwrap().job;
    scene.work();
    // The machine has the id of the job that made it.
    let made = job.id.uuid().as_u128();
    let machines = [vm(1, "web"), vm(2, "db"), vm(made, "beside")];
    let see =
        || scene.act(|tx, cx| record_vms(tx, scene.discovery("local", &machines), cx.now)).unwrap();
    assert_eq!(see().added, 1);
    let group_of = |id: u128| {
        scene.act(|tx, cx| get_vm_by_id(tx, cx, VmId(Uuid::from_u128(id)))).unwrap().vm.group
    };
    assert_eq!((group_of(made).as_str(), group_of(1).as_str()), ("Drill", "rg"));
    assert_eq!(see(), Discovered::default(), "it stays there");
}

#[test]
fn only_a_vm_that_coffre_runs_is_started_and_stopped() {
    let scene = Scene::new();
    let power = |id: u128, power| {
        scene.act(|tx, cx| power_vm(tx, cx, VmId(Uuid::from_u128(id)), power, ""))
    };
    assert_eq!(power(2, Power::Start).unwrap_err().code, ErrorCode::UserErrorVmNotManaged);
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    let accepted = power(1, Power::Stop { graceful: true }).unwrap();
    let records = scene.act(|tx, _| Ok(tx.search_audit("", 0, 1)?)).unwrap();
    assert_eq!(records[0].target, "virtual machine web: stop");
    let busy = scene.backup(item.id).unwrap_err();
    assert_eq!(busy.code, ErrorCode::UserErrorBackupOperationInProgress);
    let view = || scene.act(|tx, cx| get_operation(tx, cx, accepted.operation.id)).unwrap();
    assert_eq!(view().state, OperationState::InProgress);
    scene.work();
    assert_eq!(view().state, OperationState::Succeeded);
}

#[test]
fn groups_and_vaults_say_what_stands_in_the_way() {
    let scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let refusal = scene.act(|tx, cx| delete_group(tx, cx, scene.subscription, "RG")).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::ResourceGroupDeletionBlocked);
    for held in ["vault 'shop'", "virtual machine 'web'", "storage account 'restores'"] {
        assert!(refusal.message.contains(held), "{refusal}");
    }
    scene.protect(vault.id, 1).unwrap();
    let refusal = scene.act(|tx, cx| delete_vault(tx, cx, vault.id)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::ServiceResourceNotEmptyWithContainerDetails);
    assert!(refusal.message.contains("existing resources within the vault"), "{refusal}");
    assert!(refusal.message.contains("'web' (IRPending)"), "{refusal}");
}

#[test]
fn every_change_asks_who_may_and_is_in_the_audit() {
    let mut scene = Scene::new();
    let vault = scene.vault("shop", "local");
    let item = scene.protect(vault.id, 1).unwrap();
    let records = scene.act(|tx, _| Ok(tx.search_audit("", 0, 10)?)).unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!(records[0].name, "ann");
    assert!(records[1].target.contains("vault shop"), "{}", records[1].target);

    scene.caller.roles = vec![Role::Reader];
    let forbidden = |result: Result<(), coffre_control::Refusal>| {
        assert_eq!(result.unwrap_err().code, ErrorCode::AuthorizationFailed);
    };
    let wish = scene.put_vault("other", "local");
    forbidden(scene.act(|tx, cx| put_vault(tx, cx, wish)).map(drop));
    forbidden(scene.act(|tx, cx| delete_vault(tx, cx, vault.id)));
    forbidden(scene.act(|tx, cx| delete_group(tx, cx, scene.subscription, "rg")));
    forbidden(scene.act(|tx, cx| delete_policy(tx, cx, vault.id, "EnhancedPolicy")));
    forbidden(scene.backup(item.id).map(drop));
    forbidden(scene.protect(vault.id, 2).map(drop));
    forbidden(scene.act(|tx, cx| stop_protection(tx, cx, item.id, "")).map(drop));
    forbidden(scene.act(|tx, cx| delete_backup_data(tx, cx, item.id, "")).map(drop));
    forbidden(scene.act(|tx, cx| undelete_item(tx, cx, item.id, "")).map(drop));
    forbidden(scene.act(|tx, cx| refresh_containers(tx, cx, "")).map(drop));
    forbidden(scene.act(|tx, cx| power_vm(tx, cx, item.vm, Power::Start, "")).map(drop));
    scene.act(|tx, cx| list_items(tx, cx, vault.id)).unwrap();

    scene.caller.roles = vec![];
    forbidden(scene.act(|tx, cx| list_items(tx, cx, vault.id)).map(drop));
    forbidden(scene.act(|tx, cx| list_jobs(tx, cx, &JobFilter::default())).map(drop));
    forbidden(scene.act(|tx, cx| list_vms(tx, cx, scene.subscription, None)).map(drop));
}

#[test]
fn signing_in() {
    let scene = Scene::new();
    let program = Principal {
        id: coffre_control::id::PrincipalId(Uuid::from_u128(77)),
        name: "pipeline".into(),
        kind: PrincipalKind::ServicePrincipal,
        secret_hash: hash_secret("s3cret", b"fedcba9876543210"),
        roles: vec![Role::BackupOperator],
        etag: 0,
    };
    let id = program.id;
    scene.act(|tx, _| Ok(tx.put_principal(&mut program.clone())?)).unwrap();
    let sign_in = |login| authenticate(&*scene.db, login);
    let ann = sign_in(Login::Password { name: "ANN", password: "open sesame" }).unwrap();
    assert_eq!(ann.roles, [Role::Owner]);
    let client_id = id.to_string();
    let it = sign_in(Login::Secret { client_id: &client_id, secret: "s3cret" }).unwrap();
    assert_eq!((it.principal, it.name.as_str()), (id, "pipeline"));
    for login in [
        Login::Password { name: "ann", password: "guess" },
        Login::Password { name: "bob", password: "open sesame" },
        Login::Password { name: "pipeline", password: "s3cret" },
        Login::Secret { client_id: &client_id, secret: "" },
        Login::Secret { client_id: "not a uuid", secret: "s3cret" },
    ] {
        let refusal = sign_in(login).unwrap_err();
        assert_eq!(refusal.code, ErrorCode::InvalidCredentials);
        assert_eq!(refusal.code.class().status(), 401);
    }
    let again: Caller = scene.act(|tx, _| caller_of(tx, id)).unwrap();
    assert_eq!(again.roles, [Role::BackupOperator]);
    let nobody = coffre_control::id::PrincipalId(Uuid::from_u128(404));
    let refusal = scene.act(|tx, _| caller_of(tx, nobody)).unwrap_err();
    assert_eq!(refusal.code, ErrorCode::InvalidAuthenticationToken);
}

#[test]
fn the_first_run_happens_once() {
    let scene = Scene::new();
    let seed = Seed {
        subscription: Subscription {
            id: scene.subscription,
            name: "Again".into(),
            tenant: coffre_control::id::TenantId(Uuid::nil()),
            etag: 0,
        },
        region: crate::scene::region("again"),
        group: "again".into(),
        principals: vec![],
        storage_account: StorageAccount {
            subscription: scene.subscription,
            group: "again".into(),
            name: "again".into(),
            region: "again".into(),
            folder: "/".into(),
            etag: 0,
        },
    };
    let again = scene.act(|tx, cx| first_run(tx, seed, cx.now)).unwrap();
    assert!(!again);
    let all = scene.act(list_subscriptions).unwrap();
    assert_eq!((all.len(), all[0].name.as_str()), (1, "Home"));
    let _: Timestamp = scene
        .act(|tx, _| Ok(tx.setting(settings::FIRST_RUN)?))
        .unwrap()
        .unwrap()
        .value
        .parse()
        .unwrap();
}
