//! The guest comes before the backup, and a point that is not whole any more says so.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::PathBuf;

use coffre_fabric::ImageFormat::{Qcow2, Raw};
use coffre_fabric::{FabricError, PowerState, Release, SnapshotRequest};
use common::host::{CLUSTER, Host, MIB, changed, read_all};
use common::{run, text, wait_until};
use serde_json::json;
use uuid::Uuid;

/// A folder with little room. Needs the rights to mount.
struct SmallFolder(PathBuf);

impl SmallFolder {
    fn new(host: &Host, bytes: u64) -> Self {
        let path = host.folder.path().join("small");
        std::fs::create_dir(&path).unwrap();
        run("mount", &["-t", "tmpfs", "-o", &format!("size={bytes}"), "tmpfs", text(&path)]);
        Self(path)
    }
}

impl Drop for SmallFolder {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn little_room_is_refused_before_anything_happens() {
    let mut host = Host::new(&[Qcow2]);
    host.config.scratch_free_bytes = u64::MAX;
    host.restart_service();
    host.start();
    let refused = host.machine.take_snapshot(&host.request(Uuid::new_v4(), None));
    assert!(matches!(refused, Err(FabricError::ScratchFull { .. })), "{refused:?}");
    host.assert_clean(&[]);
}

#[test]
fn a_point_is_given_up_before_the_scratch_space_ends() {
    let mut host = Host::new(&[Qcow2, Raw]);
    host.config.scratch_free_bytes = 12 * MIB;
    host.restart_service();
    let small = SmallFolder::new(&host, 16 * MIB);
    host.start();
    host.write("os", 0, 16 * MIB);
    let first = Uuid::new_v4();
    host.take(first, None);
    host.machine.release(first, Release::Committed).unwrap();
    let point = Uuid::new_v4();
    let request = SnapshotRequest { scratch: small.0.clone(), ..host.request(point, Some(first)) };
    host.machine.take_snapshot(&request).unwrap();
    let snapshot = host.snapshot(point);
    let mut reader = snapshot.open("os").unwrap();
    reader.read_at(0, &mut [0; 512]).unwrap();
    // Slower than the guard looks, so that no write meets a full folder.
    let mut at = 0;
    wait_until("the point is given up", || {
        host.write("os", at % (16 * MIB), CLUSTER);
        at += CLUSTER;
        snapshot.check().is_err()
    });
    let lost = reader.read_at(8 * MIB, &mut [0; 512]);
    assert!(matches!(lost, Err(FabricError::SnapshotLost { .. })), "{lost:?}");
    let told = snapshot.check().unwrap_err().to_string();
    assert!(told.contains("scratch folder"), "{told}");
    wait_until("the scratch space is free again", || {
        std::fs::read_dir(&small.0).unwrap().count() == 0
    });
    assert_eq!(host.machine.info().unwrap().power, PowerState::Running);
    assert!(host.machine.snapshot(point).unwrap().is_none());
    host.write("data1", 0, 512);
    host.machine.release(point, Release::Abandoned).unwrap();
    host.assert_clean(&[first]);
    // Nothing that was written meanwhile is missing from the next one.
    let report = host.take(point, Some(first));
    assert_eq!(changed(&report, "os"), [(0, at.min(16 * MIB))]);
    assert_eq!(changed(&report, "data1"), [(0, CLUSTER)]);
    assert!(read_all(&*host.snapshot(point), "os") == host.truth["os"]);
}

#[test]
fn a_point_whose_job_somebody_ended_is_lost_for_readers() {
    let mut host = Host::new(&[Qcow2, Qcow2]);
    host.start();
    host.write("os", 0, MIB);
    let point = Uuid::new_v4();
    host.take(point, None);
    let snapshot = host.snapshot(point);
    let mut reader = snapshot.open("data1").unwrap();
    reader.read_at(0, &mut [0; 512]).unwrap();
    let job = format!("coffre-{}-0", point.simple());
    host.monitor().command("block-job-cancel", json!({ "device": job })).unwrap();
    wait_until("it is noticed", || snapshot.check().is_err());
    let lost = reader.read_at(0, &mut [0; 512]);
    assert!(matches!(lost, Err(FabricError::SnapshotLost { .. })), "{lost:?}");
    drop((reader, snapshot));
    host.machine.release(point, Release::Abandoned).unwrap();
    host.assert_clean(&[]);
    // The same while no service looks: found out when it comes back.
    host.take(point, None);
    host.restart_service();
    host.monitor().command("block-job-cancel", json!({ "device": job })).unwrap();
    assert!(host.machine.snapshot(point).unwrap().is_none());
    host.machine.release(point, Release::Abandoned).unwrap();
    host.assert_clean(&[]);
}

#[test]
fn somebody_elses_server_and_jobs_are_left_alone() {
    let mut host = Host::new(&[Qcow2]);
    host.start();
    let socket = host.folder.path().join("other.sock");
    let address = json!({ "addr": { "type": "unix", "data": { "path": socket } } });
    host.monitor().command("nbd-server-start", address).unwrap();
    let point = Uuid::new_v4();
    let busy = host.machine.take_snapshot(&host.request(point, None));
    assert!(matches!(busy, Err(FabricError::NbdServerBusy(_))), "{busy:?}");
    host.assert_clean(&[]);
    assert!(std::os::unix::net::UnixStream::connect(&socket).is_ok(), "theirs goes on");
    host.monitor().command("nbd-server-stop", json!({})).unwrap();
    // Their bitmaps stay, too.
    let theirs = json!({ "node": "disk-os", "name": "theirs" });
    host.monitor().command("block-dirty-bitmap-add", theirs.clone()).unwrap();
    host.take(point, None);
    host.machine.release(point, Release::Committed).unwrap();
    host.assert_clean(&[point]);
    host.monitor().command("block-dirty-bitmap-remove", theirs).unwrap();
}

#[test]
fn a_snapshot_that_somebody_put_on_top_is_noticed() {
    let mut host = Host::new(&[Qcow2]);
    host.start();
    let first = Uuid::new_v4();
    host.take(first, None);
    host.machine.release(first, Release::Committed).unwrap();
    let overlay = host.folder.path().join("overlay");
    run("qemu-img", &["create", "-q", "-f", "qcow2", text(&overlay), "32M"]);
    let add = json!({
        "driver": "qcow2", "node-name": "overlay", "backing": null,
        "file": { "driver": "file", "filename": overlay },
    });
    host.monitor().command("blockdev-add", add).unwrap();
    let put = json!({ "node": "disk-os", "overlay": "overlay" });
    host.monitor().command("blockdev-snapshot", put).unwrap();
    host.write("os", MIB, 512);
    let second = Uuid::new_v4();
    let report = host.take(second, Some(first));
    let reason = common::host::unknown(&report, "os");
    assert!(reason.contains("another image"), "{reason}");
    assert!(read_all(&*host.snapshot(second), "os") == host.truth["os"]);
    host.machine.release(second, Release::Committed).unwrap();
}
