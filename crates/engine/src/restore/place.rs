//! Where each restored disk is while it is written, and where it will be.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use coffre_fabric::qemu::MachineDefinition;
use coffre_fabric::{ImageFormat, MachineInfo, PowerState, Stop};
use coffre_vault::PointInfo;
use uuid::Uuid;

use super::{DiskChoice, RestoreContext, RestoreSpec, RestoreTarget};
use crate::backup::point_missing;
use crate::{Class, Failure, PointMetadata, Retry};

/// A guest that did not shut down in this time loses its power: its disks are replaced anyway.
const SHUTDOWN_MAX: Duration = Duration::from_secs(60);
/// Letters of a name that comes from outside that are kept in a file's name.
const NAME_BYTES_MAX: usize = 64;

/// One disk that will be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PlannedDisk {
    pub(super) key: String,
    pub(super) lun: Option<u32>,
    pub(super) size_bytes: u64,
    pub(super) format: ImageFormat,
    /// The whole path while the restore is not published.
    pub(super) staged: PathBuf,
}

/// The disks of the restore, in the order of the recovery point.
pub(super) fn plan(cx: &RestoreContext<'_>) -> Result<Vec<PlannedDisk>, Failure> {
    let (point, metadata) = point_and_metadata(cx)?;
    let current = match cx.spec.target {
        RestoreTarget::InPlace => Some(machine_info(cx)?),
        RestoreTarget::Folder { .. } | RestoreTarget::NewMachine { .. } => None,
    };
    let mut disks = Vec::new();
    for (index, disk) in point.disks.iter().enumerate() {
        let described = metadata.machine.disks.iter().find(|known| known.key == disk.key);
        let lun = described.and_then(|known| known.lun);
        if !is_chosen(&cx.spec.disks, lun, described.is_some()) {
            continue;
        }
        let (format, staged) = match &current {
            None => {
                let format = image_format(&metadata, &disk.key);
                (format, staged_in_folder(cx.spec, &disk.key, index, format))
            }
            Some(info) => {
                let there = info
                    .disk(&disk.key)
                    .map_err(|error| Failure::fabric("restore in place", &error))?;
                (there.format, staged_beside(&there.path, cx.spec.job, index))
            }
        };
        let key = disk.key.clone();
        disks.push(PlannedDisk { key, lun, size_bytes: disk.size_bytes, format, staged });
    }
    if disks.is_empty() {
        let message = "the recovery point has none of the disks that were asked for";
        return Err(Failure::new(Class::DiskMissing, Retry::Never, message));
    }
    missing_lun(&cx.spec.disks, &disks)?;
    Ok(disks)
}

/// The format that a disk had, so that the machine's own definition fits the restored image. The
/// definition knows better than a machine that runs, where other layers may lie above the image.
pub(super) fn image_format(metadata: &PointMetadata, key: &str) -> ImageFormat {
    let defined = serde_json::from_value::<MachineDefinition>(metadata.machine.config.clone()).ok();
    let defined = defined.and_then(|it| it.disks.into_iter().find(|disk| disk.key == key));
    let seen = metadata.machine.disks.iter().find(|disk| disk.key == key);
    defined.map(|disk| disk.format).or(seen.map(|disk| disk.format)).unwrap_or(ImageFormat::Raw)
}

/// The point and its description.
pub(super) fn point_and_metadata(
    cx: &RestoreContext<'_>,
) -> Result<(PointInfo, PointMetadata), Failure> {
    let point = cx
        .vault
        .point(cx.spec.point)
        .map_err(|error| Failure::vault("look up the recovery point", &error))?
        .ok_or_else(|| point_missing(cx.spec.point))?;
    let metadata = PointMetadata::read(&point.metadata).ok_or_else(|| {
        let message = format!("the description of recovery point {} cannot be read", point.id);
        Failure::new(Class::PointDamaged, Retry::Never, message)
    })?;
    Ok((point, metadata))
}

fn is_chosen(choice: &DiskChoice, lun: Option<u32>, described: bool) -> bool {
    match (choice, lun) {
        (DiskChoice::All, _) => true,
        (DiskChoice::Luns(luns), Some(lun)) => luns.contains(&lun),
        // The disk of the operating system has no number.
        (DiskChoice::Luns(_), None) => described,
    }
}

fn missing_lun(choice: &DiskChoice, disks: &[PlannedDisk]) -> Result<(), Failure> {
    let DiskChoice::Luns(luns) = choice else { return Ok(()) };
    match luns.iter().find(|lun| disks.iter().all(|disk| disk.lun != Some(**lun))) {
        None => Ok(()),
        Some(lun) => Err(Failure::new(
            Class::DiskMissing,
            Retry::Never,
            format!("the recovery point has no data disk with the number {lun}"),
        )),
    }
}

/// Turns off the machine of a restore in place, if Coffre runs it.
pub(super) fn turn_off(cx: &RestoreContext<'_>) -> Result<(), Failure> {
    if cx.spec.target != RestoreTarget::InPlace {
        return Ok(());
    }
    let info = machine_info(cx)?;
    match cx.machine {
        Some(machine) if info.managed && info.power != PowerState::Stopped => machine
            .stop(Stop::Graceful { timeout: SHUTDOWN_MAX })
            .map_err(|error| Failure::fabric("turn the machine off", &error)),
        _ => Ok(()),
    }
}

/// Refuses a restore in place while the machine is not off.
pub(super) fn must_be_off(cx: &RestoreContext<'_>) -> Result<(), Failure> {
    if cx.spec.target != RestoreTarget::InPlace {
        return Ok(());
    }
    let info = machine_info(cx)?;
    if info.power == PowerState::Stopped {
        return Ok(());
    }
    Err(Failure::new(
        Class::MachineMustBeOff,
        Retry::Never,
        format!("the machine {} must be off before its disks are replaced", info.name),
    ))
}

fn machine_info(cx: &RestoreContext<'_>) -> Result<MachineInfo, Failure> {
    let machine = cx.machine.ok_or_else(|| {
        let message = "the machine whose disks would be replaced is gone";
        Failure::new(Class::MachineGone, Retry::Never, message)
    })?;
    machine.info().map_err(|error| Failure::fabric("ask the machine", &error))
}

/// The folder of a restore that is not published, if it has one.
pub(super) fn staging_folder(spec: &RestoreSpec) -> Option<PathBuf> {
    let name = format!(".coffre-restore-{}", spec.job.simple());
    match &spec.target {
        RestoreTarget::Folder { account, .. } => Some(account.join(name)),
        RestoreTarget::NewMachine { images, .. } => Some(images.join(name)),
        RestoreTarget::InPlace => None,
    }
}

fn staged_in_folder(spec: &RestoreSpec, key: &str, index: usize, format: ImageFormat) -> PathBuf {
    let folder = staging_folder(spec).expect("only a restore in place has no folder");
    folder.join(image_name(key, index, format))
}

/// Name of a restored image: the disk's key where it makes a good file name.
pub(super) fn image_name(key: &str, index: usize, format: ImageFormat) -> String {
    let kept = file_name(key);
    let stem = if kept == key { kept } else { format!("disk{index}-{kept}") };
    format!("{stem}.{}", format.as_str())
}

/// Only harmless letters of `name`; never empty, never hidden, never a path.
pub(super) fn file_name(name: &str) -> String {
    let keep = |letter: char| {
        if letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.') {
            letter
        } else {
            '_'
        }
    };
    let kept: String =
        name.trim_start_matches('.').chars().take(NAME_BYTES_MAX).map(keep).collect();
    if kept.is_empty() { "_".to_owned() } else { kept }
}

/// A new image must lie in the file system of the image that it replaces.
fn staged_beside(image: &Path, job: Uuid, index: usize) -> PathBuf {
    image.with_file_name(format!(".coffre-restore-{}-{index}", job.simple()))
}

/// Removes a file and the half-written one beside it; one that is not there is a success.
pub(super) fn remove_file(path: &Path) -> Result<(), Failure> {
    for path in [path.to_owned(), coffre_fabric::image::part_path(path)] {
        match std::fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(Failure::target("remove", &path, &error)),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_outside_never_become_paths() {
        for (name, wanted) in [
            ("web-1.disk", "web-1.disk"),
            ("../../etc/passwd", "_.._etc_passwd"),
            ("/machine/peripheral/os", "_machine_peripheral_os"),
            ("", "_"),
            ("...", "_"),
            ("a b\0c", "a_b_c"),
        ] {
            assert_eq!(file_name(name), wanted, "{name:?}");
        }
        assert_eq!(image_name("os", 0, ImageFormat::Raw), "os.raw");
        assert_eq!(image_name("a/b", 1, ImageFormat::Qcow2), "disk1-a_b.qcow2");
        assert!(file_name(&"ü".repeat(500)).len() <= NAME_BYTES_MAX);
    }
}
