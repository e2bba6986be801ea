//! Jobs as workers see them: lease one, begin its next step, report what came of it.
//!
//! A lease only keeps two workers from doing the same work at the same time. What makes a late
//! report harmless is its epoch: every call here is refused with `JobLeaseLost` once another
//! lease of the job was given out.

use std::time::Duration;

use jiff::Timestamp;
use uuid::Uuid;

use super::{find, job_rows};
use crate::error::{ErrorCode, Refusal};
use crate::id::JobId;
use crate::job::{self, Event, Next};
use crate::model::{Job, Lease, Progress};
use crate::port::Tx;

/// Proof of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseToken {
    /// The job.
    pub job: JobId,
    /// Who leased it.
    pub owner: Uuid,
    /// Number of the lease.
    pub epoch: u64,
}

/// What a worker learns when it renews its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heartbeat {
    /// Somebody wants the job cancelled: give the running step up.
    pub cancel: bool,
}

/// Leases the oldest job that is due. `owner` is random and new with each start of the process.
pub fn lease_job(
    tx: &mut dyn Tx,
    owner: Uuid,
    now: Timestamp,
    ttl: Duration,
) -> Result<Option<(LeaseToken, Job)>, Refusal> {
    let Some(job) = tx.job_lease(owner, now, ttl)? else { return Ok(None) };
    let token = LeaseToken { job: job.id, owner, epoch: job.epoch };
    Ok(Some((token, job)))
}

/// Says what the worker does next and records that it begins. [`Next::Wait`] and [`Next::Done`]
/// end its work on the job.
pub fn begin_step(
    tx: &mut dyn Tx,
    token: LeaseToken,
    now: Timestamp,
) -> Result<(Job, Next), Refusal> {
    let mut job = held(tx, token)?;
    let before = job.clone();
    if job::can_take_cancel(&job) {
        job = step(job, Event::CancelTaken, now)?;
    }
    let next = job::next(&job, now);
    if let Next::Do(begun) = next {
        job = step(job, Event::StepStarted { step: begun }, now)?;
    }
    if job != before {
        tx.put_job(&mut job)?;
        job_rows::follow(tx, &before, &job, now)?;
    }
    Ok((job, next))
}

/// Records what happened to the step, with all that follows from it. The job comes back without
/// its lease when the work on it is over for now.
pub fn report_job(
    tx: &mut dyn Tx,
    token: LeaseToken,
    event: Event,
    now: Timestamp,
) -> Result<Job, Refusal> {
    let before = held(tx, token)?;
    let mut job = step(before.clone(), event, now)?;
    tx.put_job(&mut job)?;
    job_rows::follow(tx, &before, &job, now)?;
    Ok(job)
}

/// Prolongs the lease to `now + ttl` and records how far the step is.
pub fn renew_lease(
    tx: &mut dyn Tx,
    token: LeaseToken,
    progress: Option<Progress>,
    now: Timestamp,
    ttl: Duration,
) -> Result<Heartbeat, Refusal> {
    let mut job = held(tx, token)?;
    if let Some(progress) = progress {
        job = step(job, Event::Progress(progress), now)?;
    }
    let until = now.saturating_add(ttl).unwrap_or(Timestamp::MAX);
    job.lease = Some(Lease { owner: token.owner, epoch: token.epoch, until });
    tx.put_job(&mut job)?;
    Ok(Heartbeat { cancel: job::can_take_cancel(&job) })
}

/// Gives a lease back, so that another worker may go on at once.
pub fn release_lease(tx: &mut dyn Tx, token: LeaseToken) -> Result<(), Refusal> {
    let mut job = held(tx, token)?;
    job.lease = None;
    tx.put_job(&mut job)?;
    Ok(())
}

/// Takes the leases of all other owners away. For a process that knows that it is alone: whoever
/// held them is dead, and their jobs need not wait until the leases run out.
pub fn adopt_orphans(tx: &mut dyn Tx, owner: Uuid) -> Result<Vec<JobId>, Refusal> {
    let mut adopted = Vec::new();
    for mut job in tx.jobs_leased_by_others(owner)? {
        job.lease = None;
        tx.put_job(&mut job)?;
        adopted.push(job.id);
    }
    Ok(adopted)
}

/// When the next job is due that nobody works on; none when there is no work.
pub fn next_wake(tx: &mut dyn Tx) -> Result<Option<Timestamp>, Refusal> {
    Ok(tx.next_wake()?)
}

fn held(tx: &mut dyn Tx, token: LeaseToken) -> Result<Job, Refusal> {
    let job = find::job(tx, token.job)?;
    match job.lease {
        Some(lease) if lease.owner == token.owner && lease.epoch == token.epoch => Ok(job),
        _ => Err(Refusal::new(
            ErrorCode::JobLeaseLost,
            format!("Lease {} of job {} is over; another worker has it.", token.epoch, token.job),
        )),
    }
}

fn step(job: Job, event: Event, now: Timestamp) -> Result<Job, Refusal> {
    job::apply(job, event, now)
        .map_err(|illegal| Refusal::new(ErrorCode::JobTransitionIllegal, illegal.to_string()))
}
