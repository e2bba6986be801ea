//! What a resource is, held against what a template wants it to be.

use coffre_control::resource_id::VAULT_TYPE;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use crate::handle::generic;
use crate::names::region_name;

/// The type of policies, whose times of day stand on any date.
const POLICY_TYPE: &str = "Microsoft.RecoveryServices/vaults/backupPolicies";

/// Members that say which resource it is, or that only the service says.
const GIVEN: &[&str] = &["id", "name", "type", "etag", "provisioningState"];

/// The difference.
#[derive(Debug, PartialEq)]
pub(super) struct Compared {
    /// What would change; empty when nothing would.
    pub(super) delta: Vec<Value>,
    /// What the resource would be.
    pub(super) after: Value,
}

/// How resources of a type take a PUT.
#[derive(Clone, Copy)]
struct Manner {
    /// Kept as it came: what is not sent is gone, and words keep their case.
    kept: bool,
    policy: bool,
}

/// Holds one against the other.
pub(super) fn compare(kind: &str, before: &Value, wanted: &Value) -> Compared {
    let is = |known: &str| kind.eq_ignore_ascii_case(known);
    let manner = Manner { kept: generic::KINDS.iter().any(|it| is(it)), policy: is(POLICY_TYPE) };
    let mut wanted = wanted.clone();
    if let Some(map) = wanted.as_object_mut() {
        // Every vault here is of one kind, whatever was asked for.
        map.retain(|name, _| !(is(VAULT_TYPE) && name.eq_ignore_ascii_case("sku")));
        // A PUT without tags takes them away.
        if before.get("tags").is_some() && !map.keys().any(|it| it.eq_ignore_ascii_case("tags")) {
            map.insert("tags".to_owned(), json!({}));
        }
    }
    let mut delta = Vec::new();
    let after = differ(manner, "", before, &wanted, &mut delta);
    // What has no effect is worth a word beside what has some, and no change by itself.
    if delta.iter().all(|it| it["propertyChangeType"] == "NoEffect") {
        delta.clear();
    }
    Compared { delta, after }
}

fn joined(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn differ(
    manner: Manner,
    path: &str,
    before: &Value,
    wanted: &Value,
    delta: &mut Vec<Value>,
) -> Value {
    match (before, wanted) {
        (_, Value::Null) => before.clone(),
        (Value::Object(old), Value::Object(new)) => {
            Value::Object(members(manner, path, old, new, delta))
        }
        (Value::Array(old), Value::Array(new)) => {
            let mut children = Vec::new();
            let after = elements(manner, old, new, &mut children);
            if !children.is_empty() {
                delta.push(json!({
                    "path": path,
                    "propertyChangeType": "Array",
                    "before": before,
                    "after": wanted,
                    "children": children,
                }));
            }
            Value::Array(after)
        }
        _ if same(manner, path, before, wanted) => before.clone(),
        _ => {
            delta.push(json!({
                "path": path,
                "propertyChangeType": "Modify",
                "before": before,
                "after": wanted,
            }));
            wanted.clone()
        }
    }
}

fn members(
    manner: Manner,
    path: &str,
    old: &Map<String, Value>,
    new: &Map<String, Value>,
    delta: &mut Vec<Value>,
) -> Map<String, Value> {
    let mut after = old.clone();
    let is_tags = path == "tags";
    let takes_away = is_tags || (manner.kept && path.starts_with("properties"));
    for (name, value) in old {
        let sent = new.keys().any(|it| it.eq_ignore_ascii_case(name));
        if takes_away && !sent && !GIVEN.contains(&name.as_str()) {
            let at = joined(path, name);
            delta.push(json!({ "path": at, "propertyChangeType": "Delete", "before": value }));
            after.remove(name);
        }
    }
    for (name, value) in new {
        if value.is_null() || GIVEN.contains(&name.as_str()) {
            continue;
        }
        match old.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)) {
            Some((name, known)) => {
                let value = differ(manner, &joined(path, name), known, value, delta);
                after.insert(name.clone(), value);
            }
            None if manner.kept || is_tags || name == "tags" => {
                let at = joined(path, name);
                delta.push(json!({ "path": at, "propertyChangeType": "Create", "after": value }));
                after.insert(name.clone(), value.clone());
            }
            None => {
                let at = joined(path, name);
                delta.push(json!({ "path": at, "propertyChangeType": "NoEffect", "after": value }));
            }
        }
    }
    after
}

fn elements(manner: Manner, old: &[Value], new: &[Value], children: &mut Vec<Value>) -> Vec<Value> {
    let mut after = Vec::new();
    for at in 0..old.len().max(new.len()) {
        let path = at.to_string();
        match (old.get(at), new.get(at)) {
            (Some(before), Some(wanted)) => {
                let mut inside = Vec::new();
                after.push(differ(manner, "", before, wanted, &mut inside));
                if inside.iter().any(|it| it["propertyChangeType"] != "NoEffect") {
                    let mut child = json!({ "path": path, "propertyChangeType": "Modify" });
                    if before.is_object() {
                        child["children"] = Value::Array(inside);
                    } else {
                        (child["before"], child["after"]) = (before.clone(), wanted.clone());
                    }
                    children.push(child);
                }
            }
            (Some(before), None) => {
                let change = "Delete";
                children
                    .push(json!({ "path": path, "propertyChangeType": change, "before": before }));
            }
            (None, Some(wanted)) => {
                let change = "Create";
                children
                    .push(json!({ "path": path, "propertyChangeType": change, "after": wanted }));
                after.push(wanted.clone());
            }
            (None, None) => {}
        }
    }
    after
}

/// Whether two values mean the same to the service.
fn same(manner: Manner, path: &str, before: &Value, wanted: &Value) -> bool {
    let (Some(old), Some(new)) = (plain(before), plain(wanted)) else { return before == wanted };
    if old == new {
        return true;
    }
    if path == "location" {
        return region_name(&old) == region_name(&new);
    }
    if path.starts_with("tags.") || (manner.kept && !old.starts_with('/')) {
        return false;
    }
    if manner.policy && time_of_day(&old).is_some() && time_of_day(&old) == time_of_day(&new) {
        return true;
    }
    old.eq_ignore_ascii_case(&new)
}

/// A number, a text or a switch as a text, since templates write one for the other.
fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(on) => Some(on.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn time_of_day(text: &str) -> Option<jiff::civil::Time> {
    let at: Timestamp = text.parse().ok()?;
    Some(at.to_zoned(TimeZone::UTC).time())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delta(kind: &str, before: Value, wanted: Value) -> Vec<(String, String)> {
        let word = |it: &Value, name: &str| it[name].as_str().unwrap_or_default().to_owned();
        let found = compare(kind, &before, &wanted).delta;
        found.iter().map(|it| (word(it, "path"), word(it, "propertyChangeType"))).collect()
    }

    #[test]
    fn what_means_the_same_is_no_change() {
        let before = json!({ "location": "eastus", "sku": { "name": "Standard" },
            "properties": { "publicNetworkAccess": "Enabled", "provisioningState": "Succeeded" } });
        let wanted = json!({ "location": "East US", "sku": { "name": "RS0", "tier": "Standard" },
            "properties": { "PublicNetworkAccess": "enabled" } });
        assert_eq!(delta(VAULT_TYPE, before, wanted), []);
        let before = json!({ "properties": { "times": ["2026-01-01T05:30:00Z"], "count": 7 } });
        let wanted = json!({ "properties": { "times": ["2016-06-20T05:30:00Z"], "count": "7" } });
        assert_eq!(delta(POLICY_TYPE, before, wanted), []);
    }

    #[test]
    fn each_change_is_named_by_its_path() {
        let before =
            json!({ "tags": { "a": "1", "b": "2" }, "properties": { "days": [1, 2], "count": 7 } });
        let wanted = json!({ "tags": { "a": "x" }, "properties": { "days": [1, 3, 4], "count": 8, "alien": 1 } });
        let found = delta(POLICY_TYPE, before.clone(), wanted.clone());
        let named = |path: &str, kind: &str| (path.to_owned(), kind.to_owned());
        let expected = [
            named("properties.alien", "NoEffect"),
            named("properties.count", "Modify"),
            named("properties.days", "Array"),
            named("tags.b", "Delete"),
            named("tags.a", "Modify"),
        ];
        for each in &expected {
            assert!(found.contains(each), "{each:?} is not in {found:?}");
        }
        assert_eq!(found.len(), expected.len());
        let after = compare(POLICY_TYPE, &before, &wanted).after;
        assert_eq!(
            after,
            json!({ "tags": { "a": "x" }, "properties": { "days": [1, 3, 4], "count": 8 } })
        );
    }

    #[test]
    fn a_put_without_tags_takes_them_away_and_of_what_is_kept_the_rest_too() {
        let before = json!({ "tags": { "a": "1" }, "properties": { "x": 1, "provisioningState": "Succeeded" } });
        let gone = |path: &str| (path.to_owned(), "Delete".to_owned());
        assert_eq!(
            delta(VAULT_TYPE, before.clone(), json!({ "properties": {} })),
            [gone("tags.a")]
        );
        let kept = "Microsoft.Compute/disks";
        let found = delta(kept, before, json!({ "properties": {} }));
        assert!(
            found.contains(&gone("tags.a")) && found.contains(&gone("properties.x")),
            "{found:?}"
        );
    }
}
