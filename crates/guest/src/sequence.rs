//! Which command this is: sequence numbers, the last task, and the files of earlier commands.

use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::Value;

use crate::environment::Environment;
use crate::file;

/// File with the last sequence number that was worked on.
const LAST_SEQUENCE: &str = "mrseq";

/// File with the last task.
const LAST_TASK: &str = "task_identity_FD76C85E-406F-4CFA-8EB0-CF18B123365C";

/// File with the status number of the last task, so that it can be said again.
const LAST_TASK_SEQUENCE: &str = "task_sequence";

/// Files of earlier commands that are kept, of each kind.
const KEPT: usize = 60;

/// Small files are small.
const SMALL: u64 = 64 << 10;

/// The number of this command: as the agent says, else that of the newest settings.
///
/// # Errors
/// When there are no settings at all.
pub fn current(environment: &Environment, from_agent: Option<&str>) -> io::Result<u64> {
    if let Some(number) = from_agent.and_then(|text| text.trim().parse().ok()) {
        return Ok(number);
    }
    let mut newest: Option<(SystemTime, u64)> = None;
    for (path, modified) in listed(&environment.config, "settings")? {
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let Some(number) = stem.and_then(|stem| stem.parse().ok()) {
            newest = newest.max(Some((modified, number)));
        }
    }
    newest.map(|(_, number)| number).ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn listed(folder: &Path, extension: &str) -> io::Result<Vec<(PathBuf, SystemTime)>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if path.extension().is_some_and(|end| end == extension) {
            found.push((path, entry.metadata()?.modified()?));
        }
    }
    Ok(found)
}

/// The last sequence number that was worked on.
#[must_use]
pub fn last(environment: &Environment) -> Option<u64> {
    let bytes = file::read(&environment.home.join(LAST_SEQUENCE), SMALL).ok()?;
    String::from_utf8(bytes).ok()?.trim().parse().ok()
}

/// Remembers a sequence number.
///
/// # Errors
/// When the file cannot be written.
pub fn remember(environment: &Environment, sequence: u64) -> io::Result<()> {
    write(environment, LAST_SEQUENCE, &sequence.to_string())
}

/// The last task, and the number of the command that it came with.
#[must_use]
pub fn last_task(environment: &Environment) -> Option<(String, u64)> {
    let read = |name: &str| {
        let bytes = file::read(&environment.home.join(name), SMALL).ok()?;
        String::from_utf8(bytes).ok()
    };
    let sequence = read(LAST_TASK_SEQUENCE).and_then(|text| text.trim().parse().ok());
    Some((read(LAST_TASK)?, sequence.or_else(|| last(environment)).unwrap_or(0)))
}

/// Remembers a task.
///
/// # Errors
/// When the files cannot be written.
pub fn remember_task(environment: &Environment, task: &str, sequence: u64) -> io::Result<()> {
    write(environment, LAST_TASK_SEQUENCE, &sequence.to_string())?;
    write(environment, LAST_TASK, task)
}

fn write(environment: &Environment, name: &str, text: &str) -> io::Result<()> {
    let path = environment.home.join(name);
    file::replace(&path, &path.with_extension("new"), text.as_bytes(), 0o600)
}

/// Gives the files of other commands names that the agent does not look at (`3.status` becomes `3_status`), and deletes
/// the oldest of those.
///
/// # Errors
/// When a folder cannot be read or a file not renamed.
pub fn put_away_others(environment: &Environment, sequence: u64) -> io::Result<()> {
    for (folder, kind) in [(&environment.config, "settings"), (&environment.status, "status")] {
        let ours = format!("{sequence}.{kind}");
        for (path, _) in listed(folder, kind)? {
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if name != ours {
                let stem = name.strip_suffix(kind).and_then(|stem| stem.strip_suffix('.'));
                let away = format!("{}_{kind}", stem.unwrap_or(name));
                std::fs::rename(&path, folder.join(away))?;
            }
        }
        forget_oldest(folder, &format!("_{kind}"))?;
    }
    Ok(())
}

fn forget_oldest(folder: &Path, end: &str) -> io::Result<()> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(end) {
            found.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    found.sort();
    let many = found.len().saturating_sub(KEPT);
    for (_, path) in found.into_iter().take(many) {
        std::fs::remove_file(path)?;
    }
    Ok(())
}

/// Path of the status of a command.
#[must_use]
pub fn status_path(environment: &Environment, sequence: u64) -> PathBuf {
    environment.status.join(format!("{sequence}.status"))
}

/// Replaces the status of a command.
///
/// # Errors
/// When the file cannot be written.
pub fn write_status(environment: &Environment, sequence: u64, text: &str) -> io::Result<()> {
    let path = status_path(environment, sequence);
    let temporary = environment.status.join("tempStatusFile.status");
    file::replace(&path, &temporary, text.as_bytes(), 0o600)
}

/// Replaces the status of a command by the final one. When a later command has put the file away, it stays put away.
///
/// # Errors
/// When the file cannot be written.
pub fn write_final_status(environment: &Environment, sequence: u64, text: &str) -> io::Result<()> {
    let away = environment.status.join(format!("{sequence}_status"));
    if away.exists() && !status_path(environment, sequence).exists() {
        let temporary = environment.status.join(format!("{sequence}_status_new"));
        return file::replace(&away, &temporary, text.as_bytes(), 0o600);
    }
    write_status(environment, sequence, text)
}

/// The status of a command: the text, and the code in it. Also one that was put away.
#[must_use]
pub fn read_status(environment: &Environment, sequence: u64) -> Option<(String, String)> {
    let away = environment.status.join(format!("{sequence}_status"));
    let bytes = file::read(&status_path(environment, sequence), 1 << 20)
        .or_else(|_| file::read(&away, 1 << 20))
        .ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let code = code_of(&text)?;
    Some((text, code))
}

/// The code inside a status file.
pub(crate) fn code_of(status: &str) -> Option<String> {
    let document: Value = serde_json::from_str(status).ok()?;
    Some(match document.get(0)?.get("status")?.get("code")? {
        Value::String(code) => code.clone(),
        other => other.to_string(),
    })
}

/// The blob's text inside a status file.
#[must_use]
pub fn inner_report(status: &str) -> Option<String> {
    let document: Value = serde_json::from_str(status).ok()?;
    let inner = document.get(0)?.get("status")?.get("substatus")?.get(0)?.get("name")?;
    inner.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(folder: &Path) -> Environment {
        for name in ["config", "status"] {
            std::fs::create_dir(folder.join(name)).unwrap();
        }
        Environment {
            name: "N".to_owned(),
            schema_version: "1.0".to_owned(),
            home: folder.to_owned(),
            logs: folder.to_owned(),
            config: folder.join("config"),
            status: folder.join("status"),
            events: None,
        }
    }

    #[test]
    fn files_of_others_are_put_away_and_the_oldest_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let environment = environment(folder.path());
        for n in 0..70 {
            std::fs::write(environment.status.join(format!("{n}.status")), "x").unwrap();
        }
        for name in ["HandlerState", "3.settings", "69.settings"] {
            std::fs::write(environment.config.join(name), "x").unwrap();
        }
        put_away_others(&environment, 69).unwrap();
        let names = |folder: &Path| {
            let mut names: Vec<_> = std::fs::read_dir(folder)
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        assert_eq!(names(&environment.config), ["3_settings", "69.settings", "HandlerState"]);
        let statuses = names(&environment.status);
        assert_eq!(statuses.len(), 61);
        assert!(statuses.contains(&"69.status".to_owned()));
    }

    #[test]
    fn numbers_and_tasks_are_remembered() {
        let folder = tempfile::tempdir().unwrap();
        let environment = environment(folder.path());
        assert_eq!((last(&environment), last_task(&environment)), (None, None));
        assert!(current(&environment, None).is_err());
        std::fs::write(environment.config.join("7.settings"), "{}").unwrap();
        assert_eq!(current(&environment, None).unwrap(), 7);
        assert_eq!(current(&environment, Some("9")).unwrap(), 9);
        remember(&environment, 9).unwrap();
        remember_task(&environment, "t_1", 9).unwrap();
        assert_eq!(std::fs::read_to_string(folder.path().join("mrseq")).unwrap(), "9");
        assert_eq!(last_task(&environment), Some(("t_1".to_owned(), 9)));
        write_status(&environment, 9, r#"[{"status":{"code":"4","substatus":[{"name":"n"}]}}]"#)
            .unwrap();
        let (text, code) = read_status(&environment, 9).unwrap();
        assert_eq!((code.as_str(), inner_report(&text).as_deref()), ("4", Some("n")));
    }
}
