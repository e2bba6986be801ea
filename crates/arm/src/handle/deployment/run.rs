//! Checks a template, and makes its resources.

use axum::http::Method;
use coffre_control::model::{Deployment, DeploymentStep};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::request::{Request, invalid};
use crate::call::Call;
use crate::http::error::ArmError;
use crate::inner::{self, Origin};
use crate::template::eval::{Evaluator, Local};
use crate::template::parameters::{azure_type, bind, is_secret};
use crate::template::plan::{self, Planned};
use crate::template::{Evaluated, Lookup, NotYet, TemplateFault};

/// What a check found out.
pub(super) struct Checked {
    /// Parameters as they are shown.
    pub(super) parameters: Value,
    /// The resources in order.
    pub(super) plan: Vec<Planned>,
}

/// Looks at what is there, with the caller's permissions.
pub(super) struct Live<'a>(pub(super) Origin<'a>);

impl Lookup for Live<'_> {
    fn resource(&self, id: &str, api_version: &str) -> Evaluated<Value> {
        let reply = inner::inner(self.0, &Method::GET, id, api_version, &Value::Null);
        match reply.map(|it| it.into_parts()) {
            Ok((_, Some(body), _)) => Ok(body),
            Ok((_, None, _)) => Ok(Value::Null),
            Err(error) => {
                Err(TemplateFault::new(format!("reference to '{id}': {}", error.message())))
            }
        }
    }
}

pub(super) fn fault(fault: &TemplateFault) -> ArmError {
    invalid(format!("Deployment template validation failed: {fault}."))
}

/// Parameters bound, and as they are shown.
pub(super) fn ready<'a>(
    request: &'a Request,
    lookup: &'a dyn Lookup,
) -> Evaluated<(Evaluator<'a>, Value)> {
    let variables = request.template["variables"].as_object();
    let mut evaluator = Evaluator::new(&request.facts, lookup, variables);
    let shown = bind(&mut evaluator, &request.template, &request.parameters)?;
    Ok((evaluator, shown))
}

/// Evaluates all that can be known before the deployment, and asks for every resource whether it
/// can be made here and whether the caller may. Nothing is changed.
pub(super) fn check(call: &Call<'_>, request: &Request) -> Result<Checked, ArmError> {
    let (evaluator, parameters) = ready(request, &NotYet).map_err(|it| fault(&it))?;
    let plan = plan::plan(&evaluator, &request.template).map_err(|it| fault(&it))?;
    for planned in &plan {
        match plan::content(&evaluator, planned) {
            Ok(_) | Err(TemplateFault::Later(_)) => {}
            Err(wrong) => return Err(fault(&wrong)),
        }
        inner::may_put(Origin::of(call), &planned.id).map_err(|error| {
            let message = format!("Resource '{}': {}", planned.id, error.message());
            ArmError::new(error.status(), error.code(), message)
        })?;
    }
    match outputs(&evaluator, &request.template) {
        Ok(_) | Err(TemplateFault::Later(_)) => Ok(Checked { parameters, plan }),
        Err(wrong) => Err(fault(&wrong)),
    }
}

/// What a deployment is when it begins.
pub(super) fn record(call: &Call<'_>, request: &Request, checked: &Checked) -> Deployment {
    Deployment {
        scope: request.scope.clone(),
        name: request.name.clone(),
        parameters: checked.parameters.clone(),
        outputs: json!({}),
        template: request.template.clone(),
        template_hash: request.template_hash(),
        error: None,
        steps: Vec::new(),
        operation: (call.state.ids)(),
        correlation: (call.state.ids)(),
        runner: Some(call.state.deployments.runner()),
        cancelled: false,
        ended: call.now,
        took_ms: 0,
        etag: 0,
    }
}

/// Makes the resources in order. What depends on a failure is left out; the rest is made. `note` is
/// told after each; the record is that of an ended deployment in the end.
pub(super) fn run(
    origin: Origin<'_>,
    request: &Request,
    plan: &[Planned],
    record: &mut Deployment,
    note: &dyn Fn(&mut Deployment),
) {
    let clock = || (origin.state.clock)();
    let began = clock();
    let live = Live(origin);
    let outcome = ready(request, &live).and_then(|(evaluator, _)| {
        plan::plan(&evaluator, &request.template)?;
        for planned in plan {
            let step = step(origin, &evaluator, planned, record);
            record.steps.push(step);
            record.took_ms = milliseconds(began, clock());
            record.ended = clock();
            note(record);
        }
        if record.steps.iter().all(|it| it.error.is_none()) {
            return outputs(&evaluator, &request.template);
        }
        Ok(json!({}))
    });
    record.error = failure(request, record);
    match outcome {
        Ok(shown) => record.outputs = shown,
        Err(wrong) => {
            let detail =
                json!({ "code": "DeploymentOutputEvaluationFailed", "message": wrong.to_string() });
            record.error = Some(failed(request, vec![detail]));
        }
    }
    record.cancelled = record.steps.iter().any(is_cancelled);
    record.runner = None;
    record.ended = clock();
    record.took_ms = milliseconds(began, record.ended);
}

fn milliseconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

/// Makes one resource, or says why not.
fn step(
    origin: Origin<'_>,
    evaluator: &Evaluator<'_>,
    planned: &Planned,
    record: &Deployment,
) -> DeploymentStep {
    let broken = planned.after.iter().find(|it| record.steps[**it].error.is_some());
    let made = match broken {
        _ if record.cancelled => Err(cancelled()),
        Some(at) => Err(skipped(&record.steps[*at].resource)),
        None => make(origin, evaluator, planned),
    };
    let (status, error) = match made {
        Ok(status) => (status, None),
        Err((status, error)) => (status, Some(error)),
    };
    DeploymentStep {
        resource: planned.id.clone(),
        kind: planned.kind.clone(),
        name: planned.name.clone(),
        status,
        error,
        ended: (origin.state.clock)(),
    }
}

type Made = Result<u16, (u16, Value)>;

fn skipped(because: &str) -> (u16, Value) {
    let message = format!("It was not tried, since '{because}' failed, which it depends on.");
    (0, json!({ "code": "DependencyFailed", "message": message }))
}

const CANCELLED: &str = "DeploymentCanceled";

fn cancelled() -> (u16, Value) {
    let message = "It was not tried, since the deployment was cancelled before.";
    (0, json!({ "code": CANCELLED, "message": message }))
}

fn is_cancelled(step: &DeploymentStep) -> bool {
    step.error.as_ref().is_some_and(|it| it["code"] == CANCELLED)
}

fn make(origin: Origin<'_>, evaluator: &Evaluator<'_>, planned: &Planned) -> Made {
    let content = plan::content(evaluator, planned).map_err(|wrong| {
        (400, json!({ "code": "InvalidTemplate", "message": wrong.to_string(), "target": planned.id }))
    })?;
    inner::inner(origin, &Method::PUT, &planned.id, &planned.api_version, &content)
        .map(|reply| reply.status().as_u16())
        .map_err(|error| {
            let mut body = error.to_json();
            if body.get("target").is_none() {
                body["target"] = json!(planned.id);
            }
            (error.status().as_u16(), body)
        })
}

fn failure(request: &Request, record: &Deployment) -> Option<Value> {
    if record.steps.iter().any(is_cancelled) {
        let message = "The deployment was cancelled. What it had made is kept.";
        return Some(json!({ "code": CANCELLED, "message": message, "target": request.id() }));
    }
    let details: Vec<Value> = record
        .steps
        .iter()
        .filter(|it| it.status != 0)
        .filter_map(|step| {
            let mut detail = step.error.clone()?;
            let message = detail["message"].as_str().unwrap_or_default();
            detail["message"] = json!(format!("{} '{}': {message}", step.kind, step.name));
            Some(detail)
        })
        .collect();
    (!details.is_empty()).then(|| failed(request, details))
}

pub(super) fn failed(request: &Request, details: Vec<Value>) -> Value {
    json!({
        "code": "DeploymentFailed",
        "target": request.id(),
        "message": "At least one resource of the deployment failed. The details say which and why; correct that and deploy again: what was made is kept and is not made twice.",
        "details": details,
    })
}

fn outputs(evaluator: &Evaluator<'_>, template: &Value) -> Evaluated<Value> {
    let mut shown = Map::new();
    let Some(declared) = template["outputs"].as_object() else { return Ok(Value::Object(shown)) };
    for (name, declaration) in declared {
        let place = |it: TemplateFault| it.at(&format!("output '{name}'"));
        let local = Local::default();
        if let Some(condition) = declaration.get("condition")
            && evaluator.value(condition, &local).map_err(place)? == Value::Bool(false)
        {
            continue;
        }
        let kind = declaration["type"].as_str().unwrap_or("string");
        let value = match declaration.get("copy") {
            Some(copy) => {
                let count = evaluator.count(&copy["count"], &local).map_err(place)?;
                let round = |round| {
                    let inner = Local { copies: vec![(name.clone(), round)], ..Local::default() };
                    evaluator.value(&copy["input"], &inner)
                };
                Value::Array((0..count).map(round).collect::<Evaluated<_>>().map_err(place)?)
            }
            None => evaluator.value(&declaration["value"], &local).map_err(place)?,
        };
        let mut entry = json!({ "type": azure_type(kind) });
        if !is_secret(kind) {
            entry["value"] = value;
        }
        shown.insert(name.clone(), entry);
    }
    Ok(Value::Object(shown))
}
