//! What may happen to a job next.
//!
//! A job is a linear list of steps and a cursor. A worker leases the job, asks [`next`], records
//! that it begins ([`Event::StepStarted`]), performs the effect, and reports what came of it. All
//! changes of state go through [`apply`], which is pure.
//!
//! Each kind has one step that makes it count (the *commit step*). Before it, a failure or a
//! cancel undoes every step that was begun, in reverse order, and the job ends as failed or
//! cancelled with nothing left behind. After it there is no way back: what still fails is retried
//! and then recorded as a warning, and what is left over is for the reconciler.
//!
//! ```text
//! Queued ─► Running ─► … commit step … ─► Completed | CompletedWithWarnings
//!    │         │
//!    └─────────┴─► Unwinding(Failed) ─► Failed
//!              ├─► Unwinding(Cancelled) ─► Cancelled
//!              └─► Unwinding(Again) ─► Queued
//! ```
//!
//! A failure may say that only a fresh start helps (the snapshot is gone, say): then all is undone
//! and the job begins again, a backup with a new recovery point.
//!
//! Every effect and every undo may be performed twice: after a crash the worker that takes over
//! repeats the step at the cursor.

mod apply;
pub(crate) use apply::can_take_cancel;
#[cfg(test)]
mod laws;

pub use apply::{Event, Failure, IllegalTransition, Retry, StepFacts, apply};

use jiff::Timestamp;

use crate::id::{ItemId, JobId, VaultId, VmId};
use crate::model::{
    Facts, Job, JobKind, JobState, Progress, RestoreTarget, Step, StepRecord, StepStatus, Unwound,
};

/// How often a step is tried before its failure counts.
pub const MAX_ATTEMPTS: u16 = 5;

/// How often a job begins again from its first step before its failure counts.
pub const MAX_RESTARTS: u16 = 3;

/// How often an undo is tried before it is left to the reconciler.
pub const MAX_UNDO_ATTEMPTS: u16 = 10;

/// The steps of a kind, in order. A kind with none is complete when it is asked for: all of it is
/// in the transaction that asks.
pub fn steps(kind: &JobKind) -> &'static [Step] {
    match kind {
        JobKind::ConfigureBackup { .. } | JobKind::DisableBackup | JobKind::Undelete => &[],
        JobKind::Backup { .. } => {
            &[Step::TakeSnapshot, Step::TransferToVault, Step::ValidatePoint, Step::ReleaseSnapshot]
        }
        JobKind::Restore { target: RestoreTarget::InPlace { restart: true, .. }, .. } => &[
            Step::PrepareRestore,
            Step::TransferFromVault,
            Step::ValidateRestore,
            Step::PublishRestore,
            Step::StartMachine,
        ],
        JobKind::Restore { .. } => &[
            Step::PrepareRestore,
            Step::TransferFromVault,
            Step::ValidateRestore,
            Step::PublishRestore,
        ],
        JobKind::DeleteBackupData { points } => {
            if points.is_empty() {
                &[]
            } else {
                &[Step::DeletePoints]
            }
        }
        JobKind::StartVm => &[Step::StartMachine],
        JobKind::StopVm { .. } => &[Step::StopMachine],
        JobKind::RefreshContainers => &[Step::DiscoverMachines],
    }
}

/// Whether a step leaves something behind that an undo removes.
pub fn has_undo(step: Step) -> bool {
    match step {
        Step::TakeSnapshot
        | Step::TransferToVault
        | Step::PrepareRestore
        | Step::TransferFromVault
        | Step::PublishRestore => true,
        Step::ValidatePoint
        | Step::ReleaseSnapshot
        | Step::ValidateRestore
        | Step::DeletePoints
        | Step::StartMachine
        | Step::StopMachine
        | Step::DiscoverMachines => false,
    }
}

/// Index of the step that makes a job of this kind count. Steps after it are only tidying.
pub fn commit_index(kind: &JobKind) -> usize {
    match kind {
        JobKind::Backup { .. } => 2,
        JobKind::Restore { .. } => 3,
        _ => steps(kind).len().saturating_sub(1),
    }
}

/// Whether the commit step is done.
pub fn is_committed(job: &Job) -> bool {
    match job.state {
        JobState::Completed | JobState::CompletedWithWarnings => true,
        JobState::Queued | JobState::Running => usize::from(job.cursor) > commit_index(&job.kind),
        JobState::Unwinding { .. } | JobState::Failed | JobState::Cancelled => false,
    }
}

/// Whether a cancel would be accepted: backups and restores, before their commit step is done.
pub fn is_cancellable(job: &Job) -> bool {
    let kind = match job.kind {
        JobKind::Backup { .. } | JobKind::Restore { .. } => true,
        JobKind::ConfigureBackup { .. }
        | JobKind::DisableBackup
        | JobKind::DeleteBackupData { .. }
        | JobKind::Undelete
        | JobKind::StartVm
        | JobKind::StopVm { .. }
        | JobKind::RefreshContainers => false,
    };
    let state = matches!(
        job.state,
        JobState::Queued | JobState::Running | JobState::Unwinding { to: Unwound::Again }
    );
    kind && state && !job.cancel_requested && !is_committed(job)
}

/// What a worker does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Perform this step.
    Do(Step),
    /// Undo this step.
    Undo(Step),
    /// Nothing before this time.
    Wait(Timestamp),
    /// Nothing: the job has ended.
    Done,
}

/// What a worker does next. Pure; nothing changes before an event is applied.
pub fn next(job: &Job, now: Timestamp) -> Next {
    if job.state.is_ended() {
        return Next::Done;
    }
    if let Some(wake) = job.wake_at.filter(|wake| *wake > now) {
        return Next::Wait(wake);
    }
    let steps = steps(&job.kind);
    match job.state {
        JobState::Unwinding { .. } => Next::Undo(steps[usize::from(job.cursor) - 1]),
        _ => Next::Do(steps[usize::from(job.cursor)]),
    }
}

/// What a new job is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    /// Identity.
    pub id: JobId,
    /// What it does.
    pub kind: JobKind,
    /// The vault it belongs to.
    pub vault: Option<VaultId>,
    /// The item it works on.
    pub item: Option<ItemId>,
    /// The VM it works on.
    pub vm: Option<VmId>,
    /// What people call the thing it works on.
    pub name: String,
    /// Whether a person asked for it.
    pub user_triggered: bool,
}

/// Makes a job. A kind without steps is born complete.
pub fn create(new: NewJob, now: Timestamp) -> Job {
    let steps = steps(&new.kind);
    let complete = steps.is_empty();
    Job {
        id: new.id,
        vault: new.vault,
        item: new.item,
        vm: new.vm,
        name: new.name,
        state: if complete { JobState::Completed } else { JobState::Queued },
        cursor: 0,
        steps: steps
            .iter()
            .map(|&step| StepRecord {
                step,
                status: StepStatus::NotStarted,
                started: None,
                ended: None,
            })
            .collect(),
        kind: new.kind,
        attempt: 0,
        lease: None,
        epoch: 0,
        restarts: 0,
        slot: None,
        retry_of: None,
        cancel_requested: false,
        user_triggered: new.user_triggered,
        created: now,
        started: complete.then_some(now),
        ended: complete.then_some(now),
        error: None,
        warnings: Vec::new(),
        progress: Progress::default(),
        facts: Facts::default(),
        wake_at: None,
        etag: 0,
    }
}
