//! The process that thaws when nobody else does.
//!
//! It is forked from the freezer before the first freeze. It stays in memory, runs before ordinary processes, and is the
//! last that the kernel kills for want of memory. One thread for each file system waits for the same two things: the
//! end of the freezer, and the ceiling. The threads share nothing but the marks, so one that hangs (on a dead disk, on a
//! file system whose image lies on another frozen one) holds up no other; and when the outer one is thawed by its
//! thread, the kernel lets go of the inner one's.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, pidfd_send_signal};

use super::hurry::Hurry;
use super::state::{Marks, StateFolder, mark};
use crate::sys;

/// How long after the ceiling the watchdog acts: the freezer itself acts at the ceiling.
pub(super) const GRACE: Duration = Duration::from_millis(200);

/// Between two tries of one thaw.
const AGAIN: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Tries that leave a freezer which is being killed the time to end, so that its last mark is a true one.
const TRIES_TO_DIE: u32 = 3;

/// Processes are often killed together. Nobody begins to thaw who is about to be killed himself: btrfs makes itself
/// read-only when that happens.
pub(super) const LULL: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// Enough for a loop with two calls.
const STACK_BYTES: usize = 64 * 1024;

/// All that the watchdog holds.
pub(super) struct Watchdog {
    /// One directory of each file system, in the order of freezing.
    pub systems: Vec<OwnedFd>,
    pub marks: Marks,
    /// Readable once the ceiling and the grace are over.
    pub timer: OwnedFd,
    /// Hangs up when the freezer ends; never before, because a process in the middle of a freeze has not ended.
    pub link: OwnedFd,
    pub freezer: Victim,
    pub hurry: Option<Arc<Hurry>>,
    pub state: StateFolder,
}

/// The freezer, to be killed.
pub(super) struct Victim {
    pub handle: Option<OwnedFd>,
    pub pid: Pid,
}

impl Victim {
    fn kill(&self) {
        // It may have ended in this instant.
        let _ = match &self.handle {
            Some(handle) => pidfd_send_signal(handle, Signal::KILL),
            None if rustix::process::getppid() == Some(self.pid) => {
                kill_process(self.pid, Signal::KILL)
            }
            None => Ok(()),
        };
    }
}

/// Runs until the freezer has ended and nothing of ours is frozen.
pub(super) fn watch(dog: &Watchdog) {
    // Refused in some containers; then it waits its turn like everybody.
    let _ = sys::run_first(20);
    thread::scope(|scope| {
        for (index, system) in dog.systems.iter().enumerate() {
            let builder = thread::Builder::new().stack_size(STACK_BYTES);
            let guarded = builder.spawn_scoped(scope, move || guard(dog, index, system.as_fd()));
            // Without it there is no guarantee. Nothing is frozen yet, and nothing will be: the link hangs up.
            guarded.unwrap_or_else(|_| std::process::exit(1));
        }
        let locked = super::freezer::stay_in_memory();
        if locked.is_err() || rustix::io::write(&dog.link, &[1]).is_err() {
            std::process::exit(1);
        }
        if dog.systems.is_empty() {
            wait(dog, None);
        }
    });
    if !has_ended(dog) {
        // Stopped, or late. It has nothing to thaw any more.
        dog.freezer.kill();
        let mut watched = [PollFd::new(&dog.link, PollFlags::empty())];
        while matches!(poll(&mut watched, None), Err(Errno::INTR)) {}
    }
    dog.state.clear();
}

/// Looks after one file system.
fn guard(dog: &Watchdog, index: usize, system: BorrowedFd<'_>) {
    wait(dog, None);
    if let Some(hurry) = &dog.hurry {
        hurry.off();
    }
    pause(dog, true, &LULL);
    let mut tries = 0;
    loop {
        let ended = has_ended(dog);
        let may_freeze = !ended && dog.marks.is_freezing();
        if may_freeze {
            dog.freezer.kill();
        }
        let now = dog.marks.get(index);
        let waits = now == mark::ASKED && !ended && tries < TRIES_TO_DIE;
        if !waits && matches!(now, mark::ASKED | mark::FROZEN) {
            match sys::thaw(system) {
                Ok(()) => return dog.marks.set(index, mark::THAWED),
                Err(Errno::INVAL) if ended || now == mark::FROZEN => {
                    return dog.marks.set(index, mark::LOST);
                }
                // The freeze is not complete yet, or the disk fails: again.
                Err(_) => {}
            }
        } else if !may_freeze {
            return;
        }
        tries += 1;
        pause(dog, ended, &AGAIN);
    }
}

/// Waits for the first of the two.
fn wait(dog: &Watchdog, limit: Option<&Timespec>) {
    let mut watched =
        [PollFd::new(&dog.link, PollFlags::empty()), PollFd::new(&dog.timer, PollFlags::IN)];
    while matches!(poll(&mut watched, limit), Err(Errno::INTR)) {}
}

fn has_ended(dog: &Watchdog) -> bool {
    let mut watched = [PollFd::new(&dog.link, PollFlags::empty())];
    let found = poll(&mut watched, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    found.is_ok() && watched[0].revents().contains(PollFlags::HUP)
}

/// Until the freezer ends, or for a while.
fn pause(dog: &Watchdog, ended: bool, limit: &Timespec) {
    let mut watched = [PollFd::new(&dog.link, PollFlags::empty())];
    let watched = if ended { &mut watched[..0] } else { &mut watched[..] };
    let _ = poll(watched, Some(limit));
}
