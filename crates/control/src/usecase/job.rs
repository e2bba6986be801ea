//! Jobs as people see them: list, get, cancel; and the discovery that they may ask for.

use super::accept::{Accepted, accept};
use super::{find, job_rows};
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::{JobId, VaultId};
use crate::job::{self, Event, NewJob};
use crate::model::{Job, JobKind, OperationEnd};
use crate::port::{JobFilter, Tx};
use crate::resource_id;

/// Jobs, newest first.
pub fn list_jobs(tx: &mut dyn Tx, cx: &Cx<'_>, filter: &JobFilter) -> Result<Vec<Job>, Refusal> {
    cx.may(Action::Read)?;
    Ok(tx.jobs(filter)?)
}

/// One job of a vault.
pub fn get_vault_job(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    vault: VaultId,
    id: JobId,
) -> Result<Job, Refusal> {
    let job = get_job(tx, cx, id)?;
    if job.vault == Some(vault) {
        return Ok(job);
    }
    Err(Refusal::new(ErrorCode::BMSUserErrorJobNotFound, format!("The vault has no job '{id}'.")))
}

/// One job.
pub fn get_job(tx: &mut dyn Tx, cx: &Cx<'_>, id: JobId) -> Result<Job, Refusal> {
    cx.may(Action::Read)?;
    find::job(tx, id)
}

/// Cancels a backup or a restore that does not count yet. The worker undoes what was begun.
pub fn cancel_job(tx: &mut dyn Tx, cx: &Cx<'_>, id: JobId) -> Result<Job, Refusal> {
    cx.may(Action::CancelJob)?;
    let before = find::job(tx, id)?;
    if let Some(vault) = before.vault {
        let vault = find::vault(tx, vault)?;
        super::lock::refuse(tx, cx, &resource_id::job_id(&vault, id), super::lock::Change::Write)?;
    }
    if before.cancel_requested && !before.state.is_ended() {
        return Ok(before);
    }
    let mut after = job::apply(before.clone(), Event::CancelAsked, cx.now).map_err(|_| {
        let why = if before.state.is_ended() {
            "it has ended"
        } else if job::is_committed(&before) {
            "its recovery point is complete; only tidying is left"
        } else {
            "only backups and restores can be, before they are complete"
        };
        Refusal::new(
            ErrorCode::BMSUserErrorJobNotInCancelableState,
            format!(
                "{} job '{id}' of '{}' cannot be cancelled: {why}.",
                before.kind.azure(),
                before.name
            ),
        )
    })?;
    tx.put_job(&mut after)?;
    job_rows::follow(tx, &before, &after, cx.now)?;
    cx.record(tx, Action::CancelJob, format!("{} of {}", after.kind.azure(), after.name))?;
    Ok(after)
}

/// Starts a search for new VMs on all hypervisors. One that runs already serves both.
pub fn refresh_containers(tx: &mut dyn Tx, cx: &Cx<'_>, scope: &str) -> Result<Accepted, Refusal> {
    cx.may(Action::RefreshContainers)?;
    let new = NewJob {
        id: cx.id(),
        kind: JobKind::RefreshContainers,
        vault: None,
        item: None,
        vm: None,
        name: "all hypervisors".to_owned(),
        user_triggered: true,
    };
    accept(tx, cx, new, OperationEnd::JobEnded, scope)
}
