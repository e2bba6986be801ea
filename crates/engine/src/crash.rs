//! Places where a test may end the process, as a power failure would.
//!
//! Set `COFFRE_CRASH_AT=<name>` to one of [`POINTS`]. Compiled into debug builds only.

/// What kind of job passes a crash point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobClass {
    /// A backup.
    Backup,
    /// A restore, of whichever target.
    Restore,
}

/// A place where a test may end the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CrashPoint {
    /// The name for `COFFRE_CRASH_AT`.
    pub name: &'static str,
    /// Who comes by.
    pub class: JobClass,
}

const fn backup(name: &'static str) -> CrashPoint {
    CrashPoint { name, class: JobClass::Backup }
}

const fn restore(name: &'static str) -> CrashPoint {
    CrashPoint { name, class: JobClass::Restore }
}

/// All crash points, in the order in which a job meets them.
pub const POINTS: &[CrashPoint] = &[
    backup("backup.leased"),
    backup("backup.snapshot.begun"),
    backup("backup.snapshot.taken"),
    backup("backup.transfer.begun"),
    backup("backup.transfer.middle"),
    backup("backup.transfer.read"),
    backup("backup.transfer.committed"),
    backup("backup.validate.done"),
    backup("backup.release.begun"),
    backup("backup.release.done"),
    restore("restore.leased"),
    restore("restore.prepare.done"),
    restore("restore.transfer.begun"),
    restore("restore.transfer.middle"),
    restore("restore.transfer.done"),
    restore("restore.validate.done"),
    restore("restore.publish.begun"),
    restore("restore.publish.placed"),
    restore("restore.publish.done"),
];

/// Ends the process here if `COFFRE_CRASH_AT` names this place; nothing is flushed or cleaned.
///
/// Does nothing in a release build.
pub fn here(name: &'static str) {
    debug_assert!(POINTS.iter().any(|point| point.name == name), "{name} is in the list");
    #[cfg(debug_assertions)]
    if std::env::var_os("COFFRE_CRASH_AT").is_some_and(|wanted| wanted == name) {
        tracing::warn!(point = name, "ending the process as COFFRE_CRASH_AT asks");
        std::process::abort();
    }
}
