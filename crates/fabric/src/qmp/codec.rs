//! Lines of JSON in, messages out; commands in, lines of JSON out.

use serde_json::{Map, Value};

use super::QmpError;

/// A command to send.
#[derive(Debug, Clone, PartialEq)]
pub struct Command<'a> {
    /// Its name.
    pub execute: &'a str,
    /// Its arguments: an object, or null for none.
    pub arguments: &'a Value,
    /// Comes back with the answer. The guest agent needs none.
    pub id: Option<u64>,
}

impl Command<'_> {
    /// The bytes of the command, with the end of line.
    pub fn encode(&self) -> Vec<u8> {
        let mut object = Map::new();
        object.insert("execute".to_owned(), Value::from(self.execute));
        if !self.arguments.is_null() {
            object.insert("arguments".to_owned(), self.arguments.clone());
        }
        if let Some(id) = self.id {
            object.insert("id".to_owned(), Value::from(id));
        }
        let mut line = Value::Object(object).to_string().into_bytes();
        line.push(b'\n');
        line
    }
}

/// Something that happened in QEMU.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its name, such as `STOP`.
    pub name: String,
    /// What it says; null when it says nothing.
    pub data: Value,
}

/// One line from the other side.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// The first line of QEMU.
    Greeting,
    /// A command was carried out.
    Return {
        /// The command's id, if it had one.
        id: Option<u64>,
        /// What it gave back.
        value: Value,
    },
    /// A command failed.
    Error {
        /// The command's id, if it had one and could be read.
        id: Option<u64>,
        /// The class of the error.
        class: String,
        /// What the other side says.
        description: String,
    },
    /// Something happened.
    Event(Event),
}

/// Cuts the bytes of the other side into lines and reads them.
#[derive(Debug)]
pub struct Codec {
    bytes: Vec<u8>,
    /// How much of the unfinished line was searched for its end.
    searched: usize,
    line_bytes_max: usize,
}

impl Codec {
    /// A codec that accepts lines up to this length.
    pub fn new(line_bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), searched: 0, line_bytes_max }
    }

    /// Takes bytes of the other side.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Forgets all bytes up to and with the last 0xff, which the guest agent sends to mark that
    /// what came before is of no use. Returns whether there was one.
    pub fn drop_until_mark(&mut self) -> bool {
        let Some(at) = self.bytes.iter().rposition(|byte| *byte == 0xff) else { return false };
        self.bytes.drain(..=at);
        self.searched = 0;
        true
    }

    /// The next message, or `None` when more bytes are needed. After an error the line that
    /// caused it is gone and the codec goes on with the next one.
    pub fn next_message(&mut self) -> Result<Option<Message>, QmpError> {
        loop {
            let end = self.bytes[self.searched..].iter().position(|byte| *byte == b'\n');
            let Some(end) = end.map(|at| self.searched + at) else {
                self.searched = self.bytes.len();
                if self.bytes.len() > self.line_bytes_max {
                    self.bytes.clear();
                    self.searched = 0;
                    return Err(QmpError::Protocol("a line without an end".to_owned()));
                }
                return Ok(None);
            };
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            self.searched = 0;
            if !line.trim_ascii().is_empty() {
                return read_line(&line).map(Some);
            }
        }
    }
}

fn read_line(line: &[u8]) -> Result<Message, QmpError> {
    let broken = |what: &str| QmpError::Protocol(what.to_owned());
    let value: Value =
        serde_json::from_slice(line).map_err(|_| broken("a line that is not JSON"))?;
    let Value::Object(mut object) = value else {
        return Err(broken("a line that is no object"));
    };
    let id = object.get("id").and_then(Value::as_u64);
    if let Some(value) = object.remove("return") {
        return Ok(Message::Return { id, value });
    }
    if let Some(error) = object.remove("error") {
        let field = |name| error.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        return Ok(Message::Error { id, class: field("class"), description: field("desc") });
    }
    if let Some(Value::String(name)) = object.remove("event") {
        let data = object.remove("data").unwrap_or(Value::Null);
        return Ok(Message::Event(Event { name, data }));
    }
    if object.contains_key("QMP") {
        return Ok(Message::Greeting);
    }
    Err(broken("a line that is neither answer nor event"))
}
