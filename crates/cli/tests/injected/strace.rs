//! A fault at a system call, put there by strace.

use std::collections::BTreeMap;
use std::fmt;
use std::process::Command;

/// What happens at which call.
#[derive(Debug, Clone)]
pub(crate) struct Injection {
    call: String,
    nth: usize,
    /// The error, and whether every later call fails too; `None`: the process is killed.
    error: Option<(&'static str, bool)>,
}

impl Injection {
    /// Killed when it makes the n-th call of this name; the call is not made.
    pub(crate) fn kill(call: &str, nth: usize) -> Self {
        Self { call: call.to_owned(), nth, error: None }
    }

    /// The n-th call of this name, or each from there on, fails and does nothing.
    pub(crate) fn error(call: &str, error: &'static str, nth: usize, ever_after: bool) -> Self {
        Self { call: call.to_owned(), nth, error: Some((error, ever_after)) }
    }

    /// Whether the process is killed.
    pub(crate) fn kills(&self) -> bool {
        self.error.is_none()
    }

    /// The same command with the fault in it.
    pub(crate) fn around(&self, command: &Command) -> Command {
        let fault = match self.error {
            None => format!("signal=KILL:when={}", self.nth),
            Some((error, false)) => format!("error={error}:when={}", self.nth),
            Some((error, true)) => format!("error={error}:when={}+", self.nth),
        };
        let options = [
            "-qq".to_owned(),
            "-e".to_owned(),
            format!("trace={}", self.call),
            "-e".to_owned(),
            format!("inject={}:{fault}", self.call),
            "-o".to_owned(),
            "/dev/null".to_owned(),
        ];
        traced(command, &options)
    }
}

impl fmt::Display for Injection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.error {
            None => write!(f, "killed at {} {}", self.call, self.nth),
            Some((error, true)) => write!(f, "{error} from {} {} on", self.call, self.nth),
            Some((error, false)) => write!(f, "{error} at {} {}", self.call, self.nth),
        }
    }
}

/// A command on one processor under strace. The program then works on one thread.
fn traced(command: &Command, options: &[String]) -> Command {
    let mut traced = Command::new("taskset");
    traced.args(["-c", "0", "strace", "-f"]).args(options);
    traced.arg(command.get_program()).args(command.get_args());
    traced
}

/// How often the main thread of a command makes each call.
pub(crate) fn calls_of(command: &Command) -> Vec<(String, usize)> {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let options = ["-qq".to_owned(), "-o".to_owned(), log.to_str().unwrap().to_owned()];
    let output = traced(command, &options).output().expect("strace and taskset are installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut main = None;
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for line in std::fs::read_to_string(log).unwrap().lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let Some((call, _)) = rest.trim_start().split_once('(') else { continue };
        let is_name = call.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if is_name && *main.get_or_insert_with(|| thread.to_owned()) == thread {
            *calls.entry(call.to_owned()).or_default() += 1;
        }
    }
    // A process cannot be stopped from ending, and has not begun before it is there.
    calls.retain(|call, _| !["exit", "exit_group", "execve"].contains(&&**call));
    calls.into_iter().collect()
}
