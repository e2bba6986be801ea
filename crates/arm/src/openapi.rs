//! The OpenAPI document of what is served, made from the table of routes: it cannot say anything
//! else than the router does.

mod answers;
mod of_backup;
mod of_deployment;
mod of_machine;
mod of_policy;
mod of_resources;
mod of_sign_in;
mod of_vault;
mod shape;

use serde_json::{Map, Value, json};

use crate::route::{Permission, RouteInfo, routes};
use answers::Body;

/// The document.
pub fn openapi() -> Value {
    let mut paths = Map::new();
    for route in routes() {
        let entry = paths.entry(route.pattern).or_insert_with(|| json!({}));
        entry[route.method.as_str().to_ascii_lowercase()] = operation(&route);
    }
    let parameters = shared_parameters();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Coffre, the Resource Manager surface",
            "version": "1",
            "description": "Every path in any case; every well-formed api-version from 2015 on.",
        },
        "servers": [{ "url": "/" }],
        "security": [{ "bearer": [] }],
        "paths": paths,
        "components": {
            "responses": shared_responses(),
            "parameters": parameters,
            "securitySchemes": { "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT" } },
            "schemas": schemas(),
        },
    })
}

/// All shapes by name.
fn shapes() -> shape::Shapes {
    let mut all = vec![
        ("Error", shape::object([("error", shape::named("ErrorBody"))])),
        ("ErrorBody", error()),
        (
            "OAuthError",
            shape::open([("error", shape::word()), ("error_description", shape::word())]),
        ),
    ];
    let rest = [
        of_sign_in::all(),
        of_resources::all(),
        of_machine::all(),
        of_vault::all(),
        of_backup::all(),
    ];
    all.extend(rest.into_iter().flatten());
    all
}

fn schemas() -> Value {
    let mut all = Map::new();
    for (name, shape) in shapes() {
        all.insert(name.to_owned(), shape);
    }
    // A page of each shape that some list is made of.
    for name in answers::listed() {
        all.insert(format!("{name}List"), shape::page(shape::named(name)));
    }
    Value::Object(all)
}

fn error() -> Value {
    shape::object([
        ("code", shape::word()),
        ("message", shape::word()),
        ("target?", shape::text()),
        ("details?", shape::list(shape::named("ErrorBody"))),
    ])
}

/// The parameters of all patterns, and the version.
fn shared_parameters() -> Value {
    let pattern = r"^\d{4}-\d{2}-\d{2}(-[a-z]+)?$";
    let version = json!({ "type": "string", "pattern": pattern, "example": "2024-11-01" });
    let mut all = Map::new();
    all.insert(
        "api-version".to_owned(),
        json!({ "name": "api-version", "in": "query", "required": true, "schema": version }),
    );
    for route in routes() {
        for name in route.pattern.split('/').filter_map(parameter) {
            let mut schema = json!({ "type": "string", "minLength": 1, "maxLength": 260 });
            if name == "sub" {
                schema = json!({ "type": "string", "format": "uuid" });
            }
            let entry = json!({ "name": name, "in": "path", "required": true, "schema": schema });
            all.insert(name.to_owned(), entry);
        }
    }
    Value::Object(all)
}

fn parameter(part: &str) -> Option<&str> {
    part.strip_prefix('{')?.strip_suffix('}')
}

fn operation(route: &RouteInfo) -> Value {
    let open = !matches!(route.permission, Permission::May(_));
    let names = route.pattern.split('/').filter_map(parameter);
    let mut parameters: Vec<Value> =
        names.map(|name| json!({ "$ref": format!("#/components/parameters/{name}") })).collect();
    if !open {
        parameters.push(json!({ "$ref": "#/components/parameters/api-version" }));
    }
    let method = route.method.as_str();
    let mut operation = json!({
        "operationId": id(route),
        "parameters": parameters,
        "responses": responses(route, open),
    });
    if let Permission::May(action) = route.permission {
        operation["x-permission"] = json!(action.azure());
    } else {
        operation["security"] = json!([]);
    }
    if ["PUT", "PATCH", "POST"].contains(&method) {
        let kind = match route.permission {
            Permission::SignIn => "application/x-www-form-urlencoded",
            Permission::Public | Permission::May(_) => "application/json",
        };
        operation["requestBody"] =
            json!({ "required": false, "content": { kind: { "schema": { "type": "object" } } } });
    }
    operation
}

fn responses(route: &RouteInfo, open: bool) -> Value {
    let named = |name: &str| json!({ "$ref": format!("#/components/responses/{name}") });
    let refused = match (&route.method, open) {
        (&axum::http::Method::HEAD, _) => "Nothing",
        (_, true) => "SignInRefused",
        (_, false) => "Refused",
    };
    let mut all = json!({ "4XX": named(refused) });
    for (status, body) in answers::of(&route.method, route.pattern).unwrap_or_default() {
        all[status.to_string()] = match body {
            Body::Nothing => named("Nothing"),
            Body::One(name) => done(shape::named(name)),
            Body::Page(name) => done(shape::named(&format!("{name}List"))),
        };
    }
    all
}

fn done(schema: Value) -> Value {
    json!({
        "description": "Done.",
        "content": { "application/json": { "schema": schema } },
    })
}

/// Answers that many operations share.
fn shared_responses() -> Value {
    let answer = |words: &str, schema: Value| json!({ "description": words, "content": { "application/json": { "schema": schema } } });
    json!({
        "Nothing": { "description": "An answer without a body." },
        "Refused": answer("Refused; the code and the message say why.", shape::named("Error")),
        "SignInRefused": answer("Refused, in the words of OAuth.", json!({ "anyOf": [shape::named("OAuthError"), shape::named("Error")] })),
    })
}

fn id(route: &RouteInfo) -> String {
    let words = route
        .pattern
        .split('/')
        .filter(|it| !it.is_empty())
        .map(|it| it.chars().filter(char::is_ascii_alphanumeric).collect::<String>());
    let words: Vec<String> = words.collect();
    format!("{}_{}", route.method.as_str().to_ascii_lowercase(), words.join("_"))
}
