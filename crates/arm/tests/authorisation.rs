//! Every route of the table, asked by everybody who may not.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use axum::body::Body;
use axum::http::{Request, StatusCode};
use coffre_arm::{Permission, routes};
use coffre_control::model::{PrincipalKind, Record, RecordKind};
use coffre_control::port::tx;
use coffre_control::{Action, Role};
use serde_json::{Value, json};

mod world;

use world::{OWNER, READER, SUBSCRIPTION, World};

/// A path that matches a pattern. The names need not exist: permission comes first.
fn example(pattern: &str) -> String {
    let part = |part: &str| match part {
        "{sub}" => SUBSCRIPTION.to_owned(),
        "{fabric}" => "Azure".to_owned(),
        "{container}" => "IaasVMContainer;iaasvmcontainerv2;g;v".to_owned(),
        "{item}" => "VM;iaasvmcontainerv2;g;v".to_owned(),
        other => other.trim_matches(['{', '}']).to_owned(),
    };
    pattern.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn protected() -> impl Iterator<Item = (String, String, Action)> {
    routes().filter_map(|route| match route.permission {
        Permission::Public | Permission::SignIn => None,
        Permission::May(action) => Some((route.method.to_string(), example(route.pattern), action)),
    })
}

#[tokio::test]
async fn nobody_without_a_good_token_reaches_any_protected_route() {
    let world = World::new();
    let good = world.token_of(OWNER, 0);
    let (head, _) = good.rsplit_once('.').unwrap();
    let wrong = [
        ("expired", format!("Bearer {}", world.token_of(OWNER, 4000))),
        (
            "of nobody",
            format!("Bearer {}", world.token_of("00000000-0000-4000-8000-0000000000ff", 0)),
        ),
        ("forged", format!("Bearer {head}.0000000000000000")),
        ("garbage", "Bearer garbage".to_owned()),
        ("of another scheme", format!("Basic {good}")),
        ("too long", format!("Bearer {}", "a".repeat(9000))),
    ];
    for (method, path, _) in protected() {
        let bare = Request::builder().method(method.as_str()).uri(&path).body(Body::empty());
        let answer = world.send(bare.unwrap()).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "no token: {method} {path}");
        for (kind, header) in &wrong {
            let uri = format!("{path}?api-version=2024-11-01");
            let request = Request::builder().method(method.as_str()).uri(uri);
            let request = request.header("authorization", header).body(Body::empty());
            let answer = world.send(request.unwrap()).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{kind}: {method} {path}");
            assert!(answer.header("www-authenticate").starts_with("Bearer authorization_uri="));
            if method != "HEAD" {
                assert_eq!(answer.code(), "AuthenticationFailed");
            }
        }
    }
}

#[tokio::test]
async fn a_reader_is_refused_wherever_more_than_reading_is_needed() {
    let world = World::new();
    let reader = world.token_of(READER, 0);
    let mut refused = 0;
    for (method, path, action) in protected() {
        let answer = world.call_as(&reader, &method, &path, Value::Null).await;
        if Role::Reader.allows(action) {
            assert_ne!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
        } else {
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {path}");
            assert_eq!(answer.code(), "AuthorizationFailed");
            refused += 1;
        }
    }
    assert!(refused > 15, "the table has lost its changing routes");
}

#[tokio::test]
async fn no_route_fails_with_a_fault_of_ours_whatever_the_body() {
    let world = World::new();
    for (method, path, _) in protected() {
        for body in [Value::Null, json!({}), json!([]), json!({ "properties": 7 }), json!("x")] {
            let answer = world.call(&method, &path, body.clone()).await;
            assert!(answer.status.as_u16() < 500, "{method} {path} {body}: {answer:?}");
            if answer.status.is_client_error() && method != "HEAD" {
                assert!(!answer.code().is_empty(), "{method} {path}: an error without a code");
                assert!(!answer.message().is_empty(), "{method} {path}: an error without words");
            }
        }
    }
}

#[tokio::test]
async fn another_subscription_does_not_exist() {
    let world = World::new();
    for (method, path, _) in protected().filter(|(_, path, _)| path.contains(SUBSCRIPTION)) {
        let foreign = path.replace(SUBSCRIPTION, "00000000-0000-4000-8000-00000000dead");
        let answer = world.call(&method, &foreign, json!({})).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {foreign}");
        let malformed = path.replace(SUBSCRIPTION, "not-a-guid");
        let answer = world.call(&method, &malformed, json!({})).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {malformed}");
    }
}

/// Every role against every route: what a role does not allow is refused before anything else, and
/// what it allows is not.
#[tokio::test]
async fn every_role_reaches_exactly_the_routes_that_it_allows() {
    let world = World::new();
    let mut cells = 0;
    for (at, role) in Role::ALL.iter().enumerate() {
        let id = format!("bbbbbbbb-0000-4000-8000-00000000000{at}");
        let kind = PrincipalKind::ServicePrincipal;
        let mut row = world::principal(&id, &format!("p{at}"), kind, *role);
        tx(&*world.db, "test", |tx| Ok(tx.put_principal(&mut row)?)).unwrap();
        let token = world.token_of(&id, 0);
        for (method, path, action) in protected() {
            let answer = world.call_as(&token, &method, &path, Value::Null).await;
            let refused = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(refused, !role.allows(action), "{role:?} {method} {path}: {answer:?}");
            cells += 1;
        }
    }
    assert!(cells > 750, "the matrix has lost cells: {cells}");
}

/// A role on one vault is none on another vault, another group, or the subscription.
#[tokio::test]
async fn an_owner_of_one_vault_is_nobody_elsewhere() {
    let world = World::new();
    let id = "cccccccc-0000-4000-8000-000000000001";
    let mut row = world::principal(id, "local", PrincipalKind::ServicePrincipal, Role::Reader);
    row.roles.clear();
    let scope = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/group/providers/Microsoft.RecoveryServices/vaults/vault"
    );
    let mut assignment = Record {
        kind: RecordKind::RoleAssignment,
        scope: scope.clone(),
        name: "a".to_owned(),
        content: json!({ "principalId": id, "roleDefinitionId": Role::Owner.definition() }),
        etag: 0,
    };
    tx(&*world.db, "test", |tx| {
        tx.put_principal(&mut row)?;
        Ok(tx.put_record(&mut assignment)?)
    })
    .unwrap();
    let token = world.token_of(id, 0);
    let (mut inside, mut outside) = (0, 0);
    for (method, pattern, action) in protected() {
        let path = pattern.replace("{", "").replace("}", "");
        if !path.starts_with("/subscriptions/") {
            continue;
        }
        let answer = world.call_as(&token, &method, &path, Value::Null).await;
        let refused = answer.status == StatusCode::FORBIDDEN;
        let below = path == scope || path.starts_with(&format!("{scope}/"));
        assert_eq!(refused, !below, "{action:?} {method} {path}: {answer:?}");
        if below {
            inside += 1
        } else {
            outside += 1
        }
        let other = path.replace("/vaults/vault", "/vaults/other").replace("/group", "/other");
        if below {
            let answer = world.call_as(&token, &method, &other, Value::Null).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{method} {other}");
        }
    }
    assert!(inside > 40 && outside > 60, "{inside} {outside}");
}
