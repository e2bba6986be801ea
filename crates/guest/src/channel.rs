//! The way without a network: the hypervisor's side reads a file that says all is frozen, takes its snapshot, and writes
//! a file that says so.
//!
//! Both files are in memory (`/run`), which is never frozen. Their names and forms are a contract with the service:
//!
//! | file | by | content |
//! |---|---|---|
//! | `ready` | guest | `taskId`, `nonce`, `startedUnixNanoseconds`, `frozenUnixNanoseconds`, `ceilingMilliseconds`, `fileSystems` |
//! | `done` | host | `nonce` (of `ready`), `ok`, and `error` when it is not |
//! | `thawed` | guest | `nonce`, `beganUnixNanoseconds`, `thawedUnixNanoseconds`, `held` |

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
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
    pub nonce: String,
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
    /// Makes the meeting place; what an earlier run left there goes.
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
        for name in ["ready", "done", "thawed"] {
            match std::fs::remove_file(folder.join(name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
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
        self.answer(Instant::now() + budget)
    }

    fn answer(&self, until: Instant) -> io::Result<Answer> {
        loop {
            // A file that is half written, or from another run, is not the answer yet.
            let read = file::read(&self.folder.join("done"), ANSWER_MAX).ok();
            let answer = read.and_then(|bytes| serde_json::from_slice::<Answer>(&bytes).ok());
            if let Some(answer) = answer.filter(|answer| answer.nonce == self.nonce) {
                return Ok(answer);
            }
            if Instant::now() >= until {
                return Err(io::ErrorKind::TimedOut.into());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Says that all is thawed, and whether the freeze was held.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn thawed(&self, began: SystemTime, thawed: SystemTime, held: bool) -> io::Result<()> {
        let text = serde_json::json!({
            "nonce": self.nonce,
            "beganUnixNanoseconds": nanos(began),
            "thawedUnixNanoseconds": nanos(thawed),
            "held": held,
        });
        self.write("thawed", text.to_string().as_bytes())
    }

    /// A reader sees the whole file or none.
    fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.folder.join(format!("{name}.new"));
        std::fs::write(&temporary, bytes)?;
        std::fs::rename(temporary, self.folder.join(name))
    }
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
        let soon = || Instant::now() + Duration::from_millis(5);
        for wrong in ["", "{", r#"{"nonce": "x", "ok": true}"#] {
            std::fs::write(place.join("done"), wrong).unwrap();
            assert!(channel.answer(soon()).is_err());
        }
        let answer = format!(r#"{{"nonce": "{}", "ok": true}}"#, channel.nonce);
        std::fs::write(place.join("done"), answer).unwrap();
        assert!(channel.answer(soon()).unwrap().ok);
        let next = Channel::open_at(&place).unwrap();
        assert!(next.answer(soon()).is_err());
        assert_ne!(next.nonce, channel.nonce);
        next.thawed(UNIX_EPOCH, UNIX_EPOCH, true).unwrap();
        assert!(place.join("thawed").exists());
    }
}
