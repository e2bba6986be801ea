//! Lists, objects, and what works on texts as well as on lists.

use serde_json::{Map, Value};

use super::super::{Evaluated, TemplateFault};
use super::{Arguments, shown};

pub(super) fn call(arguments: &Arguments<'_>) -> Evaluated<Option<Value>> {
    let value = match arguments.name {
        "concat" => concat(arguments)?,
        "length" => Value::from(match arguments.any(0)? {
            Value::String(text) => text.chars().count(),
            Value::Array(list) => list.len(),
            Value::Object(map) => map.len(),
            other => return Err(TemplateFault::new(format!("{other} has no length"))),
        }),
        "empty" => Value::Bool(match arguments.any(0)? {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            other => return Err(TemplateFault::new(format!("{other} cannot be empty"))),
        }),
        "contains" => contains(arguments)?,
        "array" => match arguments.any(0)? {
            Value::Array(list) => Value::Array(list.clone()),
            other => Value::Array(vec![other.clone()]),
        },
        "createarray" => Value::Array(arguments.values.clone()),
        "createobject" => create_object(arguments)?,
        "first" => end(arguments, true)?,
        "last" => end(arguments, false)?,
        "skip" | "take" => part(arguments)?,
        "union" => union(arguments)?,
        "intersection" => intersection(arguments)?,
        "shallowmerge" => merged(arguments.list(0)?)?,
        "flatten" => {
            let lists = arguments.list(0)?.iter().map(|each| match each {
                Value::Array(list) => list.clone(),
                other => vec![other.clone()],
            });
            Value::Array(lists.flatten().collect())
        }
        "objectkeys" => arguments.object(0)?.keys().cloned().collect(),
        "items" => {
            let mut pairs: Vec<_> = arguments.object(0)?.iter().collect();
            pairs.sort_by_key(|(name, _)| name.to_lowercase());
            pairs
                .into_iter()
                .map(|(key, value)| serde_json::json!({ "key": key, "value": value }))
                .collect()
        }
        "indexof" | "lastindexof" => index_of(arguments)?,
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn concat(arguments: &Arguments<'_>) -> Evaluated<Value> {
    arguments.counted(1, 1000)?;
    if arguments.any(0)?.is_array() {
        let lists: Evaluated<Vec<&[Value]>> =
            (0..arguments.values.len()).map(|at| arguments.list(at)).collect();
        return Ok(Value::Array(lists?.concat()));
    }
    let mut text = String::new();
    for each in &arguments.values {
        if each.is_array() || each.is_object() {
            return Err(TemplateFault::new("'concat' joins texts, or lists, but not both"));
        }
        text.push_str(&shown(each));
    }
    Ok(Value::String(text))
}

fn contains(arguments: &Arguments<'_>) -> Evaluated<Value> {
    let both = arguments.counted(2, 2)?;
    Ok(Value::Bool(match &both[0] {
        Value::Array(list) => list.contains(&both[1]),
        Value::String(text) => text.contains(&shown(&both[1])),
        Value::Object(map) => {
            let name = arguments.text(1)?;
            map.keys().any(|key| key.eq_ignore_ascii_case(name))
        }
        other => return Err(TemplateFault::new(format!("{other} contains nothing"))),
    }))
}

fn create_object(arguments: &Arguments<'_>) -> Evaluated<Value> {
    if !arguments.values.len().is_multiple_of(2) {
        return Err(TemplateFault::new("'createObject' takes names and values by turns"));
    }
    let mut map = Map::new();
    for at in (0..arguments.values.len()).step_by(2) {
        map.insert(arguments.text(at)?.to_owned(), arguments.any(at + 1)?.clone());
    }
    Ok(Value::Object(map))
}

fn end(arguments: &Arguments<'_>, first: bool) -> Evaluated<Value> {
    arguments.counted(1, 1)?;
    if let Value::String(text) = arguments.any(0)? {
        let found = if first { text.chars().next() } else { text.chars().last() };
        return Ok(Value::String(found.map(String::from).unwrap_or_default()));
    }
    let list = arguments.list(0)?;
    let found = if first { list.first() } else { list.last() };
    found.cloned().ok_or_else(|| {
        TemplateFault::new(format!("'{}' of an array that has no entries", arguments.name))
    })
}

fn part(arguments: &Arguments<'_>) -> Evaluated<Value> {
    arguments.counted(2, 2)?;
    let count = usize::try_from(arguments.int(1)?).unwrap_or(0);
    let skip = arguments.name == "skip";
    if let Value::String(text) = arguments.any(0)? {
        let part: String = if skip {
            text.chars().skip(count).collect()
        } else {
            text.chars().take(count).collect()
        };
        return Ok(Value::String(part));
    }
    let list = arguments.list(0)?;
    let at = count.min(list.len());
    Ok(Value::Array(if skip { list[at..].to_vec() } else { list[..at].to_vec() }))
}

fn union(arguments: &Arguments<'_>) -> Evaluated<Value> {
    arguments.counted(1, 100)?;
    if arguments.any(0)?.is_object() {
        let mut made = Map::new();
        for at in 0..arguments.values.len() {
            merge(&mut made, arguments.object(at)?);
        }
        return Ok(Value::Object(made));
    }
    let mut made: Vec<Value> = Vec::new();
    for at in 0..arguments.values.len() {
        for each in arguments.list(at)? {
            if !made.contains(each) {
                made.push(each.clone());
            }
        }
    }
    Ok(Value::Array(made))
}

/// Objects below objects are merged, everything else is replaced.
fn merge(into: &mut Map<String, Value>, from: &Map<String, Value>) {
    for (name, value) in from {
        match (into.get_mut(name), value) {
            (Some(Value::Object(inner)), Value::Object(value)) => merge(inner, value),
            _ => {
                into.insert(name.clone(), value.clone());
            }
        }
    }
}

fn merged(list: &[Value]) -> Evaluated<Value> {
    let mut made = Map::new();
    for each in list {
        let Value::Object(map) = each else {
            return Err(TemplateFault::new("'shallowMerge' needs a list of objects"));
        };
        made.extend(map.clone());
    }
    Ok(Value::Object(made))
}

fn intersection(arguments: &Arguments<'_>) -> Evaluated<Value> {
    arguments.counted(2, 100)?;
    if let Value::Object(first) = arguments.any(0)? {
        let mut made = first.clone();
        for at in 1..arguments.values.len() {
            let other = arguments.object(at)?;
            made.retain(|name, value| other.get(name) == Some(value));
        }
        return Ok(Value::Object(made));
    }
    let mut made = arguments.list(0)?.to_vec();
    for at in 1..arguments.values.len() {
        let other = arguments.list(at)?;
        made.retain(|each| other.contains(each));
    }
    Ok(Value::Array(made))
}

fn index_of(arguments: &Arguments<'_>) -> Evaluated<Value> {
    arguments.counted(2, 2)?;
    let last = arguments.name == "lastindexof";
    let found = match arguments.any(0)? {
        Value::Array(list) => {
            let wanted = arguments.any(1)?;
            if last {
                list.iter().rposition(|it| it == wanted)
            } else {
                list.iter().position(|it| it == wanted)
            }
        }
        _ => {
            let (text, part) =
                (arguments.text(0)?.to_lowercase(), arguments.text(1)?.to_lowercase());
            let at = if last { text.rfind(&part) } else { text.find(&part) };
            at.map(|at| text[..at].chars().count())
        }
    };
    Ok(found.map_or(Value::from(-1), Value::from))
}
