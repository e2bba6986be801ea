//! Role definitions and role assignments.

use coffre_control::model::{Record, RecordKind};
use coffre_control::usecase::{
    Written, delete_record, find_record, list_records, put_record, role,
};
use coffre_control::{Action, Role};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::filter::Filter;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::render::time;

const DEFINITIONS: &str = "Microsoft.Authorization/roleDefinitions";
const ASSIGNMENTS: &str = "Microsoft.Authorization/roleAssignments";

fn definition_id(call: &Call<'_>, name: &str) -> Result<String, ArmError> {
    Ok(format!("/subscriptions/{}/providers/{DEFINITIONS}/{name}", call.subscription_id()?))
}

fn built_in(call: &Call<'_>, role: Role) -> Result<Value, ArmError> {
    let actions: Vec<&str> = match role {
        Role::Owner | Role::Contributor => vec!["*"],
        other => Action::ALL.iter().filter(|it| other.allows(**it)).map(|it| it.azure()).collect(),
    };
    let not: Vec<&str> = match role {
        Role::Contributor => {
            [Action::WriteAccess, Action::WriteGuard, Action::Approve].map(Action::azure).to_vec()
        }
        _ => Vec::new(),
    };
    Ok(json!({
        "id": definition_id(call, role.definition())?,
        "name": role.definition(),
        "type": DEFINITIONS,
        "properties": {
            "roleName": role.azure(),
            "type": "BuiltInRole",
            "description": format!("{} of this service.", role.azure()),
            "assignableScopes": ["/"],
            "permissions": [{ "actions": actions, "notActions": not, "dataActions": [], "notDataActions": [] }],
        },
    }))
}

fn custom(call: &Call<'_>, row: &Record) -> Result<Value, ArmError> {
    Ok(json!({
        "id": definition_id(call, &row.name)?,
        "name": row.name,
        "type": DEFINITIONS,
        "properties": row.content,
    }))
}

/// GET the role definitions
pub(crate) fn definitions(call: &Call<'_>) -> Result<Reply, ArmError> {
    let filter = filter(call)?;
    let own = call.look("list role definitions", |tx, cx| {
        list_records(tx, cx, RecordKind::RoleDefinition, "")
    })?;
    let mut all = Vec::new();
    for role in Role::ALL {
        all.push(built_in(call, *role)?);
    }
    for row in &own {
        all.push(custom(call, row)?);
    }
    let text =
        |it: &Value, name: &str| it["properties"][name].as_str().unwrap_or_default().to_owned();
    all.retain(|it| {
        filter.allows("roleName", &text(it, "roleName")) && filter.allows("type", &text(it, "type"))
    });
    call.page(all, |it| it)
}

/// GET one role definition
pub(crate) fn definition(call: &Call<'_>) -> Result<Reply, ArmError> {
    let name = call.param("definition");
    if let Some(role) = Role::from_definition(name) {
        return Ok(Reply::ok(built_in(call, role)?));
    }
    let row = call.look("show role definition", |tx, cx| {
        find_record(tx, cx, RecordKind::RoleDefinition, "", name)
    })?;
    match row {
        Some(row) => Ok(Reply::ok(custom(call, &row)?)),
        None => Err(unknown("RoleDefinitionDoesNotExist", "role definition", name)),
    }
}

fn unknown(code: &'static str, what: &str, name: &str) -> ArmError {
    ArmError::not_found(code, format!("The {what} '{}' does not exist.", clip(name)))
}

fn guid(text: &str) -> Result<String, ArmError> {
    text.parse::<Uuid>().map(|it| it.to_string()).map_err(|_| {
        ArmError::bad_request("InvalidRoleId", format!("'{}' is no GUID.", clip(text)))
    })
}

/// PUT a role of one's own
pub(crate) fn put_definition(call: &Call<'_>) -> Result<Reply, ArmError> {
    let name = guid(call.param("definition"))?;
    if Role::from_definition(&name).is_some() {
        return Err(ArmError::bad_request(
            "BuiltInRoleCannotBeChanged",
            "A built-in role stays as it is.",
        ));
    }
    let members = call.members()?.object("properties")?;
    let permissions = members.list("permissions")?.unwrap_or_default();
    let content = json!({
        "roleName": members.required_text("roleName")?,
        "type": "CustomRole",
        "description": members.text("description")?.unwrap_or_default(),
        "assignableScopes": members.list("assignableScopes")?.unwrap_or_default(),
        "permissions": permissions,
    });
    if role::granted(&content).is_empty() {
        return Err(ArmError::bad_request(
            "RoleWithoutActions",
            "The role allows nothing that this service knows. Give actions such as 'Microsoft.RecoveryServices/*' or '*/read'.",
        )
        .target("properties.permissions"));
    }
    let (row, _) = call.write("put role definition", |tx, cx| {
        put_record(tx, cx, RecordKind::RoleDefinition, "", &name, content)
    })?;
    Ok(Reply::created(custom(call, &row)?))
}

/// DELETE a role of one's own
pub(crate) fn delete_definition(call: &Call<'_>) -> Result<Reply, ArmError> {
    let name = call.param("definition");
    let used = call.look("list role assignments", |tx, cx| {
        list_records(tx, cx, RecordKind::RoleAssignment, "")
    })?;
    if used.iter().any(|it| role::definition_of(it).eq_ignore_ascii_case(name)) {
        return Err(ArmError::new(
            axum::http::StatusCode::CONFLICT,
            "RoleDefinitionHasAssignments",
            "The role is assigned to somebody; delete its assignments first.",
        ));
    }
    let gone = call.write("delete role definition", |tx, cx| {
        delete_record(tx, cx, RecordKind::RoleDefinition, "", name)
    })?;
    match gone {
        Some(row) => Ok(Reply::ok(custom(call, &row)?)),
        None => Ok(Reply::no_content()),
    }
}

fn assignment(row: &Record) -> Value {
    let mut properties = row.content.clone();
    properties["scope"] = json!(row.scope);
    json!({
        "id": format!("{}/providers/{ASSIGNMENTS}/{}", row.scope, row.name),
        "name": row.name,
        "type": ASSIGNMENTS,
        "properties": properties,
    })
}

/// The filter; `atScope()` and `assignedTo('…')` are what the commands send besides.
fn filter(call: &Call<'_>) -> Result<Filter, ArmError> {
    let text = call.query.get("$filter").unwrap_or_default().trim();
    let assigned = text.strip_prefix("assignedTo('").and_then(|it| it.strip_suffix("')"));
    if let Some(id) = assigned {
        return Filter::parse(&format!("principalId eq '{id}'"));
    }
    let rest = text.strip_prefix("atScope()").unwrap_or(text).trim();
    Filter::parse(rest.strip_prefix("and ").unwrap_or(rest))
}

/// GET the role assignments at a scope, above it and below it
pub(crate) fn assignments(call: &Call<'_>) -> Result<Reply, ArmError> {
    let scope = call.scope()?;
    let filter = filter(call)?;
    let all = call.look("list role assignments", |tx, cx| {
        list_records(tx, cx, RecordKind::RoleAssignment, "")
    })?;
    let at_scope = call.query.get("$filter").is_some_and(|it| it.contains("atScope()"));
    let wanted = all.iter().filter(|it| {
        let above = role_applies(&scope, &it.scope);
        let below = !at_scope && role_applies(&it.scope, &scope);
        let principal = it.content["principalId"].as_str().unwrap_or_default();
        (above || below) && filter.allows("principalId", principal)
    });
    call.page(wanted, assignment)
}

fn role_applies(id: &str, scope: &str) -> bool {
    coffre_control::usecase::is_at_or_below(id, scope)
}

/// GET one role assignment
pub(crate) fn show_assignment(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (scope, name) = (call.scope()?, call.param("assignment"));
    let row = call.look("show role assignment", |tx, cx| {
        find_record(tx, cx, RecordKind::RoleAssignment, &scope, name)
    })?;
    row.map(|it| Reply::ok(assignment(&it)))
        .ok_or_else(|| unknown("RoleAssignmentNotFound", "role assignment", name))
}

/// PUT a role assignment: 201
pub(crate) fn put_assignment(call: &Call<'_>) -> Result<Reply, ArmError> {
    let name = guid(call.param("assignment"))?;
    let members = call.members()?.object("properties")?;
    let principal = guid(members.required_text("principalId")?)?;
    let definition = members.required_text("roleDefinitionId")?;
    let definition = definition.rsplit('/').next().unwrap_or_default().to_owned();
    let kind = members.text("principalType")?.unwrap_or("ServicePrincipal").to_owned();
    let scope = call.scope()?;
    let content = json!({
        "roleDefinitionId": definition_id(call, &definition)?,
        "principalId": principal,
        "principalType": clip(&kind),
        "createdOn": time(call.now),
        "updatedOn": time(call.now),
        "createdBy": call.caller.principal,
        "updatedBy": call.caller.principal,
    });
    let known = Role::from_definition(&definition).is_some();
    let (row, written) = call
        .write("put role assignment", |tx, cx| {
            if !known && tx.record(RecordKind::RoleDefinition, "", &definition)?.is_none() {
                return Ok(None);
            }
            put_record(tx, cx, RecordKind::RoleAssignment, &scope, &name, content).map(Some)
        })?
        .ok_or_else(|| unknown("RoleDefinitionDoesNotExist", "role definition", &definition))?;
    Ok(match written {
        Written::Created => Reply::created(assignment(&row)),
        Written::Updated => Reply::ok(assignment(&row)),
    })
}

/// DELETE a role assignment: 200, or 204 when there is none
pub(crate) fn delete_assignment(call: &Call<'_>) -> Result<Reply, ArmError> {
    let (scope, name) = (call.scope()?, call.param("assignment"));
    let gone = call.write("delete role assignment", |tx, cx| {
        delete_record(tx, cx, RecordKind::RoleAssignment, &scope, name)
    })?;
    Ok(gone.map_or_else(Reply::no_content, |it| Reply::ok(assignment(&it))))
}
