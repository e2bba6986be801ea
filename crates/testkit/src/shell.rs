//! Scripts that run in the guest, through its agent.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use crate::wire::Lines;

/// Longer than anything takes in a guest on a busy machine; a shell that waits this long has found a bug.
const PATIENCE: Duration = Duration::from_secs(120);

/// A way to run scripts in a guest. Connects for each script, so that several shells may share a socket.
#[derive(Debug, Clone)]
pub struct Shell {
    socket: PathBuf,
}

/// What a script gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Exit code; `None` when a signal ended the script.
    pub code: Option<i64>,
    /// Standard output; at most 16 MiB, the agent cuts the rest.
    pub stdout: String,
    /// Standard error, likewise.
    pub stderr: String,
}

impl Shell {
    /// A shell over the agent at that socket. Nothing is sent yet.
    pub fn at(socket: &Path) -> Shell {
        Shell { socket: socket.to_owned() }
    }

    /// Runs a script with `/bin/sh` and waits for its end, two minutes at most.
    ///
    /// # Errors
    /// When the agent does not answer or the script does not end; not when the script fails.
    pub fn run(&self, script: &str) -> anyhow::Result<Output> {
        let deadline = Instant::now() + PATIENCE;
        let mut agent = self.connect(deadline)?;
        self.run_on(&mut agent, script, deadline)
            .with_context(|| format!("run `{script}` in the guest"))
    }

    fn run_on(&self, agent: &mut Lines, script: &str, deadline: Instant) -> anyhow::Result<Output> {
        let start = json!({ "path": "/bin/sh", "arg": ["-c", script], "capture-output": true });
        let started = call(agent, "guest-exec", &start, deadline)?;
        let mut pause = Duration::from_millis(5);
        loop {
            let status = call(agent, "guest-exec-status", &started, deadline)?;
            if status["exited"] == true {
                let text = |key: &str| -> anyhow::Result<String> {
                    let bytes = BASE64.decode(status[key].as_str().unwrap_or_default())?;
                    Ok(String::from_utf8_lossy(&bytes).into_owned())
                };
                let code = status["exitcode"].as_i64();
                return Ok(Output { code, stdout: text("out-data")?, stderr: text("err-data")? });
            }
            ensure!(Instant::now() < deadline, "the script does not end");
            std::thread::sleep(pause);
            pause = (pause * 3 / 2).min(Duration::from_millis(100));
        }
    }

    /// Runs a script that must succeed, and gives its standard output.
    ///
    /// # Errors
    /// As [`Shell::run`], and when the exit code is not 0.
    pub fn check(&self, script: &str) -> anyhow::Result<String> {
        let output = self.run(script)?;
        if output.code != Some(0) {
            let (code, said) = (output.code, output.stderr.trim_end());
            bail!(
                "`{script}` ended with {code:?} in the guest: {said} {}",
                output.stdout.trim_end()
            );
        }
        Ok(output.stdout)
    }

    /// Sends one command to the guest agent.
    ///
    /// # Errors
    /// [`crate::CallError`] (by downcast) when the agent refuses; else it did not answer.
    pub fn agent(&self, command: &str, arguments: &Value) -> anyhow::Result<Value> {
        let deadline = Instant::now() + PATIENCE;
        call(&mut self.connect(deadline)?, command, arguments, deadline)
    }

    /// Waits until the agent answers.
    ///
    /// # Errors
    /// When it does not within the given time.
    pub fn wait_until_ready(&self, within: Duration) -> anyhow::Result<()> {
        self.connect(Instant::now() + within).map(drop)
    }

    /// Connects and finds the beginning of a fresh conversation: an earlier client may have left half a reply behind,
    /// and a guest that is still booting loses what was sent to it.
    fn connect(&self, deadline: Instant) -> anyhow::Result<Lines> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let mut agent = Lines::connect(&self.socket, deadline)?;
        let mut pause = Duration::from_millis(250);
        loop {
            let number = NUMBER.fetch_add(1, Ordering::Relaxed);
            let sync = json!({ "execute": "guest-sync-delimited", "arguments": { "id": number } });
            agent.send(&sync, b"\xff")?;
            let until = (Instant::now() + pause).min(deadline);
            // What is sent before the agent runs waits in the socket, whose room is not endless.
            pause = (pause * 3 / 2).min(Duration::from_secs(2));
            while let Some(reply) = agent.receive(until)? {
                if reply["return"] == number {
                    return Ok(agent);
                }
            }
            ensure!(
                Instant::now() < deadline,
                "the agent at {} does not answer",
                self.socket.display()
            );
        }
    }
}

fn call(
    agent: &mut Lines,
    command: &str,
    arguments: &Value,
    deadline: Instant,
) -> anyhow::Result<Value> {
    agent.call(command, arguments, deadline, &mut Vec::new())
}
