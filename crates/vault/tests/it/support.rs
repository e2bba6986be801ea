//! Images in memory, stores that fail on command, and short ways to back up and restore.

use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use coffre_vault::bucket::{Bucket, BucketError, Created, MemoryBucket, Object};
use coffre_vault::{
    BlockReader, BlockSink, BlockSource, BlockWriter, DiskSpec, DiskStats, Extent, NoProgress,
    Passphrase, PointInfo, PointSpec, ReadPlan, RecoveryKey, SourceExtent, Unlock, Vault,
    VaultError,
};
use uuid::Uuid;

pub(crate) const BLOCK: usize = 64 * 1024;

/// A disk image in memory that knows its holes by 4 KiB and counts what is read of it.
pub(crate) struct Image {
    pub(crate) data: Vec<u8>,
    pub(crate) read_bytes: AtomicU64,
}

impl Image {
    pub(crate) fn new(data: Vec<u8>) -> Self {
        Self { data, read_bytes: AtomicU64::new(0) }
    }

    pub(crate) fn bytes_read(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }
}

impl BlockSource for Image {
    fn size_bytes(&self) -> u64 {
        self.data.len() as u64
    }

    fn reader(&self) -> io::Result<Box<dyn BlockReader + '_>> {
        Ok(Box::new(ImageReader(self)))
    }
}

struct ImageReader<'a>(&'a Image);

impl BlockReader for ImageReader<'_> {
    fn extents(&mut self, range: Extent) -> io::Result<Vec<SourceExtent>> {
        // At most eight extents at a time: the vault must ask again.
        let mut extents: Vec<SourceExtent> = Vec::new();
        let mut at = range.offset;
        while at < range.end() && extents.len() < 8 {
            let end = (at / 4096 + 1) * 4096;
            let end = end.min(range.end());
            let zero = self.0.data[at as usize..end as usize].iter().all(|byte| *byte == 0);
            match extents.last_mut() {
                Some(last) if last.zero == zero => last.length += end - at,
                _ => extents.push(SourceExtent { offset: at, length: end - at, zero }),
            }
            at = end;
        }
        Ok(extents)
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_bytes.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        buffer.copy_from_slice(&self.0.data[offset as usize..][..buffer.len()]);
        Ok(())
    }
}

/// A target in memory; starts as zeros.
pub(crate) struct Target {
    pub(crate) data: Mutex<Vec<u8>>,
    pub(crate) writes: AtomicUsize,
}

impl Target {
    pub(crate) fn new(size: usize) -> Self {
        Self { data: Mutex::new(vec![0; size]), writes: AtomicUsize::new(0) }
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
        assert!(data.len() <= 8 << 20, "writes are at most 8 MiB");
        self.0.writes.fetch_add(1, Ordering::Relaxed);
        self.0.data.lock().unwrap()[offset as usize..][..data.len()].copy_from_slice(data);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

pub(crate) fn passphrase() -> Passphrase {
    Passphrase::new("a passphrase for tests")
}

/// An empty vault, made once, and its paper key: deriving a key from a passphrase takes long on purpose.
fn template() -> &'static (Arc<MemoryBucket>, RecoveryKey) {
    static TEMPLATE: OnceLock<(Arc<MemoryBucket>, RecoveryKey)> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let bucket = Arc::new(MemoryBucket::new());
        let (_, key) =
            Vault::create(Arc::clone(&bucket) as Arc<dyn Bucket>, &passphrase()).unwrap();
        (bucket, key)
    })
}

pub(crate) fn copy(bucket: &MemoryBucket) -> Arc<MemoryBucket> {
    let copy = MemoryBucket::new();
    for object in bucket.list("").unwrap() {
        copy.create(&object.key, &bucket.get(&object.key).unwrap()).unwrap();
    }
    Arc::new(copy)
}

pub(crate) fn new_vault() -> (Arc<MemoryBucket>, Vault) {
    let bucket = copy(&template().0);
    let vault = open(&bucket).unwrap();
    (bucket, vault)
}

/// Opens a vault of [`new_vault`] through any store.
pub(crate) fn open_through(bucket: Arc<dyn Bucket>) -> Result<Vault, VaultError> {
    Vault::open(bucket, &Unlock::RecoveryKey(template().1.clone()))
}

pub(crate) fn open(bucket: &Arc<MemoryBucket>) -> Result<Vault, VaultError> {
    open_through(Arc::clone(bucket) as Arc<dyn Bucket>)
}

/// What changed since which point.
pub(crate) type Since<'a> = Option<(Uuid, &'a [Extent])>;

/// Backs up one image as the disk "disk" of a point.
pub(crate) fn backup(
    vault: &Vault,
    id: Uuid,
    image: &Image,
    since: Since<'_>,
) -> Result<(PointInfo, DiskStats), VaultError> {
    let time_unix_ms = 1_000 + vault.points()?.len() as i64;
    let mut writer = vault.begin_point(PointSpec { id, name: "vm".to_owned(), time_unix_ms })?;
    let base = since.map(|(point, _)| (point, "disk".to_owned()));
    let spec = DiskSpec { key: "disk".to_owned(), size_bytes: image.size_bytes(), base };
    let plan = since.map_or(ReadPlan::Everything, |(_, changed)| ReadPlan::Changed(changed));
    let stats = writer.add_disk(spec, image, plan, &NoProgress)?;
    let info = writer.commit(serde_json::json!({ "vm": "debian", "id": id.to_string() }))?;
    Ok((info, stats))
}

pub(crate) fn restore(vault: &Vault, id: Uuid) -> Result<Vec<u8>, VaultError> {
    let point = vault.point(id)?.ok_or(VaultError::UnknownPoint(id))?;
    let target = Target::new(point.disks[0].size_bytes as usize);
    vault.restore_disk(id, "disk", &target, &NoProgress)?;
    Ok(target.data.into_inner().unwrap())
}

/// A small pseudo-random stream, the same for the same seed.
pub(crate) struct Noise(u64);

impl Noise {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn fill(&mut self, buffer: &mut [u8]) {
        for chunk in buffer.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// An image that holds noise, text, zeros and repeats.
pub(crate) fn mixed_image(seed: u64, blocks: usize, tail: usize) -> Vec<u8> {
    let mut noise = Noise::new(seed);
    let mut data = vec![0; blocks * BLOCK + tail];
    for (at, block) in data.chunks_mut(BLOCK).enumerate() {
        match noise.next() % 5 {
            0 => noise.fill(block),
            1 => block.fill(noise.next() as u8),
            2 => block
                .iter_mut()
                .enumerate()
                .for_each(|(n, byte)| *byte = ((n / 7 + at) % 251) as u8),
            3 => {
                let some = block.len().min(100);
                noise.fill(&mut block[..some]);
            }
            _ => {}
        }
    }
    data
}

/// What a faulty store does at the chosen operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Fails without doing it.
    Before,
    /// Does it and fails even so.
    After,
    /// The store is full from here on.
    Full,
    /// Everything fails from here on, as if the process was cut off.
    Dead,
}

/// Counts operations and fails at one of them.
#[derive(Debug)]
pub(crate) struct Faulty {
    inner: Arc<MemoryBucket>,
    at: usize,
    fault: Fault,
    pub(crate) count: AtomicUsize,
}

impl Faulty {
    pub(crate) fn new(inner: Arc<MemoryBucket>, at: usize, fault: Fault) -> Self {
        Self { inner, at, fault, count: AtomicUsize::new(0) }
    }

    fn run<T>(
        &self,
        key: &str,
        write: bool,
        op: impl FnOnce() -> Result<T, BucketError>,
    ) -> Result<T, BucketError> {
        let now = self.count.fetch_add(1, Ordering::SeqCst);
        let io = || BucketError::Io {
            verb: "fault",
            key: key.to_owned(),
            source: io::Error::other("injected"),
        };
        match self.fault {
            Fault::Before if now == self.at => Err(io()),
            Fault::After if now == self.at => op().and_then(|_| Err(io())),
            Fault::Full if now >= self.at && write => Err(BucketError::Full {
                key: key.to_owned(),
                source: io::ErrorKind::StorageFull.into(),
            }),
            Fault::Dead if now >= self.at => Err(io()),
            _ => op(),
        }
    }
}

impl Bucket for Faulty {
    fn create(&self, key: &str, data: &[u8]) -> Result<Created, BucketError> {
        self.run(key, true, || self.inner.create(key, data))
    }
    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        self.run(key, false, || self.inner.get(key))
    }
    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError> {
        self.run(key, false, || self.inner.get_range(key, offset, length))
    }
    fn size(&self, key: &str) -> Result<Option<u64>, BucketError> {
        self.run(key, false, || self.inner.size(key))
    }
    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        self.run(prefix, false, || self.inner.list(prefix))
    }
    fn delete(&self, key: &str) -> Result<(), BucketError> {
        self.run(key, false, || self.inner.delete(key))
    }
}
