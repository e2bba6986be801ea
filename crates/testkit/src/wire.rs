//! JSON lines over a unix socket: as much of QMP and of the guest agent's protocol as the harness needs.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

/// A message is a few hundred bytes; one that cannot be written for so long never will be.
const WRITE_PATIENCE: Duration = Duration::from_secs(60);

/// A refusal by QEMU or by the guest agent.
#[derive(Debug)]
pub struct CallError {
    /// `GenericError`, `DeviceNotFound`, …
    pub class: String,
    /// QEMU's words.
    pub description: String,
}

impl std::fmt::Display for CallError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.class, self.description)
    }
}

impl std::error::Error for CallError {}

#[derive(Debug)]
pub(crate) struct Lines {
    stream: BufReader<UnixStream>,
    // A line may arrive in pieces, over several calls.
    line: Vec<u8>,
}

impl Lines {
    /// Connects; the socket may not exist yet.
    pub(crate) fn connect(path: &Path, deadline: Instant) -> anyhow::Result<Lines> {
        loop {
            match UnixStream::connect(path) {
                Ok(stream) => {
                    stream.set_write_timeout(Some(WRITE_PATIENCE))?;
                    return Ok(Lines { stream: BufReader::new(stream), line: Vec::new() });
                }
                Err(error) if Instant::now() > deadline => {
                    return Err(error).with_context(|| format!("connect to {}", path.display()));
                }
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
            }
        }
    }

    pub(crate) fn send(&mut self, message: &Value, prefix: &[u8]) -> anyhow::Result<()> {
        let mut bytes = prefix.to_vec();
        bytes.extend_from_slice(message.to_string().as_bytes());
        bytes.push(b'\n');
        self.stream.get_mut().write_all(&bytes).context("send a message")
    }

    /// The next line as JSON, `None` when the deadline passes first. A line that is no JSON is `Null`.
    pub(crate) fn receive(&mut self, deadline: Instant) -> anyhow::Result<Option<Value>> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.stream.get_ref().set_read_timeout(Some(left))?;
            match self.stream.read_until(b'\n', &mut self.line) {
                Ok(_) if self.line.ends_with(b"\n") => {
                    let line = std::mem::take(&mut self.line);
                    // The agent marks the reply to a delimited sync with a byte that no JSON contains.
                    let start = line.iter().rposition(|byte| *byte == 0xff).map_or(0, |at| at + 1);
                    return Ok(Some(serde_json::from_slice(&line[start..]).unwrap_or(Value::Null)));
                }
                Ok(_) => bail!("the other side closed the connection"),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error).context("read from the socket"),
            }
        }
    }

    /// Sends a command and waits for its reply; events that arrive meanwhile go to `events`.
    pub(crate) fn call(
        &mut self,
        command: &str,
        arguments: &Value,
        deadline: Instant,
        events: &mut Vec<Value>,
    ) -> anyhow::Result<Value> {
        self.send(&json!({ "execute": command, "arguments": arguments }), b"")?;
        loop {
            let reply = self.receive(deadline)?;
            let Some(mut reply) = reply else { bail!("{command} got no answer in time") };
            if let Some(error) = reply.get("error") {
                let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
                let error = CallError { class: text("class"), description: text("desc") };
                return Err(anyhow!(error).context(format!("{command} was refused")));
            }
            if let Some(value) = reply.get_mut("return") {
                return Ok(value.take());
            }
            if reply.get("event").is_some() {
                events.push(reply);
            }
        }
    }
}

/// A connection to a QMP socket.
#[derive(Debug)]
pub struct Qmp {
    lines: Lines,
    events: Vec<Value>,
    patience: Duration,
}

impl Qmp {
    /// Connects and negotiates. Waits for the socket to appear, at most `patience`, which is also the limit of each
    /// call later.
    ///
    /// # Errors
    /// When nobody answers. QEMU serves one client a socket: a second one waits until the first has gone.
    pub fn connect(path: &Path, patience: Duration) -> anyhow::Result<Qmp> {
        let mut lines = Lines::connect(path, Instant::now() + patience)?;
        let mut events = Vec::new();
        lines.call("qmp_capabilities", &json!({}), Instant::now() + patience, &mut events)?;
        Ok(Qmp { lines, events, patience })
    }

    /// Runs a command.
    ///
    /// # Errors
    /// [`CallError`] (by downcast) when QEMU refuses; else the connection failed.
    pub fn call(&mut self, command: &str, arguments: Value) -> anyhow::Result<Value> {
        let deadline = Instant::now() + self.patience;
        self.lines.call(command, &arguments, deadline, &mut self.events)
    }

    /// Takes the next event of that name, from those that came already or those to come.
    ///
    /// # Errors
    /// When it does not come within the patience of the connection.
    pub fn wait_for_event(&mut self, name: &str) -> anyhow::Result<Value> {
        let deadline = Instant::now() + self.patience;
        loop {
            if let Some(at) = self.events.iter().position(|event| event["event"] == name) {
                return Ok(self.events.remove(at));
            }
            let line = self.lines.receive(deadline)?;
            self.events.push(line.with_context(|| format!("no event {name} in time"))?);
        }
    }
}
