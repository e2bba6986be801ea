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

    pub(super) fn answer(&mut self, name: &str, timeout: Duration) -> Result<Value, QmpError> {
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

    pub(super) fn query<T: DeserializeOwned>(
        &mut self,
        name: &str,
        arguments: Value,
    ) -> Result<T, QmpError> {
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

    /// The commands that the agent carries out. Distributions switch some of them off.
    pub fn commands(&mut self) -> Result<Vec<String>, QmpError> {
        #[derive(Deserialize)]
        struct Command {
            name: String,
            #[serde(default)]
            enabled: bool,
        }
        #[derive(Deserialize)]
        struct Info {
            supported_commands: Vec<Command>,
        }
        let info = self.query::<Info>("guest-info", Value::Null)?;
        let enabled = info.supported_commands.into_iter().filter(|command| command.enabled);
        Ok(enabled.map(|command| command.name).collect())
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
}

pub(super) fn decode(text: &str) -> Result<Vec<u8>, QmpError> {
    BASE64.decode(text).map_err(|_| QmpError::Protocol("data that is not base64".to_owned()))
}

fn sync_id() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let clock = since.map_or(0, |since| since.subsec_nanos());
    // The agent's numbers are signed 64-bit and JSON keeps them whole.
    (SYNC_ID.fetch_add(1, Ordering::Relaxed) << 32) | u64::from(clock)
}
