//! Recovery point: a full image of a VM's disks at one moment.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ItemId, PointId, VaultId};
use crate::model::vm::{OsType, VmDisk};

/// A recovery point. The vault's store holds the truth; this row is what the surface shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoveryPoint {
    /// Identity, the same in the vault's store.
    pub id: PointId,
    /// Its name at the surface: 19 digits.
    pub number: u64,
    /// The vault that holds it.
    pub vault: VaultId,
    /// The item it belongs to.
    pub item: ItemId,
    /// When the snapshot was complete (not when it was due).
    pub time: Timestamp,
    /// How consistent it is.
    pub consistency: Consistency,
    /// Why it has this consistency.
    pub consistency_reason: String,
    /// Sum of the disks' sizes, in bytes.
    pub size_bytes: u64,
    /// The disks it holds.
    pub disks: Vec<PointDisk>,
    /// The machine as it was.
    pub vm: VmSnapshot,
    /// Where it is kept.
    pub tiers: Vec<PointTier>,
    /// When it may be removed; none = kept until somebody decides.
    pub expires: Option<Timestamp>,
    /// The rule that keeps it (`Daily`, `OnDemand`).
    pub rule: String,
    /// What it took to make it.
    pub stats: PointStats,
    /// Why the disks were read whole; none when only changes were read.
    pub read_reason: Option<String>,
    /// Whether it was read back and compared after it was written.
    pub validated: bool,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}

/// How consistent a recovery point is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Consistency {
    /// Applications in the guest had written out what they held.
    Application,
    /// File systems in the guest were frozen.
    FileSystem,
    /// As after a power cut.
    Crash,
}

impl Consistency {
    /// The word Azure uses: `AppConsistent`, `FileSystemConsistent`, `CrashConsistent`.
    pub fn azure(self) -> &'static str {
        match self {
            Self::Application => "AppConsistent",
            Self::FileSystem => "FileSystemConsistent",
            Self::Crash => "CrashConsistent",
        }
    }
}

/// A disk in a recovery point.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointDisk {
    /// Key in the vault's store, the same as on the hypervisor.
    pub key: String,
    /// Logical unit number; none for the OS disk.
    pub lun: Option<u32>,
    /// Name for people.
    pub name: String,
    /// Size in bytes.
    pub size_bytes: u64,
}

/// The machine as it was when the point was taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VmSnapshot {
    /// Name.
    pub name: String,
    /// Resource group.
    pub group: String,
    /// What ran in it.
    pub os_type: OsType,
    /// Virtual processors.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// All its disks, also those left out of the backup.
    pub disks: Vec<VmDisk>,
    /// What the hypervisor's driver needs to make it again; holds no secrets.
    pub config: Value,
}

/// Where a point is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PointTier {
    /// Fast, beside the VM (`InstantRP`).
    Instant,
    /// The vault (`HardenedRP`).
    Vault,
    /// The archive (`ArchivedRP`).
    Archive,
}

impl PointTier {
    /// The word Azure uses.
    pub fn azure(self) -> &'static str {
        match self {
            Self::Instant => "InstantRP",
            Self::Vault => "HardenedRP",
            Self::Archive => "ArchivedRP",
        }
    }
}

/// What it took to make a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PointStats {
    /// Bytes read from the VM's disks.
    pub read_bytes: u64,
    /// Bytes that the vault did not have yet.
    pub new_bytes: u64,
    /// Bytes written to the vault's store, after compression and sealing.
    pub stored_bytes: u64,
    /// How long the guest was frozen, in milliseconds; none when it was not.
    pub freeze_ms: Option<u64>,
    /// How long the job took, in seconds.
    pub seconds: f64,
}
