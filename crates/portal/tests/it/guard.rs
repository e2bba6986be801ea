//! Who gets in, which forms count, and when a session ends.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ORIGIN};
use axum::http::{Method, Request};

use crate::world::browser::Browser;
use crate::world::*;

/// Addresses of all forms, with ids that are there.
fn forms(world: &World) -> Vec<String> {
    let item = world.item(WEB);
    let point = world.points(item.id)[0].id;
    let running = world.jobs().into_iter().find(|job| !job.state.is_ended()).unwrap().id;
    let (item, vm, vault) = (item.id, item.vm, item.vault);
    vec![
        "/portal/sign-in".to_owned(),
        "/portal/sign-out".to_owned(),
        "/portal/preferences".to_owned(),
        "/portal/vaults/new".to_owned(),
        format!("/portal/vaults/{vault}/redundancy"),
        format!("/portal/vaults/{vault}/delete"),
        format!("/portal/vaults/{vault}/protect"),
        "/portal/vms/refresh".to_owned(),
        format!("/portal/vms/{vm}/power"),
        format!("/portal/vms/{vm}/protect"),
        format!("/portal/items/{item}/backup"),
        format!("/portal/items/{item}/policy"),
        format!("/portal/items/{item}/stop"),
        format!("/portal/items/{item}/undelete"),
        format!("/portal/items/{item}/points/{point}/restore"),
        format!("/portal/jobs/{running}/cancel"),
    ]
}

#[tokio::test]
async fn nobody_gets_in_without_signing_in() {
    let world = World::full();
    let item = world.item(WEB).id;
    let mut browser = Browser::open(&world);
    let there = format!("/portal/items/{item}?x=1");
    let page = browser.get(&there).await;
    let next = format!(
        "/portal/sign-in?next=%2Fportal%2Fitems%2F{}%3Fx%3D1",
        item.to_string().replace('-', "%2D")
    );
    assert_eq!(page.is(303).location(), next);
    assert_eq!(browser.get("/").await.is(303).location(), "/portal/");
    let before = digest(&world);
    for form in forms(&world) {
        let page = browser.post(&form, &[("data", "keep"), ("sure", "yes")]).await;
        let open = form.ends_with("/sign-in") || form.ends_with("/preferences");
        if !open {
            assert!(page.is(303).location().starts_with("/portal/sign-in"), "{form}");
        }
    }
    assert_eq!(digest(&world), before);
    // A part of a page says so instead of sending a page in its place.
    let request = browser
        .request(Method::GET, "/portal/")
        .header("x-portal-fragment", "1")
        .body(Body::empty())
        .unwrap();
    browser.send(request).await.is(401);
    // Having signed in, one is where one wanted to go.
    browser.get(page.location()).await.has(&format!("value=\"/portal/items/{item}?x=1\""));
    let fields = [("name", "ann"), ("secret", SECRET), ("next", there.as_str())];
    assert_eq!(browser.post("/portal/sign-in", &fields).await.is(303).location(), there);
    browser.get(&there).await.is(200).has("web-01");
}

#[tokio::test]
async fn forms_that_no_page_of_ours_sent_change_nothing() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    let before = digest(&world);
    for form in forms(&world) {
        browser.post_bare(&form, &[("data", "keep")]).await.is(403).has("Nothing was changed");
        browser.post_bare(&form, &[("csrf", "")]).await.is(403);
        browser.post_bare(&form, &[("csrf", &"0".repeat(64))]).await.is(403);
        let body = format!("csrf={}", browser.csrf());
        let request = |name: &str, value: &str| -> Request<Body> {
            browser
                .request(Method::POST, &form)
                .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
                .header(name, value)
                .body(Body::from(body.clone()))
                .unwrap()
        };
        let foreign = [
            request(ORIGIN.as_str(), "https://evil.test"),
            request("sec-fetch-site", "cross-site"),
        ];
        for request in foreign {
            browser.send(request).await.is(403);
        }
    }
    assert_eq!(digest(&world), before);
}

#[tokio::test]
async fn sessions_begin_with_the_right_secret_and_end_when_told() {
    let world = World::fresh();
    let mut browser = Browser::open(&world);
    browser.get("/portal/sign-in").await;
    let strangers_token = browser.csrf();
    for name in ["ann", "nobody at all", CLIENT_ID, "0", ""] {
        let fields = [("name", name), ("secret", "wrong")];
        let page = browser.post("/portal/sign-in", &fields).await;
        page.is(401).has("InvalidCredentials").has("Check the name or client id").lacks("wrong\"");
        assert!(!browser.cookies.contains_key("__Host-coffre-session"));
    }
    let page = browser.sign_in("ann").await;
    let cookies: Vec<&str> =
        page.headers.get_all("set-cookie").iter().map(|it| it.to_str().unwrap()).collect();
    for cookie in &cookies {
        for mark in ["__Host-", "Path=/", "HttpOnly", "Secure", "SameSite=Strict"] {
            assert!(cookie.contains(mark), "{cookie}");
        }
    }
    // The form token of before the sign-in is worth nothing after it.
    assert_ne!(browser.csrf(), strangers_token);
    browser.get("/portal/").await.is(200).has("ann");
    let stolen = browser.cookies.clone();
    assert_eq!(browser.post("/portal/sign-out", &[]).await.is(303).location(), "/portal/sign-in");
    browser.get("/portal/").await.is(303);
    browser.cookies = stolen;
    browser.get("/portal/").await.is(303);
}

#[tokio::test]
async fn sessions_end_by_themselves_and_roles_count_at_once() {
    let world = World::full();
    let mut browser = Browser::signed_in(&world).await;
    world.pass(9 * 3600);
    browser.get("/portal/").await.is(303);

    let mut reader = Browser::open(&world);
    reader.sign_in("reader").await.is(303);
    let item = world.item(WEB).id;
    let page =
        reader.post(&format!("/portal/items/{item}/backup"), &[("until", "2027-01-01")]).await;
    page.is(403).has("AuthorizationFailed").has("may not start backups");
    let page = reader.post("/portal/vms/refresh", &[]).await;
    page.is(403).has("AuthorizationFailed").has("<h1>");

    let mut nobody = Browser::open(&world);
    nobody.sign_in("nobody").await.is(303);
    nobody.get("/portal/").await.is(403).has("may not read resources");
    nobody.post("/portal/sign-out", &[]).await.is(303);
}

#[tokio::test]
async fn a_program_on_another_device_is_let_in_by_its_code() {
    use coffre_control::device::Answer;
    let world = World::fresh();
    let mut browser = Browser::signed_in(&world).await;
    let now = (world.state().clock)();
    let begin = |device: &str, first| {
        world.devices.begin(device.to_owned(), [first, 2, 3, 4, 5, 6, 7, 8], now).unwrap()
    };
    let (one, two) = (begin("one", 1), begin("two", 2));
    browser.get("/portal/device").await.is(200).has("coffre-admin");
    let wrong = [("code", "ZZZZ-ZZZZ"), ("answer", "allow")];
    browser.post("/portal/device", &wrong).await.is(400).has("code-wrong");
    let small = one.to_lowercase();
    browser.post("/portal/device", &[("code", &small), ("answer", "allow")]).await.is(200);
    assert_eq!(world.devices.ask("one", now), Answer::Allowed(CLIENT_ID.parse().unwrap()));
    browser.post("/portal/device", &[("code", &two), ("answer", "refuse")]).await.is(200);
    assert_eq!(world.devices.ask("two", now), Answer::Refused);
    // Nobody who is not signed in gets to the form, and comes back to it after signing in.
    let page = Browser::open(&world).get("/portal/device").await;
    assert!(page.location().contains("next="), "{}", page.location());
}
