//! Numbers of the protocol, and a reader of big-endian fields that cannot run over the end.

use super::NbdError;

pub(crate) const MAGIC_HELLO: u64 = 0x4e42_444d_4147_4943;
pub(crate) const MAGIC_OPTION: u64 = 0x4948_4156_454f_5054;
pub(crate) const MAGIC_OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
pub(crate) const MAGIC_REQUEST: u32 = 0x2560_9513;
pub(crate) const MAGIC_SIMPLE_REPLY: u32 = 0x6744_6698;
pub(crate) const MAGIC_STRUCTURED_REPLY: u32 = 0x668e_33ef;

pub(crate) const FLAG_FIXED_NEWSTYLE: u16 = 1;
pub(crate) const FLAG_NO_ZEROES: u16 = 2;

pub(crate) const OPTION_ABORT: u32 = 2;
pub(crate) const OPTION_GO: u32 = 7;
pub(crate) const OPTION_STRUCTURED_REPLY: u32 = 8;
pub(crate) const OPTION_SET_META_CONTEXT: u32 = 10;

pub(crate) const REPLY_ACK: u32 = 1;
pub(crate) const REPLY_INFO: u32 = 3;
pub(crate) const REPLY_META_CONTEXT: u32 = 4;
pub(crate) const REPLY_ERROR_BIT: u32 = 1 << 31;
pub(crate) const REPLY_ERROR_UNSUPPORTED: u32 = REPLY_ERROR_BIT | 1;
pub(crate) const REPLY_ERROR_UNKNOWN: u32 = REPLY_ERROR_BIT | 6;

pub(crate) const INFO_EXPORT: u16 = 0;

pub(crate) const COMMAND_READ: u16 = 0;
pub(crate) const COMMAND_WRITE: u16 = 1;
pub(crate) const COMMAND_DISCONNECT: u16 = 2;
pub(crate) const COMMAND_FLUSH: u16 = 3;
pub(crate) const COMMAND_WRITE_ZEROES: u16 = 6;
pub(crate) const COMMAND_BLOCK_STATUS: u16 = 7;

pub(crate) const CHUNK_DONE: u16 = 1;
pub(crate) const CHUNK_NONE: u16 = 0;
pub(crate) const CHUNK_DATA: u16 = 1;
pub(crate) const CHUNK_HOLE: u16 = 2;
pub(crate) const CHUNK_STATUS: u16 = 5;
pub(crate) const CHUNK_ERROR_BIT: u16 = 1 << 15;
pub(crate) const CHUNK_ERROR: u16 = CHUNK_ERROR_BIT | 1;
pub(crate) const CHUNK_ERROR_OFFSET: u16 = CHUNK_ERROR_BIT | 2;

/// In an answer of `base:allocation`: the range is not allocated.
pub const STATUS_HOLE: u32 = 1;
/// In an answer of `base:allocation`: the range reads as zeros.
pub const STATUS_ZERO: u32 = 2;
/// In an answer of a dirty bitmap: the range is dirty.
pub const STATUS_DIRTY: u32 = 1;

/// Encodes one request of the transmission phase, without a payload.
pub(crate) fn encode_request(
    out: &mut Vec<u8>,
    command: u16,
    cookie: u64,
    offset: u64,
    length: u32,
) {
    out.extend_from_slice(&MAGIC_REQUEST.to_be_bytes());
    out.extend_from_slice(&0u16.to_be_bytes());
    out.extend_from_slice(&command.to_be_bytes());
    out.extend_from_slice(&cookie.to_be_bytes());
    out.extend_from_slice(&offset.to_be_bytes());
    out.extend_from_slice(&length.to_be_bytes());
}

/// Reads big-endian fields from the front of a slice.
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], NbdError> {
        if self.0.len() < length {
            return Err(NbdError::Protocol(format!(
                "a message ends {} bytes too early",
                length - self.0.len()
            )));
        }
        let (head, tail) = self.0.split_at(length);
        self.0 = tail;
        Ok(head)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], NbdError> {
        let bytes = self.bytes(N)?;
        Ok(bytes.try_into().expect("bytes(N) gives N bytes"))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, NbdError> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, NbdError> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, NbdError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn finish(self, what: &str) -> Result<(), NbdError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(NbdError::Protocol(format!("{} bytes too many in {what}", self.0.len())))
        }
    }
}

/// Bytes that were received and not yet understood. Consumed bytes are given back in bulk.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    start: usize,
}

impl Inbox {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        } else if self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn unread(&self) -> &[u8] {
        &self.bytes[self.start..]
    }

    /// Takes `length` bytes; the caller saw that they are there.
    pub(crate) fn take(&mut self, length: usize) -> &[u8] {
        let start = self.start;
        self.start += length;
        &self.bytes[start..self.start]
    }
}

/// A text of the server for people: bounded, and what is not UTF-8 replaced.
pub(crate) fn text(bytes: &[u8]) -> String {
    const TEXT_BYTES_MAX: usize = 256;
    String::from_utf8_lossy(&bytes[..bytes.len().min(TEXT_BYTES_MAX)]).into_owned()
}
