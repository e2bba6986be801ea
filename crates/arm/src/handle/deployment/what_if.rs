//! What a deployment would change, before anything is changed.
//!
//! What the template asks for is held against what is there. A member that a resource here does not
//! have is said to have no effect; what a PUT would take away is said to be deleted.

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use super::compare::{Compared, compare};
use super::request::Request;
use super::{run, scope};
use crate::call::Call;
use crate::handle::{generic, tenancy};
use crate::http::error::ArmError;
use crate::http::query::clip;
use crate::http::reply::Reply;
use crate::inner::{self, Origin};
use crate::names::VAULT_TYPE;
use crate::render;
use crate::template::eval::Evaluator;
use crate::template::plan::{self, DEPLOYMENTS, Planned};
use crate::template::{NotYet, TemplateFault};

/// POST …/whatIf: 200 with the changes
pub(crate) fn what_if(call: &Call<'_>) -> Result<Reply, ArmError> {
    let full = wants_payloads(call)?;
    let mut request = Request::read(call, &scope(call)?)?;
    run::check(call, &request)?;
    // What is shown from here on is no secret.
    request.hide_secrets();
    let changes = changes(call, &request)?;
    let shown: Vec<Value> =
        changes.into_iter().map(|it| if full { it } else { brief(&it) }).collect();
    Ok(Reply::ok(json!({
        "status": "Succeeded",
        "properties": { "changes": shown, "potentialChanges": [], "diagnostics": [] },
    })))
}

fn wants_payloads(call: &Call<'_>) -> Result<bool, ArmError> {
    let members = call.members()?;
    let settings = members.object("properties")?.object("whatIfSettings")?;
    match settings.text("resultFormat")? {
        None => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("FullResourcePayloads") => Ok(true),
        Some(text) if text.eq_ignore_ascii_case("ResourceIdOnly") => Ok(false),
        Some(text) => Err(ArmError::bad_body(format!(
            "'{}' is no result format; use FullResourcePayloads or ResourceIdOnly.",
            clip(text)
        ))
        .target("properties.whatIfSettings.resultFormat")),
    }
}

/// A change without payloads. Without them nobody can see what is modified and what stays.
fn brief(change: &Value) -> Value {
    let kind = match change["changeType"].as_str() {
        Some("Modify" | "NoChange") => "Deploy",
        Some(other) => other,
        None => "Unsupported",
    };
    let mut brief = json!({ "resourceId": change["resourceId"], "changeType": kind });
    render::put(&mut brief, "unsupportedReason", change.get("unsupportedReason").cloned());
    brief
}

fn changes(call: &Call<'_>, request: &Request) -> Result<Vec<Value>, ArmError> {
    let origin = Origin::of(call);
    let live = run::Live(origin);
    let (before, _) = run::ready(request, &NotYet).map_err(|it| run::fault(&it))?;
    let (now, _) = run::ready(request, &live).map_err(|it| run::fault(&it))?;
    let plan = plan::plan(&before, &request.template).map_err(|it| run::fault(&it))?;
    plan::plan(&now, &request.template).map_err(|it| run::fault(&it))?;
    let mut changes = Vec::new();
    for planned in &plan {
        match wanted(&before, &now, planned) {
            Some(content) if planned.kind.eq_ignore_ascii_case(DEPLOYMENTS) => {
                changes.extend(inside(origin, planned, &content));
            }
            Some(content) => changes.push(change(origin, planned, &content)),
            None => changes.push(unknown(origin, planned)),
        }
    }
    // A deployment that is a part of another one speaks of its own resources only.
    if call.nested.depth == 0 && call.group.is_some() {
        changes.extend(others(call, request, &changes)?);
    }
    Ok(changes)
}

/// What a resource is to be, as far as it can be known: with what the template itself says, and
/// else with what is there now.
fn wanted(before: &Evaluator<'_>, now: &Evaluator<'_>, planned: &Planned) -> Option<Value> {
    match plan::content(before, planned) {
        Err(TemplateFault::Later(_)) => plan::content(now, planned).ok(),
        known => known.ok(),
    }
}

fn unsupported(id: &str, why: &str) -> Value {
    json!({ "resourceId": id, "changeType": "Unsupported", "unsupportedReason": why })
}

/// The resource as it is; none when it is not there.
fn existing(origin: Origin<'_>, planned: &Planned) -> Result<Option<Value>, ArmError> {
    let (id, version) = (&planned.id, &planned.api_version);
    match inner::inner(origin, &Method::GET, id, version, &Value::Null) {
        Ok(reply) => Ok(reply.into_parts().1),
        Err(error) if error.status() == StatusCode::NOT_FOUND => Ok(None),
        Err(error) => Err(error),
    }
}

/// A resource that depends on what another one will be.
fn unknown(origin: Origin<'_>, planned: &Planned) -> Value {
    match existing(origin, planned) {
        Ok(None) => json!({
            "resourceId": planned.id,
            "changeType": "Create",
            "after": described(planned, &json!({})),
        }),
        Ok(Some(_)) => unsupported(
            &planned.id,
            "Its content depends on a resource that the deployment makes first.",
        ),
        Err(error) => unsupported(&planned.id, error.message()),
    }
}

fn change(origin: Origin<'_>, planned: &Planned, content: &Value) -> Value {
    let before = match existing(origin, planned) {
        Ok(before) => before,
        Err(error) => return unsupported(&planned.id, error.message()),
    };
    let Some(before) = before else {
        let after = described(planned, content);
        return json!({ "resourceId": planned.id, "changeType": "Create", "after": after });
    };
    let Compared { delta, after } = compare(&planned.kind, &before, content);
    let mut change = json!({
        "resourceId": planned.id,
        "changeType": if delta.is_empty() { "NoChange" } else { "Modify" },
        "before": with_version(planned, before),
        "after": with_version(planned, after),
    });
    render::put(&mut change, "delta", (!delta.is_empty()).then_some(Value::Array(delta)));
    change
}

fn with_version(planned: &Planned, mut body: Value) -> Value {
    render::put(&mut body, "apiVersion", Some(json!(planned.api_version)));
    body
}

/// A resource that is not there yet, as the template describes it.
fn described(planned: &Planned, content: &Value) -> Value {
    let name = planned.name.rsplit('/').next().unwrap_or(&planned.name);
    let mut body = Map::from_iter([
        ("apiVersion".to_owned(), json!(planned.api_version)),
        ("id".to_owned(), json!(planned.id)),
        ("name".to_owned(), json!(name)),
        ("type".to_owned(), json!(planned.kind)),
    ]);
    body.extend(content.as_object().into_iter().flatten().map(|(k, v)| (k.clone(), v.clone())));
    Value::Object(body)
}

/// The changes of a deployment inside this one.
fn inside(origin: Origin<'_>, planned: &Planned, content: &Value) -> Vec<Value> {
    let path = format!("{}/whatIf", planned.id);
    match inner::inner(origin, &Method::POST, &path, &planned.api_version, content) {
        Ok(reply) => {
            let mut body = reply.into_parts().1.unwrap_or_default();
            match body["properties"]["changes"].take() {
                Value::Array(changes) => changes,
                _ => Vec::new(),
            }
        }
        Err(error) => vec![unsupported(&planned.id, error.message())],
    }
}

/// What the group has and the template does not name: it stays, or in the mode Complete it goes, as
/// far as it can be deleted here.
fn others(call: &Call<'_>, request: &Request, known: &[Value]) -> Result<Vec<Value>, ArmError> {
    let group = &call.group()?.name;
    let is_known = |id: &Value| {
        let id = id.as_str().unwrap_or_default();
        known
            .iter()
            .filter_map(|it| it["resourceId"].as_str())
            .any(|it| it.eq_ignore_ascii_case(id))
    };
    let listed = tenancy::everything(call, call.subscription_id()?)?;
    let mut rest = Vec::new();
    for other in listed.into_iter().filter(|it| it.group.eq_ignore_ascii_case(group)) {
        if is_known(&other.body["id"]) {
            continue;
        }
        let can_go = other.kind == VAULT_TYPE || generic::KINDS.contains(&other.kind.as_str());
        let kind = if request.complete && can_go { "Delete" } else { "Ignore" };
        rest.push(json!({
            "resourceId": other.body["id"],
            "changeType": kind,
            "before": other.body,
        }));
    }
    Ok(rest)
}
