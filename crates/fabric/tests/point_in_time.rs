//! Points in time of a real QEMU: the bytes are those of the moment, the map of changes misses
//! nothing, and nothing is left behind.

mod common;

use coffre_fabric::ImageFormat::{Qcow2, Raw};
use coffre_fabric::{Consistency, FabricError, PowerState, Release};
use common::host::{CLUSTER, DISK_BYTES, Host, MIB, changed, read_all, unknown};
use uuid::Uuid;

#[test]
fn a_point_keeps_the_bytes_of_its_moment_while_the_guest_writes_on() {
    let mut host = Host::new(&[Qcow2, Raw]);
    host.start();
    assert_eq!(host.machine.info().unwrap().power, PowerState::Running);
    for disk in ["os", "data1"] {
        host.write(disk, 0, 3 * MIB);
        host.write(disk, 20 * MIB + 512, 4096);
    }
    let point = Uuid::new_v4();
    let report = host.take(point, None);
    let truth = host.truth.clone();
    assert_eq!(report.consistency, Consistency::Crash);
    assert_eq!(report.reason, "freezing was not asked for");
    assert!(unknown(&report, "os").contains("no earlier point"));
    let snapshot = host.snapshot(point);
    assert_eq!(snapshot.report(), &report);
    // An open point does not change what the machine is.
    let formats: Vec<_> =
        host.machine.info().unwrap().disks.iter().map(|disk| disk.format).collect();
    assert_eq!(formats, [Qcow2, Raw]);
    // Overwritten before, between and after reads.
    for disk in ["os", "data1"] {
        host.write(disk, MIB, 4 * MIB);
        assert!(read_all(&*snapshot, disk) == truth[disk], "{disk}");
        host.write(disk, 0, DISK_BYTES);
        assert!(read_all(&*snapshot, disk) == truth[disk], "{disk}");
    }
    snapshot.check().unwrap();
    drop(snapshot);
    host.machine.release(point, Release::Committed).unwrap();
    host.machine.release(point, Release::Committed).unwrap();
    host.assert_clean(&[point]);
}

#[test]
fn changes_are_exactly_the_clusters_that_were_written() {
    let mut host = Host::new(&[Qcow2, Raw]);
    host.start();
    let mut parent = Uuid::new_v4();
    host.take(parent, None);
    host.machine.release(parent, Release::Committed).unwrap();
    for round in 1..4_u64 {
        host.write("os", round * MIB, 512);
        host.write("os", 5 * MIB - 512, 1024);
        host.write("data1", 0, round * CLUSTER);
        let point = Uuid::new_v4();
        let report = host.take(point, Some(parent));
        let at = round * MIB;
        let expected = [(at, CLUSTER), (5 * MIB - CLUSTER, 2 * CLUSTER)];
        assert_eq!(changed(&report, "os"), expected);
        assert_eq!(changed(&report, "data1"), [(0, round * CLUSTER)]);
        // Written after the point: belongs to the next one.
        host.write("os", 5 * MIB - 512, 1024);
        let snapshot = host.snapshot(point);
        assert_eq!(snapshot.report(), &report);
        snapshot.check().unwrap();
        drop(snapshot);
        host.machine.release(point, Release::Committed).unwrap();
        host.assert_clean(&[point]);
        parent = point;
    }
}

#[test]
fn a_point_that_is_given_up_loses_no_change() {
    let mut host = Host::new(&[Qcow2, Raw]);
    host.start();
    let first = Uuid::new_v4();
    host.take(first, None);
    host.machine.release(first, Release::Committed).unwrap();
    host.write("os", MIB, 512);
    let second = Uuid::new_v4();
    host.take(second, Some(first));
    host.write("os", 2 * MIB, 512);
    host.machine.release(second, Release::Abandoned).unwrap();
    host.machine.release(second, Release::Abandoned).unwrap();
    host.assert_clean(&[first]);
    host.write("os", 3 * MIB, 512);
    let third = Uuid::new_v4();
    let report = host.take(third, Some(first));
    let expected = [(MIB, CLUSTER), (2 * MIB, CLUSTER), (3 * MIB, CLUSTER)];
    assert_eq!(changed(&report, "os"), expected);
    assert_eq!(changed(&report, "data1"), []);
    // The same point again: what the first try left is cleaned.
    host.write("data1", 0, 512);
    let report = host.take(third, Some(first));
    assert_eq!(changed(&report, "os"), expected);
    assert_eq!(changed(&report, "data1"), [(0, CLUSTER)]);
    let other = host.machine.take_snapshot(&host.request(Uuid::new_v4(), Some(first)));
    assert!(matches!(other, Err(FabricError::SnapshotExists { point, .. }) if point == third));
    host.machine.release(third, Release::Committed).unwrap();
    host.assert_clean(&[third]);
}

#[test]
fn a_service_that_was_killed_finds_its_points_again() {
    let mut host = Host::new(&[Qcow2, Qcow2]);
    host.start();
    host.write("os", 0, MIB);
    let first = Uuid::new_v4();
    let report = host.take(first, None);
    let truth = host.truth.clone();
    host.write("os", 0, 2 * MIB);
    host.restart_service();
    assert_eq!(host.machine.leftovers().unwrap(), [first]);
    let snapshot = host.snapshot(first);
    assert_eq!(snapshot.report(), &report);
    assert!(read_all(&*snapshot, "os") == truth["os"]);
    snapshot.check().unwrap();
    drop(snapshot);
    host.restart_service();
    host.machine.release(first, Release::Committed).unwrap();
    host.assert_clean(&[first]);
    // Killed again, and the notes are lost: names in QEMU are enough to clean up.
    let second = Uuid::new_v4();
    host.write("os", 7 * MIB, 512);
    host.take(second, Some(first));
    std::fs::remove_dir_all(&host.config.state_folder).unwrap();
    host.restart_service();
    assert_eq!(host.machine.leftovers().unwrap(), [second]);
    assert!(host.machine.snapshot(second).unwrap().is_none());
    host.machine.release(second, Release::Abandoned).unwrap();
    assert!(host.machine.leftovers().unwrap().is_empty());
    // The parent's map stopped for a while and is not believed.
    let third = Uuid::new_v4();
    let report = host.take(third, Some(first));
    assert!(unknown(&report, "os").contains("nothing is noted"));
}

#[test]
fn a_crash_of_qemu_is_told_and_the_next_cycle_works() {
    let mut host = Host::new(&[Qcow2, Raw]);
    host.start();
    let first = Uuid::new_v4();
    host.take(first, None);
    host.machine.release(first, Release::Committed).unwrap();
    // Maps of qcow2 images outlive an orderly end.
    host.write("os", MIB, 512);
    host.stop();
    host.start();
    host.write("os", 2 * MIB, 512);
    let second = Uuid::new_v4();
    let report = host.take(second, Some(first));
    assert_eq!(changed(&report, "os"), [(MIB, CLUSTER), (2 * MIB, CLUSTER)]);
    assert!(unknown(&report, "data1").contains("raw image"));
    host.machine.release(second, Release::Committed).unwrap();
    // They do not outlive a crash, not even one with a point open.
    host.stop();
    host.start();
    let third = Uuid::new_v4();
    host.take(third, Some(second));
    let snapshot = host.snapshot(third);
    host.kill();
    common::wait_until("the reader is told", || snapshot.check().is_err());
    assert!(matches!(snapshot.check(), Err(FabricError::SnapshotLost { .. })));
    drop(snapshot);
    // The sockets of a process that is killed close one after the other.
    let is_off = || host.machine.info().unwrap().power == PowerState::Stopped;
    common::wait_until("the machine is seen off", is_off);
    assert!(host.machine.snapshot(third).unwrap().is_none());
    host.start();
    host.machine.release(third, Release::Abandoned).unwrap();
    let fourth = Uuid::new_v4();
    let report = host.take(fourth, Some(second));
    let reason = unknown(&report, "os");
    assert!(reason.contains("missing") || reason.contains("without storing"), "{reason}");
    host.machine.release(fourth, Release::Committed).unwrap();
    host.assert_clean(&[fourth]);
    host.write("os", 9 * MIB, 512);
    let fifth = Uuid::new_v4();
    let report = host.take(fifth, Some(fourth));
    assert_eq!(changed(&report, "os"), [(9 * MIB, CLUSTER)]);
}
