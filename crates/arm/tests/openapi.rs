//! The document of what is served is the one in the repository.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::path::Path;

use axum::http::{Method, StatusCode};
use coffre_arm::{openapi, routes};
use serde_json::{Value, json};

mod world;

use world::contract;

/// A line for each operation and for each shape: a difference is seen at a glance, and the file stays small.
fn laid_out(value: &Value, depth: usize) -> String {
    let Some(map) = value.as_object().filter(|_| depth < 3) else { return value.to_string() };
    let indent = "  ".repeat(depth);
    let line = |(name, it): (&String, &Value)| {
        format!("{indent}  {}: {}", json!(name), laid_out(it, depth + 1))
    };
    let lines: Vec<String> = map.iter().map(line).collect();
    format!("{{\n{}\n{indent}}}", lines.join(",\n"))
}

#[test]
fn the_document_in_the_repository_is_what_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let made = laid_out(&openapi(), 0) + "\n";
    if std::env::var_os("COFFRE_WRITE_OPENAPI").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        kept == made,
        "docs/openapi.json is not what is served; write it with COFFRE_WRITE_OPENAPI=1 cargo test -p coffre-arm --test openapi, and look at the difference"
    );
}

#[test]
fn every_route_stands_in_it_once() {
    let document = openapi();
    let paths = document["paths"].as_object().unwrap();
    let count: usize = paths.values().map(|it| it.as_object().unwrap().len()).sum();
    assert_eq!(count, routes().count());
    let mut ids: Vec<&str> = paths
        .values()
        .flat_map(|it| it.as_object().unwrap().values())
        .map(|it| it["operationId"].as_str().unwrap())
        .collect();
    ids.sort_unstable();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "two operations have one id");
}

/// The check that every other test of the router goes through finds what it is there for.
#[tokio::test]
async fn an_answer_that_is_not_in_the_document_is_found() {
    let world = world::journey::world_with_vault().await;
    let path = world::vault("");
    let good = world.get(&path).await.body;
    let found = |status: u16, body: &Value| {
        let status = StatusCode::from_u16(status).unwrap();
        std::panic::catch_unwind(|| contract::check(&Method::GET, &path, status, body)).is_err()
    };
    assert!(!found(200, &good));
    let without = |member: &str| {
        let mut body = good.clone();
        body["properties"].as_object_mut().unwrap().remove(member).unwrap();
        body
    };
    assert!(found(200, &without("redundancySettings")), "a member is missing");
    let mut wrong = good.clone();
    wrong["properties"]["publicNetworkAccess"] = json!("enabled");
    assert!(found(200, &wrong), "a word is spelt otherwise");
    let mut more = good.clone();
    more["properties"]["somethingNew"] = json!(1);
    assert!(found(200, &more), "a member is new");
    assert!(found(202, &Value::Null), "a status is new");
    assert!(found(404, &json!({ "error": { "code": "X" } })), "an error has no message");
}
