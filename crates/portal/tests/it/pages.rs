//! Every page that can be reached: it is there, it is well formed, it says what it should, and
//! nothing in it is markup that we did not write.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::hostile::is_form_page;
use crate::world::browser::{Browser, Page};
use crate::world::html;
use crate::world::*;
use coffre_control::model::*;

/// Visits everything that links and forms lead to. Returns the pages by address.
pub(crate) async fn crawl(browser: &mut Browser) -> BTreeMap<String, Page> {
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
        // One's own password and codes have no command, nor has a decision; parts of pages and files are no pages.
        let without = ["/live", "/bell", "/settings/password", "/settings/codes", "/approvals"]
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
                    "/portal/settings/codes",
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
            for english in [
                "Resource group<",
                "Kept until",
                ">Status<",
                "Virtual machines<",
                "Nightly-",
                ">Id<",
            ] {
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
    let database = world.item(DATABASE).id;
    let page = browser.get(&format!("/portal/items/{database}")).await;
    page.has("Échec de la dernière sauvegarde\u{a0}: Les systèmes");
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
        .has("<ol><li><a href=\"/portal/items\">Backup items</a></li><li aria-current")
        .has("az backup recoverypoint list --resource-group coffre --vault-name shop-vault");
    let policy = format!("/portal/vaults/{}/policies/DefaultPolicy", world.item(WEB).vault);
    let machine = format!("/portal/vms/{}", world.vm(WEB).id);
    browser.get(&machine).await.has(&format!("<a href=\"{policy}\"><bdi>DefaultPolicy"));
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
    page.has("2\u{202f}GiB of 5\u{202f}GiB").has("40%").has("left").has("Cancel job");
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
