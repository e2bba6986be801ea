//! The care for copies of recovery points beside the disks: each is deleted when it has had its time or its point is
//! gone; what is written down is compared with what the images hold, at the start of the service and after a restore.
//!
//! Only copies that the database knows are deleted. Anything else inside an image is somebody else's.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use coffre_control::Refusal;
use coffre_control::id::{JobId, VmId};
use coffre_control::model::JobState;
use coffre_control::usecase::{
    LocalCopy, due_local_copies, forget_local_copy, local_copies, local_copies_of, vault_clock,
};
use coffre_engine::Failure;
use coffre_fabric::{FabricError, Machine};
use jiff::Timestamp;
use tracing::{error, info, warn};

use super::discovery::sleep;
use super::service::Service;

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_secs(60);

/// Pause when somebody else worked on a machine.
const PAUSE_BUSY: Duration = Duration::from_secs(5);

/// Rounds until the service stops.
pub(crate) fn run(service: &Service) {
    let mut looked = false;
    while !service.is_stopping() {
        let heard = service.bell.heard();
        let mut pause = PAUSE;
        match round(service, !looked) {
            Ok(busy) => {
                looked = true;
                if busy {
                    pause = PAUSE_BUSY;
                }
            }
            Err(refusal) => error!(%refusal, "cannot look for copies that have had their time"),
        }
        sleep(service, heard, pause);
    }
}

/// Looks at the machines that have something due, that somebody named, or at all. Says whether one was busy.
fn round(service: &Service, all: bool) -> Result<bool, Refusal> {
    let (wall, named) = (service.now(), service.suspects.take());
    let (now, due) = service.read("due copies", |tx| {
        // While nobody can vouch for the time only what nobody wants any more goes.
        let now = match vault_clock(tx)? {
            Some(clock) if clock.halted => Timestamp::MIN,
            Some(clock) => clock.time,
            None => wall,
        };
        Ok((now, due_local_copies(tx, now)?))
    })?;
    let mut machines: BTreeMap<VmId, Vec<LocalCopy>> = BTreeMap::new();
    for copy in due {
        machines.entry(copy.vm).or_default().push(copy);
    }
    let known = service.read("copies", |tx| local_copies(tx))?;
    for copy in &known {
        if all || is_short_of_room(service, copy.vm) {
            machines.entry(copy.vm).or_default();
        }
    }
    for vm in named {
        machines.entry(vm).or_default();
    }
    let mut busy = false;
    for (vm, due) in machines {
        if service.is_stopping() {
            break;
        }
        match tend(service, vm, &due, now) {
            Ok(true) => {}
            // Somebody works on it; the next round comes back.
            Ok(false) => {
                busy = true;
                service.suspects.add(vm);
            }
            Err(failure) => warn!(vm = %vm, %failure, "cannot care for the copies of a machine"),
        }
    }
    Ok(busy)
}

/// Says whether the machine was free.
fn tend(service: &Service, vm: VmId, due: &[LocalCopy], now: Timestamp) -> Result<bool, Failure> {
    let Some(_claim) = service.claims.take(vm.uuid()) else { return Ok(false) };
    let busy = service.read("job of machine", |tx| Ok(tx.running_job_of_vm(vm)?.is_some()));
    if busy.map_err(refused)? {
        return Ok(false);
    }
    let doing = "look at the copies in the images";
    let machine = match service.hypervisors.machine(vm.uuid()) {
        Ok(machine) => machine,
        // It may come back with its images; what it has is kept in mind until then.
        Err(FabricError::UnknownMachine(_)) => return Ok(true),
        Err(error) => return Err(Failure::fabric(doing, &error)),
    };
    let left = machine.leftovers().map_err(|error| Failure::fabric(doing, &error))?;
    if !left.is_empty() {
        return Ok(false);
    }
    for copy in due {
        let deleted = machine.drop_local_copy(copy.point.uuid());
        deleted.map_err(|error| Failure::fabric("delete the copy of a point", &error))?;
        forget(service, copy, "its time was over")?;
        info!(vm = %vm, point.id = %copy.point, "deleted the copy of a point from the images");
    }
    make_room(service, vm, &machine)?;
    compare(service, vm, &machine, now)?;
    Ok(true)
}

/// Whether the images of a machine must not grow.
fn is_short_of_room(service: &Service, vm: VmId) -> bool {
    let machine = service.hypervisors.machine(vm.uuid());
    machine.and_then(|machine| machine.short_of_room()).is_ok_and(|reason| reason.is_some())
}

/// Deletes all copies when the file system of the images is nearly full: what they held is free for the guest then,
/// inside its images, which need not grow.
fn make_room(service: &Service, vm: VmId, machine: &Arc<dyn Machine>) -> Result<(), Failure> {
    let doing = "make room for the guest";
    let reason = machine.short_of_room().map_err(|error| Failure::fabric(doing, &error))?;
    let Some(reason) = reason else { return Ok(()) };
    let known = service.read("copies of machine", |tx| local_copies_of(tx, vm)).map_err(refused)?;
    for copy in known {
        let deleted = machine.drop_local_copy(copy.point.uuid());
        deleted.map_err(|error| Failure::fabric(doing, &error))?;
        forget(service, &copy, &reason)?;
        warn!(vm = %vm, point.id = %copy.point, reason, "deleted the copy of a point before its time");
    }
    Ok(())
}

/// Compares what is written down about a machine with what its images hold.
fn compare(
    service: &Service,
    vm: VmId,
    machine: &Arc<dyn Machine>,
    now: Timestamp,
) -> Result<(), Failure> {
    let doing = "look at the copies in the images";
    let held = machine.local_copies().map_err(|error| Failure::fabric(doing, &error))?;
    let known = service.read("copies of machine", |tx| local_copies_of(tx, vm)).map_err(refused)?;
    for copy in known.iter().filter(|copy| copy.until > now) {
        if !held.points.contains_key(&copy.point.uuid()) {
            forget(service, copy, "it is no longer in the images of the disks")?;
        }
    }
    let known: HashSet<_> = known.iter().map(|copy| copy.point.uuid()).collect();
    for point in held.points.keys().filter(|point| !known.contains(point)) {
        warn!(vm = %vm, point.id = %point, "the images hold a copy of a point that nobody knows");
    }
    for job in held.before.into_keys() {
        let row =
            service.read("job of roll-back", |tx| Ok(tx.job(JobId(job))?)).map_err(refused)?;
        match row.map(|row| row.state) {
            Some(JobState::Completed | JobState::CompletedWithWarnings) => machine
                .confirm_roll_back(job)
                .map_err(|error| Failure::fabric("give up what was there before", &error))?,
            // It may be all that is left of what somebody had.
            _ => warn!(vm = %vm, job.id = %job, "the images hold what was there before a restore"),
        }
    }
    Ok(())
}

fn forget(service: &Service, copy: &LocalCopy, reason: &str) -> Result<(), Failure> {
    let now = service.now();
    service.tx("forget copy", |tx| forget_local_copy(tx, copy, now, reason)).map_err(refused)
}

fn refused(refusal: Refusal) -> Failure {
    let retry = coffre_engine::Retry::Never;
    Failure::new(coffre_engine::Class::Internal, retry, refusal.to_string())
}
