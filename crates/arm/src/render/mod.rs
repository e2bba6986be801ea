//! Nouns of the domain as the JSON that Azure's clients read. Nothing here decides anything.

pub(crate) mod container;
pub(crate) mod extension;
pub(crate) mod item;
pub(crate) mod job;
pub(crate) mod life;
pub(crate) mod point;
pub(crate) mod policy;
pub(crate) mod resource;
pub(crate) mod vault;
pub(crate) mod vm;

use jiff::Timestamp;
use serde_json::{Value, json};

/// A time in UTC with seven digits of a second, as Azure writes it.
pub(crate) fn time(at: Timestamp) -> String {
    // Rounds down, since a time of the future would be a surprise; before 1970 nothing exists.
    let ticks = at.subsec_nanosecond().unsigned_abs() / 100;
    format!("{}.{ticks:07}Z", at.strftime("%Y-%m-%dT%H:%M:%S"))
}

/// A duration as ISO 8601 in seconds (`PT71.1S`); the clients parse no other form.
pub(crate) fn duration(seconds: f64) -> String {
    format!("PT{}S", (seconds.max(0.0) * 10.0).round() / 10.0)
}

/// `Enabled` or `Disabled`.
pub(crate) fn enabled(on: bool) -> &'static str {
    if on { "Enabled" } else { "Disabled" }
}

/// Whole mebibytes as Azure writes sizes in jobs, rounded up.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes.div_ceil(1 << 20))
}

/// Adds `name: value` when there is a value.
pub(crate) fn put(object: &mut Value, name: &str, value: Option<Value>) {
    if let (Some(map), Some(value)) = (object.as_object_mut(), value) {
        map.insert(name.to_owned(), value);
    }
}

/// `{id,name,type,properties}`.
pub(crate) fn resource(id: String, name: &str, kind: &str, properties: Value) -> Value {
    let mut body = json!({ "id": id, "name": name, "type": kind });
    // Moved in: `json!` would copy them.
    put(&mut body, "properties", Some(properties));
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_seven_digits_and_durations_are_iso() {
        let at: Timestamp = "2026-01-02T03:04:05.123456789Z".parse().unwrap();
        assert_eq!(time(at), "2026-01-02T03:04:05.1234567Z");
        assert_eq!(duration(71.12), "PT71.1S");
        assert_eq!(duration(-3.0), "PT0S");
        assert_eq!(megabytes(1), "1 MB");
    }
}
