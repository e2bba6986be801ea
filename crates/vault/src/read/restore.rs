//! Restoring a whole disk: workers that each take a leaf, big reads, big writes, every block verified.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::frames::{BlockFetcher, Wanted};
use super::{BaseTree, LeafWalk};
use crate::crypto::Capability;
use crate::format::{BLOCK, BLOCK_BYTES, Id, LEAF_BYTES, Node};
use crate::inner::{Inner, lock};
use crate::parallel::on_threads;
use crate::{Advance, BlockSink, BlockWriter, Progress, VaultError};

/// Blocks of a piece: 4 MiB, the longest write.
const PIECE_BLOCKS: usize = 64;

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
    on_threads(inner.threads, || {
        if let Err(error) = shared.work() {
            lock(&shared.failure).get_or_insert(error);
            shared.stop.store(true, Ordering::Relaxed);
        }
    });
    if let Some(error) = lock(&shared.failure).take() {
        return Err(error);
    }
    let mut stats = *lock(&shared.stats);
    stats.blocks_zero = disk.size_bytes.div_ceil(BLOCK) - stats.blocks_data;
    Ok(stats)
}

impl Shared<'_> {
    fn work(&self) -> Result<(), VaultError> {
        let failed = |source| VaultError::Sink { offset: 0, source };
        let mut writer = self.sink.writer().map_err(failed)?;
        let mut fetcher = BlockFetcher::new()?;
        let mut buffer = vec![0; PIECE_BLOCKS * BLOCK_BYTES];
        let mut stats = RestoreStats::default();
        while let Some((id, place)) = self.next_leaf()? {
            let leaf = self.inner.node(&id, 0)?;
            self.restore_leaf(&leaf, place, &mut fetcher, &mut buffer, &mut *writer, &mut stats)?;
        }
        writer.flush().map_err(failed)?;
        let mut sum = lock(&self.stats);
        sum.read_bytes += fetcher.read_bytes;
        sum.written_bytes += stats.written_bytes;
        sum.blocks_data += stats.blocks_data;
        Ok(())
    }

    fn check_stop(&self) -> Result<bool, VaultError> {
        if self.progress.cancelled() {
            return Err(VaultError::Cancelled);
        }
        Ok(self.stop.load(Ordering::Relaxed))
    }

    fn next_leaf(&self) -> Result<Option<(Id, u64)>, VaultError> {
        if self.check_stop()? {
            return Ok(None);
        }
        let mut walk = lock(&self.walk);
        let (walk, behind) = &mut *walk;
        let next = walk.next(self.inner, |_, _| true)?;
        let end = match next {
            Some((_, place)) => place.saturating_mul(LEAF_BYTES).min(self.size_bytes),
            None => self.size_bytes,
        };
        // The hole before this leaf, or at the end, needs no work.
        self.progress
            .advance(Advance { done_bytes: end.saturating_sub(*behind), ..Advance::default() });
        *behind = match next {
            Some((_, place)) => (place + 1).saturating_mul(LEAF_BYTES).min(self.size_bytes),
            None => self.size_bytes,
        };
        Ok(next)
    }

    fn restore_leaf(
        &self,
        leaf: &Arc<Node>,
        place: u64,
        fetcher: &mut BlockFetcher,
        buffer: &mut [u8],
        writer: &mut dyn BlockWriter,
        stats: &mut RestoreStats,
    ) -> Result<(), VaultError> {
        let children: Vec<(usize, Id)> = leaf.children().collect();
        let leaf_start = place * LEAF_BYTES;
        let mut done = 0;
        for piece in children.chunk_by(|a, b| a.0 / PIECE_BLOCKS == b.0 / PIECE_BLOCKS) {
            if self.check_stop()? {
                return Ok(());
            }
            let base = piece[0].0 / PIECE_BLOCKS * PIECE_BLOCKS;
            let wanted: Vec<_> =
                piece.iter().map(|(slot, id)| Wanted { id: *id, slot: slot - base }).collect();
            let start = leaf_start + base as u64 * BLOCK;
            let before = fetcher.read_bytes;
            let fetched = fetcher.fetch(self.inner, &wanted, buffer)?;
            fetched.map_err(|failure| failure.on_disk(self.key, start))?;
            for run in wanted.chunk_by(|a, b| a.slot + 1 == b.slot) {
                self.write_run(run, start, buffer, writer, stats)?;
            }
            stats.blocks_data += piece.len() as u64;
            let end_of =
                |slot: usize| (leaf_start + (slot as u64 + 1) * BLOCK).min(self.size_bytes);
            let done_bytes = piece
                .iter()
                .map(|(slot, _)| end_of(*slot) - (leaf_start + *slot as u64 * BLOCK))
                .sum();
            done += done_bytes;
            let read_bytes = fetcher.read_bytes - before;
            self.progress.advance(Advance { read_bytes, done_bytes, ..Advance::default() });
        }
        let whole = (leaf_start + LEAF_BYTES).min(self.size_bytes) - leaf_start;
        self.progress
            .advance(Advance { done_bytes: whole.saturating_sub(done), ..Advance::default() });
        Ok(())
    }

    fn write_run(
        &self,
        run: &[Wanted],
        start: u64,
        buffer: &[u8],
        writer: &mut dyn BlockWriter,
        stats: &mut RestoreStats,
    ) -> Result<(), VaultError> {
        let first = run[0].slot;
        let offset = start + first as u64 * BLOCK;
        // The last block of a disk that ends within it is not written past the end.
        let length = (run.len() as u64 * BLOCK).min(self.size_bytes.saturating_sub(offset));
        let length = usize::try_from(length).expect("a piece is at most 4 MiB");
        let data = &buffer[first * BLOCK_BYTES..][..length];
        let _turn = lock(&self.write_turn);
        writer.write_at(offset, data).map_err(|source| VaultError::Sink { offset, source })?;
        stats.written_bytes += data.len() as u64;
        Ok(())
    }
}
