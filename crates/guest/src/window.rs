//! Doing something while everything is frozen, and what may be said of it afterwards.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crate::code::Code;
use crate::freeze::{FreezeFailure, FreezeSpec, Freezer, Frozen, Stamp};
use crate::log::Log;
use crate::telemetry::Telemetry;
use crate::ticks;

/// What came of the work inside a window.
pub(crate) struct Done<T> {
    /// What the work gave.
    pub(crate) result: T,
    /// Why the point is only crash-consistent; nothing when it is better.
    pub(crate) crash_only: Option<String>,
    /// Whether everything stayed frozen until the thaw.
    pub(crate) held: bool,
    /// When the thaw began and ended.
    pub(crate) thawed: (SystemTime, SystemTime),
}

/// A freeze that failed, with the number for the report.
pub(crate) struct Failed {
    pub(crate) code: Code,
    pub(crate) what: String,
}

impl From<FreezeFailure> for Failed {
    fn from(failure: FreezeFailure) -> Failed {
        Failed { code: Code(failure.code), what: failure.what }
    }
}

/// A freeze that is made ready: all is open, nothing is frozen.
pub(crate) struct Window {
    freezer: Freezer,
    ceiling: Duration,
}

impl Window {
    /// Opens every file system.
    pub(crate) fn prepare(ceiling: Duration, skip: &[String], log: &Log) -> Result<Window, Failed> {
        log.info("****** 1. Starting the freezer");
        let skip = skip.iter().map(PathBuf::from).collect();
        let freezer = Freezer::start(FreezeSpec { ceiling, skip, ..FreezeSpec::default() })?;
        for system in freezer.file_systems() {
            log.info(format!("To be frozen: {} ({})", system.mount.display(), system.fs_type));
        }
        for left in freezer.left_out() {
            log.info(format!(
                "Left out: {} ({}): {}",
                left.mount.display(),
                left.fs_type,
                left.why
            ));
        }
        Ok(Window { freezer, ceiling })
    }

    /// Longest time the work may take so that the thaw comes in time.
    pub(crate) fn budget(&self) -> Duration {
        let spare = (self.ceiling / 10).min(Duration::from_secs(1));
        self.ceiling - spare
    }

    /// Freezes, works, thaws. The log keeps to memory meanwhile.
    pub(crate) fn within<T>(
        self,
        log: &Log,
        silently: bool,
        telemetry: &mut Telemetry,
        work: impl FnOnce(&Frozen) -> T,
    ) -> Result<Done<T>, Failed> {
        log.info("****** 2. Freezing");
        log.hold();
        let frozen = self.freezer.freeze();
        let outcome = frozen.map(|frozen| {
            let count = frozen.filesystems().len();
            let partial: Vec<String> = frozen
                .left_out()
                .iter()
                .filter(|left| left.partial)
                .map(|left| format!("{} ({})", left.mount.display(), left.why))
                .collect();
            let (started, at) = (frozen.started, frozen.frozen);
            let result = work(&frozen);
            let done = Stamp::now();
            (count, partial, started, at, done, result, frozen.thaw())
        });
        log.release(silently);
        let (count, partial, started, at, done, result, thawed) = outcome?;
        log.info(format!("****** 3. {count} file systems were frozen"));
        log.info(format!("****** 9. Thawed after {} ms", thawed.window.as_millis()));
        telemetry.set("FreezeTime", ticks::span(at.since(&started)));
        telemetry.set("snapshotTimeTaken", ticks::span(thawed.thawed_at.since(&at)));
        telemetry.set("ThawTime", ticks::span(thawed.thawed_at.since(&thawed.began)));
        telemetry.set("freezeWindowInMilliseconds", millis(thawed.window));
        let stamps = [
            ("freezeStartedUtc", started.wall),
            ("frozenUtc", at.wall),
            ("snapshotDoneUtc", done.wall),
            ("thawedUtc", thawed.thawed_at.wall),
        ];
        for (key, wall) in stamps {
            telemetry.set(key, stamp(wall));
        }
        let crash_only = if !thawed.held {
            Some(thawed.why.unwrap_or_else(|| "the freeze was not held".to_owned()))
        } else if count == 0 {
            Some("there is nothing on this machine that can be frozen".to_owned())
        } else if !partial.is_empty() {
            Some(format!("not frozen: {}", partial.join(", ")))
        } else {
            None
        };
        if let Some(why) = &crash_only {
            log.warn(format!("The point is crash-consistent only: {why}"));
        }
        let times = (thawed.began.wall, thawed.thawed_at.wall);
        Ok(Done { result, crash_only, held: thawed.held, thawed: times })
    }
}

/// Milliseconds with three digits of fraction.
fn millis(span: Duration) -> String {
    format!("{:.3}", span.as_secs_f64() * 1000.0)
}

fn stamp(at: SystemTime) -> String {
    format!("{}Z", ticks::iso_micros(at))
}
