//! Replies of the transmission phase: bytes of the server in, facts about our requests out.
//!
//! What is checked here, so that nobody above must: every reply belongs to a request; every piece
//! of data lies inside the range that was asked, and no byte comes twice; a read that ends without
//! an error was answered whole; every length has a limit before memory is taken for it.

use std::collections::HashMap;

use super::NbdError;
use super::wire::{self, Fields, Inbox};

/// Longest answer to one block status request that we accept, in bytes (QEMU sends up to 1 MiB).
const STATUS_BYTES_MAX: u32 = 4 + 8 * 256 * 1024;

/// Longest error chunk that we accept, in bytes: number, length, 4096 of text, offset.
const ERROR_BYTES_MAX: u32 = 4 + 2 + 4096 + 8;

/// What a request was, as far as its reply depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// A read of this range.
    Data {
        /// First byte.
        offset: u64,
        /// Number of bytes.
        length: u32,
    },
    /// A question about the state of a range of this length.
    Status {
        /// Number of bytes.
        length: u32,
    },
    /// Only success or failure.
    Nothing,
}

/// One stretch of a meta context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusExtent {
    /// Number of bytes, never zero.
    pub length: u64,
    /// The context's flags.
    pub flags: u32,
}

/// A fact about a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// Bytes of a read.
    Data {
        /// The request.
        cookie: u64,
        /// Where they belong on the disk.
        offset: u64,
        /// The bytes.
        bytes: &'a [u8],
    },
    /// Zeros of a read.
    Zeros {
        /// The request.
        cookie: u64,
        /// Where they belong on the disk.
        offset: u64,
        /// How many.
        length: u32,
    },
    /// The state of a range from the beginning of what was asked, for one context.
    Status {
        /// The request.
        cookie: u64,
        /// The number of the context.
        context: u32,
        /// Stretches without gaps. They may end before the range that was asked, never after it.
        extents: Vec<StatusExtent>,
    },
    /// The request is answered.
    Done {
        /// The request.
        cookie: u64,
        /// `Err` = the server's error number and text.
        result: Result<(), (u32, String)>,
    },
}

#[derive(Debug)]
struct Pending {
    expect: Expect,
    /// Parts of a read that came: sorted, apart.
    covered: Vec<(u64, u64)>,
    error: Option<(u32, String)>,
}

#[derive(Debug, Clone, Copy)]
struct Chunk {
    kind: u16,
    done: bool,
    cookie: u64,
    length: u32,
}

/// Decodes replies and keeps account of the requests that wait for one.
#[derive(Debug, Default)]
pub struct Replies {
    inbox: Inbox,
    pending: HashMap<u64, Pending>,
    /// A structured chunk whose header was read.
    chunk: Option<Chunk>,
    /// The request that the piece before this one ended.
    ended: Option<u64>,
}

impl Replies {
    /// Nothing asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Notes that a request was sent. The cookie must not be in use.
    pub fn expect(&mut self, cookie: u64, expect: Expect) {
        self.pending.insert(cookie, Pending { expect, covered: Vec::new(), error: None });
    }

    /// How many requests wait for their reply.
    pub fn waiting(&self) -> usize {
        self.pending.len()
    }

    /// Takes bytes of the server.
    pub fn receive(&mut self, bytes: &[u8]) {
        self.inbox.push(bytes);
    }

    /// The next fact, or `None` when more bytes are needed for one.
    pub fn next_reply(&mut self) -> Result<Option<Reply<'_>>, NbdError> {
        if let Some(cookie) = self.ended.take() {
            return self.end(cookie).map(Some);
        }
        if let Some(chunk) = self.chunk {
            return self.payload(chunk);
        }
        let unread = self.inbox.unread();
        if unread.len() < 4 {
            return Ok(None);
        }
        match Fields(unread).u32()? {
            wire::MAGIC_SIMPLE_REPLY => self.simple(),
            wire::MAGIC_STRUCTURED_REPLY => self.structured(),
            other => Err(NbdError::Protocol(format!("a reply begins with {other:#x}"))),
        }
    }

    fn simple(&mut self) -> Result<Option<Reply<'_>>, NbdError> {
        const HEADER_BYTES: usize = 16;
        let unread = self.inbox.unread();
        if unread.len() < HEADER_BYTES {
            return Ok(None);
        }
        let mut fields = Fields(&unread[4..HEADER_BYTES]);
        let (errno, cookie) = (fields.u32()?, fields.u64()?);
        let pending = known(&mut self.pending, cookie)?;
        match pending.expect {
            Expect::Status { .. } if errno == 0 => {
                Err(NbdError::Protocol("a simple reply to a question about state".to_owned()))
            }
            Expect::Data { offset, length } if errno == 0 => {
                if unread.len() < HEADER_BYTES + length as usize {
                    return Ok(None);
                }
                cover(&mut pending.covered, offset, offset + u64::from(length))?;
                self.ended = Some(cookie);
                self.inbox.take(HEADER_BYTES);
                let bytes = self.inbox.take(length as usize);
                Ok(Some(Reply::Data { cookie, offset, bytes }))
            }
            Expect::Data { .. } | Expect::Status { .. } | Expect::Nothing => {
                if errno != 0 {
                    pending.error = Some((errno, String::new()));
                }
                self.inbox.take(HEADER_BYTES);
                self.end(cookie).map(Some)
            }
        }
    }

    fn structured(&mut self) -> Result<Option<Reply<'_>>, NbdError> {
        const HEADER_BYTES: usize = 20;
        if self.inbox.unread().len() < HEADER_BYTES {
            return Ok(None);
        }
        let mut fields = Fields(&self.inbox.take(HEADER_BYTES)[4..]);
        let flags = fields.u16()?;
        let chunk = Chunk {
            kind: fields.u16()?,
            done: flags & wire::CHUNK_DONE != 0,
            cookie: fields.u64()?,
            length: fields.u32()?,
        };
        let pending = known(&mut self.pending, chunk.cookie)?;
        check_length(&chunk, pending.expect)?;
        self.chunk = Some(chunk);
        self.payload(chunk)
    }

    fn payload(&mut self, chunk: Chunk) -> Result<Option<Reply<'_>>, NbdError> {
        let Chunk { kind, done, cookie, length } = chunk;
        if self.inbox.unread().len() < length as usize {
            return Ok(None);
        }
        self.chunk = None;
        let pending = known(&mut self.pending, cookie)?;
        if kind == wire::CHUNK_DATA {
            self.ended = done.then_some(cookie);
            let data = self.inbox.take(length as usize);
            return data_chunk(cookie, data, pending).map(Some);
        }
        let data = self.inbox.take(length as usize);
        let fact = match kind {
            wire::CHUNK_NONE => None,
            wire::CHUNK_HOLE => Some(hole_chunk(cookie, data, pending)?),
            wire::CHUNK_STATUS => Some(status_chunk(cookie, data, pending)?),
            _ => {
                pending.error = Some(error_chunk(kind, data)?);
                None
            }
        };
        match fact {
            Some(fact) => {
                self.ended = done.then_some(cookie);
                Ok(Some(fact))
            }
            None if done => self.end(cookie).map(Some),
            None => self.next_reply(),
        }
    }

    fn end(&mut self, cookie: u64) -> Result<Reply<'static>, NbdError> {
        let pending = self.pending.remove(&cookie).ok_or_else(|| unknown(cookie))?;
        if let Some(error) = pending.error {
            return Ok(Reply::Done { cookie, result: Err(error) });
        }
        if let Expect::Data { offset, length } = pending.expect
            && pending.covered != [(offset, offset + u64::from(length))]
        {
            return Err(NbdError::Protocol("a read was answered with gaps".to_owned()));
        }
        Ok(Reply::Done { cookie, result: Ok(()) })
    }
}

fn unknown(cookie: u64) -> NbdError {
    NbdError::Protocol(format!("a reply to request {cookie}, which nobody sent"))
}

fn known(pending: &mut HashMap<u64, Pending>, cookie: u64) -> Result<&mut Pending, NbdError> {
    pending.get_mut(&cookie).ok_or_else(|| unknown(cookie))
}

/// Refuses a chunk that does not fit its request before memory is taken for it.
fn check_length(chunk: &Chunk, expect: Expect) -> Result<(), NbdError> {
    let fits = match (chunk.kind, expect) {
        (wire::CHUNK_NONE, _) => chunk.length == 0 && chunk.done,
        (wire::CHUNK_DATA, Expect::Data { length, .. }) => {
            chunk.length > 8 && u64::from(chunk.length) <= 8 + u64::from(length)
        }
        (wire::CHUNK_HOLE, Expect::Data { .. }) => chunk.length == 12,
        (wire::CHUNK_STATUS, Expect::Status { .. }) => {
            chunk.length >= 12
                && (chunk.length - 4).is_multiple_of(8)
                && chunk.length <= STATUS_BYTES_MAX
        }
        (kind, _) if kind & wire::CHUNK_ERROR_BIT != 0 => {
            (6..=ERROR_BYTES_MAX).contains(&chunk.length)
        }
        _ => false,
    };
    if fits {
        Ok(())
    } else {
        Err(NbdError::Protocol(format!(
            "a piece of kind {} and {} bytes does not fit its request",
            chunk.kind, chunk.length
        )))
    }
}

fn data_chunk<'a>(
    cookie: u64,
    data: &'a [u8],
    pending: &mut Pending,
) -> Result<Reply<'a>, NbdError> {
    let mut fields = Fields(data);
    let offset = fields.u64()?;
    let bytes = fields.0;
    inside(pending, offset, bytes.len() as u64)?;
    Ok(Reply::Data { cookie, offset, bytes })
}

fn hole_chunk(cookie: u64, data: &[u8], pending: &mut Pending) -> Result<Reply<'static>, NbdError> {
    let mut fields = Fields(data);
    let (offset, length) = (fields.u64()?, fields.u32()?);
    inside(pending, offset, u64::from(length))?;
    Ok(Reply::Zeros { cookie, offset, length })
}

/// Notes a piece of a read; it must lie inside what was asked and be new.
fn inside(pending: &mut Pending, offset: u64, length: u64) -> Result<(), NbdError> {
    let Expect::Data { offset: from, length: asked } = pending.expect else {
        return Err(NbdError::Protocol("data for a request that is no read".to_owned()));
    };
    let end = offset.checked_add(length);
    match end {
        Some(end) if length > 0 && offset >= from && end <= from + u64::from(asked) => {
            cover(&mut pending.covered, offset, end)
        }
        _ => Err(NbdError::Protocol("data outside of the range that was asked".to_owned())),
    }
}

/// Adds a range to sorted, separate ranges; an overlap is an error.
fn cover(covered: &mut Vec<(u64, u64)>, start: u64, end: u64) -> Result<(), NbdError> {
    let at = covered.partition_point(|range| range.1 <= start);
    if covered.get(at).is_some_and(|next| next.0 < end) {
        return Err(NbdError::Protocol("the same bytes came twice".to_owned()));
    }
    let joins_before = at > 0 && covered[at - 1].1 == start;
    let joins_after = covered.get(at).is_some_and(|next| next.0 == end);
    match (joins_before, joins_after) {
        (true, true) => {
            covered[at - 1].1 = covered[at].1;
            covered.remove(at);
        }
        (true, false) => covered[at - 1].1 = end,
        (false, true) => covered[at].0 = start,
        (false, false) => covered.insert(at, (start, end)),
    }
    Ok(())
}

fn status_chunk(
    cookie: u64,
    data: &[u8],
    pending: &mut Pending,
) -> Result<Reply<'static>, NbdError> {
    let Expect::Status { length: asked } = pending.expect else {
        return Err(NbdError::Protocol("state for a request that did not ask".to_owned()));
    };
    let mut fields = Fields(data);
    let context = fields.u32()?;
    let mut extents: Vec<StatusExtent> = Vec::with_capacity(fields.0.len() / 8);
    let mut left = u64::from(asked);
    while !fields.0.is_empty() {
        let (length, flags) = (u64::from(fields.u32()?), fields.u32()?);
        if length == 0 || left == 0 {
            return Err(NbdError::Protocol("an empty stretch, or one after the end".to_owned()));
        }
        // The last stretch may go on after the range that was asked.
        let length = length.min(left);
        left -= length;
        extents.push(StatusExtent { length, flags });
    }
    Ok(Reply::Status { cookie, context, extents })
}

fn error_chunk(kind: u16, data: &[u8]) -> Result<(u32, String), NbdError> {
    let mut fields = Fields(data);
    let (errno, length) = (fields.u32()?, fields.u16()?);
    let message = wire::text(fields.bytes(usize::from(length))?);
    match kind {
        wire::CHUNK_ERROR => fields.finish("an error")?,
        wire::CHUNK_ERROR_OFFSET => {
            fields.u64()?;
            fields.finish("an error")?;
        }
        // Kinds of error that are not known are errors all the same.
        _ => {}
    }
    if errno == 0 {
        return Err(NbdError::Protocol("an error without a number".to_owned()));
    }
    Ok((errno, message))
}
