//! Whole numbers.

use serde_json::Value;

use super::super::{Evaluated, TemplateFault};
use super::Arguments;

/// Most entries of `range`.
const RANGE_MAX: i64 = 10_000;

pub(super) fn call(arguments: &Arguments<'_>) -> Evaluated<Option<Value>> {
    let both =
        || Ok::<_, TemplateFault>((arguments.counted(2, 2)?, arguments.int(0)?, arguments.int(1)?));
    let name = arguments.name;
    let number = match name {
        "add" => both().map(|(_, a, b)| a.checked_add(b))?,
        "sub" => both().map(|(_, a, b)| a.checked_sub(b))?,
        "mul" => both().map(|(_, a, b)| a.checked_mul(b))?,
        "div" => both().map(|(_, a, b)| a.checked_div(b))?,
        "mod" => both().map(|(_, a, b)| a.checked_rem(b))?,
        "min" => many(arguments)?.into_iter().min(),
        "max" => many(arguments)?.into_iter().max(),
        "int" => {
            arguments.counted(1, 1)?;
            match arguments.any(0)? {
                Value::String(text) => text.trim().parse().ok(),
                Value::Number(number) => number.as_i64(),
                _ => None,
            }
        }
        "range" => {
            let (_, start, count) = both()?;
            if !(0..=RANGE_MAX).contains(&count) || start.checked_add(count).is_none() {
                return Err(TemplateFault::new(format!("'range' makes 0 to {RANGE_MAX} numbers")));
            }
            return Ok(Some((start..start + count).map(Value::from).collect()));
        }
        _ => return Ok(None),
    };
    let number = number.ok_or_else(|| {
        TemplateFault::new(format!("'{name}' of these values is no whole number of 64 bits"))
    })?;
    Ok(Some(Value::from(number)))
}

/// Numbers given one by one, or as one list.
fn many(arguments: &Arguments<'_>) -> Evaluated<Vec<i64>> {
    let list = match arguments.values.as_slice() {
        [Value::Array(list)] => list.as_slice(),
        all => all,
    };
    let numbers: Option<Vec<i64>> = list.iter().map(Value::as_i64).collect();
    numbers.ok_or_else(|| TemplateFault::new(format!("'{}' needs whole numbers", arguments.name)))
}
