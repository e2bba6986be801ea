//! What somebody signs in with: changed by themselves, who know the present one, or replaced by an
//! owner, who says so twice.

use coffre_control::id::PrincipalId;
use uuid::Uuid;

use crate::world::browser::{Browser, Page};
use crate::world::*;

const PAGE: &str = "/portal/settings/password";
const NEW: &str = "four words that hold";

async fn change(browser: &mut Browser, now: &str, new: &str, again: &str) -> Page {
    browser.post(PAGE, &[("now", now), ("new", new), ("again", again)]).await
}

async fn signs_in(world: &World, name: &str, secret: &str) -> bool {
    let mut browser = Browser::open(world);
    browser.get("/portal/sign-in").await;
    let page = browser.post("/portal/sign-in", &[("name", name), ("secret", secret)]).await;
    page.status.as_u16() == 303
}

#[tokio::test]
async fn a_password_is_changed_by_whoever_knows_the_present_one() {
    let world = World::fresh();
    let mut browser = Browser::open(&world);
    browser.sign_in("reader").await.is(303);
    browser.get(PAGE).await.is(200).has("Present password").has("current-password");
    change(&mut browser, "guess", NEW, NEW).await.is(400).has("id=\"now-wrong\"");
    change(&mut browser, "", NEW, NEW).await.is(400).has("This is not the present password");
    change(&mut browser, SECRET, NEW, "other").await.is(400).has("The two are not the same");
    change(&mut browser, SECRET, "short", "short").await.is(400).has("id=\"new-wrong\"");
    assert!(signs_in(&world, "reader", SECRET).await && !signs_in(&world, "reader", NEW).await);
    change(&mut browser, SECRET, NEW, NEW).await.is(200).has("The password was changed");
    assert!(signs_in(&world, "reader", NEW).await && !signs_in(&world, "reader", SECRET).await);
    // A program is known by its client id, here too.
    let mut program = Browser::signed_in(&world).await;
    change(&mut program, "guess", NEW, NEW).await.is(400);
    change(&mut program, SECRET, NEW, NEW).await.is(200);
    assert!(signs_in(&world, CLIENT_ID, NEW).await);
}

#[tokio::test]
async fn whoever_guesses_at_an_open_browser_is_held_back() {
    let world = World::fresh();
    let mut browser = Browser::open(&world);
    browser.sign_in("reader").await.is(303);
    for _ in 0..6 {
        change(&mut browser, "guess", NEW, NEW).await.is(400);
    }
    let page = change(&mut browser, SECRET, NEW, NEW).await;
    assert_eq!(page.is(429).headers["retry-after"], "1");
    page.has("too many wrong tries");
    // It is the count of the sign-in.
    assert!(!signs_in(&world, "reader", SECRET).await);
    world.pass(1);
    change(&mut browser, SECRET, NEW, NEW).await.is(200);
}

#[tokio::test]
async fn an_owner_replaces_what_others_sign_in_with_and_says_so_twice() {
    let world = World::fresh();
    let mut owner = Browser::open(&world);
    owner.sign_in("ann").await.is(303);
    let page = owner.get("/portal/settings/access").await;
    page.has("nowrap\">New password<").has("nowrap\">New secret<");
    page.has("Replace the password of reader: the present one no longer works");
    let reader = PrincipalId(Uuid::from_u128(0xcc));
    let address = format!("/portal/settings/access/{reader}/secret");
    page.has(&format!("action=\"{address}\""));
    owner.post(&address, &[]).await.is(400).has("Confirm it with the tick");
    assert!(signs_in(&world, "reader", SECRET).await);
    let page = owner.post(&address, &[("sure", "yes")]).await;
    let (_, shown) = page.is(200).body.split_once("id=\"secret-value\">").unwrap();
    assert!(signs_in(&world, "reader", shown.split('<').next().unwrap()).await);
    assert!(!signs_in(&world, "reader", SECRET).await);
    // For their own there is the page that asks for the present one.
    let own = format!("/portal/settings/access/{}/secret", PrincipalId(Uuid::from_u128(0xbb)));
    owner.get("/portal/settings/access").await.has(&format!("href=\"{PAGE}\"")).lacks(&own);
    assert_eq!(owner.post(&own, &[("sure", "yes")]).await.is(303).location(), PAGE);
    assert!(signs_in(&world, "ann", SECRET).await);
}
