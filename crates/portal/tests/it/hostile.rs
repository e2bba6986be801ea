//! Markup in every name and in every field: it stays text, and the policy of the pages has nothing to report.

use std::collections::BTreeMap;

use crate::pages::crawl;
use crate::world::browser::Browser;
use crate::world::html;
use crate::world::*;
use coffre_control::model::*;

/// Every form of every page, with markup in every field: what comes back is a page of ours that
/// shows it as text, never a fault.
#[tokio::test]
async fn every_field_of_every_form_takes_hostile_text() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let pages = crawl(&mut browser).await;
    let mut forms: BTreeMap<String, Vec<(String, String, bool)>> = BTreeMap::new();
    for page in pages.values() {
        let mut action = String::new();
        for tag in html::tags(&page.body) {
            if tag.name == "form" {
                action = tag.get("action").unwrap().to_owned();
                if tag.get("method") == Some("post") && action != "/portal/sign-out" {
                    forms.entry(action.clone()).or_default();
                }
            }
            let Some(fields) = forms.get_mut(&action) else { continue };
            let (name, value) = (tag.get("name"), tag.get("value").unwrap_or_default());
            let inside = tag.inside.iter().any(|it| it == "form");
            if let Some(name) = name.filter(|it| inside && *it != "csrf") {
                let free = tag.name == "input"
                    && ["text", "password", "search", "date"].contains(&tag.get("type").unwrap());
                if !fields.iter().any(|(field, ..)| field == name) {
                    fields.push((name.to_owned(), value.to_owned(), free));
                }
            }
        }
    }
    assert!(forms.len() > 40, "{:?}", forms.keys());
    let mut shown = 0;
    for (action, fields) in &forms {
        for all in [true, false] {
            let sent: Vec<(&str, &str)> = fields
                .iter()
                .map(|(name, value, free)| (&**name, if all || *free { EVIL } else { &**value }))
                .collect();
            let page = browser.post(action, &sent).await;
            let status = page.status.as_u16();
            assert!(status < 500, "{action} with {sent:?}: {status}\n{}", page.body);
            if !page.body.is_empty() && page.headers["content-type"] != "text/plain; charset=utf-8"
            {
                html::check(action, &page.body);
                page.lacks("<img src=x").lacks("<script>alert");
                shown += usize::from(page.body.contains("&#60;img src=x"));
            }
        }
    }
    assert!(shown > 10, "the forms show what was typed: {shown}");
    // What some of the forms made is shown everywhere as text, too.
    crawl(&mut browser).await;
}

pub(crate) fn is_form_page(address: &str) -> bool {
    ["/backup", "/policy", "/policy-new", "/stop", "/protect", "/restore", "/new"]
        .iter()
        .any(|end| address.split('?').next().unwrap_or_default().ends_with(end))
}

const EVIL: &str = "<img src=x onerror=alert(1)>\"'&</title></td><script>alert(2)</script>";

/// Puts markup into everything that comes from outside.
fn poison(world: &World) {
    world
        .act(|tx, _| {
            for mut subscription in tx.subscriptions()? {
                subscription.name = EVIL.to_owned();
                tx.put_subscription(&mut subscription)?;
            }
            for mut group in tx.groups(SUBSCRIPTION)? {
                (group.name, group.etag) = (EVIL.to_owned(), 0);
                if tx.group(SUBSCRIPTION, EVIL)?.is_none() {
                    tx.put_group(&mut group)?;
                }
            }
            for mut region in tx.regions()? {
                region.display_name = EVIL.to_owned();
                tx.put_region(&mut region)?;
            }
            for mut principal in tx.principals()? {
                if principal.kind == PrincipalKind::ServicePrincipal {
                    principal.name = EVIL.to_owned();
                    tx.put_principal(&mut principal)?;
                }
            }
            for mut vm in tx.vms(SUBSCRIPTION)? {
                vm.name = format!("{EVIL}{}", vm.name);
                vm.group = EVIL.to_owned();
                vm.hypervisor = EVIL.to_owned();
                if let AgentState::Ready { version } = &mut vm.agent {
                    EVIL.clone_into(version);
                }
                for disk in &mut vm.disks {
                    EVIL.clone_into(&mut disk.name);
                }
                tx.put_vm(&mut vm)?;
            }
            for mut account in tx.storage_accounts(SUBSCRIPTION)? {
                account.folder = EVIL.to_owned();
                tx.put_storage_account(&mut account)?;
            }
            for mut vault in tx.vaults(SUBSCRIPTION)? {
                vault.tags.insert(EVIL.to_owned(), EVIL.to_owned());
                for mut policy in tx.policies(vault.id)? {
                    policy.time_zone = EVIL.to_owned();
                    tx.put_policy(&mut policy)?;
                }
                for mut item in tx.items(vault.id)? {
                    poison_item(&mut item);
                    for mut point in tx.points(item.id)? {
                        point.consistency_reason = EVIL.to_owned();
                        point.read_reason = Some(EVIL.to_owned());
                        for disk in &mut point.disks {
                            EVIL.clone_into(&mut disk.name);
                        }
                        tx.put_point(&mut point)?;
                    }
                    tx.put_item(&mut item)?;
                }
                vault.name = format!("{EVIL}{}", vault.name);
                vault.group = EVIL.to_owned();
                tx.put_vault(&mut vault)?;
            }
            for mut job in tx.jobs(&coffre_control::port::JobFilter::default())? {
                poison_job(&mut job);
                tx.put_job(&mut job)?;
            }
            Ok(())
        })
        .unwrap();
}

fn poison_item(item: &mut ProtectedItem) {
    item.vm_name = format!("{EVIL}{}", item.vm_name);
    item.vm_group = EVIL.to_owned();
    item.health = BackupHealth::ActionRequired(vec![HealthDetail {
        code: EVIL.to_owned(),
        title: EVIL.to_owned(),
        message: EVIL.to_owned(),
        recommendation: EVIL.to_owned(),
    }]);
    if let Some(error) = item.last_backup.as_mut().and_then(|last| last.error.as_mut()) {
        EVIL.clone_into(&mut error.message);
        EVIL.clone_into(&mut error.recommendation);
    }
}

fn poison_job(job: &mut Job) {
    job.name = EVIL.to_owned();
    job.warnings.push(JobWarning {
        code: coffre_control::ErrorCode::UserErrorDiskNotFound,
        message: EVIL.to_owned(),
    });
    if let Some(error) = &mut job.error {
        EVIL.clone_into(&mut error.message);
    }
    if let Some(snapshot) = &mut job.facts.snapshot {
        EVIL.clone_into(&mut snapshot.reason);
    }
    if let Some(transfer) = &mut job.facts.transfer {
        transfer.read_reason = Some(EVIL.to_owned());
    }
    for file in job.facts.restore.iter_mut().flat_map(|it| &mut it.files) {
        EVIL.clone_into(&mut file.path);
    }
    match &mut job.kind {
        JobKind::ConfigureBackup { policy } => EVIL.clone_into(policy),
        JobKind::Restore { target: RestoreTarget::Disks { account, folder, .. }, .. } => {
            EVIL.clone_into(account);
            EVIL.clone_into(folder);
        }
        _ => {}
    }
}

#[tokio::test]
async fn hostile_names_stay_text_on_every_page() {
    let world = World::full();
    poison(&world);
    let mut browser = Browser::signed_in(&world).await;
    // The crawl checks the markup: elements of ours only, no handlers, no inline script.
    let pages = crawl(&mut browser).await;
    let mut with_evil = 0;
    for (address, page) in &pages {
        page.lacks("<img src=x").lacks("<script>").lacks("</title></td>");
        let kinds =
            page.body.matches("&#60;img src=x onerror=alert(1)&#62;&#34;&#39;&#38;").count();
        with_evil += usize::from(kinds > 0);
        // The person's own name is on every page.
        assert!(kinds > 0 || address.ends_with("/live"), "{address} shows no name");
    }
    assert!(with_evil > 50);
}

#[tokio::test]
async fn hostile_input_comes_back_as_text() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let subscription = SUBSCRIPTION.to_string();
    let page = browser
        .post(
            "/portal/vaults/new",
            &[
                ("name", EVIL),
                ("subscription", &subscription),
                ("new_group", EVIL),
                ("region", EVIL),
            ],
        )
        .await;
    html::check("/portal/vaults/new", &page.is(400).body);
    page.has("&#60;img src=x").lacks("<img");
    let quoted: String = EVIL.bytes().map(|byte| format!("%{byte:02x}")).collect();
    for address in [
        format!("/portal/vms?find={quoted}"),
        format!("/portal/jobs?status={quoted}&days={quoted}"),
        format!("/portal/vaults/new?name={quoted}&region={quoted}&redundancy={quoted}"),
    ] {
        let page = browser.get(&address).await;
        html::check(&address, &page.is(200).body);
    }
    let page = browser.get(&format!("/portal/{quoted}")).await;
    html::check("unknown", &page.is(404).body);
    let mut stranger = Browser::open(&world);
    let page = stranger.get(&format!("/portal/sign-in?next={quoted}")).await;
    html::check("sign-in", &page.is(200).lacks("onerror").body);
    let page = stranger.sign_in(EVIL).await;
    html::check("sign-in", &page.is(401).has("&#60;img").body);
}
