//! What the extension says at the end of a command.

use serde::Deserialize;
use serde_json::Value;

use crate::Consistency;

/// The end of a command of the extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Its code: 0 and 1 are successes.
    pub code: u32,
    /// How whole the extension believes the point to be; `None` = it has none.
    pub consistency: Option<Consistency>,
    /// Why, in words for people; empty when there is nothing to say.
    pub reason: String,
}

/// Code of a command that still runs.
const RUNNING: &str = "4";

#[derive(Deserialize)]
struct Outer {
    status: Inner,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Inner {
    #[serde(default)]
    status: String,
    code: Value,
    #[serde(default)]
    formatted_message: Option<Formatted>,
    #[serde(default)]
    substatus: Vec<Substatus>,
    #[serde(default)]
    telemetry_data: Option<Vec<Fact>>,
}

#[derive(Deserialize)]
struct Formatted {
    #[serde(default)]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Substatus {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Fact {
    key: String,
    value: Value,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Message {
    message_str: String,
    snapshot_consistency: u32,
}

impl Verdict {
    /// Reads a status file. `None` = it is not there yet as a whole, or the command still runs.
    pub fn parse(bytes: &[u8]) -> Option<Verdict> {
        let outer = first(bytes)?;
        let code = match &outer.code {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if code == RUNNING || outer.status == "transitioning" {
            return None;
        }
        let blob = outer.substatus.first().and_then(|sub| first(sub.name.as_bytes()));
        let message = message(blob.as_ref().unwrap_or(&outer)).unwrap_or_default();
        let code = code.parse().unwrap_or(u32::MAX);
        let consistency = match (code, message.snapshot_consistency) {
            (0, 2) => Some(Consistency::Application),
            (0 | 1, 1 | 2) => Some(Consistency::FileSystem),
            (0 | 1, 3) => Some(Consistency::Crash),
            _ => None,
        };
        let facts = blob.and_then(|blob| blob.telemetry_data).unwrap_or_default();
        let fact = facts.iter().rev().find(|fact| fact.key == "consistencyReason");
        let told = fact.and_then(|fact| fact.value.as_str()).map(str::to_owned);
        let reason = told.unwrap_or_else(|| words(&message.message_str));
        let reason = reason.trim_end_matches('.').chars().take(WORDS_MAX).collect();
        Some(Verdict { code, consistency, reason })
    }
}

fn first(bytes: &[u8]) -> Option<Inner> {
    let list: Vec<Outer> = serde_json::from_slice(bytes).ok()?;
    list.into_iter().next().map(|outer| outer.status)
}

fn message(inner: &Inner) -> Option<Message> {
    let text = inner.formatted_message.as_ref()?.message.as_deref()?;
    serde_json::from_str(text).ok()
}

/// The words of a message without the facts behind them.
fn words(message: &str) -> String {
    const FACTS: [&str; 3] = ["statusBlobUploadError=", "snapshotCreator=", "hostStatusCode"];
    let end = FACTS.iter().filter_map(|fact| message.find(fact)).min().unwrap_or(message.len());
    message[..end].trim().chars().take(WORDS_MAX).collect()
}

/// Longest reason in characters.
const WORDS_MAX: usize = 400;

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: &str, level: u32, words: &str, reason: Option<&str>) -> Vec<u8> {
        let message = serde_json::json!({ "messageStr": words, "snapshotConsistency": level });
        let facts: Vec<_> = reason
            .into_iter()
            .map(|reason| serde_json::json!({ "Key": "consistencyReason", "Value": reason }))
            .collect();
        let inner = |substatus: Value| {
            serde_json::json!([{ "version": "1.0", "status": {
                "status": "success", "code": code, "substatus": substatus,
                "formattedMessage": { "lang": "en-US", "message": message.to_string() },
                "telemetryData": facts,
            }}])
        };
        let blob = inner(serde_json::json!([])).to_string();
        inner(serde_json::json!([{ "code": "0", "name": blob }])).to_string().into_bytes()
    }

    #[test]
    fn the_level_never_exceeds_what_code_and_report_agree_on() {
        let level = |code: &str, level: u32| {
            Verdict::parse(&status(code, level, "", None)).unwrap().consistency
        };
        assert_eq!(level("0", 2), Some(Consistency::Application));
        assert_eq!(level("1", 2), Some(Consistency::FileSystem));
        assert_eq!(level("1", 1), Some(Consistency::FileSystem));
        assert_eq!(level("0", 1), Some(Consistency::FileSystem));
        assert_eq!(level("1", 3), Some(Consistency::Crash));
        assert_eq!((level("1", 0), level("121", 1), level("x", 1)), (None, None, None));
    }

    #[test]
    fn a_command_that_runs_has_no_verdict() {
        assert_eq!(Verdict::parse(&status("4", 0, "", None)), None);
        for broken in [&b""[..], b"[", b"[]", b"{}", b"[{\"status\":{}}]"] {
            assert_eq!(Verdict::parse(broken), None);
        }
    }

    #[test]
    fn the_reason_is_the_one_that_was_found() {
        let verdict = Verdict::parse(&status("121", 0, "w", Some("/mnt is frozen"))).unwrap();
        assert_eq!(verdict.reason, "/mnt is frozen");
        let verdict =
            Verdict::parse(&status("76", 0, "No. snapshotCreator=x, a=b, ", None)).unwrap();
        assert_eq!(verdict.reason, "No");
    }
}
