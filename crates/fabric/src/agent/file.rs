//! Files of the guest.
//!
//! An open file of the guest can be read and written while the file systems of the guest are frozen,
//! if it lies in memory. Opening and closing are another matter: the agent writes a line to the
//! guest's log for each, and a log that cannot be written stops the agent in the end.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;
use serde_json::{Value, json};

use super::AgentClient;
use super::client::{AGENT_TIMEOUT, decode};
use crate::qmp::QmpError;

/// Bytes of one file read or write. 64 to 256 KiB are the fastest (measured).
const FILE_BYTES_MAX: usize = 256 * 1024;

/// A file that the agent holds open for us. It stays open until it is closed or the agent ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct GuestFile(i64);

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Piece {
    buf_b64: String,
    eof: bool,
}

#[derive(Deserialize)]
struct Written {
    count: usize,
}

impl AgentClient {
    /// Reads a file of the guest, up to this many bytes.
    pub fn read_file(&mut self, path: &str, bytes_max: usize) -> Result<Vec<u8>, QmpError> {
        let file = self.open_file(path, "rb")?;
        let read = self.read_open(file, bytes_max);
        self.close_file(file)?;
        read
    }

    /// Reads the end of a file of the guest, up to this many bytes.
    pub fn read_file_end(&mut self, path: &str, bytes_max: usize) -> Result<Vec<u8>, QmpError> {
        let file = self.open_file(path, "rb")?;
        let back = i64::try_from(bytes_max).unwrap_or(i64::MAX);
        // Fails when the file is shorter; then all of it is read.
        let seek = json!({ "handle": file.0, "offset": -back, "whence": "end" });
        let _ = self.command("guest-file-seek", seek, AGENT_TIMEOUT);
        let read = self.read_open(file, bytes_max);
        self.close_file(file)?;
        read
    }

    /// Reads on in an open file, to its end or up to this many bytes.
    pub(crate) fn read_open(
        &mut self,
        file: GuestFile,
        bytes_max: usize,
    ) -> Result<Vec<u8>, QmpError> {
        let mut bytes = Vec::new();
        loop {
            let count = FILE_BYTES_MAX.min(bytes_max - bytes.len());
            let request = json!({ "handle": file.0, "count": count });
            let piece: Piece = self.query("guest-file-read", request)?;
            bytes.extend(decode(&piece.buf_b64)?);
            if piece.eof || bytes.len() >= bytes_max {
                break;
            }
        }
        bytes.truncate(bytes_max);
        Ok(bytes)
    }

    /// Writes a file of the guest, replacing what was there.
    pub fn write_file(&mut self, path: &str, bytes: &[u8]) -> Result<(), QmpError> {
        let file = self.open_file(path, "wb")?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let piece = &rest[..FILE_BYTES_MAX.min(rest.len())];
            let written: Written = self.query("guest-file-write", write(file, piece))?;
            if written.count == 0 || written.count > piece.len() {
                return Err(QmpError::Protocol(format!("{} bytes were written", written.count)));
            }
            rest = &rest[written.count..];
        }
        self.command("guest-file-flush", json!({ "handle": file.0 }), AGENT_TIMEOUT)?;
        self.close_file(file)
    }

    /// Writes a few bytes to an open file, in one round trip.
    pub(crate) fn write_open(&mut self, file: GuestFile, bytes: &[u8]) -> Result<(), QmpError> {
        // The agent answers in order; the second request does not wait for the first answer.
        self.send("guest-file-write", write(file, bytes))?;
        self.send("guest-file-flush", json!({ "handle": file.0 }))?;
        let written = self.answer("guest-file-write", AGENT_TIMEOUT);
        let flushed = self.answer("guest-file-flush", AGENT_TIMEOUT);
        let written: Option<Written> = serde_json::from_value(written?).ok();
        flushed?;
        match written {
            Some(written) if written.count == bytes.len() => Ok(()),
            _ => Err(QmpError::Protocol("not all bytes were written".to_owned())),
        }
    }

    /// Opens a file, with a mode of C's `fopen`.
    pub(crate) fn open_file(&mut self, path: &str, mode: &str) -> Result<GuestFile, QmpError> {
        self.query("guest-file-open", json!({ "path": path, "mode": mode })).map(GuestFile)
    }

    /// Closes a file.
    pub(crate) fn close_file(&mut self, file: GuestFile) -> Result<(), QmpError> {
        self.command("guest-file-close", json!({ "handle": file.0 }), AGENT_TIMEOUT).map(|_| ())
    }
}

fn write(file: GuestFile, bytes: &[u8]) -> Value {
    json!({ "handle": file.0, "buf-b64": BASE64.encode(bytes) })
}
