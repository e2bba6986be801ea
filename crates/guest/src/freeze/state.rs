//! The state of a freeze that outlives its processes: a lock, a description, and a page of marks, all in memory.
//!
//! The marks say of each file system how far it is. The freezer writes one before and after every call into the kernel,
//! by a store to mapped memory that can neither fail nor wait; so whoever comes after a crash knows what to thaw.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, FlockOperation, fallocate, flock, statfs};
use serde::{Deserialize, Serialize};

use super::process::Process;
use super::result::FileSystem;
use crate::sys::{PAGE_WORDS, Page, map_page};

/// File systems in one freeze: what the page has room for.
pub(super) const SYSTEMS_MAX: usize = PAGE_WORDS - HEADER_WORDS;

const HEADER_WORDS: usize = 16;
/// Place of the instant (steady clock, nanoseconds) at which the freeze must have ended; zero before the first freeze.
const DEADLINE: usize = 0;

/// Place of a word that is not zero while the freezer freezes: then it may freeze more, and must be killed before anybody
/// thaws in its stead. Afterwards it must not be: btrfs makes itself read-only when who thaws it is killed meanwhile.
const FREEZING: usize = 1;

/// How far a file system is. Zero: nothing was done to it.
pub(super) mod mark {
    /// The freeze was called and has not answered.
    pub(in crate::freeze) const ASKED: u64 = 1;
    /// Frozen by us.
    pub(in crate::freeze) const FROZEN: u64 = 2;
    /// The kernel refused the freeze. Whatever it is, it is not ours.
    pub(in crate::freeze) const REFUSED: u64 = 3;
    /// Thawed by us.
    pub(in crate::freeze) const THAWED: u64 = 4;
    /// It was not frozen any more when we thawed it.
    pub(in crate::freeze) const LOST: u64 = 5;
}

/// The page of marks.
#[derive(Clone, Copy)]
pub(super) struct Marks(&'static Page);

impl Marks {
    pub(super) fn get(self, index: usize) -> u64 {
        self.0[HEADER_WORDS + index].load(Ordering::SeqCst)
    }

    pub(super) fn set(self, index: usize, mark: u64) {
        self.0[HEADER_WORDS + index].store(mark, Ordering::SeqCst);
    }

    /// Whether this one must be thawed, as far as anybody knows.
    pub(super) fn owes_thaw(self, index: usize) -> bool {
        owes_thaw(self.get(index))
    }

    pub(super) fn is_freezing(self) -> bool {
        self.0[FREEZING].load(Ordering::SeqCst) != 0
    }

    pub(super) fn set_freezing(self, freezing: bool) {
        self.0[FREEZING].store(u64::from(freezing), Ordering::SeqCst);
    }

    pub(super) fn deadline(self) -> &'static AtomicU64 {
        &self.0[DEADLINE]
    }
}

/// Asked and not answered counts: a process that is killed in the call ends after the kernel has frozen.
pub(super) fn owes_thaw(mark: u64) -> bool {
    matches!(mark, mark::ASKED | mark::FROZEN)
}

/// What a freeze is about, for whoever comes after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Session {
    /// Of this start of the machine: a freeze does not survive it.
    pub boot: String,
    pub freezer: Process,
    pub watchdog: Process,
    /// Whether the freezer may have left the kernel in a hurry.
    pub hurried: bool,
    /// In the order of freezing.
    pub file_systems: Vec<FileSystem>,
}

/// The folder that holds it all.
#[derive(Debug, Clone)]
pub(super) struct StateFolder(PathBuf);

impl StateFolder {
    /// Makes it if need be. It must be in memory: a page of a file on a disk could be on a frozen file system.
    pub(super) fn open(path: &Path) -> io::Result<StateFolder> {
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(failure) if failure.kind() != io::ErrorKind::AlreadyExists => return Err(failure),
            _ => {}
        }
        const TMPFS: i64 = 0x0102_1994;
        const RAMFS: i64 = 0x8584_58f6;
        let kind = statfs(path)?.f_type;
        #[allow(clippy::useless_conversion, reason = "the width differs between machines")]
        if !matches!(i64::from(kind), TMPFS | RAMFS) {
            return Err(io::Error::other(format!("{} is not on a tmpfs", path.display())));
        }
        Ok(StateFolder(path.to_owned()))
    }

    /// Takes the lock, held until every copy of the file is closed; `None` when somebody has it all this time.
    pub(super) fn lock(&self, patience: Duration) -> io::Result<Option<File>> {
        let file = private().create(true).truncate(false).open(self.0.join("lock"))?;
        let until = Instant::now() + patience;
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Some(file)),
                Err(rustix::io::Errno::WOULDBLOCK) if Instant::now() < until => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(rustix::io::Errno::WOULDBLOCK) => return Ok(None),
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// A fresh page of marks. Its memory is taken now, so that no later store can fail.
    pub(super) fn new_marks(&self) -> io::Result<Marks> {
        let path = self.0.join("marks");
        let _ = fs::remove_file(&path);
        let file = private().create_new(true).open(path)?;
        fallocate(&file, FallocateFlags::empty(), 0, size_of::<Page>() as u64)?;
        Ok(Marks(map_page(&file)?))
    }

    /// The page of the freeze that is going on, or was.
    pub(super) fn marks(&self) -> io::Result<Marks> {
        let file = private().open(self.0.join("marks"))?;
        if file.metadata()?.len() != size_of::<Page>() as u64 {
            return Err(io::Error::other("the marks of the freeze are not whole"));
        }
        Ok(Marks(map_page(&file)?))
    }

    /// The deadline of the freeze that is going on; `None` before the first freeze, and when there is none.
    pub(super) fn deadline(&self) -> Option<u64> {
        let file = File::open(self.0.join("marks")).ok()?;
        let mut word = [0; 8];
        file.read_exact_at(&mut word, DEADLINE as u64 * 8).ok()?;
        Some(u64::from_ne_bytes(word)).filter(|deadline| *deadline != 0)
    }

    /// Describes the freeze that comes.
    pub(super) fn write(&self, session: &Session) -> io::Result<()> {
        let path = self.0.join("session.new");
        let mut file = private().create(true).truncate(true).open(&path)?;
        file.write_all(&serde_json::to_vec(session)?)?;
        fs::rename(path, self.0.join("session"))
    }

    /// The freeze that is going on, or was left; `None` when there is none.
    pub(super) fn read(&self) -> io::Result<Option<Session>> {
        let mut text = Vec::new();
        match File::open(self.0.join("session")) {
            Ok(mut file) => file.read_to_end(&mut text)?,
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(failure) => return Err(failure),
        };
        Ok(Some(serde_json::from_slice(&text)?))
    }

    /// Says that nothing is frozen any more.
    pub(super) fn clear(&self) {
        // The description first: without it nobody asks for the marks.
        let _ = fs::remove_file(self.0.join("session"));
        let _ = fs::remove_file(self.0.join("marks"));
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600).custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC);
    options
}

/// The name of this start of the machine.
pub(super) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}
