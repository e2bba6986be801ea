//! The resources of a template: loops unrolled, conditions decided, names and ids known, in an order
//! in which each comes after what it depends on.

use serde_json::{Map, Value};

use super::call::interleaved;
use super::eval::{Evaluator, Local};
use super::expression::{self, Expression, Text};
use super::order::ordered;
use super::{Evaluated, TemplateFault};

/// Most resources of a template, as Resource Manager has it.
const RESOURCES_MAX: usize = 800;
/// Members that say how a resource is deployed, and are no part of it.
const NOT_CONTENT: &[&str] = &[
    "type",
    "name",
    "apiVersion",
    "condition",
    "copy",
    "dependsOn",
    "comments",
    "scope",
    "resourceGroup",
    "subscriptionId",
    "resources",
    "existing",
    "metadata",
    "asserts",
];
/// The type of nested deployments.
pub(crate) const DEPLOYMENTS: &str = "Microsoft.Resources/deployments";

/// One resource that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Planned {
    /// Its id.
    pub(crate) id: String,
    /// Its full type.
    pub(crate) kind: String,
    /// Its name, with the names of its parents in front.
    pub(crate) name: String,
    /// The version under which it is made.
    pub(crate) api_version: String,
    /// Places in the plan of what it depends on.
    pub(crate) after: Vec<usize>,
    source: Map<String, Value>,
    local: Local,
}

/// A resource before its dependencies are known.
struct Draft {
    planned: Planned,
    symbol: Option<String>,
    parent: Option<String>,
    depends: Vec<String>,
    /// It is only looked at, or its condition says no.
    skipped: bool,
}

/// The plan of a template, in order.
pub(crate) fn plan(evaluator: &Evaluator<'_>, template: &Value) -> Evaluated<Vec<Planned>> {
    let mut drafts = Vec::new();
    let local = Local::default();
    match &template["resources"] {
        Value::Null => {}
        Value::Array(list) => {
            for (at, source) in list.iter().enumerate() {
                drafted(evaluator, source, None, None, &local, &mut drafts)
                    .map_err(|fault| fault.at(&format!("resources[{at}]")))?;
            }
        }
        Value::Object(map) => {
            for (symbol, source) in map {
                drafted(evaluator, source, Some(symbol), None, &local, &mut drafts)
                    .map_err(|fault| fault.at(&format!("resource '{symbol}'")))?;
            }
        }
        _ => return Err(TemplateFault::new("'resources' must be a list, or an object of symbols")),
    }
    name_all(evaluator, &drafts)?;
    ordered(connected(evaluator, drafts)?)
}

/// The content of a resource: what is sent in its PUT.
pub(crate) fn content(evaluator: &Evaluator<'_>, planned: &Planned) -> Evaluated<Value> {
    let mut rest = planned.source.clone();
    rest.retain(|name, _| !NOT_CONTENT.iter().any(|it| it.eq_ignore_ascii_case(name)));
    let nested = planned.kind.eq_ignore_ascii_case(DEPLOYMENTS);
    let inner = nested
        && planned.source.get("properties").is_some_and(|it| {
            let scope = &it["expressionEvaluationOptions"]["scope"];
            scope.as_str().is_some_and(|it| it.eq_ignore_ascii_case("inner"))
        });
    // The expressions of a template with a scope of its own are left to it.
    let template = if inner {
        rest.get_mut("properties")
            .and_then(Value::as_object_mut)
            .and_then(|it| it.remove("template"))
    } else {
        None
    };
    let mut content = evaluator
        .value(&Value::Object(rest), &planned.local)
        .map_err(|fault| fault.at(&format!("resource '{}'", planned.id)))?;
    if let Some(template) = template {
        content["properties"]["template"] = template;
    }
    Ok(content)
}

fn drafted(
    evaluator: &Evaluator<'_>,
    source: &Value,
    symbol: Option<&str>,
    parent: Option<&Planned>,
    local: &Local,
    drafts: &mut Vec<Draft>,
) -> Evaluated<()> {
    let Value::Object(map) = source else {
        return Err(TemplateFault::new("a resource must be an object"));
    };
    let Some(copy) = map.get("copy").filter(|it| it.is_object()) else {
        return one(evaluator, map, symbol.map(str::to_owned), None, parent, local, drafts);
    };
    let name = copy["name"].as_str().unwrap_or("copy");
    let count = evaluator.count(&copy["count"], local).map_err(|it| it.at("copy.count"))?;
    for round in 0..count {
        let mut inner = local.clone();
        inner.copies.push((name.to_owned(), round));
        let symbol = symbol.map(|it| format!("{it}[{round}]"));
        one(evaluator, map, symbol, Some(name), parent, &inner, drafts)
            .map_err(|fault| fault.at(&format!("round {round}")))?;
    }
    Ok(())
}

fn one(
    evaluator: &Evaluator<'_>,
    map: &Map<String, Value>,
    symbol: Option<String>,
    loop_name: Option<&str>,
    parent: Option<&Planned>,
    local: &Local,
    drafts: &mut Vec<Draft>,
) -> Evaluated<()> {
    if drafts.len() == RESOURCES_MAX {
        return Err(TemplateFault::new(format!(
            "a template has at most {RESOURCES_MAX} resources"
        )));
    }
    let text = |member: &str| -> Evaluated<Option<String>> {
        match map.get(member) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match evaluator.value(value, local).map_err(|it| it.at(member))? {
                Value::String(text) => Ok(Some(text)),
                _ => Err(TemplateFault::new(format!("'{member}' must be a text"))),
            },
        }
    };
    let required = |member: &str| {
        text(member)?
            .filter(|it| !it.is_empty())
            .ok_or_else(|| TemplateFault::new(format!("'{member}' is missing")))
    };
    let (mut kind, mut name) = (required("type")?, required("name")?);
    if let Some(parent) = parent {
        kind = format!("{}/{kind}", parent.kind);
        name = format!("{}/{name}", parent.name);
    }
    let skipped = is_skipped(evaluator, map, local)?;
    let id = id_of(evaluator, &kind, &name, &text)?;
    let depends = depends_on(evaluator, map, local)?;
    let planned = Planned {
        id,
        kind,
        name,
        api_version: text("apiVersion")?.unwrap_or_else(|| "2024-11-01".to_owned()),
        after: Vec::new(),
        source: map.clone(),
        local: local.clone(),
    };
    let parent_of_children = planned.clone();
    let mut symbols: Vec<String> = symbol.into_iter().collect();
    symbols.extend(loop_name.map(str::to_owned));
    drafts.push(Draft {
        planned,
        symbol: (!symbols.is_empty()).then(|| symbols.join("\n")),
        parent: parent.map(|it| it.id.clone()),
        depends,
        skipped,
    });
    for (at, child) in
        map.get("resources").and_then(Value::as_array).into_iter().flatten().enumerate()
    {
        drafted(evaluator, child, None, Some(&parent_of_children), local, drafts)
            .map_err(|fault| fault.at(&format!("resources[{at}]")))?;
    }
    Ok(())
}

/// What a resource says that it comes after.
fn depends_on(
    evaluator: &Evaluator<'_>,
    map: &Map<String, Value>,
    local: &Local,
) -> Evaluated<Vec<String>> {
    let listed = map.get("dependsOn").and_then(Value::as_array).into_iter().flatten();
    listed
        .map(|each| match evaluator.value(each, local).map_err(|it| it.at("dependsOn"))? {
            Value::String(text) => Ok(text),
            other => {
                Err(TemplateFault::new(format!("'dependsOn' holds {other}, which is no text")))
            }
        })
        .collect()
}

/// Whether the condition says no, or the resource is only looked at.
fn is_skipped(
    evaluator: &Evaluator<'_>,
    map: &Map<String, Value>,
    local: &Local,
) -> Evaluated<bool> {
    let wanted = match map.get("condition") {
        None | Some(Value::Null) => true,
        Some(value) => match evaluator.value(value, local).map_err(|it| it.at("condition"))? {
            Value::Bool(wanted) => wanted,
            _ => return Err(TemplateFault::new("'condition' must be true or false")),
        },
    };
    Ok(!wanted || map.get("existing") == Some(&Value::Bool(true)))
}

fn id_of(
    evaluator: &Evaluator<'_>,
    kind: &str,
    name: &str,
    text: &impl Fn(&str) -> Evaluated<Option<String>>,
) -> Evaluated<String> {
    let facts = evaluator.facts;
    let names: Vec<&str> = name.split('/').collect();
    let parts = kind.split('/').count() - 1;
    if parts == 0 || parts != names.len() {
        return Err(TemplateFault::new(format!(
            "the type '{kind}' needs {parts} names with '/' between them, but the name is '{name}'"
        )));
    }
    let rest = interleaved(kind, &names);
    if let Some(scope) = text("scope")? {
        return Ok(format!("/{}/providers/{rest}", scope.trim_matches('/')));
    }
    let subscription = text("subscriptionId")?;
    let other = subscription.is_some();
    let subscription = subscription.unwrap_or_else(|| facts.subscription_id.clone());
    let group = match text("resourceGroup")? {
        Some(group) => Some(group),
        None if other => None,
        None => facts.group_name.clone(),
    };
    if kind.eq_ignore_ascii_case("Microsoft.Resources/resourceGroups") {
        return Ok(format!("/subscriptions/{subscription}/resourceGroups/{name}"));
    }
    Ok(match group {
        Some(group) => {
            format!("/subscriptions/{subscription}/resourceGroups/{group}/providers/{rest}")
        }
        None => format!("/subscriptions/{subscription}/providers/{rest}"),
    })
}

fn name_all(evaluator: &Evaluator<'_>, drafts: &[Draft]) -> Evaluated<()> {
    for (at, draft) in drafts.iter().enumerate() {
        let id = &draft.planned.id;
        let twin = drafts[..at]
            .iter()
            .any(|it| it.planned.id.eq_ignore_ascii_case(id) && !it.skipped && !draft.skipped);
        if twin {
            return Err(TemplateFault::new(format!(
                "the resource '{id}' is defined more than once"
            )));
        }
        evaluator.set_name(&draft.planned.name, id, &draft.planned.api_version);
        evaluator.set_name(id, id, &draft.planned.api_version);
        for symbol in draft.symbol.iter().flat_map(|it| it.split('\n')) {
            evaluator.set_name(symbol, id, &draft.planned.api_version);
        }
    }
    Ok(())
}

/// Whether the text of a `dependsOn` speaks of this resource.
fn speaks_of(text: &str, draft: &Draft) -> bool {
    let planned = &draft.planned;
    let short = || {
        let names: Vec<&str> = planned.name.split('/').collect();
        let full = interleaved(&planned.kind, &names);
        text.eq_ignore_ascii_case(&full)
            || text.eq_ignore_ascii_case(&format!("{}/{}", planned.kind, planned.name))
    };
    let symbols = draft.symbol.as_deref().unwrap_or_default();
    text.eq_ignore_ascii_case(&planned.id)
        || text.eq_ignore_ascii_case(&planned.name)
        || symbols
            .split('\n')
            .any(|it| it == text || it.rsplit_once('[').is_some_and(|(name, _)| name == text))
        || short()
}

/// Replaces texts by places, and leaves out what is not made.
fn connected(evaluator: &Evaluator<'_>, drafts: Vec<Draft>) -> Evaluated<Vec<Planned>> {
    let mut places = Vec::new();
    let mut count = 0;
    for draft in &drafts {
        places.push((!draft.skipped).then_some(count));
        count += usize::from(!draft.skipped);
    }
    let mut made = Vec::new();
    for draft in drafts.iter().filter(|it| !it.skipped) {
        let mut after = Vec::new();
        for text in &draft.depends {
            let mut found =
                drafts.iter().zip(&places).filter(|(it, _)| speaks_of(text, it)).peekable();
            if found.peek().is_none() {
                return Err(TemplateFault::new(format!(
                    "resource '{}' depends on '{text}', which the template does not define; name a resource of the template or leave it out",
                    draft.planned.id
                )));
            }
            after.extend(found.filter_map(|(_, place)| *place));
        }
        let mut implied = references(evaluator, draft);
        implied.extend(draft.parent.clone());
        for id in implied {
            let found =
                drafts.iter().zip(&places).find(|(it, _)| it.planned.id.eq_ignore_ascii_case(&id));
            after.extend(found.and_then(|(_, place)| *place));
        }
        after.sort_unstable();
        after.dedup();
        after.retain(|it| *it != made.len());
        made.push(Planned { after, ..draft.planned.clone() });
    }
    Ok(made)
}

/// Ids that a resource asks for with `reference(…)`, as far as they are known now.
fn references(evaluator: &Evaluator<'_>, draft: &Draft) -> Vec<String> {
    let mut ids = Vec::new();
    let mut open: Vec<&Value> = vec![];
    let content =
        |(name, _): &(&String, &Value)| !NOT_CONTENT.iter().any(|it| it.eq_ignore_ascii_case(name));
    open.extend(draft.planned.source.iter().filter(content).map(|(_, value)| value));
    while let Some(value) = open.pop() {
        match value {
            Value::String(text) => {
                if let Ok(Text::Expression(tree)) = expression::read(text) {
                    collect(evaluator, &tree, &draft.planned.local, &mut ids);
                }
            }
            Value::Array(list) => open.extend(list),
            Value::Object(map) => open.extend(map.values()),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    ids
}

fn collect(evaluator: &Evaluator<'_>, tree: &Expression, local: &Local, ids: &mut Vec<String>) {
    match tree {
        Expression::Call { name, arguments } => {
            if name == "reference"
                && let Some(Ok(Value::String(what))) =
                    arguments.first().map(|it| evaluator.tree(it, local))
            {
                ids.push(evaluator.named(&what).map_or(what, |(id, _)| id));
            }
            arguments.iter().for_each(|it| collect(evaluator, it, local, ids));
        }
        Expression::Member { base, index, .. } => {
            collect(evaluator, base, local, ids);
            collect(evaluator, index, local, ids);
        }
        Expression::Text(_) | Expression::Number(_) => {}
    }
}
