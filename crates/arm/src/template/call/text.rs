//! Texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::Value;
use uuid::Uuid;

use super::super::{Evaluated, TemplateFault};
use super::{Arguments, shown};

/// Names of `guid()` begin in this name space.
const GUIDS: Uuid = Uuid::from_u128(0x11fb_06fb_712d_4ddd_98c7_e71b_bd58_8830);
/// Longest text that a call makes.
const BYTES_MAX: usize = 256 * 1024;
/// What stays as it is in a part of an address.
const COMPONENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

pub(super) fn call(arguments: &Arguments<'_>) -> Evaluated<Option<Value>> {
    let text = |at| arguments.text(at);
    let made = match arguments.name {
        "string" => {
            arguments.counted(1, 1)?;
            shown(arguments.any(0)?)
        }
        "format" => format(arguments)?,
        "tolower" => text(0)?.to_lowercase(),
        "toupper" => text(0)?.to_uppercase(),
        "trim" => text(0)?.trim().to_owned(),
        "replace" => {
            arguments.counted(3, 3)?;
            bounded(text(0)?.len().saturating_mul(text(2)?.len() + 1) / text(1)?.len().max(1))?;
            if text(1)?.is_empty() {
                text(0)?.to_owned()
            } else {
                text(0)?.replace(text(1)?, text(2)?)
            }
        }
        "substring" => substring(arguments)?,
        "padleft" => pad_left(arguments)?,
        "split" => return split(arguments).map(Some),
        "join" => {
            arguments.counted(2, 2)?;
            let parts: Vec<String> = arguments.list(0)?.iter().map(shown).collect();
            bounded(parts.len().saturating_mul(text(1)?.len()))?;
            parts.join(text(1)?)
        }
        "startswith" => {
            let found = text(0)?.to_lowercase().starts_with(&text(1)?.to_lowercase());
            return Ok(Some(Value::Bool(found)));
        }
        "endswith" => {
            let found = text(0)?.to_lowercase().ends_with(&text(1)?.to_lowercase());
            return Ok(Some(Value::Bool(found)));
        }
        "uniquestring" => unique(&joined(arguments)?),
        "guid" => Uuid::new_v5(&GUIDS, joined(arguments)?.as_bytes()).to_string(),
        "base64" => STANDARD.encode(text(0)?),
        "base64tostring" => decoded(text(0)?)?,
        "base64tojson" => return json(&decoded(text(0)?)?).map(Some),
        "json" => return json(text(0)?).map(Some),
        "uri" => uri(text(0)?, text(1)?),
        "uricomponent" => utf8_percent_encode(text(0)?, COMPONENT).to_string(),
        "uricomponenttostring" => percent_decode_str(text(0)?).decode_utf8_lossy().into_owned(),
        _ => return Ok(None),
    };
    bounded(made.len())?;
    Ok(Some(Value::String(made)))
}

fn bounded(bytes: usize) -> Evaluated<()> {
    if bytes <= BYTES_MAX { Ok(()) } else { Err(TemplateFault::new("a text becomes too long")) }
}

fn joined(arguments: &Arguments<'_>) -> Evaluated<String> {
    let parts: Evaluated<Vec<&str>> =
        (0..arguments.values.len()).map(|at| arguments.text(at)).collect();
    Ok(parts?.join("-"))
}

/// Thirteen letters and digits that depend on the text only.
fn unique(text: &str) -> String {
    let mut bits = Uuid::new_v5(&GUIDS, text.as_bytes()).as_u128() >> 60;
    (0..13)
        .map(|_| {
            let digit = (bits & 31) as u8;
            bits >>= 5;
            char::from(if digit < 26 { b'a' + digit } else { b'2' + digit - 26 })
        })
        .collect()
}

fn decoded(text: &str) -> Evaluated<String> {
    let bytes = STANDARD.decode(text).map_err(|_| TemplateFault::new("this is no base64"))?;
    String::from_utf8(bytes).map_err(|_| TemplateFault::new("the base64 holds no text"))
}

fn json(text: &str) -> Evaluated<Value> {
    serde_json::from_str(text)
        .map_err(|fault| TemplateFault::new(format!("the text is no JSON: {fault}")))
}

fn uri(base: &str, relative: &str) -> String {
    let base = match base.rfind('/') {
        Some(at) if at > base.find("://").map_or(0, |it| it + 2) => &base[..at],
        _ => base,
    };
    format!("{base}/{}", relative.trim_start_matches('/'))
}

fn substring(arguments: &Arguments<'_>) -> Evaluated<String> {
    let count = arguments.counted(2, 3)?.len();
    let chars: Vec<char> = arguments.text(0)?.chars().collect();
    let start = arguments.length(1)?;
    let length = if count == 3 { arguments.length(2)? } else { chars.len().saturating_sub(start) };
    let part = start.checked_add(length).and_then(|end| chars.get(start..end));
    part.map(|part| part.iter().collect()).ok_or_else(|| {
        TemplateFault::new(format!(
            "a text of {} characters has no {length} characters from {start} on",
            chars.len()
        ))
    })
}

fn pad_left(arguments: &Arguments<'_>) -> Evaluated<String> {
    let text = shown(arguments.any(0)?);
    let width = arguments.length(1)?;
    bounded(width)?;
    let fill = if arguments.values.len() > 2 { arguments.text(2)?.chars().next() } else { None };
    let missing = width.saturating_sub(text.chars().count());
    Ok(std::iter::repeat_n(fill.unwrap_or(' '), missing).chain(text.chars()).collect())
}

fn split(arguments: &Arguments<'_>) -> Evaluated<Value> {
    arguments.counted(2, 2)?;
    let delimiters: Vec<&str> = match arguments.any(1)? {
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => vec![arguments.text(1)?],
    };
    let mut parts = vec![arguments.text(0)?];
    for delimiter in delimiters.into_iter().filter(|it| !it.is_empty()) {
        parts = parts.into_iter().flat_map(|part| part.split(delimiter)).collect();
    }
    Ok(parts.into_iter().map(Value::from).collect())
}

/// `{0}`, `{0,8}` and `{0:D3}`; `{{` and `}}` are brackets.
fn format(arguments: &Arguments<'_>) -> Evaluated<String> {
    let pattern = arguments.text(0)?;
    let wrong = || TemplateFault::new(format!("'{pattern}' is no pattern for 'format'"));
    let mut made = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find(['{', '}']) {
        made.push_str(&rest[..at]);
        let bracket = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(bracket) {
            made.push_str(bracket);
            rest = after;
            continue;
        }
        let end = rest.find('}').filter(|_| bracket == "{").ok_or_else(wrong)?;
        let (place, style) = rest[..end].split_once(':').unwrap_or((&rest[..end], ""));
        let (place, width) = place.split_once(',').unwrap_or((place, "0"));
        let place: usize = place.trim().parse().map_err(|_| wrong())?;
        let width: i32 = width.trim().parse().map_err(|_| wrong())?;
        let value = arguments.any(place.saturating_add(1))?;
        let text = styled(value, style).ok_or_else(wrong)?;
        let missing =
            (width.unsigned_abs() as usize).min(1024).saturating_sub(text.chars().count());
        let blanks = " ".repeat(missing);
        made.push_str(&if width < 0 { text + &blanks } else { blanks + &text });
        rest = &rest[end + 1..];
        bounded(made.len())?;
    }
    made.push_str(rest);
    Ok(made)
}

fn styled(value: &Value, style: &str) -> Option<String> {
    let Some(kind) = style.chars().next() else { return Some(shown(value)) };
    let number = value.as_i64()?;
    let digits: usize = match &style[kind.len_utf8()..] {
        "" => 0,
        text => text.parse().ok().filter(|it| *it <= 64)?,
    };
    let sign = if number < 0 { "-" } else { "" };
    match kind {
        'D' | 'd' => Some(format!("{sign}{:0digits$}", number.unsigned_abs())),
        'X' => Some(format!("{number:0digits$X}")),
        'x' => Some(format!("{number:0digits$x}")),
        '0' => Some(format!("{sign}{:0width$}", number.unsigned_abs(), width = style.len())),
        _ => None,
    }
}
