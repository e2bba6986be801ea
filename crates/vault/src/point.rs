//! Recovery points as callers see them.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Names a recovery point that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointSpec {
    /// Its id, fresh for every new point; the same again when an attempt is repeated.
    pub id: Uuid,
    /// What it is a point of (a VM, an image); 1 to 256 bytes. Points of one name form a history.
    pub name: String,
    /// When the data was as stored, in milliseconds since 1970 (UTC).
    pub time_unix_ms: i64,
}

/// Names a disk of a point that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskSpec {
    /// The name of the disk within the point; 1 to 256 bytes.
    pub key: String,
    /// Its size in bytes, at most `format::DISK_BYTES_MAX`.
    pub size_bytes: u64,
    /// The point and disk that it changed from; needed for `ReadPlan::Changed`. A base that is smaller is extended
    /// (the caller need not list the grown part as changed); one that is larger is refused.
    pub base: Option<(Uuid, String)>,
}

/// What a backup of a disk did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskStats {
    /// Bytes read from the source.
    pub read_bytes: u64,
    /// Bytes of blocks that the vault did not hold.
    pub new_bytes: u64,
    /// Bytes added to the store.
    pub stored_bytes: u64,
    /// Blocks that were read and are new.
    pub blocks_new: u64,
    /// Blocks that were read and were there already.
    pub blocks_reused: u64,
    /// Blocks of the plan that are zeros, read or known.
    pub blocks_zero: u64,
}

impl DiskStats {
    /// Adds the counts of another disk.
    pub fn add(&mut self, other: &Self) {
        self.read_bytes += other.read_bytes;
        self.new_bytes += other.new_bytes;
        self.stored_bytes += other.stored_bytes;
        self.blocks_new += other.blocks_new;
        self.blocks_reused += other.blocks_reused;
        self.blocks_zero += other.blocks_zero;
    }
}

/// A disk of a committed point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskInfo {
    /// Its name within the point.
    pub key: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// What its backup did.
    pub stats: DiskStats,
}

/// A committed recovery point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PointInfo {
    /// Its id.
    pub id: Uuid,
    /// What it is a point of.
    pub name: String,
    /// When the data was as stored, in milliseconds since 1970 (UTC).
    pub time_unix_ms: i64,
    /// Its disks, in the order in which they were added.
    pub disks: Vec<DiskInfo>,
    /// What the caller stored with it; `Null` when the keys at hand may not read it.
    pub metadata: serde_json::Value,
    /// The sum over its disks.
    pub stats: DiskStats,
}
