//! All that comes before the first freeze: the lock, the open directories, the marks, the watchdog.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, getpid, pidfd_open};
use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
use serde::{Deserialize, Serialize};

use super::choose::{Choice, choose};
use super::freezer::{Freezer, stay_in_memory};
use super::hurry::Hurry;
use super::mounts::{self, Mount};
use super::open::{NotOpened, open_candidate};
use super::process::Process;
use super::recover::{Recovery, recover};
use super::result::{FileSystem, FreezeCause, FreezeFailure, LeftOut};
use super::spec::FreezeSpec;
use super::stack;
use super::state::{self, SYSTEMS_MAX, Session, StateFolder};
use super::watchdog::{Victim, Watchdog, watch};
use crate::sys::{self, Forked};

/// Told to the worker when everything is ready.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Ready {
    pub file_systems: Vec<FileSystem>,
    pub left_out: Vec<LeftOut>,
}

/// How long the freezer waits for the watchdog to stand.
const DOG_PATIENCE: Duration = Duration::from_secs(5);

/// Makes a freezer that can freeze at once, and with it the watchdog. `link` is the socket to the worker.
pub(super) fn prepare(
    spec: &FreezeSpec,
    link: &mut Option<UnixStream>,
) -> Result<(Freezer, Ready), FreezeFailure> {
    spec.check()?;
    let (state, lock) = take_lock(spec)?;
    let opened = open_all(spec)?;
    let ready = Ready { file_systems: opened.file_systems, left_out: opened.left_out };
    let parts = Parts {
        systems: opened.systems,
        sync_only: opened.sync_only,
        ceiling: spec.ceiling,
        prepare: spec.prepare,
        state,
        lock,
    };
    let freezer = parts.guarded(&ready, link).map_err(|failure| failed(&failure))?;
    Ok((freezer, ready))
}

fn failed(failure: &io::Error) -> FreezeFailure {
    FreezeFailure::new(FreezeCause::Failed, format!("cannot prepare a freeze: {failure}"))
}

/// The one freezer of this machine. What an earlier one left is thawed before.
fn take_lock(spec: &FreezeSpec) -> Result<(StateFolder, File), FreezeFailure> {
    let in_progress = || {
        let what = "another freeze is in progress, and only one at a time is possible";
        FreezeFailure::new(FreezeCause::InProgress, what)
    };
    match recover(&spec.state).map_err(|failure| failed(&failure))? {
        Recovery::InProgress => return Err(in_progress()),
        Recovery::Incomplete { frozen } => {
            let names: Vec<_> = frozen.iter().map(|path| path.display().to_string()).collect();
            let what = format!("an earlier freeze cannot be thawed: {}", names.join(", "));
            return Err(FreezeFailure::new(FreezeCause::Failed, what));
        }
        Recovery::Nothing | Recovery::Thawed { .. } => {}
    }
    let state = StateFolder::open(&spec.state).map_err(|failure| failed(&failure))?;
    let lock = state.lock(Duration::from_millis(500)).map_err(|failure| failed(&failure))?;
    Ok((state, lock.ok_or_else(in_progress)?))
}

#[derive(Default)]
struct Opened {
    systems: Vec<OwnedFd>,
    sync_only: Vec<OwnedFd>,
    file_systems: Vec<FileSystem>,
    left_out: Vec<LeftOut>,
}

fn open_all(spec: &FreezeSpec) -> Result<Opened, FreezeFailure> {
    let mounts = mounts::all().map_err(|failure| failed(&failure))?;
    let Choice { freeze, sync, left_out } = choose(&mounts, spec, &stack::backing_files);
    let mut all = Opened { left_out, ..Opened::default() };
    for candidate in &freeze {
        let mount = |place: usize| -> &Mount { &mounts[place] };
        let fs_type = candidate.fs_type.clone();
        match open_candidate(&mounts, candidate) {
            Ok((opened, place)) => {
                all.systems.push(opened);
                let (mount, device) = (mount(place).at.clone(), candidate.device);
                all.file_systems.push(FileSystem { mount, fs_type, device });
            }
            Err(NotOpened::Unreachable(why)) => {
                let mount = mount(candidate.places[0]).at.clone();
                all.left_out.push(LeftOut { mount, fs_type, why, partial: true });
            }
            Err(NotOpened::Refused(why)) => {
                let what = format!("{}: {why}", mount(candidate.places[0]).at.display());
                return Err(FreezeFailure::new(FreezeCause::CannotOpen, what));
            }
        }
    }
    if all.systems.len() > SYSTEMS_MAX {
        let what = format!("{} file systems, and {SYSTEMS_MAX} are possible", all.systems.len());
        return Err(FreezeFailure::new(FreezeCause::Failed, what));
    }
    let opened = sync.iter().filter_map(|candidate| open_candidate(&mounts, candidate).ok());
    all.sync_only = opened.map(|(opened, _)| opened).collect();
    Ok(all)
}

struct Parts {
    systems: Vec<OwnedFd>,
    sync_only: Vec<OwnedFd>,
    ceiling: Duration,
    prepare: Duration,
    state: StateFolder,
    lock: File,
}

impl Parts {
    fn guarded(self, ready: &Ready, link: &mut Option<UnixStream>) -> io::Result<Freezer> {
        let marks = self.state.new_marks()?;
        let hurry = Hurry::find().map(Arc::new);
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::CLOEXEC)?;
        let (mut ours, theirs) = UnixStream::pair()?;
        // Taken before the fork, so that it surely is ours.
        let me = getpid();
        let victim = Victim { handle: pidfd_open(me, PidfdFlags::empty()).ok(), pid: me };
        let watchdog_pid: Pid = match sys::fork()? {
            Forked::Child => {
                // What keeps the sockets of others open would hide their end.
                *link = None;
                drop(ours);
                let Parts { systems, state, lock, .. } = self;
                let link = theirs.into();
                watch(&Watchdog { systems, marks, timer, link, freezer: victim, hurry, state });
                drop(lock);
                process::exit(0);
            }
            Forked::Parent(pid) => pid,
        };
        drop(theirs);
        ours.set_read_timeout(Some(DOG_PATIENCE))?;
        ours.read_exact(&mut [0]).map_err(|_| io::Error::other("the watchdog does not stand"))?;
        stay_in_memory()?;
        let session = Session {
            boot: state::boot(),
            freezer: Process::of(me)?,
            watchdog: Process::of(watchdog_pid)?,
            hurried: hurry.is_some(),
            file_systems: ready.file_systems.clone(),
        };
        self.state.write(&session)?;
        Ok(Freezer {
            link: link.take().ok_or_else(|| io::Error::other("no socket to the worker"))?,
            ceiling: self.ceiling,
            prepare: self.prepare,
            systems: self.systems,
            sync_only: self.sync_only,
            marks,
            timer,
            hurry,
            dog: ours,
            dog_pid: watchdog_pid,
            state: self.state,
            _lock: self.lock,
        })
    }
}
