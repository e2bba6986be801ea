//! Shapes of deployments, and of what one would change.

use serde_json::{Value, json};

use super::shape::{
    Shapes, anything, duration, exactly, guid, id, list, map, named, object, one_of, open,
    resource, text, time, word,
};

const KIND: &str = "Microsoft.Resources/deployments";

pub(super) fn all() -> Shapes {
    vec![
        ("Deployment", resource(KIND, deployment())),
        ("DeploymentValidation", resource(KIND, validation())),
        ("DeploymentTemplate", object([("template", anything())])),
        ("DeploymentStatus", status()),
        ("DeploymentOperation", operation()),
        ("WhatIf", what_if()),
        ("PropertyChange", property_change()),
    ]
}

fn mode() -> Value {
    one_of(&["Incremental", "Complete"])
}

fn deployment() -> Value {
    let state = one_of(&["Running", "Succeeded", "Failed", "Canceled"]);
    let kind = object([("resourceType", text()), ("locations", list(text()))]);
    object([
        ("templateHash", word()),
        ("parameters", map(anything())),
        ("mode", mode()),
        ("provisioningState", state),
        ("timestamp", time()),
        ("duration", duration()),
        ("correlationId", guid()),
        ("providers", list(object([("namespace", word()), ("resourceTypes", list(kind))]))),
        ("dependencies", list(anything())),
        ("outputs", map(open([("type", word())]))),
        ("outputResources", list(object([("id", id())]))),
        ("error?", named("ErrorBody")),
    ])
}

fn validation() -> Value {
    object([
        ("templateHash", word()),
        ("parameters", map(anything())),
        ("mode", mode()),
        ("provisioningState", exactly("Succeeded")),
        ("timestamp", time()),
        ("duration", duration()),
        ("validatedResources", list(object([("id", id())]))),
    ])
}

fn status() -> Value {
    let states = ["Running", "Succeeded", "Failed", "Canceled"];
    object([("status", one_of(&states)), ("error?", named("ErrorBody"))])
}

fn operation() -> Value {
    let target = object([("id", id()), ("resourceType", word()), ("resourceName", word())]);
    let message = object([("status", exactly("Failed")), ("error", named("ErrorBody"))]);
    let properties = object([
        ("provisioningOperation", exactly("Create")),
        ("provisioningState", one_of(&["Succeeded", "Failed"])),
        ("timestamp", time()),
        ("duration", duration()),
        ("trackingId", guid()),
        ("statusCode", word()),
        ("targetResource", target),
        ("statusMessage?", message),
    ]);
    object([
        ("id", id()),
        ("operationId", json!({ "type": "string", "pattern": "^[0-9A-F]{8}$" })),
        ("properties", properties),
    ])
}

fn what_if() -> Value {
    let kinds = ["Create", "Delete", "Ignore", "Deploy", "NoChange", "Modify", "Unsupported"];
    let change = object([
        ("resourceId", id()),
        ("changeType", one_of(&kinds)),
        ("before?", anything()),
        ("after?", anything()),
        ("delta?", list(named("PropertyChange"))),
        ("unsupportedReason?", word()),
    ]);
    let properties = object([
        ("changes", list(change)),
        ("potentialChanges", list(anything())),
        ("diagnostics", list(anything())),
    ]);
    object([("status", exactly("Succeeded")), ("properties", properties)])
}

fn property_change() -> Value {
    let kinds = ["Create", "Delete", "Modify", "Array", "NoEffect"];
    object([
        ("path", text()),
        ("propertyChangeType", one_of(&kinds)),
        // Values of any type.
        ("before?", json!({})),
        ("after?", json!({})),
        ("children?", list(named("PropertyChange"))),
    ])
}
