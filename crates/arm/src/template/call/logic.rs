//! Decisions, comparisons, and functions of functions.

use std::cmp::Ordering;

use serde_json::Value;

use super::super::eval::{Evaluator, Local, member};
use super::super::expression::Expression;
use super::super::{Evaluated, TemplateFault};
use super::Arguments;

/// Functions that decide themselves which of their arguments they look at.
pub(super) fn lazy(
    evaluator: &Evaluator<'_>,
    name: &str,
    arguments: &[Expression],
    local: &Local,
) -> Evaluated<Option<Value>> {
    let truth = |tree: &Expression| match evaluator.tree(tree, local)? {
        Value::Bool(value) => Ok(value),
        other => Err(TemplateFault::new(format!("'{name}' needs true or false, not {other}"))),
    };
    let value = match (name, arguments) {
        ("if", [condition, yes, no]) => {
            evaluator.tree(if truth(condition)? { yes } else { no }, local)?
        }
        ("if", _) => return Err(TemplateFault::new("'if' takes 3 arguments")),
        ("and", all) => {
            let mut result = true;
            for each in all {
                result = result && truth(each)?;
            }
            Value::Bool(result)
        }
        ("or", all) => {
            let mut result = false;
            for each in all {
                result = result || truth(each)?;
            }
            Value::Bool(result)
        }
        ("coalesce", all) => {
            let mut found = Value::Null;
            for each in all {
                found = evaluator.tree(each, local)?;
                if !found.is_null() {
                    break;
                }
            }
            found
        }
        ("map" | "filter", [list, Expression::Call { name: kind, arguments: lambda }])
            if kind == "lambda" =>
        {
            let Value::Array(list) = evaluator.tree(list, local)? else {
                return Err(TemplateFault::new(format!("'{name}' needs an array")));
            };
            each_of(evaluator, name == "filter", list, lambda, local)?
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// Calls a lambda with each entry: keeps the entries that it allows, or makes new ones.
fn each_of(
    evaluator: &Evaluator<'_>,
    keep: bool,
    list: Vec<Value>,
    lambda: &[Expression],
    local: &Local,
) -> Evaluated<Value> {
    let [Expression::Text(variable), body] = lambda else {
        return Err(TemplateFault::new("a lambda has the name of one variable and a body"));
    };
    let mut made = Vec::new();
    for entry in list {
        let mut inner = local.clone();
        inner.lambdas.push((variable.clone(), entry.clone()));
        let value = evaluator.tree(body, &inner)?;
        match (keep, value) {
            (false, value) => made.push(value),
            (true, Value::Bool(true)) => made.push(entry),
            (true, Value::Bool(false)) => {}
            (true, _) => return Err(TemplateFault::new("a filter gives true or false")),
        }
    }
    Ok(Value::Array(made))
}

/// The others.
pub(super) fn call(arguments: &Arguments<'_>) -> Evaluated<Option<Value>> {
    let value = match arguments.name {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        "not" => {
            arguments.counted(1, 1)?;
            match arguments.any(0)? {
                Value::Bool(value) => Value::Bool(!value),
                _ => return Err(TemplateFault::new("'not' needs true or false")),
            }
        }
        "bool" => boolean(arguments)?,
        "equals" => {
            let both = arguments.counted(2, 2)?;
            Value::Bool(both[0] == both[1])
        }
        "less" => Value::Bool(order(arguments)? == Ordering::Less),
        "lessorequals" => Value::Bool(order(arguments)? != Ordering::Greater),
        "greater" => Value::Bool(order(arguments)? == Ordering::Greater),
        "greaterorequals" => Value::Bool(order(arguments)? != Ordering::Less),
        "tryget" => {
            let path = arguments.counted(2, 32)?;
            let found = path[1..].iter().try_fold(path[0].clone(), |at, each| member(&at, each));
            found.unwrap_or(Value::Null)
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

fn boolean(arguments: &Arguments<'_>) -> Evaluated<Value> {
    arguments.counted(1, 1)?;
    match arguments.any(0)? {
        Value::Bool(value) => Ok(Value::Bool(*value)),
        Value::Number(number) => Ok(Value::Bool(number.as_i64() != Some(0))),
        Value::String(text) if text.eq_ignore_ascii_case("true") || text == "1" => {
            Ok(Value::Bool(true))
        }
        Value::String(text) if text.eq_ignore_ascii_case("false") || text == "0" => {
            Ok(Value::Bool(false))
        }
        other => Err(TemplateFault::new(format!("{other} is neither true nor false"))),
    }
}

fn order(arguments: &Arguments<'_>) -> Evaluated<Ordering> {
    match arguments.counted(2, 2)? {
        [Value::String(a), Value::String(b)] => Ok(a.cmp(b)),
        _ => Ok(arguments.int(0)?.cmp(&arguments.int(1)?)),
    }
}
