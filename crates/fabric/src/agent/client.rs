//! One connection to the agent's channel.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::qmp::QmpError;
use crate::qmp::codec::{Codec, Command, Message};

/// Longest answer that we accept, in bytes: captured output of 16 MiB each way in base64.
const LINE_BYTES_MAX: usize = 64 << 20;

/// Bytes of one file read or write. 64 to 256 KiB are the fastest (measured).
const FILE_BYTES_MAX: usize = 256 * 1024;

/// How long an ordinary command may take: agents in guests under load answer slowly.
pub(crate) const AGENT_TIMEOUT: Duration = Duration::from_secs(30);

/// Numbers of syncs: never the same twice in this process, and unlike those of an earlier one.
static SYNC_ID: AtomicU64 = AtomicU64::new(1);

/// A connection to the agent's channel.
#[derive(Debug)]
pub struct AgentClient {
    socket: PathBuf,
    stream: UnixStream,
    codec: Codec,
}

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

impl AgentClient {
    /// Connects to the channel. That says nothing about the agent: see [`AgentClient::sync`].
    pub fn connect(socket: &Path) -> Result<Self, QmpError> {
        let stream = UnixStream::connect(socket)
            .map_err(|source| QmpError::Connect { path: socket.to_owned(), source })?;
        stream.set_write_timeout(Some(AGENT_TIMEOUT)).map_err(QmpError::Io)?;
        Ok(Self { socket: socket.to_owned(), stream, codec: Codec::new(LINE_BYTES_MAX) })
    }

    /// Connects anew, for a channel whose connection was closed.
    pub fn reconnect(&mut self) -> Result<(), QmpError> {
        *self = Self::connect(&self.socket)?;
        Ok(())
    }

    /// Makes sure that the agent answers, and drops what is left of earlier talks.
    pub fn sync(&mut self, timeout: Duration) -> Result<(), QmpError> {
        const NAME: &str = "guest-sync-delimited";
        let id = sync_id();
        let mut line = vec![0xff];
        let arguments = json!({ "id": id });
        line.extend(Command { execute: NAME, arguments: &arguments, id: None }.encode());
        self.stream.write_all(&line).map_err(QmpError::Io)?;
        let end = Instant::now() + timeout;
        loop {
            self.receive(NAME, end, timeout)?;
            self.codec.drop_until_mark();
            // Lines before the mark may be cut in the middle: they are skipped.
            while let Some(message) = self.codec.next_message().unwrap_or(Some(Message::Greeting)) {
                match message {
                    Message::Return { value, .. } if value == id => return Ok(()),
                    _ => {}
                }
            }
        }
    }

    /// Runs a command and gives what it returned.
    pub fn command(
        &mut self,
        name: &str,
        arguments: Value,
        timeout: Duration,
    ) -> Result<Value, QmpError> {
        self.send(name, arguments)?;
        self.answer(name, timeout)
    }

    /// Sends a command whose answer, if there is one, is of no interest.
    pub fn send(&mut self, name: &str, arguments: Value) -> Result<(), QmpError> {
        let line = Command { execute: name, arguments: &arguments, id: None }.encode();
        self.stream.write_all(&line).map_err(QmpError::Io)
    }

    fn answer(&mut self, name: &str, timeout: Duration) -> Result<Value, QmpError> {
        let end = Instant::now() + timeout;
        loop {
            match self.codec.next_message()? {
                Some(Message::Return { value, .. }) => return Ok(value),
                Some(Message::Error { class, description, .. }) => {
                    return Err(QmpError::Command { command: name.to_owned(), class, description });
                }
                Some(Message::Greeting | Message::Event(_)) => {}
                None => self.receive(name, end, timeout)?,
            }
        }
    }

    fn query<T: DeserializeOwned>(&mut self, name: &str, arguments: Value) -> Result<T, QmpError> {
        let value = self.command(name, arguments, AGENT_TIMEOUT)?;
        serde_json::from_value(value)
            .map_err(|source| QmpError::Answer { command: name.to_owned(), source })
    }

    fn receive(&mut self, name: &str, end: Instant, after: Duration) -> Result<(), QmpError> {
        let late = || QmpError::Timeout { command: name.to_owned(), after };
        let mut buffer = [0; 64 * 1024];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(late());
            }
            self.stream.set_read_timeout(Some(left)).map_err(QmpError::Io)?;
            match self.stream.read(&mut buffer) {
                Ok(0) => return Err(QmpError::Closed),
                Ok(length) => {
                    self.codec.receive(&buffer[..length]);
                    return Ok(());
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut => return Err(late()),
                    ErrorKind::Interrupted => {}
                    ErrorKind::ConnectionReset => return Err(QmpError::Closed),
                    _ => return Err(QmpError::Io(error)),
                },
            }
        }
    }

    /// The agent's version.
    pub fn version(&mut self) -> Result<String, QmpError> {
        #[derive(Deserialize)]
        struct Info {
            version: String,
        }
        Ok(self.query::<Info>("guest-info", Value::Null)?.version)
    }

    /// The id of the guest's operating system, such as `debian` or `mswindows`.
    pub fn os_id(&mut self) -> Result<String, QmpError> {
        #[derive(Deserialize)]
        struct Info {
            #[serde(default)]
            id: String,
        }
        Ok(self.query::<Info>("guest-get-osinfo", Value::Null)?.id)
    }

    /// Runs a program in the guest and waits for its end, this long at most.
    pub fn exec(
        &mut self,
        path: &str,
        arguments: &[&str],
        input: &[u8],
        timeout: Duration,
    ) -> Result<ExecOutput, QmpError> {
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
        let request = json!({
            "path": path, "arg": arguments, "capture-output": true,
            "input-data": BASE64.encode(input),
        });
        let pid = self.query::<Started>("guest-exec", request)?.pid;
        let end = Instant::now() + timeout;
        let mut pause = Duration::from_millis(5);
        loop {
            let status: Status = self.query("guest-exec-status", json!({ "pid": pid }))?;
            if status.exited {
                return Ok(ExecOutput {
                    exit_code: status.exitcode,
                    stdout: decode(&status.out_data)?,
                    stderr: decode(&status.err_data)?,
                });
            }
            if Instant::now() >= end {
                return Err(QmpError::Timeout { command: path.to_owned(), after: timeout });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(200));
        }
    }

    /// Reads a file of the guest, up to this many bytes.
    pub fn read_file(&mut self, path: &str, bytes_max: usize) -> Result<Vec<u8>, QmpError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "kebab-case")]
        struct Piece {
            buf_b64: String,
            eof: bool,
        }
        let handle = self.open_file(path, "rb")?;
        let mut bytes = Vec::new();
        loop {
            let count = FILE_BYTES_MAX.min(bytes_max - bytes.len());
            let request = json!({ "handle": handle, "count": count });
            let piece: Piece = self.query("guest-file-read", request)?;
            bytes.extend(decode(&piece.buf_b64)?);
            if piece.eof || bytes.len() >= bytes_max {
                break;
            }
        }
        bytes.truncate(bytes_max);
        self.close_file(handle)?;
        Ok(bytes)
    }

    /// Writes a file of the guest, replacing what was there.
    pub fn write_file(&mut self, path: &str, bytes: &[u8]) -> Result<(), QmpError> {
        #[derive(Deserialize)]
        struct Written {
            count: usize,
        }
        let handle = self.open_file(path, "wb")?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = &rest[..FILE_BYTES_MAX.min(rest.len())];
            let request = json!({ "handle": handle, "buf-b64": BASE64.encode(piece) });
            let written = self.query::<Written>("guest-file-write", request)?.count;
            if written == 0 || written > piece.len() {
                return Err(QmpError::Protocol(format!("{written} bytes were written")));
            }
            rest = &rest[written..];
        }
        self.command("guest-file-flush", json!({ "handle": handle }), AGENT_TIMEOUT)?;
        self.close_file(handle)
    }

    fn open_file(&mut self, path: &str, mode: &str) -> Result<i64, QmpError> {
        self.query("guest-file-open", json!({ "path": path, "mode": mode }))
    }

    fn close_file(&mut self, handle: i64) -> Result<(), QmpError> {
        self.command("guest-file-close", json!({ "handle": handle }), AGENT_TIMEOUT).map(|_| ())
    }
}

fn decode(text: &str) -> Result<Vec<u8>, QmpError> {
    BASE64.decode(text).map_err(|_| QmpError::Protocol("data that is not base64".to_owned()))
}

fn sync_id() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let clock = since.map_or(0, |since| since.subsec_nanos());
    // The agent's numbers are signed 64-bit and JSON keeps them whole.
    (SYNC_ID.fetch_add(1, Ordering::Relaxed) << 32) | u64::from(clock)
}
