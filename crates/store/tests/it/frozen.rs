//! Documents that an earlier version wrote still read, and mean the same.
//!
//! `frozen/1.json` holds a document of each noun as version 1 writes them. A field that is added
//! later needs a default; the file itself never changes.

use coffre_control::model::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads every document of a noun, and writes it again: nothing that was in it may be lost.
fn reads<T: DeserializeOwned + Serialize>(all: &Value, noun: &str) {
    let documents = all[noun].as_array().unwrap_or_else(|| panic!("no {noun} in the sample"));
    assert!(!documents.is_empty(), "{noun}");
    for document in documents {
        let row: T = serde_json::from_value(document.clone())
            .unwrap_or_else(|error| panic!("{noun}: {error}: {document}"));
        let again = serde_json::to_value(&row).unwrap();
        holds(&again, document, noun);
    }
}

/// Everything in `old` is in `new`; `new` may hold more.
fn holds(new: &Value, old: &Value, path: &str) {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            for (key, old) in old {
                holds(&new[key], old, &format!("{path}.{key}"));
            }
        }
        _ => assert_eq!(new, old, "{path}"),
    }
}

#[test]
fn documents_of_version_1_still_read() {
    let all: Value = serde_json::from_str(include_str!("../../frozen/1.json")).unwrap();
    reads::<Subscription>(&all, "subscription");
    reads::<Region>(&all, "region");
    reads::<ResourceGroup>(&all, "group");
    reads::<StorageAccount>(&all, "storage_account");
    reads::<Principal>(&all, "principal");
    reads::<Vault>(&all, "vault");
    reads::<Policy>(&all, "policy");
    reads::<Vm>(&all, "vm");
    reads::<ProtectedItem>(&all, "item");
    reads::<RecoveryPoint>(&all, "point");
    reads::<Job>(&all, "job");
    reads::<Operation>(&all, "operation");
    reads::<AuditRecord>(&all, "audit");
}
