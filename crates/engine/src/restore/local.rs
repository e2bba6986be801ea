//! A restore in place from the copy of the point that lies in the images themselves: nothing is moved, the disks are rolled
//! back.
//!
//! The copy is looked at before the choice is made: that it is there, that the images are whole, and that samples of it
//! are what the vault holds. After the roll-back samples of the disks are compared once more, before what was on them is
//! given up.

use coffre_fabric::Machine;
use uuid::Uuid;

use super::place::{self, PlannedDisk, plan};
use super::{PublishFacts, RestoreContext, RestoreTarget, Source, compare};
use crate::crash;
use crate::{Class, Failure, Retry};

/// Whether the step has to do with the copy.
pub(super) fn is_wanted(cx: &RestoreContext<'_>) -> bool {
    cx.spec.source == Source::Local && cx.spec.target == RestoreTarget::InPlace
}

/// Why the copy cannot be used; `None` = it can. The machine is off.
pub(super) fn doubt(
    cx: &RestoreContext<'_>,
    disks: &[PlannedDisk],
) -> Result<Option<String>, Failure> {
    let machine = machine(cx)?;
    let doing = "look at the snapshot of the disks";
    let failed = |error| Failure::fabric(doing, &error);
    if let Some(reason) = machine.doubt_roll_back(cx.spec.point, &keys(disks)).map_err(failed)? {
        return Ok(Some(reason));
    }
    match compare_all(cx, machine, disks, Some(cx.spec.point)) {
        Ok(_) => Ok(None),
        Err(failure) if failure.class == Class::RestoredDataDiffers => Ok(Some(failure.message)),
        Err(failure) => Err(failure),
    }
}

/// Rolls the disks back.
pub(super) fn publish(cx: &RestoreContext<'_>) -> Result<PublishFacts, Failure> {
    let doing = "roll the disks back";
    place::must_be_off(cx)?;
    let machine = machine(cx)?;
    let disks = plan(cx)?;
    let failed = |error| Failure::fabric(doing, &error);
    machine.roll_back(cx.spec.point, cx.spec.job, &keys(&disks)).map_err(failed)?;
    crash::here("restore.publish.placed");
    compare_all(cx, machine, &disks, None)?;
    machine.confirm_roll_back(cx.spec.job).map_err(failed)?;
    let info = machine.info().map_err(failed)?;
    let images = disks
        .into_iter()
        .filter_map(|disk| info.disk(&disk.key).ok().map(|there| (disk.key, there.path.clone())))
        .collect();
    Ok(PublishFacts { folder: None, images })
}

fn machine<'a>(cx: &RestoreContext<'a>) -> Result<&'a dyn Machine, Failure> {
    cx.machine.ok_or_else(|| {
        let message = "the machine whose disks would be rolled back is gone";
        Failure::new(Class::MachineGone, Retry::Never, message)
    })
}

fn keys(disks: &[PlannedDisk]) -> Vec<String> {
    disks.iter().map(|disk| disk.key.clone()).collect()
}

/// Compares samples of all disks, as they are or at a point, with the recovery point; says how many bytes.
fn compare_all(
    cx: &RestoreContext<'_>,
    machine: &dyn Machine,
    disks: &[PlannedDisk],
    at: Option<Uuid>,
) -> Result<u64, Failure> {
    let mut compared = 0;
    for disk in disks {
        let doing = format!("read disk {}", disk.key);
        let failed = |error| Failure::fabric(&doing, &error);
        let mut held = machine.open_disk(&disk.key, at).map_err(failed)?;
        if held.size_bytes() < disk.size_bytes {
            let message = format!("disk {} has only {} bytes", disk.key, held.size_bytes());
            return Err(Failure::new(Class::RestoredDataDiffers, Retry::Never, message));
        }
        let reader = cx
            .vault
            .disk(cx.spec.point, &disk.key)
            .map_err(|error| Failure::vault("read the recovery point", &error))?;
        compared += compare(disk.size_bytes, &reader, |offset, buffer| {
            held.read_at(offset, buffer).map_err(failed)
        })
        .map_err(|failure| named(failure, &disk.key))?;
    }
    Ok(compared)
}

fn named(failure: Failure, disk: &str) -> Failure {
    if failure.class == Class::RestoredDataDiffers {
        let message = format!("disk {disk} is not what the vault holds: {}", failure.message);
        return Failure::new(failure.class, failure.retry, message);
    }
    failure
}
