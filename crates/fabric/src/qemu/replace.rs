//! Putting restored images into the place of a machine's disks.
//!
//! The old image is first moved beside itself, then the new one into its place: each a rename. A
//! machine between the two has no image and does not start, which is better than starting on the
//! wrong one; calling again finishes.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::config::DiskDefinition;
use crate::{FabricError, Result, tool};

/// Where the old image of a disk is kept.
pub(super) fn old_path(path: &Path) -> PathBuf {
    beside(path, ".before-restore")
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    path.with_file_name(name)
}

/// Puts all images in place, or none: what fails is checked before the first rename, and a failure
/// after that puts back what was moved.
pub(super) fn replace(
    machine: &str,
    disks: &[DiskDefinition],
    images: &[(String, PathBuf)],
) -> Result<()> {
    let mut moves = Vec::new();
    for (key, new) in images {
        let disk = disks.iter().find(|disk| disk.key == *key).ok_or_else(|| {
            FabricError::UnknownDisk { machine: machine.to_owned(), disk: key.clone() }
        })?;
        // Done by an earlier call: the new image is gone from its place and the disk is there.
        let done = !new.exists() && disk.path.exists();
        if !done {
            check(disk, new)?;
            moves.push((disk, new));
        }
    }
    for (index, (disk, new)) in moves.iter().enumerate() {
        if let Err(error) = swap(&disk.path, new) {
            for (disk, new) in moves[..index].iter().rev() {
                unswap(&disk.path, new)?;
            }
            return Err(error);
        }
    }
    Ok(())
}

fn check(disk: &DiskDefinition, new: &Path) -> Result<()> {
    let info = tool::image_info(new, disk.format)?;
    tracing::debug!(disk = disk.key, size_bytes = info.virtual_size, "an image is put in place");
    let folder = disk.path.parent().unwrap_or(Path::new("/"));
    let device = |path: &Path| {
        fs::metadata(path).map(|data| data.dev()).map_err(FabricError::io("looking at", path))
    };
    if device(new)? != device(folder)? {
        return Err(FabricError::io("moving into place (another file system)", new)(
            ErrorKind::CrossesDevices.into(),
        ));
    }
    let old = old_path(&disk.path);
    // After a crash between the two renames the old one is kept and its place is empty.
    if old.exists() && disk.path.exists() {
        return Err(FabricError::OldImageKept(old));
    }
    Ok(())
}

fn swap(path: &Path, new: &Path) -> Result<()> {
    if path.exists() {
        rename(path, &old_path(path))?;
    }
    rename(new, path)
}

fn unswap(path: &Path, new: &Path) -> Result<()> {
    rename(path, new)?;
    let old = old_path(path);
    if old.exists() { rename(&old, path) } else { Ok(()) }
}

fn rename(from: &Path, to: &Path) -> Result<()> {
    fs::rename(from, to).map_err(FabricError::io("moving", from))?;
    let folder = to.parent().unwrap_or(Path::new("/"));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(FabricError::io("syncing", folder))
}

/// Removes the old images.
pub(super) fn confirm(disks: &[DiskDefinition]) -> Result<()> {
    for disk in disks {
        let old = old_path(&disk.path);
        // Without the new image in place the old one is all there is.
        if disk.path.exists() {
            remove(&old)?;
        }
    }
    Ok(())
}

/// Puts the old images back and drops the new ones.
pub(super) fn revert(disks: &[DiskDefinition]) -> Result<()> {
    for disk in disks {
        let old = old_path(&disk.path);
        if old.exists() {
            rename(&old, &disk.path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(FabricError::io("removing", path)(error))
        }
        _ => Ok(()),
    }
}
