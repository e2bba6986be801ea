//! Deployments of templates.
//!
//! The resources of a template are made through the same routes as if the client had sent their
//! PUTs one by one: the same permissions, the same checks, the same errors. A deployment is on
//! record before it begins and after each resource. When the service ends before it does, it shows
//! as failed; a repetition makes what is missing.

mod background;
mod compare;
mod request;
mod run;
mod what_if;

use axum::http::StatusCode;
use coffre_control::model::Deployment;
use coffre_control::usecase::{
    cancel_deployment, delete_deployment, get_deployment, list_deployments, put_deployment,
};
use coffre_control::{ErrorCode, Refusal};
use serde_json::{Value, json};

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::reply::Reply;
use crate::inner::Origin;
use crate::names::group_id;
use crate::render;
use request::Request;
pub(crate) use what_if::what_if;

/// Id of what the path deploys to: a subscription or a group.
fn scope(call: &Call<'_>) -> Result<String, ArmError> {
    let subscription = call.subscription_id()?;
    Ok(match &call.group {
        Some(group) => group_id(subscription, &group.name),
        None => format!("/subscriptions/{subscription}"),
    })
}

fn found(call: &Call<'_>) -> Result<Deployment, ArmError> {
    let scope = scope(call)?;
    call.look("show deployment", |tx, cx| get_deployment(tx, cx, &scope, call.param("deployment")))
}

/// POST …/validate: 200 with what would be made, or 400
pub(crate) fn validate(call: &Call<'_>) -> Result<Reply, ArmError> {
    let request = Request::read(call, &scope(call)?)?.served()?;
    let checked = run::check(call, &request)?;
    let resources: Vec<Value> = checked.plan.iter().map(|it| json!({ "id": it.id })).collect();
    Ok(Reply::ok(json!({
        "id": request.id(),
        "name": request.name,
        "type": "Microsoft.Resources/deployments",
        "properties": {
            "templateHash": request.template_hash(),
            "parameters": checked.parameters,
            "mode": "Incremental",
            "provisioningState": "Succeeded",
            "timestamp": render::time(call.now),
            "duration": "PT0S",
            "validatedResources": resources,
        },
    })))
}

/// PUT a deployment: 201 when it is new, else 200; its operation says how it goes on
pub(crate) fn put(call: &Call<'_>) -> Result<Reply, ArmError> {
    let request = Request::read(call, &scope(call)?)?.served()?;
    let checked = run::check(call, &request)?;
    if call.nested.depth > 0 {
        return put_part(call, &request, &checked);
    }
    let place = background::Place::take(call)?;
    let record = run::record(call, &request, &checked);
    let stored = store(call, record)?;
    let url = call.url(&format!("{}/operationStatuses/{}", request.id(), stored.operation));
    let shown = body(call, &stored);
    let status = if stored.etag == 1 { StatusCode::CREATED } else { StatusCode::OK };
    let caller = call.base.clone();
    background::start(background::Work { place, caller, request, checked, record: stored })?;
    Ok(Reply::with_body(status, shown).async_operation(&url).retry_after())
}

fn store(call: &Call<'_>, record: Deployment) -> Result<Deployment, ArmError> {
    let runner = call.state.deployments.runner();
    call.write("put deployment", |tx, cx| put_deployment(tx, cx, record.clone(), runner))
}

/// A deployment that is a part of another one: that one waits for it, and fails with it.
fn put_part(call: &Call<'_>, request: &Request, checked: &run::Checked) -> Result<Reply, ArmError> {
    let mut record = run::record(call, request, checked);
    run::run(Origin::of(call), request, &checked.plan, &mut record, &|_| {});
    let stored = store(call, record)?;
    if let Some(error) = &stored.error {
        let message = error["message"].as_str().unwrap_or_default().to_owned();
        let details = error["details"].as_array().cloned().unwrap_or_default();
        return Err(
            ArmError::new(StatusCode::CONFLICT, "DeploymentFailed", message).details(details)
        );
    }
    let status = if stored.etag == 1 { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Reply::with_body(status, body(call, &stored)))
}

/// GET a deployment
pub(crate) fn show(call: &Call<'_>) -> Result<Reply, ArmError> {
    Ok(Reply::ok(body(call, &found(call)?)))
}

/// HEAD: 204 when there is one, else 404
pub(crate) fn exists(call: &Call<'_>) -> Result<Reply, ArmError> {
    found(call).map(|_| Reply::no_content())
}

/// GET the deployments of a scope, newest first
pub(crate) fn list(call: &Call<'_>) -> Result<Reply, ArmError> {
    let scope = scope(call)?;
    let filter = call.filter()?;
    let all = call.look("list deployments", |tx, cx| list_deployments(tx, cx, &scope))?;
    let wanted = all.iter().filter(|it| filter.allows("provisioningState", state(call, it)));
    call.page(wanted, |it| body(call, it))
}

/// DELETE: 204; what was deployed stays
pub(crate) fn delete(call: &Call<'_>) -> Result<Reply, ArmError> {
    let scope = scope(call)?;
    let runner = call.state.deployments.runner();
    call.write("delete deployment", |tx, cx| {
        delete_deployment(tx, cx, &scope, call.param("deployment"), runner)
    })?;
    Ok(Reply::no_content())
}

/// POST …/cancel: 204; the resource that is just being made is finished
pub(crate) fn cancel(call: &Call<'_>) -> Result<Reply, ArmError> {
    let scope = scope(call)?;
    let runner = call.state.deployments.runner();
    call.write("cancel deployment", |tx, cx| {
        cancel_deployment(tx, cx, &scope, call.param("deployment"), runner)
    })?;
    Ok(Reply::no_content())
}

/// POST …/exportTemplate
pub(crate) fn export(call: &Call<'_>) -> Result<Reply, ArmError> {
    Ok(Reply::ok(json!({ "template": found(call)?.template })))
}

/// GET …/operationStatuses/{operation}
pub(crate) fn status(call: &Call<'_>) -> Result<Reply, ArmError> {
    let deployment = found(call)?;
    if deployment.operation.to_string() != call.param("operation").to_ascii_lowercase() {
        let message = "The operation could not be found; the deployment was repeated since.";
        return Err(Refusal::new(ErrorCode::OperationNotFound, message).into());
    }
    let mut body = json!({ "status": state(call, &deployment) });
    render::put(&mut body, "error", error(call, &deployment));
    Ok(Reply::ok(body).retry_after())
}

/// GET …/operations
pub(crate) fn operations(call: &Call<'_>) -> Result<Reply, ArmError> {
    let deployment = found(call)?;
    let entries = (0..deployment.steps.len()).map(|at| step(&deployment, at));
    call.page(entries, |it| it)
}

/// GET …/operations/{operation}
pub(crate) fn operation(call: &Call<'_>) -> Result<Reply, ArmError> {
    let deployment = found(call)?;
    let wanted = call.param("operation");
    let mut entries = (0..deployment.steps.len()).map(|at| step(&deployment, at));
    let entry = entries.find(|it| it["operationId"] == wanted);
    entry.map(Reply::ok).ok_or_else(|| {
        let message = "The deployment has no such operation; list its operations.";
        Refusal::new(ErrorCode::OperationNotFound, message).into()
    })
}

fn id_of(deployment: &Deployment) -> String {
    format!("{}/providers/Microsoft.Resources/deployments/{}", deployment.scope, deployment.name)
}

/// Whether the run of the service that worked on it is no more.
fn was_interrupted(call: &Call<'_>, deployment: &Deployment) -> bool {
    deployment.runner.is_some_and(|it| it != call.state.deployments.runner())
}

fn state(call: &Call<'_>, deployment: &Deployment) -> &'static str {
    match deployment.runner {
        _ if was_interrupted(call, deployment) => "Failed",
        Some(_) => "Running",
        None if deployment.cancelled => "Canceled",
        None if deployment.error.is_some() => "Failed",
        None => "Succeeded",
    }
}

fn error(call: &Call<'_>, deployment: &Deployment) -> Option<Value> {
    if !was_interrupted(call, deployment) {
        return deployment.error.clone();
    }
    Some(json!({
        "code": "DeploymentFailed",
        "target": id_of(deployment),
        "message": "The service stopped before the deployment ended. Deploy again: what was made is kept and is not made twice.",
    }))
}

fn body(call: &Call<'_>, deployment: &Deployment) -> Value {
    let mut namespaces: Vec<(&str, Vec<&str>)> = Vec::new();
    for step in &deployment.steps {
        let (namespace, kind) = step.kind.split_once('/').unwrap_or((&step.kind, ""));
        match namespaces.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(namespace)) {
            Some((_, kinds)) if kinds.contains(&kind) => {}
            Some((_, kinds)) => kinds.push(kind),
            None => namespaces.push((namespace, vec![kind])),
        }
    }
    let providers = namespaces.into_iter().map(|(namespace, kinds)| {
        let kinds: Vec<Value> = kinds
            .into_iter()
            .map(|kind| json!({ "resourceType": kind, "locations": [] }))
            .collect();
        json!({ "namespace": namespace, "resourceTypes": kinds })
    });
    let made = deployment.steps.iter().filter(|it| (200..300).contains(&it.status));
    let mut properties = json!({
        "templateHash": deployment.template_hash,
        "parameters": deployment.parameters,
        "mode": "Incremental",
        "provisioningState": state(call, deployment),
        "timestamp": render::time(deployment.ended),
        "duration": format!("PT{}.{:03}S", deployment.took_ms / 1000, deployment.took_ms % 1000),
        "correlationId": deployment.correlation,
        "providers": providers.collect::<Vec<_>>(),
        "dependencies": [],
        "outputs": deployment.outputs,
        "outputResources": made.map(|it| json!({ "id": it.resource })).collect::<Vec<_>>(),
    });
    render::put(&mut properties, "error", error(call, deployment));
    render::resource(
        id_of(deployment),
        &deployment.name,
        "Microsoft.Resources/deployments",
        properties,
    )
}

fn step(deployment: &Deployment, at: usize) -> Value {
    let step = &deployment.steps[at];
    let operation = format!("{:08X}", at + 1);
    let state = if step.error.is_some() { "Failed" } else { "Succeeded" };
    let mut properties = json!({
        "provisioningOperation": "Create",
        "provisioningState": state,
        "timestamp": render::time(step.ended),
        "duration": "PT0S",
        "trackingId": deployment.correlation,
        "statusCode": status_word(step.status),
        "targetResource": {
            "id": step.resource,
            "resourceType": step.kind,
            "resourceName": step.name,
        },
    });
    let message = step.error.as_ref().map(|it| json!({ "status": "Failed", "error": it }));
    render::put(&mut properties, "statusMessage", message);
    json!({
        "id": format!("{}/operations/{operation}", id_of(deployment)),
        "operationId": operation,
        "properties": properties,
    })
}

fn status_word(status: u16) -> String {
    let reason = StatusCode::from_u16(status).ok().and_then(|it| it.canonical_reason());
    reason.map_or_else(|| "Skipped".to_owned(), |it| it.replace(' ', ""))
}
