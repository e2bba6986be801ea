//! Restoring a whole disk: workers that each take a leaf, big reads, big writes, every block verified.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::frames::{BlockFetcher, Wanted};
use super::kept::Kept;
use super::{BaseTree, LeafWalk};
use crate::crypto::Capability;
use crate::direct::AlignedBuffer;
use crate::format::{BLOCK, BLOCK_BYTES, Id, LEAF_BYTES, Node};
use crate::inner::{Inner, lock};
use crate::parallel::{on_threads, with_waiting};
use crate::{Advance, BlockSink, BlockWriter, Extent, Progress, VaultError};

/// Blocks of a piece: 8 MiB, the longest write. Between two writes the disk waits until the next writer gets a core, a
/// millisecond or two where all cores decode: pieces of 4 MiB take a tenth more time.
const PIECE_BLOCKS: usize = 128;
/// Workers at most. Each holds a piece and what it read of a pack, up to 4 MiB; so many decode more than a disk takes.
const WORKERS_MAX: usize = 8;

/// What a restore did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RestoreStats {
    /// Bytes read from the store.
    pub read_bytes: u64,
    /// Bytes written to the target.
    pub written_bytes: u64,
    /// Blocks that are zeros and were not written.
    pub blocks_zero: u64,
    /// Blocks written.
    pub blocks_data: u64,
    /// Blocks that the target held already; neither read from the store nor written.
    pub blocks_kept: u64,
}

struct Shared<'a> {
    inner: &'a Inner,
    key: &'a str,
    size_bytes: u64,
    sink: &'a dyn BlockSink,
    progress: &'a dyn Progress,
    /// The walk, and the end of the leaf that was handed out last.
    walk: Mutex<(LeafWalk, u64)>,
    /// One write at a time: two writers of one file only wait for each other in the kernel, at the cost of CPU.
    write_turn: Mutex<()>,
    stats: Mutex<RestoreStats>,
    failure: Mutex<Option<VaultError>>,
    stop: AtomicBool,
}

/// Restores one disk.
pub(crate) fn restore_disk(
    inner: &Inner,
    point: Uuid,
    key: &str,
    sink: &dyn BlockSink,
    progress: &dyn Progress,
) -> Result<RestoreStats, VaultError> {
    inner.keyring.require(Capability::Read, "read stored disks")?;
    let record = inner.live_point(point)?.ok_or(VaultError::UnknownPoint(point))?;
    let disk = record.disks.iter().find(|disk| disk.key == key);
    let disk = disk.ok_or_else(|| VaultError::UnknownDisk { point, disk: key.to_owned() })?;
    let tree = BaseTree::new(disk.root, disk.size_bytes);
    let shared = Shared {
        inner,
        key,
        size_bytes: disk.size_bytes,
        sink,
        progress,
        walk: Mutex::new((LeafWalk::new(&tree), 0)),
        write_turn: Mutex::default(),
        stats: Mutex::default(),
        failure: Mutex::default(),
        stop: AtomicBool::new(false),
    };
    on_threads(with_waiting(inner.threads).min(WORKERS_MAX), || {
        if let Err(error) = shared.work() {
            lock(&shared.failure).get_or_insert(error);
            shared.stop.store(true, Ordering::Relaxed);
        }
    });
    if let Some(error) = lock(&shared.failure).take() {
        return Err(error);
    }
    let mut stats = *lock(&shared.stats);
    stats.blocks_zero = disk.size_bytes.div_ceil(BLOCK) - stats.blocks_data - stats.blocks_kept;
    Ok(stats)
}

impl Shared<'_> {
    fn work(&self) -> Result<(), VaultError> {
        let failed = |source| VaultError::Sink { offset: 0, source };
        let existing = self.sink.existing().map_err(failed)?;
        let mut worker = Worker {
            shared: self,
            writer: self.sink.writer().map_err(failed)?,
            kept: existing.map(|reader| Kept::new(self.inner, reader, self.size_bytes)),
            fetcher: BlockFetcher::new()?,
            buffer: AlignedBuffer::new(PIECE_BLOCKS * BLOCK_BYTES),
            stats: RestoreStats::default(),
        };
        loop {
            let (hole, leaf) = self.next_leaf()?;
            worker.clear(hole)?;
            let Some((id, place)) = leaf else { break };
            let leaf = self.inner.node(&id, 0)?;
            worker.restore_leaf(&leaf, place)?;
        }
        worker.writer.flush().map_err(failed)?;
        let mut sum = lock(&self.stats);
        sum.read_bytes += worker.fetcher.read_bytes;
        sum.written_bytes += worker.stats.written_bytes;
        sum.blocks_data += worker.stats.blocks_data;
        sum.blocks_kept += worker.stats.blocks_kept;
        Ok(())
    }

    fn check_stop(&self) -> Result<bool, VaultError> {
        if self.progress.cancelled() {
            return Err(VaultError::Cancelled);
        }
        Ok(self.stop.load(Ordering::Relaxed))
    }

    /// The hole before the next leaf, and that leaf; at the end the last hole alone.
    fn next_leaf(&self) -> Result<(Extent, Option<(Id, u64)>), VaultError> {
        if self.check_stop()? {
            return Ok((Extent { offset: 0, length: 0 }, None));
        }
        let mut walk = lock(&self.walk);
        let (walk, behind) = &mut *walk;
        let next = walk.next(self.inner, |_, _| true)?;
        let end = match next {
            Some((_, place)) => place.saturating_mul(LEAF_BYTES).min(self.size_bytes),
            None => self.size_bytes,
        };
        let hole = Extent { offset: *behind, length: end.saturating_sub(*behind) };
        // A hole needs no work but a look, if the target may hold something.
        self.progress.advance(Advance { done_bytes: hole.length, ..Advance::default() });
        *behind = match next {
            Some((_, place)) => (place + 1).saturating_mul(LEAF_BYTES).min(self.size_bytes),
            None => self.size_bytes,
        };
        Ok((hole, next))
    }
}

/// What one thread works with.
struct Worker<'a> {
    shared: &'a Shared<'a>,
    writer: Box<dyn BlockWriter + 'a>,
    kept: Option<Kept<'a>>,
    fetcher: BlockFetcher,
    /// Sinks may write it past the page cache.
    buffer: AlignedBuffer,
    stats: RestoreStats,
}

impl Worker<'_> {
    fn restore_leaf(&mut self, leaf: &Arc<Node>, place: u64) -> Result<(), VaultError> {
        let size_bytes = self.shared.size_bytes;
        let leaf_start = place * LEAF_BYTES;
        let leaf_end = (leaf_start + LEAF_BYTES).min(size_bytes);
        let children: Vec<(usize, Id)> = leaf.children().collect();
        let (mut done, mut behind) = (0, leaf_start);
        for piece in children.chunk_by(|a, b| a.0 / PIECE_BLOCKS == b.0 / PIECE_BLOCKS) {
            if self.shared.check_stop()? {
                return Ok(());
            }
            for (slot, _) in piece {
                let start = leaf_start + *slot as u64 * BLOCK;
                self.clear(Extent { offset: behind, length: start - behind })?;
                behind = (start + BLOCK).min(size_bytes);
            }
            let before = self.fetcher.read_bytes;
            let done_bytes = self.restore_piece(piece, leaf_start)?;
            done += done_bytes;
            let read_bytes = self.fetcher.read_bytes - before;
            let advance = Advance { read_bytes, done_bytes, ..Advance::default() };
            self.shared.progress.advance(advance);
        }
        self.clear(Extent { offset: behind, length: leaf_end - behind })?;
        let rest = (leaf_end - leaf_start).saturating_sub(done);
        self.shared.progress.advance(Advance { done_bytes: rest, ..Advance::default() });
        Ok(())
    }

    /// Restores neighbouring blocks of a leaf; gives their bytes on the disk.
    fn restore_piece(&mut self, piece: &[(usize, Id)], leaf_start: u64) -> Result<u64, VaultError> {
        let base = piece[0].0 / PIECE_BLOCKS * PIECE_BLOCKS;
        let start = leaf_start + base as u64 * BLOCK;
        let mut wanted: Vec<_> =
            piece.iter().map(|(slot, id)| Wanted { id: *id, slot: slot - base }).collect();
        if let Some(kept) = &mut self.kept {
            kept.leave_what_is_right(start, &mut wanted, &mut self.buffer)?;
            self.stats.blocks_kept += (piece.len() - wanted.len()) as u64;
        }
        let fetched = self.fetcher.fetch(self.shared.inner, &wanted, &mut self.buffer)?;
        fetched.map_err(|failure| failure.on_disk(self.shared.key, start))?;
        for run in wanted.chunk_by(|a, b| a.slot + 1 == b.slot) {
            self.write_run(run, start)?;
        }
        self.stats.blocks_data += wanted.len() as u64;
        let bytes_of = |slot: usize| {
            let offset = leaf_start + slot as u64 * BLOCK;
            (offset + BLOCK).min(self.shared.size_bytes) - offset
        };
        Ok(piece.iter().map(|(slot, _)| bytes_of(*slot)).sum())
    }

    fn write_run(&mut self, run: &[Wanted], start: u64) -> Result<(), VaultError> {
        let first = run[0].slot;
        let offset = start + first as u64 * BLOCK;
        // The last block of a disk that ends within it is not written past the end.
        let left = self.shared.size_bytes.saturating_sub(offset);
        let length = usize::try_from((run.len() as u64 * BLOCK).min(left)).expect("at most 4 MiB");
        let data = &self.buffer[first * BLOCK_BYTES..][..length];
        let _turn = lock(&self.shared.write_turn);
        let written = self.writer.write_at(offset, data);
        written.map_err(|source| VaultError::Sink { offset, source })?;
        self.stats.written_bytes += data.len() as u64;
        Ok(())
    }

    /// Makes a range zeros that must be: nothing to do for a target that was empty.
    fn clear(&mut self, range: Extent) -> Result<(), VaultError> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let (writer, stats) = (&mut self.writer, &mut self.stats);
        kept.each_that_is_not_zero(range, &mut self.buffer, |offset, zeros| {
            stats.written_bytes += zeros.len() as u64;
            writer.write_at(offset, zeros)
        })
    }
}
