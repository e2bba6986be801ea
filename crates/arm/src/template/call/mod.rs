//! The functions of expressions, by what they work on. Names are in lower case.

mod list;
mod logic;
mod number;
mod scope;
mod text;
mod time;

use serde_json::Value;

pub(crate) use scope::interleaved;

use super::eval::{Evaluator, Local, kind};
use super::expression::Expression;
use super::{Evaluated, TemplateFault};

/// Functions of one kind: none when the name is not theirs.
type Group = fn(&Arguments<'_>) -> Evaluated<Option<Value>>;

/// Calls a function.
pub(crate) fn call(
    evaluator: &Evaluator<'_>,
    name: &str,
    arguments: &[Expression],
    local: &Local,
) -> Evaluated<Value> {
    // Functions that do not look at all of their arguments, or look at them more than once.
    if let Some(value) = logic::lazy(evaluator, name, arguments, local)? {
        return Ok(value);
    }
    let values: Evaluated<Vec<Value>> =
        arguments.iter().map(|each| evaluator.tree(each, local)).collect();
    let values = Arguments { name, values: values? };
    let groups: [Group; 5] = [logic::call, text::call, number::call, list::call, time::call];
    for group in groups {
        if let Some(value) = group(&values)? {
            return Ok(value);
        }
    }
    match scope::call(evaluator, &values, local)? {
        Some(value) => Ok(value),
        None => Err(TemplateFault::new(format!(
            "the function '{name}' is not known here; see the list of functions in the documentation of deployments"
        ))),
    }
}

/// The arguments of a call.
pub(crate) struct Arguments<'a> {
    /// The function, in lower case.
    pub(crate) name: &'a str,
    /// The values.
    pub(crate) values: Vec<Value>,
}

impl Arguments<'_> {
    /// Refuses another number of arguments.
    pub(crate) fn counted(&self, least: usize, most: usize) -> Evaluated<&[Value]> {
        let count = self.values.len();
        if (least..=most).contains(&count) {
            return Ok(&self.values);
        }
        let wanted = if least == most { least.to_string() } else { format!("{least} to {most}") };
        Err(TemplateFault::new(format!("'{}' takes {wanted} arguments, not {count}", self.name)))
    }

    fn wrong(&self, at: usize, wanted: &str) -> TemplateFault {
        let found = self.values.get(at).map_or("nothing", kind);
        TemplateFault::new(format!(
            "argument {} of '{}' must be {wanted}, not {found}",
            at + 1,
            self.name
        ))
    }

    /// An argument.
    pub(crate) fn any(&self, at: usize) -> Evaluated<&Value> {
        self.values.get(at).ok_or_else(|| self.wrong(at, "given"))
    }

    /// An argument that is a text.
    pub(crate) fn text(&self, at: usize) -> Evaluated<&str> {
        self.any(at)?.as_str().ok_or_else(|| self.wrong(at, "a text"))
    }

    /// An argument that is a whole number.
    pub(crate) fn int(&self, at: usize) -> Evaluated<i64> {
        self.any(at)?.as_i64().ok_or_else(|| self.wrong(at, "a whole number"))
    }

    /// An argument that is a whole number from 0 on.
    pub(crate) fn length(&self, at: usize) -> Evaluated<usize> {
        usize::try_from(self.int(at)?).map_err(|_| self.wrong(at, "0 or more"))
    }

    /// An argument that is a list.
    pub(crate) fn list(&self, at: usize) -> Evaluated<&[Value]> {
        match self.any(at)? {
            Value::Array(list) => Ok(list),
            _ => Err(self.wrong(at, "an array")),
        }
    }

    /// An argument that is an object.
    pub(crate) fn object(&self, at: usize) -> Evaluated<&serde_json::Map<String, Value>> {
        match self.any(at)? {
            Value::Object(map) => Ok(map),
            _ => Err(self.wrong(at, "an object")),
        }
    }
}

/// A value as the text that `string()` and `format()` make of it.
pub(crate) fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        other => other.to_string(),
    }
}
