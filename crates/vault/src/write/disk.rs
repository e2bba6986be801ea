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

use super::buffer::PackBuffer;
use super::fresh::{Fresh, Reliance};
use super::packer::{DATA_PACK_BYTES_TARGET, FinishedPack, put_pack};
use super::plan::{LeafTask, Planner};
use super::tree::{NodeWriter, TreeBuilder};
use super::worker::Worker;
use crate::format::{Id, PackId, PackListing};
use crate::inner::{Inner, lock};
use crate::read::BaseTree;
use crate::{Advance, BlockSource, DiskStats, Progress, VaultError};

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

/// What the threads of a run share.
pub(super) struct Shared<'a> {
    pub(super) run: &'a DiskRun<'a>,
    planner: Mutex<Planner<'a>>,
    pub(super) tree: Mutex<(TreeBuilder, NodeWriter)>,
    listings: Mutex<Vec<PackListing>>,
    published: Mutex<Vec<PackId>>,
    pub(super) found: Mutex<HashSet<PackId>>,
    pub(super) stats: Mutex<DiskStats>,
    pub(super) spare: Mutex<Vec<PackBuffer>>,
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
    pub(super) fn fail(&self, error: VaultError) {
        lock(&self.failure).get_or_insert(error);
        self.stop.store(true, Ordering::Relaxed);
    }

    pub(super) fn stopped(&self) -> bool {
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

    pub(super) fn upload(&self, pack: FinishedPack) -> Result<(), VaultError> {
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
    pub(super) fn next_task(&self) -> Result<Option<LeafTask>, VaultError> {
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

/// A full data pack must fit what a reader accepts.
const _: () = assert!(DATA_PACK_BYTES_TARGET <= crate::format::PACK_BYTES_MAX);
