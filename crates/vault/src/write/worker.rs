//! One worker of the pipeline: takes a leaf, reads what is to be read of it, and stores what is new.

use std::collections::HashSet;
use std::sync::mpsc::SyncSender;

use super::disk::Shared;
use super::fresh::Probe;
use super::packer::{FinishedPack, Packer};
use super::plan::{LeafTask, align, clip};
use crate::format::{BLOCK, BLOCK_BYTES, FRAME_PARTS_WRITTEN, Id, LEAF_BYTES, Node, PackId, Seal};
use crate::inner::lock;
use crate::{Advance, BlockReader, DiskStats, Extent, SourceExtent, VaultError};

/// How much is read at once, one frame: stays in a core's own cache between reading, hash and compression.
const READ_BYTES: usize = 256 * 1024;

/// One worker thread.
pub(super) struct Worker<'s, 'a> {
    shared: &'s Shared<'a>,
    /// To the uploads; without them the worker uploads by itself.
    sender: Option<SyncSender<FinishedPack>>,
    reader: Box<dyn BlockReader + 'a>,
    packer: Packer,
    /// A piece; never grows, so that it is filled with zeros once only.
    buffer: Vec<u8>,
    stats: DiskStats,
    found: HashSet<PackId>,
}

impl<'s, 'a> Worker<'s, 'a> {
    pub(super) fn new(
        shared: &'s Shared<'a>,
        sender: Option<SyncSender<FinishedPack>>,
    ) -> Result<Self, VaultError> {
        let reader = shared
            .run
            .source
            .reader()
            .map_err(|source| VaultError::Source { offset: 0, source })?;
        Ok(Self {
            shared,
            sender,
            reader,
            packer: Packer::new(Seal::Data)?,
            buffer: vec![0; READ_BYTES],
            stats: DiskStats::default(),
            found: HashSet::new(),
        })
    }

    pub(super) fn run(&mut self) -> Result<(), VaultError> {
        while !self.shared.stopped() {
            let Some(task) = self.shared.next_task()? else { break };
            self.do_leaf(&task)?;
        }
        if self.shared.stopped() {
            return Ok(());
        }
        let last = self.packer.finish(self.shared.run.inner)?;
        self.send(last);
        let mut sum = lock(&self.shared.stats);
        sum.add(&self.stats);
        lock(&self.shared.found).extend(self.found.drain());
        Ok(())
    }

    fn do_leaf(&mut self, task: &LeafTask) -> Result<(), VaultError> {
        let run = self.shared.run;
        let base = match &run.base {
            Some(base) if task.leaf * LEAF_BYTES < base.size_bytes => {
                base.leaf(run.inner, task.leaf)?
            }
            _ => None,
        };
        let mut node = base.map_or_else(|| Node::empty(0), |leaf| (*leaf).clone());
        self.stats.blocks_zero += task.zero_blocks;
        let reads =
            if run.base.is_some() { self.drop_zeros(task, &mut node)? } else { task.reads.clone() };
        let read_total: u64 = reads.iter().map(|read| read.length).sum();
        self.reader.announce(&reads);
        let done_bytes = task.done_bytes.saturating_sub(read_total);
        run.progress.advance(Advance { done_bytes, ..Advance::default() });
        for read in reads {
            let mut at = read.offset;
            while at < read.end() {
                if self.shared.stopped() {
                    return Ok(());
                }
                // Pieces end at multiples of their size, so that frames of later runs meet frames of this one.
                let piece_end = (at / READ_BYTES as u64 + 1) * READ_BYTES as u64;
                let length = piece_end.min(read.end()) - at;
                self.do_piece(task.leaf, Extent { offset: at, length }, &mut node)?;
                at += length;
            }
        }
        let mut tree = lock(&self.shared.tree);
        let (tree, nodes) = &mut *tree;
        let id = nodes.write(run.inner, node)?;
        tree.finish(run.inner, nodes, task.leaf, id)
    }

    /// Of the changed ranges, those that the source knows to be zeros now need no reading.
    fn drop_zeros(&mut self, task: &LeafTask, node: &mut Node) -> Result<Vec<Extent>, VaultError> {
        let (Some(first), Some(last)) = (task.reads.first(), task.reads.last()) else {
            return Ok(Vec::new());
        };
        let (mut at, end) = (first.offset, last.end());
        let mut known = Vec::new();
        while at < end {
            let window = Extent { offset: at, length: end - at };
            let extents = self
                .reader
                .extents(window)
                .map_err(|source| VaultError::Source { offset: at, source })?;
            let extents = clip(extents, window);
            let Some(last) = extents.last() else { break };
            at = last.offset + last.length;
            known.extend(extents);
        }
        known.push(SourceExtent { offset: at, length: end - at, zero: false });
        let mut data = Vec::new();
        for read in &task.reads {
            for extent in known.iter().filter(|extent| !extent.zero) {
                let start = extent.offset.max(read.offset);
                let stop = (extent.offset + extent.length).min(read.end());
                if start < stop {
                    data.push(Extent { offset: start, length: stop - start });
                }
            }
        }
        let data = align(&data, self.shared.run.size_bytes);
        let mut still_data = HashSet::new();
        for extent in &data {
            still_data.extend(extent.offset / BLOCK..extent.end().div_ceil(BLOCK));
        }
        for read in &task.reads {
            for block in read.offset / BLOCK..read.end().div_ceil(BLOCK) {
                if !still_data.contains(&block) {
                    node.set(slot(task.leaf, block), None);
                    self.stats.blocks_zero += 1;
                }
            }
        }
        Ok(data)
    }

    /// Reads one piece and takes its blocks into the node.
    fn do_piece(&mut self, leaf: u64, piece: Extent, node: &mut Node) -> Result<(), VaultError> {
        let run = self.shared.run;
        let length =
            usize::try_from(piece.length).expect("a piece is at most what is read at once");
        let mut held = std::mem::take(&mut self.buffer);
        let whole = length.next_multiple_of(BLOCK_BYTES);
        let buffer = &mut held[..whole];
        // The last block of a disk that ends within it is filled up with zeros.
        buffer[length..].fill(0);
        let offset = piece.offset;
        self.reader
            .read_at(offset, &mut buffer[..length])
            .map_err(|source| VaultError::Source { offset, source })?;
        let before = self.stats;
        let mut run_of_new: Vec<Id> = Vec::with_capacity(FRAME_PARTS_WRITTEN);
        for (at, block) in buffer.chunks_exact(BLOCK_BYTES).enumerate() {
            let slot = slot(leaf, offset / BLOCK + at as u64);
            let mut new = None;
            if is_zero(block) {
                self.stats.blocks_zero += 1;
                node.set(slot, None);
            } else {
                let id = Id::of(&run.inner.block_key, block);
                node.set(slot, Some(id));
                match run.fresh.probe(run.inner, id)? {
                    Probe::New => new = Some(id),
                    Probe::OfThisRun => self.stats.blocks_reused += 1,
                    Probe::Stored(pack) => {
                        self.stats.blocks_reused += 1;
                        self.found.insert(pack);
                    }
                }
            }
            if new.is_none() || run_of_new.len() == FRAME_PARTS_WRITTEN {
                self.store(&mut run_of_new, &buffer[..at * BLOCK_BYTES])?;
            }
            run_of_new.extend(new);
        }
        self.store(&mut run_of_new, buffer)?;
        self.buffer = held;
        self.stats.read_bytes += piece.length;
        let new_bytes = (self.stats.blocks_new - before.blocks_new) * BLOCK;
        self.stats.new_bytes += new_bytes;
        let (read_bytes, done_bytes) = (piece.length, piece.length);
        run.progress.advance(Advance { read_bytes, new_bytes, stored_bytes: 0, done_bytes });
        Ok(())
    }

    /// Stores a run of new neighbours, which are the last blocks of `buffer`.
    fn store(&mut self, ids: &mut Vec<Id>, buffer: &[u8]) -> Result<(), VaultError> {
        if ids.is_empty() {
            return Ok(());
        }
        let raw = &buffer[buffer.len() - ids.len() * BLOCK_BYTES..];
        let inner = self.shared.run.inner;
        let finished = self.packer.make_room(inner, ids.len(), raw.len())?;
        self.send(finished);
        if self.packer.wants_buffer()
            && let Some(spare) = lock(&self.shared.spare).pop()
        {
            self.packer.recycle(spare);
        }
        self.packer.add(inner, ids, raw)?;
        self.stats.blocks_new += ids.len() as u64;
        ids.clear();
        Ok(())
    }

    fn send(&mut self, pack: Option<FinishedPack>) {
        let Some(pack) = pack else { return };
        // The uploads end after the workers, so somebody takes it.
        match &self.sender {
            Some(sender) => {
                let _ = sender.send(pack);
            }
            None => {
                if let Err(error) = self.shared.upload(pack) {
                    self.shared.fail(error);
                }
            }
        }
    }
}

fn slot(leaf: u64, block: u64) -> usize {
    let first = leaf * (LEAF_BYTES / BLOCK);
    usize::try_from(block - first).expect("a block of the leaf")
}

/// Whether a block is all zeros.
fn is_zero(block: &[u8]) -> bool {
    let (chunks, rest) = block.as_chunks::<128>();
    chunks.iter().all(|chunk| chunk.iter().fold(0, |all, byte| all | byte) == 0)
        && rest.iter().all(|byte| *byte == 0)
}
