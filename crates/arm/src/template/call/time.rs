//! Points in time.

use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use serde_json::Value;

use super::super::{Evaluated, TemplateFault};
use super::Arguments;

pub(super) fn call(arguments: &Arguments<'_>) -> Evaluated<Option<Value>> {
    let value = match arguments.name {
        "datetimeadd" => {
            let count = arguments.counted(2, 3)?.len();
            let wrong =
                |_| TemplateFault::new("'dateTimeAdd' needs a time and a duration like P1D");
            let base: Timestamp = arguments.text(0)?.parse().map_err(wrong)?;
            let span: Span = arguments.text(1)?.parse().map_err(wrong)?;
            let sum = base.to_zoned(TimeZone::UTC).checked_add(span).map_err(wrong)?.timestamp();
            let style = if count == 3 { arguments.text(2)? } else { "yyyy-MM-ddTHH:mm:ssZ" };
            Value::String(written(sum, style)?)
        }
        "datetimefromepoch" => {
            let wrong = |_| TemplateFault::new("there is no such time");
            let at = Timestamp::from_second(arguments.int(0)?).map_err(wrong)?;
            Value::String(written(at, "yyyy-MM-ddTHH:mm:ssZ")?)
        }
        "datetimetoepoch" => {
            let wrong = |_| TemplateFault::new("'dateTimeToEpoch' needs a time");
            let at: Timestamp = arguments.text(0)?.parse().map_err(wrong)?;
            Value::from(at.as_second())
        }
        _ => return Ok(None),
    };
    Ok(Some(value))
}

/// A time in a pattern of .NET.
pub(super) fn written(at: Timestamp, style: &str) -> Evaluated<String> {
    let style = match style {
        "u" => "yyyy-MM-dd HH:mm:ssZ",
        "s" => "yyyy-MM-ddTHH:mm:ss",
        "o" | "O" => "yyyy-MM-ddTHH:mm:ss.fffffffZ",
        "d" => "MM/dd/yyyy",
        other => other,
    };
    const PARTS: &[(&str, &str)] = &[
        ("yyyy", "%Y"),
        ("yy", "%y"),
        ("MM", "%m"),
        ("dd", "%d"),
        ("HH", "%H"),
        ("hh", "%I"),
        ("mm", "%M"),
        ("ss", "%S"),
        ("fffffff", "%7f"),
        ("fff", "%3f"),
        ("%", "%%"),
    ];
    let mut pattern = String::new();
    let mut rest = style;
    while let Some(c) = rest.chars().next() {
        let part = PARTS.iter().find(|(name, _)| rest.starts_with(name));
        let taken = match part {
            Some((name, directive)) => {
                pattern.push_str(directive);
                name.len()
            }
            None => {
                pattern.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    jiff::fmt::strtime::format(&pattern, at)
        .map_err(|_| TemplateFault::new(format!("'{style}' is no pattern of a time")))
}
