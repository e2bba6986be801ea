//! Does a job again that failed or was cancelled.

use super::accept::{Accepted, accept_job};
use super::enable_protection::refuse_deleted;
use super::{find, vm};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::JobId;
use crate::job::{self, NewJob};
use crate::model::{Job, JobKind, JobState, OperationEnd};
use crate::port::Tx;

/// Whether a job can be done again.
pub fn is_retriable(job: &Job) -> bool {
    let ended = matches!(job.state, JobState::Failed | JobState::Cancelled);
    ended && matches!(job.kind, JobKind::Backup { .. } | JobKind::Restore { .. })
}

/// Starts a job that does what an earlier one did not. A backup makes another point, for the slot
/// of the first one unless that has its point by now.
pub fn retry_job(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: JobId,
    scope: &str,
) -> Result<Accepted, Refusal> {
    let first = find::job(tx, id)?;
    let (action, kind) = match &first.kind {
        JobKind::Restore { .. } => (Action::Restore, first.kind.clone()),
        JobKind::Backup { retain_until, scheduled, .. } => {
            let retain_until = retain_until.filter(|until| *until > cx.now);
            let kind = JobKind::Backup { point: cx.id(), retain_until, scheduled: *scheduled };
            (Action::BackupNow, kind)
        }
        _ => (Action::BackupNow, first.kind.clone()),
    };
    cx.may(action)?;
    if !is_retriable(&first) {
        return Err(Refusal::new(
            ErrorCode::BMSUserErrorJobNotInCancelableState,
            format!(
                "{} job '{id}' of '{}' cannot be done again: only backups and restores that \
                 failed or were cancelled can.",
                first.kind.azure(),
                first.name
            ),
        ));
    }
    let item = match first.item {
        Some(item) => find::item(tx, item)?,
        None => return Err(Refusal::new(ErrorCode::ProtectedItemNotFound, "The item is gone.")),
    };
    super::lock::refuse_item(tx, cx, &item, super::lock::Change::Write)?;
    refuse_deleted(&item)?;
    if matches!(kind, JobKind::Backup { .. }) {
        vm::check_reachable(&find::vm(tx, item.vm)?)?;
    }
    find::no_running_job(tx, &item)?;
    let slot = match first.slot {
        Some(slot) => free_slot(tx, &first, slot)?,
        None => None,
    };
    let new = NewJob {
        id: cx.id(),
        kind,
        vault: first.vault,
        item: first.item,
        vm: first.vm,
        name: first.name.clone(),
        user_triggered: true,
    };
    let again = Job { slot, retry_of: Some(first.id), ..job::create(new, cx.now) };
    let accepted = accept_job(tx, cx, again, OperationEnd::Accepted, scope)?;
    cx.record(tx, action, format!("{} of {} again", first.kind.azure(), first.name))?;
    Ok(accepted)
}

/// The slot of the first job, if no other job of it made the point.
fn free_slot(
    tx: &mut dyn Tx,
    first: &Job,
    slot: jiff::Timestamp,
) -> Result<Option<jiff::Timestamp>, Refusal> {
    let Some(item) = first.item else { return Ok(None) };
    let newest = tx.job_of_slot(item, slot)?;
    let free = newest.is_none_or(|job| matches!(job.state, JobState::Failed | JobState::Cancelled));
    Ok(free.then_some(slot))
}
