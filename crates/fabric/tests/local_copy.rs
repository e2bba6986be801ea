//! Copies of points inside the images, and the way back to them.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::collections::BTreeMap;
use std::path::PathBuf;

use coffre_fabric::ImageFormat::{Qcow2, Raw};
use coffre_fabric::{LocalCopy, LocalWish, Release, SnapshotReport, SnapshotRequest};
use common::host::{DISK_BYTES, Host, MIB, changed, read_all, unknown};
use common::{run, text};
use uuid::Uuid;

fn wishing(host: &Host, point: Uuid, parent: Option<Uuid>) -> SnapshotRequest {
    SnapshotRequest { local: Some(LocalWish::default()), ..host.request(point, parent) }
}

fn take(host: &Host, point: Uuid, parent: Option<Uuid>) -> SnapshotReport {
    host.machine.take_snapshot(&wishing(host, point, parent)).unwrap()
}

/// Takes a point with a copy and commits it.
fn keep(host: &Host, parent: Option<Uuid>) -> Uuid {
    let point = Uuid::new_v4();
    let report = take(host, point, parent);
    assert_eq!(report.local, Some(LocalCopy::Kept));
    for (disk, truth) in &host.truth {
        assert!(read_all(&*host.snapshot(point), disk) == *truth, "{disk}");
    }
    host.machine.release(point, Release::Committed).unwrap();
    point
}

fn why_not(report: &SnapshotReport) -> (String, bool) {
    match report.local.clone() {
        Some(LocalCopy::Not { reason, alarm }) => (reason, alarm),
        other => panic!("{other:?}"),
    }
}

fn copies(host: &Host) -> Vec<Uuid> {
    host.machine.local_copies().unwrap().points.into_keys().collect()
}

fn image(host: &Host, disk: &str) -> PathBuf {
    let disks = &host.config.machines[0].disks;
    disks.iter().find(|it| it.key == disk).unwrap().path.clone()
}

fn keys(host: &Host) -> Vec<String> {
    host.truth.keys().cloned().collect()
}

/// What a disk of a machine that is off holds, now or at a point.
fn held(host: &Host, disk: &str, point: Option<Uuid>) -> Vec<u8> {
    let mut reader = host.machine.open_disk(disk, point).unwrap();
    assert_eq!(reader.size_bytes(), DISK_BYTES);
    let mut bytes = vec![0; DISK_BYTES as usize];
    reader.read_at(0, &mut bytes).unwrap();
    bytes
}

fn assert_holds(host: &Host, truth: &BTreeMap<String, Vec<u8>>, what: &str) {
    for (disk, bytes) in truth {
        assert!(held(host, disk, None) == *bytes, "{what}: {disk}");
    }
}

#[test]
fn a_machine_is_rolled_back_to_the_very_point_and_the_next_point_is_whole() {
    let mut host = Host::new(&[Qcow2, Qcow2]);
    host.start();
    host.write("os", MIB, MIB);
    host.write("data1", 5 * MIB, 512);
    let first = keep(&host, None);
    let at_first = host.truth.clone();
    host.write("os", MIB, 4096);
    let second = keep(&host, Some(first));
    host.write("data1", 0, MIB);
    // The map since the second point is good, and must not be believed after the roll-back.
    host.stop();
    let damaged = host.truth.clone();
    assert_eq!(host.machine.doubt_roll_back(first, &keys(&host)).unwrap(), None);
    assert!(held(&host, "os", Some(first)) == at_first["os"]);
    let job = Uuid::new_v4();
    host.machine.roll_back(first, job, &keys(&host)).unwrap();
    assert_holds(&host, &at_first, "rolled back");
    assert!(host.machine.local_copies().unwrap().before.contains_key(&job));
    host.machine.revert_roll_back(job).unwrap();
    host.machine.revert_roll_back(job).unwrap();
    assert_holds(&host, &damaged, "reverted");
    // Killed after any of its steps, the step is done again.
    host.machine.roll_back(first, job, &keys(&host)).unwrap();
    host.restart_service();
    host.machine.roll_back(first, job, &keys(&host)).unwrap();
    assert_holds(&host, &at_first, "rolled back again");
    host.machine.confirm_roll_back(job).unwrap();
    host.machine.confirm_roll_back(job).unwrap();
    assert_eq!(host.machine.local_copies().unwrap().before.len(), 0);
    host.truth = at_first;
    host.start();
    host.write("os", 9 * MIB, 512);
    let third = Uuid::new_v4();
    let report = take(&host, third, Some(second));
    for disk in ["os", "data1"] {
        assert!(unknown(&report, disk).contains("nothing is noted"), "{report:?}");
        assert!(read_all(&*host.snapshot(third), disk) == host.truth[disk], "{disk}");
    }
    host.machine.release(third, Release::Committed).unwrap();
    host.write("data1", 3 * MIB, 512);
    let fourth = Uuid::new_v4();
    let report = take(&host, fourth, Some(third));
    assert_eq!(changed(&report, "os"), [], "changes are known again");
    host.machine.release(fourth, Release::Committed).unwrap();
    assert_eq!(copies(&host).len(), 4);
    // The last ones go while it runs, the others while it is off.
    for point in [third, fourth] {
        host.machine.drop_local_copy(point).unwrap();
        host.machine.drop_local_copy(point).unwrap();
    }
    host.stop();
    host.machine.drop_local_copy(first).unwrap();
    assert_eq!(copies(&host), [second]);
    host.machine.drop_local_copy(second).unwrap();
    assert_eq!(copies(&host).len(), 0);
    assert_holds(&host, &host.truth.clone(), "at the end");
    for disk in ["os", "data1"] {
        run("qemu-img", &["check", "-q", text(&image(&host, disk))]);
    }
}

#[test]
fn a_machine_that_is_off_has_copies_too_and_a_grown_disk_goes_back_to_its_size() {
    let mut host = Host::new(&[Qcow2]);
    host.start();
    host.write("os", 0, MIB);
    host.stop();
    let first = keep(&host, None);
    let truth = host.truth.clone();
    let path = image(&host, "os");
    run("qemu-io", &["-c", "write -P 77 0 8M", text(&path)]);
    let damaged = std::process::Command::new("qemu-img")
        .args(["resize", "-q", text(&path), "64M"])
        .status()
        .unwrap();
    assert!(damaged.success());
    let job = Uuid::new_v4();
    host.machine.roll_back(first, job, &keys(&host)).unwrap();
    host.machine.confirm_roll_back(job).unwrap();
    assert_holds(&host, &truth, "rolled back");
}

#[test]
fn a_point_that_is_given_up_takes_its_copy_along_and_what_others_keep_stays() {
    let mut host = Host::new(&[Qcow2]);
    let path = image(&host, "os");
    let foreign = ["mine", "coffre-point-of-no-return", "coffre-before-lunch"];
    for name in foreign {
        run("qemu-img", &["snapshot", "-c", name, text(&path)]);
    }
    for running in [true, false] {
        if running {
            host.start();
        }
        let point = Uuid::new_v4();
        assert_eq!(take(&host, point, None).local, Some(LocalCopy::Kept));
        assert_eq!(copies(&host), [point]);
        let open = host.machine.drop_local_copy(point).unwrap_err().to_string();
        assert!(open.contains("release it first"), "{open}");
        // The service dies; whoever comes next gives the point up.
        host.restart_service();
        host.machine.release(point, Release::Abandoned).unwrap();
        assert_eq!(copies(&host).len(), 0);
        if running {
            host.stop();
        }
    }
    let info =
        std::process::Command::new("qemu-img").args(["snapshot", "-l", text(&path)]).output();
    let listed = String::from_utf8(info.unwrap().stdout).unwrap();
    assert!(foreign.iter().all(|name| listed.contains(name)), "{listed}");
}

#[test]
fn a_copy_that_qemu_refuses_costs_nobody_the_point() {
    let mut host = Host::new(&[Qcow2]);
    let point = Uuid::new_v4();
    let taken = format!("coffre-point-{}", point.simple());
    run("qemu-img", &["snapshot", "-c", &taken, text(&image(&host, "os"))]);
    host.start();
    host.write("os", 0, MIB);
    let report = take(&host, point, None);
    let (reason, alarm) = why_not(&report);
    assert!(alarm && reason.contains("already exists"), "{reason}");
    assert!(read_all(&*host.snapshot(point), "os") == host.truth["os"]);
    host.machine.release(point, Release::Committed).unwrap();
    host.assert_clean(&[point]);
}

#[test]
fn what_cannot_have_a_copy_says_why() {
    let mut host = Host::new(&[Qcow2, Raw]);
    host.start();
    let point = Uuid::new_v4();
    let (reason, alarm) = why_not(&take(&host, point, None));
    assert!(!alarm && reason.contains("data1 is not qcow2"), "{reason}");
    host.machine.release(point, Release::Abandoned).unwrap();
    // A disk that is left out does not count.
    let local = Some(LocalWish { except: vec!["data1".to_owned()] });
    let request = SnapshotRequest { local, ..host.request(point, None) };
    let report = host.machine.take_snapshot(&request).unwrap();
    assert_eq!(report.local, Some(LocalCopy::Kept));
    for disk in ["os", "data1"] {
        assert!(read_all(&*host.snapshot(point), disk) == host.truth[disk], "{disk}");
    }
    host.machine.release(point, Release::Committed).unwrap();
    host.stop();
    let doubt = |keys: &[&str]| {
        let keys: Vec<String> = keys.iter().map(|key| (*key).to_owned()).collect();
        host.machine.doubt_roll_back(point, &keys).unwrap()
    };
    assert_eq!(doubt(&["os"]), None);
    assert!(doubt(&["os", "data1"]).unwrap().contains("not qcow2"));
    let path = image(&host, "os");
    run("qemu-img", &["bitmap", "--add", text(&path), "theirs"]);
    assert!(doubt(&["os"]).unwrap().contains("the change map theirs"));
    run("qemu-img", &["bitmap", "--remove", text(&path), "theirs"]);
    run("qemu-img", &["snapshot", "-d", &format!("coffre-point-{}", point.simple()), text(&path)]);
    assert!(doubt(&["os"]).unwrap().contains("has 0 snapshots"));
    let job = Uuid::new_v4();
    let refused = host.machine.roll_back(point, job, &["os".to_owned()]).unwrap_err().to_string();
    assert!(refused.contains("cannot be used"), "{refused}");
    assert_eq!(host.machine.local_copies().unwrap().before.len(), 0, "nothing was begun");
}

#[test]
fn an_image_whose_tables_are_damaged_is_not_rolled_back() {
    let mut host = Host::new(&[Qcow2]);
    host.start();
    host.write("os", 0, 2 * MIB);
    let point = keep(&host, None);
    host.stop();
    let path = image(&host, "os");
    let bytes = std::fs::read(&path).unwrap();
    // The header says where the table of refcounts begins; it is emptied.
    let at = u64::from_be_bytes(bytes[48..56].try_into().unwrap()) as usize;
    let mut broken = bytes;
    broken[at..at + 8].fill(0);
    std::fs::write(&path, broken).unwrap();
    let doubt = host.machine.doubt_roll_back(point, &keys(&host)).unwrap();
    assert!(doubt.is_some_and(|reason| reason.contains("damaged")));
}
