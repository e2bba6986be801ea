//! The steps of a backup: take the snapshot, transfer it, look at what arrived, let it go.

use std::path::PathBuf;

use coffre_fabric::{
    AgentState, Changed, Consistency, FabricError, FreezeRecord, FreezeWish, LocalCopy, LocalWish,
    Machine, MachineInfo, PowerState, Release, Snapshot, SnapshotReport, SnapshotRequest,
};
use coffre_vault::{DiskSpec, DiskStats, PointInfo, PointSpec, ReadPlan, Vault, VaultError};
use uuid::Uuid;

use crate::blocks::SnapshotSource;
use crate::crash;
use crate::leftovers::clean;
use crate::metadata::freeze_ms;
use crate::plan::Plan;
use crate::watch::Passed;
use crate::{Class, Failure, PointLabels, PointMetadata, Retry, Watch};

/// Bytes of one sample that validation reads back.
const SAMPLE_BYTES: u64 = 64 << 10;
/// Samples of one disk: the cost of a validation follows the number of disks, not their size.
const SAMPLES_PER_DISK: u64 = 32;

/// What a backup is asked to do.
#[derive(Debug, Clone)]
pub struct BackupSpec {
    /// The recovery point that is made. Names everything.
    pub point: Uuid,
    /// The newest committed point of the same machine; only what changed since is read.
    pub parent: Option<Uuid>,
    /// Why everything shall be read although there is a parent.
    pub distrust: Option<String>,
    /// Points of one name form a history in the vault: the protected item's id as text.
    pub name: String,
    /// Folder for what the guest overwrites while the point is read.
    pub scratch: PathBuf,
    /// Whether the guest is asked to freeze its file systems.
    pub freeze: FreezeWish,
    /// Keys of disks that are not backed up.
    pub excluded: Vec<String>,
    /// Whether a copy of the point stays in the images, too.
    pub local: bool,
    /// What the control plane wants to find again in the vault.
    pub labels: PointLabels,
}

/// What came of taking the snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct SnapshotFacts {
    /// The machine as it is described now.
    pub machine: MachineInfo,
    /// How whole the data is.
    pub consistency: Consistency,
    /// Why it is this level.
    pub consistency_reason: String,
    /// Milliseconds that the guest was frozen; `None` = it was not.
    pub freeze_ms: Option<u64>,
    /// Who froze it, and when what happened.
    pub freeze: Option<FreezeRecord>,
    /// The moment of the point in time, Unix milliseconds.
    pub taken_unix_ms: i64,
    /// The disks that will be transferred.
    pub disks: Vec<DiskFacts>,
    /// What became of the copy in the images; `None` = nobody asked.
    pub local: Option<LocalCopy>,
    /// What a person should know although the step succeeded.
    pub warning: Option<Warning>,
}

/// What a person should know although a step succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warning {
    /// The guest agent did not answer, so that nothing was frozen; the reason in words.
    AgentSilent(String),
    /// The guest agent answers, but file systems could not be frozen; the reason in words.
    FreezeFailed(String),
    /// The machine is gone; there was nothing to release.
    MachineGone,
}

/// One disk of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskFacts {
    /// Its key.
    pub key: String,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// Bytes that changed since the parent; `None` = not known.
    pub changed_bytes: Option<u64>,
    /// Why the changes are not known.
    pub unknown_reason: Option<String>,
}

/// What came of the transfer.
#[derive(Debug, Clone, PartialEq)]
pub struct TransferFacts {
    /// What was read and stored.
    pub stats: DiskStats,
    /// Sum of the sizes of the disks in bytes.
    pub size_bytes: u64,
    /// Why everything was read, when a parent was there and could not be used.
    pub read_reason: Option<String>,
    /// What was sealed with the point.
    pub metadata: PointMetadata,
    /// The moment of the point in time, Unix milliseconds.
    pub taken_unix_ms: i64,
}

/// What came of validation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ValidateFacts {
    /// Disks that were looked at.
    pub disks: u64,
    /// Bytes that were read back and passed every check.
    pub checked_bytes: u64,
}

/// Step 1: one point in time over all disks.
///
/// Called again it takes the snapshot again; what the first call made is cleaned by the machine.
///
/// # Errors
/// See [`Class`]. A silent guest agent is no failure but a level of consistency with a reason.
pub fn take_snapshot(
    machine: &dyn Machine,
    vault: &Vault,
    spec: &BackupSpec,
) -> Result<SnapshotFacts, Failure> {
    crash::here("backup.snapshot.begun");
    clean(machine, Some(vault), &[spec.point])?;
    let parent = usable_parent(vault, spec)?;
    let request = SnapshotRequest {
        point: spec.point,
        parent: parent.map(|point| point.id),
        scratch: spec.scratch.clone(),
        freeze: spec.freeze,
        local: spec.local.then(|| LocalWish { except: spec.excluded.clone() }),
    };
    let doing = "take the snapshot";
    let info = machine.info().map_err(|error| Failure::fabric(doing, &error))?;
    let report = machine.take_snapshot(&request).map_err(|error| Failure::fabric(doing, &error))?;
    crash::here("backup.snapshot.taken");
    Ok(SnapshotFacts {
        warning: snapshot_warning(&report, spec.freeze.ask, &info),
        machine: info,
        consistency: report.consistency,
        freeze_ms: freeze_ms(&report),
        freeze: report.freeze.clone(),
        taken_unix_ms: report.taken_unix_ms,
        disks: disk_facts(&report, &spec.excluded),
        local: report.local,
        consistency_reason: report.reason,
    })
}

/// Step 2: blocks that changed go to the vault; the commit comes last.
///
/// Called again after the commit it answers with the facts of the committed point.
///
/// # Errors
/// See [`Class`]. [`Class::SnapshotLost`] asks to start again from step 1.
pub fn transfer(
    machine: &dyn Machine,
    vault: &Vault,
    spec: &BackupSpec,
    watch: &dyn Watch,
) -> Result<TransferFacts, Failure> {
    let doing = "transfer data to the vault";
    let failed = |error: VaultError| Failure::vault(doing, &error);
    if let Some(committed) = vault.point(spec.point).map_err(failed)? {
        return committed_facts(&committed);
    }
    let snapshot = machine
        .snapshot(spec.point)
        .map_err(|error| Failure::fabric(doing, &error))?
        .ok_or_else(|| snapshot_lost(spec.point))?;
    let info = machine.info().map_err(|error| Failure::fabric(doing, &error))?;
    crash::here("backup.transfer.begun");
    let base = usable_parent(vault, spec)?;
    let plan = Plan::new(snapshot.report(), base.as_ref(), spec);
    if plan.disks.is_empty() {
        let message = "the machine has no disk to back up; all are excluded or it has none";
        return Err(Failure::new(Class::DiskMissing, Retry::Never, message));
    }
    let written = match write_point(&info, &*snapshot, vault, spec, &plan, watch) {
        // The newest point cannot be built upon: its damage must not become ours.
        Err(Interrupted::Vault(error)) if plan.has_base() && base_is_bad(&error) => {
            let reason = format!("the newest point cannot be built upon: {error}");
            let plan = Plan::everything(snapshot.report(), spec, &reason);
            write_point(&info, &*snapshot, vault, spec, &plan, watch)
        }
        other => other,
    };
    match written {
        Ok(point) => {
            crash::here("backup.transfer.committed");
            committed_facts(&point)
        }
        Err(Interrupted::Vault(VaultError::AlreadyCommitted(_))) => {
            let point = vault.point(spec.point).map_err(failed)?;
            committed_facts(&point.ok_or_else(|| point_missing(spec.point))?)
        }
        Err(Interrupted::Vault(error)) => Err(Failure::vault(doing, &error)),
        Err(Interrupted::Fabric(error)) => Err(Failure::fabric(doing, &error)),
    }
}

/// Step 3: reads back what was committed: the list of disks, their sizes, and samples of each.
///
/// Every pack was decoded and compared before it was acknowledged; this step asks the store again.
///
/// # Errors
/// [`Class::PointMissing`], [`Class::PointDamaged`] or what the store met.
pub fn validate(vault: &Vault, point: Uuid, watch: &dyn Watch) -> Result<ValidateFacts, Failure> {
    let doing = "validate the recovery point";
    let failed = |error: VaultError| Failure::vault(doing, &error);
    let info = vault.point(point).map_err(failed)?.ok_or_else(|| point_missing(point))?;
    let mut facts = ValidateFacts::default();
    for disk in &info.disks {
        let reader = vault.disk(point, &disk.key).map_err(failed)?;
        let mut buffer = vec![0; usize::try_from(SAMPLE_BYTES).expect("a small constant")];
        for offset in sample_offsets(disk.size_bytes) {
            if watch.cancelled() {
                return Err(Failure::cancelled());
            }
            let length = SAMPLE_BYTES.min(disk.size_bytes - offset);
            let part = &mut buffer[..usize::try_from(length).expect("not above the constant")];
            reader.read_at(offset, part).map_err(failed)?;
            facts.checked_bytes += length;
        }
        facts.disks += 1;
    }
    crash::here("backup.validate.done");
    Ok(facts)
}

/// Last step, and the undo of the others: the snapshot goes, the change map stays right.
///
/// A machine that is gone is a success with a warning: nothing of ours outlives it.
///
/// # Errors
/// What the machine met.
pub fn release(
    machine: Option<&dyn Machine>,
    vault: &Vault,
    point: Uuid,
) -> Result<Option<Warning>, Failure> {
    crash::here("backup.release.begun");
    let Some(machine) = machine else { return Ok(Some(Warning::MachineGone)) };
    let doing = "release the snapshot";
    // What the vault holds decides, not what the caller believes: an abandoned map merged twice
    // only reads too much, a committed one dropped too early would lose changes.
    let committed = vault.point(point).map_err(|error| Failure::vault(doing, &error))?.is_some();
    let how = if committed { Release::Committed } else { Release::Abandoned };
    machine.release(point, how).map_err(|error| Failure::fabric(doing, &error))?;
    machine.resume_if_paused_by_us().map_err(|error| Failure::fabric(doing, &error))?;
    crash::here("backup.release.done");
    Ok(None)
}

/// The undo of the transfer: a point that was committed and is not wanted is deleted in the vault.
///
/// # Errors
/// What the store met.
pub fn forget(vault: &Vault, point: Uuid) -> Result<(), Failure> {
    match vault.delete_point(point) {
        Ok(()) | Err(VaultError::UnknownPoint(_)) => Ok(()),
        Err(error) => Err(Failure::vault("delete the recovery point", &error)),
    }
}

/// Why writing a point ended early.
enum Interrupted {
    Vault(VaultError),
    Fabric(FabricError),
}

impl From<VaultError> for Interrupted {
    fn from(error: VaultError) -> Self {
        Interrupted::Vault(error)
    }
}

impl From<FabricError> for Interrupted {
    fn from(error: FabricError) -> Self {
        Interrupted::Fabric(error)
    }
}

fn write_point(
    info: &MachineInfo,
    snapshot: &dyn Snapshot,
    vault: &Vault,
    spec: &BackupSpec,
    plan: &Plan,
    watch: &dyn Watch,
) -> Result<PointInfo, Interrupted> {
    let report = snapshot.report();
    watch.planned(plan.total_bytes());
    let passed = Passed::new(watch, "backup.transfer.middle");
    let mut writer = vault.begin_point(PointSpec {
        id: spec.point,
        name: spec.name.clone(),
        time_unix_ms: report.taken_unix_ms,
    })?;
    for disk in &plan.disks {
        let source = SnapshotSource { snapshot, key: &disk.key, size_bytes: disk.size_bytes };
        let base = disk.changed.as_ref().and(plan.parent).map(|id| (id, disk.key.clone()));
        let read = disk.changed.as_deref().map_or(ReadPlan::Everything, ReadPlan::Changed);
        let disk_spec = DiskSpec { key: disk.key.clone(), size_bytes: disk.size_bytes, base };
        writer.add_disk(disk_spec, &source, read, &passed)?;
    }
    // Bytes of a snapshot that broke meanwhile are of a later time; they must not be committed.
    snapshot.check()?;
    if watch.cancelled() {
        return Err(VaultError::Cancelled.into());
    }
    crash::here("backup.transfer.read");
    let metadata = PointMetadata::new(
        &spec.labels,
        info.clone(),
        report,
        plan.parent.filter(|_| plan.has_base()),
        plan.reason.clone(),
    );
    let metadata = serde_json::to_value(metadata).expect("plain data becomes JSON");
    Ok(writer.commit(metadata)?)
}

fn base_is_bad(error: &VaultError) -> bool {
    error.is_damage()
        || matches!(
            error,
            VaultError::BaseUnusable { .. }
                | VaultError::UnknownPoint(_)
                | VaultError::UnknownDisk { .. }
        )
}

/// The parent if it is in the vault. A parent that was deleted meanwhile is as good as none.
fn usable_parent(vault: &Vault, spec: &BackupSpec) -> Result<Option<PointInfo>, Failure> {
    let Some(parent) = spec.parent else { return Ok(None) };
    vault.point(parent).map_err(|error| Failure::vault("look up the newest point", &error))
}

fn committed_facts(point: &PointInfo) -> Result<TransferFacts, Failure> {
    let metadata = PointMetadata::read(&point.metadata).ok_or_else(|| {
        Failure::new(
            Class::PointDamaged,
            Retry::Never,
            format!("the description of recovery point {} cannot be read", point.id),
        )
    })?;
    Ok(TransferFacts {
        stats: point.stats,
        size_bytes: point.disks.iter().map(|disk| disk.size_bytes).sum(),
        read_reason: metadata.read_reason.clone(),
        taken_unix_ms: point.time_unix_ms,
        metadata,
    })
}

fn disk_facts(report: &SnapshotReport, excluded: &[String]) -> Vec<DiskFacts> {
    let kept = report.disks.iter().filter(|disk| !excluded.contains(&disk.key));
    let facts = kept.map(|disk| {
        let (changed_bytes, unknown_reason) = match &disk.changed {
            Changed::Extents(ranges) => (Some(ranges.iter().map(|range| range.length).sum()), None),
            Changed::Unknown(reason) => (None, Some(reason.clone())),
        };
        DiskFacts {
            key: disk.key.clone(),
            size_bytes: disk.size_bytes,
            changed_bytes,
            unknown_reason,
        }
    });
    facts.collect()
}

/// A machine that is off or has no channel to an agent is as it should be; one whose agent could
/// not do its work is not.
fn snapshot_warning(report: &SnapshotReport, asked: bool, info: &MachineInfo) -> Option<Warning> {
    let crash = report.consistency == Consistency::Crash;
    if !asked || !crash || info.power != PowerState::Running {
        return None;
    }
    match info.agent {
        AgentState::NotConfigured => None,
        AgentState::Silent => Some(Warning::AgentSilent(report.reason.clone())),
        AgentState::Ready { .. } => Some(Warning::FreezeFailed(report.reason.clone())),
    }
}

fn snapshot_lost(point: Uuid) -> Failure {
    Failure::new(
        Class::SnapshotLost,
        Retry::FromTheStart(std::time::Duration::ZERO),
        format!("the snapshot of recovery point {point} is gone; it must be taken again"),
    )
}

pub(crate) fn point_missing(point: Uuid) -> Failure {
    Failure::new(
        Class::PointMissing,
        Retry::Never,
        format!("the vault holds no recovery point {point}"),
    )
}

/// Evenly spread offsets, with the first and the last part of the disk among them.
pub(crate) fn sample_offsets(size_bytes: u64) -> impl Iterator<Item = u64> {
    let parts = size_bytes.div_ceil(SAMPLE_BYTES);
    let samples = parts.min(SAMPLES_PER_DISK);
    (0..samples).map(move |index| {
        let part = if samples < 2 { 0 } else { scaled(index, parts - 1, samples - 1) };
        part * SAMPLE_BYTES
    })
}

/// `index * span / steps` without overflow for the largest disk.
fn scaled(index: u64, span: u64, steps: u64) -> u64 {
    u64::try_from(u128::from(index) * u128::from(span) / u128::from(steps))
        .expect("index is at most steps")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_cover_both_ends_and_stay_inside() {
        assert_eq!(sample_offsets(0).count(), 0);
        assert_eq!(sample_offsets(1).collect::<Vec<_>>(), [0]);
        for size in [SAMPLE_BYTES, SAMPLE_BYTES * 33 + 7, 64 << 40] {
            let offsets: Vec<u64> = sample_offsets(size).collect();
            assert!(offsets.is_sorted() && offsets.iter().all(|offset| *offset < size));
            assert_eq!(offsets.first(), Some(&0));
            assert!(offsets.last().is_some_and(|last| last + SAMPLE_BYTES >= size), "{size}");
        }
    }
}
