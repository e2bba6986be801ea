//! Reads the body of a deployment, which is JSON only almost: the commands splice the template's
//! file in as it stands. So comments, members without quotes, new lines inside of texts, texts in
//! single quotes and commas before a closing bracket are all let through.

use serde_json::{Map, Number, Value};

use super::{Evaluated, TemplateFault};

/// Deepest nesting of objects and lists.
const DEPTH_MAX: usize = 96;

/// Reads a whole text. A member that occurs twice, in any case, is refused: two readers could see
/// different templates.
pub(crate) fn parse(text: &str) -> Evaluated<Value> {
    let mut reader = Reader { text, at: 0 };
    reader.skip()?;
    if reader.peek().is_none() {
        return Ok(Value::Object(Map::new()));
    }
    let value = reader.value(0)?;
    reader.skip()?;
    match reader.peek() {
        None => Ok(value),
        Some(_) => Err(reader.fault("there is more after the end of the document")),
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        // Holds: `at` only moves by whole characters.
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let found = self.peek()?;
        self.at += found.len_utf8();
        Some(found)
    }

    fn fault(&self, what: &str) -> TemplateFault {
        let before = &self.text[..self.at];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        TemplateFault::new(format!("line {line}, column {column}: {what}"))
    }

    /// Passes over white space and comments.
    fn skip(&mut self) -> Evaluated<()> {
        loop {
            let rest = self.rest();
            let blank = rest.len()
                - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').len();
            self.at += blank;
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                match rest.find("*/") {
                    Some(end) => self.at += end + 2,
                    None => return Err(self.fault("a comment has no end")),
                }
            } else {
                return Ok(());
            }
        }
    }

    fn value(&mut self, depth: usize) -> Evaluated<Value> {
        if depth > DEPTH_MAX {
            return Err(self.fault("objects and lists are nested too deeply"));
        }
        match self.peek() {
            Some('{') => self.object(depth),
            Some('[') => self.list(depth),
            Some(quote @ ('"' | '\'')) => self.string(quote).map(Value::String),
            Some(c) if c == '-' || c.is_ascii_digit() => self.number(),
            Some(c) if c.is_ascii_alphabetic() => self.word(),
            Some(c) => Err(self.fault(&format!("'{}' begins no value", c.escape_default()))),
            None => Err(self.fault("a value is missing at the end of the document")),
        }
    }

    fn object(&mut self, depth: usize) -> Evaluated<Value> {
        self.next();
        let mut map = Map::new();
        loop {
            self.skip()?;
            if self.peek() == Some('}') {
                self.next();
                return Ok(Value::Object(map));
            }
            let name = self.name()?;
            self.skip()?;
            if self.next() != Some(':') {
                return Err(self.fault(&format!("':' is missing after the member '{name}'")));
            }
            self.skip()?;
            let value = self.value(depth + 1)?;
            if map.keys().any(|known| known.eq_ignore_ascii_case(&name)) {
                return Err(self.fault(&format!("the member '{name}' occurs more than once")));
            }
            map.insert(name, value);
            self.comma('}')?;
        }
    }

    fn list(&mut self, depth: usize) -> Evaluated<Value> {
        self.next();
        let mut list = Vec::new();
        loop {
            self.skip()?;
            if self.peek() == Some(']') {
                self.next();
                return Ok(Value::Array(list));
            }
            list.push(self.value(depth + 1)?);
            self.comma(']')?;
        }
    }

    /// A comma, or the closing bracket, which is left.
    fn comma(&mut self, closing: char) -> Evaluated<()> {
        self.skip()?;
        match self.peek() {
            Some(',') => {
                self.next();
                Ok(())
            }
            Some(c) if c == closing => Ok(()),
            _ => Err(self.fault(&format!("',' or '{closing}' is missing"))),
        }
    }

    fn name(&mut self) -> Evaluated<String> {
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            return self.string(quote);
        }
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '$' | '-'))
            .unwrap_or(rest.len());
        let name = rest[..end].to_owned();
        if name.is_empty() {
            return Err(self.fault("the name of a member is missing"));
        }
        self.at += end;
        Ok(name)
    }

    fn string(&mut self, quote: char) -> Evaluated<String> {
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                Some(c) if c == quote => return Ok(text),
                Some('\\') => text.push(self.escape()?),
                Some(c) => text.push(c),
                None => return Err(self.fault("a text has no closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Evaluated<char> {
        match self.next() {
            Some('n') => Ok('\n'),
            Some('t') => Ok('\t'),
            Some('r') => Ok('\r'),
            Some('b') => Ok('\u{8}'),
            Some('f') => Ok('\u{c}'),
            Some(c @ ('"' | '\'' | '\\' | '/' | '\n')) => Ok(c),
            Some('u') => {
                let first = self.hex4()?;
                if !(0xd800..0xdc00).contains(&first) {
                    return char::from_u32(first).ok_or_else(|| self.fault("half a character"));
                }
                if !self.rest().starts_with("\\u") {
                    return Err(self.fault("half a character"));
                }
                self.at += 2;
                let second = self.hex4()?;
                let low = second.checked_sub(0xdc00).filter(|it| *it < 0x400);
                low.and_then(|low| char::from_u32(0x10000 + ((first - 0xd800) << 10) + low))
                    .ok_or_else(|| self.fault("half a character"))
            }
            _ => Err(self.fault("'\\' is followed by no known letter")),
        }
    }

    fn hex4(&mut self) -> Evaluated<u32> {
        let digits = self.rest().get(..4).filter(|it| it.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = digits.and_then(|it| u32::from_str_radix(it, 16).ok());
        let value = value.ok_or_else(|| self.fault("'\\u' needs four hexadecimal digits"))?;
        self.at += 4;
        Ok(value)
    }

    fn number(&mut self) -> Evaluated<Value> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_ascii_digit() && !matches!(c, '-' | '+' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        let number: Option<Number> = serde_json::from_str(&rest[..end]).ok();
        let number = number.ok_or_else(|| self.fault("this is no number"))?;
        self.at += end;
        Ok(Value::Number(number))
    }

    fn word(&mut self) -> Evaluated<Value> {
        let rest = self.rest();
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let value = match &rest[..end] {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            _ => return Err(self.fault("a text needs quotes")),
        };
        self.at += end;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn what_the_commands_send_is_read() {
        let text = "{\"properties\": {\"mode\": \"Incremental\", \"parameters\": {}, template:{
            // the vault
            \"resources\": [ /* none */ {'name': \"a
b\",},],
            \"url\": \"https://x//y\", \"n\": -3, \"yes\": true, \"no\": null, \"u\": \"\\ud83d\\ude00\"
        }}}";
        let value = parse(text).unwrap();
        let template = &value["properties"]["template"];
        assert_eq!(template["resources"], json!([{ "name": "a\nb" }]));
        assert_eq!(template["url"], "https://x//y");
        assert_eq!(template["n"], -3);
        assert_eq!(template["u"], "😀");
    }

    #[test]
    fn faults_say_where() {
        for (text, place) in [
            ("{\n  \"a\" 1}", "line 2, column 8"),
            ("{\"a\": x}", "line 1, column 7"),
            ("{\"a\": 1, \"A\": 2}", "more than once"),
            ("{\"a\": \"", "no closing quote"),
            ("/* ", "no end"),
            ("{} {}", "more after the end"),
        ] {
            let fault = parse(text).unwrap_err().to_string();
            assert!(fault.contains(place), "{text}: {fault}");
        }
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    proptest! {
        #[test]
        fn strict_json_is_read_as_any_reader_would(seed in any::<u64>(), text in ".{0,20}") {
            let value = json!({ "a": [seed, text, null, true, { "b": -1.5 }], "c": {} });
            prop_assert_eq!(parse(&value.to_string()).unwrap(), value.clone());
            prop_assert_eq!(parse(&serde_json::to_string_pretty(&value).unwrap()).unwrap(), value);
        }

        #[test]
        fn reading_never_panics(text in "[\\[\\]{}:,'\"\\\\/* \na-f0-9ué.-]{0,60}") {
            let _ = parse(&text);
        }
    }
}
