//! Points of a machine that is off, and of one that starts and stops in between.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use coffre_fabric::ImageFormat::{Qcow2, Raw};
use coffre_fabric::{Consistency, FabricError, PowerState, Release};
use common::host::{CLUSTER, Host, MIB, changed, read_all, unknown};
use uuid::Uuid;

#[test]
fn a_machine_that_is_off_is_read_where_it_lies_and_its_maps_go_on() {
    let mut host = Host::new(&[Qcow2, Raw]);
    host.start();
    host.write("os", 0, MIB);
    host.write("data1", 0, MIB);
    host.stop();
    assert_eq!(host.machine.info().unwrap().power, PowerState::Stopped);
    let unread = host.machine.guest_logs(1024);
    assert!(matches!(unread, Err(FabricError::NotRunning(_))), "{unread:?}");
    let first = Uuid::new_v4();
    let report = host.take(first, None);
    assert_eq!(report.consistency, Consistency::Crash);
    assert_eq!(report.reason, "the machine was off");
    let snapshot = host.snapshot(first);
    for disk in ["os", "data1"] {
        assert!(read_all(&*snapshot, disk) == host.truth[disk], "{disk}");
    }
    snapshot.check().unwrap();
    drop(snapshot);
    host.restart_service();
    assert_eq!(host.machine.leftovers().unwrap(), [first]);
    assert!(read_all(&*host.snapshot(first), "os") == host.truth["os"]);
    host.machine.release(first, Release::Committed).unwrap();
    host.assert_clean(&[]);
    // Written while it runs, read while it is off, and the other way round.
    host.start();
    host.write("os", 2 * MIB, 512);
    host.stop();
    let second = Uuid::new_v4();
    let report = host.take(second, Some(first));
    assert_eq!(changed(&report, "os"), [(2 * MIB, CLUSTER)]);
    assert!(unknown(&report, "data1").contains("raw image"));
    host.machine.release(second, Release::Committed).unwrap();
    host.start();
    host.write("os", 3 * MIB, 512);
    let third = Uuid::new_v4();
    let report = host.take(third, Some(second));
    assert_eq!(changed(&report, "os"), [(3 * MIB, CLUSTER)]);
    host.machine.release(third, Release::Committed).unwrap();
    host.assert_clean(&[third]);
    host.stop();
    let fourth = Uuid::new_v4();
    let report = host.take(fourth, Some(third));
    assert_eq!(changed(&report, "os"), [], "nothing was written");
    host.machine.release(fourth, Release::Abandoned).unwrap();
    host.machine.release(fourth, Release::Abandoned).unwrap();
    host.start();
    host.assert_clean(&[third]);
}

#[test]
fn who_starts_a_machine_wins_over_the_backup_and_no_change_is_lost() {
    let mut host = Host::new(&[Qcow2]);
    host.start();
    let first = Uuid::new_v4();
    host.take(first, None);
    host.machine.release(first, Release::Committed).unwrap();
    host.write("os", MIB, 512);
    host.stop();
    let second = Uuid::new_v4();
    host.take(second, Some(first));
    let snapshot = host.snapshot(second);
    let mut reader = snapshot.open("os").unwrap();
    host.start();
    let told = snapshot.check();
    assert!(matches!(told, Err(FabricError::SnapshotLost { .. })), "{told:?}");
    assert!(reader.read_at(0, &mut [0; 512]).is_err());
    drop((reader, snapshot));
    assert!(host.machine.snapshot(second).unwrap().is_none());
    host.write("os", 2 * MIB, 512);
    host.machine.release(second, Release::Abandoned).unwrap();
    host.assert_clean(&[first]);
    host.write("os", 3 * MIB, 512);
    let report = host.take(second, Some(first));
    let expected = [(MIB, CLUSTER), (2 * MIB, CLUSTER), (3 * MIB, CLUSTER)];
    assert_eq!(changed(&report, "os"), expected);
    // Taken while it runs, released after it was switched off.
    host.write("os", 4 * MIB, 512);
    host.stop();
    host.machine.release(second, Release::Abandoned).unwrap();
    assert!(host.machine.leftovers().unwrap().is_empty());
    host.start();
    host.assert_clean(&[first]);
    let report = host.take(second, Some(first));
    assert_eq!(changed(&report, "os").len(), 4);
    host.machine.release(second, Release::Committed).unwrap();
    host.assert_clean(&[second]);
}

#[test]
fn a_map_that_qemu_could_not_store_is_not_believed_by_a_machine_that_is_off() {
    let mut host = Host::new(&[Qcow2]);
    host.start();
    let first = Uuid::new_v4();
    host.take(first, None);
    host.machine.release(first, Release::Committed).unwrap();
    host.stop();
    host.start();
    host.write("os", 0, 512);
    host.kill();
    let second = Uuid::new_v4();
    let report = host.take(second, Some(first));
    assert!(unknown(&report, "os").contains("without storing"));
    host.machine.release(second, Release::Committed).unwrap();
    host.start();
    host.assert_clean(&[second]);
    host.write("os", MIB, 512);
    let third = Uuid::new_v4();
    let report = host.take(third, Some(second));
    assert_eq!(changed(&report, "os"), [(MIB, CLUSTER)]);
}

#[test]
fn a_disk_that_is_missing_or_grew_is_told() {
    let host = Host::new(&[Qcow2, Raw]);
    let first = Uuid::new_v4();
    host.take(first, None);
    host.machine.release(first, Release::Committed).unwrap();
    let path = host.config.machines[0].disks[0].path.clone();
    let grown =
        common::run("qemu-img", &["resize", "-q", "-f", "qcow2", common::text(&path), "64M"]);
    assert_eq!(grown, "");
    let second = Uuid::new_v4();
    let report = host.take(second, Some(first));
    assert!(unknown(&report, "os").contains("size changed"), "{report:?}");
    host.machine.release(second, Release::Committed).unwrap();
    std::fs::remove_file(&host.config.machines[0].disks[1].path).unwrap();
    let missing = host.machine.take_snapshot(&host.request(Uuid::new_v4(), None));
    assert!(matches!(missing, Err(FabricError::DiskMissing { .. })), "{missing:?}");
    assert!(host.machine.leftovers().unwrap().is_empty());
    host.start_fails();
}
