//! What everybody outside of the vault knows: what the disks hold, which points were asked for and acknowledged.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::rc::Rc;

use coffre_vault_under_test::bucket::Bucket;
use coffre_vault_under_test::format::BLOCK_BYTES;
use coffre_vault_under_test::{
    BlockReader, BlockSink, BlockSource, BlockWriter, Extent, SourceExtent, Unlock,
};
use uuid::Uuid;

use super::rng::Rng;
use super::store::Store;

/// The disks of a point, by key.
pub(super) type Disks = BTreeMap<String, Vec<u8>>;

/// What is known of a point.
#[derive(Debug, Clone, Default)]
pub(super) struct Point {
    /// The item that it is of.
    pub(super) item: usize,
    /// What writers said that it holds; one entry per attempt, for an unknown one of them it may exist.
    pub(super) attempts: Vec<Disks>,
    /// What a writer was told that it holds.
    pub(super) acknowledged: Option<Disks>,
    /// Somebody asked for its deletion.
    pub(super) deletion_asked: bool,
}

/// Everything that actors share besides the store.
#[derive(Debug)]
pub(super) struct World {
    pub(super) points: BTreeMap<Uuid, Point>,
    /// What an item's disks hold now.
    pub(super) items: BTreeMap<usize, Disks>,
    /// How many shared ids of an item were used up.
    pub(super) shared_used: BTreeMap<usize, u64>,
    /// Points whose deletion mark is in the store.
    pub(super) deleted: BTreeSet<Uuid>,
    /// Points that somebody builds on at this moment.
    pub(super) bases_in_use: Vec<Uuid>,
    /// What does not hold, said by an actor.
    pub(super) complaints: Vec<(&'static str, String)>,
    pub(super) done: Counts,
}

/// What was done, to see that simulations do something.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Operations of the store.
    pub operations: u64,
    /// Points committed.
    pub commits: u64,
    /// Writers that had to begin again because of a collector.
    pub overtaken: u64,
    /// Writers whose point a janitor had given up.
    pub aborted: u64,
    /// Collections that came to their end.
    pub collections: u64,
    /// Packs deleted by them.
    pub packs_deleted: u64,
    /// Bytes of blocks moved by them.
    pub bytes_rescued: u64,
    /// Points deleted.
    pub deletions: u64,
    /// Points read and compared.
    pub reads: u64,
    /// Faults that were planned.
    pub faults: u64,
}

impl Counts {
    /// Adds the counts of another simulation.
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.commits += other.commits;
        self.overtaken += other.overtaken;
        self.aborted += other.aborted;
        self.collections += other.collections;
        self.packs_deleted += other.packs_deleted;
        self.bytes_rescued += other.bytes_rescued;
        self.deletions += other.deletions;
        self.reads += other.reads;
        self.faults += other.faults;
    }
}

/// What an actor holds.
#[derive(Clone)]
pub(super) struct Hands {
    pub(super) actor: usize,
    pub(super) store: Store,
    pub(super) bucket: std::sync::Arc<dyn Bucket>,
    pub(super) world: Rc<RefCell<World>>,
    pub(super) unlock: Unlock,
    /// No fault of this actor corrupts what it reads.
    pub(super) reads_are_sound: bool,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            points: BTreeMap::new(),
            items: BTreeMap::new(),
            shared_used: BTreeMap::new(),
            deleted: BTreeSet::new(),
            bases_in_use: Vec::new(),
            complaints: Vec::new(),
            done: Counts::default(),
        }
    }

    /// The disks of an item as they are, made at first sight.
    pub(super) fn disks(&mut self, item: usize) -> &mut Disks {
        self.items.entry(item).or_insert_with(|| {
            let mut chance = Rng::new(0xD15C + item as u64);
            let count = 1 + chance.below(2);
            (0..count)
                .map(|disk| {
                    let blocks = 3 + chance.index(22);
                    let cut = chance.index(BLOCK_BYTES);
                    let mut data = Vec::new();
                    for _ in 0..blocks {
                        data.extend(block(chance.below(14)));
                    }
                    data.truncate(data.len() - cut);
                    (format!("disk{disk}"), data)
                })
                .collect()
        })
    }

    /// Changes some blocks of an item, as a guest does.
    pub(super) fn scribble(&mut self, item: usize, chance: &mut Rng) {
        for data in self.disks(item).values_mut() {
            if chance.chance(1, 12) {
                data.extend(block(chance.below(14)));
            }
            for _ in 0..chance.below(6) {
                let start = chance.index(data.len().div_ceil(BLOCK_BYTES)) * BLOCK_BYTES;
                let end = data.len().min(start + BLOCK_BYTES);
                // Few kinds of blocks, so that items share many, and now and then one that nobody has.
                let kind = if chance.chance(1, 3) { chance.next() } else { chance.below(14) };
                data[start..end].copy_from_slice(&block(kind)[..end - start]);
            }
        }
    }

    /// A point of an item that may serve as a base: acknowledged, and as far as is known not deleted.
    pub(super) fn base(&self, item: usize, chance: &mut Rng) -> Option<(Uuid, Disks)> {
        let usable: Vec<_> = self
            .points
            .iter()
            .filter(|(_, point)| {
                point.item == item && (!point.deletion_asked || chance.clone().chance(1, 4))
            })
            .filter_map(|(id, point)| Some((*id, point.acknowledged.clone()?)))
            .collect();
        chance.pick(&usable).cloned()
    }
}

/// A block of a kind: zeros, compressible or not.
fn block(kind: u64) -> Vec<u8> {
    let mut chance = Rng::new(kind);
    match kind % 7 {
        0 => vec![0; BLOCK_BYTES],
        1 | 2 => vec![u8::try_from(kind % 251).expect("below 251"); BLOCK_BYTES],
        _ => (0..BLOCK_BYTES).map(|_| u8::try_from(chance.below(256)).expect("a byte")).collect(),
    }
}

/// The whole blocks in which two versions of a disk differ. What grew is left out: the vault knows that itself.
pub(super) fn changed(base: &[u8], now: &[u8]) -> Vec<Extent> {
    let blocks = base.len().min(now.len()).div_ceil(BLOCK_BYTES);
    (0..blocks)
        .map(|block| (block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES))
        .filter(|(start, end)| {
            base.get(*start..*end.min(&base.len())) != now.get(*start..*end.min(&now.len()))
        })
        .map(|(start, end)| Extent { offset: start as u64, length: (end - start) as u64 })
        .collect()
}

/// A disk in memory as a source.
pub(super) struct Image<'a>(pub(super) &'a [u8]);

impl BlockSource for Image<'_> {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn reader(&self) -> io::Result<Box<dyn BlockReader + '_>> {
        Ok(Box::new(ImageReader(self.0)))
    }
}

struct ImageReader<'a>(&'a [u8]);

impl BlockReader for ImageReader<'_> {
    fn extents(&mut self, range: Extent) -> io::Result<Vec<SourceExtent>> {
        // Tells of zeros where a whole block is zeros, one block at a time.
        let mut extents = Vec::new();
        let mut at = range.offset;
        while at < range.end() {
            let end = (at / BLOCK_BYTES as u64 + 1) * BLOCK_BYTES as u64;
            let end = end.min(range.end());
            let bytes = usize::try_from(at).ok().zip(usize::try_from(end).ok());
            let zero = bytes
                .and_then(|(from, to)| self.0.get(from..to))
                .is_some_and(|b| b.iter().all(|b| *b == 0));
            extents.push(SourceExtent { offset: at, length: end - at, zero });
            at = end;
        }
        Ok(extents)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let data = self.0.get(start..start + buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(data);
        Ok(())
    }
}

/// A disk in memory to restore to.
pub(super) struct Target(std::sync::Mutex<Vec<u8>>);

impl Target {
    pub(super) fn new(size: usize) -> Self {
        Self(std::sync::Mutex::new(vec![0; size]))
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl BlockSink for Target {
    fn writer(&self) -> io::Result<Box<dyn BlockWriter + '_>> {
        Ok(Box::new(TargetWriter(self)))
    }
}

struct TargetWriter<'a>(&'a Target);

impl BlockWriter for TargetWriter<'_> {
    fn write_at(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        let start = usize::try_from(offset).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut bytes = self.0.0.lock().map_err(|_| io::ErrorKind::Other)?;
        let part = bytes.get_mut(start..start + data.len()).ok_or(io::ErrorKind::InvalidInput)?;
        part.copy_from_slice(data);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
