//! Accepting long-running work: the job and the operation that shows it.

use super::find;
use crate::authz::Action;
use crate::cx::Cx;
use crate::error::{ErrorCode, Refusal};
use crate::id::OperationId;
use crate::job::{self, NewJob};
use crate::model::{Job, JobError, JobStatus, Operation, OperationEnd, OperationState};
use crate::port::Tx;

/// Work that was accepted.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The job; complete already when there is nothing to do outside the database.
    pub job: Job,
    /// What a client may poll.
    pub operation: Operation,
}

/// An operation as a client sees it now.
#[derive(Clone, Debug)]
pub struct OperationView {
    /// The stored row.
    pub operation: Operation,
    /// Its state now.
    pub state: OperationState,
    /// Its job now.
    pub job: Option<Job>,
    /// Why it failed.
    pub error: Option<JobError>,
    /// When it ended; none while it runs.
    pub ended: Option<jiff::Timestamp>,
}

/// Stores a job and its operation.
pub(crate) fn accept(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    new: NewJob,
    end: OperationEnd,
    scope: &str,
) -> Result<Accepted, Refusal> {
    accept_job(tx, cx, job::create(new, cx.now), end, scope)
}

/// Stores a job that was made already, and its operation.
pub(crate) fn accept_job(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    mut job: Job,
    end: OperationEnd,
    scope: &str,
) -> Result<Accepted, Refusal> {
    tx.put_job(&mut job)?;
    let mut operation = Operation {
        id: cx.id::<OperationId>(),
        scope: scope.to_owned(),
        job: Some(job.id),
        end,
        state: OperationState::InProgress,
        error: None,
        created: cx.now,
        etag: 0,
    };
    tx.put_operation(&mut operation)?;
    Ok(Accepted { job, operation })
}

/// Stores an operation for something that was done at once (a vault made or deleted), so that a
/// client can poll it. `scope` is the resource id it belongs to.
pub fn note_operation(tx: &mut dyn Tx, cx: &Cx<'_>, scope: &str) -> Result<Operation, Refusal> {
    let mut operation = Operation {
        id: cx.id::<OperationId>(),
        scope: scope.to_owned(),
        job: None,
        end: OperationEnd::Accepted,
        state: OperationState::Succeeded,
        error: None,
        created: cx.now,
        etag: 0,
    };
    tx.put_operation(&mut operation)?;
    Ok(operation)
}

/// One operation, as a view of its job.
pub fn get_operation(
    tx: &mut dyn Tx,
    cx: &Cx<'_>,
    id: OperationId,
) -> Result<OperationView, Refusal> {
    cx.may(Action::Read)?;
    let operation = tx.operation(id)?.ok_or_else(|| {
        Refusal::new(ErrorCode::OperationNotFound, format!("There is no operation '{id}'."))
    })?;
    let job = match operation.job {
        Some(id) => Some(find::job(tx, id)?),
        None => None,
    };
    let Some(job) = job else {
        let ended = (operation.state != OperationState::InProgress).then_some(operation.created);
        let (state, error) = (operation.state, operation.error.clone());
        return Ok(OperationView { operation, state, job: None, error, ended });
    };
    let (state, ended) = match operation.end {
        OperationEnd::Accepted => (OperationState::Succeeded, Some(operation.created)),
        OperationEnd::JobEnded => (state_of(job.status()), job.ended),
    };
    let error = (state == OperationState::Failed).then(|| job.error.clone()).flatten();
    Ok(OperationView { operation, state, job: Some(job), error, ended })
}

fn state_of(status: JobStatus) -> OperationState {
    match status {
        JobStatus::InProgress | JobStatus::Cancelling => OperationState::InProgress,
        JobStatus::Completed | JobStatus::CompletedWithWarnings => OperationState::Succeeded,
        JobStatus::Failed => OperationState::Failed,
        JobStatus::Cancelled => OperationState::Canceled,
    }
}
