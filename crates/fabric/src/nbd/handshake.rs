//! The handshake as a machine of states: bytes of the server in, bytes for the server out.

use super::NbdError;
use super::wire::{self, Fields, Inbox};

/// Longest answer to an option that we accept, in bytes. Names are limited to 4096 by the protocol.
const OPTION_REPLY_BYTES_MAX: u32 = 16 * 1024;

/// Most answers to one option that we accept.
const OPTION_REPLIES_MAX: u32 = 1024;

/// Longest name that the protocol allows, in bytes.
const NAME_BYTES_MAX: usize = 4096;

const TRANSMISSION_READ_ONLY: u16 = 1 << 1;
const TRANSMISSION_FLUSH: u16 = 1 << 2;
const TRANSMISSION_WRITE_ZEROES: u16 = 1 << 6;
const TRANSMISSION_MULTI_CONN: u16 = 1 << 8;

/// What the server offers for the export.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Export {
    /// Size in bytes.
    pub size_bytes: u64,
    /// The protocol's transmission flags.
    pub flags: u16,
    /// Answers come in structured chunks. Without it there are no meta contexts.
    pub structured: bool,
    /// The meta contexts that were asked for and exist.
    pub contexts: Vec<MetaContext>,
}

impl Export {
    /// Writes are refused.
    pub fn read_only(&self) -> bool {
        self.flags & TRANSMISSION_READ_ONLY != 0
    }

    /// There is a flush command.
    pub fn can_flush(&self) -> bool {
        self.flags & TRANSMISSION_FLUSH != 0
    }

    /// There is a command that writes zeros.
    pub fn can_write_zeroes(&self) -> bool {
        self.flags & TRANSMISSION_WRITE_ZEROES != 0
    }

    /// A flush on one connection covers writes of all connections.
    pub fn multi_conn(&self) -> bool {
        self.flags & TRANSMISSION_MULTI_CONN != 0
    }
}

/// A map that the export offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetaContext {
    /// The server's number for it on this connection.
    pub id: u32,
    /// Its name.
    pub name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Hello,
    Structured,
    Contexts,
    Go,
    Done,
}

/// The client's side of the handshake.
#[derive(Debug)]
pub struct Handshake {
    state: State,
    export_name: String,
    wanted: Vec<String>,
    export: Export,
    export_seen: bool,
    replies: u32,
    inbox: Inbox,
    outbox: Vec<u8>,
}

impl Handshake {
    /// A handshake for this export that asks for these meta contexts.
    pub fn new(export: &str, contexts: &[String]) -> Result<Self, NbdError> {
        let too_long = |name: &str| name.len() > NAME_BYTES_MAX;
        if too_long(export) || contexts.iter().any(|name| too_long(name)) {
            return Err(NbdError::Protocol("a name of ours is longer than 4096 bytes".to_owned()));
        }
        Ok(Self {
            state: State::Hello,
            export_name: export.to_owned(),
            wanted: contexts.to_vec(),
            export: Export::default(),
            export_seen: false,
            replies: 0,
            inbox: Inbox::default(),
            outbox: Vec::new(),
        })
    }

    /// Takes bytes of the server.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<(), NbdError> {
        self.inbox.push(bytes);
        while self.step()? {}
        Ok(())
    }

    /// Bytes that the server must get now; may be empty.
    pub fn take_outgoing(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.outbox)
    }

    /// What was agreed, once all is.
    pub fn export(&self) -> Option<&Export> {
        (self.state == State::Done).then_some(&self.export)
    }

    fn step(&mut self) -> Result<bool, NbdError> {
        match self.state {
            State::Hello => self.hello(),
            State::Structured | State::Contexts | State::Go => self.option_reply(),
            State::Done if self.inbox.unread().is_empty() => Ok(false),
            State::Done => Err(NbdError::Protocol("bytes after the handshake".to_owned())),
        }
    }

    fn hello(&mut self) -> Result<bool, NbdError> {
        const HELLO_BYTES: usize = 18;
        if self.inbox.unread().len() < HELLO_BYTES {
            return Ok(false);
        }
        let mut fields = Fields(self.inbox.take(HELLO_BYTES));
        let (magic, style, flags) = (fields.u64()?, fields.u64()?, fields.u16()?);
        if magic != wire::MAGIC_HELLO {
            return Err(NbdError::Protocol("it does not greet as an NBD server".to_owned()));
        }
        if style != wire::MAGIC_OPTION || flags & wire::FLAG_FIXED_NEWSTYLE == 0 {
            return Err(NbdError::Protocol("it speaks only an old form of NBD".to_owned()));
        }
        let ours = wire::FLAG_FIXED_NEWSTYLE | (flags & wire::FLAG_NO_ZEROES);
        self.outbox.extend_from_slice(&u32::from(ours).to_be_bytes());
        self.ask(State::Structured, wire::OPTION_STRUCTURED_REPLY, &[]);
        Ok(true)
    }

    fn ask(&mut self, state: State, option: u32, data: &[u8]) {
        self.state = state;
        self.replies = 0;
        self.outbox.extend_from_slice(&wire::MAGIC_OPTION.to_be_bytes());
        self.outbox.extend_from_slice(&option.to_be_bytes());
        self.outbox.extend_from_slice(&length_field(data.len()));
        self.outbox.extend_from_slice(data);
    }

    fn asked(&self) -> (u32, &'static str) {
        match self.state {
            State::Structured => (wire::OPTION_STRUCTURED_REPLY, "structured replies"),
            State::Contexts => (wire::OPTION_SET_META_CONTEXT, "the maps of the export"),
            State::Hello | State::Go | State::Done => (wire::OPTION_GO, "the export"),
        }
    }

    fn option_reply(&mut self) -> Result<bool, NbdError> {
        const HEADER_BYTES: usize = 20;
        let unread = self.inbox.unread();
        if unread.len() < HEADER_BYTES {
            return Ok(false);
        }
        let mut fields = Fields(&unread[..HEADER_BYTES]);
        let (magic, option) = (fields.u64()?, fields.u32()?);
        let (kind, length) = (fields.u32()?, fields.u32()?);
        if magic != wire::MAGIC_OPTION_REPLY {
            return Err(NbdError::Protocol("an answer without its mark".to_owned()));
        }
        if option != self.asked().0 {
            return Err(NbdError::Protocol(format!("an answer to option {option}, not asked")));
        }
        if length > OPTION_REPLY_BYTES_MAX {
            return Err(NbdError::Protocol(format!("an answer of {length} bytes")));
        }
        self.replies += 1;
        if self.replies > OPTION_REPLIES_MAX {
            return Err(NbdError::Protocol("endless answers to one option".to_owned()));
        }
        if unread.len() < HEADER_BYTES + length as usize {
            self.replies -= 1;
            return Ok(false);
        }
        self.inbox.take(HEADER_BYTES);
        let data = self.inbox.take(length as usize).to_vec();
        match self.state {
            State::Structured => self.structured_reply(kind, &data)?,
            State::Contexts => self.contexts_reply(kind, &data)?,
            State::Go | State::Hello | State::Done => self.go_reply(kind, &data)?,
        }
        Ok(true)
    }

    fn structured_reply(&mut self, kind: u32, data: &[u8]) -> Result<(), NbdError> {
        match kind {
            wire::REPLY_ACK => self.export.structured = true,
            kind if kind & wire::REPLY_ERROR_BIT != 0 => {}
            _ => return Err(self.unexpected(kind, data)),
        }
        if self.export.structured && !self.wanted.is_empty() {
            let data = self.contexts_request();
            self.ask(State::Contexts, wire::OPTION_SET_META_CONTEXT, &data);
        } else {
            self.ask_go();
        }
        Ok(())
    }

    fn contexts_request(&self) -> Vec<u8> {
        let mut data = Vec::new();
        data.extend_from_slice(&length_field(self.export_name.len()));
        data.extend_from_slice(self.export_name.as_bytes());
        data.extend_from_slice(&length_field(self.wanted.len()));
        for name in &self.wanted {
            data.extend_from_slice(&length_field(name.len()));
            data.extend_from_slice(name.as_bytes());
        }
        data
    }

    fn contexts_reply(&mut self, kind: u32, data: &[u8]) -> Result<(), NbdError> {
        match kind {
            wire::REPLY_META_CONTEXT => {
                let mut fields = Fields(data);
                let id = fields.u32()?;
                let name = String::from_utf8(fields.0.to_vec())
                    .map_err(|_| NbdError::Protocol("the name of a map is not UTF-8".to_owned()))?;
                if self.wanted.contains(&name) {
                    self.export.contexts.push(MetaContext { id, name });
                }
            }
            wire::REPLY_ACK | wire::REPLY_ERROR_UNSUPPORTED => self.ask_go(),
            _ => return Err(self.unexpected(kind, data)),
        }
        Ok(())
    }

    fn ask_go(&mut self) {
        let mut data = Vec::new();
        data.extend_from_slice(&length_field(self.export_name.len()));
        data.extend_from_slice(self.export_name.as_bytes());
        data.extend_from_slice(&0u16.to_be_bytes());
        self.ask(State::Go, wire::OPTION_GO, &data);
    }

    fn go_reply(&mut self, kind: u32, data: &[u8]) -> Result<(), NbdError> {
        match kind {
            wire::REPLY_INFO => {
                let mut fields = Fields(data);
                // The server may tell more than was asked; only the export's size is of use.
                if fields.u16()? == wire::INFO_EXPORT {
                    self.export.size_bytes = fields.u64()?;
                    self.export.flags = fields.u16()?;
                    fields.finish("the description of the export")?;
                    self.export_seen = true;
                }
            }
            wire::REPLY_ACK if self.export_seen => self.state = State::Done,
            wire::REPLY_ACK => {
                return Err(NbdError::Protocol("the size of the export is missing".to_owned()));
            }
            _ => return Err(self.unexpected(kind, data)),
        }
        Ok(())
    }

    fn unexpected(&self, kind: u32, data: &[u8]) -> NbdError {
        let what = self.asked().1;
        if kind & wire::REPLY_ERROR_BIT == 0 {
            return NbdError::Protocol(format!("answer {kind} to the request for {what}"));
        }
        let mut message = wire::text(data);
        if message.is_empty() && kind == wire::REPLY_ERROR_UNKNOWN {
            message = "there is no such export".to_owned();
        }
        NbdError::Refused { what, message, code: kind }
    }
}

/// The bytes that tell a server that we leave before the handshake is done.
pub fn abort_message() -> Vec<u8> {
    let mut out = Vec::new();
    out.extend_from_slice(&wire::MAGIC_OPTION.to_be_bytes());
    out.extend_from_slice(&wire::OPTION_ABORT.to_be_bytes());
    out.extend_from_slice(&0u32.to_be_bytes());
    out
}

fn length_field(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("names are at most 4096 bytes and few").to_be_bytes()
}
