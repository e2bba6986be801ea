//! A whole collection of a large vault: ten million blocks, two disks that share a part of them, one of them deleted.
//! And what a writer needs before it can begin in such a vault.
//!
//! The blocks are names only: their packs are empty files, because nothing reads a block that is not moved. Everything
//! that a collector reads is real: segments, maps, decisions, lists. `COFFRE_COLLECT_BLOCKS` is the number of blocks;
//! at ten million the promise is held to: under five minutes, within 512 MiB.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use uuid::Uuid;

use crate::bucket::{Bucket, FolderBucket};
use crate::format::{
    BLOCK, CommittedRecord, DecisionRecord, DiskRecord, Frame, Id, NODE_FANOUT, Node, PackId,
    PackListing, ReceiptRecord, RecordKind, Seal, SealedMetadata, Segment, root_level, seal_record,
};
use crate::inner::Inner;
use crate::points::{decision_key, receipt_key};
use crate::write::{Packer, put_pack};
use crate::{CollectOptions, DiskStats, Passphrase, Unlock, Vault};

/// Frames of a pack and blocks of a frame: packs of about 12 MiB.
const FRAMES: u64 = 120;
const PARTS: u64 = 4;
const PACK_BLOCKS: u64 = FRAMES * PARTS;
/// Packs of a segment.
const SEGMENT_PACKS: u64 = 64;

struct Builder<'a> {
    inner: &'a Inner,
    folder: &'a Path,
}

fn block(number: u64) -> Id {
    Id(*blake3::hash(&number.to_le_bytes()).as_bytes())
}

fn pack(number: u64) -> PackId {
    PackId(*blake3::hash(&number.to_be_bytes()).as_bytes().first_chunk().unwrap())
}

impl Builder<'_> {
    fn publish(&self, packs: &[PackListing]) {
        let name: [u8; 16] = crate::crypto::random().unwrap();
        let key = format!("index/{}", Uuid::from_bytes(name).simple());
        let (keyring, vault) = (&self.inner.keyring, &self.inner.vault);
        let plain = Segment::write([0; 16], packs);
        let sealed = seal_record(keyring, vault, RecordKind::Segment, &key, &plain).unwrap();
        self.inner.bucket.create(&key, &sealed).unwrap();
    }

    /// A pack of blocks as the index lists it, and an empty file in its place.
    fn data_pack(&self, number: u64) -> PackListing {
        let pack = pack(number);
        let path = self.folder.join(pack.object());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, b"").unwrap();
        let frames = (0..FRAMES).map(|frame| Frame {
            offset: u32::try_from(frame).unwrap() * 100_000,
            bytes: 100_000,
            ids: (0..PARTS)
                .map(|part| block(number * PACK_BLOCKS + frame * PARTS + part))
                .collect(),
        });
        PackListing {
            pack,
            kind: Seal::Data,
            group: 0,
            bytes: 12_010_000,
            digest: [0; 32],
            verified: true,
            vouched: false,
            frames: frames.collect(),
        }
    }

    /// All packs of blocks. Each segment names packs from everywhere, so that a deletion touches every segment.
    fn data_packs(&self, packs: u64) {
        let segments = packs.div_ceil(SEGMENT_PACKS);
        for segment in 0..segments {
            let numbers = (segment..packs).step_by(usize::try_from(segments).unwrap());
            self.publish(&numbers.map(|number| self.data_pack(number)).collect::<Vec<_>>());
        }
    }

    /// A disk of these blocks, in order: its map is stored, as a writer does it.
    fn disk(&self, blocks: std::ops::Range<u64>) -> DiskRecord {
        let size_bytes = (blocks.end - blocks.start) * BLOCK;
        let mut packer = Packer::new(Seal::Node).unwrap();
        let mut listings = Vec::new();
        let mut level: Box<dyn Iterator<Item = Id>> = Box::new(blocks.map(block));
        let mut height = 0;
        let root = loop {
            let mut names = Vec::new();
            let mut children = level.peekable();
            while children.peek().is_some() {
                let mut node = Node::empty(height);
                for slot in 0..NODE_FANOUT {
                    node.set(slot, children.next());
                }
                let bytes = node.to_bytes();
                let name = Id::of(&self.inner.node_key, &bytes);
                if let Some(full) = packer.make_room(self.inner, 1, bytes.len()).unwrap() {
                    put_pack(self.inner, &full).unwrap();
                    listings.push(full.listing);
                }
                packer.add(self.inner, &[name], &bytes).unwrap();
                names.push(name);
            }
            if height == root_level(size_bytes) {
                break names[0];
            }
            height += 1;
            level = Box::new(names.into_iter());
        };
        if let Some(last) = packer.finish(self.inner).unwrap() {
            put_pack(self.inner, &last).unwrap();
            listings.push(last.listing);
        }
        self.publish(&listings);
        DiskRecord {
            key: "disk".to_owned(),
            size_bytes,
            root: Some(root.0),
            stats: DiskStats::default(),
        }
    }

    fn point(&self, point: Uuid, blocks: std::ops::Range<u64>) {
        let record = CommittedRecord {
            point,
            name: point.to_string(),
            time_unix_ms: 0,
            disks: vec![self.disk(blocks)],
            metadata: SealedMetadata { generation: 1, enc: [0; 32], sealed: Vec::new() },
            previous: None,
            voucher: None,
            locked_until_unix_ms: None,
        };
        let (key, record) = (decision_key(point), DecisionRecord::Committed(Box::new(record)));
        let sealed = self.inner.seal_json(RecordKind::Decision, &key, &record).unwrap();
        self.inner.bucket.create(&key, &sealed).unwrap();
        let receipt = ReceiptRecord { point, digest: *blake3::hash(&sealed).as_bytes() };
        self.inner.create_json(RecordKind::Receipt, &receipt_key(point), &receipt).unwrap();
    }
}

/// A number of this process as the kernel counts it, in KiB.
fn status(name: &str) -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').trim().trim_end_matches(" kB").parse().unwrap()
}

/// Processor time of this process in seconds.
fn processor_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// How large a vault is made: packs.
fn wanted_packs() -> u64 {
    let blocks: u64 =
        std::env::var("COFFRE_COLLECT_BLOCKS").map_or(150_000, |text| text.parse().unwrap());
    blocks.div_ceil(PACK_BLOCKS)
}

/// Wall time, processor time and the peak of memory from its making on.
struct Meter {
    began: Instant,
    processor: f64,
    before: u64,
}

impl Meter {
    fn begin() -> Self {
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let (began, processor) = (Instant::now(), processor_seconds());
        Self { began, processor, before: status("VmRSS") }
    }

    /// Says what was used, and holds a full-size run to its limits in seconds and MiB.
    fn end(&self, what: &str, blocks: u64, seconds: u64, mib: u64) {
        let (wall, peak) = (self.began.elapsed(), status("VmHWM") / 1024);
        eprintln!(
            "{blocks} blocks, {what}: {:.1} s, {:.1} s of processor, {peak} MiB ({} before)",
            wall.as_secs_f64(),
            processor_seconds() - self.processor,
            self.before / 1024,
        );
        if blocks >= 10_000_000 {
            assert!(wall.as_secs() < seconds, "{wall:?}");
            assert!(peak < mib, "{peak} MiB");
        }
    }
}

#[test]
fn a_small_backup_into_a_large_vault_takes_little_memory() {
    struct Nothing;
    impl crate::BlockSource for Nothing {
        fn size_bytes(&self) -> u64 {
            BLOCK
        }
        fn reader(&self) -> std::io::Result<Box<dyn crate::BlockReader + '_>> {
            Err(std::io::ErrorKind::Unsupported.into())
        }
    }
    let packs = wanted_packs();
    let folder = tempfile::tempdir().unwrap();
    let bucket: Arc<dyn Bucket> = Arc::new(FolderBucket::open(folder.path()).unwrap());
    let (vault, recovery) = Vault::create(Arc::clone(&bucket), &Passphrase::new("x")).unwrap();
    Builder { inner: &vault.inner, folder: folder.path() }.data_packs(packs);
    drop(vault);
    let meter = Meter::begin();
    let vault = Vault::open(bucket, &Unlock::RecoveryKey(recovery)).unwrap();
    let spec = crate::PointSpec { id: Uuid::from_u128(1), name: "vm".to_owned(), time_unix_ms: 0 };
    let mut writer = vault.begin_point(spec).unwrap();
    let disk = crate::DiskSpec { key: "disk".to_owned(), size_bytes: BLOCK, base: None };
    let plan = crate::ReadPlan::Everything;
    // What is measured is what comes before the first byte is read.
    assert!(writer.add_disk(disk, &Nothing, plan, &crate::NoProgress).is_err());
    meter.end("a writer is ready", packs * PACK_BLOCKS, 120, 256);
}

#[test]
fn a_large_vault_is_collected_in_bounded_time_and_memory() {
    let packs = wanted_packs();
    let blocks = packs * PACK_BLOCKS;
    let folder = tempfile::tempdir().unwrap();
    let bucket: Arc<dyn Bucket> = Arc::new(FolderBucket::open(folder.path()).unwrap());
    let (vault, recovery) = Vault::create(Arc::clone(&bucket), &Passphrase::new("x")).unwrap();
    let builder = Builder { inner: &vault.inner, folder: folder.path() };
    builder.data_packs(packs);
    // Two fifths are only of the first, two fifths only of the second, and a fifth is of both.
    let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
    let shared = packs * 2 / 5;
    builder.point(first, 0..packs * 3 / 5 * PACK_BLOCKS);
    builder.point(second, shared * PACK_BLOCKS..blocks);
    vault.delete_point(first).unwrap();
    drop(vault);
    let meter = Meter::begin();
    let vault = Vault::open(bucket, &Unlock::RecoveryKey(recovery)).unwrap();
    let options = CollectOptions { spare_younger_ms: 0, ..CollectOptions::at(i64::MAX / 2) };
    let report = vault.collect(&options).unwrap();
    meter.end("collected", blocks, 300, 512);
    eprintln!(
        "{} packs deleted, {} segments replaced, {} bytes copied",
        report.packs_deleted, report.segments_replaced, report.bytes_rescued
    );
    assert!(report.packs_deleted >= shared, "{report:?}");
    let plan = vault.collect_plan(&options).unwrap();
    assert_eq!((plan.dead_packs, plan.live_points), (0, 1), "{plan:?}");
    let still = |number: u64| folder.path().join(pack(number).object()).exists();
    assert!(!still(0) && !still(shared - 1) && still(shared) && still(packs - 1));
}
