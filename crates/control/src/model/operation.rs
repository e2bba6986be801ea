//! Long-running operation: what the REST surface lets a client poll.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::id::{JobId, OperationId};
use crate::model::job::JobError;

/// A long-running operation. It is a view: when it names a job whose end it waits for, the job's
/// row decides what it shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Identity; last segment of the polling address.
    pub id: OperationId,
    /// Resource id it belongs to; survives the resource.
    pub scope: String,
    /// The job that it started.
    pub job: Option<JobId>,
    /// When it counts as done.
    pub end: OperationEnd,
    /// State of an operation that waits for no job.
    pub state: OperationState,
    /// Why it failed.
    pub error: Option<JobError>,
    /// When it was asked for.
    pub created: Timestamp,
    /// Version of the stored row; 0 = never stored.
    pub etag: u64,
}

/// When an operation counts as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationEnd {
    /// As soon as it was accepted (backup, restore: the job goes on).
    Accepted,
    /// When its job has ended (enable, disable, delete, undelete, refresh).
    JobEnded,
}

/// State of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OperationState {
    /// It runs.
    InProgress,
    /// It did what was asked.
    Succeeded,
    /// It did not.
    Failed,
    /// It was cancelled.
    Canceled,
}

impl OperationState {
    /// The word Azure uses, the same as the name here.
    pub fn azure(self) -> &'static str {
        match self {
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
        }
    }
}
