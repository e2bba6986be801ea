//! Every page that can be reached: it is there, it is well formed, it says what it should, and
//! nothing in it is markup that we did not write.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::world::browser::{Browser, Page};
use crate::world::html;
use crate::world::*;
use coffre_control::model::*;

/// Visits everything that links and forms lead to. Returns the pages by address.
async fn crawl(browser: &mut Browser) -> BTreeMap<String, Page> {
    let mut seen = BTreeSet::new();
    let mut todo = VecDeque::from(["/portal/".to_owned()]);
    let mut pages = BTreeMap::new();
    while let Some(address) = todo.pop_front() {
        if !seen.insert(address.clone()) {
            continue;
        }
        let page = browser.get(&address).await;
        let redirected = page.status.as_u16() == 303;
        assert!(redirected || page.status.as_u16() == 200, "{address}: {}", page.status);
        if redirected {
            todo.push_back(page.location().to_owned());
            continue;
        }
        let kind = page.headers["content-type"].to_str().unwrap().to_owned();
        if !kind.starts_with("text/html") {
            continue;
        }
        for (method, target) in html::addresses(&html::check(&address, &page.body)) {
            if method == "get" {
                todo.push_back(target);
            } else {
                let answer = browser.get(&target).await;
                assert_ne!(answer.status.as_u16(), 404, "{address} sends a form to {target}");
            }
        }
        pages.insert(address, page);
    }
    pages
}

#[tokio::test]
async fn every_link_leads_somewhere_and_every_page_is_sound() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let pages = crawl(&mut browser).await;
    assert!(pages.len() > 50, "{:?}", pages.keys());
    for (address, page) in &pages {
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.headers["cache-control"], "no-store", "{address}");
        first_paint(&mut browser, address, page).await;
        // One's own password has no command, nor has a decision; parts of pages and files are no pages.
        let without = ["/live", "/bell", "/settings/password", "/approvals"]
            .iter()
            .any(|end| address.ends_with(end));
        assert!(
            without || page.body.contains("<details class=\"az\">"),
            "{address}: no az command"
        );
    }
}

#[tokio::test]
async fn an_empty_service_has_pages_that_lead_on() {
    let world = World::fresh();
    let mut browser = Browser::signed_in(&world).await;
    let pages = crawl(&mut browser).await;
    assert!(pages.contains_key("/portal/vaults/new"));
    pages["/portal/"].has("No virtual machine yet").has("Nothing is protected yet");
    pages["/portal/vaults"].has("No vault yet");
    pages["/portal/jobs"].has("No job yet");
}

#[tokio::test]
async fn a_reader_has_no_buttons_that_would_be_refused() {
    let world = World::full();
    let mut browser = Browser::open(&world);
    browser.sign_in("reader").await.is(303);
    for (address, page) in crawl(&mut browser).await {
        for tag in html::tags(&page.body) {
            if tag.name == "form" && tag.get("method") == Some("post") {
                let action = tag.get("action").unwrap();
                let own = [
                    "/portal/preferences",
                    "/portal/sign-out",
                    "/portal/settings/password",
                    "/portal/notifications/read",
                ]
                .contains(&action);
                // Pages that were asked for by address say no when the form is sent.
                assert!(own || is_form_page(&address), "{address}: {action}");
            }
        }
    }
}

/// What the first paint of a page needs, all files together as they are sent: at most 100 KiB.
/// Pictures come later and say so; scripts wait until the page is there, and none is in it.
async fn first_paint(browser: &mut Browser, address: &str, page: &Page) {
    let mut files = BTreeSet::new();
    for tag in html::tags(&page.body) {
        let address = match tag.name.as_str() {
            "link" => tag.get("href"),
            "script" => {
                assert_eq!(tag.get("defer"), Some(""), "{address}: a script that halts the page");
                tag.get("src")
            }
            "use" => tag.get("href"),
            "img" => {
                assert_eq!(tag.get("loading"), Some("lazy"), "{address}");
                None
            }
            _ => None,
        };
        files.extend(address.map(|it| it.split('#').next().unwrap().to_owned()));
    }
    let mut bytes = page.body.len();
    for file in &files {
        bytes += browser.get(file).await.is(200).body.len();
    }
    assert!(files.len() >= 3 || address.ends_with("/live") || address.ends_with("/bell"));
    assert!(bytes <= 100 * 1024, "{address}: {bytes} bytes with {files:?}");
}

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

fn is_form_page(address: &str) -> bool {
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

#[tokio::test]
async fn pages_speak_the_language_of_the_reader() {
    let world = World::full();
    for (lang, tag, words) in [
        (
            "fr-CH, fr;q=0.9",
            "fr",
            ["Vue d’ensemble", "Coffres Recovery Services", "Points de récupération"],
        ),
        (
            "es",
            "es",
            ["Información general", "Almacenes de Recovery Services", "Puntos de recuperación"],
        ),
    ] {
        let mut browser = Browser::signed_in(&world).await;
        browser.language = lang;
        let pages = crawl(&mut browser).await;
        let page = pages["/portal/"].has(&format!("<html lang=\"{tag}\""));
        for word in words {
            page.has(word);
        }
        for (address, page) in &pages {
            for english in ["Resource group<", "Kept until", ">Status<", "Virtual machines<"] {
                assert!(!page.body.contains(english), "{address}: {english}");
            }
        }
    }
    let mut browser = Browser::signed_in(&world).await;
    browser.language = "fr";
    let frozen = |job: &Job| {
        job.error.as_ref().is_some_and(|error| error.code.azure() == "UserErrorFsFreezeFailed")
    };
    let failed = world.jobs().into_iter().find(frozen).unwrap();
    browser
        .get(&format!("/portal/jobs/{}", failed.id))
        .await
        .has("Les systèmes de fichiers n’ont pas pu être figés")
        .has("Démontez ou réparez")
        .has("UserErrorFsFreezeFailed");
    // Sentences of the use-cases, with their values.
    let item = world.item(WEB).id;
    browser
        .post(&format!("/portal/items/{item}/backup"), &[("until", "tomorrow")])
        .await
        .is(400)
        .has("« tomorrow » n’est pas une date.")
        .lacks("is not a date");
    browser
        .get("/portal/activity")
        .await
        .has("web-01 dans le coffre shop-vault sous la stratégie DefaultPolicy")
        .lacks(" in group ");
    let chosen = [("lang", "es"), ("theme", "dark"), ("next", "/portal/jobs")];
    assert_eq!(
        browser.post("/portal/preferences", &chosen).await.is(303).location(),
        "/portal/jobs"
    );
    browser.get("/portal/jobs").await.has("<html lang=\"es\" data-theme=\"dark\"").has("En curso");
}

#[tokio::test]
async fn pages_say_what_the_service_knows() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let web = world.item(WEB).id;
    browser
        .get(&format!("/portal/items/{web}"))
        .await
        .has("Application-consistent")
        .has("file systems frozen, freeze hooks ran")
        .has("38\u{202f}ms")
        .has("Read whole: this is the first backup")
        .has("3 recovery points")
        .has("az backup recoverypoint list --resource-group coffre --vault-name shop-vault");
    let database = world.item(DATABASE).id;
    browser
        .get(&format!("/portal/items/{database}"))
        .await
        .has("Last backup failed")
        .has("could not freeze &#39;/srv/data&#39;")
        .has("UserErrorFsFreezeFailed")
        .has("Unmount or repair the file systems");
    let old = world.item(OLD).id;
    browser
        .get(&format!("/portal/items/{old}"))
        .await
        .has("Resume protection")
        .lacks("Back up now<");
    let mail = world.item(MAIL).id;
    browser
        .get(&format!("/portal/items/{mail}"))
        .await
        .has("Undelete")
        .lacks("/restore\"")
        .has("Until then they can be brought back");
    let gone = world.vm(GONE);
    browser.get(&format!("/portal/vms/{}", gone.id)).await.has("has not had this machine since");
    let running = world.jobs().into_iter().find(|job| !job.state.is_ended()).unwrap();
    let page = browser.get(&format!("/portal/jobs/{}", running.id)).await;
    page.has("2\u{202f}GiB of 5\u{202f}GiB").has("40 %").has("left").has("Cancel job");
    let live = browser.get(&format!("/portal/jobs/{}/live", running.id)).await;
    live.is(200).has("data-live=").lacks("<html");
    // Until the first backup an item waits for it.
    let item = world.protect(world.vault_named("far-vault").unwrap().id, FAR, "DefaultPolicy");
    browser
        .get(&format!("/portal/items/{item}"))
        .await
        .has("Warning (Initial backup pending)")
        .has("The first backup makes the first recovery point.");
}

#[tokio::test]
async fn long_lists_are_ordered_and_searched_by_the_database() {
    let world = World::fresh();
    world.discover_many(250);
    let mut browser = Browser::signed_in(&world).await;
    let page = browser.get("/portal/vms?sort=-name").await;
    page.has("vm-0249")
        .lacks("vm-0000")
        .has("aria-sort=\"descending\"")
        .has("sort=-name&#38;page=2");
    // A wild card of the database is a letter like any other.
    browser.get("/portal/vms?find=%25").await.has("Nothing found");
    browser.get("/portal/vms?find=VM-0007&sort=nonsense").await.has("vm-0007").lacks("vm-0008");
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let world = World::fresh();
    world.discover_many(250);
    let mut browser = Browser::signed_in(&world).await;
    let page = browser.get("/portal/vms").await;
    page.has("1 to 100 of 250")
        .has("aria-sort=\"none\"")
        .has("vm-0000")
        .has("vm-0099")
        .lacks("vm-0100")
        .lacks("Previous");
    page.has("href=\"/portal/vms?find=&#38;protected=&#38;page=2\"");
    let page = browser.get("/portal/vms?page=3").await;
    page.has("201 to 250 of 250").has("vm-0249").lacks("vm-0199").lacks("Next");
    let page = browser.get("/portal/vms?find=vm-02&page=77&protected=no").await;
    page.has("vm-0200").lacks("vm-0300").lacks("class=\"pager\"");
    browser.get("/portal/vms?page=-1").await.is(200).has("vm-0000");
    browser.get("/portal/vms?find=nothing-like-it").await.has("Nothing found");
    html::check("/portal/vms", &browser.get("/portal/vms?find=%22vm&page=2").await.body);
}
