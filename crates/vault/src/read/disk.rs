//! Random access to a disk of a recovery point.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use uuid::Uuid;

use super::BaseTree;
use super::frames::{BlockFetcher, Wanted};
use crate::crypto::Capability;
use crate::format::{BLOCK, BLOCK_BYTES, Id, LEAF_BYTES, Node};
use crate::inner::{Bounded, Inner, lock};
use crate::{Extent, VaultError};

/// Decoded blocks that a reader keeps: 32 MiB.
const CACHE_BLOCKS: usize = 512;
/// A read shorter than this fetches the blocks around it in the same frame as well.
const AHEAD_BLOCKS: u64 = 4;

/// Reads a disk of a recovery point at random. Can be shared between threads.
#[derive(Debug)]
pub struct DiskReader {
    inner: Arc<Inner>,
    key: String,
    tree: BaseTree,
    cache: Mutex<Bounded<Id, Arc<[u8]>>>,
}

impl DiskReader {
    pub(crate) fn open(inner: Arc<Inner>, point: Uuid, key: &str) -> Result<Self, VaultError> {
        inner.keyring.require(Capability::Read, "read stored disks")?;
        let record = inner.live_point(point)?.ok_or(VaultError::UnknownPoint(point))?;
        let disk = record.disks.iter().find(|disk| disk.key == key);
        let disk = disk.ok_or_else(|| VaultError::UnknownDisk { point, disk: key.to_owned() })?;
        let tree = BaseTree::new(disk.root, disk.size_bytes);
        Ok(Self { inner, key: key.to_owned(), tree, cache: Mutex::new(Bounded::new(CACHE_BLOCKS)) })
    }

    /// The size of the disk in bytes.
    pub fn size_bytes(&self) -> u64 {
        self.tree.size_bytes
    }

    /// Fills `buffer` from `offset`; every block is verified.
    ///
    /// # Errors
    /// Damage; [`VaultError::Limit`] past the end of the disk.
    pub fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), VaultError> {
        let end =
            offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.tree.size_bytes);
        let Some(end) = end else {
            let (found, limit) = (offset.saturating_add(buffer.len() as u64), self.tree.size_bytes);
            return Err(VaultError::Limit { what: "the end of the range in bytes", found, limit });
        };
        let mut at = offset;
        while at < end {
            // At most what one frame or a sixteenth of a leaf holds, so that memory stays small for long reads.
            let piece_end = (at / (AHEAD_BLOCKS * BLOCK) + 1) * AHEAD_BLOCKS * BLOCK;
            let piece_end = piece_end.min(end);
            let from = usize::try_from(at - offset).expect("within the buffer");
            let to = usize::try_from(piece_end - offset).expect("within the buffer");
            self.read_piece(at, &mut buffer[from..to])?;
            at = piece_end;
        }
        Ok(())
    }

    /// Reads within four neighbouring blocks.
    fn read_piece(&self, offset: u64, buffer: &mut [u8]) -> Result<(), VaultError> {
        let first = offset / (AHEAD_BLOCKS * BLOCK) * AHEAD_BLOCKS;
        let Some(leaf) = self.tree.leaf(&self.inner, offset / LEAF_BYTES)? else {
            buffer.fill(0);
            return Ok(());
        };
        let slot = |block: u64| {
            usize::try_from(block % (LEAF_BYTES / BLOCK)).expect("a slot is below 256")
        };
        let needed = offset / BLOCK..(offset + buffer.len() as u64).div_ceil(BLOCK);
        let mut blocks: HashMap<Id, Arc<[u8]>> = {
            let cache = lock(&self.cache);
            let ids = needed.clone().filter_map(|block| leaf.child(slot(block)));
            ids.filter_map(|id| Some((id, cache.get(&id)?))).collect()
        };
        if needed
            .clone()
            .filter_map(|block| leaf.child(slot(block)))
            .any(|id| !blocks.contains_key(&id))
        {
            blocks = self.load(first, &leaf)?;
        }
        for block in needed {
            let start = (block * BLOCK).max(offset);
            let end = ((block + 1) * BLOCK).min(offset + buffer.len() as u64);
            let part = |from: u64, at: u64| {
                usize::try_from(at - from).expect("within a block or the buffer")
            };
            let target = &mut buffer[part(offset, start)..part(offset, end)];
            match leaf.child(slot(block)) {
                None => target.fill(0),
                Some(id) => target.copy_from_slice(
                    &blocks[&id][part(block * BLOCK, start)..part(block * BLOCK, end)],
                ),
            }
        }
        Ok(())
    }

    /// Reads four neighbouring blocks, also into the cache.
    fn load(&self, first: u64, leaf: &Node) -> Result<HashMap<Id, Arc<[u8]>>, VaultError> {
        let slots = (0..AHEAD_BLOCKS).map(|at| (at, (first + at) % (LEAF_BYTES / BLOCK)));
        let wanted: Vec<Wanted> = slots
            .filter_map(|(at, slot)| {
                let id = leaf.child(usize::try_from(slot).ok()?)?;
                Some(Wanted { id, slot: usize::try_from(at).ok()? })
            })
            .collect();
        let mut raw = vec![0; BLOCK_BYTES * usize::try_from(AHEAD_BLOCKS).expect("four")];
        let fetched = BlockFetcher::new()?.fetch(&self.inner, &wanted, &mut raw)?;
        fetched.map_err(|failure| failure.on_disk(&self.key, first * BLOCK))?;
        let mut cache = lock(&self.cache);
        let mut blocks = HashMap::new();
        for want in wanted {
            let block: Arc<[u8]> =
                Arc::from(&raw[want.slot * BLOCK_BYTES..(want.slot + 1) * BLOCK_BYTES]);
            cache.insert(want.id, Arc::clone(&block));
            blocks.insert(want.id, block);
        }
        Ok(blocks)
    }

    /// The parts of `range` that hold data (not zeros), in order, in whole blocks clipped to the range.
    ///
    /// # Errors
    /// Damage of the map.
    pub fn data_extents(&self, range: Extent) -> Result<Vec<Extent>, VaultError> {
        let end = range.end().min(self.tree.size_bytes);
        let mut extents: Vec<Extent> = Vec::new();
        let mut walk = super::LeafWalk::starting_at(&self.tree, range.offset / LEAF_BYTES);
        while let Some((id, place)) = walk.next(&self.inner, |_, _| true)? {
            if place * LEAF_BYTES >= end {
                break;
            }
            let leaf = self.inner.node(&id, 0)?;
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
}
