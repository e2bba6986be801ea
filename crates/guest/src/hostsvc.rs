//! The snapshot service of the host, at its fixed address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::Value;

use crate::command::{Command, Disks};
use crate::net::{Client, HOST_TIMEOUT, Request, Response};
use crate::report::{DirectDrive, SnapshotInfo};
use crate::{json, ticks};

/// Where hosts answer their guests.
pub const ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)), 80);

/// Larger answers are cut.
const ANSWER_MAX: usize = 8 << 20;

/// What stands for a status when there was none.
const NO_ANSWER: u16 = 555;
const NOT_RUNNING: u16 = 556;
const EMPTY: u16 = 557;
const UNREADABLE: u16 = 558;

/// Encryption of the disks by the guest, as the host knows it. Passed on, never looked into.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AdeState {
    /// Whether the disk of the operating system is encrypted.
    pub os_disk: Value,
    /// Whether data disks are.
    pub data_disks: Value,
    /// Opaque settings.
    pub settings: Value,
}

/// Answer of the host before a snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct PreSnapshot {
    /// Status, or a number from 555 on when there was no usable answer.
    pub code: u16,
    /// The host's clock.
    pub time: Option<SystemTime>,
    /// Encryption, when it was asked for.
    pub ade: Option<AdeState>,
    /// Why there was no answer.
    pub error: Option<String>,
}

impl PreSnapshot {
    /// Whether the host offers to take snapshots.
    #[must_use]
    pub fn offers(&self) -> bool {
        self.code == 200 || self.code == 201
    }
}

/// Answer of the host to the wish for snapshots.
#[derive(Debug, Clone)]
pub struct DoSnapshot {
    /// Status, or a number from 555 on when there was no usable answer.
    pub code: u16,
    /// One entry for each disk, as far as the answer could be read.
    pub snapshots: Vec<SnapshotInfo>,
    /// Why there was no answer.
    pub error: Option<String>,
}

#[derive(Serialize)]
struct Pair<'a> {
    #[serde(rename = "Key")]
    key: &'a str,
    #[serde(rename = "Value")]
    value: &'a Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PreBody<'a> {
    task_id: &'a str,
    snapshot_task_token: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pre_snapshot_settings: Option<[Pair<'a>; 1]>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DoBody<'a> {
    task_id: &'a str,
    disk_ids: &'a [i64],
    settings: Vec<Pair<'a>>,
    snapshot_task_token: &'a str,
    snapshot_metadata: Vec<Pair<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instant_access_duration_minutes: Option<i64>,
}

fn request(what: &str, body: String) -> Request {
    let target = format!("/metadata/recsvc/snapshot/{what}?api-version=2017-12-01");
    Request::new("POST", target)
        .body(body)
        .header("Backup", "true")
        .header("Content-type", "application/json")
        .header("UserAgent", "VMSnapshot")
}

/// Asks the host for its clock and whether it would take snapshots; with `details`, also about encryption.
#[must_use]
pub fn presnapshot(client: &Client, command: &Command, details: bool) -> PreSnapshot {
    let is_ade = Value::Bool(command.disks.is_ade);
    let body = PreBody {
        task_id: &command.backup_task_id,
        snapshot_task_token: command.snapshot_token.expose(),
        pre_snapshot_settings: details.then_some([Pair { key: "isVMADEEnabled", value: &is_ade }]),
    };
    let body = json::render(&body).expect("bodies have textual keys only");
    let answer = client.plain(ADDRESS, HOST_TIMEOUT).and_then(|connection| {
        connection.call(&request("presnapshot", body), HOST_TIMEOUT, ANSWER_MAX)
    });
    match answer {
        Ok(response) => read_presnapshot(&response, command.disks.is_ade),
        Err(error) => {
            PreSnapshot { code: NO_ANSWER, time: None, ade: None, error: Some(error.to_string()) }
        }
    }
}

/// Understands the answer before a snapshot.
#[must_use]
pub fn read_presnapshot(response: &Response, wants_ade: bool) -> PreSnapshot {
    let mut answer = PreSnapshot { code: response.status, time: None, ade: None, error: None };
    if !answer.offers() {
        return answer;
    }
    let text = response.text();
    if text.trim().is_empty() {
        return PreSnapshot { code: EMPTY, ..answer };
    }
    let Ok(body) = serde_json::from_str::<Value>(&text) else {
        // Without the wish for details the body matters to nobody.
        return if wants_ade { PreSnapshot { code: UNREADABLE, ..answer } } else { answer };
    };
    answer.time = body.get("responseTime").and_then(time);
    if wants_ade {
        let field = |name: &str| body.get(name).cloned().unwrap_or(Value::Null);
        answer.ade = Some(AdeState {
            os_disk: field("isOsDiskADEEncrypted"),
            data_disks: field("areDataDisksADEEncrypted"),
            settings: field("DiskEncryptionSettings"),
        });
    }
    answer
}

fn time(value: &Value) -> Option<SystemTime> {
    let field = |name: &str| value.get(name)?.as_i64();
    let small = |name: &str| i8::try_from(field(name)?).ok();
    let date = jiff::civil::DateTime::new(
        i16::try_from(field("year")?).ok()?,
        small("month")?,
        small("day")?,
        small("hour")?,
        small("minute")?,
        small("second")?,
        0,
    );
    Some(date.ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().into())
}

/// The body that wishes for snapshots of a command's disks.
#[must_use]
pub fn dosnapshot_body(command: &Command, ade: Option<&AdeState>) -> String {
    let Disks { luns, vmmd, instant_access_minutes, .. } = &command.disks;
    let vmmd = Value::Bool(*vmmd);
    let metadata: Vec<(&str, Value)> = command
        .metadata
        .iter()
        .map(|(key, value)| (key.as_str(), Value::from(value.as_str())))
        .collect();
    let mut settings: Vec<Pair<'_>> =
        command.flags.iter().map(|(key, value)| Pair { key, value }).collect();
    settings.push(Pair { key: "isVmmdBlobIncluded", value: &vmmd });
    let mut snapshot_metadata: Vec<Pair<'_>> =
        metadata.iter().map(|(key, value)| Pair { key, value }).collect();
    if let Some(ade) = ade {
        settings.push(Pair { key: "isOsDiskADEEncrypted", value: &ade.os_disk });
        settings.push(Pair { key: "areDataDisksADEEncrypted", value: &ade.data_disks });
        snapshot_metadata.push(Pair { key: "DiskEncryptionSettings", value: &ade.settings });
    }
    let body = DoBody {
        task_id: &command.backup_task_id,
        disk_ids: luns,
        settings,
        snapshot_task_token: command.snapshot_token.expose(),
        snapshot_metadata,
        instant_access_duration_minutes: *instant_access_minutes,
    };
    json::render(&body).expect("bodies have textual keys only")
}

/// Wishes for snapshots and waits for them, `timeout` at most; nothing is written meanwhile.
#[must_use]
pub fn dosnapshot(client: &Client, body: String, timeout: Duration) -> DoSnapshot {
    let answer = client
        .plain(ADDRESS, timeout)
        .and_then(|connection| connection.call(&request("dosnapshot", body), timeout, ANSWER_MAX));
    match answer {
        Ok(response) => read_dosnapshot(&response),
        Err(error) => {
            DoSnapshot { code: NO_ANSWER, snapshots: Vec::new(), error: Some(error.to_string()) }
        }
    }
}

/// Understands the answer to the wish for snapshots.
#[must_use]
pub fn read_dosnapshot(response: &Response) -> DoSnapshot {
    let mut answer = DoSnapshot { code: response.status, snapshots: Vec::new(), error: None };
    let text = response.text();
    if !response.is_ok() {
        // A host whose service runs explains itself in JSON.
        if response.status == 500 && !text.starts_with("{ \"error\"") {
            answer.code = NOT_RUNNING;
        }
        answer.error = Some(text.chars().take(500).collect());
        return answer;
    }
    if text.trim().is_empty() {
        answer.code = EMPTY;
        return answer;
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(body) => {
            let list = body.get("snapshotInfo").and_then(Value::as_array);
            // What follows a broken entry cannot be matched with a disk.
            answer.snapshots = list.into_iter().flatten().map_while(snapshot).take(4096).collect();
        }
        Err(error) => {
            answer.code = UNREADABLE;
            answer.error = Some(error.to_string());
        }
    }
    answer
}

fn snapshot(entry: &Value) -> Option<SnapshotInfo> {
    entry.get("statusCode")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let uri = text(entry.get("snapshotUri")?);
    let message = text(entry.get("errorMessage")?);
    let ok = match entry.get("isSuccessful")? {
        Value::Bool(ok) => *ok,
        Value::String(word) => word.eq_ignore_ascii_case("true"),
        _ => false,
    };
    let identifier = entry.get("ddSnapshotIdentifier").filter(|value| !value.is_null());
    let direct = match identifier {
        None => None,
        Some(found) => {
            let field = |name: &str| found.get(name).cloned().unwrap_or(Value::Null);
            let created = ticks::parse_iso_ms(found.get("creationTime")?.as_str()?)?;
            let minutes = field("instantAccessDurationMinutes");
            Some(DirectDrive::new(created, field("id"), field("token"), minutes))
        }
    };
    let end = if direct.is_some() { "/snapshots" } else { "?" };
    let blob = uri.as_deref().and_then(|uri| uri.split(end).next()).map(str::to_owned);
    Some(SnapshotInfo {
        is_successful: Value::from(if ok { "true" } else { "false" }),
        snapshot_uri: uri.filter(|_| direct.is_none()),
        error_message: message,
        blob_uri: blob,
        direct_drive_snapshot_identifier: direct,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Response {
        Response { status, headers: Vec::new(), body: body.as_bytes().to_vec() }
    }

    #[test]
    fn the_clock_of_the_host_is_read() {
        let body = "\u{feff}{\"responseTime\": {\"year\": 2026, \"month\": 11, \"day\": 21, \"hour\": 1, \"minute\": 2, \"second\": 3}}";
        let read = read_presnapshot(&answer(200, body), false);
        assert_eq!(ticks::iso_seconds(read.time.unwrap()), "2026-11-21T01:02:03Z");
        assert_eq!(read_presnapshot(&answer(200, ""), false).code, 557);
        assert_eq!(read_presnapshot(&answer(200, "x"), true).code, 558);
        assert_eq!(read_presnapshot(&answer(200, "x"), false).code, 200);
        assert_eq!(read_presnapshot(&answer(500, "<html>"), false).code, 500);
    }

    #[test]
    fn success_is_read_in_each_spelling_and_written_in_one() {
        let entry = |ok: &str| {
            format!(
                r#"{{"isSuccessful": {ok}, "snapshotUri": "https://a/b?snapshot=1", "errorMessage": "", "statusCode": 200}}"#
            )
        };
        let list = ["true", "\"true\"", "\"True\"", "false", "\"false\""].map(entry).join(",");
        let read = read_dosnapshot(&answer(
            200,
            &format!(r#"{{"snapshotInfo": [{list}, {{}}, {list}]}}"#),
        ));
        let words: Vec<_> = read.snapshots.iter().map(|s| s.is_successful.clone()).collect();
        assert_eq!(words, ["true", "true", "true", "false", "false"]);
        assert_eq!(read.snapshots[0].blob_uri.as_deref(), Some("https://a/b"));
    }

    #[test]
    fn a_direct_drive_disk_has_an_identifier_and_no_address() {
        let body = r#"{"snapshotInfo": [{"isSuccessful": "true", "snapshotUri": "https://h/d/1/snapshots/2", "errorMessage": "", "statusCode": 200, "ddSnapshotIdentifier": {"creationTime": "2024-01-01T00:00:00.1234567Z", "id": "i", "token": "t"}}]}"#;
        let read = read_dosnapshot(&answer(201, body));
        let info = &read.snapshots[0];
        assert_eq!(
            (info.snapshot_uri.as_deref(), info.blob_uri.as_deref()),
            (None, Some("https://h/d/1"))
        );
        assert!(info.direct_drive_snapshot_identifier.is_some());
    }

    #[test]
    fn a_service_that_is_down_is_told_from_one_that_failed() {
        assert_eq!(read_dosnapshot(&answer(500, "<html>")).code, 556);
        assert_eq!(read_dosnapshot(&answer(500, "{ \"error\": 1}")).code, 500);
        assert_eq!(read_dosnapshot(&answer(200, " ")).code, 557);
        assert_eq!(read_dosnapshot(&answer(200, "[")).code, 558);
        assert!(read_dosnapshot(&answer(200, "[]")).snapshots.is_empty());
    }
}
