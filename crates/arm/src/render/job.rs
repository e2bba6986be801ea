//! Jobs of a vault.

use std::collections::BTreeMap;

use coffre_control::ErrorCode;
use coffre_control::model::{
    Job, JobKind, JobStatus, ProtectedItem, RecoveryPoint, RestoreTarget, StepStatus, Vault,
};
use coffre_control::usecase::is_retriable;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{duration, megabytes, put, resource, time};
use crate::names::{job_id, vm_part};

/// What is shown of a job beside its own row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobContext<'a> {
    /// Its vault.
    pub(crate) vault: &'a Vault,
    /// The item it works on, unless its row is gone.
    pub(crate) item: Option<&'a ProtectedItem>,
    /// Now.
    pub(crate) now: Timestamp,
}

/// The job as an entry of a list.
pub(crate) fn summary(job: &Job, context: JobContext<'_>) -> Value {
    body(job, context, None)
}

/// The job with its tasks; `point` is the one that a restore reads.
pub(crate) fn detail(job: &Job, context: JobContext<'_>, point: Option<&RecoveryPoint>) -> Value {
    body(job, context, Some(extended(job, point, context.now)))
}

fn body(job: &Job, context: JobContext<'_>, extended: Option<Value>) -> Value {
    let status = job.status();
    let container = context.item.map(|item| vm_part(&item.vm_group, &item.vm_name));
    let mut properties = json!({
        "jobType": "AzureIaaSVMJob",
        "duration": duration(job.seconds(context.now)),
        "virtualMachineVersion": "Compute",
        "entityFriendlyName": job.name,
        "backupManagementType": "AzureIaasVM",
        "operation": job.kind.azure(),
        "status": status.azure(),
        "startTime": time(job.started.unwrap_or(job.created)),
        "activityId": job.id,
        "isUserTriggered": job.user_triggered,
    });
    put(&mut properties, "containerName", container.map(|name| json!(name)));
    put(&mut properties, "endTime", job.ended.map(|at| json!(time(at))));
    let cancellable = status == JobStatus::InProgress && can_cancel(&job.kind);
    let actions = match (cancellable, is_retriable(job)) {
        (true, _) => Some(json!(["Cancellable"])),
        (false, true) => Some(json!(["Retriable"])),
        (false, false) => None,
    };
    put(&mut properties, "actionsInfo", actions);
    let errors = errors(job);
    put(&mut properties, "errorDetails", (!errors.is_empty()).then(|| json!(errors)));
    put(&mut properties, "extendedInfo", extended);
    resource(
        job_id(context.vault, job.id),
        &job.id.to_string(),
        "Microsoft.RecoveryServices/vaults/backupJobs",
        properties,
    )
}

fn can_cancel(kind: &JobKind) -> bool {
    matches!(kind, JobKind::Backup { .. } | JobKind::Restore { .. })
}

fn errors(job: &Job) -> Vec<Value> {
    let error = job.error.as_ref().map(|error| {
        json!({
            "errorCode": number_of_code(error.code.azure()),
            "errorTitle": error.code.title(),
            "errorString": format!("{} ({})", error.message, error.code.azure()),
            "recommendations": [error.recommendation],
        })
    });
    let warnings = job.warnings.iter().map(|warning| {
        json!({
            "errorCode": number_of_code(warning.code.azure()),
            "errorTitle": warning.code.title(),
            "errorString": format!("{} ({})", warning.message, warning.code.azure()),
            "recommendations": [warning.code.recommendation()],
        })
    });
    error.into_iter().chain(warnings).collect()
}

/// A number for a code, since this one list of Azure's has numbers where all else has names.
/// Six digits, the same for the same code for ever.
pub(crate) fn number_of_code(code: &str) -> u32 {
    let hash = code
        .bytes()
        .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    400_000 + hash % 100_000
}

fn extended(job: &Job, point: Option<&RecoveryPoint>, now: Timestamp) -> Value {
    let mut body = json!({ "tasksList": tasks(job), "propertyBag": property_bag(job, point) });
    let internal = match &job.kind {
        JobKind::Backup { .. } => Some(backup_counts(job)),
        JobKind::Restore { target, .. } => Some(json!({ "restoreLocationType": location(target) })),
        _ => None,
    };
    put(&mut body, "internalPropertyBag", internal);
    let progress = &job.progress;
    let running = job.status() == JobStatus::InProgress && progress.total_bytes > 0;
    let percent = running.then(|| {
        let percent = u128::from(progress.done_bytes) * 100 / u128::from(progress.total_bytes);
        json!(percent.min(100) as u64 as f64)
    });
    put(&mut body, "progressPercentage", percent);
    let rest = running.then(|| rest_seconds(job, now)).flatten();
    put(&mut body, "estimatedRemainingDuration", rest.map(|rest| json!(duration(rest))));
    let why = job.error.as_ref().map(|error| json!(error.message));
    put(&mut body, "dynamicErrorMessage", why);
    body
}

/// How long the running step will go on at the pace that it had so far, in seconds.
fn rest_seconds(job: &Job, now: Timestamp) -> Option<f64> {
    let step = job.steps.iter().find(|step| step.status == StepStatus::InProgress)?;
    let spent = now.duration_since(step.started?).as_secs_f64();
    let (done, total) = (job.progress.done_bytes, job.progress.total_bytes);
    if done == 0 || spent <= 0.0 {
        return None;
    }
    Some(spent * total.saturating_sub(done) as f64 / done as f64)
}

/// Exact bytes for programs; the property bag rounds them for people.
fn backup_counts(job: &Job) -> Value {
    let mut bag = json!({ "IsInstantRpJob": "True" });
    if let Some(transfer) = &job.facts.transfer {
        bag["ReadBytes"] = json!(transfer.read_bytes.to_string());
        bag["NewBytes"] = json!(transfer.new_bytes.to_string());
        bag["StoredBytes"] = json!(transfer.stored_bytes.to_string());
    }
    bag
}

fn tasks(job: &Job) -> Vec<Value> {
    let shown = job.steps.iter().filter(|step| step.status != StepStatus::NotStarted);
    shown
        .map(|record| {
            let seconds = match (record.started, record.ended) {
                (Some(from), Some(to)) => to.duration_since(from).as_secs_f64(),
                _ => 0.0,
            };
            let mut task = json!({
                "taskId": record.step.label(),
                "duration": duration(seconds),
                "status": record.status.azure(),
            });
            put(&mut task, "startTime", record.started.map(|at| json!(time(at))));
            put(&mut task, "endTime", record.ended.map(|at| json!(time(at))));
            task
        })
        .collect()
}

fn location(target: &RestoreTarget) -> &'static str {
    match target {
        RestoreTarget::Disks { .. } => "RestoreDisks",
        RestoreTarget::InPlace { .. } => "OriginalLocation",
        RestoreTarget::NewVm { .. } => "AlternateLocation",
    }
}

fn property_bag(job: &Job, point: Option<&RecoveryPoint>) -> BTreeMap<&'static str, String> {
    let mut bag = BTreeMap::from([("VM Name", job.name.clone())]);
    match &job.kind {
        JobKind::ConfigureBackup { policy } => {
            bag.insert("Policy Name", policy.clone());
        }
        JobKind::Backup { retain_until, .. } => {
            if let Some(until) = retain_until {
                bag.insert("Recovery Point Expiry Time in UTC", time(*until));
            }
            backup_facts(&mut bag, job);
        }
        JobKind::Restore { target, .. } => {
            // The trailing blank is Azure's; scripts look the name up as it is.
            if let Some(point) = point {
                bag.insert("Recovery point time ", time(point.time));
            }
            restore_facts(&mut bag, job, target);
        }
        JobKind::DeleteBackupData { points } => {
            bag.insert("Number of Recovery Points", points.len().to_string());
        }
        JobKind::DisableBackup
        | JobKind::Undelete
        | JobKind::StartVm
        | JobKind::StopVm { .. }
        | JobKind::RefreshContainers => {}
    }
    bag
}

fn backup_facts(bag: &mut BTreeMap<&'static str, String>, job: &Job) {
    if let Some(snapshot) = &job.facts.snapshot {
        bag.insert("Consistency", snapshot.consistency.azure().to_owned());
        bag.insert("Consistency reason", snapshot.reason.clone());
        if let Some(freeze_ms) = snapshot.freeze_ms {
            bag.insert("Freeze window", format!("{freeze_ms} ms"));
        }
        if let Some(local) = &snapshot.local {
            let why = local.reason.as_deref().unwrap_or("kept");
            bag.insert("Snapshot tier", why.to_owned());
        }
        if let Some(freeze) = &snapshot.freeze {
            bag.insert("Frozen by", freeze.by.clone());
            bag.insert("Freeze asked (host)", time(freeze.asked));
            bag.insert("Frozen (host)", time(freeze.frozen));
            bag.insert("Snapshot done (host)", time(freeze.taken));
            if let Some(thawed) = freeze.thawed {
                bag.insert("Thawed (host)", time(thawed));
            }
            if let Some(guest) = &freeze.guest {
                bag.insert("Freeze started (guest)", time(guest.started));
                bag.insert("Frozen (guest)", time(guest.frozen));
                if let Some(thawed) = guest.thawed {
                    bag.insert("Thawed (guest)", time(thawed));
                }
            }
        }
    }
    if let Some(transfer) = &job.facts.transfer {
        bag.insert("Backup Size", megabytes(transfer.read_bytes));
        bag.insert("Data Transferred", megabytes(transfer.new_bytes));
        bag.insert("Data Stored", megabytes(transfer.stored_bytes));
        if let Some(reason) = &transfer.read_reason {
            bag.insert("Full read reason", reason.clone());
        }
    }
}

fn restore_facts(bag: &mut BTreeMap<&'static str, String>, job: &Job, target: &RestoreTarget) {
    match target {
        RestoreTarget::Disks { account, folder, .. } => {
            bag.insert("Job Type", "Recover disks".to_owned());
            bag.insert("Target Storage Account Name", account.clone());
            bag.insert("Config Blob Container Name", folder.clone());
        }
        RestoreTarget::InPlace { .. } => {
            bag.insert("Job Type", "Recover to original location".to_owned());
            bag.insert("Target VM Name", job.name.clone());
        }
        RestoreTarget::NewVm { name, group } => {
            bag.insert("Job Type", "Recover to an alternate location".to_owned());
            bag.insert("Target VM Name", name.clone());
            bag.insert("Target resource group", group.clone());
        }
    }
    if let Some(prepared) = &job.facts.prepared {
        let source = if prepared.from_copy { "Snapshot" } else { "Vault-Standard" };
        bag.insert("Recovery point tier", source.to_owned());
        if let Some(doubt) = &prepared.doubt {
            let code = ErrorCode::UserErrorInstantRpNotFound;
            bag.insert("Recovery point tier reason", format!("{doubt} ({code})"));
        }
    }
    let Some(restore) = &job.facts.restore else { return };
    bag.insert("Data Restored", megabytes(restore.written_bytes));
    let paths: Vec<&str> = restore.files.iter().map(|file| file.path.as_str()).collect();
    bag.insert("Restored files", paths.join(", "));
    if let Some(config) = restore.files.iter().find(|file| file.disk.is_empty()) {
        let name = config.path.rsplit('/').next().unwrap_or(&config.path);
        bag.insert("Config Blob Name", name.to_owned());
    }
}
