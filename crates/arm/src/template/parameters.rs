//! Parameters: what was given, against what the template asks for.

use serde_json::{Map, Value, json};

use super::eval::{Evaluator, Local, kind};
use super::{Evaluated, TemplateFault};

/// Most parameters, as Resource Manager has it.
const PARAMETERS_MAX: usize = 256;

/// Gives all parameters their values. Returns them as a deployment shows them: with types, and
/// without the values of secrets.
pub(crate) fn bind(
    evaluator: &mut Evaluator<'_>,
    template: &Value,
    given: &Map<String, Value>,
) -> Evaluated<Value> {
    let empty = Map::new();
    let declared = template["parameters"].as_object().unwrap_or(&empty);
    if declared.len() > PARAMETERS_MAX {
        let message = format!("a template has at most {PARAMETERS_MAX} parameters");
        return Err(TemplateFault::new(message));
    }
    let is_declared = |name: &String| declared.keys().any(|it| it.eq_ignore_ascii_case(name));
    if let Some(name) = given.keys().find(|name| !is_declared(name)) {
        let known: Vec<&str> = declared.keys().map(String::as_str).collect();
        return Err(TemplateFault::new(format!(
            "the template has no parameter '{name}'; it has: {}",
            known.join(", ")
        )));
    }
    // Defaults may use parameters that are given, whatever the order.
    let mut shown = Map::new();
    let mut missing = Vec::new();
    for (name, declaration) in declared {
        match value_of(given, name)? {
            Some(value) => {
                let entry = bound(evaluator, name, declaration, value)?;
                shown.insert(name.clone(), entry);
            }
            None => missing.push((name, declaration)),
        }
    }
    for (name, declaration) in missing {
        let value = match declaration.get("defaultValue") {
            Some(default) => evaluator
                .value(default, &Local::default())
                .map_err(|fault| fault.at(&format!("parameter '{name}'")))?,
            None if declaration["nullable"] == true => Value::Null,
            None => {
                return Err(TemplateFault::new(format!(
                    "the parameter '{name}' has no value and no default; give it with --parameters {name}=…"
                )));
            }
        };
        let entry = bound(evaluator, name, declaration, value)?;
        shown.insert(name.clone(), entry);
    }
    Ok(Value::Object(shown))
}

fn value_of(given: &Map<String, Value>, name: &str) -> Evaluated<Option<Value>> {
    let Some((_, entry)) = given.iter().find(|(it, _)| it.eq_ignore_ascii_case(name)) else {
        return Ok(None);
    };
    if entry.get("reference").is_some() {
        return Err(TemplateFault::new(format!(
            "the parameter '{name}' refers to a key vault, and there is none; give its value"
        )));
    }
    match entry.get("value") {
        Some(value) => Ok(Some(value.clone())),
        None => Err(TemplateFault::new(format!("the parameter '{name}' lacks a member 'value'"))),
    }
}

fn bound(
    evaluator: &mut Evaluator<'_>,
    name: &str,
    declaration: &Value,
    value: Value,
) -> Evaluated<Value> {
    let wanted = declaration["type"].as_str().unwrap_or("string");
    let value = check(wanted, declaration, value)
        .map_err(|fault| fault.at(&format!("parameter '{name}'")))?;
    evaluator.set_parameter(name, value.clone());
    let mut entry = json!({ "type": azure_type(wanted) });
    if !is_secret(wanted) {
        entry["value"] = value;
    }
    Ok(entry)
}

/// Whether values of the type are never shown.
pub(crate) fn is_secret(kind: &str) -> bool {
    kind.to_ascii_lowercase().starts_with("secure")
}

/// A type as deployments show it.
pub(crate) fn azure_type(kind: &str) -> &'static str {
    match kind.to_ascii_lowercase().as_str() {
        "securestring" => "SecureString",
        "int" => "Int",
        "bool" => "Bool",
        "object" => "Object",
        "secureobject" => "SecureObject",
        "array" => "Array",
        _ => "String",
    }
}

fn check(wanted: &str, declaration: &Value, value: Value) -> Evaluated<Value> {
    if value.is_null() && declaration["nullable"] == true {
        return Ok(value);
    }
    // The commands send what stands on the command line as text.
    let value = match (azure_type(wanted), value) {
        ("Int", Value::String(text)) => {
            text.trim().parse::<i64>().map_or(Value::String(text), Value::from)
        }
        ("Bool", Value::String(text)) => {
            text.to_ascii_lowercase().parse::<bool>().map_or(Value::String(text), Value::Bool)
        }
        (_, value) => value,
    };
    let fits = match azure_type(wanted) {
        "Int" => value.is_i64(),
        "Bool" => value.is_boolean(),
        "Object" | "SecureObject" => value.is_object(),
        "Array" => value.is_array(),
        _ => value.is_string(),
    };
    if !fits {
        return Err(TemplateFault::new(format!(
            "the type is {wanted}, but the value is {}",
            kind(&value)
        )));
    }
    if let Some(allowed) = declaration["allowedValues"].as_array() {
        let same = |it: &Value| match (it, &value) {
            (Value::String(a), Value::String(b)) => a.eq_ignore_ascii_case(b),
            (a, b) => a == b,
        };
        let found = match &value {
            Value::Array(list) => {
                list.iter().all(|each| allowed.contains(each)) || allowed.contains(&value)
            }
            _ => allowed.iter().any(same),
        };
        if !found {
            return Err(TemplateFault::new(format!(
                "the value is not one of {}",
                Value::Array(allowed.clone())
            )));
        }
    }
    bounds(declaration, &value)?;
    Ok(value)
}

fn bounds(declaration: &Value, value: &Value) -> Evaluated<()> {
    let length = match value {
        Value::String(text) => Some(text.chars().count() as i64),
        Value::Array(list) => Some(list.len() as i64),
        _ => None,
    };
    let limits = [
        ("minLength", length, true),
        ("maxLength", length, false),
        ("minValue", value.as_i64(), true),
        ("maxValue", value.as_i64(), false),
    ];
    for (name, found, least) in limits {
        let (Some(found), Some(limit)) = (found, declaration[name].as_i64()) else { continue };
        if (least && found < limit) || (!least && found > limit) {
            return Err(TemplateFault::new(format!(
                "{name} is {limit}, but the value has {found}"
            )));
        }
    }
    Ok(())
}
