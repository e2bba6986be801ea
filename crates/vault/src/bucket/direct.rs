//! Writing a large object past the page cache.
//!
//! What a backup writes is not read again soon. Copied through the page cache it costs a second of CPU per three
//! gigabytes, and it pushes out of memory what the machine's guests do read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// Objects from this size on are written directly; below, the cache costs nothing.
const DIRECT_BYTES_MIN: usize = 1024 * 1024;
/// What direct writes must be aligned to: the largest sector of disks that are sold.
const ALIGNMENT: usize = 4096;
/// How much is written at once. Small enough to stay in a core's own cache on its way through the buffer.
const PIECE_BYTES: usize = 512 * 1024;

/// Writes all of `data` to an empty file. Nothing is durable yet.
pub(super) fn write_all(file: &File, data: &[u8]) -> io::Result<()> {
    let mut written = 0;
    if data.len() >= DIRECT_BYTES_MIN && set_direct(file, true).is_ok() {
        let result = write_pieces(file, &data[..data.len() / ALIGNMENT * ALIGNMENT]);
        set_direct(file, false)?;
        written = match result {
            Ok(written) => written,
            // Some file systems take the flag and refuse the write, or want more alignment than we give.
            Err(error) if Errno::from_io_error(&error) == Some(Errno::INVAL) => 0,
            Err(error) => return Err(error),
        };
    }
    file.write_all_at(&data[written..], written as u64)
}

/// Writes through one aligned buffer; gives how much was written, which is all of it.
fn write_pieces(file: &File, data: &[u8]) -> io::Result<usize> {
    let mut buffer = vec![0; PIECE_BYTES + ALIGNMENT];
    let start = buffer.as_ptr().align_offset(ALIGNMENT);
    let buffer = &mut buffer[start..start + PIECE_BYTES];
    let mut at = 0;
    for piece in data.chunks(PIECE_BYTES) {
        buffer[..piece.len()].copy_from_slice(piece);
        file.write_all_at(&buffer[..piece.len()], at as u64)?;
        at += piece.len();
    }
    Ok(at)
}

fn set_direct(file: &File, direct: bool) -> io::Result<()> {
    let flags = fcntl_getfl(file)?;
    let wanted = if direct { flags | OFlags::DIRECT } else { flags - OFlags::DIRECT };
    Ok(fcntl_setfl(file, wanted)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_arrives_whole() {
        let folder = tempfile::tempdir().unwrap();
        let around = |middle: usize| [middle - 1, middle, middle + 1];
        let lengths = [0, 1, ALIGNMENT].into_iter().chain(
            [DIRECT_BYTES_MIN, DIRECT_BYTES_MIN + ALIGNMENT, 3 * PIECE_BYTES].map(around).concat(),
        );
        for length in lengths {
            let data: Vec<u8> = (0..length).map(|at| (at % 251) as u8).collect();
            let path = folder.path().join(length.to_string());
            write_all(&File::create(&path).unwrap(), &data).unwrap();
            assert!(std::fs::read(&path).unwrap() == data, "{length} bytes");
        }
    }
}
