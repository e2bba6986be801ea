//! The log of the handler: a file, and the lines of this run for the log's blob. Secrets never get in.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use crate::environment::Environment;
use crate::secret::{Secret, redact};
use crate::ticks;

/// A file that grew to this size gives way to a new one; one old file is kept.
const FILE_MAX: u64 = 4 << 20;

/// Lines kept for the blob; the oldest go first.
const LINES_MAX: usize = 20_000;

/// Longer texts are cut.
const TEXT_MAX: usize = 4096;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What happens.
    Info,
    /// Somebody may want to look.
    Warning,
    /// Something failed.
    Error,
}

impl Level {
    /// Its name in the files.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Info => "Info",
            Level::Warning => "Warning",
            Level::Error => "Error",
        }
    }
}

/// One thing that was said.
#[derive(Debug, Clone)]
pub struct Line {
    /// When.
    pub at: SystemTime,
    /// How much it matters.
    pub level: Level,
    /// What, without secrets.
    pub text: String,
}

/// The log. Threads may share it.
pub struct Log {
    prefix: String,
    inner: Mutex<Inner>,
}

struct Inner {
    file: Option<File>,
    lines: Vec<Line>,
    secrets: Vec<Secret>,
    /// Lines from here on are not in the file yet, because the file may be frozen.
    held_from: Option<usize>,
}

impl Log {
    /// A log that is appended to `extension.log`. When that cannot be opened, lines are only kept for the blob.
    #[must_use]
    pub fn open(environment: &Environment, to_file: bool) -> Log {
        let path = environment.logs.join("extension.log");
        let file = if to_file { open(&path) } else { None };
        let prefix = format!("[{}-{}]", environment.name, environment.schema_version);
        let inner = Inner { file, lines: Vec::new(), secrets: Vec::new(), held_from: None };
        Log { prefix, inner: Mutex::new(inner) }
    }

    /// From now on these are blanked wherever they appear.
    pub fn hide(&self, secrets: Vec<Secret>) {
        self.lock().secrets.extend(secrets);
    }

    /// Says what happens.
    pub fn info(&self, text: impl AsRef<str>) {
        self.say(Level::Info, text.as_ref());
    }

    /// Says what somebody may want to look at.
    pub fn warn(&self, text: impl AsRef<str>) {
        self.say(Level::Warning, text.as_ref());
    }

    /// Says what failed.
    pub fn error(&self, text: impl AsRef<str>) {
        self.say(Level::Error, text.as_ref());
    }

    fn say(&self, level: Level, text: &str) {
        let mut inner = self.lock();
        let mut text = redact(text, &inner.secrets);
        if text.len() > TEXT_MAX {
            let end = (0..=TEXT_MAX).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
            text.truncate(end);
        }
        // One line is one line, whatever a peer put into its message.
        let text = text.replace(['\n', '\r'], " ");
        let line = Line { at: SystemTime::now(), level, text };
        if inner.held_from.is_none() {
            inner.write(&self.prefix, &line);
        }
        if inner.lines.len() >= LINES_MAX && inner.held_from.is_none() {
            inner.lines.drain(..LINES_MAX / 10);
        }
        inner.lines.push(line);
    }

    /// A text without what the log hides.
    #[must_use]
    pub fn clean(&self, text: &str) -> String {
        redact(text, &self.lock().secrets)
    }

    /// Keeps lines in memory until [`Log::release`]: their file may be frozen.
    pub fn hold(&self) {
        let mut inner = self.lock();
        inner.held_from = Some(inner.lines.len());
    }

    /// Writes what was held, between two marks. `silently` drops it from the file instead.
    pub fn release(&self, silently: bool) {
        let mut inner = self.lock();
        let Some(from) = inner.held_from.take() else { return };
        let held: Vec<Line> = inner.lines[from..].to_vec();
        if silently || held.is_empty() {
            return;
        }
        let mark =
            |text: &str| Line { at: SystemTime::now(), level: Level::Info, text: text.to_owned() };
        inner.write(&self.prefix, &mark("************* Logs during Freeze Start *************"));
        for line in &held {
            inner.write(&self.prefix, line);
        }
        inner.write(&self.prefix, &mark("************* Logs during Freeze End *************"));
    }

    /// What goes to the blob: every line so far, and the end of the wrapper's log.
    #[must_use]
    pub fn for_blob(&self, environment: &Environment) -> String {
        let mut text = String::new();
        for line in &self.lock().lines {
            let stamp = ticks::log_stamp(line.at);
            text.push_str(&format!("{stamp}  <{}>  {} \n", line.level.name(), line.text));
        }
        text.push_str("Tail of shell script log:");
        let shell = crate::file::read(&environment.logs.join("shell.log"), FILE_MAX);
        let shell = String::from_utf8_lossy(&shell.unwrap_or_default()).into_owned();
        let lines: Vec<&str> = shell.lines().collect();
        for line in &lines[lines.len().saturating_sub(10)..] {
            text.push_str(&format!("{line}\n"));
        }
        text
    }

    /// The lines of a level or above.
    #[must_use]
    pub fn lines(&self, from: Level) -> Vec<Line> {
        self.lock().lines.iter().filter(|line| line.level >= from).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that panicked while it held the lock left whole lines behind.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn write(&mut self, prefix: &str, line: &Line) {
        let Some(file) = &mut self.file else { return };
        let text = format!("{} {prefix}{}\n", ticks::log_stamp(line.at), line.text);
        // A full disk must not end a backup; the lines are in the blob.
        let _ = file.write_all(text.as_bytes());
    }
}

fn open(path: &Path) -> Option<File> {
    if std::fs::metadata(path).is_ok_and(|found| found.len() > FILE_MAX) {
        let old: PathBuf = path.with_extension("log.1");
        // When it cannot be moved it grows on; that is better than no log.
        let _ = std::fs::rename(path, old);
    }
    append(path)
}

/// Opens a log to append to it. Links are not followed.
pub(crate) fn append(path: &Path) -> Option<File> {
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits();
    let flags = i32::try_from(nofollow).expect("open flags fit");
    OpenOptions::new().append(true).create(true).mode(0o600).custom_flags(flags).open(path).ok()
}

/// Appends a line to the wrapper's log, `shell.log`.
pub fn shell(environment: &Environment, text: &str) {
    if let Some(mut file) = append(&environment.logs.join("shell.log")) {
        let line = format!("{}- {text}\n", ticks::http_date(SystemTime::now()));
        // Nobody waits for this line.
        let _ = file.write_all(line.as_bytes());
    }
}
