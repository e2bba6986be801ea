//! The transitions: one event in, the next state of the job out.

use jiff::{SignedDuration, Timestamp};

use super::{
    MAX_ATTEMPTS, MAX_RESTARTS, MAX_UNDO_ATTEMPTS, has_undo, is_cancellable, is_committed,
};
use crate::error::ErrorCode;
use crate::id::PointId;
use crate::model::{
    Facts, Job, JobError, JobKind, JobState, JobWarning, PreparedFacts, Progress, RestoreFacts,
    SnapshotFacts, Step, StepStatus, TransferFacts, Unwound,
};

/// Pause before a job begins again; it grows with each time.
const PAUSE_OF_RESTART: SignedDuration = SignedDuration::from_secs(5);

/// Longest pause between two attempts.
const MAX_PAUSE: SignedDuration = SignedDuration::from_mins(10);

/// Something that happened to a job.
#[expect(clippy::large_enum_variant, reason = "one at a time lives, on a stack")]
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A worker is about to perform the step at the cursor. Recorded before the effect exists, so
    /// that a crash leaves no effect that nobody knows of.
    StepStarted {
        /// The step.
        step: Step,
    },
    /// The step at the cursor did its work.
    StepDone {
        /// The step.
        step: Step,
        /// What it found out.
        facts: StepFacts,
    },
    /// The step at the cursor did not; what it left behind is not known.
    StepFailed {
        /// The step.
        step: Step,
        /// Why.
        failure: Failure,
    },
    /// The step below the cursor is undone.
    StepUndone {
        /// The step.
        step: Step,
    },
    /// The step below the cursor could not be undone.
    UndoFailed {
        /// The step.
        step: Step,
        /// Why.
        failure: Failure,
    },
    /// The running step got further.
    Progress(Progress),
    /// Something went wrong that does not matter for what counts.
    Warned(JobWarning),
    /// Somebody wants the job cancelled.
    CancelAsked,
    /// The worker saw the wish before it began a step.
    CancelTaken,
}

/// What a step found out.
#[expect(clippy::large_enum_variant, reason = "one at a time lives, on a stack")]
#[derive(Clone, Debug, PartialEq)]
pub enum StepFacts {
    /// Nothing to remember.
    None,
    /// Of [`Step::TakeSnapshot`].
    Snapshot(SnapshotFacts),
    /// Of [`Step::TransferToVault`].
    Transfer(TransferFacts),
    /// Of [`Step::PrepareRestore`].
    Prepared(PreparedFacts),
    /// Of [`Step::PublishRestore`].
    Restore(RestoreFacts),
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The code.
    pub code: ErrorCode,
    /// What happened, in words for the owner.
    pub message: String,
    /// Whether trying again may help.
    pub retry: Retry,
}

/// Whether trying again may help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// No.
    Never,
    /// Yes, after this time; it grows with each attempt, up to ten minutes.
    After(SignedDuration),
    /// Only from the first step on: what was made so far is of no use. A few times, after pauses
    /// that grow; once the job counts it means no.
    FromStart,
}

/// An event that cannot happen to a job in this state: a fault of the program, or of a worker
/// whose lease is gone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("job {job} in state {state:?} at {cursor} cannot take {event}")]
pub struct IllegalTransition {
    /// The job.
    pub job: crate::id::JobId,
    /// Its state.
    pub state: JobState,
    /// Its cursor.
    pub cursor: u16,
    /// The event.
    pub event: String,
}

/// Applies one event. Leases are not looked at: see [`crate::usecase::report_job`].
pub fn apply(mut job: Job, event: Event, now: Timestamp) -> Result<Job, IllegalTransition> {
    match event {
        Event::StepStarted { step } if at_cursor(&job, step) => start(&mut job, now),
        Event::StepDone { step, facts } if begun_at_cursor(&job, step) => {
            remember(&mut job, facts);
            advance(&mut job, StepStatus::Completed, now);
        }
        Event::StepFailed { step, failure } if begun_at_cursor(&job, step) => {
            fail(&mut job, failure, now);
        }
        Event::StepUndone { step } if below_cursor(&job, step) => undone(&mut job, now),
        Event::UndoFailed { step, failure } if below_cursor(&job, step) => {
            undo_failed(&mut job, failure, now);
        }
        Event::Progress(progress) if !job.state.is_ended() => job.progress = progress,
        Event::Warned(warning) if !job.state.is_ended() => job.warnings.push(warning),
        Event::CancelAsked if is_cancellable(&job) => {
            job.cancel_requested = true;
            if let JobState::Unwinding { to } = &mut job.state {
                *to = Unwound::Cancelled;
            } else if !is_being_performed(&job) {
                unwind(&mut job, Unwound::Cancelled, now);
            }
        }
        Event::CancelTaken if can_take_cancel(&job) => unwind(&mut job, Unwound::Cancelled, now),
        event @ (Event::StepStarted { .. }
        | Event::StepDone { .. }
        | Event::StepFailed { .. }
        | Event::StepUndone { .. }
        | Event::UndoFailed { .. }
        | Event::Progress(_)
        | Event::Warned(_)
        | Event::CancelAsked
        | Event::CancelTaken) => return Err(illegal(&job, &event)),
    }
    Ok(job)
}

/// Whether a cancel that was asked for is still to be obeyed.
pub(crate) fn can_take_cancel(job: &Job) -> bool {
    job.cancel_requested && job.state == JobState::Running && !is_committed(job)
}

fn at_cursor(job: &Job, step: Step) -> bool {
    matches!(job.state, JobState::Queued | JobState::Running)
        && job.steps[usize::from(job.cursor)].step == step
}

fn begun_at_cursor(job: &Job, step: Step) -> bool {
    at_cursor(job, step) && is_being_performed(job)
}

fn below_cursor(job: &Job, step: Step) -> bool {
    matches!(job.state, JobState::Unwinding { .. })
        && job.steps[usize::from(job.cursor) - 1].step == step
}

/// Whether a worker may be at the step at the cursor at this moment.
fn is_being_performed(job: &Job) -> bool {
    job.state == JobState::Running
        && job.wake_at.is_none()
        && job.steps[usize::from(job.cursor)].status == StepStatus::InProgress
}

fn start(job: &mut Job, now: Timestamp) {
    job.state = JobState::Running;
    job.started.get_or_insert(now);
    job.wake_at = None;
    let record = &mut job.steps[usize::from(job.cursor)];
    record.status = StepStatus::InProgress;
    record.started.get_or_insert(now);
}

fn remember(job: &mut Job, facts: StepFacts) {
    match facts {
        StepFacts::None => {}
        StepFacts::Snapshot(facts) => job.facts.snapshot = Some(facts),
        StepFacts::Transfer(facts) => job.facts.transfer = Some(facts),
        StepFacts::Prepared(facts) => job.facts.prepared = Some(facts),
        StepFacts::Restore(facts) => job.facts.restore = Some(facts),
    }
}

/// Leaves the step at the cursor behind.
fn advance(job: &mut Job, status: StepStatus, now: Timestamp) {
    let record = &mut job.steps[usize::from(job.cursor)];
    record.status = status;
    record.ended = Some(now);
    job.cursor += 1;
    job.attempt = 0;
    job.wake_at = None;
    if usize::from(job.cursor) == job.steps.len() {
        let clean = job.warnings.is_empty();
        end(job, if clean { JobState::Completed } else { JobState::CompletedWithWarnings }, now);
    }
}

fn fail(job: &mut Job, failure: Failure, now: Timestamp) {
    let cancelled = can_take_cancel(job);
    if !cancelled && put_off(job, &failure, MAX_ATTEMPTS, now) {
        return;
    }
    if is_committed(job) {
        job.warnings.push(JobWarning { code: failure.code, message: failure.message });
        advance(job, StepStatus::CompletedWithWarnings, now);
        return;
    }
    let record = &mut job.steps[usize::from(job.cursor)];
    record.ended = Some(now);
    if cancelled {
        unwind(job, Unwound::Cancelled, now);
    } else if failure.retry == Retry::FromStart && job.restarts < MAX_RESTARTS {
        job.restarts += 1;
        unwind(job, Unwound::Again, now);
    } else {
        record.status = StepStatus::Failed;
        job.error = Some(JobError::new(failure.code, failure.message));
        unwind(job, Unwound::Failed, now);
    }
}

/// Puts the work at the cursor off, if another attempt may help and is left. Gives up the lease:
/// whoever is free takes it up again.
fn put_off(job: &mut Job, failure: &Failure, attempts: u16, now: Timestamp) -> bool {
    let Retry::After(pause) = failure.retry else { return false };
    if job.attempt + 1 >= attempts {
        return false;
    }
    job.attempt += 1;
    let pause = pause.saturating_mul(i32::from(job.attempt)).min(MAX_PAUSE);
    job.wake_at = Some(now.saturating_add(pause).unwrap_or(now));
    job.lease = None;
    true
}

/// Turns round: everything that was begun is undone.
fn unwind(job: &mut Job, to: Unwound, now: Timestamp) {
    let begun = job.steps.iter().take_while(|record| record.status != StepStatus::NotStarted);
    job.cursor = u16::try_from(begun.count()).expect("a job has a handful of steps");
    job.state = JobState::Unwinding { to };
    job.attempt = 0;
    job.wake_at = None;
    settle(job, to, now);
}

fn undone(job: &mut Job, now: Timestamp) {
    let record = &mut job.steps[usize::from(job.cursor) - 1];
    if record.status != StepStatus::Failed {
        record.status = StepStatus::Undone;
        record.ended = Some(now);
    }
    step_down(job, now);
}

fn undo_failed(job: &mut Job, failure: Failure, now: Timestamp) {
    if put_off(job, &failure, MAX_UNDO_ATTEMPTS, now) {
        return;
    }
    job.warnings.push(JobWarning { code: failure.code, message: failure.message });
    step_down(job, now);
}

fn step_down(job: &mut Job, now: Timestamp) {
    let JobState::Unwinding { to } = job.state else { return };
    job.cursor -= 1;
    job.attempt = 0;
    job.wake_at = None;
    settle(job, to, now);
}

/// Skips what has nothing to undo; ends the job when nothing is left.
fn settle(job: &mut Job, to: Unwound, now: Timestamp) {
    while job.cursor > 0 && !has_undo(job.steps[usize::from(job.cursor) - 1].step) {
        job.cursor -= 1;
        let record = &mut job.steps[usize::from(job.cursor)];
        if record.status == StepStatus::InProgress {
            record.status = StepStatus::Undone;
            record.ended = Some(now);
        }
    }
    if job.cursor == 0 {
        match to {
            Unwound::Failed => end(job, JobState::Failed, now),
            Unwound::Cancelled => end(job, JobState::Cancelled, now),
            Unwound::Again => begin_again(job, now),
        }
    }
}

/// Back to the first step, with nothing left of what was. What a vault gave up it never takes
/// again, so a backup makes another point.
fn begin_again(job: &mut Job, now: Timestamp) {
    if let JobKind::Backup { point, .. } = &mut job.kind {
        *point = PointId(uuid::Uuid::from_u128(point.uuid().as_u128().wrapping_add(1)));
    }
    for record in &mut job.steps {
        record.status = StepStatus::NotStarted;
        (record.started, record.ended) = (None, None);
    }
    let pause = PAUSE_OF_RESTART.saturating_mul(i32::from(job.restarts)).min(MAX_PAUSE);
    job.state = JobState::Queued;
    job.facts = Facts::default();
    job.progress = Progress::default();
    job.wake_at = Some(now.saturating_add(pause).unwrap_or(now));
    job.lease = None;
}

fn end(job: &mut Job, state: JobState, now: Timestamp) {
    job.state = state;
    job.started.get_or_insert(now);
    job.ended = Some(now);
    job.lease = None;
    job.wake_at = None;
}

fn illegal(job: &Job, event: &Event) -> IllegalTransition {
    IllegalTransition {
        job: job.id,
        state: job.state,
        cursor: job.cursor,
        event: format!("{event:?}"),
    }
}
