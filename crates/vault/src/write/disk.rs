//! The pipeline of one disk.
//!
//! ```text
//! planner ─► N workers, each: read ► zero? ► hash ► known? ► compress ► seal ► check ─► M uploads ─► segment
//!                     └────────────── finished leaf ──► tree ──► packs of nodes
//! ```
//!
//! A worker takes one leaf (16 MiB of disk) at a time and reads it in pieces that stay in its cache. There are no queues
//! but the one to the uploads, which holds nothing: a worker waits until an upload takes its pack. The first failure
//! of anybody stops all.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::fresh::{Fresh, Probe, Reliance};
use super::packer::{DATA_PACK_BYTES_TARGET, FinishedPack, Packer, put_pack};
use super::plan::{LeafTask, Planner, align, clip};
use super::tree::{NodeWriter, TreeBuilder};
use crate::format::{
    BLOCK, BLOCK_BYTES, FRAME_PARTS_WRITTEN, Id, LEAF_BYTES, Node, PackId, PackListing, Seal,
};
use crate::inner::{Inner, lock};
use crate::read::BaseTree;
use crate::{
    Advance, BlockReader, BlockSource, DiskStats, Extent, Progress, SourceExtent, VaultError,
};

/// How much is read at once: stays in a core's own cache between hash and compression.
const READ_BYTES: usize = 1024 * 1024;
/// Uploads at a time.
const UPLOADS: usize = 2;
/// After so many packs a segment is published, so that an interrupted run is not lost.
const SEGMENT_PACKS: usize = if cfg!(coffre_sim) { 3 } else { 64 };
/// Work below this is not worth another thread and another half-filled pack.
const BYTES_PER_WORKER: u64 = 8 * 1024 * 1024;

/// What a run of the pipeline works on.
pub(crate) struct DiskRun<'a> {
    pub(crate) inner: &'a Inner,
    pub(crate) point: [u8; 16],
    pub(crate) source: &'a dyn BlockSource,
    pub(crate) size_bytes: u64,
    /// The map that stays where the plan does not reach.
    pub(crate) base: Option<BaseTree>,
    pub(crate) fresh: &'a Fresh,
    pub(crate) progress: &'a dyn Progress,
}

struct Shared<'a> {
    run: &'a DiskRun<'a>,
    planner: Mutex<Planner<'a>>,
    tree: Mutex<(TreeBuilder, NodeWriter)>,
    listings: Mutex<Vec<PackListing>>,
    published: Mutex<Vec<PackId>>,
    found: Mutex<HashSet<PackId>>,
    stats: Mutex<DiskStats>,
    spare: Mutex<Vec<Vec<u8>>>,
    failure: Mutex<Option<VaultError>>,
    stop: AtomicBool,
}

impl<'a> DiskRun<'a> {
    /// Runs the plan. Gives the root of the new map and what was done; the packs that it counts on go to `reliance`.
    pub(crate) fn run(
        &'a self,
        planner: Planner<'a>,
        plan_bytes: u64,
        reliance: &mut Reliance,
    ) -> Result<(Option<Id>, DiskStats), VaultError> {
        let wanted = plan_bytes.div_ceil(BYTES_PER_WORKER).max(1);
        let workers = usize::try_from(wanted).unwrap_or(usize::MAX).min(self.inner.threads);
        let shared = Shared {
            run: self,
            planner: Mutex::new(planner),
            tree: Mutex::new((TreeBuilder::new(self.size_bytes, self.base), NodeWriter::new()?)),
            listings: Mutex::default(),
            published: Mutex::default(),
            found: Mutex::default(),
            stats: Mutex::default(),
            spare: Mutex::default(),
            failure: Mutex::default(),
            stop: AtomicBool::new(false),
        };
        if self.inner.threads == 1 {
            shared.work(None);
            return shared.close(reliance);
        }
        let (sender, receiver) = sync_channel::<FinishedPack>(0);
        let receiver = Mutex::new(receiver);
        thread::scope(|scope| {
            for _ in 0..UPLOADS.min(workers) {
                scope.spawn(|| shared.upload_all(&receiver));
            }
            for _ in 0..workers {
                let sender = sender.clone();
                scope.spawn(|| shared.work(Some(sender)));
            }
            drop(sender);
        });
        shared.close(reliance)
    }
}

impl Shared<'_> {
    fn fail(&self, error: VaultError) {
        lock(&self.failure).get_or_insert(error);
        self.stop.store(true, Ordering::Relaxed);
    }

    fn stopped(&self) -> bool {
        if self.run.progress.cancelled() {
            self.fail(VaultError::Cancelled);
        }
        self.stop.load(Ordering::Relaxed)
    }

    /// One uploading thread. After a failure it goes on to take packs, so that no worker waits for ever.
    fn upload_all(&self, receiver: &Mutex<Receiver<FinishedPack>>) {
        loop {
            let received = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(pack) = received else { return };
            if self.stop.load(Ordering::Relaxed) {
                continue;
            }
            if let Err(error) = self.upload(pack) {
                self.fail(error);
            }
        }
    }

    fn upload(&self, pack: FinishedPack) -> Result<(), VaultError> {
        put_pack(self.run.inner, &pack)?;
        let stored_bytes = pack.bytes.len() as u64;
        lock(&self.stats).stored_bytes += stored_bytes;
        self.run.progress.advance(Advance { stored_bytes, ..Advance::default() });
        lock(&self.spare).push(pack.bytes);
        let full = {
            let mut listings = lock(&self.listings);
            listings.push(pack.listing);
            (listings.len() >= SEGMENT_PACKS).then(|| std::mem::take(&mut *listings))
        };
        full.map_or(Ok(()), |listings| self.publish(listings))
    }

    fn publish(&self, listings: Vec<PackListing>) -> Result<(), VaultError> {
        if listings.is_empty() {
            return Ok(());
        }
        let packs: Vec<_> = listings.iter().map(|listing| listing.pack).collect();
        let stored = self.run.inner.publish_segment(self.run.point, &listings)?;
        self.run.fresh.remove(&listings);
        lock(&self.published).extend(packs);
        lock(&self.stats).stored_bytes += stored;
        Ok(())
    }

    fn work(&self, sender: Option<SyncSender<FinishedPack>>) {
        let worked = Worker::new(self, sender).and_then(|mut worker| worker.run());
        if let Err(error) = worked {
            self.fail(error);
        }
    }

    /// The next task, noted in the tree in the same breath, so that leaves are begun in order.
    fn next_task(&self) -> Result<Option<LeafTask>, VaultError> {
        let mut planner = lock(&self.planner);
        let task = planner.next()?;
        match &task {
            Some(task) => lock(&self.tree).0.begin(task.leaf),
            None => {
                let (blocks_zero, done_bytes) = planner.take_skipped();
                lock(&self.stats).blocks_zero += blocks_zero;
                self.run.progress.advance(Advance { done_bytes, ..Advance::default() });
            }
        }
        Ok(task)
    }

    /// After all threads are gone: the map, the last segment, the sums.
    fn close(self, reliance: &mut Reliance) -> Result<(Option<Id>, DiskStats), VaultError> {
        let inner = self.run.inner;
        if let Some(error) = lock(&self.failure).take() {
            // What is stored already is named, so that the next attempt finds it; if that fails too, it is collected.
            let listings = std::mem::take(&mut *lock(&self.listings));
            let _ = self.publish(listings);
            return Err(error);
        }
        let (tree, mut nodes) = std::mem::replace(
            &mut *lock(&self.tree),
            (TreeBuilder::new(0, None), NodeWriter::new()?),
        );
        let root = tree.close(inner, &mut nodes)?;
        nodes.finish(inner)?;
        let mut listings = std::mem::take(&mut *lock(&self.listings));
        listings.append(&mut nodes.listings);
        self.publish(listings)?;
        reliance.own.extend(lock(&self.published).iter());
        reliance.found.extend(lock(&self.found).iter());
        reliance.found.extend(nodes.relied);
        let mut stats = *lock(&self.stats);
        stats.stored_bytes += nodes.stored_bytes;
        Ok((root, stats))
    }
}

/// One worker thread.
struct Worker<'s, 'a> {
    shared: &'s Shared<'a>,
    /// To the uploads; without them the worker uploads by itself.
    sender: Option<SyncSender<FinishedPack>>,
    reader: Box<dyn BlockReader + 'a>,
    packer: Packer,
    buffer: Vec<u8>,
    stats: DiskStats,
    found: HashSet<PackId>,
}

impl<'s, 'a> Worker<'s, 'a> {
    fn new(
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
            buffer: Vec::new(),
            stats: DiskStats::default(),
            found: HashSet::new(),
        })
    }

    fn run(&mut self) -> Result<(), VaultError> {
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
        let length = usize::try_from(piece.length).expect("a piece is at most a megabyte");
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(length.next_multiple_of(BLOCK_BYTES), 0);
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
        self.store(&mut run_of_new, &buffer)?;
        self.buffer = buffer;
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

/// A full data pack must fit what a reader accepts.
const _: () = assert!(DATA_PACK_BYTES_TARGET <= crate::format::PACK_BYTES_MAX);
