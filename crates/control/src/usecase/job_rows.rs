//! What a job's progress means for the other rows: recovery points, items.

use jiff::Timestamp;

use super::expiry::rules_of;
use super::local_copy::note_local_copy;
use super::plan::plan_expiry;
use super::vault_time::vault_clock;
use crate::error::{ErrorCode, Refusal};
use crate::id::{PointId, number_of};
use crate::job;
use crate::model::{
    BackupHealth, BackupOutcome, HealthDetail, ItemState, Job, JobKind, JobState, LastBackup,
    LastPoint, PointDisk, PointStats, PointTier, ProtectedItem, RecoveryPoint, SnapshotFacts,
    VmSnapshot,
};
use crate::port::Tx;
use crate::retention::judge;

/// Writes what follows from a job's step from `before` to `after`, in the same transaction.
pub(crate) fn follow(
    tx: &mut dyn Tx,
    before: &Job,
    after: &Job,
    now: Timestamp,
) -> Result<(), Refusal> {
    if !job::is_committed(before) && job::is_committed(after) {
        on_commit(tx, after, now)?;
    }
    if !before.state.is_ended() && after.state.is_ended() {
        on_end(tx, after)?;
    }
    Ok(())
}

fn on_commit(tx: &mut dyn Tx, job: &Job, now: Timestamp) -> Result<(), Refusal> {
    match &job.kind {
        JobKind::Backup { point, retain_until, .. } => {
            add_point(tx, job, *point, *retain_until, now)
        }
        JobKind::DeleteBackupData { points } => {
            for &point in points {
                tx.delete_point(point)?;
            }
            if let Some(item) = job.item {
                tx.delete_item(item)?;
                tx.delete_agenda(item.uuid())?;
            }
            Ok(())
        }
        JobKind::ConfigureBackup { .. }
        | JobKind::Restore { .. }
        | JobKind::DisableBackup
        | JobKind::Undelete
        | JobKind::StartVm
        | JobKind::StopVm { .. }
        | JobKind::RefreshContainers => Ok(()),
    }
}

fn add_point(
    tx: &mut dyn Tx,
    job: &Job,
    id: PointId,
    retain_until: Option<Timestamp>,
    now: Timestamp,
) -> Result<(), Refusal> {
    let Some(mut item) = item_of(tx, job)? else { return Ok(()) };
    let (Some(snapshot), Some(transfer)) = (&job.facts.snapshot, &job.facts.transfer) else {
        return Err(Refusal::new(
            ErrorCode::JobTransitionIllegal,
            format!("Job {} made a recovery point without saying what is in it.", job.id),
        ));
    };
    let vm = machine(tx, &item, snapshot)?;
    let disks: Vec<PointDisk> = snapshot
        .disks
        .iter()
        .map(|disk| {
            let known = vm.disks.iter().find(|it| it.key == disk.key);
            PointDisk {
                key: disk.key.clone(),
                lun: known.and_then(|it| it.lun),
                name: known.map_or_else(|| disk.key.clone(), |it| it.name.clone()),
                size_bytes: disk.size_bytes,
            }
        })
        .collect();
    let mut point = RecoveryPoint {
        id,
        number: number_of(id.uuid()),
        vault: item.vault,
        item: item.id,
        time: snapshot.taken,
        consistency: snapshot.consistency,
        consistency_reason: snapshot.reason.clone(),
        size_bytes: disks.iter().map(|disk| disk.size_bytes).sum(),
        disks,
        vm,
        tiers: vec![PointTier::Vault],
        local: None,
        expires: None,
        rule: String::new(),
        tags: Vec::new(),
        slot: job.slot,
        retain_until,
        kept_from: kept_from(tx, snapshot.taken)?,
        locked_until: None,
        shortened: false,
        deletion: None,
        removing: None,
        stats: PointStats {
            read_bytes: transfer.read_bytes,
            new_bytes: transfer.new_bytes,
            stored_bytes: transfer.stored_bytes,
            freeze_ms: snapshot.freeze_ms,
            seconds: job.seconds(now),
        },
        read_reason: transfer.read_reason.clone(),
        validated: true,
        etag: 0,
    };
    judge_alone(tx, &item, &mut point)?;
    note_local_copy(tx, &item, &mut point, snapshot.local.as_ref())?;
    tx.put_point(&mut point)?;
    item.last_point = Some(LastPoint { id, time: point.time });
    tx.put_item(&mut item)?;
    // The points that were there may have lost a tag to the new one: they are looked at next.
    plan_expiry(tx, &item, Some(Timestamp::MIN))
}

/// What the newest point is kept by: nothing later can take a tag from it yet.
fn judge_alone(
    tx: &mut dyn Tx,
    item: &ProtectedItem,
    point: &mut RecoveryPoint,
) -> Result<(), Refusal> {
    let rules = rules_of(tx, item)?;
    for verdict in judge(rules.as_ref(), &[point.entry()]) {
        point.expires = verdict.expires;
        point.rule = verdict.rule().name().to_owned();
        point.tags = verdict.tags;
    }
    Ok(())
}

/// A wall clock that is behind must not make a point old before its time.
fn kept_from(tx: &mut dyn Tx, taken: Timestamp) -> Result<Option<Timestamp>, Refusal> {
    Ok(vault_clock(tx)?.map(|clock| clock.time).filter(|time| *time > taken))
}

fn machine(
    tx: &mut dyn Tx,
    item: &ProtectedItem,
    snapshot: &SnapshotFacts,
) -> Result<VmSnapshot, Refusal> {
    let vm = tx.vm(item.vm)?;
    Ok(VmSnapshot {
        name: item.vm_name.clone(),
        group: item.vm_group.clone(),
        os_type: vm.as_ref().map_or(crate::model::OsType::Linux, |vm| vm.os_type),
        cpus: vm.as_ref().map_or(0, |vm| vm.cpus),
        memory_bytes: vm.as_ref().map_or(0, |vm| vm.memory_bytes),
        disks: vm.map_or_else(Vec::new, |vm| vm.disks),
        config: snapshot.config.clone(),
    })
}

fn on_end(tx: &mut dyn Tx, job: &Job) -> Result<(), Refusal> {
    if !matches!(job.kind, JobKind::Backup { .. }) {
        return Ok(());
    }
    let Some(mut item) = item_of(tx, job)? else { return Ok(()) };
    let outcome = match job.state {
        JobState::Completed => BackupOutcome::Completed,
        JobState::CompletedWithWarnings => BackupOutcome::CompletedWithWarnings,
        JobState::Failed => BackupOutcome::Failed,
        JobState::Cancelled => BackupOutcome::Cancelled,
        JobState::Queued | JobState::Running | JobState::Unwinding { .. } => return Ok(()),
    };
    match outcome {
        BackupOutcome::Completed | BackupOutcome::CompletedWithWarnings => {
            if item.state == ItemState::IrPending {
                item.state = ItemState::Protected;
            }
            item.health = BackupHealth::Passed;
        }
        BackupOutcome::Failed => {
            if let Some(error) = &job.error {
                item.health = BackupHealth::ActionRequired(vec![HealthDetail {
                    code: error.code.azure().to_owned(),
                    title: error.code.title().to_owned(),
                    message: error.message.clone(),
                    recommendation: error.recommendation.clone(),
                }]);
            }
        }
        BackupOutcome::Cancelled => {}
    }
    item.last_backup = Some(LastBackup {
        outcome,
        time: job.started.unwrap_or(job.created),
        error: job.error.clone(),
    });
    tx.put_item(&mut item)?;
    Ok(())
}

fn item_of(tx: &mut dyn Tx, job: &Job) -> Result<Option<ProtectedItem>, Refusal> {
    match job.item {
        Some(id) => Ok(tx.item(id)?),
        None => Ok(None),
    }
}
