//! What the steps of jobs find out in the world of the tests.

use coffre_control::job::StepFacts;
use coffre_control::model::{
    Consistency, Job, LocalFacts, RestoreFacts, RestoredFile, SnapshotDiskFacts, SnapshotFacts,
    Step, TransferFacts,
};
use jiff::Timestamp;
use serde_json::json;

use super::disks;

/// What a step that is done says.
pub fn facts(job: &Job, step: Step, now: Timestamp) -> StepFacts {
    match step {
        Step::TakeSnapshot => StepFacts::Snapshot(SnapshotFacts {
            consistency: Consistency::FileSystem,
            reason: "file systems were frozen by the guest agent".to_owned(),
            freeze_ms: Some(12),
            freeze: None,
            taken: now,
            disks: disks()
                .into_iter()
                .map(|disk| SnapshotDiskFacts {
                    key: disk.key,
                    size_bytes: disk.size_bytes,
                    changed_bytes: None,
                    unknown_reason: Some("first backup".to_owned()),
                })
                .collect(),
            config: json!({ "name": job.name }),
            local: Some(LocalFacts { kept: true, reason: None }),
        }),
        Step::TransferToVault => StepFacts::Transfer(TransferFacts {
            read_bytes: 700 << 20,
            new_bytes: 300 << 20,
            stored_bytes: 100 << 20,
            read_reason: Some("first backup".to_owned()),
        }),
        Step::PublishRestore => StepFacts::Restore(RestoreFacts {
            files: vec![
                RestoredFile { disk: "os".to_owned(), path: "/restores/vm1/os.raw".to_owned() },
                RestoredFile { disk: String::new(), path: "/restores/vm1/config.json".to_owned() },
            ],
            written_bytes: 700 << 20,
        }),
        _ => StepFacts::None,
    }
}
