//! The template itself, where it is deployed, and what is there.

use serde_json::Value;

use super::super::eval::{Evaluator, Local};
use super::super::{Evaluated, TemplateFault};
use super::{Arguments, time};

pub(super) fn call(
    evaluator: &Evaluator<'_>,
    arguments: &Arguments<'_>,
    local: &Local,
) -> Evaluated<Option<Value>> {
    let facts = evaluator.facts;
    let value = match arguments.name {
        "parameters" => evaluator.parameter(arguments.text(0)?)?,
        "variables" => evaluator.variable(arguments.text(0)?)?,
        "lambdavariables" => {
            let name = arguments.text(0)?;
            let found = local.lambdas.iter().rev().find(|(known, _)| known == name);
            let missing = || TemplateFault::new(format!("no lambda has a variable '{name}'"));
            found.map(|(_, value)| value.clone()).ok_or_else(missing)?
        }
        "copyindex" => copy_index(arguments, local)?,
        "resourcegroup" => facts.group.clone().ok_or_else(|| {
            TemplateFault::new("a deployment to a subscription has no resource group")
        })?,
        "subscription" => facts.subscription.clone(),
        "tenant" => facts.tenant.clone(),
        "deployment" => facts.deployment.clone(),
        "environment" => facts.environment.clone(),
        "newguid" => Value::String(evaluator.new_guid().to_string()),
        "utcnow" => {
            let style =
                if arguments.values.is_empty() { "yyyyMMddTHHmmssZ" } else { arguments.text(0)? };
            Value::String(time::written(facts.now, style)?)
        }
        "resourceid" => Value::String(resource_id(evaluator, arguments)?),
        "subscriptionresourceid" => {
            let (before, rest) = typed(arguments, 1)?;
            let subscription =
                before.first().map_or(facts.subscription_id.as_str(), |it| it.as_str());
            Value::String(format!("/subscriptions/{subscription}/providers/{rest}"))
        }
        "tenantresourceid" => Value::String(format!("/providers/{}", typed(arguments, 0)?.1)),
        "extensionresourceid" => {
            let (before, rest) = typed(arguments, 1)?;
            let [base] = before.as_slice() else {
                return Err(TemplateFault::new("'extensionResourceId' begins with an id"));
            };
            Value::String(format!("{}/providers/{rest}", base.trim_end_matches('/')))
        }
        "reference" => reference(evaluator, arguments)?,
        name if name.starts_with("list") => {
            return Err(TemplateFault::new(format!(
                "'{name}' is not served: keys of storage accounts are not given out; leave the expression out"
            )));
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn copy_index(arguments: &Arguments<'_>, local: &Local) -> Evaluated<Value> {
    let values = arguments.counted(0, 2)?;
    let name = values.first().and_then(Value::as_str);
    let offset = match values.iter().find(|it| it.is_number()) {
        Some(number) => number.as_i64().unwrap_or_default(),
        None => 0,
    };
    let found = match name {
        Some(name) => local.copies.iter().rev().find(|(known, _)| known.eq_ignore_ascii_case(name)),
        None => local.copies.last(),
    };
    let round = found.map(|(_, round)| *round).ok_or_else(|| match name {
        Some(name) => TemplateFault::new(format!("no loop '{name}' is around 'copyIndex'")),
        None => TemplateFault::new("no loop is around 'copyIndex'"),
    })?;
    let sum = round.checked_add(offset);
    sum.map(Value::from).ok_or_else(|| TemplateFault::new("'copyIndex' has too large an offset"))
}

/// What stands before a type, and `type/name` with names between the parts of the type. At most
/// `most` arguments precede the type.
fn typed(arguments: &Arguments<'_>, most: usize) -> Evaluated<(Vec<String>, String)> {
    let texts: Evaluated<Vec<&str>> =
        (0..arguments.values.len()).map(|at| arguments.text(at)).collect();
    let texts = texts?;
    for at in 0..=most.min(texts.len().saturating_sub(1)) {
        let Some((kind, names)) = texts.get(at).zip(texts.get(at + 1..)) else { break };
        let parts = kind.split('/').count() - 1;
        if kind.starts_with('/') || parts == 0 || parts != names.len() {
            continue;
        }
        let before = texts[..at].iter().map(|it| (*it).to_owned()).collect();
        return Ok((before, interleaved(kind, names)));
    }
    Err(TemplateFault::new(format!(
        "'{}' needs a full type and a name for each part of it, like 'Microsoft.RecoveryServices/vaults', 'name'",
        arguments.name
    )))
}

/// `Ns/a/b` with `x`, `y` as `Ns/a/x/b/y`.
pub(crate) fn interleaved(kind: &str, names: &[&str]) -> String {
    let mut parts = kind.split('/');
    let mut id = parts.next().unwrap_or_default().to_owned();
    for (part, name) in parts.zip(names) {
        id.push('/');
        id.push_str(part);
        id.push('/');
        id.push_str(name);
    }
    id
}

fn resource_id(evaluator: &Evaluator<'_>, arguments: &Arguments<'_>) -> Evaluated<String> {
    let facts = evaluator.facts;
    let (before, rest) = typed(arguments, 2)?;
    let (subscription, group) = match before.as_slice() {
        [] => (facts.subscription_id.as_str(), facts.group_name.as_deref()),
        [group] => (facts.subscription_id.as_str(), Some(group.as_str())),
        [subscription, group, ..] => (subscription.as_str(), Some(group.as_str())),
    };
    Ok(match group {
        Some(group) => {
            format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{rest}")
        }
        None => format!("/subscriptions/{subscription}/providers/{rest}"),
    })
}

fn reference(evaluator: &Evaluator<'_>, arguments: &Arguments<'_>) -> Evaluated<Value> {
    let count = arguments.counted(1, 3)?.len();
    let what = arguments.text(0)?;
    let (id, known) = match evaluator.named(what) {
        Some(found) => found,
        None if what.starts_with('/') => (what.to_owned(), String::new()),
        None => {
            return Err(TemplateFault::new(format!(
                "'{what}' is neither a resource of the template nor the id of one"
            )));
        }
    };
    let version = if count > 1 { arguments.text(1)?.to_owned() } else { known };
    let version = if version.is_empty() { "2024-11-01".to_owned() } else { version };
    let full = count > 2 && arguments.text(2)?.eq_ignore_ascii_case("full");
    let resource = evaluator.existing(&id, &version)?;
    Ok(if full { resource } else { resource["properties"].clone() })
}
