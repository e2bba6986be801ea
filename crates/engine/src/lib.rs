//! One backup, one restore, one verification: moves blocks between a machine and a vault.
//!
//! Each function is one step of a job. It may be called again after any crash or failure and then
//! gives the same outcome; what it made is named after the point or the job, so that the step that
//! undoes it finds it. The room never knows policies, job rows or databases: it is told what to do
//! and answers with facts or with a [`Failure`] that says whether trying again makes sense.

mod backup;
mod blocks;
pub mod crash;
mod failure;
mod leftovers;
mod metadata;
mod plan;
mod restore;
mod watch;

pub use backup::{
    BackupSpec, DiskFacts, SnapshotFacts, TransferFacts, ValidateFacts, Warning, forget, release,
    take_snapshot, transfer, validate,
};
pub use crash::{CrashPoint, JobClass, POINTS as CRASH_POINTS, here as crash_here};
pub use failure::{Class, Failure, Retry};
pub use leftovers::{Cleaned, clean};
pub use metadata::{METADATA_VERSION, PointLabels, PointMetadata};
pub use restore::{
    DiskChoice, PrepareFacts, PublishFacts, RestoreContext, RestoreSpec, RestoreTarget,
    RestoreTransferFacts, RestoreValidateFacts, Source, prepare, publish, remove, restore_transfer,
    restore_validate,
};
pub use watch::{Unwatched, Watch};
