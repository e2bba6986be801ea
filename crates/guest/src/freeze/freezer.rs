//! The process that freezes.
//!
//! From the first freeze to the last thaw it makes only these calls: the two of the kernel for freezing and thawing, a
//! look at the clock, a wait on its two sockets, and reads and writes of a few bytes on one of them. Everything that it
//! needs is opened, locked in memory and allocated before.

use std::fs::{self, File};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::syncfs;
use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlockall};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::process::{
    DumpableBehavior, Pid, Resource, Rlimit, Signal, WaitOptions, kill_process,
    set_dumpable_behavior, setrlimit, setsid, waitpid,
};
use rustix::time::{Itimerspec, TimerfdTimerFlags, timerfd_settime};

use super::hurry::Hurry;
use super::prepare::{Ready, prepare};
use super::result::{FreezeFailure, steady_now, words_now};
use super::spec::FreezeSpec;
use super::state::{Marks, StateFolder, mark};
use super::watchdog::{GRACE, LULL};
use super::wire::{self, Event};
use crate::sys;

/// A pass over all file systems that is this short found nothing worth another.
const PASS_SHORT: Duration = Duration::from_millis(15);
const PASSES_MAX: u32 = 5;

/// Runs the freezer. Its standard input is the socket to the worker.
pub(super) fn main() -> ExitCode {
    let Ok(link) = take_link() else { return ExitCode::from(2) };
    // A message would go to whatever the standard error is; the end of the process tells enough.
    std::panic::set_hook(Box::new(|_| std::process::abort()));
    harden();
    let Ok(spec) = wire::receive::<FreezeSpec>(&link) else { return ExitCode::from(2) };
    let mut link = Some(link);
    match prepare(&spec, &mut link) {
        Ok((mut freezer, ready)) => {
            // A worker that is gone is noticed at the next step.
            let _ = wire::send(&freezer.link, &Ok::<Ready, FreezeFailure>(ready));
            freezer.serve();
            freezer.end();
            ExitCode::SUCCESS
        }
        Err(failure) => {
            if let Some(link) = &link {
                let _ = wire::send(link, &Err::<Ready, FreezeFailure>(failure));
            }
            ExitCode::FAILURE
        }
    }
}

/// Makes the standard input ours, and leaves nothing in its place that the watchdog would inherit.
fn take_link() -> std::io::Result<UnixStream> {
    let link = std::io::stdin().as_fd().try_clone_to_owned()?;
    let nothing = fs::OpenOptions::new().read(true).write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    Ok(UnixStream::from(link))
}

/// Before anything else: no signal but a fault or a kill ends us, no core file is written (it could go to a frozen file
/// system, and keep us from ending), and memory is short for others first.
fn harden() {
    sys::hold_signals();
    // Fails when we lead a group already, which serves as well.
    let _ = setsid();
    let _ = fs::write("/proc/self/oom_score_adj", "-1000");
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    let _ = std::env::set_current_dir("/");
}

/// Nothing of this process is fetched from a disk again.
pub(super) fn stay_in_memory() -> rustix::io::Result<()> {
    mlockall(MlockAllFlags::CURRENT | MlockAllFlags::FUTURE)
}

/// A freezer that is ready.
pub(super) struct Freezer {
    /// To the worker.
    pub link: UnixStream,
    pub ceiling: Duration,
    pub prepare: Duration,
    /// One open directory of each file system, in the order of freezing.
    pub systems: Vec<OwnedFd>,
    /// Written out before the freeze, and not frozen.
    pub sync_only: Vec<OwnedFd>,
    pub marks: Marks,
    /// The ceiling, for the watchdog.
    pub timer: OwnedFd,
    pub hurry: Option<Arc<Hurry>>,
    /// To the watchdog; hangs up when it ends.
    pub dog: UnixStream,
    pub dog_pid: Pid,
    pub state: StateFolder,
    /// Held as long as this process or the watchdog lives.
    pub _lock: File,
}

/// What woke a frozen freezer.
enum Woken {
    ByWorker,
    Alone(u64),
}

impl Freezer {
    /// One freeze and one thaw, when the worker says so.
    fn serve(&mut self) {
        if self.next_byte() != Some(wire::FREEZE) {
            return;
        }
        self.settle();
        // Refused in some containers; then we wait our turn like everybody.
        let _ = sys::run_first(10);
        let from = words_now();
        let all_frozen = self.freeze_all(from);
        self.marks.set_freezing(false);
        if let Some(hurry) = &self.hurry {
            hurry.off();
        }
        if let Err(failed) = all_frozen {
            self.thaw_all();
            self.disarm();
            self.say(Event { kind: wire::KIND_FAILED, from, to: words_now(), ..failed });
            return;
        }
        let frozen = Event { kind: wire::KIND_FROZEN, from, to: words_now(), ..Event::NOTHING };
        self.say(frozen);
        let reason = match self.hold(from) {
            Woken::ByWorker => 0,
            Woken::Alone(reason) => {
                let _ = poll(&mut [], Some(&LULL));
                reason
            }
        };
        let from = words_now();
        let lost = self.thaw_all();
        let to = words_now();
        self.disarm();
        self.say(Event { kind: wire::KIND_THAWED, reason, from, to, lost, ..Event::NOTHING });
    }

    /// Writes out what is in memory, all file systems at once, until there is next to nothing left: the freeze itself
    /// then has little to write, and it is the freeze that stops people.
    fn settle(&self) {
        let begin = Instant::now();
        for _ in 0..PASSES_MAX {
            let pass = Instant::now();
            thread::scope(|scope| {
                for system in self.systems.iter().chain(&self.sync_only) {
                    let small = thread::Builder::new().stack_size(64 * 1024);
                    // An error comes again from the freeze, which tells it.
                    let _ = small.spawn_scoped(scope, move || syncfs(system).is_ok());
                }
            });
            if pass.elapsed() < PASS_SHORT || begin.elapsed() > self.prepare / 2 {
                return;
            }
        }
    }

    fn freeze_all(&self, from: [u64; 2]) -> Result<(), Event> {
        let failed = |reason, index, errno: Errno| Event {
            reason,
            index: index as u64,
            errno: u64::from(errno.raw_os_error().unsigned_abs()),
            ..Event::NOTHING
        };
        let deadline = from[1] + nanos(self.ceiling);
        self.marks.set_freezing(true);
        self.marks.deadline().store(deadline, Ordering::SeqCst);
        if let Err(errno) = self.arm() {
            return Err(failed(wire::REASON_WATCHDOG, 0, errno));
        }
        if let Some(hurry) = &self.hurry {
            hurry.on();
        }
        for (index, system) in self.systems.iter().enumerate() {
            if steady_now() >= deadline {
                return Err(failed(wire::REASON_CEILING, index, Errno::TIMEDOUT));
            }
            if let Some(reason) = self.alone() {
                return Err(failed(reason, index, Errno::PIPE));
            }
            self.marks.set(index, mark::ASKED);
            match sys::freeze(system.as_fd()) {
                Ok(()) => self.marks.set(index, mark::FROZEN),
                Err(errno) => {
                    self.marks.set(index, mark::REFUSED);
                    return Err(failed(wire::REASON_REFUSED, index, errno));
                }
            }
        }
        Ok(())
    }

    /// The exact reverse, and only what is ours. Tells how many were not frozen any more.
    fn thaw_all(&self) -> u64 {
        let mut lost = 0;
        for (index, system) in self.systems.iter().enumerate().rev() {
            if self.marks.get(index) == mark::THAWED {
                // The watchdog was faster.
                lost += 1;
            }
            while self.marks.get(index) == mark::FROZEN {
                match sys::thaw(system.as_fd()) {
                    Ok(()) => self.marks.set(index, mark::THAWED),
                    Err(Errno::INVAL) => {
                        self.marks.set(index, mark::LOST);
                        lost += 1;
                    }
                    // A failing disk. The others come first; the watchdog repeats this one.
                    Err(_) => break,
                }
            }
        }
        lost
    }

    /// Waits, frozen, for a reason to thaw.
    fn hold(&self, from: [u64; 2]) -> Woken {
        let deadline = from[1] + nanos(self.ceiling);
        loop {
            let left = deadline.saturating_sub(steady_now());
            if left == 0 {
                return Woken::Alone(wire::REASON_CEILING);
            }
            let mut watched = [
                PollFd::new(&self.link, PollFlags::IN),
                PollFd::new(&self.dog, PollFlags::empty()),
            ];
            if poll(&mut watched, Some(&timespec(left))).is_err() {
                continue;
            }
            let [worker, dog] = watched.map(|watched| watched.revents());
            if !worker.is_empty() {
                return match self.next_byte() {
                    Some(wire::THAW) => Woken::ByWorker,
                    _ => Woken::Alone(wire::REASON_WORKER),
                };
            }
            if !dog.is_empty() {
                return Woken::Alone(wire::REASON_WATCHDOG);
            }
        }
    }

    /// Whether worker or watchdog are gone.
    fn alone(&self) -> Option<u64> {
        let mut watched = [
            PollFd::new(&self.link, PollFlags::empty()),
            PollFd::new(&self.dog, PollFlags::empty()),
        ];
        let _ = poll(&mut watched, Some(&timespec(0)));
        let [worker, dog] = watched.map(|watched| !watched.revents().is_empty());
        let reason = if worker { wire::REASON_WORKER } else { wire::REASON_WATCHDOG };
        (worker || dog).then_some(reason)
    }

    /// One byte of the worker; nothing when it is gone.
    fn next_byte(&self) -> Option<u8> {
        let mut byte = [0];
        match recv(&self.link, &mut byte, RecvFlags::empty()) {
            Ok((_, 1)) => Some(byte[0]),
            _ => None,
        }
    }

    fn say(&self, event: Event) {
        // The buffer of the socket is far larger than all that is ever said; and nobody waits for one who is gone.
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let _ = send(&self.link, &event.to_bytes(), flags);
    }

    fn arm(&self) -> rustix::io::Result<()> {
        let value = timespec(nanos(self.ceiling + GRACE));
        let once = Itimerspec { it_interval: timespec(0), it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once).map(drop)
    }

    /// Nothing is frozen any more, unless a disk fails: then the watchdog must wake.
    fn disarm(&self) {
        if (0..self.systems.len()).any(|index| self.marks.owes_thaw(index)) {
            return;
        }
        self.marks.deadline().store(0, Ordering::SeqCst);
        let never = Itimerspec { it_interval: timespec(0), it_value: timespec(0) };
        let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &never);
    }

    /// Ends, and the watchdog with it: the lock is free once both are gone.
    fn end(self) {
        if (0..self.systems.len()).any(|index| self.marks.owes_thaw(index)) {
            // The watchdog goes on alone, and clears the state when it is done.
            return;
        }
        self.state.clear();
        // It only waits for us. It is our child and was not waited for, so nobody else has its number.
        let _ = kill_process(self.dog_pid, Signal::KILL);
        let _ = waitpid(Some(self.dog_pid), WaitOptions::empty());
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn timespec(nanos: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(nanos / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: i64::try_from(nanos % 1_000_000_000).unwrap_or(0),
    }
}
