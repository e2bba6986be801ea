//! One start of one script.

use std::fs::File;
use std::io::{self, Read as _, Seek as _};
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Pid, Signal, kill_process_group};

use super::OUTPUT_MAX;
use super::config::Script;

/// How long a script that ran too long is given to clean up after SIGTERM.
const MERCY: Duration = Duration::from_secs(1);
/// How often we look whether it has ended.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 10_000_000 };

/// How it ended.
#[derive(Debug)]
pub(super) enum End {
    Exited(ExitStatus),
    TimedOut,
    NotStarted(io::Error),
}

/// Starts what was opened, and waits for its end. `started` learns its process group.
pub(super) fn execute(script: &Script, file: &File, started: impl FnOnce(Pid)) -> (End, String) {
    let mut output = Vec::new();
    let end = match start(script, file) {
        Ok((mut child, pipe)) => {
            let group = Pid::from_child(&child);
            started(group);
            wait(&mut child, group, &pipe, script.timeout, &mut output)
        }
        Err(failure) => End::NotStarted(failure),
    };
    (end, String::from_utf8_lossy(&output).into_owned())
}

fn start(script: &Script, file: &File) -> io::Result<(Child, OwnedFd)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK)?;
    // Its end of the pipe is an ordinary one.
    let flags = rustix::fs::fcntl_getfl(&theirs)?;
    rustix::fs::fcntl_setfl(&theirs, flags & !rustix::fs::OFlags::NONBLOCK)?;
    // The interpreter opens the script once more, by this number.
    fcntl_setfd(file, FdFlags::empty())?;
    let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
    let mut command = match is_program(file)? {
        true => Command::new(&opened),
        false => {
            let mut shell = Command::new("/bin/sh");
            shell.arg(&opened);
            shell
        }
    };
    command
        .args(&script.params)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .env("HOME", "/root")
        .env("LANG", "C.UTF-8")
        .env("COFFRE_PHASE", script.phase.name())
        .env("COFFRE_SCRIPT", &script.path)
        .envs(script.environment.iter().map(|(name, value)| (name, value)))
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(theirs.try_clone()?)
        .stderr(theirs);
    let child = command.spawn();
    fcntl_setfd(file, FdFlags::CLOEXEC)?;
    Ok((child?, ours))
}

/// Whether the kernel can run it by itself; otherwise it is for the shell, as every script used to be.
fn is_program(mut file: &File) -> io::Result<bool> {
    let executable = rustix::fs::fstat(file.as_fd())?.st_mode & 0o100 != 0;
    let no_exec =
        rustix::fs::fstatvfs(file.as_fd())?.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC);
    let mut head = Vec::new();
    file.rewind()?;
    file.take(4).read_to_end(&mut head)?;
    Ok(executable && !no_exec && (head.starts_with(b"#!") || head == *b"\x7fELF"))
}

fn wait(
    child: &mut Child,
    group: Pid,
    pipe: &OwnedFd,
    timeout: Duration,
    output: &mut Vec<u8>,
) -> End {
    let begun = Instant::now();
    let mut told = false;
    loop {
        drain(pipe, output);
        match child.try_wait() {
            Ok(Some(status)) => {
                drain(pipe, output);
                return if told { End::TimedOut } else { End::Exited(status) };
            }
            Ok(None) => {}
            Err(failure) => return End::NotStarted(failure),
        }
        if begun.elapsed() >= timeout + MERCY {
            kill(group);
            let _ = child.wait();
            drain(pipe, output);
            return End::TimedOut;
        }
        if begun.elapsed() >= timeout && !told {
            told = true;
            let _ = kill_process_group(group, Signal::TERM);
        }
        let mut watched = [PollFd::new(pipe, PollFlags::IN)];
        let _ = poll(&mut watched, Some(&LOOK));
        if watched[0].revents() == PollFlags::HUP {
            // It has closed its output and goes on.
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Kills every process of the group, those too that a script has left behind.
pub(super) fn kill(group: Pid) {
    let _ = kill_process_group(group, Signal::KILL);
}

/// Takes what is there. Keeps the beginning, throws away the rest: a script must never wait for us.
fn drain(pipe: &OwnedFd, output: &mut Vec<u8>) {
    let mut buffer = [0; 4096];
    loop {
        match rustix::io::read(pipe, &mut buffer) {
            Ok(0) | Err(Errno::AGAIN) => return,
            Ok(count) => {
                let room = OUTPUT_MAX.saturating_sub(output.len());
                output.extend_from_slice(&buffer[..count.min(room)]);
            }
            Err(Errno::INTR) => {}
            Err(_) => return,
        }
    }
}

/// How a status is told.
pub(super) fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with {code}"),
        (None, Some(signal)) => format!("was ended by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}
