//! Workers: lease a job, do its steps one by one, report each; a heartbeat keeps the lease and
//! carries progress and wishes to stop.
//!
//! The process may end at any line of this file. Whoever leases the job next repeats the step at
//! its cursor, and every step may be repeated.

use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use coffre_control::job::{Event, Next, StepFacts};
use coffre_control::model::{Job, JobKind, JobWarning, Progress, Step};
use coffre_control::usecase::{
    LeaseToken, begin_step, lease_job, next_wake, release_lease, renew_lease, report_job,
};
use coffre_control::{ErrorCode, Refusal};
use coffre_engine::{Class, Failure, Watch};
use tracing::{debug, error, info, info_span, warn};

use super::failure::to_control;
use super::meter::Meter;
use super::service::{Service, Slot};
use super::steps;

/// How long a lease holds without a heartbeat.
const LEASE: Duration = Duration::from_secs(30);
/// A holder that could not renew for so long stops by itself, before others may take over.
const LEASE_GIVE_UP: Duration = Duration::from_secs(20);
/// Pause between two renewals when nothing else is to be said.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// Pause between two looks at the progress; at most this often it is written.
const TICK: Duration = Duration::from_secs(1);
/// Longest sleep without work: other processes may have put work into the database.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// What a step that was done has to say.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What it found out.
    pub(crate) facts: StepFacts,
    /// What a person should know although it succeeded.
    pub(crate) warnings: Vec<JobWarning>,
}

impl Outcome {
    /// Done, nothing to say.
    pub(crate) fn nothing() -> Outcome {
        Outcome { facts: StepFacts::None, warnings: Vec::new() }
    }
}

/// Works until the service stops.
pub(crate) fn work(service: &Service) {
    while !service.is_stopping() {
        let heard = service.bell.heard();
        let now = service.now();
        match service.tx("lease job", |tx| lease_job(tx, service.owner, now, LEASE)) {
            Ok(Some((token, job))) => drive(service, token, &job),
            Ok(None) => service.bell.sleep(heard, until_next(service)),
            Err(refusal) => {
                report_refusal("lease a job", &refusal);
                service.bell.sleep(service.bell.heard(), IDLE_MAX);
            }
        }
    }
}

fn until_next(service: &Service) -> Duration {
    let now = service.now();
    match service.read("next wake", |tx| next_wake(tx)) {
        Ok(Some(wake)) => {
            let wait = Duration::try_from(wake.duration_since(now)).unwrap_or_default();
            // A moment at least: the job that is due may be one that somebody just took.
            wait.clamp(Duration::from_millis(50), IDLE_MAX)
        }
        Ok(None) => IDLE_MAX,
        Err(_) => IDLE_MAX,
    }
}

fn drive(service: &Service, token: LeaseToken, job: &Job) {
    let span = info_span!("job", id = %job.id, kind = job.kind.azure(), name = %job.name);
    let _span = span.enter();
    match job.kind {
        JobKind::Backup { .. } => coffre_engine::crash_here("backup.leased"),
        JobKind::Restore { .. } => coffre_engine::crash_here("restore.leased"),
        _ => {}
    }
    let _claim = match job.vm {
        None => None,
        Some(vm) => match service.claims.take(vm.uuid()) {
            Some(claim) => Some(claim),
            None => {
                // Somebody cleans up after an earlier job; it is a matter of moments.
                give_back(service, token);
                service.bell.sleep(service.bell.heard(), TICK);
                return;
            }
        },
    };
    let mut slot = None;
    while let Some(goes_on) = one_step(service, token, &mut slot) {
        if !goes_on {
            return;
        }
    }
    give_back(service, token);
}

/// Does the next step. `None` = the lease is still ours and the work on the job is over for now;
/// `Some(false)` = the lease is gone.
fn one_step<'a>(
    service: &'a Service,
    token: LeaseToken,
    slot: &mut Option<Slot<'a>>,
) -> Option<bool> {
    if service.is_stopping() {
        return None;
    }
    let now = service.now();
    let (job, next) = match service.tx("begin step", |tx| begin_step(tx, token, now)) {
        Ok(begun) => begun,
        Err(refusal) => {
            report_refusal("begin a step", &refusal);
            return Some(false);
        }
    };
    let (step, undo) = match next {
        Next::Do(step) => (step, false),
        Next::Undo(step) => (step, true),
        Next::Wait(_) => return None,
        Next::Done => return Some(false),
    };
    let begun = Instant::now();
    let (result, stopped) = perform(service, token, &job, (step, undo), slot);
    let failed_by_stop =
        result.as_ref().is_err_and(|failure| failure.class == Class::Cancelled) && stopped;
    if failed_by_stop {
        // The step is repeated after the next start; nothing went wrong with it.
        info!(step = step.label(), "put off because the service stops");
        return None;
    }
    log_outcome(step, undo, begun.elapsed(), &result);
    report(service, token, step, undo, result)
}

fn log_outcome(step: Step, undo: bool, took: Duration, result: &Result<Outcome, Failure>) {
    let milliseconds = took.as_millis();
    let step = step.label();
    match result {
        Ok(_) => info!(step, undo, milliseconds, "step done"),
        Err(failure) => {
            warn!(step, undo, milliseconds, class = ?failure.class, retry = ?failure.retry,
                error = %failure.message, "step failed");
        }
    }
}

fn report(
    service: &Service,
    token: LeaseToken,
    step: Step,
    undo: bool,
    result: Result<Outcome, Failure>,
) -> Option<bool> {
    let mut events = Vec::new();
    match (result, undo) {
        (Ok(outcome), false) => {
            events.extend(outcome.warnings.into_iter().map(Event::Warned));
            events.push(Event::StepDone { step, facts: outcome.facts });
        }
        (Ok(_), true) => events.push(Event::StepUndone { step }),
        (Err(failure), false) => {
            events.push(Event::StepFailed { step, failure: to_control(step, failure) });
        }
        (Err(failure), true) => {
            events.push(Event::UndoFailed { step, failure: to_control(step, failure) });
        }
    }
    let now = service.now();
    let reported = service.tx("report step", |tx| {
        let mut last = None;
        for event in events {
            last = Some(report_job(tx, token, event, now)?);
        }
        Ok(last)
    });
    match reported {
        Ok(job) => {
            let job = job.expect("there is at least one event");
            if job.state.is_ended() {
                info!(state = ?job.state, "job ended");
            }
            Some(job.lease.is_some())
        }
        Err(refusal) => {
            report_refusal("report a step", &refusal);
            Some(false)
        }
    }
}

/// Performs the effect under a heartbeat. Says whether it was asked to stop because the service
/// stops or lost the lease.
fn perform<'a>(
    service: &'a Service,
    token: LeaseToken,
    job: &Job,
    (step, undo): (Step, bool),
    slot: &mut Option<Slot<'a>>,
) -> (Result<Outcome, Failure>, bool) {
    let meter = Meter::default();
    let (done, wait) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let heartbeat = scope.spawn(|| heartbeat(service, token, &meter, wait));
        // A job that moves blocks waits for room before its first step, and keeps it to its end.
        if moves_blocks(job) && !undo && slot.is_none() {
            *slot = service.transfers.take(|| meter.cancelled());
        }
        let result = if undo {
            steps::undo(service, job, step).map(|()| Outcome::nothing())
        } else if moves_blocks(job) && slot.is_none() {
            Err(Failure::cancelled())
        } else {
            steps::perform(service, job, step, &meter)
        };
        drop(done);
        let stopped = heartbeat.join().expect("a heartbeat does not panic");
        (result, stopped)
    })
}

fn moves_blocks(job: &Job) -> bool {
    matches!(job.kind, JobKind::Backup { .. } | JobKind::Restore { .. })
}

/// Renews the lease until the step is done. Says whether it stopped the step for a reason that is
/// not the job's.
fn heartbeat(
    service: &Service,
    token: LeaseToken,
    meter: &Meter,
    done: mpsc::Receiver<()>,
) -> bool {
    let mut written: Option<Progress> = None;
    let mut renewed = Instant::now();
    let mut stopped = false;
    loop {
        let ended = done.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout);
        let progress = meter.progress();
        let news = progress != written;
        if !news && (ended || renewed.elapsed() < HEARTBEAT) {
            if ended {
                return stopped;
            }
        } else {
            let now = service.now();
            let said = progress.filter(|_| news);
            match service.tx("renew lease", |tx| renew_lease(tx, token, said, now, LEASE)) {
                Ok(beat) => {
                    written = progress;
                    renewed = Instant::now();
                    if beat.cancel {
                        meter.stop();
                    }
                }
                Err(refusal) if refusal.code == ErrorCode::JobLeaseLost => {
                    warn!("the lease is gone; giving the step up");
                    stopped = true;
                }
                Err(refusal) => report_refusal("renew a lease", &refusal),
            }
        }
        if ended {
            return stopped;
        }
        stopped |= service.is_stopping() || renewed.elapsed() > LEASE_GIVE_UP;
        if stopped {
            meter.stop();
        }
    }
}

fn give_back(service: &Service, token: LeaseToken) {
    if let Err(refusal) = service.tx("release lease", |tx| release_lease(tx, token)) {
        debug!(%refusal, "the lease runs out by itself");
    }
}

fn report_refusal(doing: &str, refusal: &Refusal) {
    if refusal.code == ErrorCode::JobLeaseLost {
        warn!(%refusal, "could not {doing}");
    } else {
        let fault = refusal.fault.as_deref().map(|fault| fault as &dyn std::error::Error);
        error!(%refusal, fault, "could not {doing}");
    }
}
