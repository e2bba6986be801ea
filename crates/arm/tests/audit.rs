//! The audit through the surface.

#![allow(clippy::unwrap_used)] // In a test a panic is the report.

use axum::http::StatusCode;
use serde_json::json;

mod world;

use world::journey::world_with_vault;
use world::{READER, vault};

#[tokio::test]
async fn the_audit_names_who_made_the_vault_and_its_chain_holds() {
    let world = world_with_vault().await;
    let list = "/providers/Microsoft.Coffre/audit/list";
    let records = world.call("POST", list, json!({})).await.body;
    let newest = &records["value"][0]["properties"];
    assert_eq!(newest["principalName"], "admin", "{records}");
    assert_eq!(newest["operation"], "Microsoft.RecoveryServices/vaults/write");
    let verify = "/providers/Microsoft.Coffre/audit/verify";
    let chain = world.call("POST", verify, json!({})).await.body;
    assert_eq!(chain["intact"], true, "{chain}");
    let head = chain["head"].clone();
    world.call("PUT", &vault(""), world::journey::vault_body()).await;
    let chain = world.call("POST", verify, json!({})).await.body;
    assert_eq!(chain["intact"], true);
    assert_ne!(chain["head"], head);
    let reader = world.token_of(READER, 0);
    for path in [list, verify] {
        let answer = world.call_as(&reader, "POST", path, json!({})).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
}
