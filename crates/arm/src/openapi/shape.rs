//! Words in which the shapes of answers are written down: JSON Schema, as OpenAPI 3.1 has it.

use serde_json::{Map, Value, json};

/// Shapes by name.
pub(super) type Shapes = Vec<(&'static str, Value)>;

/// A text.
pub(super) fn text() -> Value {
    json!({ "type": "string" })
}

/// A text that is not empty.
pub(super) fn word() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

/// One of these texts.
pub(super) fn one_of(words: &[&str]) -> Value {
    json!({ "type": "string", "enum": words })
}

/// This text.
pub(super) fn exactly(word: &str) -> Value {
    json!({ "type": "string", "const": word })
}

/// A UUID.
pub(super) fn guid() -> Value {
    json!({ "type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$" })
}

/// The id of a resource: a path.
pub(super) fn id() -> Value {
    json!({ "type": "string", "pattern": "^/" })
}

/// A time in UTC.
pub(super) fn time() -> Value {
    json!({ "type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?Z$" })
}

/// A duration as ISO 8601.
pub(super) fn duration() -> Value {
    json!({ "type": "string", "pattern": r"^PT\d+(\.\d+)?S$" })
}

/// An address of this service, or of another.
pub(super) fn url() -> Value {
    json!({ "type": "string", "pattern": "^https://" })
}

/// A whole number.
pub(super) fn whole() -> Value {
    json!({ "type": "integer" })
}

/// A number.
pub(super) fn number() -> Value {
    json!({ "type": "number" })
}

/// True or false.
pub(super) fn boolean() -> Value {
    json!({ "type": "boolean" })
}

/// `Enabled` or `Disabled`.
pub(super) fn switch() -> Value {
    one_of(&["Enabled", "Disabled"])
}

/// A list.
pub(super) fn list(of: Value) -> Value {
    json!({ "type": "array", "items": of })
}

/// An object whose names are not known before.
pub(super) fn map(of: Value) -> Value {
    json!({ "type": "object", "additionalProperties": of })
}

/// Any object: what was sent comes back.
pub(super) fn anything() -> Value {
    json!({ "type": "object" })
}

/// Another shape.
pub(super) fn named(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// The shape, or null.
pub(super) fn or_null(shape: Value) -> Value {
    json!({ "anyOf": [shape, { "type": "null" }] })
}

/// An object of these members and no others. A name with `?` at its end may be left out.
pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Value {
    let mut shape = open(members);
    shape["additionalProperties"] = json!(false);
    shape
}

/// An object of these members, and of others that the client gave it.
pub(super) fn open<const N: usize>(members: [(&str, Value); N]) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, shape) in members {
        match name.strip_suffix('?') {
            Some(name) => drop(properties.insert(name.to_owned(), shape)),
            None => {
                required.push(name.to_owned());
                properties.insert(name.to_owned(), shape);
            }
        }
    }
    json!({ "type": "object", "required": required, "properties": properties })
}

/// `{id,name,type,properties}`.
pub(super) fn resource(kind: &str, properties: Value) -> Value {
    object([("id", id()), ("name", word()), ("type", exactly(kind)), ("properties", properties)])
}

/// Adds a member to an object that has no others than its own.
pub(super) fn with(mut shape: Value, name: &str, member: Value) -> Value {
    if let Some(name) = name.strip_suffix('?') {
        shape["properties"][name] = member;
        return shape;
    }
    shape["properties"][name] = member;
    if let Some(required) = shape["required"].as_array_mut() {
        required.push(json!(name));
    }
    shape
}

/// A resource that is in a region and can have tags.
pub(super) fn tracked(kind: &str, properties: Value) -> Value {
    with(with(resource(kind, properties), "location", word()), "tags?", named("Tags"))
}

/// A page of a list.
pub(super) fn page(of: Value) -> Value {
    object([("value", list(of)), ("nextLink?", url())])
}
