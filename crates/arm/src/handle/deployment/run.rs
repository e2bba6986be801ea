//! Checks a template, and makes its resources.

use axum::http::Method;
use coffre_control::model::{Deployment, DeploymentStep};
use serde_json::{Map, Value, json};

use super::request::{Request, invalid};
use crate::call::Call;
use crate::http::error::ArmError;
use crate::inner;
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
struct Live<'a>(&'a Call<'a>);

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

fn fault(fault: &TemplateFault) -> ArmError {
    invalid(format!("Deployment template validation failed: {fault}."))
}

fn ready<'a>(request: &'a Request, lookup: &'a dyn Lookup) -> Evaluated<(Evaluator<'a>, Value)> {
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
        inner::may_put(call, &planned.id).map_err(|error| {
            let message = format!("Resource '{}': {}", planned.id, error.message());
            ArmError::new(error.status(), error.code(), message)
        })?;
    }
    match outputs(&evaluator, &request.template) {
        Ok(_) | Err(TemplateFault::Later(_)) => Ok(Checked { parameters, plan }),
        Err(wrong) => Err(fault(&wrong)),
    }
}

/// Makes the resources in order. What depends on a failure is left out; the rest is made.
pub(super) fn run(
    call: &Call<'_>,
    request: &Request,
    checked: &Checked,
) -> Result<Deployment, ArmError> {
    let began = (call.state.clock)();
    let live = Live(call);
    let (evaluator, _) = ready(request, &live).map_err(|it| fault(&it))?;
    plan::plan(&evaluator, &request.template).map_err(|it| fault(&it))?;
    let mut steps: Vec<DeploymentStep> = Vec::new();
    for planned in &checked.plan {
        let broken = planned.after.iter().find(|it| steps[**it].error.is_some());
        let made = match broken {
            Some(at) => Err(skipped(&steps[*at].resource)),
            None => make(call, &evaluator, planned),
        };
        let (status, error) = match made {
            Ok(status) => (status, None),
            Err((status, error)) => (status, Some(error)),
        };
        steps.push(DeploymentStep {
            resource: planned.id.clone(),
            kind: planned.kind.clone(),
            name: planned.name.clone(),
            status,
            error,
            ended: (call.state.clock)(),
        });
    }
    let mut error = failure(request, &steps);
    let mut shown = json!({});
    if error.is_none() {
        match outputs(&evaluator, &request.template) {
            Ok(value) => shown = value,
            Err(wrong) => {
                let detail = json!({ "code": "DeploymentOutputEvaluationFailed", "message": wrong.to_string() });
                error = Some(failed(request, vec![detail]));
            }
        }
    }
    let ended = (call.state.clock)();
    let took = ended.duration_since(began).as_millis();
    Ok(Deployment {
        scope: request.scope.clone(),
        name: request.name.clone(),
        parameters: checked.parameters.clone(),
        outputs: shown,
        template: request.template.clone(),
        template_hash: request.template_hash(),
        error,
        steps,
        operation: (call.state.ids)(),
        correlation: (call.state.ids)(),
        ended,
        took_ms: u64::try_from(took).unwrap_or(0),
        etag: 0,
    })
}

type Made = Result<u16, (u16, Value)>;

fn skipped(because: &str) -> (u16, Value) {
    let message = format!("It was not tried, since '{because}' failed, which it depends on.");
    (0, json!({ "code": "DependencyFailed", "message": message }))
}

fn make(call: &Call<'_>, evaluator: &Evaluator<'_>, planned: &Planned) -> Made {
    let content = plan::content(evaluator, planned).map_err(|wrong| {
        (400, json!({ "code": "InvalidTemplate", "message": wrong.to_string(), "target": planned.id }))
    })?;
    inner::inner(call, &Method::PUT, &planned.id, &planned.api_version, &content)
        .map(|reply| reply.status().as_u16())
        .map_err(|error| {
            let mut body = error.to_json();
            if body.get("target").is_none() {
                body["target"] = json!(planned.id);
            }
            (error.status().as_u16(), body)
        })
}

fn failure(request: &Request, steps: &[DeploymentStep]) -> Option<Value> {
    let details: Vec<Value> = steps
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

fn failed(request: &Request, details: Vec<Value>) -> Value {
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
