//! Every answer that a test of the router gets is held against the document of what is served: the
//! status must be one that the operation has, and the body must be of its shape.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex};

use axum::http::{Method, StatusCode};
use coffre_arm::{openapi, routes};
use jsonschema::Validator;
use serde_json::{Value, json};

static DOCUMENT: LazyLock<Value> = LazyLock::new(openapi);

/// Validators by the text of their schema; they are costly to make.
static MADE: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// The pattern that the router finds for a request.
fn pattern(method: &Method, path: &str) -> Option<&'static str> {
    let segments: Vec<&str> = path.split('/').filter(|it| !it.is_empty()).collect();
    let fits = |pattern: &str| {
        let parts: Vec<&str> = pattern.split('/').filter(|it| !it.is_empty()).collect();
        parts.len() == segments.len()
            && parts
                .iter()
                .zip(&segments)
                .all(|(part, it)| part.starts_with('{') || part.eq_ignore_ascii_case(it))
    };
    routes().find(|it| it.method == *method && fits(it.pattern)).map(|it| it.pattern)
}

/// The answer that an operation has for a status, with what it refers to.
fn answer(operation: &'static Value, status: StatusCode) -> Option<&'static Value> {
    let class = format!("{}XX", status.as_u16() / 100);
    let found = [status.as_str(), &class].iter().find_map(|it| operation["responses"].get(*it))?;
    match found["$ref"].as_str() {
        Some(name) => DOCUMENT.pointer(name.trim_start_matches('#')),
        None => Some(found),
    }
}

/// Holds an answer of the router against the document.
pub fn check(method: &Method, path: &str, status: StatusCode, body: &Value) {
    // What no operation is asked, and faults of the service, are no part of the document.
    let Some(pattern) = pattern(method, path) else { return };
    if status.is_server_error() {
        return;
    }
    let operation = &DOCUMENT["paths"][pattern][method.as_str().to_ascii_lowercase()];
    let place = format!("{method} {pattern} {status}");
    let found = answer(operation, status);
    let found = found.unwrap_or_else(|| panic!("{place}: the document has no such answer: {body}"));
    let Some(content) = found.get("content") else {
        assert!(body.is_null(), "{place}: the document says that there is no body: {body}");
        return;
    };
    let schema = &content["application/json"]["schema"];
    let validator = validator(schema);
    let wrong: Vec<String> = validator
        .iter_errors(body)
        .map(|it| format!("{} at '{}'", it, it.instance_path()))
        .collect();
    assert!(wrong.is_empty(), "{place}: {wrong:#?}\n{body:#}");
}

fn validator(schema: &Value) -> Arc<Validator> {
    let mut made = MADE.lock().expect("no test panics while a validator is made");
    let entry = made.entry(schema.to_string()).or_insert_with(|| {
        let whole = json!({ "allOf": [schema], "components": DOCUMENT["components"] });
        let options = jsonschema::options().with_draft(jsonschema::Draft::Draft202012);
        Arc::new(options.build(&whole).expect("the document has good schemas"))
    });
    Arc::clone(entry)
}
