//! What a page says is so at this moment, in the reader's way of writing; what is not known is not
//! said, and what was just done is.

use coffre_control::usecase::*;

use crate::world::browser::Browser;
use crate::world::*;

#[tokio::test]
async fn a_job_that_waits_has_neither_begun_nor_taken_time() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let item = world.item(WEB).id;
    let job = world.act(|tx, cx| backup_now(tx, cx, item, None, "")).unwrap().job;
    world.pass(5);
    let page = browser.get(&format!("/portal/jobs/{}", job.id)).await;
    page.has("Queued")
        .has("Not started yet")
        .has("<dt>Duration</dt><dd>–</dd>")
        .lacks("5\u{202f}s");
    let page = browser.get("/portal/jobs?find=web-01").await;
    let row = page.body.split("<tr>").find(|row| row.contains(&job.id.to_string())).unwrap();
    assert!(row.contains("Queued") && row.contains("Not started yet"), "{row}");
    assert!(row.contains("class=\"number\">–<"), "{row}");
    browser.language = "fr";
    browser.get(&format!("/portal/jobs/{}/live", job.id)).await.has("En file d’attente");
}

#[tokio::test]
async fn a_reason_alone_begins_with_a_capital() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let item = world.item(WEB).id;
    let done = world
        .jobs()
        .into_iter()
        .find(|job| job.item == Some(item) && job.facts.snapshot.is_some() && job.state.is_ended());
    let address = format!("/portal/jobs/{}", done.unwrap().id);
    browser.get(&address).await.has("<dt>Reason</dt><dd><bdi>File systems frozen, freeze");
}

#[tokio::test]
async fn costs_know_the_disks_before_the_first_point_and_no_zero_for_the_unknown() {
    let world = World::full();
    let far = world.vault_named("far-vault").unwrap().id;
    world.protect(far, FAR, "DefaultPolicy");
    let mut browser = Browser::signed_in(&world).await;
    let costs = format!("/portal/vaults/{far}/costs");
    let cell = "data-label=\"Size of the disks\">";
    let item = world.item(FAR);
    browser.get(&costs).await.has(&format!("{cell}20\u{202f}GiB<")).lacks(&format!("{cell}0"));
    world
        .act(|tx, _| {
            let mut vm = tx.vm(item.vm)?.unwrap();
            vm.disks.clear();
            Ok(tx.put_vm(&mut vm)?)
        })
        .unwrap();
    browser.get(&costs).await.has(&format!("{cell}–<"));
}

#[tokio::test]
async fn a_price_is_written_as_the_reader_writes_it() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let costs = format!("/portal/vaults/{}/costs", world.vault_named("shop-vault").unwrap().id);
    browser.get(&format!("{costs}?price=0,0185")).await.has("value=\"0.0185\"").has("=\"0.02\"");
    browser.language = "es";
    browser.get(&format!("{costs}?price=0.0185")).await.has("value=\"0,0185\"").has("=\"0,02\"");
    browser.get(&format!("{costs}?price=two")).await.has("value=\"two\"").has("price-wrong");
}

#[tokio::test]
async fn a_machine_that_is_an_item_is_not_called_protected() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let form =
        |vault: &str| format!("/portal/vaults/{}/protect", world.vault_named(vault).unwrap().id);
    let (here, other) = (form("shop-vault"), form("archive"));
    browser.get(&here).await.has("It is already an item of this vault").lacks("protects it");
    let page = browser.get(&other).await;
    page.has("of the vault shop-vault. Use that vault, or delete its backup data there");
    browser.language = "es";
    browser.get(&here).await.has("Ya es un elemento de este almacén");
}

#[tokio::test]
async fn what_was_chosen_at_the_end_of_a_page_is_told_there() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let vault = format!("/portal/vaults/{}", world.vault_named("archive").unwrap().id);
    browser.get(&vault).await.lacks("Saved:");
    let wish = [("redundancy", "ZoneRedundant")];
    let page = browser.post(&format!("{vault}/redundancy"), &wish).await;
    let (address, part) = page.is(303).location().split_once('#').unwrap();
    assert_eq!((address, part), (&*format!("{vault}?saved=redundancy"), "redundancy"));
    browser.get(address).await.has("id=\"redundancy\"").has("Saved: Zone-redundant.");
}

#[tokio::test]
async fn the_activity_says_whether_a_machine_was_started_or_stopped() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let web = world.vm(WEB).id;
    browser.post(&format!("/portal/vms/{web}/power"), &[("power", "stop")]).await.is(303);
    browser.get("/portal/activity").await.has("virtual machine web-01: stop<");
    browser.language = "fr";
    browser.get("/portal/activity").await.has("machine virtuelle web-01 : arrêt<");
}

#[tokio::test]
async fn what_comes_next_stands_first_and_buttons_say_what_they_do() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let item = |vm| format!("/portal/items/{}", world.item(vm).id);
    let page = browser.get(&item(OLD)).await;
    let at = |text: &str| page.body.find(text).unwrap_or_else(|| panic!("{text}"));
    assert!(at("Resume protection") < at("/restore\""));
    let policy = browser.get(&format!("{}/policy", item(OLD))).await;
    policy.has("Resume protection</button>").has("shop-vault").lacks("Save</button>");
    // Both can be chosen, and the button follows the choice.
    let page = browser.get(&format!("{}/stop", item(WEB))).await;
    page.has("value=\"keep\" checked").has("when-deleted\">Stop and delete<");
    // There is nothing to choose.
    let page = browser.get(&format!("{}/stop", item(OLD))).await;
    page.has("type=\"hidden\" name=\"data\" value=\"delete\"").has("Delete backup data</button>");
    page.lacks("type=\"radio\"").lacks("What becomes of").has("name=\"sure\"");
    // A list says that there is no policy.
    browser.get("/portal/items?find=old-erp").await.has("data-label=\"Backup policy\">–<");
}
