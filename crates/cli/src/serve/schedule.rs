//! The schedule's driver: asks every moment that something may be due what is, and starts it.

use std::time::Duration;

use coffre_control::usecase::{Budget, next_scheduled, plan_again, run_schedule, vault_clock};
use coffre_control::{Caller, Cx, Refusal};
use jiff::{SignedDuration, Timestamp};
use tracing::{error, info, warn};
use uuid::Uuid;

use super::service::Service;

/// Longest sleep: other processes may have written into the agenda.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// Shortest sleep while something that is due waits for room.
const IDLE_MIN: Duration = Duration::from_secs(1);
/// The wall clock went back when it shows so much less than before.
const BACK: SignedDuration = SignedDuration::from_secs(60);
/// Entries of the agenda that one transaction looks at.
const BATCH: u32 = 200;

/// Starts what is due until the service stops.
pub(crate) fn run(service: &Service, per_hypervisor: usize, per_store: usize) {
    let budget = Budget { per_hypervisor, per_store, batch: BATCH };
    let mut last = last_wall(service);
    while !service.is_stopping() {
        let heard = service.bell.heard();
        let now = service.now();
        if last.is_some_and(|last| last.duration_since(now) > BACK) {
            warn!(%now, "the wall clock went back; planning all backups again");
            report("plan again", service.tx("plan again", |tx| plan_again(tx, now)));
        }
        last = Some(now);
        let pause = match tick(service, budget, now) {
            Ok(pause) => pause,
            Err(refusal) => {
                report("run the schedule", Err(refusal));
                IDLE_MAX
            }
        };
        service.bell.sleep(heard, pause);
    }
}

/// What the clock showed when it was last remembered.
fn last_wall(service: &Service) -> Option<Timestamp> {
    let clock = service.read("last wall clock", |tx| vault_clock(tx));
    clock.ok().flatten().map(|clock| clock.last.wall)
}

/// Starts what is due; says how long there is nothing to do.
fn tick(service: &Service, budget: Budget, now: Timestamp) -> Result<Duration, Refusal> {
    let due = |due: Option<Timestamp>| due.is_some_and(|due| due <= now);
    let next = service.read("next scheduled", |tx| next_scheduled(tx))?;
    if !due(next) {
        return Ok(until(next, now));
    }
    let caller = Caller::system();
    let ids = Uuid::now_v7;
    let cx = Cx::new(&caller, now, &ids);
    let done = service.tx("run schedule", |tx| run_schedule(tx, &cx, budget))?;
    if done.started > 0 {
        info!(jobs = done.started, "started scheduled backups");
        service.bell.ring();
    }
    if done.made_up_for > 0 {
        info!(slots = done.made_up_for, "one backup each makes up for slots that were missed");
    }
    let next = service.read("next scheduled", |tx| next_scheduled(tx))?;
    Ok(until(next, now))
}

fn until(next: Option<Timestamp>, now: Timestamp) -> Duration {
    let wait = next
        .map_or(IDLE_MAX, |next| Duration::try_from(next.duration_since(now)).unwrap_or_default());
    wait.clamp(IDLE_MIN, IDLE_MAX)
}

fn report(doing: &str, done: Result<(), Refusal>) {
    if let Err(refusal) = done {
        let fault = refusal.fault.as_deref().map(|fault| fault as &dyn std::error::Error);
        error!(%refusal, fault, "cannot {doing}");
    }
}
