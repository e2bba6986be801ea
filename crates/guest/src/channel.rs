//! The way without a network: the hypervisor's side reads a file that says all is frozen, takes its snapshot, and writes
//! a file that says so.
//!
//! The files are in memory (`/run`), which is never frozen. The host makes them, empty, before the command, and keeps
//! them open: so they are written in place and never replaced. A message ends with a line feed.
//!
//! | file | by | content |
//! |---|---|---|
//! | `ready` | guest | `taskId`, `nonce`, `startedUnixNanoseconds`, `frozenUnixNanoseconds`, `ceilingMilliseconds`, `fileSystems` |
//! | `done` | host | `nonce` (of `ready`), `ok`, and `error` when it is not; or, when the host gave up before, `taskId` and `ok: false` |
//! | `thawed` | guest | `nonce`, `beganUnixNanoseconds`, `thawedUnixNanoseconds`, `held`, `answered` |

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::file;
use crate::freeze::{Frozen, STATE_FOLDER};

/// How often the answer is looked for.
const LOOK: Duration = Duration::from_millis(1);

/// Larger answers are none.
const ANSWER_MAX: u64 = 64 << 10;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ready<'a> {
    task_id: &'a str,
    nonce: &'a str,
    started_unix_nanoseconds: u64,
    frozen_unix_nanoseconds: u64,
    ceiling_milliseconds: u64,
    file_systems: usize,
}

/// What the host's side says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The nonce of `ready`.
    #[serde(default)]
    pub nonce: Option<String>,
    /// The task, for a host that gave up before it knew a nonce.
    #[serde(default)]
    pub task_id: Option<String>,
    /// Whether there is a snapshot.
    pub ok: bool,
    /// Why not.
    #[serde(default)]
    pub error: String,
}

/// The meeting place with the host's side.
pub struct Channel {
    folder: PathBuf,
    nonce: String,
}

impl Channel {
    /// Finds the meeting place that the host made, or makes one.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open() -> io::Result<Channel> {
        Channel::open_at(&Path::new(STATE_FOLDER).join("channel"))
    }

    /// The same in a folder of one's choice.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open_at(folder: &Path) -> io::Result<Channel> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut random = [0; 16];
        aws_lc_rs::rand::fill(&mut random)
            .map_err(|_| io::Error::other("no randomness on this machine"))?;
        let nonce = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Channel { folder: folder.to_owned(), nonce })
    }

    /// Says that all is frozen, and waits for the answer.
    ///
    /// # Errors
    /// When no answer comes within the budget.
    pub fn exchange(
        &self,
        task: &str,
        frozen: &Frozen,
        ceiling: Duration,
        budget: Duration,
    ) -> io::Result<Answer> {
        let ready = Ready {
            task_id: task,
            nonce: &self.nonce,
            started_unix_nanoseconds: nanos(frozen.started.wall),
            frozen_unix_nanoseconds: nanos(frozen.frozen.wall),
            ceiling_milliseconds: u64::try_from(ceiling.as_millis()).unwrap_or(u64::MAX),
            file_systems: frozen.filesystems().len(),
        };
        self.write("ready", &serde_json::to_vec(&ready)?)?;
        self.answer(task, Instant::now() + budget)
    }

    fn answer(&self, task: &str, until: Instant) -> io::Result<Answer> {
        loop {
            // A file that is half written, or from another run, is not the answer yet.
            let read = file::read(&self.folder.join("done"), ANSWER_MAX).ok();
            let answer = read.and_then(|bytes| serde_json::from_slice::<Answer>(&bytes).ok());
            if let Some(answer) = answer.filter(|answer| is_answer(answer, &self.nonce, task)) {
                return Ok(answer);
            }
            if Instant::now() >= until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Says that all is thawed, whether the freeze was held, and whether it ended because of the answer.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn thawed(
        &self,
        (began, thawed): (SystemTime, SystemTime),
        held: bool,
        answered: bool,
    ) -> io::Result<()> {
        let text = serde_json::json!({
            "nonce": self.nonce,
            "beganUnixNanoseconds": nanos(began),
            "thawedUnixNanoseconds": nanos(thawed),
            "held": held,
            "answered": answered,
        });
        self.write("thawed", text.to_string().as_bytes())
    }

    /// A reader waits for the end of the line.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let mut file = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(self.folder.join(name))?;
        file.set_len(0)?;
        file.write_all(&[bytes, b"\n"].concat())
    }
}

/// Whether an answer is for the run with this nonce.
pub(crate) fn is_answer(answer: &Answer, nonce: &str, task: &str) -> bool {
    let given_up = !answer.ok && !task.is_empty() && answer.task_id.as_deref() == Some(task);
    given_up || answer.nonce.as_deref() == Some(nonce)
}

fn nanos(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_answer_to_this_run_counts() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("channel");
        let channel = Channel::open_at(&place).unwrap();
        let answer = |channel: &Channel| {
            channel
                .answer("task", Instant::now() + Duration::from_millis(5))
                .map(|answer| answer.ok)
        };
        let write = |text: &str| std::fs::write(place.join("done"), text).unwrap();
        for wrong in [
            "",
            "{",
            r#"{"nonce": "x", "ok": true}"#,
            r#"{"ok": true}"#,
            r#"{"taskId": "task", "ok": true}"#,
            r#"{"taskId": "other", "ok": false}"#,
        ] {
            write(wrong);
            assert!(answer(&channel).is_err(), "{wrong}");
        }
        write(&format!(r#"{{"nonce": "{}", "ok": true}}"#, channel.nonce));
        assert!(answer(&channel).unwrap());
        let next = Channel::open_at(&place).unwrap();
        assert_ne!(next.nonce, channel.nonce);
        assert!(answer(&next).is_err());
        write(r#"{"nonce": null, "taskId": "task", "ok": false}"#);
        assert!(!answer(&next).unwrap());
    }

    #[test]
    fn a_host_that_holds_the_file_open_sees_the_message() {
        let folder = tempfile::tempdir().unwrap();
        let channel = Channel::open_at(folder.path()).unwrap();
        std::fs::write(folder.path().join("thawed"), "").unwrap();
        let mut open = File::open(folder.path().join("thawed")).unwrap();
        channel.thawed((UNIX_EPOCH, UNIX_EPOCH), true, false).unwrap();
        let text = io::read_to_string(&mut open).unwrap();
        let message: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert!(text.ends_with('\n'));
        assert_eq!((&message["held"], &message["answered"]), (&true.into(), &false.into()));
    }
}
