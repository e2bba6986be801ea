//! Every form does what its use-case does, and comes back with the reason when it says no.

use crate::world::browser::Browser;
use crate::world::*;
use coffre_control::model::*;

#[tokio::test]
async fn a_vault_is_made_or_the_reason_stands_at_the_field() {
    let world = World::fresh();
    let mut browser = Browser::signed_in(&world).await;
    let subscription = SUBSCRIPTION.to_string();
    let form =
        |name: &'static str, group: &'static str, new_group: &'static str, region: &'static str| {
            [
                ("name", name),
                ("subscription", subscription.as_str()),
                ("group", group),
                ("new_group", new_group),
                ("region", region),
                ("redundancy", "LocallyRedundant"),
            ]
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
        };
    let mut send = async |fields: [(String, String); 6]| {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        browser.post("/portal/vaults/new", &fields).await
    };
    let page = send(form("1bad", "coffre", "", "local")).await;
    page.is(400)
        .has("id=\"name-wrong\"")
        .has("aria-invalid=\"true\"")
        .has("does not start with a letter")
        .has("2 to 50 characters")
        .lacks("2 to 50 letters")
        .has("value=\"1bad\"")
        .has("value=\"LocallyRedundant\" checked");
    send(form("good", "coffre", "", "mars")).await.is(400).has("id=\"region-wrong\"");
    send(form("good", "missing", "", "local")).await.is(404).has("id=\"group-wrong\"");
    let page = send(form("good", "coffre", "bad/name", "local")).await;
    page.is(400).has("id=\"group-wrong\"").has("value=\"bad/name\"");
    assert!(world.vault_named("good").is_none());

    let page = send(form("good", "coffre", "fresh", "local")).await;
    let vault = world.vault_named("good").unwrap();
    assert_eq!(page.is(303).location(), format!("/portal/vaults/{}", vault.id));
    assert_eq!((vault.group.as_str(), vault.redundancy), ("fresh", Redundancy::Local));
    let page = send(form("good", "coffre", "", "local")).await;
    page.is(409).has("id=\"name-wrong\"").has("VaultNameAlreadyInUse");
}

#[tokio::test]
async fn from_a_fresh_start_to_the_first_backup_in_three_clicks() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let vm = world.vm(BUILD).id;
    // The overview leads to the form, the form to the job.
    let form = format!("/portal/vms/{vm}/protect");
    browser.get("/portal/").await.has(&format!("href=\"{form}\""));
    let page = browser.get(&form).await;
    let vault = world.vault_named("shop-vault").unwrap().id;
    page.has(&format!("value=\"{vault}\""))
        .has("Every day at 22:00")
        .has("far-vault")
        .has("is in region Second site");
    let fields = [
        ("vault", vault.to_string()),
        ("policy", "DefaultPolicy".to_owned()),
        ("start", "yes".to_owned()),
    ];
    let fields: Vec<(&str, &str)> = fields.iter().map(|(k, v)| (*k, v.as_str())).collect();
    let page = browser.post(&form, &fields).await;
    let item = world.item(BUILD);
    assert_eq!(item.state, ItemState::IrPending);
    let job = world
        .jobs()
        .into_iter()
        .find(|job| job.item == Some(item.id) && !job.state.is_ended())
        .unwrap();
    assert_eq!(page.is(303).location(), format!("/portal/jobs/{}", job.id));
    browser
        .get(&format!("/portal/items/{}", item.id))
        .await
        .has("Warning (Initial backup pending)");
    // Who is protected has no such form any more.
    assert_eq!(browser.get(&form).await.is(303).location(), format!("/portal/items/{}", item.id));
}

#[tokio::test]
async fn protection_says_no_with_a_reason_and_keeps_the_form() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let before = digest(&world);
    let far = format!("/portal/vms/{}/protect", world.vm(FAR).id);
    let here = world.vault_named("shop-vault").unwrap().id.to_string();
    let page = browser
        .post(&far, &[("vault", &here), ("policy", "EnhancedPolicy"), ("start", "yes")])
        .await;
    page.is(400)
        .has("BMSUserErrorVmNotInVaultRegion")
        .has("different regions")
        .has("Use a vault in the region of the virtual machine.")
        .has("value=\"EnhancedPolicy\" checked");
    let page = browser.post(&far, &[("vault", &here), ("policy", "nonsense")]).await;
    page.is(404).has("BMSUserErrorPolicyNotFound");
    let page = browser
        .post(&far, &[("vault", "new"), ("new_vault", "no_good"), ("policy", "DefaultPolicy")])
        .await;
    page.is(400).has("id=\"new-vault-wrong\"").has("value=\"no_good\"").has("contains &#39;_&#39;");
    browser
        .post("/portal/vms/00000000-0000-0000-0000-000000000bad/protect", &[("vault", &here)])
        .await
        .is(404);
    let many = format!("/portal/vaults/{here}/protect");
    browser.get(&many).await.has("is already an item of this vault").has("disabled");
    browser.post(&many, &[("policy", "DefaultPolicy")]).await.is(400).has("Choose at least one");
    let (build, far) = (world.vm(BUILD).id.to_string(), world.vm(FAR).id.to_string());
    let page =
        browser.post(&many, &[("policy", "DefaultPolicy"), ("vm", &build), ("vm", &far)]).await;
    page.is(400).has("BMSUserErrorVmNotInVaultRegion").has(&format!("value=\"{build}\" checked"));
    assert_eq!(digest(&world), before, "a refusal changes nothing, not even half of it");

    let page =
        browser.post(&many, &[("policy", "DefaultPolicy"), ("vm", &build), ("start", "yes")]).await;
    assert_eq!(page.is(303).location(), format!("/portal/vaults/{here}"));
    assert_eq!(world.item(BUILD).state, ItemState::IrPending);
}

#[tokio::test]
async fn a_vault_can_be_made_on_the_way() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let form = format!("/portal/vms/{}/protect", world.vm(FAR).id);
    let page = browser.get(&format!("{form}?vault=new")).await;
    page.has("value=\"vault-remote\"").has("resource group machines and region Second site");
    let fields = [("vault", "new"), ("new_vault", "edge-vault"), ("policy", "DefaultPolicy")];
    let page = browser.post(&form, &fields).await;
    let item = world.item(FAR);
    assert_eq!(page.is(303).location(), format!("/portal/items/{}", item.id));
    let vault = world.vault_named("edge-vault").unwrap();
    assert_eq!((vault.group.as_str(), vault.region.as_str()), ("machines", "remote"));
    assert_eq!(item.vault, vault.id);
}

#[tokio::test]
async fn backup_now_takes_a_date_that_can_be_kept() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let item = world.item(WEB);
    let form = format!("/portal/items/{}/backup", item.id);
    browser
        .get(&form)
        .await
        .has("type=\"date\"")
        .has("value=\"2026-12-22\"")
        .has("--retain-until 22-12-2026");
    for (until, why) in [
        ("2020-01-01", "is not in the future"),
        ("2199-01-01", "more than 99 years"),
        ("2026-02-30", "is not a date"),
        ("", "is not a date"),
    ] {
        let page = browser.post(&form, &[("until", until)]).await;
        page.is(400)
            .has(why)
            .has("id=\"until-wrong\"")
            .has(&format!("name=\"until\" value=\"{until}\""));
    }
    let page = browser.post(&form, &[("until", "2027-03-31")]).await;
    let job = world
        .jobs()
        .into_iter()
        .find(|job| job.item == Some(item.id) && !job.state.is_ended())
        .unwrap();
    assert_eq!(page.is(303).location(), format!("/portal/jobs/{}", job.id));
    let JobKind::Backup { retain_until: Some(until), .. } = job.kind else { panic!("{job:?}") };
    assert_eq!(until.to_string(), "2027-03-31T23:59:59Z");
    let page = browser.post(&form, &[("until", "2027-03-31")]).await;
    page.is(409).has("UserErrorBackupOperationInProgress").has(&job.id.to_string());
    let page = browser.post(&format!("/portal/jobs/{}/cancel", job.id), &[]).await;
    assert_eq!(page.is(303).location(), format!("/portal/jobs/{}", job.id));
    assert!(world.job(job.id).cancel_requested || world.job(job.id).state.is_ended());
    let page = browser.post(&format!("/portal/jobs/{}/cancel", job.id), &[]).await;
    assert!([303, 409].contains(&page.status.as_u16()));
}

#[tokio::test]
async fn a_restore_goes_where_it_was_sent() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let item = world.item(WEB);
    let point = world.points(item.id)[1].id;
    let form = format!("/portal/items/{}/points/{point}/restore", item.id);
    browser
        .get(&form)
        .await
        .has("restores – /var/lib/coffre/restores")
        .has("Data disk, LUN 0")
        .has("--rp-name");
    let page = browser.post(&form, &[("target", "folder"), ("account", "missing")]).await;
    page.is(404).has("UserErrorTargetStorageAccountNotFound");
    browser.post(&form, &[]).await.is(400).has("Choose where to restore");
    let page =
        browser.post(&form, &[("target", "folder"), ("account", "restores"), ("lun", "9")]).await;
    page.is(400).has("UserErrorInvalidDiskLuns");
    let page = browser.post(&form, &[("target", "in-place")]).await;
    page.is(400).has("Confirm it with the tick").has("value=\"in-place\" checked");
    let page = browser.post(&form, &[("target", "folder"), ("account", "restores")]).await;
    page.is(303);
    let job = world
        .jobs()
        .into_iter()
        .find(|job| job.item == Some(item.id) && !job.state.is_ended())
        .unwrap();
    let JobKind::Restore {
        point: restored,
        target: RestoreTarget::Disks { luns, account, folder },
    } = &job.kind
    else {
        panic!("{job:?}")
    };
    assert_eq!((*restored, luns.as_deref(), account.as_str()), (point, Some(&[][..]), "restores"));
    let page = browser.get(&format!("/portal/jobs/{}", job.id)).await;
    page.has(&folder.replace('/', "/<wbr>"));
    let other = world.points(world.item(DATABASE).id)[1].id;
    let form = format!("/portal/items/{}/points/{other}/restore", world.item(DATABASE).id);
    browser.get(&form).await.has("value=\"db-01-restored\"").has("value=\"machines\" selected");
    let wish = [("target", "new-vm"), ("vm_name", "web-01"), ("vm_group", "machines")];
    let page = browser.post(&form, &wish).await;
    page.is(409).has("UserErrorTargetVmAlreadyExists").has("value=\"new-vm\" checked");
    let wish = [("target", "new-vm"), ("vm_name", "db-02"), ("vm_group", "machines")];
    let page = browser.post(&form, &wish).await;
    browser.get(page.is(303).location()).await.has("Restore as new machine");
    // Somebody else's point is not this item's.
    let other = world.points(world.item(DATABASE).id)[0].id;
    browser.get(&format!("/portal/items/{}/points/{other}/restore", item.id)).await.is(404);
}

#[tokio::test]
async fn protection_stops_and_comes_back() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let item = world.item(WEB).id;
    let (page, form) = (format!("/portal/items/{item}"), format!("/portal/items/{item}/stop"));
    browser
        .get(&form)
        .await
        .has("3 recovery points stay")
        .has("for 14 days, then they are removed");
    browser
        .post(&form, &[("data", "delete")])
        .await
        .is(400)
        .has("Confirm it")
        .has("value=\"delete\" checked");
    assert_eq!(browser.post(&form, &[("data", "keep")]).await.is(303).location(), page);
    assert_eq!(world.item(WEB).state, ItemState::Stopped);
    let policy = format!("/portal/items/{item}/policy");
    browser.get(&policy).await.has("Resume protection").has("backup protection resume");
    browser
        .post(&policy, &[("policy", "nonsense")])
        .await
        .is(404)
        .has("BMSUserErrorPolicyNotFound");
    browser.post(&policy, &[("policy", "EnhancedPolicy")]).await.is(303);
    assert_eq!(world.item(WEB).policy.as_deref(), Some("EnhancedPolicy"));
    assert_eq!(
        browser.post(&form, &[("data", "delete"), ("sure", "yes")]).await.is(303).location(),
        page
    );
    assert!(matches!(world.item(WEB).state, ItemState::SoftDeleted { .. }));
    browser
        .post(&format!("{page}/backup"), &[("until", "2027-01-01")])
        .await
        .is(409)
        .has("undelete first");
    assert_eq!(browser.post(&format!("{page}/undelete"), &[]).await.is(303).location(), page);
    assert_eq!(world.item(WEB).state, ItemState::Stopped);
    browser.post(&format!("{page}/undelete"), &[]).await.is(409).has("The item was not deleted");
}

#[tokio::test]
async fn vaults_change_until_they_are_locked_and_go_when_empty() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let empty = world.vault_named("archive").unwrap().id;
    let full = world.vault_named("shop-vault").unwrap().id;
    let wish = [("redundancy", "ZoneRedundant")];
    browser.post(&format!("/portal/vaults/{empty}/redundancy"), &wish).await.is(303);
    assert_eq!(world.vault_named("archive").unwrap().redundancy, Redundancy::Zone);
    browser
        .get(&format!("/portal/vaults/{full}"))
        .await
        .has("Can no longer be changed")
        .lacks("Delete vault");
    let page = browser.post(&format!("/portal/vaults/{full}/redundancy"), &wish).await;
    page.is(409).has("UserErrorStorageTypeLocked").has("shop-vault");
    let page = browser.post(&format!("/portal/vaults/{full}/delete"), &[]).await;
    page.is(400).has("cannot be deleted").has("web-01").has("role=\"alert\"");
    browser.post(&format!("/portal/vaults/{empty}/delete"), &[]).await.is(303);
    assert!(world.vault_named("archive").is_none());
    browser.get(&format!("/portal/vaults/{empty}")).await.is(404).has("ResourceNotFound");
}

#[tokio::test]
async fn machines_that_the_service_runs_can_be_started_and_stopped() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let (ours, theirs) = (world.vm(WEB).id, world.vm(BUILD).id);
    browser
        .get(&format!("/portal/vms/{ours}"))
        .await
        .has("value=\"stop\"")
        .lacks("value=\"start\"");
    browser.get(&format!("/portal/vms/{theirs}")).await.lacks("value=\"stop\"");
    let page = browser.post(&format!("/portal/vms/{theirs}/power"), &[("power", "stop")]).await;
    page.is(409).has("UserErrorVmNotManaged");
    let page = browser.post(&format!("/portal/vms/{ours}/power"), &[("power", "stop")]).await;
    browser.get(page.is(303).location()).await.has("Stop virtual machine");
    let page = browser.post("/portal/vms/refresh", &[]).await;
    browser.get(page.is(303).location()).await.has("Discover virtual machines");
}

#[tokio::test]
async fn an_item_without_points_can_be_brought_back_too() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let item = world.protect(world.vault_named("far-vault").unwrap().id, FAR, "DefaultPolicy");
    let form = format!("/portal/items/{item}/stop");
    browser.get(&form).await.has("There is no recovery point");
    let page = browser.post(&form, &[("data", "delete"), ("sure", "yes")]).await;
    let item = format!("/portal/items/{item}");
    assert_eq!(page.is(303).location(), item);
    browser.get(&item).await.is(200).has("Undelete");
    assert_eq!(browser.post(&format!("{item}/undelete"), &[]).await.is(303).location(), item);
}

/// Whoever made it through whichever surface, and whoever meets it.
#[tokio::test]
async fn a_lock_binds_the_portal_too() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let item = world.protect(world.vault_named("far-vault").unwrap().id, FAR, "DefaultPolicy");
    let lock = |level: &str| Record {
        kind: RecordKind::Lock,
        scope: format!("/subscriptions/{SUBSCRIPTION}"),
        name: "keep".to_owned(),
        content: serde_json::json!({ "level": level }),
        etag: 0,
    };
    let mut kept = lock("CanNotDelete");
    world.act(|tx, _| Ok(tx.put_record(&mut kept)?)).unwrap();
    let stop = format!("/portal/items/{item}/stop");
    let page = browser.post(&stop, &[("data", "delete"), ("sure", "yes")]).await;
    page.is(409).has("ScopeLocked").has("/subscriptions/");
    kept.content = lock("ReadOnly").content;
    world.act(|tx, _| Ok(tx.put_record(&mut kept)?)).unwrap();
    browser.post(&stop, &[("data", "keep")]).await.is(409).has("ScopeLocked");
    let vault = world.vault_named("far-vault").unwrap().id;
    browser.post(&format!("/portal/vaults/{vault}/delete"), &[]).await.is(409).has("ScopeLocked");
}

#[tokio::test]
async fn pages_wake_the_worker_when_there_is_work() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let world = World::full();
    let pokes = Arc::new(AtomicUsize::new(0));
    let mut state = world.state();
    let counter = pokes.clone();
    state.poke = Arc::new(move || {
        counter.fetch_add(1, Ordering::Relaxed);
    });
    let mut browser = Browser::with(state);
    browser.sign_in("ann").await.is(303);
    let item = world.item(WEB).id;
    browser.get("/portal/").await.is(200);
    browser.post(&format!("/portal/items/{item}/backup"), &[("until", "")]).await.is(400);
    assert_eq!(pokes.load(Ordering::Relaxed), 0);
    browser.post(&format!("/portal/items/{item}/backup"), &[("until", "2027-01-01")]).await.is(303);
    assert_eq!(pokes.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_preview_of_what_is_not_finished_is_html_all_the_same() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let vault = world.vault_named("shop-vault").unwrap().id;
    let address = format!("/portal/vaults/{vault}/policy-preview");
    let page = browser.post(&address, &[("zone", "Nowhere/Land")]).await;
    assert_eq!(page.is(200).headers["content-type"], "text/html; charset=utf-8");
    page.lacks("id=\"preview\"");
}
