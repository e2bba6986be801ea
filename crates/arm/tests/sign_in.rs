//! What a client does before its first real request.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use axum::body::Body;
use axum::http::{HeaderValue, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

mod world;

use world::{Answer, OWNER, READER, SECRET, SUBSCRIPTION, TENANT, USER_NAME, World};

async fn get(world: &World, path: &str) -> Answer {
    world.send(Request::get(path).body(Body::empty()).unwrap()).await
}

async fn post_form(world: &World, path: &str, fields: &[(&str, &str)]) -> Answer {
    let form: Vec<String> = fields
        .iter()
        .map(|(name, value)| format!("{name}={}", value.replace(' ', "+").replace('@', "%40")))
        .collect();
    let request = Request::post(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form.join("&")));
    world.send(request.unwrap()).await
}

/// The path of one of our own URLs.
fn path_of(url: &Value) -> String {
    let url = url.as_str().expect("a URL");
    url.strip_prefix("https://coffre.test:8443").expect("a URL of this service").to_owned()
}

async fn token_path(world: &World, configuration: &str) -> String {
    let answer = get(world, configuration).await;
    assert_eq!(answer.status, StatusCode::OK, "{configuration}");
    for name in ["issuer", "authorization_endpoint", "device_authorization_endpoint", "jwks_uri"] {
        path_of(&answer.body[name]);
    }
    path_of(&answer.body["token_endpoint"])
}

fn client_credentials<'a>(id: &'a str, secret: &'a str) -> [(&'a str, &'a str); 4] {
    [
        ("client_id", id),
        ("client_secret", secret),
        ("grant_type", "client_credentials"),
        ("scope", "https%3A%2F%2Fcoffre.test%3A8443%2F%2F.default"),
    ]
}

#[tokio::test]
async fn the_metadata_names_what_cloud_register_requires() {
    let world = World::new();
    let answer = get(&world, "/metadata/endpoints?api-version=2022-09-01").await;
    assert_eq!(answer.status, StatusCode::OK);
    let body = &answer.body;
    assert!(body["name"].is_string() && body["suffixes"].is_object());
    assert_eq!(body["resourceManager"], "https://coffre.test:8443");
    let login = &body["authentication"]["loginEndpoint"];
    assert!(login.as_str().unwrap().ends_with("/adfs"), "needs no setting in the client");
    assert_eq!(body["authentication"]["audiences"][0], "https://coffre.test:8443/");
}

#[tokio::test]
async fn a_program_signs_in_in_both_styles_and_lists_subscriptions() {
    let world = World::new();
    for configuration in [
        "/adfs/.well-known/openid-configuration".to_owned(),
        format!("/{TENANT}/v2.0/.well-known/openid-configuration"),
        "/organizations/v2.0/.well-known/openid-configuration".to_owned(),
        "/adfs/v2.0/.well-known/openid-configuration".to_owned(),
    ] {
        let path = token_path(&world, &configuration).await;
        let answer = post_form(&world, &path, &client_credentials(OWNER, SECRET)).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        assert_eq!(answer.body["token_type"], "Bearer");
        assert!(answer.body["expires_in"].as_i64().unwrap() > 300);
        let token = answer.body["access_token"].as_str().unwrap();
        let answer = world.call_as(token, "GET", "/subscriptions", Value::Null).await;
        assert_eq!(answer.body["value"][0]["subscriptionId"], SUBSCRIPTION);
        assert_eq!(answer.body["value"][0]["state"], "Enabled");
        assert_eq!(answer.body["value"][0]["tenantId"], TENANT);
        assert_eq!(answer.body["count"]["value"], 1);
        let answer = world.call_as(token, "GET", "/tenants", Value::Null).await;
        assert_eq!(answer.body["value"][0]["tenantId"], TENANT);
    }
}

#[tokio::test]
async fn the_tenant_of_the_configuration_is_a_uuid_where_clients_cut_it_out() {
    let world = World::new();
    let answer = get(&world, "/coffre.local/v2.0/.well-known/openid-configuration").await;
    let issuer = path_of(&answer.body["issuer"]);
    assert_eq!(issuer.split('/').nth(1), Some(TENANT));
    assert_eq!(path_of(&answer.body["token_endpoint"]).split('/').nth(1), Some(TENANT));
    let unknown = "/00000000-0000-4000-8000-000000000bad/v2.0/.well-known/openid-configuration";
    let answer = get(&world, unknown).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["error"], "invalid_tenant");
}

#[tokio::test]
async fn wrong_secrets_and_grants_are_refused_in_the_form_of_oauth() {
    let world = World::new();
    let path = "/adfs/oauth2/token";
    for (id, secret) in [(OWNER, "wrong"), ("nobody", SECRET), (OWNER, ""), (USER_NAME, SECRET)] {
        let answer = post_form(&world, path, &client_credentials(id, secret)).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        assert_eq!(answer.body["error"], "invalid_client");
        let text = answer.body["error_description"].as_str().unwrap();
        assert!(text.starts_with("AADSTS7000215: "), "{text}");
        assert_eq!(answer.body["error_codes"][0], 7_000_215);
        assert!(answer.body.get("access_token").is_none());
    }
    let answer = post_form(&world, path, &[("grant_type", "magic")]).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["error"], "unsupported_grant_type");
    let mut fields = client_credentials(OWNER, "").to_vec();
    fields.push(("client_assertion", "x.y.z"));
    let answer = post_form(&world, path, &fields).await;
    assert_eq!(answer.body["error"], "invalid_client");
}

fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn a_user_signs_in_with_a_password_and_stays_signed_in() {
    let world = World::new();
    let client = "04b07795-8ddb-461a-bbee-02f9e1bf7b46";
    let fields = [
        ("grant_type", "password"),
        ("username", USER_NAME),
        ("password", SECRET),
        ("client_id", client),
        ("scope", "x offline_access openid profile"),
    ];
    let first = post_form(&world, "/adfs/oauth2/token", &fields).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let identity = claims(&first.body["id_token"]);
    assert_eq!(identity["aud"], client);
    assert_eq!(identity["upn"], USER_NAME);
    assert_eq!(identity["preferred_username"], USER_NAME);
    assert_eq!(identity["tid"], TENANT);
    let info = URL_SAFE_NO_PAD.decode(first.body["client_info"].as_str().unwrap()).unwrap();
    let info: Value = serde_json::from_slice(&info).unwrap();
    assert_eq!(info["utid"], TENANT);

    let refresh = first.body["refresh_token"].as_str().unwrap();
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", client)];
    let second = post_form(&world, "/adfs/oauth2/token", &fields).await;
    assert_eq!(second.status, StatusCode::OK, "{}", second.body);
    let access = second.body["access_token"].as_str().unwrap();
    let answer = world.call_as(access, "GET", "/subscriptions", Value::Null).await;
    assert_eq!(answer.status, StatusCode::OK);
}

#[tokio::test]
async fn tokens_of_one_use_do_not_serve_another() {
    let world = World::new();
    let fields = [
        ("grant_type", "password"),
        ("username", USER_NAME),
        ("password", SECRET),
        ("client_id", "c"),
    ];
    let tokens = post_form(&world, "/adfs/oauth2/token", &fields).await.body;
    for name in ["id_token", "refresh_token"] {
        let token = tokens[name].as_str().unwrap();
        let answer = world.call_as(token, "GET", "/subscriptions", Value::Null).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{name} as an access token");
    }
    for name in ["id_token", "access_token"] {
        let token = tokens[name].as_str().unwrap();
        let fields =
            [("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "c")];
        let answer = post_form(&world, "/adfs/oauth2/token", &fields).await;
        assert_eq!(answer.body["error"], "invalid_grant", "{name} as a refresh token");
    }
}

#[tokio::test]
async fn keys_are_public() {
    let world = World::new();
    for path in ["/adfs/discovery/keys", "/discovery/v2.0/keys"] {
        assert!(get(&world, path).await.body["keys"].is_array());
    }
}

/// Signs in with these fields, and says how often that was answered with which status.
async fn sign_in_often(fields: &str, times: usize) -> Vec<(StatusCode, Option<HeaderValue>)> {
    let world = World::new();
    let router = coffre_arm::router(world.state.clone());
    let mut codes = Vec::new();
    for _ in 0..times {
        let request = Request::builder().method("POST").uri("/adfs/oauth2/token");
        let request = request.body(Body::from(fields.to_owned())).unwrap();
        let response = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
        codes.push((response.status(), response.headers().get("retry-after").cloned()));
    }
    codes
}

/// Turns codes on for the user.
fn with_codes(world: &World) {
    use coffre_control::factor::{FactorKey, code_at};
    use coffre_control::usecase::{begin_factor, confirm_factor};
    let (key, secret) = (FactorKey::new(&[1; 32]), [7; 20]);
    let caller = coffre_control::Caller {
        principal: uuid::Uuid::from_u128(0xa11).into(),
        name: USER_NAME.to_owned(),
        roles: Vec::new(),
        grants: Vec::new(),
    };
    let now = (world.state.clock)();
    let cx = coffre_control::Cx::new(&caller, now, &uuid::Uuid::new_v4);
    coffre_control::port::tx(&*world.db, "codes", |tx| {
        begin_factor(tx, &cx, &key, &secret, [3; 12])?;
        confirm_factor(tx, &cx, &key, &code_at(&secret, now), &[[5; 10]; 10])
    })
    .unwrap();
}

fn password<'a>(name: &'a str, secret: &'a str) -> [(&'a str, &'a str); 4] {
    [("grant_type", "password"), ("username", name), ("password", secret), ("client_id", "c")]
}

#[tokio::test]
async fn a_password_alone_is_not_enough_for_who_has_codes() {
    let world = World::new();
    let path = "/adfs/oauth2/token";
    let before = post_form(&world, path, &password(USER_NAME, SECRET)).await;
    let refresh = before.body["refresh_token"].as_str().unwrap();
    world.advance(std::time::Duration::from_secs(10));
    with_codes(&world);
    let answer = post_form(&world, path, &password(USER_NAME, SECRET)).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(answer.body["error"], "interaction_required");
    assert_eq!(answer.body["error_codes"][0], 50_076);
    let text = answer.body["error_description"].as_str().unwrap();
    assert!(text.starts_with("AADSTS50076: ") && text.contains("--use-device-code"), "{text}");
    assert!(answer.body.get("access_token").is_none());
    // Whoever knows no password is not told that there are codes.
    let answer = post_form(&world, path, &password(USER_NAME, "wrong")).await;
    assert_eq!(answer.body["error_codes"][0], 50_126);
    // What was signed in with less than is asked for now does not go on.
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("client_id", "c")];
    let answer = post_form(&world, path, &fields).await;
    assert_eq!(answer.body["error_codes"][0], 50_076, "{}", answer.body);
    let answer = post_form(&world, path, &client_credentials(OWNER, SECRET)).await;
    assert_eq!(answer.status, StatusCode::OK, "a program has no codes");
}

#[tokio::test]
async fn who_guesses_is_held_back_by_name_and_the_right_secret_of_others_is_not() {
    let world = World::new();
    let path = "/adfs/oauth2/token";
    for _ in 0..6 {
        let answer = post_form(&world, path, &password(USER_NAME, "wrong")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    }
    for secret in ["wrong", SECRET] {
        let answer = post_form(&world, path, &password(USER_NAME, secret)).await;
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.body["error_codes"][0], 50_053);
        let text = answer.body["error_description"].as_str().unwrap();
        assert!(text.contains("Try again in 1 seconds"), "{text}");
    }
    let answer = post_form(&world, path, &client_credentials(OWNER, SECRET)).await;
    assert_eq!(answer.status, StatusCode::OK);
    let audit = world.call("POST", "/providers/Microsoft.Coffre/audit/list", Value::Null).await;
    let target = audit.body["value"][0]["properties"]["target"].as_str().unwrap();
    assert!(target.starts_with(&format!("{USER_NAME}: sign-in held back for 1 s")), "{target}");
    world.advance(std::time::Duration::from_secs(1));
    let answer = post_form(&world, path, &password(USER_NAME, SECRET)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
}

#[tokio::test]
async fn who_guesses_many_names_is_held_back_by_address() {
    use coffre_control::attempts::Source;
    let world = World::new();
    let send = async |from: &str, fields: &[(&str, &str)]| {
        let form: Vec<String> = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", value.replace(' ', "+").replace('@', "%40")))
            .collect();
        let request = Request::post("/adfs/oauth2/token")
            .extension(Source::of(from.parse().unwrap()))
            .body(Body::from(form.join("&")));
        world.send(request.unwrap()).await.status
    };
    assert_eq!(send("192.0.2.1", &password(USER_NAME, SECRET)).await, StatusCode::OK);
    for n in 0..21 {
        let name = format!("name{n}");
        assert_eq!(send("192.0.2.1", &password(&name, "x")).await, StatusCode::BAD_REQUEST);
    }
    let (held, well) = (StatusCode::TOO_MANY_REQUESTS, StatusCode::OK);
    assert_eq!(send("192.0.2.1", &client_credentials(OWNER, SECRET)).await, held);
    assert_eq!(send("192.0.2.2", &client_credentials(OWNER, SECRET)).await, well);
    assert_eq!(send("192.0.2.1", &password(USER_NAME, SECRET)).await, well, "known there");
}

#[tokio::test]
async fn who_guesses_secrets_is_slowed_down() {
    let fields = format!("client_id={READER}&client_secret=&grant_type=nothing");
    let mut codes = sign_in_often(&fields, 31).await;
    let (status, after) = codes.pop().unwrap();
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(after.unwrap(), "2");
    assert!(codes.iter().all(|(status, _)| *status == StatusCode::BAD_REQUEST), "{codes:?}");
}

#[tokio::test]
async fn who_knows_the_secret_may_sign_in_as_often_as_a_script_does() {
    let secret = SECRET.replace(' ', "+");
    let fields = format!(
        "client_id={READER}&client_secret={secret}&grant_type=client_credentials&scope=https%3A%2F%2Fcoffre.test%3A8443%2F%2F.default"
    );
    let codes = sign_in_often(&fields, 35).await;
    assert!(codes.iter().all(|(status, _)| *status == StatusCode::OK), "{codes:?}");
}

#[tokio::test]
async fn a_program_without_a_browser_is_let_in_by_somebody_in_the_portal() {
    use coffre_control::id::PrincipalId;
    let world = World::new();
    let who = PrincipalId(uuid::Uuid::from_u128(0xa11));
    for path in ["/adfs/oauth2/", &format!("/{TENANT}/oauth2/v2.0/")] {
        let begun = post_form(&world, &format!("{path}devicecode"), &[("client_id", "az")]).await;
        assert_eq!(begun.status, StatusCode::OK, "{}", begun.body);
        let text = |name: &str| begun.body[name].as_str().unwrap().to_owned();
        let (device, user) = (text("device_code"), text("user_code"));
        assert!(text("message").contains(&user) && text("verification_uri").ends_with("/device"));
        let grant = "urn:ietf:params:oauth:grant-type:device_code";
        let fields = [("grant_type", grant), ("device_code", &device), ("client_id", "az")];
        let token = format!("{path}token");
        let waits = post_form(&world, &token, &fields).await;
        assert_eq!(waits.status, StatusCode::BAD_REQUEST);
        assert_eq!(waits.body["error"], "authorization_pending");
        let now = (world.state.clock)();
        assert!(world.state.devices.decide(&user, who, true, now));
        let answer = post_form(&world, &token, &fields).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        assert_eq!(claims(&answer.body["access_token"])["upn"], USER_NAME);
        for name in ["refresh_token", "id_token", "client_info"] {
            assert!(answer.body[name].is_string(), "{name}");
        }
        let again = post_form(&world, &token, &fields).await;
        assert_eq!(again.body["error"], "expired_token", "it is told once");
    }
    let begun = post_form(&world, "/adfs/oauth2/devicecode", &[("client_id", "az")]).await;
    let device = begun.body["device_code"].as_str().unwrap();
    let user = begun.body["user_code"].as_str().unwrap();
    assert!(world.state.devices.decide(user, who, false, (world.state.clock)()));
    let fields = [
        ("grant_type", "urn:ietf:params:oauth:grant-type:device_code"),
        ("device_code", device),
        ("client_id", "az"),
    ];
    let answer = post_form(&world, "/adfs/oauth2/token", &fields).await;
    assert_eq!(answer.body["error"], "authorization_declined");
}
