//! Codes beside the password: from the picture for an app to the sign-in without a device; and who guesses.

use coffre_control::factor::code_at;

use crate::world::browser::{Browser, Page};
use crate::world::*;

/// What stands in the page's element of this id.
fn element(page: &Page, id: &str) -> String {
    let (_, rest) = page.body.split_once(&format!("id=\"{id}\">")).unwrap();
    rest.split("</").next().unwrap().to_owned()
}

/// The bytes behind letters of base 32.
fn bytes_of(text: &str) -> Vec<u8> {
    let value = |letter: u8| match letter {
        b'A'..=b'Z' => u32::from(letter - b'A'),
        _ => u32::from(letter - b'2') + 26,
    };
    let (mut bytes, mut held, mut bits) = (Vec::new(), 0_u32, 0);
    for letter in text.bytes() {
        held = held << 5 | value(letter);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 0xff) as u8);
        }
    }
    bytes
}

/// Sets up an app for whoever is signed in; the secret, and the page with the recovery codes.
async fn enrol(world: &World, browser: &mut Browser) -> (Vec<u8>, Vec<String>) {
    browser.get("/portal/settings/codes").await.is(200).has("Set up an app");
    browser.post("/portal/settings/codes", &[("do", "begin")]).await.is(303);
    let page = browser.get("/portal/settings/codes").await;
    page.is(200).has("<svg").lacks("<?xml");
    let secret = bytes_of(&element(&page, "codes-secret"));
    assert_eq!(secret.len(), 20);
    let wrong = [("do", "confirm"), ("code", "000000")];
    browser.post("/portal/settings/codes", &wrong).await.is(400).has("code-wrong");
    let code = code_at(&secret, world.now());
    let done = browser.post("/portal/settings/codes", &[("do", "confirm"), ("code", &code)]).await;
    let list = element(&done, "recovery-codes");
    assert!(list.is_empty() || list.starts_with("<li>"), "{list}");
    let (_, list) = done.is(200).body.split_once("id=\"recovery-codes\">").unwrap();
    let codes: Vec<String> = list
        .split("<li><code>")
        .skip(1)
        .map(|it| it.split('<').next().unwrap().to_owned())
        .collect();
    assert_eq!(codes.len(), 10);
    let page = browser.get("/portal/settings/codes").await;
    page.has("Recovery codes left").lacks(&codes[0]).lacks("codes-secret");
    (secret, codes)
}

async fn type_code(browser: &mut Browser, code: &str) -> Page {
    browser.post("/portal/sign-in/code", &[("code", code), ("next", "/portal/jobs")]).await
}

fn is_signed_in(browser: &Browser) -> bool {
    browser.cookies.contains_key("__Host-coffre-session")
}

#[tokio::test]
async fn a_code_is_asked_for_beside_the_password_and_is_good_once() {
    let world = World::fresh();
    let state = world.state();
    let mut first = Browser::with(state.clone());
    first.sign_in("ann").await.is(303);
    let (secret, _) = enrol(&world, &mut first).await;
    assert_eq!(first.get("/portal/").await.status, 200, "this session goes on");

    let mut browser = Browser::with(state);
    let page = browser.sign_in("ann").await;
    assert!(page.is(303).location().starts_with("/portal/sign-in/code"), "{}", page.location());
    assert!(!is_signed_in(&browser));
    browser.get("/portal/sign-in/code").await.is(200).has("one-time-code");
    browser.get("/portal/").await.is(303);
    // The code of the enrolment was used then.
    type_code(&mut browser, &code_at(&secret, world.now())).await.is(401).has("code is wrong");
    assert!(!is_signed_in(&browser));
    world.pass(30);
    let code = code_at(&secret, world.now());
    assert_eq!(type_code(&mut browser, &code).await.is(303).location(), "/portal/jobs");
    assert!(is_signed_in(&browser) && !browser.cookies.contains_key("__Host-coffre-half"));
    browser.get("/portal/").await.is(200);

    let mut thief = Browser::open(&world);
    thief.get("/portal/sign-in").await;
    type_code(&mut thief, &code).await.is(303);
    assert!(!is_signed_in(&thief), "a code without a password is nothing");
    let mut second = Browser::open(&world);
    second.sign_in("ann").await.is(303);
    type_code(&mut second, &code).await.is(401);
    world.pass(5 * 60);
    let page = type_code(&mut second, &code_at(&secret, world.now())).await;
    assert_eq!(page.is(303).location(), "/portal/sign-in", "it took too long");
}

#[tokio::test]
async fn other_sessions_end_when_codes_begin() {
    let world = World::fresh();
    let state = world.state();
    let (mut here, mut there) = (Browser::with(state), Browser::open(&world));
    here.sign_in("ann").await.is(303);
    // The same portal, another browser.
    std::mem::swap(&mut there.cookies, &mut here.cookies);
    here.sign_in("ann").await.is(303);
    enrol(&world, &mut here).await;
    let mine = std::mem::replace(&mut here.cookies, there.cookies);
    here.get("/portal/").await.is(303);
    here.cookies = mine;
    here.get("/portal/").await.is(200);
}

#[tokio::test]
async fn a_recovery_code_is_good_for_one_sign_in() {
    let world = World::fresh();
    let mut browser = Browser::open(&world);
    browser.sign_in("ann").await.is(303);
    let (_, codes) = enrol(&world, &mut browser).await;
    for (code, status) in [(codes[3].to_uppercase(), 303), (codes[3].clone(), 401)] {
        let mut other = Browser::open(&world);
        other.sign_in("ann").await.is(303);
        type_code(&mut other, &code).await.is(status);
        assert_eq!(is_signed_in(&other), status == 303);
    }
    browser.get("/portal/settings/codes").await.has("<dd>9</dd>");
    browser.get("/portal/activity").await.has("signed in with a recovery code, 9 left");
    // What is kept tells no code and no secret.
    let kept = world.act(|tx, cx| {
        Ok(tx.setting(&format!("second_factor.{}", cx.caller.principal))?.unwrap().value)
    });
    let kept = kept.unwrap();
    assert!(codes.iter().all(|code| !kept.contains(code.as_str())), "{kept}");
}

#[tokio::test]
async fn codes_are_turned_off_with_a_code_or_by_somebody_who_says_who_signs_in() {
    let world = World::fresh();
    let mut browser = Browser::open(&world);
    browser.sign_in("reader").await.is(303);
    let (secret, _) = enrol(&world, &mut browser).await;
    let off = |code: &str| {
        vec![("do".to_owned(), "off".to_owned()), ("code".to_owned(), code.to_owned())]
    };
    let send = async |browser: &mut Browser, fields: Vec<(String, String)>| {
        let fields: Vec<(&str, &str)> =
            fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        browser.post("/portal/settings/codes", &fields).await
    };
    send(&mut browser, off("123")).await.is(400).has("code is wrong");
    world.pass(60);
    send(&mut browser, off(&code_at(&secret, world.now()))).await.is(303);
    let mut again = Browser::open(&world);
    assert_eq!(again.sign_in("reader").await.is(303).location(), "/portal/");

    enrol(&world, &mut browser).await;
    let reader = uuid::Uuid::from_u128(0xcc);
    let reset = format!("/portal/settings/access/{reader}/codes");
    browser.post(&reset, &[]).await.is(303);
    let mut other = Browser::open(&world);
    assert_eq!(other.sign_in("reader").await.location(), "/portal/sign-in/code?next=%2Fportal%2F");
    let mut owner = Browser::signed_in(&world).await;
    owner.get("/portal/settings/access").await.has("Turn codes off");
    owner.post(&reset, &[]).await.is(303);
    owner.get("/portal/settings/access").await.lacks("Turn codes off");
    owner.get("/portal/activity").await.has("reader: no codes at sign-in");
    let mut third = Browser::open(&world);
    assert_eq!(third.sign_in("reader").await.location(), "/portal/");
}

#[tokio::test]
async fn letting_a_device_in_asks_for_a_code_again() {
    let world = World::fresh();
    let mut browser = Browser::open(&world);
    browser.sign_in("ann").await.is(303);
    let (secret, _) = enrol(&world, &mut browser).await;
    let now = world.now();
    let user = world.devices.begin("long".to_owned(), [1, 2, 3, 4, 5, 6, 7, 8], now).unwrap();
    browser.get("/portal/device").await.has("name=\"own\"");
    let fields = [("code", user.as_str()), ("answer", "allow")];
    browser.post("/portal/device", &fields).await.is(400).has("code is wrong");
    world.pass(30);
    let own = code_at(&secret, world.now());
    let unknown = [("code", "ZZZZ-ZZZZ"), ("answer", "allow"), ("own", own.as_str())];
    browser.post("/portal/device", &unknown).await.is(400).has("is not known");
    let fields = [("code", user.as_str()), ("answer", "allow"), ("own", own.as_str())];
    browser.post("/portal/device", &fields).await.is(200).has("is signed in now");
    let ann = coffre_control::id::PrincipalId(uuid::Uuid::from_u128(0xbb));
    assert_eq!(
        world.devices.ask("long", world.now()),
        coffre_control::device::Answer::Allowed(ann)
    );
}

#[tokio::test]
async fn who_guesses_is_held_back_and_others_are_not() {
    let world = World::fresh();
    let mut browser = Browser::open(&world);
    browser.get("/portal/sign-in").await;
    let wrong = [("name", "Reader"), ("secret", "guess")];
    for _ in 0..6 {
        browser.post("/portal/sign-in", &wrong).await.is(401);
    }
    let page = browser.post("/portal/sign-in", &wrong).await;
    assert_eq!(page.is(429).headers["retry-after"], "1");
    page.has("too many wrong tries");
    // The right secret is not looked at either, until the wait is over.
    browser.sign_in("reader").await.is(429);
    browser.sign_in("ann").await.is(303);
    let activity = browser.get("/portal/activity").await;
    activity.has("reader: sign-in held back for 1 s after wrong tries from an unknown address");
    world.pass(1);
    let mut other = Browser::open(&world);
    other.sign_in("reader").await.is(303);

    let mut spanish = Browser::open(&world);
    spanish.language = "es";
    spanish.get("/portal/sign-in").await;
    for _ in 0..6 {
        spanish.post("/portal/sign-in", &[("name", "x"), ("secret", "guess")]).await;
    }
    let page = spanish.post("/portal/sign-in", &[("name", "x"), ("secret", "guess")]).await;
    page.is(429).has("demasiados intentos");
}

#[tokio::test]
async fn codes_cannot_be_guessed_either() {
    let world = World::fresh();
    let mut browser = Browser::open(&world);
    browser.sign_in("ann").await.is(303);
    enrol(&world, &mut browser).await;
    world.pass(60);
    let mut thief = Browser::open(&world);
    thief.sign_in("ann").await.is(303);
    for n in 0..4 {
        type_code(&mut thief, &format!("00000{n}")).await.is(401);
    }
    let page = type_code(&mut thief, "000009").await;
    assert_eq!(page.is(303).location(), "/portal/sign-in", "the password is asked for again");
    thief.sign_in("ann").await.is(303);
    type_code(&mut thief, "000010").await.is(401);
    let page = type_code(&mut thief, "000011").await;
    assert_eq!(page.is(429).headers["retry-after"], "1");
    // What a right password cannot shorten: it is the same count.
    thief.sign_in("ann").await.is(429);
}
