//! What a client asks to deploy, and where.

use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::call::Call;
use crate::http::error::ArmError;
use crate::http::members::Members;
use crate::http::query::clip;
use crate::render::resource;
use crate::template::Facts;
use crate::template::parameters::is_secret;

/// Longest name of a deployment, as Azure has it.
const NAME_CHARS_MAX: usize = 64;

/// One request for a deployment.
pub(super) struct Request {
    /// Id of the subscription or the group.
    pub(super) scope: String,
    /// Name of the deployment.
    pub(super) name: String,
    /// The template.
    pub(super) template: Value,
    /// The values of parameters: `{name:{value}}`.
    pub(super) parameters: Map<String, Value>,
    /// Whether what the template does not name would be deleted.
    pub(super) complete: bool,
    /// Where it runs.
    pub(super) facts: Facts,
}

impl Request {
    /// Reads the body; nothing of the template is evaluated yet.
    pub(super) fn read(call: &Call<'_>, scope: &str) -> Result<Request, ArmError> {
        let name = checked_name(call.param("deployment"))?;
        let members = call.members()?;
        let properties = members.object("properties")?;
        let mode = properties.text("mode")?.unwrap_or("Incremental");
        let complete = mode.eq_ignore_ascii_case("Complete");
        if !complete && !mode.eq_ignore_ascii_case("Incremental") {
            return Err(invalid(format!("'{}' is no mode; use Incremental.", clip(mode)))
                .target("properties.mode"));
        }
        if properties.has("templateLink") || properties.has("parametersLink") {
            return Err(invalid(
                "This service fetches nothing from addresses; send the template and its parameters in the request.",
            ));
        }
        let template = properties.value("template").cloned().unwrap_or(Value::Null);
        let Value::Object(map) = &template else {
            return Err(invalid(
                "The member 'properties.template' is required and must be an object.",
            ));
        };
        if !map.contains_key("resources") {
            return Err(invalid(
                "The template has no member 'resources'; an empty list is enough.",
            ));
        }
        if map.get("functions").is_some_and(|it| it != &json!([])) {
            return Err(invalid(
                "Functions of a template's own are not served; write what they compute where it is used.",
            ));
        }
        let facts = facts(call, &name, &template, members.text("location")?)?;
        Ok(Request {
            scope: scope.to_owned(),
            name,
            parameters: parameters(&properties)?,
            template,
            complete,
            facts,
        })
    }

    /// Refuses what can be looked at here, and not deployed.
    pub(super) fn served(self) -> Result<Request, ArmError> {
        if !self.complete {
            return Ok(self);
        }
        Err(invalid(
            "The mode 'Complete' is not served, since it deletes what the template does not name; use Incremental.",
        )
        .target("properties.mode"))
    }

    /// Puts stars in place of the secrets among the parameters.
    pub(super) fn hide_secrets(&mut self) {
        let declared = self.template.get_mut("parameters").and_then(Value::as_object_mut);
        for (name, declaration) in declared.into_iter().flatten() {
            if !declaration["type"].as_str().is_some_and(is_secret) {
                continue;
            }
            if let Some(map) = declaration.as_object_mut() {
                // Stars need not be what the template allows.
                for rule in ["minLength", "maxLength", "allowedValues"] {
                    map.remove(rule);
                }
                map.get_mut("defaultValue").into_iter().for_each(hide);
            }
            let given = self.parameters.iter_mut().filter(|(it, _)| it.eq_ignore_ascii_case(name));
            for (_, entry) in given {
                entry.get_mut("value").into_iter().for_each(hide);
            }
        }
    }

    /// Id of the deployment.
    pub(super) fn id(&self) -> String {
        format!("{}/providers/Microsoft.Resources/deployments/{}", self.scope, self.name)
    }

    /// A number that changes with the template.
    pub(super) fn template_hash(&self) -> String {
        let digest = Uuid::new_v5(&Uuid::NAMESPACE_OID, self.template.to_string().as_bytes());
        (digest.as_u128() >> 64).to_string()
    }
}

fn hide(value: &mut Value) {
    match value {
        Value::Array(list) => list.iter_mut().for_each(hide),
        Value::Object(map) => map.values_mut().for_each(hide),
        Value::Null => {}
        Value::String(_) | Value::Number(_) | Value::Bool(_) => *value = json!("*******"),
    }
}

/// 400 for a template or a request around it.
pub(super) fn invalid(message: impl Into<String>) -> ArmError {
    ArmError::bad_request("InvalidTemplate", message)
}

fn checked_name(name: &str) -> Result<String, ArmError> {
    let fits = (1..=NAME_CHARS_MAX).contains(&name.chars().count())
        && name.chars().all(|c| c.is_alphanumeric() || "-_.()".contains(c));
    if fits {
        return Ok(name.to_owned());
    }
    Err(ArmError::bad_request(
        "InvalidDeploymentName",
        format!(
            "The deployment name '{}' is invalid: it has 1 to {NAME_CHARS_MAX} letters, digits, '-', '_', '.', '(' and ')'.",
            clip(name)
        ),
    ))
}

/// The parameters, also when a whole file of parameters was sent.
fn parameters(properties: &Members<'_>) -> Result<Map<String, Value>, ArmError> {
    let given = match properties.value("parameters") {
        None => return Ok(Map::new()),
        Some(Value::Object(map)) => map,
        Some(_) => return Err(invalid("The member 'properties.parameters' must be an object.")),
    };
    match (given.get("contentVersion"), given.get("parameters")) {
        (Some(Value::String(_)), Some(Value::Object(inner))) => Ok(inner.clone()),
        _ => Ok(given.clone()),
    }
}

fn facts(
    call: &Call<'_>,
    name: &str,
    template: &Value,
    location: Option<&str>,
) -> Result<Facts, ArmError> {
    let subscription = call.subscription()?;
    let url = &call.state.public_url;
    let mut deployment = json!({
        "name": name,
        "properties": {
            "template": { "contentVersion": template["contentVersion"], "$schema": template["$schema"] },
            "mode": "Incremental",
        },
    });
    if let Some(location) = location {
        deployment["location"] = json!(location);
    }
    Ok(Facts {
        subscription: resource::subscription(subscription),
        subscription_id: subscription.id.to_string(),
        group: call.group.as_ref().map(resource::group),
        group_name: call.group.as_ref().map(|it| it.name.clone()),
        tenant: json!({ "tenantId": subscription.tenant, "displayName": "Coffre", "countryCode": "" }),
        deployment,
        environment: json!({
            "name": "Coffre",
            "resourceManager": format!("{url}/"),
            "portal": url,
            "authentication": { "loginEndpoint": call.state.authority(), "audiences": [call.state.audience()] },
            "suffixes": { "storage": "coffre.local" },
        }),
        now: call.now,
        seed: (call.state.ids)(),
    })
}
