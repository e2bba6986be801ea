//! Real guests with real file systems: frozen for a moment, written to all the time, never hurt.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use coffre_fabric::agent::AgentClient;
use coffre_fabric::qemu::{Boot, DiskDefinition, MachineDefinition, QemuConfig, QemuFabric};
use coffre_fabric::qmp::QmpError;
use coffre_fabric::{
    AgentState, Consistency, Fabric, FabricError, FreezeWish, ImageFormat, Machine, OsType,
    PowerState, Release, SnapshotReport, SnapshotRequest, Stop,
};
use coffre_testkit::{Guest, Guests, Machine as Vm, Scribbler};
use common::host::{NO_FREEZE, changed, read_all};
use common::{noise, run, text, wait_until};
use uuid::Uuid;

const FREEZE: FreezeWish = FreezeWish { ask: true, timeout: Duration::from_secs(30) };

/// A guest that the harness runs, and Coffre's view of it.
struct Guarded {
    machine: Arc<dyn Machine>,
    scratch: PathBuf,
    vm: Vm,
}

impl Guarded {
    fn new(guest: Guest) -> Self {
        let vm = Vm::warm(guest).unwrap();
        let scratch = vm.folder().join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        let disks = vm.disks().iter().zip(0_u32..).map(|(disk, index)| DiskDefinition {
            key: disk.name.clone(),
            lun: index.checked_sub(1),
            name: None,
            format: ImageFormat::Qcow2,
            path: disk.path.clone(),
        });
        let mut config = QemuConfig::new(vm.folder().join("state"), vm.folder().join("run"));
        config.scratch_free_bytes = 1;
        let id = Uuid::new_v4();
        config.machines.push(MachineDefinition {
            id,
            name: guest.name().to_owned(),
            os_type: OsType::Linux,
            memory_mib: 256,
            cpus: 1,
            boot: Boot::Firmware,
            disks: disks.collect(),
            managed: false,
            qmp_socket: Some(vm.qmp_socket()),
            agent_socket: Some(vm.agent_socket()),
            console_log: None,
            extra_args: Vec::new(),
        });
        let machine = QemuFabric::new(config).unwrap().machine(id).unwrap();
        Self { machine, scratch, vm }
    }

    fn take(&self, point: Uuid, parent: Option<Uuid>, freeze: FreezeWish) -> SnapshotReport {
        let scratch = self.scratch.clone();
        let request = SnapshotRequest { point, parent, scratch, freeze, local: None };
        self.machine.take_snapshot(&request).unwrap()
    }

    /// What a disk holds, of a guest that is paused.
    fn truth(&self, disk: &str) -> Vec<u8> {
        let copy = self.vm.folder().join("truth");
        self.vm.copy_disk(disk, &copy).unwrap();
        std::fs::read(copy).unwrap()
    }

    fn load(&self) -> [Scribbler; 2] {
        ["/mnt/vda", "/mnt/vdb"].map(|folder| Scribbler::start(self.vm.shell(), folder).unwrap())
    }
}

#[test]
fn points_of_a_guest_that_writes_are_byte_equal_to_their_moment() {
    let guest = Guarded::new(Guest::Tiny);
    let load = guest.load();
    let mut parent: Option<Uuid> = None;
    let mut copies = [Vec::new(), Vec::new()];
    for round in 0..4_u64 {
        let before = load[0].blocks().unwrap();
        load[0].wait_for_blocks(before + 5).unwrap();
        guest.vm.pause().unwrap();
        let truth = ["first", "second"].map(|disk| guest.truth(disk));
        let point = Uuid::new_v4();
        let report = guest.take(point, parent, NO_FREEZE);
        guest.vm.unpause().unwrap();
        let before = load[1].blocks().unwrap();
        load[1].wait_for_blocks(before + 5).unwrap();
        let snapshot = guest.machine.snapshot(point).unwrap().unwrap();
        for (index, disk) in ["first", "second"].into_iter().enumerate() {
            let bytes = read_all(&*snapshot, disk);
            assert!(bytes == truth[index], "round {round}, disk {disk}");
            if parent.is_some() {
                // The map of changes turns the earlier point into this one.
                let ranges = changed(&report, disk);
                let all: u64 = ranges.iter().map(|range| range.1).sum();
                assert!(all < bytes.len() as u64 / 4, "{all} of {}", bytes.len());
                for (offset, length) in ranges {
                    let range = offset as usize..(offset + length) as usize;
                    copies[index][range.clone()].copy_from_slice(&bytes[range]);
                }
                assert!(copies[index] == bytes, "round {round}, disk {disk}: changes missed");
            }
            copies[index] = bytes;
        }
        snapshot.check().unwrap();
        guest.machine.release(point, Release::Committed).unwrap();
        parent = Some(point);
    }
    load.into_iter().for_each(|load| load.stop().unwrap());
}

#[test]
fn a_guest_under_load_is_frozen_for_a_moment_and_its_file_systems_are_whole() {
    let guest = Guarded::new(Guest::Tiny);
    assert!(matches!(guest.machine.info().unwrap().agent, AgentState::Ready { .. }));
    let load = guest.load();
    let mut windows = Vec::new();
    for _ in 0..5 {
        let point = Uuid::new_v4();
        let before = load[0].blocks().unwrap();
        let report = guest.take(point, None, FREEZE);
        assert_eq!(report.consistency, Consistency::FileSystem, "{}", report.reason);
        windows.push(report.freeze_window.unwrap());
        load[0].wait_for_blocks(before + 3).unwrap();
        let snapshot = guest.machine.snapshot(point).unwrap().unwrap();
        let copy = guest.vm.folder().join("copy");
        std::fs::write(&copy, read_all(&*snapshot, "second")).unwrap();
        snapshot.check().unwrap();
        guest.machine.release(point, Release::Committed).unwrap();
        // A frozen ext4 needs no repair, not even its journal.
        run("e2fsck", &["-f", "-n", text(&copy)]);
    }
    windows.sort();
    println!("freeze window of a guest under load: {windows:?}");
    assert!(windows[2] < Duration::from_secs(3), "{windows:?}");
    load.into_iter().for_each(|load| load.stop().unwrap());
}

#[test]
fn a_guest_without_its_agent_is_backed_up_as_after_a_power_failure() {
    let guest = Guarded::new(Guest::Tiny);
    guest.vm.shell().check("kill $(cat /run/qga.pid)").unwrap();
    let point = Uuid::new_v4();
    let started = Instant::now();
    let report = guest.take(point, None, FREEZE);
    assert_eq!(report.consistency, Consistency::Crash);
    assert_eq!(report.reason, "the guest agent does not answer");
    assert!(started.elapsed() < Duration::from_secs(10));
    assert_eq!(guest.machine.info().unwrap().agent, AgentState::Silent);
    guest.machine.release(point, Release::Committed).unwrap();
}

#[test]
fn a_hook_of_the_guest_may_veto_the_freeze_and_the_guest_runs_on() {
    let guest = Guarded::new(Guest::Tiny);
    let shell = guest.vm.shell();
    shell.check("cat /proc/$(cat /run/qga.pid)/cmdline | tr '\\0' ' '").unwrap();
    let hook = shell.check("ls /etc/qemu/fsfreeze-hook").unwrap();
    shell.check(&format!("printf '#!/bin/sh\\nexit 1\\n' > {}", hook.trim())).unwrap();
    let point = Uuid::new_v4();
    let report = guest.take(point, None, FREEZE);
    assert_eq!(report.consistency, Consistency::Crash);
    assert!(report.reason.contains("refused to freeze"), "{}", report.reason);
    shell.check("echo alive > /mnt/vda/file && sync").unwrap();
    guest.machine.release(point, Release::Committed).unwrap();
}

#[test]
fn a_guest_that_fills_the_scratch_space_is_let_on() {
    let guest = Guarded::new(Guest::Tiny);
    run("mount", &["-t", "tmpfs", "-o", "size=2m", "tmpfs", text(&guest.scratch)]);
    let _mount = Mount(&guest.scratch);
    let shell = guest.vm.shell();
    let fill = "dd if=/dev/urandom of=/mnt/vda/blob bs=1M count=12 conv=notrunc,fsync";
    shell.check(fill).unwrap();
    let point = Uuid::new_v4();
    guest.take(point, None, NO_FREEZE);
    let snapshot = guest.machine.snapshot(point).unwrap().unwrap();
    // QEMU pauses the guest in here. It goes on without an error, and the point is lost.
    shell.check(fill).unwrap();
    shell.check("! dmesg | grep -i 'I/O error'").unwrap();
    assert_eq!(guest.vm.status().unwrap(), "running");
    wait_until("the reader is told", || snapshot.check().is_err());
    assert!(matches!(snapshot.check(), Err(FabricError::SnapshotLost { .. })));
    drop(snapshot);
    guest.machine.release(point, Release::Abandoned).unwrap();
    assert!(guest.machine.leftovers().unwrap().is_empty());
}

/// A mount that goes with the test.
struct Mount<'a>(&'a Path);

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0).status();
    }
}

/// A machine that Coffre runs, with a guest that the harness made.
fn managed(folder: &Path) -> Arc<dyn Machine> {
    let files = Guests::build().unwrap().files(Guest::Tiny);
    let disks = files.disks.iter().zip(0_u32..).map(|(disk, index)| {
        let path = folder.join(format!("{}.qcow2", disk.name));
        run("qemu-img", &["convert", "-O", "qcow2", text(&disk.image), text(&path)]);
        let (key, lun) = (disk.name.clone(), index.checked_sub(1));
        DiskDefinition { key, lun, name: None, format: ImageFormat::Qcow2, path }
    });
    let mut config = QemuConfig::new(folder.join("state"), folder.join("run"));
    let id = Uuid::new_v4();
    config.machines.push(MachineDefinition {
        id,
        name: "managed".to_owned(),
        os_type: OsType::Linux,
        memory_mib: u64::from(files.memory_mib),
        cpus: 1,
        boot: Boot::Kernel {
            kernel: files.kernel,
            initrd: Some(files.initrd),
            append: files.append,
        },
        disks: disks.collect(),
        managed: true,
        qmp_socket: None,
        agent_socket: None,
        console_log: Some(folder.join("console")),
        extra_args: vec!["-no-reboot".to_owned()],
    });
    QemuFabric::new(config).unwrap().machine(id).unwrap()
}

#[test]
fn coffre_boots_a_guest_and_the_guest_shuts_down_when_asked() {
    let folder = tempfile::TempDir::new().unwrap();
    let machine = managed(folder.path());
    let ready = || matches!(machine.info().unwrap().agent, AgentState::Ready { .. });
    machine.start().unwrap();
    machine.start().unwrap();
    wait_until("the agent answers", ready);
    let started = Instant::now();
    machine.stop(Stop::Graceful { timeout: Duration::from_secs(60) }).unwrap();
    let took = started.elapsed();
    assert!(took < Duration::from_secs(29), "neither agent nor button was heard: {took:?}");
    assert_eq!(machine.info().unwrap().power, PowerState::Stopped);
    machine.stop(Stop::Now).unwrap();
    let console = std::fs::read_to_string(folder.path().join("console")).unwrap();
    assert!(!console.is_empty());
    machine.start().unwrap();
    machine.stop(Stop::Now).unwrap();
    assert_eq!(machine.info().unwrap().power, PowerState::Stopped);
}

#[test]
fn programs_run_and_files_move_through_the_agent() {
    let guest = Guarded::new(Guest::Tiny);
    let mut agent = AgentClient::connect(&guest.vm.agent_socket()).unwrap();
    agent.sync(Duration::from_secs(30)).unwrap();
    let within = Duration::from_secs(60);
    let script = ["-c", "cat; echo bad >&2; exit 3"];
    let output = agent.exec("/bin/sh", &script, b"in and out", within).unwrap();
    assert_eq!(output.exit_code, Some(3));
    assert_eq!((&output.stdout[..], &output.stderr[..]), (&b"in and out"[..], &b"bad\n"[..]));
    let bytes = noise(11, 700_001);
    agent.write_file("/tmp/file", &bytes).unwrap();
    assert!(agent.read_file("/tmp/file", 1 << 20).unwrap() == bytes);
    assert!(agent.read_file("/tmp/file", 300_000).unwrap() == bytes[..300_000]);
    let missing = agent.read_file("/missing", 10).unwrap_err();
    assert!(missing.refusal().is_some(), "{missing}");
    let endless = agent.exec("/bin/sleep", &["30"], b"", Duration::from_millis(300));
    assert!(matches!(endless, Err(QmpError::Timeout { .. })), "{endless:?}");
}
