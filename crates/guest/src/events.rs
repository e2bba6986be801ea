//! Event files: warnings and errors for the agent to carry away.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

use crate::environment::Environment;
use crate::log::{Level, Line, Log};
use crate::{file, json, ticks};

/// What an agent takes of a message, less a little.
const MESSAGE_MAX: usize = 3000;

/// A single line longer than a message is cut into parts of this size.
const PART_MAX: usize = 2900;

/// When the folder holds more, the agent is not carrying anything away.
const FOLDER_MAX: u64 = 39_981_250;

/// Files that nobody took for so long go.
const AGE_MAX: Duration = Duration::from_secs(24 * 3600);

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Event<'a> {
    version: &'a str,
    timestamp: String,
    task_name: &'a str,
    event_level: &'a str,
    message: &'a str,
    event_pid: String,
    event_tid: String,
    operation_id: &'a str,
}

/// Writes the warnings and errors of a run as one event file. Without a folder, or without such lines, nothing happens.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write(environment: &Environment, log: &Log, task: &str) -> std::io::Result<()> {
    let Some(folder) = &environment.events else { return Ok(()) };
    let lines = log.lines(Level::Warning);
    if lines.is_empty() || occupied(folder)? > FOLDER_MAX {
        return Ok(());
    }
    let version = environment.folder_name();
    let pid = std::process::id().to_string();
    let messages = messages(&lines);
    let events: Vec<Event<'_>> = messages
        .iter()
        .map(|message| Event {
            version: &version,
            timestamp: ticks::iso_micros(SystemTime::now()),
            task_name: "Enable",
            event_level: "Info",
            message,
            event_pid: pid.clone(),
            event_tid: pid.clone(),
            operation_id: task,
        })
        .collect();
    let text = json::render(&events).map_err(std::io::Error::other)?;
    let temporary = folder.join("Temp");
    DirBuilder::new().recursive(true).mode(0o700).create(&temporary)?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let name = format!("{}.json", now.as_nanos());
    file::replace(&folder.join(&name), &temporary.join(&name), text.as_bytes(), 0o600)
}

/// Bytes in the folder, after what is too old went.
fn occupied(folder: &Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let data = entry.metadata()?;
        let age = data.modified()?.elapsed().unwrap_or_default();
        if data.is_file() && age > AGE_MAX {
            // Somebody else may have taken it just now.
            let _ = std::fs::remove_file(entry.path());
        } else {
            sum += data.len();
        }
    }
    Ok(sum)
}

/// Lines batched into messages that an agent takes.
fn messages(lines: &[Line]) -> Vec<String> {
    let mut messages = vec![String::new()];
    for line in lines {
        let stamp = ticks::iso_micros(line.at);
        let mut rest = format!("{stamp}\t[{}]:\t{} \n", line.level.name(), line.text);
        while !rest.is_empty() {
            let end = (0..=PART_MAX.min(rest.len())).rev().find(|&at| rest.is_char_boundary(at));
            let tail = rest.split_off(end.unwrap_or(rest.len()));
            match messages.last_mut() {
                Some(last) if last.len() + rest.len() <= MESSAGE_MAX => last.push_str(&rest),
                _ => messages.push(rest),
            }
            rest = tail;
        }
    }
    messages
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn messages_are_short_and_lose_nothing(texts in prop::collection::vec("\\PC{0,4000}", 1..8)) {
            let lines: Vec<Line> = texts
                .iter()
                .map(|text| Line { at: UNIX_EPOCH, level: Level::Error, text: text.clone() })
                .collect();
            let messages = messages(&lines);
            prop_assert!(messages.iter().all(|message| message.len() <= MESSAGE_MAX));
            let all = messages.concat();
            prop_assert_eq!(all.matches("[Error]:\t").count() >= texts.len(), true);
            for text in &texts {
                prop_assert!(all.contains(text));
            }
        }
    }
}
