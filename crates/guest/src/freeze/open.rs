//! Opening a directory of a file system without walking through anything that may hang.

use std::fs;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, open, openat, openat2};
use rustix::io::Errno;

use super::choose::{Candidate, Nature, nature};
use super::mounts::Mount;

/// Why a file system was not opened.
#[derive(Debug)]
pub(super) enum NotOpened {
    /// Nothing is wrong with it, but no way that is safe leads there.
    Unreachable(String),
    /// The kernel refused.
    Refused(String),
}

/// Opens the file system at the best of its places, and tells the place.
pub(super) fn open_candidate(
    mounts: &[Mount],
    candidate: &Candidate,
) -> Result<(OwnedFd, usize), NotOpened> {
    let mut why = NotOpened::Unreachable("it is mounted nowhere".to_owned());
    for &place in &candidate.places {
        match open_mount(mounts, &mounts[place]) {
            Ok(opened) => return Ok((opened, place)),
            Err(reason) => why = reason,
        }
    }
    Err(why)
}

fn open_mount(mounts: &[Mount], mount: &Mount) -> Result<OwnedFd, NotOpened> {
    if let Some(above) = hanging_ancestor(mounts, mount) {
        let (at, fs_type) = (above.at.display(), &above.fs_type);
        return Err(NotOpened::Unreachable(format!(
            "the way to it leads through {at} ({fs_type})"
        )));
    }
    let opened = match open_path(mount) {
        Ok(opened) => opened,
        // Of another namespace, and that may be gone by now; or a single file is mounted here.
        Err(errno) if mount.process.is_some() || errno == Errno::NOTDIR => {
            return Err(NotOpened::Unreachable(format!("it cannot be opened: {errno}")));
        }
        Err(errno) => return Err(NotOpened::Refused(format!("it cannot be opened: {errno}"))),
    };
    if mount_id(&opened) == Some(mount.id) {
        return Ok(opened);
    }
    Err(NotOpened::Unreachable("another mount covers it".to_owned()))
}

/// A mount on the way to this one that may hang. An autofs that this mount covers is not on the way.
fn hanging_ancestor<'a>(mounts: &'a [Mount], mount: &Mount) -> Option<&'a Mount> {
    let mut below = mount;
    // The table is a tree; the limit holds for one that was read while it changed.
    for _ in 0..mounts.len() {
        let above = mounts
            .iter()
            .find(|above| above.process == mount.process && above.id == below.parent)?;
        let covered = above.fs_type == "autofs" && above.at == below.at;
        let may_hang = nature(&above.fs_type) == Nature::MayHang;
        if above.id == below.id || (may_hang && !covered) {
            return may_hang.then_some(above);
        }
        below = above;
    }
    None
}

fn open_path(mount: &Mount) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let Some(process) = mount.process else {
        let straight = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        return match openat2(CWD, &mount.at, flags, Mode::empty(), straight) {
            // A kernel without this call. The identity of the mount is compared afterwards anyway.
            Err(Errno::NOSYS) => open(&mount.at, flags, Mode::empty()),
            result => result,
        };
    };
    let root =
        open(format!("/proc/{process}/root"), OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    let inside = mount.at.strip_prefix("/").unwrap_or(&mount.at);
    let inside = if inside == Path::new("") { Path::new(".") } else { inside };
    let straight = ResolveFlags::IN_ROOT | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    match openat2(root.as_fd(), inside, flags, Mode::empty(), straight) {
        Err(Errno::NOSYS) => openat(root.as_fd(), inside, flags, Mode::empty()),
        result => result,
    }
}

/// Which mount a descriptor is on. Every kernel tells, and no file system is asked.
fn mount_id(opened: &OwnedFd) -> Option<u64> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", opened.as_raw_fd())).ok()?;
    info.lines().find_map(|line| line.strip_prefix("mnt_id:")?.trim().parse().ok())
}
