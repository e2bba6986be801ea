//! A point in time of a machine: how it is asked for, what it says, how it is read.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::local::{LocalCopy, LocalWish};
use crate::{ByteRange, Extent, Result};

/// What a snapshot is asked to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRequest {
    /// The recovery point that it is for. Names all that is made.
    pub point: Uuid,
    /// The point since which changes are wanted; `None` = all is read.
    pub parent: Option<Uuid>,
    /// Existing folder for what guests overwrite while the point is read. Must be writable for
    /// the machine's QEMU.
    pub scratch: PathBuf,
    /// Whether the guest is asked to freeze its file systems.
    pub freeze: FreezeWish,
    /// Whether a copy of the point shall stay in the images; `None` = no.
    pub local: Option<LocalWish>,
}

/// Whether the guest is asked to freeze its file systems for the moment of the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FreezeWish {
    /// Ask. If it cannot be had, the snapshot is taken all the same, crash-consistent.
    pub ask: bool,
    /// How long freezing may take.
    pub timeout: Duration,
}

/// How whole the data of a point is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Consistency {
    /// As after a power failure.
    Crash,
    /// File systems were frozen and all of memory's file data was on the disks.
    FileSystem,
    /// Applications were asked to bring their data to rest, too.
    Application,
}

/// What came of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotReport {
    /// How whole the data is.
    pub consistency: Consistency,
    /// Why it is this level, in words for people.
    pub reason: String,
    /// From the request to freeze until the guest said it is thawed; `None` = was not frozen.
    pub freeze_window: Option<Duration>,
    /// Who froze the guest, and when what happened; `None` = nobody did.
    #[serde(default)]
    pub freeze: Option<FreezeRecord>,
    /// The moment of the point in time, Unix milliseconds by this host's clock.
    pub taken_unix_ms: i64,
    /// What became of the wish for a copy in the images; `None` = nobody asked.
    #[serde(default)]
    pub local: Option<LocalCopy>,
    /// All disks of the machine, in the order of its description.
    pub disks: Vec<SnapshotDisk>,
}

/// Who froze a guest, and when what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FreezeRecord {
    /// Who froze it.
    pub by: FrozenBy,
    /// When the guest was asked, Unix milliseconds by this host's clock.
    pub asked_unix_ms: i64,
    /// When it said that it is frozen.
    pub frozen_unix_ms: i64,
    /// When the point was complete.
    pub taken_unix_ms: i64,
    /// When it said that it is thawed; `None` = it did not.
    pub thawed_unix_ms: Option<i64>,
    /// The same by the clock of the guest; `None` = it does not tell.
    pub guest: Option<GuestTimes>,
}

/// Who froze a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "who")]
pub enum FrozenBy {
    /// Our extension.
    Extension {
        /// Its version.
        version: String,
    },
    /// The QEMU guest agent.
    Agent,
}

/// What happened when by the clock of a guest, in Unix nanoseconds. It may be wrong, and may jump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GuestTimes {
    /// The first file system began to freeze.
    pub started_unix_ns: u64,
    /// The last one was frozen.
    pub frozen_unix_ns: u64,
    /// The last one was thawed; `None` = the guest did not say so.
    pub thawed_unix_ns: Option<u64>,
}

/// One disk of a point in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotDisk {
    /// The disk's key.
    pub key: String,
    /// Size in bytes at the moment of the point.
    pub size_bytes: u64,
    /// What changed since the parent.
    pub changed: Changed,
}

/// What changed on a disk since the parent point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Changed {
    /// Exactly these ranges may differ from the parent: sorted, apart from each other, inside the
    /// disk. Empty = nothing changed.
    Extents(Vec<ByteRange>),
    /// Not known, with the reason in words for people: everything must be read.
    Unknown(String),
}

/// How the work on a point ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Release {
    /// The point is safe in the vault: the next one is taken relative to it. The maps of all
    /// earlier points are dropped.
    Committed,
    /// The point is given up: the next one is taken relative to its parent. No change is lost.
    Abandoned,
}

/// A point in time that can be read.
pub trait Snapshot: Send + Sync {
    /// What came of taking it.
    fn report(&self) -> &SnapshotReport;

    /// Opens a disk. Each reader has a connection of its own; as many as there are threads may be
    /// open at once.
    fn open(&self, disk_key: &str) -> Result<Box<dyn SnapshotReader>>;

    /// Makes sure that the point was whole all the time until now.
    ///
    /// **Call it after the last byte was read and before anything is committed**: a point that
    /// broke (scratch space ended, somebody ended its job) gives bytes of a later time, and this
    /// is what tells.
    fn check(&self) -> Result<()>;
}

/// Reads one disk of a point in time.
pub trait SnapshotReader: Send {
    /// Size of the disk in bytes.
    fn size_bytes(&self) -> u64;

    /// Which parts of a range need not be read. The answer covers exactly the range, in order,
    /// neighbours differ. The range must lie inside the disk.
    fn extents(&mut self, offset: u64, length: u64) -> Result<Vec<Extent>>;

    /// Fills the buffer with the bytes at the offset. The range must lie inside the disk.
    fn read_at(&mut self, offset: u64, buffer: &mut [u8]) -> Result<()>;
}
