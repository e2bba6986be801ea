//! A machine and a store that a test owns: every call can be made to fail, and the truth of every
//! disk is known.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use coffre_engine::{BackupSpec, PointLabels};
use coffre_fabric::extension::ExtensionState;
use coffre_fabric::{
    AgentState, ByteRange, Changed, Consistency, DiskInfo, Extent, FabricError, FreezeWish,
    ImageFormat, LocalCopies, LocalCopy, Machine, MachineInfo, OsType, PowerState, Release, Result,
    Snapshot, SnapshotDisk, SnapshotReader, SnapshotReport, SnapshotRequest, Stop,
};
use coffre_vault::bucket::{Bucket, BucketError, Created, MemoryBucket, Object};
use coffre_vault::{Passphrase, Vault};
use uuid::Uuid;

/// Size of a block in which the machine notes changes.
const GRAIN: u64 = 64 << 10;

/// Counts down with every call; the call at zero fails, and only that one.
#[derive(Debug)]
pub(crate) struct Fuse(AtomicI64);

impl Default for Fuse {
    fn default() -> Self {
        Fuse(AtomicI64::new(i64::MAX))
    }
}

impl Fuse {
    /// The call number `calls` from now fails; 0 is the next one.
    pub(crate) fn set(&self, calls: i64) {
        self.0.store(calls, Ordering::SeqCst);
    }

    /// Whether it blew since it was set.
    pub(crate) fn has_blown(&self) -> bool {
        self.0.load(Ordering::SeqCst) < 0
    }

    fn blows(&self) -> bool {
        self.0.fetch_sub(1, Ordering::SeqCst) == 0
    }
}

#[derive(Clone)]
struct Disk {
    bytes: Vec<u8>,
    /// Change maps by the point that they begin at: numbers of grains.
    maps: BTreeMap<Uuid, BTreeSet<u64>>,
}

struct Point {
    report: SnapshotReport,
    parent: Option<Uuid>,
    disks: BTreeMap<String, Vec<u8>>,
    broken: bool,
}

struct Inner {
    disks: BTreeMap<String, Disk>,
    points: BTreeMap<Uuid, Arc<Point>>,
    power: PowerState,
    agent: AgentState,
    replaced: Vec<String>,
    /// Copies of points: what each disk held.
    copies: BTreeMap<Uuid, BTreeMap<String, Vec<u8>>>,
    /// What was there before a roll-back, by the job.
    before: BTreeMap<Uuid, BTreeMap<String, Vec<u8>>>,
}

/// A machine in memory. Its images are files in `folder`, for restores in place.
pub(crate) struct FakeMachine {
    pub(crate) id: Uuid,
    pub(crate) fuse: Fuse,
    folder: PathBuf,
    inner: Mutex<Inner>,
}

impl FakeMachine {
    pub(crate) fn new(folder: PathBuf, disks: &[(&str, usize)]) -> FakeMachine {
        let disks = disks
            .iter()
            .enumerate()
            .map(|(number, (key, size))| {
                let bytes = pattern(*size, number as u64 + 1);
                (key.to_string(), Disk { bytes, maps: BTreeMap::new() })
            })
            .collect();
        FakeMachine {
            id: Uuid::from_u128(7),
            fuse: Fuse::default(),
            folder,
            inner: Mutex::new(Inner {
                disks,
                points: BTreeMap::new(),
                power: PowerState::Running,
                agent: AgentState::Ready { version: "8".to_owned() },
                replaced: Vec::new(),
                copies: BTreeMap::new(),
                before: BTreeMap::new(),
            }),
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    pub(crate) fn bytes(&self, key: &str) -> Vec<u8> {
        self.inner().disks[key].bytes.clone()
    }

    /// The guest writes.
    pub(crate) fn write(&self, key: &str, offset: u64, data: &[u8]) {
        let mut inner = self.inner();
        let disk = inner.disks.get_mut(key).unwrap();
        let at = usize::try_from(offset).unwrap();
        disk.bytes[at..at + data.len()].copy_from_slice(data);
        let grains = offset / GRAIN..=(offset + data.len() as u64 - 1) / GRAIN;
        for map in disk.maps.values_mut() {
            map.extend(grains.clone());
        }
    }

    /// QEMU dies: snapshots and maps are gone.
    pub(crate) fn crash(&self) {
        let mut inner = self.inner();
        inner.points.clear();
        inner.disks.values_mut().for_each(|disk| disk.maps.clear());
    }

    /// The snapshot was not whole all the time.
    pub(crate) fn break_snapshot(&self, id: Uuid) {
        let mut inner = self.inner();
        let old = inner.points.remove(&id).unwrap();
        let broken = Point {
            report: old.report.clone(),
            parent: old.parent,
            disks: old.disks.clone(),
            broken: true,
        };
        inner.points.insert(id, Arc::new(broken));
    }

    pub(crate) fn set_power(&self, power: PowerState) {
        self.inner().power = power;
    }

    pub(crate) fn set_agent(&self, agent: AgentState) {
        self.inner().agent = agent;
    }

    /// Maps that a disk keeps, by the point that they begin at.
    pub(crate) fn maps(&self, key: &str) -> Vec<Uuid> {
        self.inner().disks[key].maps.keys().copied().collect()
    }

    /// The copy of a point is not what it was.
    pub(crate) fn damage_copy(&self, point: Uuid, key: &str) {
        self.inner().copies.get_mut(&point).unwrap().get_mut(key).unwrap()[0] ^= 1;
    }

    /// Which disks were replaced and not confirmed.
    pub(crate) fn unconfirmed(&self) -> Vec<String> {
        self.inner().replaced.clone()
    }

    pub(crate) fn image(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.raw"))
    }

    fn fail(&self) -> Result<()> {
        if self.fuse.blows() {
            let after = Duration::from_secs(1);
            return Err(FabricError::Timeout { doing: "answering".to_owned(), after });
        }
        Ok(())
    }
}

impl Machine for FakeMachine {
    fn info(&self) -> Result<MachineInfo> {
        self.fail()?;
        let inner = self.inner();
        Ok(MachineInfo {
            id: self.id,
            name: "web".to_owned(),
            os_type: OsType::Linux,
            power: inner.power,
            agent: inner.agent.clone(),
            extension: ExtensionState::NotOffered,
            cpus: 1,
            memory_bytes: 1 << 28,
            managed: false,
            disks: inner
                .disks
                .iter()
                .enumerate()
                .map(|(number, (key, disk))| DiskInfo {
                    key: key.clone(),
                    lun: u32::try_from(number).unwrap().checked_sub(1),
                    name: key.clone(),
                    size_bytes: disk.bytes.len() as u64,
                    format: ImageFormat::Raw,
                    path: self.image(key),
                })
                .collect(),
            config: serde_json::json!({
                "id": self.id, "name": "web",
                "disks": inner.disks.keys().map(|key| serde_json::json!({
                    "key": key, "format": "raw", "path": self.image(key),
                })).collect::<Vec<_>>(),
            }),
        })
    }

    fn start(&self) -> Result<()> {
        self.fail()
    }

    fn stop(&self, _how: Stop) -> Result<()> {
        self.fail()
    }

    fn take_snapshot(&self, request: &SnapshotRequest) -> Result<SnapshotReport> {
        self.fail()?;
        self.release_now(request.point, Release::Abandoned);
        let mut inner = self.inner();
        if let Some(other) = inner.points.keys().next() {
            return Err(FabricError::SnapshotExists { machine: "web".to_owned(), point: *other });
        }
        let mut disks = Vec::new();
        for (key, disk) in &mut inner.disks {
            let changed = match request.parent {
                None => Changed::Unknown("there is no earlier point".to_owned()),
                Some(parent) => match disk.maps.get(&parent) {
                    None => Changed::Unknown("its change map is lost".to_owned()),
                    Some(map) => Changed::Extents(ranges(map, disk.bytes.len() as u64)),
                },
            };
            disk.maps.insert(request.point, BTreeSet::new());
            let size_bytes = disk.bytes.len() as u64;
            disks.push(SnapshotDisk { key: key.clone(), size_bytes, changed });
        }
        let frozen = matches!(inner.agent, AgentState::Ready { .. }) && request.freeze.ask;
        let report = SnapshotReport {
            consistency: if frozen { Consistency::FileSystem } else { Consistency::Crash },
            reason: if frozen { "all froze" } else { "the agent is silent" }.to_owned(),
            freeze_window: frozen.then(|| Duration::from_millis(12)),
            freeze: None,
            taken_unix_ms: 1_700_000_000_000,
            local: request.local.as_ref().map(|_| LocalCopy::Kept),
            disks,
        };
        let bytes = inner.disks.iter().map(|(key, disk)| (key.clone(), disk.bytes.clone()));
        let point = Point {
            report: report.clone(),
            parent: request.parent,
            disks: bytes.collect(),
            broken: false,
        };
        if request.local.is_some() {
            inner.copies.insert(request.point, point.disks.clone());
        }
        inner.points.insert(request.point, Arc::new(point));
        drop(inner);
        // A crash after the effect and before the answer.
        self.fail()?;
        Ok(report)
    }

    fn snapshot(&self, point: Uuid) -> Result<Option<Box<dyn Snapshot>>> {
        self.fail()?;
        let found = self.inner().points.get(&point).cloned();
        Ok(found.map(|point| Box::new(FakeSnapshot { id: self.id, point }) as Box<dyn Snapshot>))
    }

    fn release(&self, point: Uuid, how: Release) -> Result<()> {
        self.fail()?;
        self.release_now(point, how);
        self.fail()
    }

    fn leftovers(&self) -> Result<Vec<Uuid>> {
        self.fail()?;
        Ok(self.inner().points.keys().copied().collect())
    }

    fn thaw(&self) -> Result<()> {
        self.fail()
    }

    fn resume_if_paused_by_us(&self) -> Result<bool> {
        self.fail()?;
        Ok(false)
    }

    fn replace_disks(&self, images: &[(String, PathBuf)]) -> Result<()> {
        for (key, image) in images {
            self.fail()?;
            if image.exists() {
                let kept = self.image(key).with_extension("old");
                std::fs::rename(self.image(key), kept).unwrap();
                std::fs::rename(image, self.image(key)).unwrap();
                self.inner().replaced.push(key.clone());
            }
        }
        self.fail()
    }

    fn confirm_replaced_disks(&self) -> Result<()> {
        self.fail()?;
        for key in std::mem::take(&mut self.inner().replaced) {
            std::fs::remove_file(self.image(&key).with_extension("old")).unwrap();
        }
        Ok(())
    }

    fn revert_replaced_disks(&self) -> Result<()> {
        self.fail()?;
        for key in std::mem::take(&mut self.inner().replaced) {
            std::fs::rename(self.image(&key).with_extension("old"), self.image(&key)).unwrap();
        }
        Ok(())
    }

    fn local_copies(&self) -> Result<LocalCopies> {
        self.fail()?;
        let inner = self.inner();
        let keys = |disks: &BTreeMap<String, Vec<u8>>| disks.keys().cloned().collect();
        Ok(LocalCopies {
            points: inner.copies.iter().map(|(point, disks)| (*point, keys(disks))).collect(),
            before: inner.before.iter().map(|(job, disks)| (*job, keys(disks))).collect(),
        })
    }

    fn drop_local_copy(&self, point: Uuid) -> Result<()> {
        self.fail()?;
        self.inner().copies.remove(&point);
        Ok(())
    }

    fn doubt_roll_back(&self, point: Uuid, disks: &[String]) -> Result<Option<String>> {
        self.fail()?;
        let inner = self.inner();
        let copy = inner.copies.get(&point);
        let whole =
            |copy: &BTreeMap<String, Vec<u8>>| disks.iter().all(|key| copy.contains_key(key));
        Ok((!copy.is_some_and(whole)).then(|| "there is no copy".to_owned()))
    }

    fn open_disk(&self, disk: &str, point: Option<Uuid>) -> Result<Box<dyn SnapshotReader>> {
        self.fail()?;
        let inner = self.inner();
        let bytes = match point {
            None => inner.disks[disk].bytes.clone(),
            Some(point) => inner.copies[&point][disk].clone(),
        };
        Ok(Box::new(FakeReader(bytes)))
    }

    fn roll_back(&self, point: Uuid, job: Uuid, disks: &[String]) -> Result<()> {
        if let Some(reason) = self.doubt_roll_back(point, disks)? {
            return Err(FabricError::LocalCopyUnusable { point, reason });
        }
        for key in disks {
            self.fail()?;
            let mut inner = self.inner();
            let held = inner.disks[key].bytes.clone();
            inner.before.entry(job).or_default().entry(key.clone()).or_insert(held);
            inner.disks.get_mut(key).unwrap().maps.clear();
        }
        for key in disks {
            self.fail()?;
            let mut inner = self.inner();
            let copy = inner.copies[&point][key].clone();
            inner.disks.get_mut(key).unwrap().bytes = copy;
        }
        self.fail()
    }

    fn short_of_room(&self) -> Result<Option<String>> {
        Ok(None)
    }

    fn confirm_roll_back(&self, job: Uuid) -> Result<()> {
        self.fail()?;
        self.inner().before.remove(&job);
        self.fail()
    }

    fn revert_roll_back(&self, job: Uuid) -> Result<()> {
        self.fail()?;
        let mut inner = self.inner();
        for (key, bytes) in inner.before.remove(&job).unwrap_or_default() {
            let disk = inner.disks.get_mut(&key).unwrap();
            disk.maps.clear();
            disk.bytes = bytes;
        }
        Ok(())
    }
}

impl FakeMachine {
    fn release_now(&self, id: Uuid, how: Release) {
        let mut inner = self.inner();
        if how == Release::Abandoned {
            inner.copies.remove(&id);
        }
        let Some(point) = inner.points.remove(&id) else { return };
        for disk in inner.disks.values_mut() {
            match (how, point.parent) {
                (Release::Committed, _) => disk.maps.retain(|begin, _| *begin == id),
                (Release::Abandoned, parent) => {
                    let since = disk.maps.remove(&id).unwrap_or_default();
                    if let Some(map) = parent.and_then(|parent| disk.maps.get_mut(&parent)) {
                        map.extend(since);
                    }
                }
            }
        }
    }
}

fn ranges(map: &BTreeSet<u64>, size: u64) -> Vec<ByteRange> {
    map.iter()
        .map(|grain| {
            let offset = grain * GRAIN;
            ByteRange { offset, length: GRAIN.min(size - offset) }
        })
        .collect()
}

struct FakeSnapshot {
    id: Uuid,
    point: Arc<Point>,
}

impl Snapshot for FakeSnapshot {
    fn report(&self) -> &SnapshotReport {
        &self.point.report
    }

    fn open(&self, disk_key: &str) -> Result<Box<dyn SnapshotReader>> {
        Ok(Box::new(FakeReader(self.point.disks[disk_key].clone())))
    }

    fn check(&self) -> Result<()> {
        if self.point.broken {
            return Err(FabricError::SnapshotLost {
                machine: "web".to_owned(),
                point: self.id,
                reason: "scratch space ended".to_owned(),
            });
        }
        Ok(())
    }
}

struct FakeReader(Vec<u8>);

impl SnapshotReader for FakeReader {
    fn size_bytes(&self) -> u64 {
        self.0.len() as u64
    }

    fn extents(&mut self, offset: u64, length: u64) -> Result<Vec<Extent>> {
        Ok(vec![Extent { offset, length, zero: false }])
    }

    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let at = usize::try_from(offset).unwrap();
        buffer.copy_from_slice(&self.0[at..at + buffer.len()]);
        Ok(())
    }
}

/// A store in memory whose calls can be made to fail.
#[derive(Debug, Default)]
pub(crate) struct FaultyBucket {
    inner: MemoryBucket,
    pub(crate) fuse: Fuse,
}

impl FaultyBucket {
    fn fail(&self, key: &str) -> Result<(), BucketError> {
        if self.fuse.blows() {
            let source = std::io::Error::other("the cable is out");
            return Err(BucketError::Io { verb: "use", key: key.to_owned(), source });
        }
        Ok(())
    }
}

impl Bucket for FaultyBucket {
    fn create(&self, key: &str, data: &[u8]) -> Result<Created, BucketError> {
        self.fail(key)?;
        self.inner.create(key, data)
    }

    fn get(&self, key: &str) -> Result<Vec<u8>, BucketError> {
        self.fail(key)?;
        self.inner.get(key)
    }

    fn get_range(&self, key: &str, offset: u64, length: usize) -> Result<Vec<u8>, BucketError> {
        self.fail(key)?;
        self.inner.get_range(key, offset, length)
    }

    fn size(&self, key: &str) -> Result<Option<u64>, BucketError> {
        self.fail(key)?;
        self.inner.size(key)
    }

    fn list(&self, prefix: &str) -> Result<Vec<Object>, BucketError> {
        self.fail(prefix)?;
        self.inner.list(prefix)
    }

    fn delete(&self, key: &str) -> Result<(), BucketError> {
        self.fail(key)?;
        self.inner.delete(key)
    }
}

/// A machine, a vault and a folder.
pub(crate) struct World {
    pub(crate) machine: FakeMachine,
    pub(crate) bucket: Arc<FaultyBucket>,
    pub(crate) vault: Vault,
    pub(crate) folder: tempfile::TempDir,
}

impl World {
    pub(crate) fn new() -> World {
        let folder = tempfile::tempdir().unwrap();
        let bucket = Arc::new(FaultyBucket::default());
        let dynamic: Arc<dyn Bucket> = bucket.clone();
        let (vault, _key) = Vault::create(dynamic, &Passphrase::new("a test")).unwrap();
        let machine =
            FakeMachine::new(folder.path().to_owned(), &[("data", 1 << 20), ("os", 3 << 20)]);
        World { machine, bucket, vault, folder }
    }

    pub(crate) fn spec(&self, point: u128, parent: Option<u128>) -> BackupSpec {
        BackupSpec {
            point: Uuid::from_u128(point),
            parent: parent.map(Uuid::from_u128),
            distrust: None,
            name: "item".to_owned(),
            scratch: self.folder.path().to_owned(),
            freeze: FreezeWish { ask: true, timeout: Duration::from_secs(1) },
            excluded: Vec::new(),
            local: true,
            labels: PointLabels {
                item: Uuid::from_u128(100),
                vault: Uuid::from_u128(101),
                number: 1_000_000_000_000_000_001,
                expires_unix_ms: Some(1_800_000_000_000),
                rule: "OnDemand".to_owned(),
                more: serde_json::Value::Null,
            },
        }
    }
}

/// Bytes that do not repeat and do not compress to nothing.
pub(crate) fn pattern(size: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    (0..size)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect()
}
