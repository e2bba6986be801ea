//! Where a backup reads from and a restore writes to.
//!
//! The vault never opens a disk. It asks a [`BlockSource`] for one reader per worker thread and gives a [`BlockSink`]
//! back its bytes; what stands behind them (a file, an NBD export) is the caller's matter.

use std::io;

/// A range of bytes of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Extent {
    /// First byte, from the start of the disk.
    pub offset: u64,
    /// Length in bytes; zero is an empty range.
    pub length: u64,
}

impl Extent {
    /// The byte after the last one; saturates at `u64::MAX`.
    pub fn end(&self) -> u64 {
        self.offset.saturating_add(self.length)
    }
}

/// A range of a source and whether it is known to read as zeros without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SourceExtent {
    /// First byte, from the start of the disk.
    pub offset: u64,
    /// Length in bytes, never zero.
    pub length: u64,
    /// The range is a hole or known zeros; the vault then does not read it.
    pub zero: bool,
}

/// A disk at one point in time, to back up. Its content must not change while it is read.
pub trait BlockSource: Sync {
    /// The size of the disk in bytes; need not be a multiple of a block.
    fn size_bytes(&self) -> u64;

    /// Opens a reader of its own for one worker thread.
    ///
    /// # Errors
    /// Whatever the source meets when it opens (for NBD: a new connection).
    fn reader(&self) -> io::Result<Box<dyn BlockReader + '_>>;
}

/// Reads one disk for one worker thread.
pub trait BlockReader: Send {
    /// Tells which parts of `range` are known zeros, in order and without gaps. It may cover less than `range` (but at
    /// least one byte of a range that is not empty); the vault asks again for the rest. A source that knows nothing
    /// returns the range as one extent with `zero: false`.
    ///
    /// # Errors
    /// Whatever the source meets.
    fn extents(&mut self, range: Extent) -> io::Result<Vec<SourceExtent>>;

    /// Tells what is read next, in this order, so that the source can begin. Nothing need come of it, and what was
    /// announced need not be read.
    fn announce(&mut self, reads: &[Extent]) {
        let _ = reads;
    }

    /// Fills `buffer` from `offset`. The vault never reads past [`BlockSource::size_bytes`].
    ///
    /// # Errors
    /// Whatever the source meets; a short read is an error.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()>;
}

/// A disk to restore to. It must read as zeros where nothing was written: a restore writes data only. One that may hold
/// something already says so by [`BlockSink::existing`].
pub trait BlockSink: Sync {
    /// Opens a writer of its own for one worker thread.
    ///
    /// # Errors
    /// Whatever the sink meets when it opens.
    fn writer(&self) -> io::Result<Box<dyn BlockWriter + '_>>;

    /// A reader of what the target holds already, one for each worker thread, `None` if it reads as zeros everywhere.
    /// With a reader, what is right is kept, whatever put it there: that is how a restore goes on where it stopped.
    ///
    /// # Errors
    /// Whatever the sink meets when it opens.
    fn existing(&self) -> io::Result<Option<Box<dyn BlockReader + '_>>> {
        Ok(None)
    }
}

/// Writes one disk for one worker thread.
pub trait BlockWriter: Send {
    /// Writes all of `data` at `offset`. Ranges of different writers never overlap.
    ///
    /// # Errors
    /// Whatever the sink meets.
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()>;

    /// Makes what this writer wrote durable. Called once, after its last write.
    ///
    /// # Errors
    /// Whatever the sink meets.
    fn flush(&mut self) -> io::Result<()>;
}

/// What a backup of a disk reads.
#[derive(Debug, Clone, Copy)]
pub enum ReadPlan<'a> {
    /// Everything that the source does not report as zeros. Needs no base.
    Everything,
    /// Only these ranges changed since the base. They may be unaligned, unordered and overlapping; blocks that they
    /// touch are read whole. Without a base this is refused.
    Changed(&'a [Extent]),
}

/// What was done since the last call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Advance {
    /// Bytes read from the source or from the store.
    pub read_bytes: u64,
    /// Bytes of blocks that the vault did not hold yet.
    pub new_bytes: u64,
    /// Bytes that were added to the store.
    pub stored_bytes: u64,
    /// Bytes of the plan that are behind us, holes and reused blocks included. Their sum reaches the size of the disk
    /// (`Everything`, restore) or of the changed ranges rounded to blocks (`Changed`), or the bytes stored (verify).
    pub done_bytes: u64,
}

/// Hears about progress and may ask to stop. Called from several threads.
pub trait Progress: Sync {
    /// Takes note of what was done since the last call.
    fn advance(&self, done: Advance);

    /// Whether to stop at the next convenient moment; the work then ends with `VaultError::Cancelled`.
    fn cancelled(&self) -> bool {
        false
    }
}

/// Listens to nothing and never cancels.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn advance(&self, _done: Advance) {}
}
