//! Machines that somebody else runs are found by their sockets and backed up as they are.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::Path;

use coffre_fabric::qemu::{QemuConfig, QemuFabric};
use coffre_fabric::qmp::QmpClient;
use coffre_fabric::{
    AgentState, Fabric, FabricError, ImageFormat, PowerState, Release, SnapshotRequest, Stop,
};
use common::fake_agent::{FakeAgent, Manner};
use common::host::{CLUSTER, MIB, NO_FREEZE, changed, read_all, unknown};
use common::{Process, run, start, text, wait_until};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

/// A machine made the old way: its block nodes have no names of their own.
fn their_machine(folder: &Path, extra: &[&str]) -> Process {
    let mut arguments = vec![
        "-machine",
        "q35",
        "-accel",
        "tcg",
        "-m",
        "32",
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
    ];
    let drives: Vec<String> = [("a", "qcow2"), ("b", "raw")]
        .map(|(name, format)| {
            let path = folder.join(name);
            run("qemu-img", &["create", "-q", "-f", format, text(&path), "32M"]);
            format!("if=virtio,format={format},file={}", text(&path))
        })
        .into();
    for drive in &drives {
        arguments.extend(["-drive", drive]);
    }
    let sockets = ["sockets/theirs.qmp", "test.qmp"]
        .map(|name| format!("unix:{},server=on,wait=off", text(&folder.join(name))));
    for socket in &sockets {
        arguments.extend(["-qmp", socket]);
    }
    arguments.extend(extra);
    let process = start("qemu-system-x86_64", &arguments);
    wait_until("QEMU listens", || QmpClient::connect(&folder.join("test.qmp")).is_ok());
    process
}

fn fabric(folder: &Path) -> QemuFabric {
    let mut config = QemuConfig::new(folder.join("state"), folder.join("run"));
    config.socket_folders.push(folder.join("sockets"));
    config.scratch_free_bytes = 1;
    QemuFabric::new(config).unwrap()
}

fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    std::fs::create_dir(folder.path().join("sockets")).unwrap();
    std::fs::create_dir(folder.path().join("scratch")).unwrap();
    folder
}

fn write(monitor: &QmpClient, device: &str, command: &str) {
    let line = format!("qemu-io {device} \"{command}\"");
    let said: Value =
        monitor.command("human-monitor-command", json!({ "command-line": line })).unwrap();
    assert!(!said.as_str().unwrap().contains("rror"), "{said}");
}

#[test]
fn a_machine_of_others_is_found_and_backed_up() {
    let folder = folder();
    let path = folder.path();
    let id = Uuid::new_v4();
    let _machine = their_machine(path, &["-uuid", &id.to_string(), "-name", "theirs,process=x"]);
    let agent_socket = path.join("sockets/theirs.qga");
    std::fs::write(&agent_socket, "").unwrap();
    let _agent = FakeAgent::start(&agent_socket, Manner::Good, false);
    let fabric = fabric(path);
    let infos = fabric.machines().unwrap();
    assert_eq!(infos.len(), 1);
    let info = &infos[0];
    assert_eq!((info.id, info.name.as_str(), info.managed), (id, "theirs", false));
    assert_eq!((info.cpus, info.memory_bytes, info.power), (1, 32 * MIB, PowerState::Running));
    assert!(matches!(info.agent, AgentState::Ready { .. }));
    let disks: Vec<_> = info
        .disks
        .iter()
        .map(|disk| (disk.key.as_str(), disk.lun, disk.format, disk.size_bytes))
        .collect();
    let expected = [
        ("virtio0", None, ImageFormat::Qcow2, 32 * MIB),
        ("virtio1", Some(0), ImageFormat::Raw, 32 * MIB),
    ];
    assert_eq!(disks, expected);
    let machine = fabric.machine(id).unwrap();
    assert!(matches!(machine.stop(Stop::Now), Err(FabricError::NotManaged(_))));
    assert!(matches!(machine.start(), Err(FabricError::NotManaged(_))));
    let monitor = QmpClient::connect(&path.join("test.qmp")).unwrap();
    let mut truth = vec![0; 32 * MIB as usize];
    truth[MIB as usize..][..4096].fill(7);
    let take = |point, parent| {
        let scratch = path.join("scratch");
        let request = SnapshotRequest { point, parent, scratch, freeze: NO_FREEZE, local: None };
        machine.take_snapshot(&request).unwrap()
    };
    let first = Uuid::new_v4();
    let report = take(first, None);
    assert!(unknown(&report, "virtio0").contains("no earlier point"));
    machine.release(first, Release::Committed).unwrap();
    for device in ["virtio0", "virtio1"] {
        write(&monitor, device, "write -P 7 1M 4k");
    }
    let second = Uuid::new_v4();
    let report = take(second, Some(first));
    assert_eq!(fabric.machines().unwrap()[0].disks, info.disks, "also while a point is open");
    for device in ["virtio0", "virtio1"] {
        assert_eq!(changed(&report, device), [(MIB, CLUSTER)], "{device}");
        write(&monitor, device, "write -P 9 1M 4k");
        let snapshot = machine.snapshot(second).unwrap().unwrap();
        assert!(read_all(&*snapshot, device) == truth, "{device}");
        snapshot.check().unwrap();
    }
    machine.release(second, Release::Committed).unwrap();
    assert!(machine.leftovers().unwrap().is_empty());
    drop(machine);
    assert!(matches!(fabric.machine(Uuid::new_v4()), Err(FabricError::UnknownMachine(_))));
}

#[test]
fn a_machine_without_an_id_gets_a_stable_one() {
    let folder = folder();
    let _machine = their_machine(folder.path(), &[]);
    std::fs::write(folder.path().join("sockets/stale.qmp"), "").unwrap();
    let infos = fabric(folder.path()).machines().unwrap();
    assert_eq!(infos.len(), 1);
    assert_eq!(infos[0].name, "theirs");
    assert!(!infos[0].id.is_nil());
    assert_eq!(fabric(folder.path()).machines().unwrap()[0].id, infos[0].id);
}

#[test]
fn a_monitor_that_serves_somebody_else_is_told_in_time() {
    let folder = folder();
    let _machine = their_machine(folder.path(), &[]);
    let socket = folder.path().join("sockets/theirs.qmp");
    let first = QmpClient::connect(&socket).unwrap();
    let second = QmpClient::connect(&socket);
    let text = second.unwrap_err().to_string();
    assert!(text.contains("another client"), "{text}");
    drop(first);
    QmpClient::connect(&socket).unwrap();
}
