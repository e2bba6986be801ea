//! JSON in the rendering that readers of the reports expect: a blank after `,` and `:`, and nothing but ASCII.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;

/// Renders a value. Keys keep the order of the fields.
///
/// # Errors
/// When a map in the value has keys that are no strings.
pub fn render(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let mut bytes = Vec::new();
    value.serialize(&mut Serializer::with_formatter(&mut bytes, Spaced))?;
    Ok(String::from_utf8(bytes).expect("the formatter writes ASCII"))
}

struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        if first { Ok(()) } else { out.write_all(b", ") }
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut units = [0; 2];
        for c in fragment.chars() {
            if c.is_ascii() && c != '\x7f' {
                out.write_all(&[c as u8])?;
            } else {
                for unit in c.encode_utf16(&mut units) {
                    write!(out, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn looks_as_readers_expect() {
        let value = json!([{"a": [1, "é\u{1f600}\n\""], "b": {}}, null]);
        let text = render(&value).unwrap();
        assert_eq!(text, r#"[{"a": [1, "\u00e9\ud83d\ude00\n\""], "b": {}}, null]"#);
    }

    proptest! {
        #[test]
        fn any_text_survives(text: String) {
            let rendered = render(&text).unwrap();
            prop_assert!(rendered.is_ascii());
            prop_assert_eq!(serde_json::from_str::<Value>(&rendered).unwrap(), json!(text));
        }
    }
}
