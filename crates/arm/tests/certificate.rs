//! Signing in with a certificate instead of a secret.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use coffre_control::port::tx;
use coffre_control::usecase::{add_certificate, read_certificate, remove_certificate};
use coffre_control::{Caller, Cx, ErrorCode, Refusal};
use rcgen::{CertificateParams, KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey as _};
use serde_json::{Value, json};
use uuid::Uuid;

mod world;

use world::{Answer, OWNER, READER, World};

const TOKEN: &str = "/adfs/oauth2/token";

/// A key, and the certificate of it as PEM.
fn certificate(until: i32) -> (KeyPair, String) {
    let key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
    let mut params = CertificateParams::default();
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    params.serial_number = Some(vec![0x5e, 0x01].into());
    let pem = params.self_signed(&key).unwrap().pem();
    (key, pem)
}

fn as_owner<T>(
    world: &World,
    work: impl FnOnce(&mut dyn coffre_control::port::Tx, &Cx<'_>) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let caller = Caller::system();
    let cx = Cx::new(&caller, (world.state.clock)(), &Uuid::new_v4);
    tx(&*world.db, "test", |tx| work(tx, &cx))
}

fn enrol(world: &World, pem: &str) {
    let id = OWNER.parse().unwrap();
    as_owner(world, |tx, cx| add_certificate(tx, cx, id, read_certificate(pem)?)).unwrap();
}

/// What a client writes: times with fractions, the address of the token endpoint as audience.
fn claims(world: &World) -> Value {
    let now = (world.state.clock)().as_second() as f64 + 0.25;
    json!({
        "aud": format!("{}{TOKEN}", world.state.public_url),
        "iss": OWNER, "sub": OWNER, "jti": Uuid::new_v4(),
        "nbf": now, "iat": now, "exp": now + 600.0,
    })
}

fn signed(key: &KeyPair, algorithm: &str, claims: &Value) -> String {
    let head = json!({ "alg": algorithm, "typ": "JWT", "x5t": "AAAA" });
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let text = format!("{}.{}", part(&head), part(claims));
    let signature = URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()).unwrap());
    format!("{text}.{signature}")
}

async fn sign_in(world: &World, client: &str, assertion: &str) -> Answer {
    let form = format!(
        "client_id={client}&grant_type=client_credentials&scope=x&client_info=1\
         &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion={assertion}"
    );
    let request = Request::post(TOKEN)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form));
    world.send(request.unwrap()).await
}

#[tokio::test]
async fn a_program_signs_in_with_its_certificate() {
    let world = World::new();
    let (key, pem) = certificate(2030);
    let assertion = signed(&key, "RS256", &claims(&world));
    let answer = sign_in(&world, OWNER, &assertion).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "nobody knows the certificate yet");
    // A file that holds the private key too is taken, and the key is not kept.
    enrol(&world, &format!("{}{pem}", key.serialize_pem()));
    let answer = sign_in(&world, OWNER, &assertion).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let token = answer.body["access_token"].as_str().unwrap();
    let listed = world.call_as(token, "GET", "/subscriptions", Value::Null).await;
    assert_eq!(listed.status, StatusCode::OK);
    // The secret is still good; taking the certificate away ends its use at once.
    let id = OWNER.parse().unwrap();
    as_owner(&world, |tx, cx| remove_certificate(tx, cx, id, "5e01")).unwrap();
    assert_eq!(sign_in(&world, OWNER, &assertion).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn what_is_not_signed_for_here_and_now_is_refused() {
    let world = World::new();
    let (key, pem) = certificate(2030);
    enrol(&world, &pem);
    let with = |name: &str, value: Value| {
        let mut claims = claims(&world);
        claims[name] = value;
        claims
    };
    let now = (world.state.clock)().as_second();
    let other = certificate(2030).0;
    let good = signed(&key, "RS256", &claims(&world));
    let bare = format!("{}.", good.rsplit_once('.').unwrap().0);
    for (why, client, assertion) in [
        ("another key", OWNER, signed(&other, "RS256", &claims(&world))),
        ("another program", READER, good.clone()),
        ("another issuer", OWNER, signed(&key, "RS256", &with("iss", json!(READER)))),
        ("another service", OWNER, signed(&key, "RS256", &with("aud", json!("https://evil/")))),
        ("ended", OWNER, signed(&key, "RS256", &with("exp", json!(now - 61)))),
        ("a year long", OWNER, signed(&key, "RS256", &with("exp", json!(now + 31_536_000)))),
        ("not yet", OWNER, signed(&key, "RS256", &with("nbf", json!(now + 120)))),
        ("no signature", OWNER, bare),
        ("no algorithm", OWNER, signed(&key, "none", &claims(&world))),
        ("a shared key", OWNER, signed(&key, "HS256", &claims(&world))),
        ("no assertion", OWNER, "x.y.z".to_owned()),
        ("nothing", OWNER, String::new()),
    ] {
        let answer = sign_in(&world, client, &assertion).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{why}");
        assert_eq!(answer.body["error"], "invalid_client", "{why}");
        let text = answer.body["error_description"].as_str().unwrap();
        assert!(text.starts_with("AADSTS700027: "), "{text}");
    }
    assert_eq!(sign_in(&world, OWNER, &good).await.status, StatusCode::OK);
}

#[tokio::test]
async fn only_certificates_that_can_serve_are_taken() {
    let world = World::new();
    let refusal = |pem: &str| {
        let id = OWNER.parse().unwrap();
        as_owner(&world, |tx, cx| add_certificate(tx, cx, id, read_certificate(pem)?)).unwrap_err()
    };
    let elliptic = KeyPair::generate().unwrap();
    let elliptic = CertificateParams::default().self_signed(&elliptic).unwrap().pem();
    for pem in ["", "-----BEGIN CERTIFICATE-----", "no PEM at all", elliptic.as_str()] {
        assert_eq!(refusal(pem).code, ErrorCode::InvalidParameter, "{pem}");
    }
    assert!(refusal(&certificate(2020).1).message.contains("expired"));
    // One that ends later signs nobody in any more.
    let (key, pem) = certificate(2027);
    enrol(&world, &pem);
    world.advance(std::time::Duration::from_secs(400 * 86_400));
    let late = signed(&key, "RS256", &claims(&world));
    assert_eq!(sign_in(&world, OWNER, &late).await.status, StatusCode::UNAUTHORIZED);
}
