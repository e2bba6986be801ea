//! Thawing what an earlier freeze left.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::choose::Candidate;
use super::hurry::Hurry;
use super::mounts;
use super::open::open_candidate;
use super::process::Process;
use super::result::{FileSystem, steady_now};
use super::state::{Marks, Session, StateFolder, boot, mark};
use crate::sys;

/// How long the processes of a freeze are given to put things right themselves.
const PATIENCE: Duration = Duration::from_millis(150);
/// How long after its deadline a freeze is taken for stuck. Later than the watchdog acts.
pub(super) const OVERDUE: Duration = Duration::from_millis(400);
/// How long thaws are repeated before we give up and say so.
const THAW_PATIENCE: Duration = Duration::from_secs(5);
const AGAIN: Duration = Duration::from_millis(100);

/// What [`recover`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// No freeze was left.
    Nothing,
    /// A freeze is going on, with its processes alive and its ceiling ahead. It was not touched.
    InProgress,
    /// A freeze was left. These mount points were thawed, perhaps none.
    Thawed {
        /// The mount points.
        thawed: Vec<PathBuf>,
    },
    /// A freeze was left, and these mount points could not be thawed within five seconds. Their thaw is still being
    /// tried as long as this process lives; the next call tries again.
    Incomplete {
        /// The mount points.
        frozen: Vec<PathBuf>,
    },
}

/// Thaws what an earlier freeze with this state folder left frozen. Every start of the extension calls it. Only what
/// that freeze itself had frozen is thawed.
///
/// # Errors
/// When the folder or the mount table cannot be read.
pub fn recover(state: &Path) -> io::Result<Recovery> {
    rescue(state, false)
}

/// The same. With `force`, a freeze that is going on is ended too: its processes are killed.
pub(super) fn rescue(state: &Path, force: bool) -> io::Result<Recovery> {
    if !state.exists() {
        return Ok(Recovery::Nothing);
    }
    let folder = StateFolder::open(state)?;
    // Processes that were killed may still be ending.
    let mut lock = folder.lock(if force { Duration::ZERO } else { PATIENCE })?;
    let Some(session) = folder.read()? else {
        // Somebody who has the lock and no session yet has nothing frozen yet.
        return Ok(if lock.is_some() || force { Recovery::Nothing } else { Recovery::InProgress });
    };
    if session.boot != boot() {
        folder.clear();
        return Ok(Recovery::Nothing);
    }
    if lock.is_none() {
        if !force && !is_stuck(&folder, &session) {
            return Ok(Recovery::InProgress);
        }
        // While it thaws it is not killed: btrfs makes itself read-only when who thaws it is killed meanwhile.
        if folder.marks().is_ok_and(|marks| marks.is_freezing()) || folder.deadline().is_none() {
            session.freezer.kill();
        }
        // The watchdog wakes by that, and does the work if it can.
        lock = folder.lock(PATIENCE)?;
        if lock.is_none() {
            // Stopped, perhaps. It is never killed: while the freezer hangs in the kernel, it is the one who waits.
            session.watchdog.go_on();
            lock = folder.lock(PATIENCE)?;
        }
        // Without the lock now, a process hangs in the kernel with its fate sealed. What it has frozen is thawed anyway.
    }
    if session.hurried {
        Hurry::turn_off();
    }
    let outcome = match folder.marks() {
        Ok(marks) => thaw(&session, marks)?,
        // Whoever held the lock has just put everything right.
        Err(_) if folder.read()?.is_none() => Recovery::Thawed { thawed: Vec::new() },
        Err(failure) => return Err(failure),
    };
    if matches!(outcome, Recovery::Thawed { .. }) {
        session.freezer.kill();
        folder.clear();
    }
    drop(lock);
    Ok(outcome)
}

/// Whether the processes that hold the lock will not end the freeze by themselves.
fn is_stuck(folder: &StateFolder, session: &Session) -> bool {
    let overdue =
        |deadline: u64| Duration::from_nanos(steady_now().saturating_sub(deadline)) > OVERDUE;
    folder.deadline().is_some_and(overdue) || !session.freezer.is_alive()
}

fn thaw(session: &Session, marks: Marks) -> io::Result<Recovery> {
    let owed: Vec<usize> =
        (0..session.file_systems.len()).filter(|index| marks.owes_thaw(*index)).collect();
    if owed.is_empty() {
        return Ok(Recovery::Thawed { thawed: Vec::new() });
    }
    let mounts = mounts::all()?;
    let (done, finished) = mpsc::channel();
    for &index in &owed {
        let device = session.file_systems[index].device;
        let places = (0..mounts.len()).filter(|&place| mounts[place].device == device).collect();
        let candidate = Candidate { device, fs_type: String::new(), places };
        let Ok((opened, _)) = open_candidate(&mounts, &candidate) else { continue };
        let (done, freezer) = (done.clone(), session.freezer);
        // One for each, because one that hangs may need another to come first.
        thread::spawn(move || {
            thaw_one(&opened, marks, index, freezer);
            let _ = done.send(index);
        });
    }
    drop(done);
    let until = Instant::now() + THAW_PATIENCE;
    while let Ok(_index) = finished.recv_timeout(until.saturating_duration_since(Instant::now())) {}
    let name = |index: &usize| -> PathBuf {
        let FileSystem { mount, .. } = &session.file_systems[*index];
        mount.clone()
    };
    let frozen: Vec<_> = owed.iter().filter(|index| marks.owes_thaw(**index)).map(name).collect();
    if frozen.is_empty() {
        return Ok(Recovery::Thawed { thawed: owed.iter().map(name).collect() });
    }
    Ok(Recovery::Incomplete { frozen })
}

fn thaw_one(opened: &OwnedFd, marks: Marks, index: usize, freezer: Process) {
    loop {
        // A freeze that was asked for may come true as long as the one who asked has not ended.
        let may_come = marks.get(index) == mark::ASKED && freezer.is_alive();
        match sys::thaw(opened.as_fd()) {
            Ok(()) => return marks.set(index, mark::THAWED),
            Err(Errno::INVAL) if !may_come => return marks.set(index, mark::LOST),
            Err(_) => thread::sleep(AGAIN),
        }
    }
}
