//! A small provider behind TLS that can be made to lie.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;

use aws_lc_rs::digest::{SHA256, digest};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, PublicKeyData};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;
const REDIRECT: &str = "https://coffre.test/portal/sign-in/provider/back";

/// What the provider answers with, and what it was asked.
#[derive(Default)]
struct Script {
    /// By path: status and body.
    answers: Vec<(String, (u16, String))>,
    asked: Vec<String>,
}

struct Fake {
    url: String,
    script: Arc<Mutex<Script>>,
    now: Arc<Mutex<i64>>,
    key: KeyPair,
    provider: OpenIdProvider,
    _folder: tempfile::TempDir,
}

fn jwk(key: &KeyPair, kid: &str) -> Value {
    let (x, y) = key.der_bytes()[1..].split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    json!({ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": kid, "x": x, "y": y })
}

impl Fake {
    fn new() -> Fake {
        let folder = tempfile::tempdir().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()])
            .unwrap()
            .signed_by(&key, &authority);
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let crypto = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ServerConfig::builder_with_provider(crypto)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.unwrap().der().clone()], key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let script: Arc<Mutex<Script>> = Arc::default();
        let asked = Arc::clone(&script);
        std::thread::spawn(move || serve(&listener, &Arc::new(tls), &asked));
        let (ca, secret) = (folder.path().join("ca.pem"), folder.path().join("secret"));
        std::fs::write(&ca, authority.pem()).unwrap();
        std::fs::write(&secret, "s3cr:et\n").unwrap();
        let config = OpenId {
            issuer: url.clone(),
            client_id: "coffre".to_owned(),
            client_secret_file: Some(secret),
            label: None,
            ca: Some(ca),
        };
        let now = Arc::new(Mutex::new(NOW));
        let clock = Arc::clone(&now);
        let clock = move || Timestamp::from_second(*clock.lock().unwrap()).unwrap();
        let provider = OpenIdProvider::new(&config, Arc::new(clock)).unwrap();
        let key = KeyPair::generate().unwrap();
        let fake = Fake { url, script, now, key, provider, _folder: folder };
        fake.answer("/.well-known/openid-configuration", 200, &fake.document().to_string());
        fake.answer("/keys", 200, &json!({ "keys": [jwk(&fake.key, "one")] }).to_string());
        fake
    }

    fn document(&self) -> Value {
        let url = &self.url;
        json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "jwks_uri": format!("{url}/keys"),
        })
    }

    fn answer(&self, path: &str, status: u16, body: &str) {
        let mut script = self.script.lock().unwrap();
        script.answers.retain(|(known, _)| known != path);
        script.answers.push((path.to_owned(), (status, body.to_owned())));
    }

    fn claims(&self) -> Value {
        json!({
            "iss": self.url, "aud": "coffre", "sub": "248289", "nonce": "n-1", "iat": NOW,
            "exp": NOW + 300, "email": "ann@coffre.test", "email_verified": true,
        })
    }

    fn signed(&self, claims: &Value) -> String {
        let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_der(self.key.serialized_der());
        jsonwebtoken::encode(&header, claims, &key).unwrap()
    }

    fn identity_of(&self, token: &str) -> Result<OutsideIdentity, ProviderFault> {
        self.answer("/token", 200, &json!({ "id_token": token }).to_string());
        let now = Timestamp::from_second(*self.now.lock().unwrap()).unwrap();
        self.provider.identity("the code", &flow(), REDIRECT, now)
    }

    fn asked(&self, path: &str) -> Vec<String> {
        let script = self.script.lock().unwrap();
        script.asked.iter().filter(|it| it.contains(path)).cloned().collect()
    }

    fn must_refuse(&self, token: &str, why: &str) {
        match self.identity_of(token) {
            Err(ProviderFault::Refused(said)) => assert!(said.contains(why), "{said}, not {why}"),
            other => panic!("{why}: {other:?}"),
        }
    }
}

fn flow() -> Flow {
    Flow { state: "s-1".to_owned(), nonce: "n-1".to_owned(), verifier: "v".repeat(64) }
}

fn serve(listener: &TcpListener, tls: &Arc<ServerConfig>, script: &Mutex<Script>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else { return };
        let Ok(connection) = rustls::ServerConnection::new(Arc::clone(tls)) else { return };
        let mut stream = BufReader::new(rustls::StreamOwned::new(connection, stream));
        let (mut head, mut length) = (String::new(), 0);
        while stream.read_line(&mut head).is_ok_and(|read| read > 2) {
            let last = head.lines().last().unwrap_or_default().to_ascii_lowercase();
            if let Some(value) = last.strip_prefix("content-length: ") {
                length = value.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        let _ = stream.read_exact(&mut body);
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut script = script.lock().unwrap();
        script.asked.push(format!("{head}{}", String::from_utf8_lossy(&body)));
        let found = script.answers.iter().find(|(known, _)| *known == path);
        let (status, text) = found.map_or((404, String::new()), |(_, answer)| answer.clone());
        let length = text.len();
        let location = if status == 302 { format!("location: {text}\r\n") } else { String::new() };
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n{location}connection: close\r\n\r\n{text}"
        );
        let _ = stream.get_mut().write_all(answer.as_bytes());
        stream.get_mut().conn.send_close_notify();
        let _ = stream.get_mut().flush();
    }
}

#[test]
fn somebody_is_sent_there_and_who_comes_back_is_known() {
    let fake = Fake::new();
    assert!(fake.provider.label().starts_with("localhost:"));
    let address = fake.provider.address(&flow(), REDIRECT).unwrap();
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, flow().verifier.as_bytes()));
    for part in [
        &*format!("{}/authorize?response_type=code&client_id=coffre", fake.url),
        "scope=openid%20email%20profile",
        "state=s%2D1",
        "nonce=n%2D1",
        &word(&challenge),
        "code_challenge_method=S256",
        &word(REDIRECT),
    ] {
        assert!(address.contains(part), "{part} in {address}");
    }
    assert!(!address.contains(&flow().verifier));

    let identity = fake.identity_of(&fake.signed(&fake.claims())).unwrap();
    assert_eq!((&*identity.issuer, &*identity.subject), (&*fake.url, "248289"));
    assert_eq!(identity.email.as_deref(), Some("ann@coffre.test"));
    let asked = fake.asked("POST /token").pop().unwrap();
    assert!(asked.contains("code=the%20code") && asked.contains(&flow().verifier), "{asked}");
    // The parts of the pair are encoded before they are put together: the secret has a colon.
    assert!(asked.contains(&STANDARD.encode("coffre:s3cr%3Aet")), "{asked}");
    assert_eq!(fake.asked("openid-configuration").len(), 1, "what it says of itself is kept");
}

#[test]
fn an_address_counts_only_when_the_provider_checked_it() {
    let fake = Fake::new();
    for (verified, counts) in [
        (json!(true), true),
        (json!("true"), true),
        (json!(false), false),
        (json!("no"), false),
        (Value::Null, false),
    ] {
        let mut claims = fake.claims();
        claims["email_verified"] = verified;
        let identity = fake.identity_of(&fake.signed(&claims)).unwrap();
        assert_eq!(identity.email.is_some(), counts, "{claims}");
    }
}

#[test]
fn tokens_that_say_something_else_are_refused() {
    let fake = Fake::new();
    let other_client = "the token is for another client";
    for (name, value, why) in [
        ("iss", json!("https://evil.test"), "another issuer"),
        ("aud", json!("somebody"), other_client),
        ("aud", json!(["coffre", "somebody"]), other_client),
        ("aud", json!([]), other_client),
        ("azp", json!("somebody"), other_client),
        ("nonce", json!("n-2"), "another question"),
        ("nonce", Value::Null, "another question"),
        ("exp", json!(NOW - 60), "has ended"),
        ("iat", json!(NOW + 61), "not good yet"),
        ("nbf", json!(NOW + 61), "not good yet"),
        ("sub", json!(""), "names nobody"),
        ("sub", json!("x".repeat(256)), "names nobody"),
        ("exp", Value::Null, "no identity"),
        ("sub", Value::Null, "no identity"),
    ] {
        let mut claims = fake.claims();
        claims[name] = value;
        fake.must_refuse(&fake.signed(&claims), why);
    }
    let mut claims = fake.claims();
    claims["aud"] = json!(["coffre", "somebody"]);
    claims["azp"] = json!("coffre");
    fake.identity_of(&fake.signed(&claims)).expect("it was made for us among others");
}

#[test]
fn tokens_that_somebody_else_signed_are_refused() {
    let fake = Fake::new();
    let claims = fake.claims();
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let none = format!("{}.{}.", part(&json!({ "alg": "none" })), part(&claims));
    fake.must_refuse(&none, "algorithm");
    // The public key as the secret of a symmetric algorithm.
    let keys = fake.script.lock().unwrap().answers[1].1.1.clone();
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
    let symmetric = EncodingKey::from_secret(keys.as_bytes());
    fake.must_refuse(&jsonwebtoken::encode(&header, &claims, &symmetric).unwrap(), "algorithm");
    // The name of the right key, and another key.
    let other = KeyPair::generate().unwrap();
    let stranger = EncodingKey::from_ec_der(other.serialized_der());
    let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::ES256) };
    fake.must_refuse(&jsonwebtoken::encode(&header, &claims, &stranger).unwrap(), "signature");
    // A key that it brings along.
    let mut header = Header { kid: Some("two".to_owned()), ..Header::new(Algorithm::ES256) };
    header.jku = Some(format!("{}/evil", fake.url));
    fake.must_refuse(&jsonwebtoken::encode(&header, &claims, &stranger).unwrap(), "not known");
    assert!(fake.asked("/evil").is_empty());
    let good = fake.signed(&claims);
    fake.must_refuse(&good[..good.len() - 2], "signature");
    fake.must_refuse(&"a".repeat(17 << 10), "algorithm");
}

#[test]
fn a_new_key_is_looked_for_but_not_for_every_token() {
    let fake = Fake::new();
    fake.identity_of(&fake.signed(&fake.claims())).unwrap();
    let next = KeyPair::generate().unwrap();
    let header = Header { kid: Some("two".to_owned()), ..Header::new(Algorithm::ES256) };
    let key = EncodingKey::from_ec_der(next.serialized_der());
    let token = jsonwebtoken::encode(&header, &fake.claims(), &key).unwrap();
    fake.answer("/keys", 200, &json!({ "keys": [jwk(&next, "two")] }).to_string());
    fake.must_refuse(&token, "not known");
    assert_eq!(fake.asked("GET /keys").len(), 1);
    *fake.now.lock().unwrap() += LOOK_SECS_MIN;
    fake.identity_of(&token).unwrap();
    assert_eq!(fake.asked("GET /keys").len(), 2);
}

#[test]
fn a_provider_that_is_none_is_not_used() {
    let document = "/.well-known/openid-configuration";
    let fake = Fake::new();
    let unusable = |why: &str| match fake.provider.address(&flow(), REDIRECT) {
        Err(ProviderFault::Unusable(said)) => assert!(said.contains(why), "{said}, not {why}"),
        other => panic!("{why}: {other:?}"),
    };
    fake.answer(document, 302, &format!("{}/elsewhere", fake.url));
    unusable("302");
    assert!(fake.asked("/elsewhere").is_empty(), "redirects are not followed");
    fake.answer(document, 500, "");
    unusable("500");
    fake.answer(document, 200, &" ".repeat(300 << 10));
    unusable("openid-configuration");
    fake.answer(document, 200, &"[".repeat(100_000));
    unusable("openid-configuration");
    for (name, value, why) in [
        ("issuer", "https://evil.test".to_owned(), "another issuer"),
        ("token_endpoint", "http://localhost/token".to_owned(), "not one of HTTPS"),
        ("jwks_uri", "file:///etc/passwd".to_owned(), "not one of HTTPS"),
        ("authorization_endpoint", "https://h/\r\nx".to_owned(), "not one of HTTPS"),
    ] {
        let mut lie = fake.document();
        lie[name] = json!(value);
        fake.answer(document, 200, &lie.to_string());
        unusable(why);
    }
    fake.answer(document, 200, &fake.document().to_string());
    fake.provider.address(&flow(), REDIRECT).unwrap();
    fake.answer("/token", 400, r#"{"error":"invalid_grant"}"#);
    let now = Timestamp::from_second(NOW).unwrap();
    let error = fake.provider.identity("used", &flow(), REDIRECT, now).unwrap_err();
    assert!(matches!(error, ProviderFault::Refused(_)), "{error}");
}

/// Bytes of strangers: cut, changed and made up, none is a token, and none is too much.
#[test]
fn no_bytes_are_an_identity_but_those_that_were_signed() {
    let fake = Fake::new();
    let keys: JwkSet = serde_json::from_value(json!({ "keys": [jwk(&fake.key, "one")] })).unwrap();
    let expected = Expected { issuer: &fake.url, client_id: "coffre", nonce: "n-1", now: NOW };
    let good = fake.signed(&fake.claims());
    assert!(id_token::identity(&good, &keys, &expected).is_ok());
    let mut state = 1_u64;
    let mut random = |below: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for _ in 0..5000 {
        let mut bytes = good.clone().into_bytes();
        for _ in 0..=random(3) {
            let at = random(bytes.len());
            match random(3) {
                0 => bytes[at] = b"abcXYZ019-_.={"[random(14)],
                1 => bytes.truncate(at.max(1)),
                _ => bytes.insert(at, b"aZ9._"[random(5)]),
            }
        }
        let text = String::from_utf8(bytes).unwrap();
        // The last letter of a signature has bits that say nothing; the text is another then, not what it says.
        let told = id_token::identity(&text, &keys, &expected);
        assert!(
            told.is_err()
                || text.rsplit_once('.').map(|it| it.0) == good.rsplit_once('.').map(|it| it.0),
            "{text}"
        );
        let _: Result<JwkSet, _> = serde_json::from_str(&text);
    }
}
