//! Files that are small, replaced whole, and must be there after a power cut.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Reads a regular file of at most `limit` bytes.
///
/// # Errors
/// When it cannot be read, or is larger.
pub(crate) fn read(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    file.take(limit + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::other("larger than such a file can be"));
    }
    Ok(bytes)
}

/// Replaces a file by way of `temporary` in the same folder: a reader sees the old or the new one, also after a crash.
///
/// # Errors
/// When it cannot be written; the old one is still there then.
pub(crate) fn replace(path: &Path, temporary: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let written = write_new(temporary, bytes, mode).and_then(|()| std::fs::rename(temporary, path));
    if written.is_err() {
        // A half-written file must not stay; the error that counts is the first.
        let _ = std::fs::remove_file(temporary);
    }
    written?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    let nofollow = rustix::fs::OFlags::NOFOLLOW.bits();
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .custom_flags(i32::try_from(nofollow).expect("open flags fit"))
        .open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
