//! What is sealed into the vault with each recovery point.
//!
//! The database is a cache: from this alone the row of a recovery point can be written again, and
//! the machine can be defined again.

use coffre_fabric::{Consistency, FreezeRecord, MachineInfo, SnapshotReport};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Version of [`PointMetadata`]. A reader refuses a greater one.
pub const METADATA_VERSION: u32 = 1;

/// What the control plane wants to find again in the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointLabels {
    /// The protected item.
    pub item: Uuid,
    /// The Recovery Services vault that the item is in.
    pub vault: Uuid,
    /// The number that names the point to people.
    pub number: u64,
    /// When the point may go, Unix milliseconds; `None` = never by itself.
    pub expires_unix_ms: Option<i64>,
    /// The rule of the policy that keeps the point, or why it was asked for.
    pub rule: String,
    /// More that the control plane wants back as it was given.
    #[serde(default)]
    pub more: serde_json::Value,
}

/// All that is known about a recovery point beside its blocks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PointMetadata {
    /// [`METADATA_VERSION`] of the writer.
    pub version: u32,
    /// What the control plane wants to find again.
    pub labels: PointLabels,
    /// The machine as it was described at the point.
    pub machine: MachineInfo,
    /// How whole the data is.
    pub consistency: Consistency,
    /// Why it is this level.
    pub consistency_reason: String,
    /// Milliseconds that the guest was frozen; `None` = it was not.
    pub freeze_ms: Option<u64>,
    /// Who froze it, and when what happened; `None` = nobody, or an earlier version wrote this.
    #[serde(default)]
    pub freeze: Option<FreezeRecord>,
    /// The point that the changes are relative to; `None` = all was read.
    pub parent: Option<Uuid>,
    /// Why everything was read, when a parent was there and could not be used.
    pub read_reason: Option<String>,
}

impl PointMetadata {
    pub(crate) fn new(
        labels: &PointLabels,
        machine: MachineInfo,
        report: &SnapshotReport,
        parent: Option<Uuid>,
        read_reason: Option<String>,
    ) -> PointMetadata {
        PointMetadata {
            version: METADATA_VERSION,
            labels: labels.clone(),
            machine,
            consistency: report.consistency,
            consistency_reason: report.reason.clone(),
            freeze_ms: freeze_ms(report),
            freeze: report.freeze.clone(),
            parent,
            read_reason,
        }
    }

    /// Reads what a recovery point carries. `None` = it was not written by this room, or by a newer
    /// version of it.
    pub fn read(value: &serde_json::Value) -> Option<PointMetadata> {
        let metadata: PointMetadata = serde_json::from_value(value.clone()).ok()?;
        (metadata.version <= METADATA_VERSION).then_some(metadata)
    }
}

/// Milliseconds that the guest was frozen.
pub(crate) fn freeze_ms(report: &SnapshotReport) -> Option<u64> {
    report.freeze_window.map(|window| u64::try_from(window.as_millis()).unwrap_or(u64::MAX))
}
