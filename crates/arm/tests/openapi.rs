//! The document of what is served is the one in the repository.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use std::path::Path;

use coffre_arm::{openapi, routes};

#[test]
fn the_document_in_the_repository_is_what_is_served() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi.json");
    let made = serde_json::to_string_pretty(&openapi()).unwrap() + "\n";
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
