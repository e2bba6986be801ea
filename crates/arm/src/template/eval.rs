//! Trees and values to values.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::expression::{self, Expression, Text};
use super::{Evaluated, Facts, Lookup, TemplateFault, call};

/// Work of one deployment: about a byte or a member of what is computed each.
const WORK_MAX: u64 = 16 << 20;
/// Deepest nesting of evaluations, over all variables.
const DEPTH_MAX: u32 = 96;
/// Most rounds of a loop, as Resource Manager has it.
pub(crate) const COPIES_MAX: i64 = 800;

/// What an expression sees besides the template: loops around it and variables of lambdas.
#[derive(Debug, Clone, Default)]
pub(crate) struct Local {
    /// Loops, the innermost last: name and round.
    pub(crate) copies: Vec<(String, i64)>,
    /// Variables of lambdas, the innermost last.
    pub(crate) lambdas: Vec<(String, Value)>,
}

enum Variable {
    Raw(Value),
    /// It is just being computed: whoever asks for it now is part of a ring.
    Busy,
    Done(Value),
}

/// Evaluates the expressions of one template.
pub(crate) struct Evaluator<'a> {
    /// Where it is deployed.
    pub(crate) facts: &'a Facts,
    lookup: &'a dyn Lookup,
    parameters: BTreeMap<String, Value>,
    variables: RefCell<BTreeMap<String, Variable>>,
    names: RefCell<BTreeMap<String, (String, String)>>,
    work: Cell<u64>,
    depth: Cell<u32>,
    guids: Cell<u64>,
}

impl<'a> Evaluator<'a> {
    /// An evaluator without parameters.
    pub(crate) fn new(
        facts: &'a Facts,
        lookup: &'a dyn Lookup,
        variables: Option<&Map<String, Value>>,
    ) -> Evaluator<'a> {
        let raw = variables.into_iter().flatten();
        let raw =
            raw.map(|(name, value)| (name.to_ascii_lowercase(), Variable::Raw(value.clone())));
        Evaluator {
            facts,
            lookup,
            parameters: BTreeMap::new(),
            variables: RefCell::new(raw.collect()),
            names: RefCell::default(),
            work: Cell::new(WORK_MAX),
            depth: Cell::new(0),
            guids: Cell::new(0),
        }
    }

    /// Gives a parameter its value.
    pub(crate) fn set_parameter(&mut self, name: &str, value: Value) {
        self.parameters.insert(name.to_ascii_lowercase(), value);
    }

    /// Makes a resource of the template known to `reference(name)`.
    pub(crate) fn set_name(&self, name: &str, id: &str, api_version: &str) {
        let entry = (id.to_owned(), api_version.to_owned());
        self.names.borrow_mut().insert(name.to_ascii_lowercase(), entry);
    }

    /// The id and the version of a resource of the template, by its name or its symbol.
    pub(crate) fn named(&self, name: &str) -> Option<(String, String)> {
        self.names.borrow().get(&name.to_ascii_lowercase()).cloned()
    }

    /// A resource as it is now.
    pub(crate) fn existing(&self, id: &str, api_version: &str) -> Evaluated<Value> {
        self.lookup.resource(id, api_version)
    }

    /// The value of a parameter.
    pub(crate) fn parameter(&self, name: &str) -> Evaluated<Value> {
        self.parameters.get(&name.to_ascii_lowercase()).cloned().ok_or_else(|| {
            TemplateFault::new(format!(
                "the template has no parameter '{name}'; declare it under 'parameters'"
            ))
        })
    }

    /// The value of a variable.
    pub(crate) fn variable(&self, name: &str) -> Evaluated<Value> {
        let key = name.to_ascii_lowercase();
        let raw = match self.variables.borrow_mut().get_mut(&key) {
            None => None,
            Some(Variable::Done(value)) => return Ok(value.clone()),
            Some(Variable::Busy) => {
                return Err(TemplateFault::new(format!("the variable '{name}' needs itself")));
            }
            Some(slot) => match std::mem::replace(slot, Variable::Busy) {
                Variable::Raw(raw) => Some(raw),
                Variable::Busy | Variable::Done(_) => None,
            },
        };
        // Loops of variables stand under `copy`, each with its name.
        let Some(raw) = raw else { return self.looped_variable(name) };
        let value = self.value(&raw, &Local::default());
        let value = value.map_err(|fault| fault.at(&format!("variable '{name}'")));
        let kept = match &value {
            Ok(value) => Variable::Done(value.clone()),
            Err(_) => Variable::Raw(raw),
        };
        self.variables.borrow_mut().insert(key, kept);
        value
    }

    fn looped_variable(&self, name: &str) -> Evaluated<Value> {
        let loops = match self.variables.borrow().get("copy") {
            Some(Variable::Raw(Value::Array(loops))) => loops.clone(),
            _ => Vec::new(),
        };
        let wanted = loops
            .iter()
            .find(|entry| entry["name"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(name)));
        let Some(entry) = wanted else {
            return Err(TemplateFault::new(format!(
                "the template has no variable '{name}'; declare it under 'variables'"
            )));
        };
        let (_, list) = self.copied(entry, &Local::default())?;
        self.variables.borrow_mut().insert(name.to_ascii_lowercase(), Variable::Done(list.clone()));
        Ok(list)
    }

    /// A GUID that no other deployment has.
    pub(crate) fn new_guid(&self) -> uuid::Uuid {
        let count = self.guids.get();
        self.guids.set(count + 1);
        uuid::Uuid::new_v5(&self.facts.seed, &count.to_be_bytes())
    }

    /// Takes the work of making `value` from what is left.
    pub(crate) fn charge(&self, value: Value) -> Evaluated<Value> {
        self.spend(size(&value))?;
        Ok(value)
    }

    fn spend(&self, work: u64) -> Evaluated<()> {
        let left = self.work.get().checked_sub(work);
        self.work.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or_else(|| {
            TemplateFault::new("the template computes too much; make it smaller or split it")
        })
    }

    fn deeper<T>(&self, work: impl FnOnce() -> Evaluated<T>) -> Evaluated<T> {
        let depth = self.depth.get() + 1;
        if depth > DEPTH_MAX {
            return Err(TemplateFault::new("values and variables are nested too deeply"));
        }
        self.depth.set(depth);
        let done = work();
        self.depth.set(depth - 1);
        done
    }

    /// A value with all expressions in it replaced by what they give.
    pub(crate) fn value(&self, value: &Value, local: &Local) -> Evaluated<Value> {
        self.deeper(|| match value {
            Value::String(text) => self.text(text, local),
            Value::Array(list) => {
                self.spend(list.len() as u64)?;
                let values = list.iter().map(|each| self.value(each, local));
                values.collect::<Evaluated<Vec<_>>>().map(Value::Array)
            }
            Value::Object(map) => self.object(map, local),
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(value.clone()),
        })
    }

    fn object(&self, map: &Map<String, Value>, local: &Local) -> Evaluated<Value> {
        self.spend(map.len() as u64)?;
        let mut made = Map::new();
        for (name, value) in map {
            let loops = value.as_array().filter(|it| name == "copy" && it.iter().all(is_copy));
            if let Some(loops) = loops {
                for entry in loops {
                    let (name, list) = self.copied(entry, local)?;
                    made.insert(name, list);
                }
                continue;
            }
            let key = match self.text(name, local)? {
                Value::String(key) => key,
                _ => return Err(TemplateFault::new(format!("the name '{name}' gives no text"))),
            };
            let value = self.value(value, local).map_err(|fault| fault.at(&key))?;
            made.insert(key, value);
        }
        Ok(Value::Object(made))
    }

    /// A loop of a property or a variable: its name and the list that it makes.
    fn copied(&self, entry: &Value, local: &Local) -> Evaluated<(String, Value)> {
        let name = entry["name"].as_str().unwrap_or_default().to_owned();
        let count =
            self.count(&entry["count"], local).map_err(|it| it.at(&format!("copy '{name}'")))?;
        let mut list = Vec::new();
        for round in 0..count {
            let mut inner = local.clone();
            inner.copies.push((name.clone(), round));
            list.push(self.value(&entry["input"], &inner)?);
        }
        Ok((name, Value::Array(list)))
    }

    /// The rounds of a loop.
    pub(crate) fn count(&self, value: &Value, local: &Local) -> Evaluated<i64> {
        let count = self.value(value, local)?;
        count.as_i64().filter(|it| (0..=COPIES_MAX).contains(it)).ok_or_else(|| {
            TemplateFault::new(format!("a loop has 0 to {COPIES_MAX} rounds, not {count}"))
        })
    }

    /// A text of a template, which may be an expression.
    pub(crate) fn text(&self, text: &str, local: &Local) -> Evaluated<Value> {
        self.spend(text.len() as u64 / 8 + 1)?;
        match expression::read(text)? {
            Text::Plain(plain) => Ok(Value::String(plain)),
            Text::Expression(tree) => self.tree(&tree, local).map_err(|fault| {
                let shown: String = text.chars().take(200).collect();
                fault.at(&format!("the expression '{shown}'"))
            }),
        }
    }

    /// What a tree gives.
    pub(crate) fn tree(&self, tree: &Expression, local: &Local) -> Evaluated<Value> {
        self.deeper(|| match tree {
            Expression::Text(text) => Ok(Value::String(text.clone())),
            Expression::Number(number) => Ok(Value::from(*number)),
            Expression::Call { name, arguments } => {
                let value = call::call(self, name, arguments, local)?;
                self.charge(value)
            }
            Expression::Member { base, index, lenient } => {
                let base = self.tree(base, local)?;
                let index = self.tree(index, local)?;
                match member(&base, &index) {
                    Err(_) if *lenient => Ok(Value::Null),
                    found => found,
                }
            }
        })
    }
}

fn is_copy(entry: &Value) -> bool {
    entry["name"].is_string() && !entry["count"].is_null()
}

/// A member of an object, whatever the case of its name, or an entry of a list.
pub(crate) fn member(base: &Value, index: &Value) -> Evaluated<Value> {
    match (base, index) {
        (Value::Object(map), Value::String(name)) => {
            let found = map.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| value.clone()).ok_or_else(|| {
                let known: Vec<&str> = map.keys().take(20).map(String::as_str).collect();
                TemplateFault::new(format!(
                    "there is no member '{name}'; there are: {}",
                    known.join(", ")
                ))
            })
        }
        (Value::Array(list), Value::Number(number)) => {
            let at = number.as_u64().and_then(|it| usize::try_from(it).ok());
            at.and_then(|at| list.get(at)).cloned().ok_or_else(|| {
                TemplateFault::new(format!("a list of {} has no entry {number}", list.len()))
            })
        }
        _ => Err(TemplateFault::new(format!("{} has no member {index}", kind(base)))),
    }
}

/// What a value is, for messages.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a bool",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

fn size(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
        Value::String(text) => text.len() as u64 + 1,
        Value::Array(list) => list.iter().map(size).sum::<u64>() + 1,
        Value::Object(map) => {
            map.iter().map(|(name, it)| name.len() as u64 + size(it)).sum::<u64>() + 1
        }
    }
}
