//! Random access to a disk of a recovery point, with a cache and read-ahead.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, OnceLock};

use uuid::Uuid;

use super::BaseTree;
use super::diff::TreeDiff;
use super::frames::{BlockFetcher, Wanted};
use crate::bounded::Bounded;
use crate::crypto::Capability;
use crate::format::{BLOCK, BLOCK_BYTES, Id, LEAF_BYTES, Node};
use crate::inner::{Inner, lock};
use crate::{Extent, VaultError};

/// Decoded blocks that a reader keeps: 32 MiB.
const CACHE_BLOCKS: usize = 512;
/// A read fetches at least so many neighbours: what a writer puts into one frame.
const FRAME_BLOCKS: u64 = 4;
/// One that goes on where another ended fetches so many: 4 MiB. A leaf holds a whole number of these windows.
const WINDOW_BLOCKS: u64 = if LEAF_BYTES / BLOCK < 64 { FRAME_BLOCKS } else { 64 };
/// Reads this close together are one stream: several threads of a kernel's read-ahead arrive in any order.
const STREAM_BYTES: u64 = 2 << 20;
/// Windows that may be fetched at the same time.
const TURNS: usize = 8;

/// Reads a disk of a recovery point at random. Can be shared between threads.
#[derive(Debug)]
pub struct DiskReader {
    disk: Arc<Disk>,
    /// Where the last read ended.
    last_end: AtomicU64,
    /// Asks for windows before they are read.
    ahead: OnceLock<SyncSender<u64>>,
}

/// What the reader and its read-ahead share.
#[derive(Debug)]
struct Disk {
    inner: Arc<Inner>,
    key: String,
    tree: BaseTree,
    cache: Mutex<Bounded<Id, Arc<[u8]>>>,
    /// So that two threads do not fetch the same window.
    turns: [Mutex<()>; TURNS],
}

type Blocks = HashMap<Id, Arc<[u8]>>;

impl DiskReader {
    pub(crate) fn open(inner: Arc<Inner>, point: Uuid, key: &str) -> Result<Self, VaultError> {
        inner.keyring.require(Capability::Read, "read stored disks")?;
        let record = inner.live_point(point)?.ok_or(VaultError::UnknownPoint(point))?;
        let disk = record.disks.iter().find(|disk| disk.key == key);
        let disk = disk.ok_or_else(|| VaultError::UnknownDisk { point, disk: key.to_owned() })?;
        let tree = BaseTree::new(disk.root, disk.size_bytes);
        let cache = Mutex::new(Bounded::new(CACHE_BLOCKS));
        let disk = Disk { inner, key: key.to_owned(), tree, cache, turns: Default::default() };
        Ok(Self { disk: Arc::new(disk), last_end: AtomicU64::new(0), ahead: OnceLock::new() })
    }

    /// The size of the disk in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.disk.tree.size_bytes
    }

    /// Fills `buffer` from `offset`; every block is verified. Reads that go on where others ended are answered from
    /// larger reads of the store.
    ///
    /// # Errors
    /// Damage; [`VaultError::Limit`] past the end of the disk.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), VaultError> {
        let size_bytes = self.size_bytes();
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= size_bytes);
        let Some(end) = end else {
            let found = offset.saturating_add(buffer.len() as u64);
            let what = "the end of the range in bytes";
            return Err(VaultError::Limit { what, found, limit: size_bytes });
        };
        let last_end = self.last_end.swap(end, Ordering::Relaxed);
        let stream = offset > 0 && offset.abs_diff(last_end) <= STREAM_BYTES;
        const WINDOW: u64 = WINDOW_BLOCKS * BLOCK;
        let mut at = offset;
        while at < end {
            let piece_end = ((at / WINDOW + 1) * WINDOW).min(end);
            let within = |at: u64| usize::try_from(at - offset).expect("within the buffer");
            self.disk.read_piece(at, &mut buffer[within(at)..within(piece_end)], stream)?;
            at = piece_end;
        }
        let window = end / WINDOW;
        // From the middle of a window on, the next one is fetched beside.
        if stream && end % WINDOW >= WINDOW / 2 && (window + 1) * WINDOW < size_bytes {
            self.fetch_ahead(window + 1);
        }
        Ok(())
    }

    /// Never waits: if the thread is busy, the reader is no slower than without it.
    fn fetch_ahead(&self, window: u64) {
        if self.disk.inner.threads < 2 {
            return;
        }
        let ahead = self.ahead.get_or_init(|| {
            let (ask, asked) = sync_channel::<u64>(1);
            let disk = Arc::clone(&self.disk);
            // It ends when the reader, and with it the sender, is dropped.
            std::thread::spawn(move || asked.into_iter().for_each(|window| disk.warm(window)));
            ask
        });
        let _ = ahead.try_send(window);
    }

    /// The parts of `range` that hold data (not zeros), in order, in whole blocks clipped to the range.
    ///
    /// # Errors
    /// Damage of the map.
    pub fn data_extents(&self, range: Extent) -> Result<Vec<Extent>, VaultError> {
        let (inner, tree) = (&self.disk.inner, &self.disk.tree);
        let end = range.end().min(tree.size_bytes);
        let mut extents: Vec<Extent> = Vec::new();
        let mut walk = super::LeafWalk::starting_at(tree, range.offset / LEAF_BYTES);
        while let Some((id, place)) = walk.next(inner, |_, _| true)? {
            if place * LEAF_BYTES >= end {
                break;
            }
            let leaf = inner.node(&id, 0)?;
            for (slot, _) in leaf.children() {
                let start = place * LEAF_BYTES + slot as u64 * BLOCK;
                let (start, stop) = (start.max(range.offset), (start + BLOCK).min(end));
                if start >= stop {
                    continue;
                }
                match extents.last_mut() {
                    Some(last) if last.end() == start => last.length += stop - start,
                    _ => extents.push(Extent { offset: start, length: stop - start }),
                }
            }
        }
        Ok(extents)
    }

    /// The first data (not zeros) at or after `offset`, `None` if there is none: where it begins, and how much follows at
    /// least without a gap.
    ///
    /// # Errors
    /// Damage of the map.
    pub fn next_data(&self, offset: u64) -> Result<Option<Extent>, VaultError> {
        let (inner, tree) = (&self.disk.inner, &self.disk.tree);
        let mut walk = super::LeafWalk::starting_at(tree, offset / LEAF_BYTES);
        while let Some((id, place)) = walk.next(inner, |_, _| true)? {
            let leaf = inner.node(&id, 0)?;
            let mut found: Option<Extent> = None;
            for (slot, _) in leaf.children() {
                let start = place * LEAF_BYTES + slot as u64 * BLOCK;
                let (start, stop) = (start.max(offset), (start + BLOCK).min(tree.size_bytes));
                match &mut found {
                    _ if start >= stop => {}
                    None => found = Some(Extent { offset: start, length: stop - start }),
                    Some(extent) if extent.end() == start => extent.length += stop - start,
                    Some(_) => break,
                }
            }
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Calls `each` with the parts of this disk that differ from `base`, in order, in whole blocks clipped to the size
    /// of this disk. Where the base is shorter, it counts as zeros. Only maps are read, and of them only what differs.
    ///
    /// # Errors
    /// Damage of a map; [`VaultError::Invalid`] if the disks are of two vaults.
    pub fn changed_since(
        &self,
        base: &DiskReader,
        each: &mut dyn FnMut(Extent),
    ) -> Result<(), VaultError> {
        if self.disk.inner.vault != base.disk.inner.vault {
            let what = "blocks of two vaults have no common names".to_owned();
            return Err(VaultError::Invalid(what));
        }
        TreeDiff::new(&self.disk.inner, each).run(&base.disk.tree, &self.disk.tree)
    }
}

/// The slot of a block in its leaf.
fn slot_of(block: u64) -> usize {
    usize::try_from(block % (LEAF_BYTES / BLOCK)).expect("a slot is below the fan-out")
}

impl Disk {
    /// Reads within one window.
    fn read_piece(
        &self,
        offset: u64,
        buffer: &mut [u8],
        whole_window: bool,
    ) -> Result<(), VaultError> {
        let Some(leaf) = self.tree.leaf(&self.inner, offset / LEAF_BYTES)? else {
            buffer.fill(0);
            return Ok(());
        };
        let end = offset + buffer.len() as u64;
        let needed = offset / BLOCK..end.div_ceil(BLOCK);
        let blocks = self.blocks(&leaf, &needed, whole_window)?;
        for block in needed {
            let start = (block * BLOCK).max(offset);
            let stop = ((block + 1) * BLOCK).min(end);
            let part = |from: u64, at: u64| {
                usize::try_from(at - from).expect("within a block or the buffer")
            };
            let target = &mut buffer[part(offset, start)..part(offset, stop)];
            match leaf.child(slot_of(block)) {
                None => target.fill(0),
                Some(id) => {
                    let source = &blocks[&id];
                    target.copy_from_slice(
                        &source[part(block * BLOCK, start)..part(block * BLOCK, stop)],
                    );
                }
            }
        }
        Ok(())
    }

    /// The data blocks of a range within one window.
    fn blocks(
        &self,
        leaf: &Node,
        needed: &Range<u64>,
        whole_window: bool,
    ) -> Result<Blocks, VaultError> {
        let (found, missing) = self.cached(leaf, needed);
        if missing.is_empty() {
            return Ok(found);
        }
        let unit = if whole_window { WINDOW_BLOCKS } else { FRAME_BLOCKS };
        let wide = needed.start / unit * unit..needed.end.next_multiple_of(unit);
        match self.load(leaf, &wide) {
            // What was fetched besides must not fail a read that does not need it.
            Err(error) if error.is_damage() && wide != *needed => self.load(leaf, needed),
            other => other,
        }
    }

    /// What the cache holds of a range, and what it does not.
    fn cached(&self, leaf: &Node, range: &Range<u64>) -> (Blocks, Vec<(u64, Id)>) {
        let mut cache = lock(&self.cache);
        let (mut found, mut missing) = (Blocks::new(), Vec::new());
        for block in range.clone() {
            let Some(id) = leaf.child(slot_of(block)) else { continue };
            match cache.get(&id) {
                Some(bytes) => drop(found.insert(id, bytes)),
                None => missing.push((block, id)),
            }
        }
        (found, missing)
    }

    /// Reads the blocks of a range that the cache does not hold, into the cache as well.
    fn load(&self, leaf: &Node, range: &Range<u64>) -> Result<Blocks, VaultError> {
        let turn = usize::try_from(range.start / WINDOW_BLOCKS % TURNS as u64).expect("below 8");
        let _turn = lock(&self.turns[turn]);
        // Whoever had the turn before may have brought it.
        let (mut blocks, missing) = self.cached(leaf, range);
        if missing.is_empty() {
            return Ok(blocks);
        }
        let wanted: Vec<Wanted> =
            missing.iter().enumerate().map(|(slot, (_, id))| Wanted { id: *id, slot }).collect();
        let mut raw = vec![0; BLOCK_BYTES * wanted.len()];
        let fetched = BlockFetcher::new()?.fetch(&self.inner, &wanted, &mut raw)?;
        fetched.map_err(|failure| {
            let block = missing[failure.slot].0;
            failure.on_disk_at(&self.key, block * BLOCK)
        })?;
        let mut cache = lock(&self.cache);
        for (want, bytes) in wanted.iter().zip(raw.chunks(BLOCK_BYTES)) {
            let block: Arc<[u8]> = Arc::from(bytes);
            cache.insert(want.id, Arc::clone(&block));
            blocks.insert(want.id, block);
        }
        Ok(blocks)
    }

    /// Brings a window into the cache. Whoever needs what fails here will meet the error itself.
    fn warm(&self, window: u64) {
        let first = window * WINDOW_BLOCKS;
        if let Ok(Some(leaf)) = self.tree.leaf(&self.inner, first * BLOCK / LEAF_BYTES) {
            let _ = self.load(&leaf, &(first..first + WINDOW_BLOCKS));
        }
    }
}
