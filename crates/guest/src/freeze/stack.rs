//! What a block device stands on: the files behind loop devices, through partitions, LVM, RAID and encryption.
//!
//! Everything is read from `/sys`; no device and no backing file is opened.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::mounts::Mount;

/// Layers of devices. Nobody has as many; a loop in `/sys` must not hold us.
const DEPTH_MAX: u32 = 32;

/// The files that hold the bytes of this mount's file system; none when it stands on disks.
pub(super) fn backing_files(mount: &Mount) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for device in devices(mount) {
        below(&format!("/sys/dev/block/{}:{}", device.0, device.1).into(), &mut files, 0);
    }
    files
}

/// The block devices of a file system. Btrfs has a device number that is no disk's, and may have many disks.
fn devices(mount: &Mount) -> Vec<(u32, u32)> {
    if mount.device.0 != 0 {
        return vec![mount.device];
    }
    // Only below `/dev`, which no server can hold up.
    if !mount.source.starts_with("/dev") {
        return Vec::new();
    }
    let Ok(source) = fs::metadata(&mount.source) else { return Vec::new() };
    let number = (rustix::fs::major(source.rdev()), rustix::fs::minor(source.rdev()));
    members(number).unwrap_or_else(|| vec![number])
}

/// All disks of the btrfs that this disk belongs to.
fn members(disk: (u32, u32)) -> Option<Vec<(u32, u32)>> {
    fs::read_dir("/sys/fs/btrfs").ok()?.flatten().find_map(|file_system| {
        let disks: Vec<_> = fs::read_dir(file_system.path().join("devices"))
            .ok()?
            .flatten()
            .filter_map(|device| device_number(&device.path()))
            .collect();
        disks.contains(&disk).then_some(disks)
    })
}

fn device_number(folder: &Path) -> Option<(u32, u32)> {
    let text = fs::read_to_string(folder.join("dev")).ok()?;
    let (major, minor) = text.trim().split_once(':')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

fn below(device: &PathBuf, files: &mut Vec<PathBuf>, depth: u32) {
    let Ok(mut device) = fs::canonicalize(device) else { return };
    if depth > DEPTH_MAX {
        return;
    }
    if device.join("partition").exists() {
        device.pop();
    }
    if let Ok(file) = fs::read(device.join("loop/backing_file")) {
        files.push(OsStr::from_bytes(file.trim_ascii_end()).into());
    }
    for slave in fs::read_dir(device.join("slaves")).into_iter().flatten().flatten() {
        below(&slave.path(), files, depth + 1);
    }
}
