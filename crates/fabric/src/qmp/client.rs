//! A blocking client of QMP that many threads share.
//!
//! A thread of its own reads the socket and hands answers to those who wait for them, by id, and
//! events to those who listen. It ends when the client is dropped or the connection closes.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::QmpError;
use super::codec::{Codec, Command, Event, Message};

/// Longest line that we accept from QEMU, in bytes. The longest that we know is the schema, 250 KB.
const LINE_BYTES_MAX: usize = 16 << 20;

/// How long QEMU may take to greet. It greets at once unless another client is connected.
const GREETING_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a command may take when nothing else is said. QEMU answers in milliseconds; a drain of
/// slow storage can hold it up.
pub const COMMAND_TIMEOUT_DEFAULT: Duration = Duration::from_secs(60);

/// Events that wait for a slow listener; further ones are dropped.
const EVENTS_MAX: usize = 1024;

/// A connection to QEMU.
#[derive(Debug)]
pub struct QmpClient {
    writer: Mutex<UnixStream>,
    shared: Arc<Mutex<Shared>>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    next_id: u64,
    /// Who waits for which answer.
    waiting: HashMap<u64, SyncSender<Answer>>,
    listeners: Vec<SyncSender<Event>>,
    closed: bool,
}

#[derive(Debug)]
enum Answer {
    Return(Value),
    Error { class: String, description: String },
}

/// A command that was sent and whose answer was not awaited yet.
#[derive(Debug)]
pub struct Pending {
    command: String,
    answer: Receiver<Answer>,
    sent: Instant,
}

/// Events since the moment it was made.
#[derive(Debug)]
pub struct EventStream(Receiver<Event>);

impl QmpClient {
    /// Connects and leaves the negotiation of capabilities behind.
    pub fn connect(socket: &Path) -> Result<Self, QmpError> {
        let fail = |source| QmpError::Connect { path: socket.to_owned(), source };
        let mut stream = UnixStream::connect(socket).map_err(fail)?;
        stream.set_read_timeout(Some(GREETING_TIMEOUT)).map_err(fail)?;
        stream.set_write_timeout(Some(COMMAND_TIMEOUT_DEFAULT)).map_err(fail)?;
        let mut codec = Codec::new(LINE_BYTES_MAX);
        await_greeting(&mut stream, &mut codec).map_err(|error| match error {
            QmpError::Io(source) if is_timeout(&source) => {
                QmpError::NoGreeting { path: socket.to_owned() }
            }
            other => other,
        })?;
        stream.set_read_timeout(None).map_err(fail)?;
        let shared = Arc::new(Mutex::new(Shared::default()));
        let incoming = stream.try_clone().map_err(fail)?;
        let reader = std::thread::Builder::new()
            .name("coffre-qmp".to_owned())
            .spawn({
                let shared = shared.clone();
                move || read_all(incoming, codec, &shared)
            })
            .map_err(fail)?;
        let client = Self { writer: Mutex::new(stream), shared, reader: Some(reader) };
        client.command("qmp_capabilities", Value::Null)?;
        Ok(client)
    }

    /// Runs a command and gives what it returned.
    pub fn command(&self, name: &str, arguments: Value) -> Result<Value, QmpError> {
        self.begin(name, arguments)?.wait(COMMAND_TIMEOUT_DEFAULT)
    }

    /// Runs a command and reads what it returned as `T`.
    pub fn query<T: DeserializeOwned>(&self, name: &str, arguments: Value) -> Result<T, QmpError> {
        let value = self.command(name, arguments)?;
        serde_json::from_value(value)
            .map_err(|source| QmpError::Answer { command: name.to_owned(), source })
    }

    /// Sends a command without waiting for its answer.
    pub fn begin(&self, name: &str, arguments: Value) -> Result<Pending, QmpError> {
        let (sender, answer) = sync_channel(1);
        let id = {
            let mut shared = lock(&self.shared);
            if shared.closed {
                return Err(QmpError::Closed);
            }
            shared.next_id += 1;
            let id = shared.next_id;
            shared.waiting.insert(id, sender);
            id
        };
        let line = Command { execute: name, arguments: &arguments, id: Some(id) }.encode();
        let sent = Instant::now();
        if let Err(error) = lock(&self.writer).write_all(&line) {
            lock(&self.shared).waiting.remove(&id);
            return Err(match error.kind() {
                ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => QmpError::Closed,
                _ => QmpError::Io(error),
            });
        }
        Ok(Pending { command: name.to_owned(), answer, sent })
    }

    /// Listens to events from now on.
    pub fn events(&self) -> EventStream {
        let (sender, receiver) = sync_channel(EVENTS_MAX);
        let mut shared = lock(&self.shared);
        if !shared.closed {
            shared.listeners.push(sender);
        }
        EventStream(receiver)
    }

    /// Whether the other side closed the connection.
    pub fn is_closed(&self) -> bool {
        lock(&self.shared).closed
    }
}

impl Drop for QmpClient {
    fn drop(&mut self) {
        // Wakes the reader; an error means that the socket is closed already.
        let _ = lock(&self.writer).shutdown(Shutdown::Both);
        if let Some(reader) = self.reader.take() {
            // It panics never; if it did, there is nothing left to clean.
            let _ = reader.join();
        }
    }
}

impl Pending {
    /// Waits for the answer, this long at most. After [`QmpError::Timeout`] it may be called again.
    pub fn wait(&self, timeout: Duration) -> Result<Value, QmpError> {
        match self.answer.recv_timeout(timeout) {
            Ok(Answer::Return(value)) => Ok(value),
            Ok(Answer::Error { class, description }) => {
                Err(QmpError::Command { command: self.command.clone(), class, description })
            }
            Err(RecvTimeoutError::Disconnected) => Err(QmpError::Closed),
            Err(RecvTimeoutError::Timeout) => {
                Err(QmpError::Timeout { command: self.command.clone(), after: self.sent.elapsed() })
            }
        }
    }
}

impl EventStream {
    /// The next event, or `None` after the time. [`QmpError::Closed`] when the connection ended.
    pub fn next(&self, timeout: Duration) -> Result<Option<Event>, QmpError> {
        match self.0.recv_timeout(timeout) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(QmpError::Closed),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // No holder panics half-way through a change.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn await_greeting(stream: &mut UnixStream, codec: &mut Codec) -> Result<(), QmpError> {
    loop {
        match codec.next_message()? {
            Some(Message::Greeting) => return Ok(()),
            Some(_) => return Err(QmpError::Protocol("no greeting comes first".to_owned())),
            None => codec.receive(&receive(stream)?),
        }
    }
}

fn receive(stream: &mut UnixStream) -> Result<Vec<u8>, QmpError> {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return Err(QmpError::Closed),
            Ok(length) => {
                buffer.truncate(length);
                return Ok(buffer);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return Err(QmpError::Closed);
            }
            Err(error) => return Err(QmpError::Io(error)),
        }
    }
}

fn read_all(mut stream: UnixStream, mut codec: Codec, shared: &Mutex<Shared>) {
    'connection: loop {
        loop {
            match codec.next_message() {
                Ok(Some(message)) => deliver(&mut lock(shared), message),
                Ok(None) => break,
                Err(error) => {
                    tracing::warn!(%error, "QMP connection given up");
                    break 'connection;
                }
            }
        }
        match receive(&mut stream) {
            Ok(bytes) => codec.receive(&bytes),
            Err(_) => break,
        }
    }
    let mut shared = lock(shared);
    shared.closed = true;
    // Dropping the senders wakes all who wait.
    shared.waiting.clear();
    shared.listeners.clear();
}

fn deliver(shared: &mut Shared, message: Message) {
    match message {
        Message::Return { id: Some(id), value } => answer(shared, id, Answer::Return(value)),
        Message::Error { id: Some(id), class, description } => {
            answer(shared, id, Answer::Error { class, description });
        }
        Message::Event(event) => {
            // A listener that is full misses events, one that is gone is forgotten.
            shared.listeners.retain(|listener| {
                !matches!(
                    listener.try_send(event.clone()),
                    Err(std::sync::mpsc::TrySendError::Disconnected(_))
                )
            });
        }
        Message::Greeting | Message::Return { id: None, .. } | Message::Error { id: None, .. } => {
            tracing::debug!("QMP message without an id");
        }
    }
}

fn answer(shared: &mut Shared, id: u64, answer: Answer) {
    if let Some(waiting) = shared.waiting.remove(&id) {
        // Who gave up waiting needs no answer.
        let _ = waiting.try_send(answer);
    }
}
