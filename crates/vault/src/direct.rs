//! Past the page cache: the packs that a backup writes and a verification reads, the disks that a restore writes.
//!
//! What is written so is not read again soon, or is much more than memory holds. Copied through the page cache it costs
//! a second of CPU per two to three gigabytes, it pushes out of memory what the machine's guests do read, and the wait for
//! the disk comes all at the end. What is verified must be what the disk holds, not what memory remembers of it.

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

use crate::BlockWriter;

/// Objects from this size on are written directly; below, the cache costs nothing.
const DIRECT_BYTES_MIN: usize = 1024 * 1024;
/// What direct writes must be aligned to: the largest sector of disks that are sold.
const ALIGNMENT: usize = 4096;
/// How much is written at once. Small enough to stay in a core's own cache on its way through the buffer.
const PIECE_BYTES: usize = 512 * 1024;

/// Memory that is read into grows in steps of this.
const ROOM_STEP_BYTES: usize = 1024 * 1024;

/// Memory at an address that direct reads and writes take.
pub struct AlignedBuffer {
    memory: Vec<u8>,
    start: usize,
    length: usize,
}

impl AlignedBuffer {
    /// So many zeros.
    pub fn new(length: usize) -> Self {
        let memory = vec![0; length + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT);
        Self { memory, start, length }
    }

    /// At least `length` bytes of it, of any content.
    fn room(&mut self, length: usize) -> &mut [u8] {
        if self.length < length {
            // A reader of one range takes what it needs; for one that goes on, the old memory goes first, and the new is
            // large enough for what is only a little longer.
            let step = if self.length == 0 { 1 } else { ROOM_STEP_BYTES };
            *self = Self::new(0);
            *self = Self::new(length.next_multiple_of(step));
        }
        self
    }
}

impl std::fmt::Debug for AlignedBuffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AlignedBuffer").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Deref for AlignedBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.memory[self.start..][..self.length]
    }
}

impl DerefMut for AlignedBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..][..self.length]
    }
}

/// A file that is written past the page cache wherever the file system, the place and the memory allow it, and through
/// it elsewhere. Each range may be written once; ranges that share a sector of 4 KiB are not written at the same time.
#[derive(Debug)]
pub struct DirectFile {
    cached: File,
    direct: Option<File>,
    refused: AtomicBool,
}

impl DirectFile {
    /// Opens a file that is there for writing.
    ///
    /// # Errors
    /// If it cannot be opened.
    pub fn open(path: &Path) -> io::Result<Self> {
        let open = || File::options().write(true).open(path);
        let direct = open()?;
        let direct = set_direct(&direct, true).is_ok().then_some(direct);
        Ok(Self { cached: open()?, direct, refused: AtomicBool::new(false) })
    }

    /// Writes all of `data` at `offset`. Nothing is durable before [`DirectFile::sync_data`].
    ///
    /// # Errors
    /// What the file system meets.
    pub fn write_all_at(&self, data: &[u8], offset: u64) -> io::Result<()> {
        let fits = offset.is_multiple_of(ALIGNMENT as u64)
            && data.as_ptr().align_offset(ALIGNMENT) == 0
            && !self.refused.load(Ordering::Relaxed);
        let whole = data.len() / ALIGNMENT * ALIGNMENT;
        let mut written = 0;
        if let Some(direct) = self.direct.as_ref().filter(|_| fits && whole > 0) {
            match direct.write_all_at(&data[..whole], offset) {
                Ok(()) => written = whole,
                Err(error) if refuses(&error) => self.refused.store(true, Ordering::Relaxed),
                Err(error) => return Err(error),
            }
        }
        if written < data.len() {
            self.cached.write_all_at(&data[written..], offset + written as u64)?;
        }
        Ok(())
    }

    /// Makes what was written durable.
    ///
    /// # Errors
    /// What the file system meets.
    pub fn sync_data(&self) -> io::Result<()> {
        self.cached.sync_data()
    }
}

impl BlockWriter for DirectFile {
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.write_all_at(data, offset)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

/// Some file systems take the flag and refuse the write, or want more alignment than we give.
fn refuses(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::INVAL)
}

/// Writes all of `data` to an empty file: past the page cache as it lies in memory if it is aligned, else through a
/// buffer. Nothing is durable yet.
pub(crate) fn write_all(file: &File, data: &[u8]) -> io::Result<()> {
    let mut written = 0;
    if data.len() >= DIRECT_BYTES_MIN && set_direct(file, true).is_ok() {
        let whole = &data[..data.len() / ALIGNMENT * ALIGNMENT];
        let aligned = data.as_ptr().align_offset(ALIGNMENT) == 0;
        let result = if aligned {
            file.write_all_at(whole, 0).map(|()| whole.len())
        } else {
            write_pieces(file, whole)
        };
        set_direct(file, false)?;
        written = match result {
            Ok(written) => written,
            Err(error) if refuses(&error) => 0,
            Err(error) => return Err(error),
        };
    }
    file.write_all_at(&data[written..], written as u64)
}

/// Writes through one aligned buffer; gives how much was written, which is all of it.
fn write_pieces(file: &File, data: &[u8]) -> io::Result<usize> {
    let mut buffer = AlignedBuffer::new(PIECE_BYTES);
    let mut at = 0;
    for piece in data.chunks(PIECE_BYTES) {
        buffer[..piece.len()].copy_from_slice(piece);
        file.write_all_at(&buffer[..piece.len()], at as u64)?;
        at += piece.len();
    }
    Ok(at)
}

/// Reads a whole file that nobody changes, through the page cache.
pub(crate) fn read_cached<'r>(file: &File, room: &'r mut AlignedBuffer) -> io::Result<&'r [u8]> {
    read_range(file, 0, size_of(file)?, room)
}

/// Reads bytes that a file is known to have, through the page cache.
pub(crate) fn read_range<'r>(
    file: &File,
    offset: u64,
    length: usize,
    room: &'r mut AlignedBuffer,
) -> io::Result<&'r [u8]> {
    let read = &mut room.room(length)[..length];
    file.read_exact_at(read, offset)?;
    Ok(read)
}

/// Reads a whole file that nobody changes, past the page cache where the file system allows that.
pub(crate) fn read_stored<'r>(file: &File, room: &'r mut AlignedBuffer) -> io::Result<&'r [u8]> {
    let size = size_of(file)?;
    // A direct read asks for whole sectors, and gets less at the end of the file.
    let room = room.room(size.next_multiple_of(ALIGNMENT));
    let mut read = 0;
    if set_direct(file, true).is_ok() {
        while read < size && read.is_multiple_of(ALIGNMENT) {
            match file.read_at(&mut room[read..], read as u64) {
                Ok(0) => break,
                Ok(bytes) => read += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if refuses(&error) => break,
                Err(error) => return Err(error),
            }
        }
        set_direct(file, false)?;
    }
    let read = read.min(size);
    file.read_exact_at(&mut room[read..size], read as u64)?;
    Ok(&room[..size])
}

fn size_of(file: &File) -> io::Result<usize> {
    usize::try_from(file.metadata()?.len()).map_err(|_| io::ErrorKind::FileTooLarge.into())
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
            let mut memory = AlignedBuffer::new(length + 1);
            memory.iter_mut().zip(0u32..).for_each(|(byte, at)| *byte = (at % 251) as u8);
            for start in [0, 1] {
                let data = &memory[start..][..length];
                let path = folder.path().join(format!("{length}-{start}"));
                write_all(&File::create(&path).unwrap(), data).unwrap();
                assert!(std::fs::read(&path).unwrap() == data, "{length} bytes from {start}");
            }
        }
    }

    /// Of every length, into memory that is too short or holds something else, and again after the file has changed.
    #[test]
    fn every_length_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("object");
        let mut room = AlignedBuffer::new(0);
        for length in [ALIGNMENT + 1, 0, 1, 3 * ALIGNMENT, 5_000_000, ALIGNMENT - 1] {
            for salt in [1, 2] {
                let data: Vec<u8> = (0..length).map(|at| (at % 251) as u8 ^ salt).collect();
                std::fs::write(&path, &data).unwrap();
                let file = File::open(&path).unwrap();
                assert!(read_stored(&file, &mut room).unwrap() == data, "{length} bytes");
                assert!(read_cached(&file, &mut room).unwrap() == data, "{length} bytes");
            }
        }
    }

    /// Whole sectors, ends within a sector, and memory or places that direct writes refuse, in one file.
    #[test]
    fn every_place_and_alignment_arrives_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk");
        let mut memory = AlignedBuffer::new(4 * ALIGNMENT);
        memory.iter_mut().zip(0u32..).for_each(|(byte, at)| *byte = (at % 251) as u8);
        let mut wanted = vec![0; 64 * ALIGNMENT + 100];
        std::fs::write(&path, &wanted).unwrap();
        let file = DirectFile::open(&path).unwrap();
        let writes = [
            (0, 0, ALIGNMENT),
            (4 * ALIGNMENT, 0, 3 * ALIGNMENT),
            (8 * ALIGNMENT, 1, 2 * ALIGNMENT),
            (16 * ALIGNMENT + 7, 0, ALIGNMENT),
            (32 * ALIGNMENT, 0, ALIGNMENT + 1),
            (40 * ALIGNMENT, 0, ALIGNMENT - 1),
            (63 * ALIGNMENT, 0, ALIGNMENT + 100),
        ];
        for (offset, from, length) in writes {
            file.write_all_at(&memory[from..][..length], offset as u64).unwrap();
            wanted[offset..][..length].copy_from_slice(&memory[from..][..length]);
        }
        file.sync_data().unwrap();
        assert!(std::fs::read(&path).unwrap() == wanted);
    }
}
