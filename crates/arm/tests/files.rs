//! The files of a recovery point: the script that clients download.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

mod world;

use world::journey::{backed_up, operation_id, world_with_vault};
use world::{READER, item, vm_id};

#[tokio::test]
async fn the_script_of_a_point_is_given_to_who_may_restore() {
    let world = world_with_vault().await;
    let point = backed_up(&world, "web-1").await;
    let path = |rest: &str| item("web-1", &format!("/recoveryPoints/{point}/{rest}"));
    let wish = json!({ "properties": { "objectType": "IaasVMILRRegistrationRequest",
        "recoveryPointId": point, "virtualMachineId": vm_id("Web-1") } });
    let provision = path("provisionInstantItemRecovery");
    let reader = world.token_of(READER, 0);
    let refused = world.call_as(&reader, "POST", &provision, wish.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);

    let begun = world.call("POST", &provision, wish).await;
    assert_eq!(begun.status, StatusCode::ACCEPTED, "{}", begun.body);
    let operation = operation_id(&begun);
    let ask = |id: &str| json!({ "provisionInstantItemRecoveryOperationId": id });
    let result = path("listInstantItemRecoveryOperationResult");
    let other = world.call("POST", &result, ask("5ab5c717-0000-4000-8000-000000000001")).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
    let shown = world.call("POST", &result, ask(&operation)).await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.body);
    let script = &shown.body["clientScripts"][0];
    assert_eq!(script["osType"], "Linux");
    // Clients cut the fifteen characters of a password out behind the last underscore and 32 more.
    let name = script["scriptNameSuffix"].as_str().unwrap();
    let at = name.rfind('_').unwrap() + 33;
    assert_eq!(&name[at..], "not-needed-here");
    let text = STANDARD.decode(script["scriptContent"].as_str().unwrap()).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.starts_with("#!/bin/bash\n") && !text.contains("@STORE@"));
    assert!(text.contains("STORE='file:///vaults/"), "{text}");

    let ended = world.call("POST", &path("revokeInstantItemRecovery"), Value::Null).await;
    assert_eq!(ended.status, StatusCode::ACCEPTED);
    let gone = world.call("DELETE", &item("web-1", ""), Value::Null).await;
    assert_eq!(gone.status, StatusCode::ACCEPTED);
    assert_eq!(world.call("POST", &result, ask(&operation)).await.status.as_u16() / 100, 4);
}
