//! A view of a JSON body with the habits of Resource Manager: member names match without regard
//! to case, `null` is the same as absent, and a number may arrive as a string.
//!
//! Unknown members are passed over, since the commands post their own read-backs. A member that
//! occurs twice in different spelling is refused: two readers could see different bodies.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::error::ArmError;
use super::filter::parse_time;
use super::query::clip;

/// An object of a body, and the path at which it stands (for messages).
#[derive(Debug, Clone)]
pub(crate) struct Members<'a> {
    map: Option<&'a Map<String, Value>>,
    path: String,
}

/// Parses the bytes of a body. An empty body is an empty object.
pub(crate) fn parse_body(bytes: &[u8]) -> Result<Value, ArmError> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Object(Map::new()));
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|error| {
        ArmError::bad_body(format!(
            "The request content is not valid JSON: line {}, column {}.",
            error.line(),
            error.column()
        ))
    })?;
    check_names(&value, "")?;
    Ok(value)
}

fn check_names(value: &Value, path: &str) -> Result<(), ArmError> {
    match value {
        Value::Object(map) => {
            let mut names: Vec<String> = map.keys().map(|name| name.to_ascii_lowercase()).collect();
            names.sort_unstable();
            if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
                let name = clip(&pair[0]);
                return Err(ArmError::bad_body(format!(
                    "The member '{name}' occurs more than once, in different spelling, in '{path}'."
                )));
            }
            map.iter().try_for_each(|(name, member)| check_names(member, name))
        }
        Value::Array(list) => list.iter().try_for_each(|member| check_names(member, path)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

impl<'a> Members<'a> {
    /// The members of a body, which must be an object.
    pub(crate) fn of(body: &'a Value) -> Result<Members<'a>, ArmError> {
        match body {
            Value::Object(map) => Ok(Members { map: Some(map), path: String::new() }),
            _ => Err(ArmError::bad_body("The request content must be a JSON object.")),
        }
    }

    /// The member, unless it is absent or null.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        let found = self.map?.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value).filter(|value| !value.is_null())
    }

    /// Whether the member is there and not null.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    /// The member as an object; an absent one is an empty object.
    pub(crate) fn object(&self, name: &str) -> Result<Members<'a>, ArmError> {
        let path = self.path_of(name);
        match self.value(name) {
            None => Ok(Members { map: None, path }),
            Some(Value::Object(map)) => Ok(Members { map: Some(map), path }),
            Some(_) => Err(wrong(&path, "an object")),
        }
    }

    /// The member as text.
    pub(crate) fn text(&self, name: &str) -> Result<Option<&'a str>, ArmError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(&self.path_of(name), "a string")),
        }
    }

    /// The member as text that must be there and not be empty.
    pub(crate) fn required_text(&self, name: &str) -> Result<&'a str, ArmError> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| {
            let path = self.path_of(name);
            ArmError::bad_body(format!("The member '{path}' is required.")).target(path)
        })
    }

    /// The member as a whole number, which may arrive as a string.
    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, ArmError> {
        let Some(value) = self.value(name) else { return Ok(None) };
        as_integer(value).map(Some).ok_or_else(|| wrong(&self.path_of(name), "a whole number"))
    }

    /// The member as a truth value, which may arrive as a string.
    pub(crate) fn boolean(&self, name: &str) -> Result<Option<bool>, ArmError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
            Some(_) => Err(wrong(&self.path_of(name), "true or false")),
        }
    }

    /// The member as a time in UTC.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, ArmError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        parse_time(text).map(Some).ok_or_else(|| wrong(&self.path_of(name), "a time in UTC"))
    }

    /// The member as a list.
    pub(crate) fn list(&self, name: &str) -> Result<Option<&'a [Value]>, ArmError> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Array(list)) => Ok(Some(list)),
            Some(_) => Err(wrong(&self.path_of(name), "a list")),
        }
    }

    /// The member as a list of whole numbers from 0 on, each of which may arrive as a string.
    pub(crate) fn numbers(&self, name: &str) -> Result<Option<Vec<u32>>, ArmError> {
        let Some(list) = self.list(name)? else { return Ok(None) };
        let numbers =
            list.iter().map(|value| as_integer(value).and_then(|n| u32::try_from(n).ok()));
        let numbers: Option<Vec<u32>> = numbers.collect();
        numbers.map(Some).ok_or_else(|| wrong(&self.path_of(name), "a list of whole numbers"))
    }

    /// The member as a map of text to text, names kept as they are written (tags).
    pub(crate) fn text_map(&self, name: &str) -> Result<Option<Vec<(String, String)>>, ArmError> {
        let path = self.path_of(name);
        let Some(value) = self.value(name) else { return Ok(None) };
        let Value::Object(map) = value else { return Err(wrong(&path, "an object")) };
        let pairs = map.iter().map(|(key, value)| match value {
            Value::String(text) => Ok((key.clone(), text.clone())),
            Value::Null => Ok((key.clone(), String::new())),
            Value::Bool(_) | Value::Number(_) => Ok((key.clone(), value.to_string())),
            Value::Array(_) | Value::Object(_) => Err(wrong(&path, "a map of text to text")),
        });
        pairs.collect::<Result<_, _>>().map(Some)
    }

    fn path_of(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }
}

fn wrong(path: &str, expected: &str) -> ArmError {
    ArmError::bad_body(format!("The member '{path}' must be {expected}.")).target(path)
}

fn as_integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_match_in_any_case_and_null_is_absent() {
        let body = parse_body(
            br#"{"PROPERTIES":{"instantRpDetails":null,"days":"3","on":"True","tags":{"A":"b"}}}"#,
        )
        .unwrap();
        let properties = Members::of(&body).unwrap().object("properties").unwrap();
        assert!(!properties.has("instantRPDetails"));
        assert_eq!(properties.integer("Days").unwrap(), Some(3));
        assert_eq!(properties.boolean("on").unwrap(), Some(true));
        assert_eq!(
            properties.text_map("tags").unwrap().unwrap(),
            [("A".to_owned(), "b".to_owned())]
        );
        assert!(
            properties
                .object("absent")
                .unwrap()
                .object("deeper")
                .unwrap()
                .text("x")
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn luns_arrive_as_strings_or_numbers() {
        let body = parse_body(br#"{"l":["0",1,"2"],"bad":["x"],"neg":[-1]}"#).unwrap();
        let members = Members::of(&body).unwrap();
        assert_eq!(members.numbers("l").unwrap(), Some(vec![0, 1, 2]));
        assert!(members.numbers("bad").is_err() && members.numbers("neg").is_err());
    }

    #[test]
    fn faults_name_the_member() {
        let body = parse_body(br#"{"properties":{"policyId":5}}"#).unwrap();
        let properties = Members::of(&body).unwrap().object("properties").unwrap();
        assert!(
            properties.text("policyId").unwrap_err().message().contains("'properties.policyId'")
        );
        assert!(
            properties
                .required_text("sourceResourceId")
                .unwrap_err()
                .message()
                .contains("is required")
        );
    }

    #[test]
    fn malformed_and_ambiguous_bodies_are_refused() {
        assert_eq!(parse_body(b"{").unwrap_err().code(), "InvalidRequestContent");
        assert_eq!(
            parse_body(br#"{"a":{"b":1,"B":2}}"#).unwrap_err().code(),
            "InvalidRequestContent"
        );
        assert!(parse_body("[".repeat(100_000).as_bytes()).is_err());
        assert!(parse_body(b" \n").unwrap().as_object().unwrap().is_empty());
        assert!(Members::of(&parse_body(b"[]").unwrap()).is_err());
    }

    proptest! {
        #[test]
        fn parsing_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse_body(&bytes);
        }
    }
}
