//! A restore in place from the copy of the point that lies in the images themselves: nothing is moved, the disks are rolled
//! back.
//!
//! The copy is looked at before the choice is made: that it is there, that the images are whole, and that samples of it
//! are what the vault holds. After the roll-back samples of the disks are compared once more, before what was on them is
//! given up.

use coffre_fabric::{FabricError, Machine};
use uuid::Uuid;

use super::place::{self, PlannedDisk, plan};
use super::{PublishFacts, RestoreContext, RestoreTarget, Source, compare};
use crate::crash;
use crate::{Class, Failure, Retry};

/// Whether the step has to do with the copy.
pub(super) fn is_wanted(cx: &RestoreContext<'_>) -> bool {
    cx.spec.source == Source::Local && cx.spec.target == RestoreTarget::InPlace
}

/// Why the copy cannot be used; `None` = it can. The machine is off. Whatever is wrong with the images is a doubt and no
/// failure: they may be damaged, which is why somebody restores. Only what did not answer in time is asked again.
pub(super) fn doubt(
    cx: &RestoreContext<'_>,
    disks: &[PlannedDisk],
) -> Result<Option<String>, Failure> {
    let machine = machine(cx)?;
    let unreadable = |reason: String| Ok(Some(format!("it cannot be looked at: {reason}")));
    match machine.doubt_roll_back(cx.spec.point, &keys(disks)) {
        Ok(None) => {}
        Ok(Some(reason)) => return Ok(Some(reason)),
        Err(error @ FabricError::Timeout { .. }) => {
            return Err(Failure::fabric("look at the snapshot of the disks", &error));
        }
        Err(error) => return unreadable(error.to_string()),
    }
    match compare_all(cx, machine, disks, Some(cx.spec.point)) {
        Ok(_) => Ok(None),
        Err(Unequal::Differs(failure)) => Ok(Some(failure.message)),
        Err(Unequal::Disk(failure)) => unreadable(failure.message),
        Err(Unequal::Later(failure)) => Err(failure),
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

/// Why samples could not be found equal.
enum Unequal {
    /// They are not.
    Differs(Failure),
    /// The disk, or its copy, cannot be read.
    Disk(Failure),
    /// The vault cannot be read, or the machine did not answer: that may pass.
    Later(Failure),
}

impl Unequal {
    fn of_disk(doing: &str, error: &FabricError) -> Self {
        let failure = Failure::fabric(doing, error);
        if matches!(error, FabricError::Timeout { .. }) {
            Self::Later(failure)
        } else {
            Self::Disk(failure)
        }
    }
}

impl From<Unequal> for Failure {
    fn from(why: Unequal) -> Self {
        match why {
            Unequal::Differs(failure) | Unequal::Disk(failure) | Unequal::Later(failure) => failure,
        }
    }
}

/// Compares samples of all disks, as they are or at a point, with the recovery point.
fn compare_all(
    cx: &RestoreContext<'_>,
    machine: &dyn Machine,
    disks: &[PlannedDisk],
    at: Option<Uuid>,
) -> Result<(), Unequal> {
    for disk in disks {
        let doing = format!("read disk {}", disk.key);
        let opened = machine.open_disk(&disk.key, at);
        let mut held = opened.map_err(|error| Unequal::of_disk(&doing, &error))?;
        if held.size_bytes() < disk.size_bytes {
            let message = format!("disk {} has only {} bytes", disk.key, held.size_bytes());
            let failure = Failure::new(Class::RestoredDataDiffers, Retry::Never, message);
            return Err(Unequal::Differs(failure));
        }
        let reader = cx
            .vault
            .disk(cx.spec.point, &disk.key)
            .map_err(|error| Unequal::Later(Failure::vault("read the recovery point", &error)))?;
        let mut unread = None;
        let compared = compare(disk.size_bytes, &reader, |offset, buffer| {
            held.read_at(offset, buffer).map_err(|error| {
                unread = Some(Unequal::of_disk(&doing, &error));
                Failure::fabric(&doing, &error)
            })
        });
        compared.map_err(|failure| match (failure.class, unread) {
            (Class::RestoredDataDiffers, _) => Unequal::Differs(named(failure, &disk.key)),
            (_, Some(unread)) => unread,
            (_, None) => Unequal::Later(failure),
        })?;
    }
    Ok(())
}

fn named(failure: Failure, disk: &str) -> Failure {
    let message = format!("disk {disk} is not what the vault holds: {}", failure.message);
    Failure::new(failure.class, failure.retry, message)
}
