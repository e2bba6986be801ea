//! The guest is thawed after every snapshot, whatever its agent does, and the point says how
//! whole it is.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use coffre_fabric::qemu::QemuConfig;
use coffre_fabric::{
    AgentState, Consistency, FreezeWish, ImageFormat, OsType, Release, SnapshotReport,
    SnapshotRequest,
};
use common::fake_agent::{FakeAgent, Guest, Manner};
use common::host::{self, Host};
use common::wait_until;
use uuid::Uuid;

const WISH: FreezeWish = FreezeWish { ask: true, timeout: Duration::from_millis(500) };

fn request(host: &Host) -> SnapshotRequest {
    SnapshotRequest { freeze: WISH, ..host.request(Uuid::new_v4(), None) }
}

/// A snapshot with an agent of this manner: the report, and what became of the guest.
fn with_agent(manner: Manner, frozen: bool) -> (SnapshotReport, Guest) {
    let mut host = Host::new(&[ImageFormat::Qcow2]);
    host.start();
    let agent = FakeAgent::start(&host.runtime("qga.sock"), manner, frozen);
    let request = request(&host);
    let report = host.machine.take_snapshot(&request).unwrap();
    let guest = agent.guest();
    host.machine.release(request.point, Release::Committed).unwrap();
    host.assert_clean(&[request.point]);
    (report, guest)
}

#[test]
fn a_good_agent_gives_a_point_of_whole_file_systems() {
    let (report, guest) = with_agent(Manner::Good, false);
    assert_eq!(report.consistency, Consistency::FileSystem, "{}", report.reason);
    let window = report.freeze_window.unwrap();
    assert!(window < Duration::from_secs(2), "{window:?}");
    assert!(!guest.frozen);
    assert_eq!((guest.freezes, guest.thaws), (1, 1));
}

#[test]
fn an_agent_that_cannot_freeze_costs_the_level_and_not_the_point() {
    for (manner, expected) in [
        (Manner::Refuses, "hook script has failed"),
        (Manner::Nothing, "no file system to freeze"),
        (Manner::Silent, "does not answer"),
        (Manner::ThawedByOther, "somebody thawed"),
    ] {
        let (report, guest) = with_agent(manner, false);
        assert_eq!(report.consistency, Consistency::Crash, "{manner:?}");
        assert!(report.reason.contains(expected), "{manner:?}: {}", report.reason);
        assert!(!guest.frozen, "{manner:?}");
    }
}

#[test]
fn a_windows_guest_is_frozen_by_its_shadow_copies_and_a_failing_writer_is_named() {
    const WRITER: &str = "hook script has failed";
    let levels = [(Manner::Good, Consistency::Application), (Manner::Refuses, Consistency::Crash)];
    for (manner, expected) in levels {
        let mut host = Host::new(&[ImageFormat::Qcow2]);
        host.config.machines[0].os_type = OsType::Windows;
        host.restart_service();
        host.start();
        let agent = FakeAgent::start(&host.runtime("qga.sock"), manner, false);
        let request = request(&host);
        let report = host.machine.take_snapshot(&request).unwrap();
        assert_eq!(report.consistency, expected, "{}", report.reason);
        assert_eq!(report.reason.contains(WRITER), manner == Manner::Refuses, "{}", report.reason);
        assert!(!agent.guest().frozen);
        host.machine.release(request.point, Release::Committed).unwrap();
    }
}

#[test]
fn a_guest_that_somebody_else_froze_is_not_thawed_by_us() {
    let (report, guest) = with_agent(Manner::Good, true);
    assert_eq!(report.consistency, Consistency::Crash);
    assert!(report.reason.contains("frozen by somebody else"), "{}", report.reason);
    assert!(guest.frozen);
    assert_eq!((guest.freezes, guest.thaws), (0, 0));
}

#[test]
fn a_freeze_that_comes_late_is_thawed() {
    let (report, guest) = with_agent(Manner::Slow(Duration::from_millis(1500)), false);
    assert_eq!(report.consistency, Consistency::Crash);
    assert!(report.reason.contains("did not freeze within 500ms"), "{}", report.reason);
    assert_eq!(report.freeze_window, None);
    assert!(!guest.frozen);
}

#[test]
fn an_agent_that_hangs_up_in_the_freeze_is_called_again() {
    let (report, guest) = with_agent(Manner::HangsUp, false);
    assert_eq!(report.consistency, Consistency::Crash);
    assert!(!guest.frozen);
}

#[test]
fn thaw_is_repeated_until_it_works() {
    let (report, guest) = with_agent(Manner::ThawFails(3), false);
    assert_eq!(report.consistency, Consistency::Crash);
    assert!(report.freeze_window.is_some());
    assert!(!guest.frozen);
    assert!(guest.thaws > 3);
}

#[test]
fn a_failed_snapshot_thaws_and_leaves_nothing() {
    let mut host = Host::new(&[ImageFormat::Qcow2]);
    host.start();
    let agent = FakeAgent::start(&host.runtime("qga.sock"), Manner::Good, false);
    // A name that is taken makes the transaction fail after the freeze.
    let request = request(&host);
    let name = format!("coffre-{}", request.point.simple());
    let node = serde_json::json!({ "node": "disk-os", "name": name });
    host.monitor().command("block-dirty-bitmap-add", node).unwrap();
    let failed = host.machine.take_snapshot(&request);
    assert!(failed.is_err());
    let guest = agent.guest();
    assert!(!guest.frozen);
    assert_eq!(guest.freezes, 1);
    host.assert_clean(&[]);
}

/// Runs a snapshot in a process of its own, told by a variable; alone it does nothing.
#[test]
fn a_process_that_takes_a_snapshot() {
    let Ok(task) = std::env::var("COFFRE_TEST_SNAPSHOT") else { return };
    let (config, point, scratch): (QemuConfig, Uuid, PathBuf) =
        serde_json::from_str(&task).unwrap();
    let freeze = FreezeWish { ask: true, timeout: Duration::from_secs(60) };
    let request = SnapshotRequest { point, parent: None, scratch, freeze, local: None };
    host::open(&config).take_snapshot(&request).unwrap();
}

#[test]
fn a_service_that_is_killed_in_the_freeze_thaws_when_it_comes_back() {
    let mut host = Host::new(&[ImageFormat::Qcow2]);
    host.start();
    let manner = Manner::AnswersLate(Duration::from_secs(10));
    let agent = FakeAgent::start(&host.runtime("qga.sock"), manner, false);
    let request = request(&host);
    let task = serde_json::to_string(&(&host.config, request.point, &request.scratch)).unwrap();
    let mut service = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_process_that_takes_a_snapshot"])
        .env("COFFRE_TEST_SNAPSHOT", task)
        .spawn()
        .unwrap();
    wait_until("the guest is frozen", || agent.guest().frozen);
    service.kill().unwrap();
    service.wait().unwrap();
    assert!(agent.guest().frozen, "nobody thaws a guest whose freezer died");
    // The agent of a new connection: the old one still waits.
    let agent = FakeAgent::start(&host.runtime("qga.sock"), Manner::Good, true);
    host.restart_service();
    assert_eq!(host.machine.leftovers().unwrap(), [request.point]);
    host.machine.release(request.point, Release::Abandoned).unwrap();
    assert!(!agent.guest().frozen);
    host.assert_clean(&[]);
}

#[test]
fn thaw_asks_until_the_guest_is_thawed_and_needs_no_agent() {
    let mut host = Host::new(&[ImageFormat::Qcow2]);
    host.machine.thaw().unwrap();
    host.start();
    host.machine.thaw().unwrap();
    assert_eq!(host.machine.info().unwrap().agent, AgentState::Silent);
    host.restart_service();
    let agent = FakeAgent::start(&host.runtime("qga.sock"), Manner::ThawFails(2), true);
    let ready = AgentState::Ready { version: "7.2".to_owned() };
    assert_eq!(host.machine.info().unwrap().agent, ready);
    host.machine.thaw().unwrap();
    assert!(!agent.guest().frozen);
}
