//! Running programs in the guest.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::json;

use super::AgentClient;
use super::client::decode;
use crate::qmp::QmpError;

/// What a program in the guest left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecOutput {
    /// Its exit code; `None` = a signal ended it.
    pub exit_code: Option<i64>,
    /// What it wrote, 16 MiB at most.
    pub stdout: Vec<u8>,
    /// What it wrote as errors, 16 MiB at most.
    pub stderr: Vec<u8>,
}

/// The number of a process in the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GuestProcess(i64);

#[derive(Deserialize)]
struct Started {
    pid: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Status {
    exited: bool,
    exitcode: Option<i64>,
    #[serde(default)]
    out_data: String,
    #[serde(default)]
    err_data: String,
}

impl AgentClient {
    /// Runs a program in the guest and waits for its end, this long at most.
    pub fn exec(
        &mut self,
        path: &str,
        arguments: &[&str],
        input: &[u8],
        timeout: Duration,
    ) -> Result<ExecOutput, QmpError> {
        let request = json!({
            "path": path, "arg": arguments, "capture-output": true,
            "input-data": BASE64.encode(input),
        });
        let pid = self.query::<Started>("guest-exec", request)?.pid;
        let end = Instant::now() + timeout;
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(output) = self.ended(GuestProcess(pid))? {
                return Ok(output);
            }
            if Instant::now() >= end {
                return Err(QmpError::Timeout { command: path.to_owned(), after: timeout });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    /// Starts a program in the guest. What it writes is thrown away: the agent would wait for the
    /// end of everybody who holds its output, also of a process that shall go on alone.
    pub(crate) fn spawn(
        &mut self,
        path: &str,
        arguments: &[&str],
    ) -> Result<GuestProcess, QmpError> {
        let request = json!({ "path": path, "arg": arguments, "capture-output": false });
        Ok(GuestProcess(self.query::<Started>("guest-exec", request)?.pid))
    }

    /// What a program left; `None` = it runs. The agent tells it once.
    pub(crate) fn ended(&mut self, process: GuestProcess) -> Result<Option<ExecOutput>, QmpError> {
        let status: Status = self.query("guest-exec-status", json!({ "pid": process.0 }))?;
        if !status.exited {
            return Ok(None);
        }
        Ok(Some(ExecOutput {
            exit_code: status.exitcode,
            stdout: decode(&status.out_data)?,
            stderr: decode(&status.err_data)?,
        }))
    }
}
