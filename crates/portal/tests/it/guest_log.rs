//! The log of a guest: shown as text, cut, and with a reason when it cannot be read.

use crate::world::browser::Browser;
use crate::world::*;

fn log_of(world: &World, vm: u128) -> String {
    format!("/portal/vms/{}/log", world.vm(vm).id)
}

#[tokio::test]
async fn what_a_guest_says_stays_text() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let page = browser.get(&log_of(&world, WEB)).await;
    page.is(200)
        .has("freeze: 2 file systems\n")
        .has("&#60;img src=x onerror=alert(1)&#62;\u{fffd}[31m\u{fffd}txt\u{fffd}")
        .has("&#60;b&#62;empty&#60;/b&#62;")
        .has("This file is empty.")
        .lacks("<img src=x")
        .lacks("\u{1b}")
        .lacks("\u{202e}");
}

#[tokio::test]
async fn a_long_log_is_cut_and_says_so() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let page = browser.get(&log_of(&world, DATABASE)).await;
    page.is(200).has("only the end is shown");
    assert!(page.body.len() < 80 << 10, "{} bytes", page.body.len());
}

#[tokio::test]
async fn a_log_that_is_not_there_or_cannot_be_read_says_what_to_do() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let page = browser.get(&log_of(&world, MAIL)).await;
    page.is(200).has("The guest has no log").lacks("class=\"log\"");
    let page = browser.get(&log_of(&world, OLD)).await;
    page.is(200)
        .has("The log cannot be read now")
        .has("The guest agent did not answer &#60;within&#62; 5 s")
        .lacks("read at this moment")
        .has("then refresh this page");
    browser.language = "fr";
    browser.get(&log_of(&world, OLD)).await.has("Le journal ne peut pas être lu maintenant");
    browser.language = "es";
    browser.get(&log_of(&world, MAIL)).await.has("El invitado no tiene registro");
    browser.get("/portal/vms/00000000-0000-4000-8000-000000000999/log").await.is(404);
}

#[tokio::test]
async fn the_machine_and_its_failed_job_lead_to_the_log() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let address = format!("href=\"{}\"", log_of(&world, WEB));
    browser.get(&format!("/portal/vms/{}", world.vm(WEB).id)).await.has(&address);
    let failed: Vec<_> =
        world.jobs().into_iter().filter(|job| job.error.is_some() && job.vm.is_some()).collect();
    assert!(!failed.is_empty(), "the world has a job that failed");
    for job in failed {
        let page = browser.get(&format!("/portal/jobs/{}", job.id)).await;
        page.has(&format!("href=\"/portal/vms/{}/log\"", job.vm.unwrap()));
    }
}
