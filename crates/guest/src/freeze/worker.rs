//! The side of whoever wants a freeze.

use std::io::{self, Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::prepare::Ready;
use super::recover::{OVERDUE, rescue};
use super::result::{FileSystem, FreezeCause, FreezeFailure, LeftOut, Stamp, Thawed, steady_now};
use super::spec::FreezeSpec;
use super::state::StateFolder;
use super::wire::{self, EVENT_BYTES, Event};

/// How long an answer may take that needs no disk.
const ANSWER: Duration = Duration::from_secs(1);
/// How long a process that has nothing more to do may take to end.
const END: Duration = Duration::from_secs(2);

/// A freeze that is ready: every file system is open and the watchdog stands. Nothing is frozen.
#[derive(Debug)]
pub struct Freezer {
    spec: FreezeSpec,
    ready: Ready,
    link: UnixStream,
    child: Child,
}

impl Freezer {
    /// Starts the processes and opens every file system. What an earlier freeze left is thawed first.
    ///
    /// # Errors
    /// When nothing can be frozen at all; see [`FreezeCause`]. A machine without anything to freeze is no error.
    pub fn start(spec: FreezeSpec) -> Result<Freezer, FreezeFailure> {
        spec.check()?;
        let (link, theirs) = UnixStream::pair().map_err(|failure| lost(&failure))?;
        let child = Command::new(&spec.program)
            .arg(super::command::FREEZER)
            .env_clear()
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|failure| {
                let what = format!("{} cannot be started: {failure}", spec.program.display());
                FreezeFailure::new(FreezeCause::NoProgram, what)
            })?;
        let mut freezer = Freezer {
            ready: Ready { file_systems: Vec::new(), left_out: Vec::new() },
            spec,
            link,
            child,
        };
        freezer.ready = freezer.introduce()?;
        Ok(freezer)
    }

    fn introduce(&self) -> Result<Ready, FreezeFailure> {
        self.link.set_read_timeout(Some(self.spec.prepare)).map_err(|failure| lost(&failure))?;
        wire::send(&self.link, &self.spec).map_err(|failure| lost(&failure))?;
        let answer: Result<Ready, FreezeFailure> =
            wire::receive(&self.link).map_err(|failure| lost(&failure))?;
        answer
    }

    /// What will be frozen, in this order.
    pub fn file_systems(&self) -> &[FileSystem] {
        &self.ready.file_systems
    }

    /// What is on disks of this machine and will not be frozen.
    pub fn left_out(&self) -> &[LeftOut] {
        &self.ready.left_out
    }

    /// Writes out what is in memory, then freezes everything.
    ///
    /// # Errors
    /// When one file system cannot be frozen, or not in time. Those that were are thawed by then.
    pub fn freeze(mut self) -> Result<Frozen, FreezeFailure> {
        let guard = Guard::start(&self.link, &self.spec).map_err(|failure| lost(&failure))?;
        let limit = self.spec.prepare + self.spec.ceiling + ANSWER;
        let answer = self.ask(wire::FREEZE, limit);
        match answer {
            Ok(event) if event.kind == wire::KIND_FROZEN => Ok(Frozen {
                started: Stamp::from_words(event.from),
                frozen: Stamp::from_words(event.to),
                freezer: Some((self, guard)),
            }),
            Ok(event) => {
                guard.cancel();
                Err(self.why(&event))
            }
            Err(failure) => {
                // Killed, it ends as soon as the kernel lets it, and then the watchdog thaws; the guard sees to it.
                let _ = self.child.kill();
                guard.finish();
                let timed_out = failure.kind() == io::ErrorKind::WouldBlock;
                let what = if timed_out {
                    format!("the file systems were not frozen within {limit:?}")
                } else {
                    format!("the freezer ended: {failure}")
                };
                let cause = if timed_out { FreezeCause::TimedOut } else { FreezeCause::Failed };
                Err(FreezeFailure::new(cause, what))
            }
        }
    }

    fn ask(&mut self, order: u8, limit: Duration) -> io::Result<Event> {
        self.link.set_read_timeout(Some(limit))?;
        // An answer may be there already: the freezer thaws by itself at the ceiling, and then ends.
        let asked = self.link.write_all(&[order]);
        let mut bytes = [0; EVENT_BYTES];
        self.link.read_exact(&mut bytes).map_err(|failure| asked.err().unwrap_or(failure))?;
        Ok(Event::from_bytes(&bytes))
    }

    fn why(&self, event: &Event) -> FreezeFailure {
        let index = usize::try_from(event.index).unwrap_or(usize::MAX);
        let mount = self.ready.file_systems.get(index);
        let mount = mount.map_or_else(PathBuf::new, |system| system.mount.clone());
        let mount = mount.display();
        let errno = i32::try_from(event.errno).unwrap_or(0);
        match event.reason {
            wire::REASON_REFUSED if errno == libc::EBUSY => FreezeFailure::new(
                FreezeCause::Foreign,
                format!("{mount} is frozen by somebody else, and was left as it is"),
            ),
            wire::REASON_REFUSED => {
                let error = io::Error::from_raw_os_error(errno);
                FreezeFailure::new(FreezeCause::Failed, format!("{mount}: {error}"))
            }
            wire::REASON_CEILING => {
                let what = format!("{mount} was not frozen within {:?}", self.spec.ceiling);
                FreezeFailure::new(FreezeCause::TimedOut, what)
            }
            _ => FreezeFailure::new(FreezeCause::Failed, "the watchdog ended before the freeze"),
        }
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        // The freezer sees our end of the socket close, thaws if need be, and ends. The watchdog does if it cannot.
        let _ = self.link.shutdown(std::net::Shutdown::Both);
        if !ends_within(&mut self.child, END) {
            let _ = self.child.kill();
            // In the middle of a call into the kernel it may take its time, and then it is nobody's to wait for.
            ends_within(&mut self.child, END);
        }
    }
}

/// Waits for a process that is ending.
fn ends_within(child: &mut Child, limit: Duration) -> bool {
    let until = std::time::Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(None) if std::time::Instant::now() < until => {
                thread::sleep(Duration::from_millis(1));
            }
            Ok(None) => return false,
            Ok(Some(_)) | Err(_) => return true,
        }
    }
}

fn lost(failure: &io::Error) -> FreezeFailure {
    let what = format!("the freezer does not answer: {failure}");
    FreezeFailure::new(FreezeCause::Failed, what)
}

/// Everything is frozen. Thaws when it goes out of scope; after the ceiling it thaws by itself.
#[derive(Debug)]
pub struct Frozen {
    /// When the first freeze began.
    pub started: Stamp,
    /// When the last file system was frozen. From here to the thaw, a snapshot is consistent.
    pub frozen: Stamp,
    /// `None` once thawed.
    freezer: Option<(Freezer, Guard)>,
}

impl Frozen {
    /// What is frozen, in the order of freezing. Empty on a machine without anything to freeze.
    pub fn filesystems(&self) -> &[FileSystem] {
        self.freezer.as_ref().map_or(&[], |(freezer, _)| freezer.file_systems())
    }

    /// What is on disks of this machine and is not frozen.
    pub fn left_out(&self) -> &[LeftOut] {
        self.freezer.as_ref().map_or(&[], |(freezer, _)| freezer.left_out())
    }

    /// Thaws everything. Never fails: what cannot be thawed at once goes on being thawed, and `held` is false.
    pub fn thaw(mut self) -> Thawed {
        let started = self.started;
        let taken = self.freezer.take();
        taken.map_or_else(|| end(&started, None), |(freezer, guard)| thaw(started, freezer, guard))
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        if let Some((freezer, guard)) = self.freezer.take() {
            thaw(self.started, freezer, guard);
        }
    }
}

fn thaw(started: Stamp, mut freezer: Freezer, guard: Guard) -> Thawed {
    let ceiling = freezer.spec.ceiling;
    match freezer.ask(wire::THAW, ANSWER) {
        Ok(event) if event.kind == wire::KIND_THAWED => {
            guard.cancel();
            let why = match event.reason {
                0 if event.lost == 0 => None,
                0 => Some(format!("somebody else thawed {} file systems early", event.lost)),
                wire::REASON_CEILING => Some(format!("thawed by itself after {ceiling:?}")),
                wire::REASON_WATCHDOG => Some("the watchdog ended".to_owned()),
                _ => Some("the thaw was not asked for in order".to_owned()),
            };
            let (began, thawed_at) = (Stamp::from_words(event.from), Stamp::from_words(event.to));
            let window = thawed_at.since(&started);
            Thawed { began, thawed_at, held: why.is_none(), why, window }
        }
        _ => {
            guard.finish();
            end(&started, Some("the freezer ended or was stopped"))
        }
    }
}

/// Thawed by others than the freezer, at the latest now.
fn end(started: &Stamp, why: Option<&str>) -> Thawed {
    let now = Stamp::now();
    let why = why.map(str::to_owned);
    Thawed { began: now, thawed_at: now, held: false, why, window: now.since(started) }
}

/// A thread of the worker that thaws when freezer and watchdog have both ended, or are both stopped.
#[derive(Debug)]
struct Guard {
    /// Closed to say that all is well; a byte says that it is not.
    all_is_well: UnixStream,
    thread: JoinHandle<()>,
}

/// How often the guard looks at the deadline.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };

impl Guard {
    fn start(link: &UnixStream, spec: &FreezeSpec) -> io::Result<Guard> {
        let (all_is_well, watched) = UnixStream::pair()?;
        let link = link.try_clone()?;
        let state = spec.state.clone();
        let folder = StateFolder::open(&state)?;
        let thread = thread::Builder::new().name("thaw-guard".to_owned()).spawn(move || {
            if goes_wrong(&link, &watched, &folder) {
                // What cannot be thawed now is thawed by the next start; there is nobody here to tell.
                let _ = rescue(&state, true);
            }
        })?;
        Ok(Guard { all_is_well, thread })
    }

    fn cancel(self) {
        drop(self.all_is_well);
        let _ = self.thread.join();
    }

    /// Something is wrong, and the freezer was killed: returns when the guard has seen to it.
    fn finish(mut self) {
        let _ = self.all_is_well.write_all(b"!");
        let _ = self.thread.join();
    }
}

/// Waits until all is well (false), or freezer and watchdog have failed (true).
fn goes_wrong(link: &UnixStream, all_is_well: &UnixStream, folder: &StateFolder) -> bool {
    loop {
        let told = PollFlags::IN | PollFlags::RDHUP;
        let mut watched = [PollFd::new(link, PollFlags::RDHUP), PollFd::new(all_is_well, told)];
        let _ = poll(&mut watched, Some(&LOOK));
        let [ended, told] = watched.map(|watched| !watched.revents().is_empty());
        if told {
            let mut all_is_well = all_is_well;
            return matches!(all_is_well.read(&mut [0]), Ok(1));
        }
        let overdue = folder.deadline().is_some_and(|deadline| {
            Duration::from_nanos(steady_now().saturating_sub(deadline)) > OVERDUE
        });
        if ended || overdue {
            return true;
        }
    }
}
