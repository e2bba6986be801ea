//! Shapes of tenants, subscriptions, groups, deployments, locks, roles, tags, and of what is kept as
//! it came.

use serde_json::{Value, json};

use super::shape::{
    Shapes, anything, boolean, exactly, guid, id, list, map, named, object, one_of, open, or_null,
    resource, text, time, tracked, url, whole, with, word,
};

pub(super) fn all() -> Shapes {
    let mut shapes = super::of_deployment::all();
    shapes.extend([
        ("Tags", map(text())),
        ("TagsOfScope", resource("Microsoft.Resources/tags", object([("tags", named("Tags"))]))),
        ("Tenant", tenant()),
        ("Subscription", subscription()),
        ("Subscriptions", subscriptions()),
        ("Region", region()),
        ("Provider", provider()),
        ("Group", group()),
        ("Listed", listed()),
        ("Kept", kept()),
        ("Part", open([("id?", id()), ("name", word())])),
        ("Lock", resource("Microsoft.Authorization/locks", lock())),
        ("RoleDefinition", resource("Microsoft.Authorization/roleDefinitions", definition())),
        ("RoleAssignment", resource("Microsoft.Authorization/roleAssignments", assignment())),
        ("AuditRecord", audit_record()),
        ("AuditChain", audit_chain()),
        // Of an operation whose end has nothing to show.
        ("Empty", object([])),
    ]);
    shapes
}

fn tenant() -> Value {
    object([
        ("id", id()),
        ("tenantId", guid()),
        ("displayName", word()),
        ("defaultDomain", word()),
        ("domains", list(word())),
        ("tenantCategory", exactly("Home")),
        ("tenantType", exactly("AAD")),
        ("countryCode", text()),
    ])
}

fn subscription() -> Value {
    object([
        ("id", id()),
        ("subscriptionId", guid()),
        ("displayName", word()),
        ("state", exactly("Enabled")),
        ("tenantId", guid()),
        ("authorizationSource", word()),
        ("managedByTenants", list(anything())),
        (
            "subscriptionPolicies",
            object([
                ("locationPlacementId", word()),
                ("quotaId", word()),
                ("spendingLimit", exactly("Off")),
            ]),
        ),
    ])
}

fn subscriptions() -> Value {
    let count = object([("type", exactly("Total")), ("value", whole())]);
    object([("value", list(named("Subscription"))), ("count", count)])
}

fn region() -> Value {
    object([
        ("id", id()),
        ("name", word()),
        ("type", exactly("Region")),
        ("displayName", word()),
        ("regionalDisplayName", word()),
        (
            "metadata",
            object([
                ("regionType", exactly("Physical")),
                ("regionCategory", word()),
                ("geographyGroup", word()),
                ("pairedRegion", list(object([("name", word()), ("id", id())]))),
            ]),
        ),
    ])
}

fn provider() -> Value {
    let kind = object([
        ("resourceType", word()),
        ("locations", list(word())),
        ("apiVersions", list(word())),
        ("defaultApiVersion", word()),
        ("capabilities", word()),
    ]);
    object([
        ("id", id()),
        ("namespace", word()),
        ("registrationState", exactly("Registered")),
        ("registrationPolicy", word()),
        ("resourceTypes", list(kind)),
    ])
}

fn group() -> Value {
    let properties = object([("provisioningState", exactly("Succeeded"))]);
    tracked("Microsoft.Resources/resourceGroups", properties)
}

/// An entry of the list of all resources.
fn listed() -> Value {
    object([
        ("id", id()),
        ("name", word()),
        ("type", word()),
        ("location", text()),
        ("tags?", named("Tags")),
        ("sku?", anything()),
    ])
}

/// A resource that is kept as it came: a disk, a snapshot, a network.
fn kept() -> Value {
    object([
        ("id", id()),
        ("name", word()),
        ("type", word()),
        ("location", text()),
        ("tags?", named("Tags")),
        ("managedBy?", id()),
        // What the client gave, whatever it was.
        ("sku?", json!({})),
        ("kind?", json!({})),
        ("zones?", json!({})),
        ("identity?", json!({})),
        ("extendedLocation?", json!({})),
        ("properties", open([("provisioningState", exactly("Succeeded"))])),
    ])
}

fn lock() -> Value {
    object([("level", one_of(&["CanNotDelete", "ReadOnly"])), ("notes?", text())])
}

fn definition() -> Value {
    object([
        ("roleName", word()),
        ("type", one_of(&["BuiltInRole", "CustomRole"])),
        ("description", text()),
        // The lists of a role of one's own are kept as they came.
        ("assignableScopes", list(json!({}))),
        ("permissions", list(anything())),
    ])
}

fn assignment() -> Value {
    object([
        ("scope", id()),
        ("roleDefinitionId", id()),
        ("principalId", guid()),
        ("principalType", text()),
        ("createdOn", time()),
        ("updatedOn", time()),
        ("createdBy", text()),
        ("updatedBy", text()),
    ])
}

fn audit_record() -> Value {
    let properties = object([
        ("time", time()),
        ("principalId", text()),
        ("principalName", text()),
        ("operation", word()),
        ("target", text()),
    ]);
    object([("name", json!({ "type": ["string", "integer"] })), ("properties", properties)])
}

fn audit_chain() -> Value {
    object([
        ("intact", boolean()),
        ("records", whole()),
        ("recordsBeforeTheChain", whole()),
        ("head", or_null(text())),
        ("brokenAt", or_null(json!({ "type": ["string", "integer"] }))),
    ])
}

/// What `az cloud register` reads.
pub(super) fn metadata() -> Value {
    let authentication = object([
        ("loginEndpoint", url()),
        ("audiences", list(url())),
        ("tenant", word()),
        ("identityProvider", one_of(&["AAD", "ADFS"])),
    ]);
    with(
        open([("name", word()), ("resourceManager", url()), ("portal", url())]),
        "authentication",
        authentication,
    )
}
