//! The steps of a backup, and the deletion of recovery points.

use coffre_control::ErrorCode;
use coffre_control::job::StepFacts;
use coffre_control::model::{
    Job, JobKind, JobWarning, ProtectedItem, SnapshotDiskFacts, SnapshotFacts, TransferFacts, Vm,
};
use coffre_engine::{BackupSpec, Class, DiskFacts, Failure, PointLabels, Retry};
use coffre_fabric::{FreezeWish, LocalCopy};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use super::{look, machine, needed_machine, row_missing, vault, warning};
use crate::serve::convert;
use crate::serve::meter::Meter;
use crate::serve::service::Service;
use crate::serve::worker::Outcome;

pub(super) fn take_snapshot(service: &Service, job: &Job) -> Result<Outcome, Failure> {
    let machine = needed_machine(service, job)?;
    let (_, store) = vault(service, job)?;
    std::fs::create_dir_all(&service.scratch).map_err(|error| {
        let message = format!("make the scratch folder {}: {error}", service.scratch.display());
        Failure::new(Class::Configuration, Retry::Never, message)
    })?;
    let facts = coffre_engine::take_snapshot(&*machine, &store, &spec(service, job)?)?;
    let mut warnings: Vec<JobWarning> = facts.warning.map(warning).into_iter().collect();
    warnings.extend(facts.local.as_ref().and_then(no_copy));
    let taken = Timestamp::from_millisecond(facts.taken_unix_ms).unwrap_or(service.now());
    let facts = SnapshotFacts {
        consistency: convert::consistency(facts.consistency),
        reason: facts.consistency_reason,
        freeze_ms: facts.freeze_ms,
        freeze: facts.freeze.as_ref().and_then(convert::freeze),
        taken,
        disks: facts.disks.into_iter().map(disk_facts).collect(),
        config: facts.machine.config,
        local: facts.local.map(convert::local),
    };
    Ok(Outcome { facts: StepFacts::Snapshot(facts), warnings })
}

pub(super) fn transfer(service: &Service, job: &Job, meter: &Meter) -> Result<Outcome, Failure> {
    let machine = needed_machine(service, job)?;
    let (_, store) = vault(service, job)?;
    let facts = coffre_engine::transfer(&*machine, &store, &spec(service, job)?, meter)?;
    if let Some(reason) = &facts.read_reason {
        tracing::info!(%reason, "read more than what changed");
    }
    let facts = TransferFacts {
        read_bytes: facts.stats.read_bytes,
        new_bytes: facts.stats.new_bytes,
        stored_bytes: facts.stats.stored_bytes,
        read_reason: facts.read_reason,
    };
    Ok(Outcome { facts: StepFacts::Transfer(facts), warnings: Vec::new() })
}

pub(super) fn validate(service: &Service, job: &Job, meter: &Meter) -> Result<Outcome, Failure> {
    let (_, store) = vault(service, job)?;
    coffre_engine::validate(&store, point(job)?, meter)?;
    Ok(Outcome::nothing())
}

pub(super) fn release(service: &Service, job: &Job) -> Result<Outcome, Failure> {
    let machine = machine(service, job)?;
    let (_, store) = vault(service, job)?;
    let said = coffre_engine::release(machine.as_deref(), &store, point(job)?)?;
    Ok(Outcome { facts: StepFacts::None, warnings: said.map(warning).into_iter().collect() })
}

pub(super) fn forget(service: &Service, job: &Job) -> Result<(), Failure> {
    let (_, store) = vault(service, job)?;
    coffre_engine::forget(&store, point(job)?)
}

pub(super) fn delete_points(service: &Service, job: &Job) -> Result<Outcome, Failure> {
    let JobKind::DeleteBackupData { points } = &job.kind else { return Ok(Outcome::nothing()) };
    let (_, store) = vault(service, job)?;
    for point in points {
        coffre_engine::forget(&store, point.uuid())?;
    }
    Ok(Outcome::nothing())
}

fn point(job: &Job) -> Result<Uuid, Failure> {
    match &job.kind {
        JobKind::Backup { point, .. } | JobKind::Restore { point, .. } => Ok(point.uuid()),
        _ => Err(row_missing("recovery point")),
    }
}

fn spec(service: &Service, job: &Job) -> Result<BackupSpec, Failure> {
    let JobKind::Backup { point, retain_until, scheduled } = &job.kind else {
        return Err(row_missing("recovery point"));
    };
    let (item, vm, days) = look(service, "item of job", |tx| {
        let item = match job.item {
            Some(id) => tx.item(id)?,
            None => None,
        };
        let vm = match &item {
            Some(item) => tx.vm(item.vm)?,
            None => None,
        };
        let policy = match item.as_ref().and_then(|item| item.policy.clone().map(|p| (item, p))) {
            Some((item, policy)) => tx.policy(item.vault, &policy)?,
            None => None,
        };
        Ok((item, vm, policy.and_then(|policy| policy.retention.daily).map(|daily| daily.days)))
    })?;
    let item = item.ok_or_else(|| row_missing("protected item"))?;
    let expires = retain_until.or_else(|| {
        let days = i64::from(days?);
        service.now().checked_add(SignedDuration::from_hours(24 * days)).ok()
    });
    Ok(BackupSpec {
        point: point.uuid(),
        // A repeated step must not take its own point for the one before it.
        parent: item.last_point.map(|last| last.id).filter(|last| last != point).map(|p| p.uuid()),
        distrust: None,
        name: item.id.to_string(),
        scratch: service.scratch.clone(),
        freeze: FreezeWish { ask: true, timeout: service.freeze_max },
        excluded: excluded(&item, vm.as_ref()),
        local: item.policy.is_some(),
        labels: PointLabels {
            item: item.id.uuid(),
            vault: item.vault.uuid(),
            number: coffre_control::id::number_of(point.uuid()),
            expires_unix_ms: expires.map(Timestamp::as_millisecond),
            rule: if retain_until.is_some() { "OnDemand" } else { "Daily" }.to_owned(),
            more: json!({
                "vmName": item.vm_name,
                "vmGroup": item.vm_group,
                "policy": item.policy,
                "scheduled": scheduled,
            }),
        },
    })
}

/// Disks that the item leaves out. A disk that nobody described yet is backed up.
fn excluded(item: &ProtectedItem, vm: Option<&Vm>) -> Vec<String> {
    vm.iter()
        .flat_map(|vm| &vm.disks)
        .filter(|disk| !item.takes_disk(disk.lun))
        .map(|disk| disk.key.clone())
        .collect()
}

/// A copy beside the disks that should have been possible.
fn no_copy(local: &LocalCopy) -> Option<JobWarning> {
    let LocalCopy::Not { reason, alarm: true } = local else { return None };
    Some(JobWarning {
        code: ErrorCode::UserErrorInstantRpNotFound,
        message: format!("The recovery point is in the vault only, no snapshot is kept: {reason}."),
    })
}

fn disk_facts(disk: DiskFacts) -> SnapshotDiskFacts {
    SnapshotDiskFacts {
        key: disk.key,
        size_bytes: disk.size_bytes,
        changed_bytes: disk.changed_bytes,
        unknown_reason: disk.unknown_reason,
    }
}
