//! Pages are told what changes, and people what ended.

use std::time::Duration;

use axum::body::BodyDataStream;
use coffre_control::model::*;
use futures_util::StreamExt;

use crate::world::browser::Browser;
use crate::world::*;

/// Several times what a watcher takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// Reads on until a text comes.
async fn hear(stream: &mut BodyDataStream, text: &str) -> String {
    let mut heard = String::new();
    while !heard.contains(text) {
        let next = tokio::time::timeout(PATIENCE, stream.next()).await;
        let bytes = next.unwrap_or_else(|_| panic!("never {text}: {heard}")).unwrap().unwrap();
        heard.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    heard
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_are_told_which_jobs_changed() {
    let world = World::full();
    let browser = Browser::signed_in(&world).await;
    let answer = browser.open_stream("/portal/events").await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert!(
        answer.headers()["content-security-policy"]
            .to_str()
            .unwrap()
            .contains("default-src 'none'")
    );
    let mut stream = answer.into_body().into_data_stream();
    let first = hear(&mut stream, "retry: 1000").await;
    assert!(!first.contains("data:"), "nothing changed yet: {first}");
    let running = world.jobs().into_iter().find(|job| !job.state.is_ended()).unwrap();
    let ended = world.jobs().into_iter().find(|job| job.state.is_ended()).unwrap();
    // The watcher tells what there is when it begins; from then on only what changes.
    hear(&mut stream, &running.id.to_string()).await;
    world.tick();
    let told = hear(&mut stream, &running.id.to_string()).await;
    assert!(told.contains("event: jobs"), "{told}");
    assert!(!told.contains(&ended.id.to_string()), "{told}");
    assert!(!told.contains("files"), "names of jobs and nothing else: {told}");
}

#[tokio::test]
async fn few_connections_are_kept_for_one_person() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let mut open = Vec::new();
    for _ in 0..8 {
        let answer = browser.open_stream("/portal/events").await;
        assert_eq!(answer.status(), 200);
        open.push(answer);
    }
    assert_eq!(browser.open_stream("/portal/events").await.status(), 503);
    // Without a connection every page is as good; it asks again after a while.
    browser.get("/portal/jobs").await.is(200);
    open.pop();
    assert_eq!(browser.open_stream("/portal/events").await.status(), 200);
    let stranger = Browser::open(&world);
    assert_eq!(stranger.open_stream("/portal/events").await.status(), 303);
}

#[tokio::test]
async fn what_ended_is_counted_until_it_was_seen() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let ended = world.jobs().iter().filter(|job| job.ended.is_some()).count();
    browser.get("/portal/").await.has(&format!("Notifications: {ended} new"));
    let page = browser.get("/portal/notifications").await;
    page.has("Mark all as read").has("File systems could not be frozen").has("Restore disks");
    let alerts = browser.get("/portal/notifications?show=alerts").await;
    alerts.has("File systems could not be frozen").lacks("Restore disks");
    let bell = browser.get("/portal/notifications/bell").await;
    bell.has("id=\"bell\"").lacks("<html");

    let read = browser.post("/portal/notifications/read", &[]).await;
    assert_eq!(read.is(303).location(), "/portal/notifications");
    browser.get("/portal/notifications").await.lacks("Mark all as read").lacks("class=\"new\"");
    browser.get("/portal/vms").await.lacks("new</span>");
    // It was seen by this person, wherever they sign in, and by nobody else.
    let mut elsewhere = Browser::signed_in(&world).await;
    elsewhere.get("/portal/notifications").await.lacks("Mark all as read");
    let mut reader = Browser::open(&world);
    reader.sign_in("reader").await.is(303);
    reader.get("/portal/notifications").await.has("Mark all as read");

    world.pass(60);
    let item = world.item(WEB).id;
    world.act(|tx, cx| coffre_control::usecase::stop_protection(tx, cx, item, "")).unwrap();
    browser.get("/portal/notifications/bell").await.has("Notifications: 1 new");
    let job = world.jobs().into_iter().find(|job| job.kind == JobKind::DisableBackup).unwrap();
    browser.get("/portal/notifications").await.has(&format!("href=\"/portal/jobs/{}\"", job.id));
    let mut french = browser;
    french.language = "fr";
    french.get("/portal/notifications/bell").await.has("Notifications : 1 nouvelle");
}

#[tokio::test]
async fn a_machine_with_the_extension_has_the_commands_for_it_and_its_log() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let page = browser.get(&format!("/portal/vms/{}", world.vm(WEB).id)).await;
    page.has("az vm extension list").has("/extensions/VMSnapshotLinux/logs?");
}
