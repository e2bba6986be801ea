//! Processes that outlive us, known by the file that holds their id.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::{FabricError, Result};

/// A process that runs, or ran when this was made. The number is never used again for another
/// process, because the kernel's handle is held.
#[derive(Debug)]
pub(crate) struct ProcessId {
    pid: Pid,
    handle: OwnedFd,
}

impl ProcessId {
    /// The process whose id is in the file; `None` if there is no file or the process is gone.
    pub(crate) fn read(pid_file: &Path) -> Result<Option<Self>> {
        let text = match fs::read_to_string(pid_file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(FabricError::io("reading", pid_file)(error)),
        };
        let Some(pid) = text.trim().parse().ok().and_then(Pid::from_raw) else { return Ok(None) };
        Ok(pidfd_open(pid, PidfdFlags::empty()).ok().map(|handle| Self { pid, handle }))
    }

    /// Whether one of the process's arguments contains this text: numbers are used again, so the
    /// process behind an old file may be a stranger.
    pub(crate) fn command_has(&self, text: &OsStr) -> bool {
        let arguments = fs::read(format!("/proc/{}/cmdline", self.pid.as_raw_pid()));
        let wanted = text.as_bytes();
        arguments.is_ok_and(|all| all.windows(wanted.len()).any(|part| part == wanted))
    }

    /// Whether it still runs.
    pub(crate) fn is_alive(&self) -> bool {
        !self.wait(Duration::ZERO)
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        // A process that is gone is what we want.
        let _ = pidfd_send_signal(&self.handle, Signal::TERM);
    }

    /// Ends it.
    pub(crate) fn kill(&self) {
        let _ = pidfd_send_signal(&self.handle, Signal::KILL);
    }

    /// Waits for its end, this long at most. Returns whether it ended.
    pub(crate) fn wait(&self, timeout: Duration) -> bool {
        let mut handles = [PollFd::new(&self.handle, PollFlags::IN)];
        let timeout = Timespec::try_from(timeout).ok();
        poll(&mut handles, timeout.as_ref()).is_ok_and(|ready| ready > 0)
    }
}
