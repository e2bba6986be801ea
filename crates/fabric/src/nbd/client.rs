//! A blocking client over a Unix socket. One client is one connection, for one thread.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use super::handshake::{Export, Handshake};
use super::reply::{Expect, Replies, Reply, StatusExtent};
use super::{NbdError, wire};

/// Bytes of one read or write on the wire. Larger ones make QEMU slower, not faster (measured:
/// 2 MiB requests read slower than 256 KiB).
const REQUEST_BYTES_MAX: u64 = 256 * 1024;

/// Requests that are on the way at once.
const IN_FLIGHT_MAX: usize = 8;

/// Bytes of one question about state, and of one write of zeros: 1 GiB, a multiple of every block
/// size and far from the 32-bit limit.
const RANGE_BYTES_MAX: u64 = 1 << 30;

/// How long one read or write of the socket may take when nothing else is said.
pub const IO_TIMEOUT_DEFAULT: Duration = Duration::from_secs(120);

/// What to connect for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectSpec {
    /// Name of the export; empty = the server's default one.
    pub export: String,
    /// Meta contexts to ask for. One that does not exist is found out when it is used.
    pub contexts: Vec<String>,
    /// How long one read or write of the socket may take.
    pub timeout: Duration,
}

impl ConnectSpec {
    /// An export with its map of holes and zeros.
    pub fn allocation(export: &str) -> Self {
        Self {
            export: export.to_owned(),
            contexts: vec![super::CONTEXT_ALLOCATION.to_owned()],
            timeout: IO_TIMEOUT_DEFAULT,
        }
    }
}

/// A connection to an export. Dropped, it says goodbye.
#[derive(Debug)]
pub struct NbdClient {
    stream: UnixStream,
    export: Export,
    replies: Replies,
    cookie: u64,
    buffer: Vec<u8>,
    broken: bool,
}

/// One request of the transmission phase.
struct Request<'a> {
    command: u16,
    offset: u64,
    length: u32,
    payload: &'a [u8],
    expect: Expect,
}

impl NbdClient {
    /// Connects to a server's Unix socket and agrees on an export.
    pub fn connect(socket: &Path, spec: &ConnectSpec) -> Result<Self, NbdError> {
        let fail = |source| NbdError::Connect { path: socket.to_owned(), source };
        let mut stream = UnixStream::connect(socket).map_err(fail)?;
        stream.set_read_timeout(Some(spec.timeout)).map_err(fail)?;
        stream.set_write_timeout(Some(spec.timeout)).map_err(fail)?;
        let export = shake_hands(&mut stream, spec)?;
        Ok(Self {
            stream,
            export,
            replies: Replies::new(),
            cookie: 0,
            buffer: vec![0; 64 * 1024],
            broken: false,
        })
    }

    /// What the server offers.
    pub fn export(&self) -> &Export {
        &self.export
    }

    /// Size of the export in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.export.size_bytes
    }

    /// Fills the buffer with the bytes at the offset, with several requests on the way at once.
    pub fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<(), NbdError> {
        let length = buffer.len() as u64;
        self.check_range(offset, length)?;
        let requests = pieces(offset, length, REQUEST_BYTES_MAX).map(|(offset, length)| Request {
            command: wire::COMMAND_READ,
            offset,
            length,
            payload: &[],
            expect: Expect::Data { offset, length },
        });
        // Every piece lies inside its request (see `reply`), so inside the buffer.
        self.run("read", requests, |reply| match reply {
            Reply::Data { offset: at, bytes, .. } => {
                let start = (at - offset) as usize;
                buffer[start..start + bytes.len()].copy_from_slice(bytes);
            }
            Reply::Zeros { offset: at, length, .. } => {
                let start = (at - offset) as usize;
                buffer[start..start + length as usize].fill(0);
            }
            Reply::Status { .. } | Reply::Done { .. } => {}
        })
    }

    /// The state of a range in a meta context: stretches without gaps that cover exactly the
    /// range; neighbours differ in their flags.
    pub fn block_status(
        &mut self,
        context: &str,
        offset: u64,
        length: u64,
    ) -> Result<Vec<StatusExtent>, NbdError> {
        self.check_range(offset, length)?;
        let id = self
            .export
            .contexts
            .iter()
            .find(|known| known.name == context)
            .ok_or_else(|| NbdError::NoContext(context.to_owned()))?
            .id;
        let mut found: Vec<StatusExtent> = Vec::new();
        let end = offset + length;
        let mut at = offset;
        while at < end {
            let asked = u32::try_from((end - at).min(RANGE_BYTES_MAX)).expect("at most 1 GiB");
            let request = Request {
                command: wire::COMMAND_BLOCK_STATUS,
                offset: at,
                length: asked,
                payload: &[],
                expect: Expect::Status { length: asked },
            };
            let before = at;
            self.run("tell the state of a range", [request].into_iter(), |reply| {
                if let Reply::Status { context, extents, .. } = reply
                    && context == id
                    && at == before
                {
                    at += append(&mut found, &extents);
                }
            })?;
            if at == before {
                self.broken = true;
                return Err(NbdError::Protocol("no state for a range that was asked".to_owned()));
            }
        }
        Ok(found)
    }

    /// Writes the bytes at the offset.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), NbdError> {
        self.check_range(offset, bytes.len() as u64)?;
        if self.export.read_only() {
            return Err(NbdError::Unsupported("writing"));
        }
        let requests = pieces(offset, bytes.len() as u64, REQUEST_BYTES_MAX).map(|piece| {
            let start = (piece.0 - offset) as usize;
            Request {
                command: wire::COMMAND_WRITE,
                offset: piece.0,
                length: piece.1,
                payload: &bytes[start..start + piece.1 as usize],
                expect: Expect::Nothing,
            }
        });
        self.run("write", requests, |_| {})
    }

    /// Makes a range read as zeros.
    pub fn write_zeroes(&mut self, offset: u64, length: u64) -> Result<(), NbdError> {
        self.check_range(offset, length)?;
        if self.export.read_only() || !self.export.can_write_zeroes() {
            return Err(NbdError::Unsupported("writing zeros"));
        }
        let requests = pieces(offset, length, RANGE_BYTES_MAX).map(|(offset, length)| Request {
            command: wire::COMMAND_WRITE_ZEROES,
            offset,
            length,
            payload: &[],
            expect: Expect::Nothing,
        });
        self.run("write zeros", requests, |_| {})
    }

    /// Makes all finished writes of this connection durable. Does nothing on an export without
    /// the command: its server has no cache.
    pub fn flush(&mut self) -> Result<(), NbdError> {
        if !self.export.can_flush() {
            return Ok(());
        }
        let request = Request {
            command: wire::COMMAND_FLUSH,
            offset: 0,
            length: 0,
            payload: &[],
            expect: Expect::Nothing,
        };
        self.run("flush", [request].into_iter(), |_| {})
    }

    fn check_range(&self, offset: u64, length: u64) -> Result<(), NbdError> {
        let size_bytes = self.export.size_bytes;
        match offset.checked_add(length) {
            Some(end) if end <= size_bytes => Ok(()),
            _ => Err(NbdError::OutOfRange { offset, length, size_bytes }),
        }
    }

    /// Sends the requests, several at once, and waits until all are answered. The first error of
    /// the server is given back after the last answer, so that the connection stays usable.
    fn run<'a>(
        &mut self,
        command: &'static str,
        requests: impl Iterator<Item = Request<'a>>,
        mut take: impl FnMut(Reply<'_>),
    ) -> Result<(), NbdError> {
        if self.broken {
            return Err(NbdError::Broken);
        }
        let result = self.exchange(requests, &mut take);
        match result {
            Ok(None) => Ok(()),
            Ok(Some((errno, message))) => Err(NbdError::Server { command, errno, message }),
            Err(error) => {
                self.broken = true;
                Err(error)
            }
        }
    }

    fn exchange<'a>(
        &mut self,
        mut requests: impl Iterator<Item = Request<'a>>,
        take: &mut impl FnMut(Reply<'_>),
    ) -> Result<Option<(u32, String)>, NbdError> {
        let mut first_error = None;
        let mut next = requests.next();
        while next.is_some() || self.replies.waiting() > 0 {
            while let Some(request) = next.take_if(|_| self.replies.waiting() < IN_FLIGHT_MAX) {
                self.send(&request)?;
                next = requests.next();
            }
            let length = receive(&mut self.stream, &mut self.buffer)?;
            self.replies.receive(&self.buffer[..length]);
            while let Some(reply) = self.replies.next_reply()? {
                if let Reply::Done { result: Err(error), .. } = reply {
                    // Nothing more is begun; what is on the way is waited for.
                    first_error.get_or_insert(error);
                    next = None;
                } else {
                    take(reply);
                }
            }
        }
        Ok(first_error)
    }

    fn send(&mut self, request: &Request<'_>) -> Result<(), NbdError> {
        self.cookie += 1;
        let mut header = Vec::with_capacity(28);
        let Request { command, offset, length, payload, expect } = *request;
        wire::encode_request(&mut header, command, self.cookie, offset, length);
        self.replies.expect(self.cookie, expect);
        self.stream.write_all(&header).map_err(NbdError::Io)?;
        self.stream.write_all(payload).map_err(NbdError::Io)
    }
}

impl Drop for NbdClient {
    fn drop(&mut self) {
        if !self.broken {
            let mut goodbye = Vec::with_capacity(28);
            wire::encode_request(&mut goodbye, wire::COMMAND_DISCONNECT, 0, 0, 0);
            // A server that does not hear it sees the socket closed.
            let _ = self.stream.write_all(&goodbye);
        }
    }
}

fn shake_hands(stream: &mut UnixStream, spec: &ConnectSpec) -> Result<Export, NbdError> {
    let mut handshake = Handshake::new(&spec.export, &spec.contexts)?;
    let mut buffer = [0; 4096];
    loop {
        let length = receive(stream, &mut buffer)?;
        let received = handshake.receive(&buffer[..length]);
        if let Err(NbdError::Refused { .. }) = &received {
            // The refusal is what matters; a server that is gone needs no goodbye.
            let _ = stream.write_all(&super::handshake::abort_message());
        }
        received?;
        stream.write_all(&handshake.take_outgoing()).map_err(NbdError::Io)?;
        if let Some(export) = handshake.export() {
            return Ok(export.clone());
        }
    }
}

fn receive(stream: &mut UnixStream, buffer: &mut [u8]) -> Result<usize, NbdError> {
    loop {
        match stream.read(buffer) {
            Ok(0) => return Err(NbdError::Closed),
            Ok(length) => return Ok(length),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                return Err(NbdError::Closed);
            }
            Err(error) => return Err(NbdError::Io(error)),
        }
    }
}

/// Cuts a range into pieces of at most `most` bytes.
fn pieces(offset: u64, length: u64, most: u64) -> impl Iterator<Item = (u64, u32)> {
    (0..length.div_ceil(most)).map(move |index| {
        let start = index * most;
        let piece = u32::try_from(most.min(length - start)).expect("most is at most 1 GiB");
        (offset + start, piece)
    })
}

/// Appends stretches, joined where the flags are the same; gives the bytes that were added.
fn append(found: &mut Vec<StatusExtent>, extents: &[StatusExtent]) -> u64 {
    let mut added = 0;
    for extent in extents {
        added += extent.length;
        match found.last_mut() {
            Some(last) if last.flags == extent.flags => last.length += extent.length,
            _ => found.push(*extent),
        }
    }
    added
}
