//! Snapshots from inside.

use std::fs;

use serde_json::json;

use super::sandbox::MOUNTS;
use super::sandbox::servers::Shared;
use super::{Expect, LIMIT, RATE, Row, expect};

const BOTH: Option<&[bool]> = Some(&[true, true]);

pub(crate) fn rows(peers: &Shared) {
    success(peers);
    failures(peers);
    freezes(peers);
    blobs(peers);
}

fn success(peers: &Shared) {
    let row = Row::new(peers);
    let ended = row.check("01", &expect("1", "success", 1, BOTH));
    the_wire_is_as_expected(&row);
    let status = &ended.inner[0]["status"];
    assert_eq!(status["uniqueMachineId"], "73d95f1c-6472-e58e-7a1a-523554e11d46");
    let info = &status["snapshotInfo"][0];
    assert_eq!(info["blobUri"], "https://acct.blob.core.windows.net/c/disk0");
    let uri = "https://acct.blob.core.windows.net/c/disk0?snapshot=2026-11-22T00:00:00.0000001Z";
    assert_eq!(info["snapshotUri"], uri);
    let message: serde_json::Value =
        serde_json::from_str(status["formattedMessage"]["message"].as_str().unwrap()).unwrap();
    assert_eq!(message["snapshotConsistency"], 1, "truthful: file-system consistent");
    assert_eq!(fs::read_to_string(row.agent.home.join("mrseq")).unwrap(), "1");

    let mut row = Row::new(peers);
    row.way("firstHostThenGuest");
    row.check("03", &expect("1", "success", 1, BOTH));
    assert_eq!(row.peers.lock().unwrap().host_calls.len(), 3);

    let mut row = Row::new(peers);
    row.disks(5);
    row.check("15", &expect("1", "success", 1, Some(&[true; 5])));
    let calls = row.peers.lock().unwrap().blob_calls.clone();
    let at: Vec<_> =
        calls.iter().filter(|c| c.target.ends_with("comp=snapshot")).map(|c| c.at).collect();
    let spread = *at.iter().max().unwrap() - *at.iter().min().unwrap();
    assert!(spread.as_millis() < 1000, "all at once, not {spread:?}");

    let mut row = Row::new(peers);
    row.object["includedDisks"]["isVMADEEnabled"] = true.into();
    for blob in row.peers.lock().unwrap().blobs.values_mut() {
        blob.metadata.push(("x-ms-meta-DiskEncryptionSettings".into(), "ADE-1".into()));
    }
    row.check("39", &expect("1", "success", 1, BOTH));
    let calls = row.peers.lock().unwrap().blob_calls.clone();
    let snapshot = calls.iter().find(|c| c.target.ends_with("comp=snapshot")).unwrap();
    assert_eq!(snapshot.header("x-ms-meta-DiskEncryptionSettings"), Some("ADE-1"));
}

/// Header for header what a storage saw of the original, and a `User-Agent` besides.
fn the_wire_is_as_expected(row: &Row) {
    let peers = row.peers.lock().unwrap();
    let call = peers.blob_calls.iter().find(|c| c.target.ends_with("&comp=snapshot")).unwrap();
    assert_eq!(call.method, "PUT");
    assert!(
        call.target.starts_with("/c/disk")
            && call.target.contains("?sv=2014-02-14&sr=b&sp=rw&sig=")
    );
    let names: Vec<&str> = call.headers.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "Host",
        "Accept-Encoding",
        "Content-Length",
        "x-ms-meta-taskId",
        "x-ms-meta-Case",
        "User-Agent",
    ];
    assert_eq!(names, expected);
    assert_eq!(call.header("Content-Length"), Some("0"));
    let call = &peers.host_calls[0];
    assert_eq!(call.target, "/metadata/recsvc/snapshot/presnapshot?api-version=2017-12-01");
    assert_eq!(call.text(), r#"{"taskId": "1e4d9c8b_1", "snapshotTaskToken": "TOKEN-5eCr3t"}"#);
    let names: Vec<&str> = call.headers.iter().map(|(name, _)| name.as_str()).collect();
    let expected = [
        "Host",
        "Accept-Encoding",
        "Content-Length",
        "Backup",
        "Content-type",
        "UserAgent",
        "User-Agent",
    ];
    assert_eq!(names, expected);
    assert_eq!(peers.host_calls.len(), 2);
}

fn failures(peers: &Shared) {
    let mut row = Row::new(peers);
    row.refuse("disk0", 409, RATE);
    row.check("04: the result arrives: 173", &expect("173", "error", 173, Some(&[false, true])));

    let mut row = Row::new(peers);
    row.refuse("disk0", 409, LIMIT);
    row.check("05", &expect("85", "error", 85, Some(&[false, true])));

    let mut row = Row::new(peers);
    row.refuse("disk1", 403, "AuthorizationFailure");
    let ended = row.check("06", &expect("76", "error", 761, Some(&[true, false])));
    let failed = &ended.inner[0]["status"]["snapshotInfo"][1];
    assert!(failed["snapshotUri"].is_null() && failed["blobUri"].is_null());
    assert_eq!(failed["errorMessage"], "AuthorizationFailure");

    let mut row = Row::new(peers);
    row.refuse("disk0", 403, "no");
    row.refuse("disk1", 403, "no");
    row.check("07: 76 and each disk's error", &expect("76", "error", 76, Some(&[false, false])));

    let mut row = Row::new(peers);
    row.public["commandStartTimeUTCTicks"] = coffre_guest::ticks::render(
        std::time::SystemTime::now() - std::time::Duration::from_secs(3 * 3600),
    )
    .into();
    row.check("09", &expect("402", "error", 402, None));
    assert_eq!(row.snapshots_taken(), 0);

    let mut row = Row::new(peers);
    row.public["commandToExecute"] = "foo".into();
    row.check("12", &expect("11", "error", 11, None));

    let mut row = Row::new(peers);
    row.public["commandToExecute"] = "install".into();
    row.check("19", &expect("1", "success", 1, None));
    assert_eq!(row.snapshots_taken(), 0);

    let mut row = Row::new(peers);
    row.public["vmType"] = "microsoft.classiccompute/virtualmachines".into();
    row.public["commandToExecute"] = "foo".into();
    let mut classic = expect("11", "error", 11, None);
    classic.status.0 = "error";
    row.check("33", &classic);
}

/// Somebody else holds a freeze: ours fails, and his stays.
fn freezes(peers: &Shared) {
    let frozen = |row: &Row, number: &str, expected: &Expect| {
        let fsfreeze = |how: &str| {
            std::process::Command::new("fsfreeze")
                .args([how, MOUNTS[0]])
                .status()
                .unwrap()
                .success()
        };
        assert!(fsfreeze("--freeze"));
        let ended = row.run();
        assert!(fsfreeze("--unfreeze"), "{number}: his freeze was thawed");
        row.compare(number, expected, &ended);
        println!("scenario {number}: code {}", expected.code);
        ended
    };
    let row = Row::new(peers);
    frozen(&row, "40", &expect("121", "error", 121, Some(&[])));
    assert_eq!(row.snapshots_taken(), 0);

    let mut row = Row::new(peers);
    row.disks(1);
    row.object["includedDisks"] = json!({"dataDiskLunList": [], "isOSDiskIncluded": true});
    row.custom["canTakeCrashConsistentSnapshot"] = true.into();
    row.custom["backupRetryCount"] = 1.into();
    let ended = frozen(&row, "14", &expect("1", "success", 121, Some(&[true])));
    let message = ended.inner[0]["status"]["formattedMessage"]["message"].as_str().unwrap();
    assert!(message.contains("\"snapshotConsistency\": 3"), "{message}");
}

fn blobs(peers: &Shared) {
    let mut row = Row::new(peers);
    row.blob("status", true, 64 << 10);
    row.blob("log", true, 64 << 10);
    row.check("13", &expect("1", "success", 1, BOTH));

    let mut row = Row::new(peers);
    row.blob("status", true, 512);
    row.blob("log", true, 1024);
    row.check("41", &expect("1", "success", 1, BOTH));
    let peers_seen = row.peers.lock().unwrap();
    let resize =
        peers_seen.blob_calls.iter().find(|c| c.target.ends_with("&comp=properties")).unwrap();
    assert_eq!(resize.header("Content-Length"), Some("0"), "mended: the length is true");
    drop(peers_seen);

    let mut row = Row::new(peers);
    row.refuse("status", 500, "no");
    row.refuse("log", 500, "no");
    let ended = row.check("37", &expect("1", "success", 1, BOTH));
    let message = ended.inner[0]["status"]["formattedMessage"]["message"].as_str().unwrap();
    assert!(message.contains("statusBlobUploadError=true, "), "{message}");
    let calls = row.peers.lock().unwrap().blob_calls.clone();
    let puts =
        calls.iter().filter(|c| c.method == "PUT" && c.target.starts_with("/c/status?")).count();
    assert_eq!(puts, 6, "three tries of each of two writes");
}

pub(crate) fn with_frozen_root(peers: &Shared) {
    let row = Row::new(peers);
    row.check("51", &expect("1", "success", 1, BOTH));
}
