//! What a run reports: one document in two shapes, for the blob and for the agent's status file.

use std::time::SystemTime;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::code::Code;
use crate::telemetry::{Fact, Telemetry};
use crate::{json, ticks};

/// An agent cuts a status file that is larger (its limit is 128 KiB), and the cut destroys what is inside.
const FILE_MAX: usize = 120 << 10;

/// How the point is consistent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// There is no point.
    None,
    /// As after a clean unmount.
    FileSystem,
    /// As applications wish it.
    Application,
    /// As after a power cut.
    Crash,
}

impl Consistency {
    /// The number in a report.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Consistency::None => 0,
            Consistency::FileSystem => 1,
            Consistency::Application => 2,
            Consistency::Crash => 3,
        }
    }

    /// The word in telemetry.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Consistency::None => "none",
            Consistency::FileSystem => "fileSystemConsistent",
            Consistency::Application => "applicationConsistent",
            Consistency::Crash => "crashConsistent",
        }
    }
}

/// Snapshot of one disk, or why there is none.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotInfo {
    /// From inside a boolean, from the host a text; readers tell them apart by it.
    pub is_successful: Value,
    /// Address of the snapshot, without what opens it.
    pub snapshot_uri: Option<String>,
    /// What the storage said.
    pub error_message: Option<String>,
    /// Address of the disk, without what opens it.
    pub blob_uri: Option<String>,
    /// How the host finds the snapshot of a disk that has no address.
    pub direct_drive_snapshot_identifier: Option<DirectDrive>,
}

/// How the host finds a snapshot.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DirectDrive {
    creation_time: CreationTime,
    id: Value,
    token: Value,
    instant_access_duration_minutes: Value,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
struct CreationTime {
    date_time: Box<RawValue>,
    offset_minutes: i32,
}

impl DirectDrive {
    /// What the host said of a snapshot, with its time in milliseconds since 1970.
    #[must_use]
    pub fn new(created_ms: i64, id: Value, token: Value, minutes: Value) -> DirectDrive {
        // Readers expect the escaped form of the slashes.
        let date = format!("\"\\/Date({created_ms})\\/\"");
        let date_time = RawValue::from_string(date).expect("a quoted date is JSON");
        DirectDrive {
            creation_time: CreationTime { date_time, offset_minutes: 0 },
            id,
            token,
            instant_access_duration_minutes: minutes,
        }
    }
}

/// What is known of the machine's disks.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StorageDetails {
    /// How many file systems were found.
    pub partition_count: u64,
    /// Bytes in use on local disks, for billing.
    pub total_used_size_in_bytes: u64,
    /// Never the case on Linux.
    pub is_storagespace_present: bool,
    /// Whether the bytes could not be counted.
    pub is_size_computation_failed: bool,
}

/// All that a report is made of.
#[derive(Debug, Clone)]
pub struct Report {
    /// Version of the schema.
    pub schema_version: String,
    /// Name of the handler.
    pub name: String,
    /// When it is made.
    pub at: SystemTime,
    /// Whether the run succeeded.
    pub success: bool,
    /// Whether the top of the status file must say success whatever happened.
    pub always_success_on_top: bool,
    /// The result.
    pub code: Code,
    /// The health, which can differ from the result.
    pub health: Code,
    /// Words for people.
    pub message: String,
    /// How the point is consistent.
    pub consistency: Consistency,
    /// Echo of the command.
    pub task_id: Value,
    /// Echo of the command.
    pub start_ticks: Value,
    /// Measurements and facts.
    pub telemetry: Telemetry,
    /// Identity of the machine; empty when not known.
    pub machine_id: String,
    /// Disks.
    pub storage: StorageDetails,
    /// Snapshots in the order of the request; nothing when it did not come to that.
    pub snapshots: Option<Vec<SnapshotInfo>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'a> {
    version: &'a str,
    #[serde(rename = "timestampUTC")]
    timestamp: String,
    status: Status<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    name: &'a str,
    operation: &'a str,
    status: &'a str,
    substatus: Vec<Substatus>,
    code: String,
    task_id: &'a Value,
    formatted_message: FormattedMessage,
    storage_details: &'a StorageDetails,
    #[serde(rename = "commandStartTimeUTCTicks")]
    start_ticks: &'a Value,
    telemetry_data: Option<&'a [Fact]>,
    unique_machine_id: &'a str,
    snapshot_info: Option<&'a [SnapshotInfo]>,
    vm_health_info: Option<HealthInfo>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Substatus {
    code: &'static str,
    name: String,
    status: &'static str,
    formatted_message: Option<()>,
}

#[derive(Clone, Serialize)]
struct FormattedMessage {
    lang: &'static str,
    message: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Message<'a> {
    message_str: String,
    snapshot_consistency: u32,
    job_message: &'a str,
    is_size_computation_failed: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct HealthInfo {
    vm_health_state: u32,
    vm_health_status_code: u16,
}

impl Report {
    /// The text for the status blob.
    #[must_use]
    pub fn for_blob(&self) -> String {
        let health = HealthInfo {
            vm_health_state: self.health.health().number(),
            vm_health_status_code: self.health.0,
        };
        let document = Document {
            version: &self.schema_version,
            timestamp: format!("/Date({})/", ticks::unix_ms(self.at)),
            status: Status {
                status: self.word(),
                substatus: Vec::new(),
                telemetry_data: Some(self.telemetry.facts()),
                snapshot_info: self.snapshots.as_deref(),
                vm_health_info: Some(health),
                ..self.status()
            },
        };
        json::render(&[document]).expect("a report has textual keys only")
    }

    /// The text for the status file. The blob's text travels in it. Error texts of the storage are cut until the whole
    /// is short enough for an agent.
    #[must_use]
    pub fn for_file(&self) -> String {
        let mut report = self.clone();
        let mut keep = 2000;
        loop {
            let text = report.file_text();
            if text.len() <= FILE_MAX || keep == 0 {
                return text;
            }
            keep /= 2;
            for info in report.snapshots.iter_mut().flatten() {
                if let Some(message) = &mut info.error_message {
                    *message = message.chars().take(keep).collect();
                }
            }
        }
    }

    fn file_text(&self) -> String {
        let inner = Substatus {
            code: "0",
            name: self.for_blob(),
            status: "success",
            formatted_message: None,
        };
        let document = Document {
            version: &self.schema_version,
            timestamp: ticks::iso_seconds(self.at),
            status: Status {
                status: if self.always_success_on_top { "success" } else { self.word() },
                substatus: vec![inner],
                ..self.status()
            },
        };
        json::render(&[document]).expect("a report has textual keys only")
    }

    fn word(&self) -> &'static str {
        if self.success { "success" } else { "error" }
    }

    /// What both shapes have in common.
    fn status(&self) -> Status<'_> {
        let message = Message {
            message_str: self.message_with_facts(),
            snapshot_consistency: self.consistency.number(),
            job_message: "",
            is_size_computation_failed: self.storage.is_size_computation_failed,
        };
        let message = json::render(&message).expect("a message has textual keys only");
        Status {
            name: &self.name,
            operation: "Enable",
            status: "",
            substatus: Vec::new(),
            code: self.code.0.to_string(),
            task_id: &self.task_id,
            formatted_message: FormattedMessage { lang: "en-US", message },
            storage_details: &self.storage,
            start_ticks: &self.start_ticks,
            telemetry_data: None,
            unique_machine_id: &self.machine_id,
            snapshot_info: None,
            vm_health_info: None,
        }
    }

    fn message_with_facts(&self) -> String {
        let mut text = self.message.clone();
        if self.telemetry.get("statusBlobUploadError").is_some() {
            text.push_str(" statusBlobUploadError=true, ");
        }
        for key in ["snapshotCreator", "hostStatusCodePreSnapshot", "hostStatusCodeDoSnapshot"] {
            if let Some(value) = self.telemetry.get(key) {
                text.push_str(&format!("{key}={value}, "));
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let mut telemetry = Telemetry::default();
        telemetry.set("a", "1");
        telemetry.set("hostStatusCodePreSnapshot", "404");
        telemetry.set("a", "2");
        Report {
            schema_version: "1.0".to_owned(),
            name: "N".to_owned(),
            at: SystemTime::UNIX_EPOCH,
            success: false,
            always_success_on_top: true,
            code: Code::NO_SNAPSHOT,
            health: Code::SOME_SNAPSHOTS_FAILED,
            message: "Why. ".to_owned(),
            consistency: Consistency::None,
            task_id: "t".into(),
            start_ticks: Value::Null,
            telemetry,
            machine_id: String::new(),
            storage: StorageDetails::default(),
            snapshots: None,
        }
    }

    #[test]
    fn the_blob_is_as_readers_expect_to_the_byte() {
        let expected = r#"[{"version": "1.0", "timestampUTC": "/Date(0)/", "status": {"name": "N", "operation": "Enable", "status": "error", "substatus": [], "code": "76", "taskId": "t", "formattedMessage": {"lang": "en-US", "message": "{\"messageStr\": \"Why. hostStatusCodePreSnapshot=404, \", \"snapshotConsistency\": 0, \"jobMessage\": \"\", \"isSizeComputationFailed\": false}"}, "storageDetails": {"partitionCount": 0, "totalUsedSizeInBytes": 0, "isStoragespacePresent": false, "isSizeComputationFailed": false}, "commandStartTimeUTCTicks": null, "telemetryData": [{"Value": "2", "Key": "a"}, {"Value": "404", "Key": "hostStatusCodePreSnapshot"}], "uniqueMachineId": "", "snapshotInfo": null, "vmHealthInfo": {"vmHealthState": 256, "vmHealthStatusCode": 761}}}]"#;
        assert_eq!(report().for_blob(), expected);
    }

    #[test]
    fn the_file_carries_the_blob_and_says_success_on_top() {
        let report = report();
        let file: Value = serde_json::from_str(&report.for_file()).unwrap();
        assert_eq!(file[0]["timestampUTC"], "1970-01-01T00:00:00Z");
        assert_eq!(file[0]["status"]["status"], "success");
        assert_eq!(file[0]["status"]["substatus"][0]["name"], report.for_blob());
        assert_eq!(file[0]["status"]["telemetryData"], Value::Null);
    }

    #[test]
    fn the_time_of_a_direct_drive_snapshot_has_escaped_slashes() {
        let mut report = report();
        report.snapshots = Some(vec![SnapshotInfo {
            is_successful: "true".into(),
            snapshot_uri: None,
            error_message: None,
            blob_uri: None,
            direct_drive_snapshot_identifier: Some(DirectDrive::new(
                12,
                "i".into(),
                "t".into(),
                Value::Null,
            )),
        }]);
        let expected =
            r#""creationTime": {"DateTime": "\/Date(12)\/", "OffsetMinutes": 0}, "id": "i""#;
        assert!(report.for_blob().contains(expected), "{}", report.for_blob());
    }

    #[test]
    fn long_errors_never_make_a_file_that_an_agent_cuts() {
        let mut report = report();
        let failed = SnapshotInfo {
            is_successful: false.into(),
            snapshot_uri: None,
            error_message: Some("\"é\"".repeat(3000)),
            blob_uri: None,
            direct_drive_snapshot_identifier: None,
        };
        report.snapshots = Some(vec![failed; 64]);
        assert!(report.for_file().len() < 128 << 10);
    }
}
