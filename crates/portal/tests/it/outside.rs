//! Signing in through an outside provider: who comes back, and who does not belong to who left.

use std::sync::{Arc, Mutex};

use coffre_control::factor::{FactorKey, code_at};
use coffre_control::usecase::{
    NewPrincipal, OutsideIdentity, begin_factor, confirm_factor, create_principal,
};
use coffre_control::{Caller, Cx, Role};
use coffre_portal::PortalState;
use coffre_portal::provider::{Flow, Provider, ProviderFault};
use jiff::Timestamp;

use crate::world::browser::{Browser, Page};
use crate::world::*;

/// Says of everybody who brings the code `good` what it is told to say.
struct Fake(Mutex<OutsideIdentity>);

impl Provider for Fake {
    fn label(&self) -> &str {
        "<Acme>"
    }

    fn address(&self, flow: &Flow, redirect: &str) -> Result<String, ProviderFault> {
        Ok(format!("https://acme.test/authorize?state={}&back={redirect}", flow.state))
    }

    fn identity(
        &self,
        code: &str,
        _: &Flow,
        _: &str,
        _: Timestamp,
    ) -> Result<OutsideIdentity, ProviderFault> {
        if code != "good" {
            return Err(ProviderFault::Refused("<script>".to_owned()));
        }
        Ok(self.0.lock().unwrap().clone())
    }
}

fn identity(subject: &str, email: Option<&str>) -> OutsideIdentity {
    OutsideIdentity {
        issuer: "https://acme.test".to_owned(),
        subject: subject.to_owned(),
        email: email.map(str::to_owned),
    }
}

/// A world with `ann@acme.test`, and a provider that says this.
fn outside(said: OutsideIdentity) -> (World, Arc<Fake>, PortalState) {
    let world = World::fresh();
    let input = NewPrincipal {
        name: "ann@acme.test".to_owned(),
        kind: coffre_control::model::PrincipalKind::User,
        roles: vec![Role::Owner],
        secret_hash: "none".to_owned(),
    };
    world.act(|tx, cx| create_principal(tx, cx, input)).unwrap();
    let fake = Arc::new(Fake(Mutex::new(said)));
    let state = PortalState { provider: Some(fake.clone()), ..world.state() };
    (world, fake, state)
}

/// To the provider; the state with which it sends back.
async fn leave(browser: &mut Browser) -> String {
    let page = browser.get("/portal/sign-in/provider?next=/portal/jobs").await;
    let address = page.is(303).location();
    assert!(address.ends_with("&back=https://coffre.test:8443/portal/sign-in/provider/back"));
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("-flow=") && cookie.contains("SameSite=Lax"), "{cookie}");
    address.split("state=").nth(1).unwrap().split('&').next().unwrap().to_owned()
}

async fn back(browser: &mut Browser, code: &str, state: &str) -> Page {
    browser.get(&format!("/portal/sign-in/provider/back?code={code}&state={state}")).await
}

fn is_signed_in(browser: &Browser) -> bool {
    browser.cookies.contains_key("__Host-coffre-session")
}

#[tokio::test]
async fn whom_the_provider_vouches_for_is_signed_in() {
    let (world, fake, state) = outside(identity("1", Some("Ann@acme.test")));
    let mut browser = Browser::with(state.clone());
    let page = browser.get("/portal/sign-in?next=/portal/jobs").await;
    page.has("Sign in with").lacks("<Acme>").has("/portal/sign-in/provider?next=%2Fportal%2Fjobs");
    let returned = leave(&mut browser).await;
    let page = back(&mut browser, "good", &returned).await;
    page.is(200).has("url=/portal/jobs");
    browser.get("/portal/jobs").await.is(200).has("ann@acme.test");
    browser.get("/portal/activity").await.has("signs in through https://acme.test");

    // From then on it is the provider's name for them that counts.
    *fake.0.lock().unwrap() = identity("1", None);
    let mut again = Browser::with(state.clone());
    let returned = leave(&mut again).await;
    back(&mut again, "good", &returned).await.is(200);
    assert!(is_signed_in(&again));
    *fake.0.lock().unwrap() = identity("2", Some("ann@acme.test"));
    let mut heir = Browser::with(state);
    let returned = leave(&mut heir).await;
    back(&mut heir, "good", &returned).await.is(401).has("InvalidCredentials");
    assert!(!is_signed_in(&heir), "who was given the address later is somebody else");
    drop(world);
}

#[tokio::test]
async fn strangers_and_answers_to_no_question_are_refused() {
    for said in [
        identity("1", Some("bob@acme.test")),
        identity("1", None),
        // No address, but the name of somebody; and a program.
        identity("1", Some("ann")),
        identity("1", Some("coffre-admin")),
    ] {
        let (_world, _, state) = outside(said);
        let mut browser = Browser::with(state);
        let returned = leave(&mut browser).await;
        back(&mut browser, "good", &returned).await.is(401).has("nobody with your address");
        assert!(!is_signed_in(&browser));
    }
    let (world, _, state) = outside(identity("1", Some("ann@acme.test")));
    let mut browser = Browser::with(state.clone());
    let returned = leave(&mut browser).await;
    back(&mut browser, "good", "another").await.is(401).lacks("<script>");
    // It is over with that, also with the right state.
    back(&mut browser, "good", &returned).await.is(401);
    let returned = leave(&mut browser).await;
    back(&mut browser, "bad", &returned).await.is(401).lacks("<script>").lacks("script&");
    back(&mut browser, "good", &returned).await.is(401);
    let returned = leave(&mut browser).await;
    world.pass(600);
    back(&mut browser, "good", &returned).await.is(401);
    let returned = leave(&mut browser).await;
    let denied = format!("/portal/sign-in/provider/back?error=access_denied&state={returned}");
    browser.get(&denied).await.is(401).has("failed");
    // Another browser with this one's answer: nobody is signed in as who they are not.
    let returned = leave(&mut browser).await;
    let mut victim = Browser::with(state);
    victim.get("/portal/sign-in").await;
    back(&mut victim, "good", &returned).await.is(401);
    assert!(!is_signed_in(&victim) && !is_signed_in(&browser));
    back(&mut browser, "good", &returned).await.is(200);
    assert!(is_signed_in(&browser));
}

#[tokio::test]
async fn codes_are_asked_for_on_this_way_too() {
    let (world, _, state) = outside(identity("1", Some("ann@acme.test")));
    let (key, secret) = (FactorKey::new(&[5; 32]), [7; 20]);
    world
        .act(|tx, cx| {
            let ann = tx.principal_named("ann@acme.test")?.unwrap();
            let caller =
                Caller { principal: ann.id, name: ann.name, roles: Vec::new(), grants: Vec::new() };
            let cx = Cx { caller: &caller, ..*cx };
            begin_factor(tx, &cx, &key, &secret, [3; 12])?;
            confirm_factor(tx, &cx, &key, &code_at(&secret, cx.now), &[[5; 10]; 10])
        })
        .unwrap();
    world.pass(60);
    let mut browser = Browser::with(state);
    let returned = leave(&mut browser).await;
    let page = back(&mut browser, "good", &returned).await;
    page.is(200).has("url=/portal/sign-in/code?next=%2Fportal%2Fjobs");
    assert!(!is_signed_in(&browser));
    let code = code_at(&secret, world.now());
    browser.post("/portal/sign-in/code", &[("code", &code)]).await.is(303);
    assert!(is_signed_in(&browser));
}

#[tokio::test]
async fn without_a_provider_there_is_no_way_to_one() {
    let world = World::fresh();
    let mut browser = Browser::open(&world);
    browser.get("/portal/sign-in").await.is(200).lacks("/portal/sign-in/provider");
    browser.get("/portal/sign-in/provider").await.is(404);
    browser.get("/portal/sign-in/provider/back?code=good&state=x").await.is(404);
}
