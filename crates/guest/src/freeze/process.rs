//! Processes, known by more than their number.

use std::fs;
use std::io;

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

/// A process, so named that a later one with the same number is not taken for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub pid: i32,
    /// When it was started, in the ticks of `/proc`.
    pub started: u64,
}

impl Process {
    /// The process that has this number now.
    pub(crate) fn of(pid: Pid) -> io::Result<Process> {
        let pid = pid.as_raw_nonzero().get();
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name of the program may hold anything, but no parenthesis comes after it.
        let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
        let mut fields = fields.split_whitespace();
        // Ended, and not yet waited for.
        if fields.next().is_none_or(|state| state == "Z" || state == "X") {
            return Err(io::ErrorKind::NotFound.into());
        }
        let started = fields.nth(18).and_then(|field| field.parse().ok());
        Ok(Process { pid, started: started.ok_or_else(|| io::Error::other("no start time"))? })
    }

    /// This process.
    pub(crate) fn current() -> io::Result<Process> {
        Process::of(rustix::process::getpid())
    }

    /// Whether it has not ended.
    pub(crate) fn is_alive(self) -> bool {
        Pid::from_raw(self.pid).is_some_and(|pid| Process::of(pid).is_ok_and(|now| now == self))
    }

    /// Kills it, if it still is the same.
    pub(crate) fn kill(self) {
        self.send(Signal::KILL);
    }

    /// Lets it go on, if it was stopped and still is the same.
    pub(crate) fn go_on(self) {
        self.send(Signal::CONT);
    }

    fn send(self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.pid)
            && self.is_alive()
        {
            // It may have ended by itself in this instant.
            let _ = kill_process(pid, signal);
        }
    }
}
