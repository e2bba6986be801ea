//! What comes out of a freeze.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, Timespec, clock_gettime};
use serde::{Deserialize, Serialize};

/// One instant by two clocks of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// Wall clock. May jump.
    pub wall: SystemTime,
    /// Time since the machine started, by the clock that never jumps. Differences are taken here.
    pub steady: Duration,
}

impl Stamp {
    /// This instant.
    pub fn now() -> Stamp {
        Stamp::from_words(words_now())
    }

    pub(super) fn from_words([wall, steady]: [u64; 2]) -> Stamp {
        Stamp {
            wall: SystemTime::UNIX_EPOCH + Duration::from_nanos(wall),
            steady: Duration::from_nanos(steady),
        }
    }

    /// Time from an earlier instant to this one; zero when it is not earlier.
    pub fn since(&self, earlier: &Stamp) -> Duration {
        self.steady.saturating_sub(earlier.steady)
    }
}

/// Both clocks in nanoseconds: wall, steady. Allocates nothing.
pub(super) fn words_now() -> [u64; 2] {
    [nanos(clock_gettime(ClockId::Realtime)), steady_now()]
}

/// The clock that never jumps, in nanoseconds.
pub(super) fn steady_now() -> u64 {
    nanos(clock_gettime(ClockId::Monotonic))
}

fn nanos(time: Timespec) -> u64 {
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let rest = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}

/// A file system that is frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileSystem {
    /// Where it is mounted (one place of perhaps many), seen from its own mount namespace.
    pub mount: PathBuf,
    /// `ext4`, `xfs`, …
    pub fs_type: String,
    /// Major and minor number of its super block. Btrfs has one of its own, that no disk has.
    pub device: (u32, u32),
}

/// A file system on a disk of this machine that is not frozen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Where it is mounted.
    pub mount: PathBuf,
    /// `vfat`, `zfs`, …
    pub fs_type: String,
    /// Why, as a sentence without a full stop.
    pub why: String,
    /// Whether a point without it is consistent only in part. Not when an administrator wished it so.
    pub partial: bool,
}

/// How a freeze failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FreezeCause {
    /// A file system, or the machinery, refused. Code 121.
    Failed,
    /// Another freeze of ours is going on. Code 121.
    InProgress,
    /// Somebody else has frozen one of the file systems. It was left as it was. Code 121.
    Foreign,
    /// Not everything was frozen in time. Code 122.
    TimedOut,
    /// A mount point cannot be opened. Code 123.
    CannotOpen,
    /// The freezing program cannot be started. Code 124.
    NoProgram,
}

impl FreezeCause {
    /// The number that the extension reports.
    pub fn code(self) -> u16 {
        match self {
            FreezeCause::Failed | FreezeCause::InProgress | FreezeCause::Foreign => 121,
            FreezeCause::TimedOut => 122,
            FreezeCause::CannotOpen => 123,
            FreezeCause::NoProgram => 124,
        }
    }
}

/// A freeze that failed. Nothing of ours is frozen any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}")]
pub struct FreezeFailure {
    /// What kind of failure.
    pub cause: FreezeCause,
    /// The number that the extension reports: 121 to 124.
    pub code: u16,
    /// What happened, with the names of what it happened to.
    pub what: String,
}

impl FreezeFailure {
    pub(super) fn new(cause: FreezeCause, what: impl Into<String>) -> FreezeFailure {
        FreezeFailure { cause, code: cause.code(), what: what.into() }
    }
}

/// The end of a freeze.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thawed {
    /// When the thaw began. What was snapshotted between `frozen` and this instant is consistent, if `held`.
    pub began: Stamp,
    /// When the last file system was thawed.
    pub thawed_at: Stamp,
    /// Whether everything stayed frozen until the thaw. When not, the point is crash-consistent.
    pub held: bool,
    /// Why it was not held.
    pub why: Option<String>,
    /// From the beginning of the first freeze to the last thaw.
    pub window: Duration,
}
