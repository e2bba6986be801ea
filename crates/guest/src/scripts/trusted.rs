//! Opening files that root alone can have written.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat, fstat, open, openat};
use rustix::io::Errno;

/// Configuration is far smaller.
const CONFIGURATION_MAX: u64 = 1 << 20;

/// Why a file was not opened.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Distrust {
    /// There is none.
    Missing,
    /// Somebody but root could change it, or what leads to it.
    Unsafe(String),
    /// The kernel refuses.
    Failed(String),
}

/// Opens a file for reading. The path is absolute, no part of it is a link, every folder on it belongs to root and
/// nobody else may change it, and the file is a plain one that belongs to root and has one name.
pub(super) fn open_trusted(path: &Path) -> Result<(File, Stat), Distrust> {
    let unsafe_ = |why: &str| Distrust::Unsafe(format!("{}: {why}", path.display()));
    let failed = |errno: Errno| match errno {
        Errno::NOENT | Errno::NOTDIR => Distrust::Missing,
        Errno::LOOP => unsafe_("a part of the path is a link"),
        other => Distrust::Failed(format!("{}: {other}", path.display())),
    };
    let mut parts = path.components();
    if parts.next() != Some(Component::RootDir) {
        return Err(unsafe_("the path is not absolute"));
    }
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let mut here: OwnedFd = open("/", flags, Mode::empty()).map_err(failed)?;
    let mut names = parts.peekable();
    while let Some(part) = names.next() {
        let Component::Normal(name) = part else {
            return Err(unsafe_("the path is not a straight one"));
        };
        check_folder(&here).map_err(|why| unsafe_(&why))?;
        if names.peek().is_some() {
            here = openat(here.as_fd(), name, flags, Mode::empty()).map_err(failed)?;
            if kind(&fstat(&here).map_err(failed)?) == FileType::Symlink {
                return Err(unsafe_("a part of the path is a link"));
            }
            continue;
        }
        // Not waiting for anybody, should it be a pipe.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = openat(here.as_fd(), name, flags, Mode::empty()).map_err(failed)?;
        let stat = fstat(&file).map_err(failed)?;
        check_file(&stat).map_err(unsafe_)?;
        return Ok((file.into(), stat));
    }
    Err(unsafe_("the path names a folder"))
}

/// The folder that a path leads to, with no link in it any more. Neither it nor one that it is in can be changed by anybody
/// but root.
pub(super) fn trusted_folder(path: &Path) -> Result<PathBuf, String> {
    let failed = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let real = path.canonicalize().map_err(|failure| failed(&failure))?;
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    for folder in real.ancestors() {
        let folder = open(folder, flags, Mode::empty()).map_err(|errno| failed(&errno))?;
        check_folder(&folder).map_err(|why| failed(&why))?;
    }
    Ok(real)
}

fn kind(stat: &Stat) -> FileType {
    FileType::from_raw_mode(stat.st_mode)
}

fn check_folder(folder: &OwnedFd) -> Result<(), String> {
    let stat = fstat(folder).map_err(|errno| errno.to_string())?;
    if kind(&stat) != FileType::Directory {
        return Err("a part of the path is no folder".to_owned());
    }
    if stat.st_uid != 0 {
        return Err("a folder on the path does not belong to root".to_owned());
    }
    // In a folder like /tmp others may write, but not replace what belongs to root.
    let sticky = stat.st_mode & 0o1000 != 0;
    if stat.st_mode & 0o022 != 0 && !sticky {
        return Err("others than root may write to a folder on the path".to_owned());
    }
    Ok(())
}

fn check_file(stat: &Stat) -> Result<(), &'static str> {
    match () {
        () if kind(stat) != FileType::RegularFile => Err("it is no plain file"),
        () if stat.st_uid != 0 => Err("it does not belong to root"),
        () if stat.st_nlink != 1 => Err("it has a second name"),
        () if stat.st_mode & 0o6000 != 0 => Err("it changes its user when it runs"),
        () => Ok(()),
    }
}

/// Reads a file of configuration, if `allows` its permission bits.
pub(super) fn read_trusted(path: &Path, allows: fn(u32) -> bool) -> Result<String, Distrust> {
    let (file, stat) = open_trusted(path)?;
    if !allows(stat.st_mode & 0o777) {
        let bits = stat.st_mode & 0o777;
        return Err(Distrust::Unsafe(format!("{}: mode {bits:o}", path.display())));
    }
    let mut text = String::new();
    let read = file.take(CONFIGURATION_MAX).read_to_string(&mut text);
    let failed = |failure: io::Error| Distrust::Failed(format!("{}: {failure}", path.display()));
    read.map_err(failed)?;
    Ok(text)
}
