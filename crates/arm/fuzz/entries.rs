//! What the fuzzer calls: templates are programs of strangers. Each entry says what holds for any input; what the fuzzer
//! found is replayed by the test below.

use serde_json::{Value, json};

use crate::template::eval::{Evaluator, Local};
use crate::template::parameters::bind;
use crate::template::{Facts, NotYet, expression, jsonc, plan};

/// A parser as the fuzzer knows it.
pub type Entry = (&'static str, fn(&[u8]));

/// All of them, by the names of their targets.
pub const ENTRIES: &[Entry] =
    &[("document", document), ("expression", expression), ("template", template)];

/// The body of a deployment, which is JSON only almost: what is read can be written as JSON and read again as the same.
pub fn document(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(value) = jsonc::parse(text) {
        assert_eq!(jsonc::parse(&value.to_string()), Ok(value));
    }
}

/// One text of a template: it is read and computed, or refused.
pub fn expression(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let _ = expression::parse(text);
    let facts = facts();
    let variables =
        json!({ "list": [1, 2, 3], "map": { "a": "b" }, "again": "[variables('list')]" });
    let mut evaluator = Evaluator::new(&facts, &NotYet, variables.as_object());
    evaluator.set_parameter("p", json!("text"));
    evaluator.set_parameter("n", json!(7));
    if let Ok(value) = evaluator.text(text, &Local::default()) {
        assert!(value.to_string().len() < 64 << 20, "the work is bounded");
    }
}

/// A whole template: its parameters, its loops and conditions, the order and the content of its resources.
pub fn template(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(template) = jsonc::parse(text) else { return };
    let facts = facts();
    let mut evaluator = Evaluator::new(&facts, &NotYet, template["variables"].as_object());
    if bind(&mut evaluator, &template, &serde_json::Map::new()).is_err() {
        return;
    }
    let Ok(planned) = plan::plan(&evaluator, &template) else { return };
    for (at, one) in planned.iter().enumerate() {
        assert!(one.after.iter().all(|before| *before < at), "what others need comes first");
        let _ = plan::content(&evaluator, one);
    }
}

fn facts() -> Facts {
    let group = json!({ "name": "g", "location": "eastus" });
    Facts {
        subscription: json!({ "subscriptionId": "s" }),
        subscription_id: "s".to_owned(),
        group: Some(group),
        group_name: Some("g".to_owned()),
        tenant: json!({ "tenantId": "t" }),
        deployment: json!({ "name": "d" }),
        environment: Value::Null,
        now: jiff::Timestamp::UNIX_EPOCH,
        seed: uuid::Uuid::nil(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::ENTRIES;

    #[test]
    fn what_the_fuzzer_found_stays_found() {
        for (name, entry) in ENTRIES {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
            let mut files = 0;
            for file in std::fs::read_dir(&folder).expect("each target has a corpus") {
                let path = file.expect("the folder can be read").path();
                entry(&std::fs::read(path).expect("the file can be read"));
                files += 1;
            }
            assert!(files > 0, "{} is empty", folder.display());
        }
    }
}
