//! Snapshots by the host.

use std::fs;
use std::time::Duration;

use serde_json::{Value, json};

use super::sandbox::servers::{Answer, Shared};
use super::{Row, expect, host_info};

const BOTH: Option<&[bool]> = Some(&[true, true]);

fn ok() -> Value {
    host_info("true".into(), "")
}

pub(crate) fn rows(peers: &Shared) {
    success(peers);
    failures(peers);
    mixed(peers);
}

fn success(peers: &Shared) {
    let mut row = Row::new(peers);
    row.way("onlyHost");
    row.custom["backupTaskId"] = "bt-1".into();
    row.object["includedDisks"]["isAnyDirectDriveDiskIncluded"] = true.into();
    row.object["includedDisks"]["instantAccessDurationMinutes"] = 60.into();
    let mut direct = ok();
    direct["snapshotUri"] = "https://m.x/disks/1/snapshots/2".into();
    direct["ddSnapshotIdentifier"] =
        json!({"creationTime": "2024-01-01T00:00:00.1230000Z", "id": "i", "token": "t"});
    row.dosnapshot(&[ok(), direct]);
    let ended = row.check("02", &expect("1", "success", 1, BOTH));
    let infos = &ended.inner[0]["status"]["snapshotInfo"];
    assert_eq!(infos[0]["isSuccessful"], "true", "the host's answers stay texts");
    assert_eq!(infos[0]["blobUri"], "https://a.b/c/d");
    assert_eq!(
        (&infos[1]["snapshotUri"], &infos[1]["blobUri"]),
        (&Value::Null, &"https://m.x/disks/1".into())
    );
    let date = &infos[1]["directDriveSnapshotIdentifier"]["creationTime"]["DateTime"];
    assert_eq!(date, "/Date(1704067200123)/");
    let calls = row.peers.lock().unwrap().host_calls.clone();
    let body = r#"{"taskId": "bt-1", "diskIds": [0, -1], "settings": [{"Key": "isSnapshotTtlEnabled", "Value": false}, {"Key": "useMccfToFetchDsasForAllDisks", "Value": false}, {"Key": "useMccfForLad", "Value": false}, {"Key": "EnableVMSnapshotExtensionPolling", "Value": false}, {"Key": "isVmmdBlobIncluded", "Value": false}], "snapshotTaskToken": "TOKEN-5eCr3t", "snapshotMetadata": [{"Key": "taskId", "Value": "1e4d9c8b_1"}, {"Key": "Case", "Value": "v"}], "instantAccessDurationMinutes": 60}"#;
    assert_eq!(calls.last().unwrap().text(), body);
    assert_eq!(calls.len(), 3, "two questions before, and the wish");

    let mut row = Row::new(peers);
    row.custom = Value::Null;
    row.dosnapshot(&[host_info(true.into(), "")]);
    let ended =
        row.check("20: a boolean from the host counts", &expect("1", "success", 1, Some(&[true])));
    assert_eq!(ended.inner[0]["status"]["snapshotInfo"][0]["isSuccessful"], "true");

    let mut row = Row::new(peers);
    row.way("onlyHost");
    row.object["includedDisks"]["isVMADEEnabled"] = true.into();
    row.dosnapshot(&[ok(), ok()]);
    row.check("38", &expect("1", "success", 1, BOTH));
    let calls = row.peers.lock().unwrap().host_calls.clone();
    let body: Value = serde_json::from_str(&calls.last().unwrap().text()).unwrap();
    assert_eq!(body["settings"][5], json!({"Key": "isOsDiskADEEncrypted", "Value": true}));
    assert_eq!(
        body["snapshotMetadata"][2],
        json!({"Key": "DiskEncryptionSettings", "Value": "ADE-HOST"})
    );
}

fn failures(peers: &Shared) {
    let mut row = Row::new(peers);
    row.way("onlyHost");
    row.presnapshot(200);
    row.peers.lock().unwrap().dosnapshot = Some(Answer::new(500, "<html>down</html>"));
    row.check("08: the result arrives: 556", &expect("556", "error", 556, Some(&[])));

    let mut row = Row::new(peers);
    row.object["includedDisks"] = json!({"isAnyDiskExcluded": true, "dataDiskLunList": [], "isAnyDirectDriveDiskIncluded": true});
    row.presnapshot(200);
    row.check("31", &expect("76", "success", 76, Some(&[])));
    let calls = row.peers.lock().unwrap().host_calls.clone();
    assert!(calls.last().unwrap().text().contains("\"diskIds\": []"));

    let mut row = Row::new(peers);
    row.way("onlyHost");
    row.dosnapshot(&[ok(), host_info("false".into(), "no")]);
    row.check("35: a failed disk counts", &expect("76", "error", 761, Some(&[true, false])));

    // The host takes longer than the machine may stay frozen.
    let mut row = Row::new(peers);
    row.way("onlyHost");
    fs::create_dir_all("/etc/azure").unwrap();
    fs::write("/etc/azure/vmbackup.conf", "[SnapshotThread]\ntimeout = 1\n").unwrap();
    row.dosnapshot(&[ok(), ok()]);
    row.peers.lock().unwrap().dosnapshot.as_mut().unwrap().after = Duration::from_secs(3);
    let ended = row.check("21", &expect("2", "error", 2, BOTH));
    let facts = ended.inner[0]["status"]["telemetryData"].as_array().unwrap();
    let window = facts.iter().find(|fact| fact["Key"] == "freezeWindowInMilliseconds").unwrap();
    let window: f64 = window["Value"].as_str().unwrap().parse().unwrap();
    assert!(window < 2000.0, "thawed at its ceiling, not when the host was done: {window} ms");
}

fn mixed(peers: &Shared) {
    let mut row = Row::new(peers);
    row.way("firstGuestThenHost");
    row.refuse("disk0", 403, "no");
    row.refuse("disk1", 403, "no");
    row.dosnapshot(&[ok()]);
    row.check("36", &expect("1", "success", 1, Some(&[true])));
}

pub(crate) fn with_frozen_root(peers: &Shared) {
    let mut row = Row::new(peers);
    row.way("onlyHost");
    row.dosnapshot(&[ok(), ok()]);
    row.check("52", &expect("1", "success", 1, BOTH));
}
