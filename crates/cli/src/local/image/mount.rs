//! `coffre image mount`: a recovery point as a folder of raw images, by FUSE.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use coffre_vault::{DiskReader, PointInfo, Vault, VaultError};
use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo,
    KernelConfig, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyDirectory,
    ReplyEntry, ReplyLseek, ReplyOpen, Request, Session, SessionACL,
};
use rustix::mount::UnmountFlags;
use serde_json::json;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::local::EXIT_DAMAGE;
use crate::say::{self, Format};
use crate::sys;

/// A point never changes: the kernel may believe what it was told.
const FOR_EVER: Duration = Duration::from_secs(365 * 24 * 3600);
/// What the kernel may read ahead of a reader.
const READ_AHEAD_BYTES: u32 = 1 << 20;
/// Threads that answer the kernel.
const THREADS: usize = 4;

/// What ends the wait.
enum Event {
    /// Somebody asked us to stop.
    Stop,
    /// The file system was unmounted, by us or by somebody else.
    Ended(std::io::Result<()>),
}

/// Mounts a point and stays until it is unmounted. The exit status tells of damage that a reader met.
pub(super) fn run(
    vault: &Vault,
    point: &PointInfo,
    folder: &Path,
    allow_other: bool,
    format: Format,
) -> anyhow::Result<ExitCode> {
    // Each thread that answers the kernel has a buffer of 16 MiB.
    sys::map_large_blocks();
    let point_fs = PointFs::open(vault, point, allow_other)?;
    let damaged = Arc::clone(&point_fs.damaged);
    let disks: Vec<_> = point_fs.files.iter().map(|file| file.name.clone()).collect();
    // The index is read while the kernel mounts: the first reader need not wait for it. Whoever reads
    // what fails here meets the error itself.
    let files = Arc::clone(&point_fs.files);
    std::thread::spawn(move || {
        files.iter().filter(|file| file.reader.size_bytes() > 0).for_each(|file| {
            let _ = file.reader.read_at(0, &mut [0]);
        });
    });
    let (tell, told) = mpsc::channel();
    // Before the mount, so that no signal can end us without an unmount.
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let session = Session::new(point_fs, folder, &config(point, allow_other))
        .with_context(|| format!("mount on {}", folder.display()))?;
    let stop = tell.clone();
    std::thread::spawn(move || signals.forever().try_for_each(|_| stop.send(Event::Stop)));
    std::thread::spawn(move || tell.send(Event::Ended(session.run())));
    match format {
        Format::Json => {
            say::data(&json!({ "point": point.id, "mounted": folder, "disks": disks }).to_string())?
        }
        Format::Table => say::note(&format!(
            "recovery point {} is mounted on {}: {}; Ctrl-C ends it",
            point.id,
            folder.display(),
            disks.join(", ")
        )),
    }
    loop {
        match told.recv().context("wait for the end of the mount")? {
            Event::Ended(result) => {
                result.context("serve the mounted point")?;
                let damaged = damaged.load(Ordering::Relaxed);
                return Ok(if damaged { ExitCode::from(EXIT_DAMAGE) } else { ExitCode::SUCCESS });
            }
            Event::Stop => match unmount(folder) {
                Ok(()) => {}
                Err(error) => say::note(&format!(
                    "{} stays mounted: {error}. Unmount and detach what uses it, then try again.",
                    folder.display()
                )),
            },
        }
    }
}

fn config(point: &PointInfo, allow_other: bool) -> Config {
    let mut config = Config::default();
    config.mount_options = vec![
        MountOption::RO,
        MountOption::NoSuid,
        MountOption::NoDev,
        MountOption::NoAtime,
        MountOption::DefaultPermissions,
        MountOption::FSName(format!("coffre:{}", point.id)),
        MountOption::Subtype("coffre".to_owned()),
    ];
    config.acl = if allow_other { SessionACL::All } else { SessionACL::Owner };
    config.n_threads = Some(THREADS);
    config
}

/// Unmounts, also for who may do so only through the helper of FUSE.
fn unmount(folder: &Path) -> anyhow::Result<()> {
    match rustix::mount::unmount(folder, UnmountFlags::NOFOLLOW) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::PERM) => {
            let helper = Command::new("fusermount3").arg("-u").arg(folder).output();
            let helper = helper.context("run fusermount3")?;
            let text = String::from_utf8_lossy(&helper.stderr);
            anyhow::ensure!(helper.status.success(), "{}", text.trim());
            Ok(())
        }
        Err(error) => Err(std::io::Error::from(error).into()),
    }
}

/// One disk of the point.
struct DiskFile {
    name: String,
    reader: DiskReader,
}

/// A folder with one file for each disk. Files have the numbers from 2 on.
struct PointFs {
    files: Arc<Vec<DiskFile>>,
    time: SystemTime,
    owner: (u32, u32),
    /// Readable for everybody, as far as the kernel asks.
    for_all: bool,
    /// A read met damage.
    damaged: Arc<AtomicBool>,
}

impl PointFs {
    fn open(vault: &Vault, point: &PointInfo, for_all: bool) -> anyhow::Result<Self> {
        let mut files: Vec<DiskFile> = Vec::new();
        for (number, disk) in point.disks.iter().enumerate() {
            let reader = vault.disk(point.id, &disk.key).with_context(|| {
                format!("open disk {} of recovery point {}", disk.key, point.id)
            })?;
            let mut name = file_name(&disk.key, number);
            if files.iter().any(|file| file.name == name) {
                name = format!("disk-{number}.raw");
            }
            files.push(DiskFile { name, reader });
        }
        let since = Duration::from_millis(u64::try_from(point.time_unix_ms).unwrap_or(0));
        let owner = (rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw());
        let (time, damaged) = (SystemTime::UNIX_EPOCH + since, Arc::default());
        Ok(Self { files: Arc::new(files), time, owner, for_all, damaged })
    }

    fn file(&self, inode: INodeNo) -> Option<&DiskFile> {
        let number = u64::from(inode).checked_sub(2)?;
        self.files.get(usize::try_from(number).ok()?)
    }

    /// Says what failed, once for each read that met it, and gives the reader an I/O error.
    fn failed(&self, file: &DiskFile, offset: u64, error: VaultError) -> Errno {
        self.damaged.fetch_or(error.is_damage(), Ordering::Relaxed);
        let error = anyhow::Error::from(error);
        say::note(&format!("coffre: read {} at byte {offset}: {error:#}", file.name));
        Errno::EIO
    }

    /// Where data or a hole begins at or after an offset.
    fn seek(&self, file: &DiskFile, offset: u64, whence: i32) -> Result<u64, Errno> {
        let size = file.reader.size_bytes();
        let next = |at| file.reader.next_data(at).map_err(|error| self.failed(file, at, error));
        match whence {
            _ if offset >= size => Err(Errno::ENXIO),
            libc::SEEK_DATA => Ok(next(offset)?.ok_or(Errno::ENXIO)?.offset),
            libc::SEEK_HOLE => {
                let mut at = offset;
                while let Some(extent) = next(at)?.filter(|extent| extent.offset == at) {
                    at = extent.end();
                    if at >= size {
                        break;
                    }
                }
                Ok(at)
            }
            _ => Err(Errno::EINVAL),
        }
    }

    fn attributes(&self, inode: INodeNo) -> Option<FileAttr> {
        let (kind, size, perm, nlink) = match self.file(inode) {
            Some(file) => (FileType::RegularFile, file.reader.size_bytes(), 0o400, 1),
            None if inode == INodeNo::ROOT => (FileType::Directory, 0, 0o500, 2),
            None => return None,
        };
        let perm = if self.for_all { perm | perm >> 3 | perm >> 6 } else { perm };
        Some(FileAttr {
            ino: inode,
            size,
            blocks: size.div_ceil(512),
            atime: self.time,
            mtime: self.time,
            ctime: self.time,
            crtime: self.time,
            kind,
            perm,
            nlink,
            uid: self.owner.0,
            gid: self.owner.1,
            rdev: 0,
            blksize: 64 * 1024,
            flags: 0,
        })
    }
}

/// The name of a disk as that of a file; a name that could mean something else becomes a number.
pub(super) fn file_name(key: &str, number: usize) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if (1..=64).contains(&key.len()) && !key.starts_with('.') && key.chars().all(plain) {
        format!("{key}.raw")
    } else {
        format!("disk-{number}.raw")
    }
}

impl Filesystem for PointFs {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> std::io::Result<()> {
        // The kernel's own limit is fine too.
        let _ = config.set_max_readahead(READ_AHEAD_BYTES);
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let number = self.files.iter().position(|file| OsStr::new(&file.name) == name);
        let inode = number.filter(|_| parent == INodeNo::ROOT).map(|n| INodeNo(n as u64 + 2));
        match inode.and_then(|inode| self.attributes(inode)) {
            Some(attributes) => reply.entry(&FOR_EVER, &attributes, Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        match self.attributes(inode) {
            Some(attributes) => reply.attr(&FOR_EVER, &attributes),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn open(&self, _request: &Request, _inode: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn read(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Some(file) = self.file(inode) else { return reply.error(Errno::EISDIR) };
        let length = file.reader.size_bytes().saturating_sub(offset).min(u64::from(size));
        let mut buffer = vec![0; usize::try_from(length).expect("at most what was asked for")];
        match file.reader.read_at(offset, &mut buffer) {
            Ok(()) => reply.data(&buffer),
            Err(error) => reply.error(self.failed(file, offset, error)),
        }
    }

    fn readdir(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        if inode != INodeNo::ROOT {
            return reply.error(Errno::ENOTDIR);
        }
        let folders = [".", ".."].map(|name| (1, FileType::Directory, name));
        let files = (2..).zip(self.files.iter());
        let files = files.map(|(inode, file)| (inode, FileType::RegularFile, file.name.as_str()));
        let entries = (1..).zip(folders.into_iter().chain(files));
        for (next, (inode, kind, name)) in entries.skip_while(|(next, _)| *next <= offset) {
            if reply.add(INodeNo(inode), next, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    /// Where data and holes begin, so that a copy of a large sparse disk reads only its data.
    fn lseek(
        &self,
        _request: &Request,
        inode: INodeNo,
        _handle: FileHandle,
        offset: i64,
        whence: i32,
        reply: ReplyLseek,
    ) {
        let Some(file) = self.file(inode) else { return reply.error(Errno::EISDIR) };
        let found = u64::try_from(offset).map_err(|_| Errno::EINVAL);
        match found.and_then(|offset| self.seek(file, offset, whence)) {
            Ok(found) => reply.offset(i64::try_from(found).unwrap_or(i64::MAX)),
            Err(error) => reply.error(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_never_a_path() {
        assert_eq!(file_name("disk", 0), "disk.raw");
        assert_eq!(file_name("lun-1.os", 0), "lun-1.os.raw");
        for odd in ["..", ".hidden", "a/b", "", "a\0b", "ü", &"x".repeat(65)] {
            assert_eq!(file_name(odd, 3), "disk-3.raw", "{odd}");
        }
    }
}
