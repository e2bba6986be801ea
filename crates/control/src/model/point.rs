//! Recovery point: a full image of a VM's disks at one moment.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{ItemId, PointId, VaultId};
use crate::model::vm::{OsType, VmDisk};
use crate::retention::{Entry, Origin, Tagged};

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
    /// What became of the copy beside the VM's disks; none = none was asked for.
    #[serde(default)]
    pub local: Option<LocalTier>,
    /// When it may be removed; none = kept until somebody decides.
    pub expires: Option<Timestamp>,
    /// The rule that keeps it longest (`Daily`, `OnDemand`).
    pub rule: String,
    /// All rules that keep it, the longest last.
    #[serde(default)]
    pub tags: Vec<Tagged>,
    /// The slot of the schedule that it was made for. An item has one point for a slot.
    #[serde(default)]
    pub slot: Option<Timestamp>,
    /// Until when somebody wanted it kept who asked for it.
    #[serde(default)]
    pub retain_until: Option<Timestamp>,
    /// From when its retention runs, when that is not `time`.
    #[serde(default)]
    pub kept_from: Option<Timestamp>,
    /// It must not go before this, whatever its policy says.
    #[serde(default)]
    pub locked_until: Option<Timestamp>,
    /// Its time became shorter because somebody changed the policy.
    #[serde(default)]
    pub shortened: bool,
    /// It was deleted, and can be brought back for a while.
    #[serde(default)]
    pub deletion: Option<Deletion>,
    /// Since when it is being removed from the vault's store; nobody may use it any more.
    #[serde(default)]
    pub removing: Option<Timestamp>,
    /// What it took to make it.
    pub stats: PointStats,
    /// Why the disks were read whole; none when only changes were read.
    pub read_reason: Option<String>,
    /// Whether it was read back and compared after it was written.
    pub validated: bool,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}

/// The deletion of a point that can still be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deletion {
    /// When it was deleted.
    pub since: Timestamp,
    /// Until when it can be brought back.
    pub until: Timestamp,
    /// Whether a person deleted it; else a shorter policy did.
    pub asked: bool,
}

/// What points of an earlier version have as `rule` that somebody asked for.
const ON_DEMAND: &str = "OnDemand";

impl RecoveryPoint {
    /// The point, as far as its retention goes.
    pub fn entry(&self) -> Entry {
        Entry {
            id: self.id,
            time: self.time,
            kept_from: self.kept_from.unwrap_or(self.time),
            origin: self.origin(),
            locked_until: self.locked_until,
        }
    }

    fn origin(&self) -> Origin {
        match (self.retain_until, self.slot) {
            (Some(until), _) => Origin::OnDemand(until),
            (None, Some(slot)) => Origin::Slot(slot),
            (None, None) if self.rule == ON_DEMAND => {
                Origin::OnDemand(self.expires.unwrap_or(Timestamp::MAX))
            }
            (None, None) => Origin::NoSlot,
        }
    }

    /// Whether it can be restored: it is neither deleted nor on its way out.
    pub fn is_usable(&self) -> bool {
        self.deletion.is_none() && self.removing.is_none()
    }
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

/// What became of a copy beside the disks of the VM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalTier {
    /// Until when it is kept; none = there never was one.
    pub until: Option<Timestamp>,
    /// Since when it is no longer there.
    pub gone: Option<Timestamp>,
    /// Why there is none, or is none any more.
    pub reason: Option<String>,
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
