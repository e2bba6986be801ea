//! A guest that the harness runs, and the host's view of it.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::new_without_default,
    missing_docs,
    reason = "helpers of tests, of which each uses a part"
)]

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use coffre_fabric::extension::{Extension, ExtensionFile, Handler};
use coffre_fabric::qemu::{Boot, DiskDefinition, MachineDefinition, QemuConfig, QemuFabric};
use coffre_fabric::{
    Fabric, FreezeWish, ImageFormat, Machine, OsType, Release, SnapshotReport, SnapshotRequest,
};
use coffre_guest::package::{Manifest, NAME, PROGRAM};
use coffre_testkit::{Guest, Machine as Vm};
use uuid::Uuid;

pub(crate) const FREEZE: FreezeWish = FreezeWish { ask: true, timeout: Duration::from_secs(60) };

/// A guest that the harness runs, and the host's view of it.
pub(crate) struct Guarded {
    pub(crate) machine: Arc<dyn Machine>,
    pub(crate) fabric: QemuFabric,
    pub(crate) scratch: PathBuf,
    pub(crate) vm: Vm,
}

impl Guarded {
    pub(crate) fn new() -> Guarded {
        let vm = Vm::warm(Guest::Debian).unwrap();
        let scratch = vm.folder().join("scratch");
        std::fs::create_dir(&scratch).unwrap();
        let fabric = fabric(&vm, "", vm.qmp_socket());
        let machine = fabric.machines().unwrap()[0].id;
        let machine = fabric.machine(machine).unwrap();
        Guarded { machine, fabric, scratch, vm }
    }

    pub(crate) fn take(&self, machine: &dyn Machine) -> SnapshotReport {
        let point = Uuid::new_v4();
        let scratch = self.scratch.clone();
        let request = SnapshotRequest { point, parent: None, scratch, freeze: FREEZE, local: None };
        let report = machine.take_snapshot(&request).unwrap();
        machine.release(point, Release::Committed).unwrap();
        report
    }

    pub(crate) fn check(&self, script: &str) -> String {
        self.vm.shell().check(script).unwrap()
    }
}

/// The host's view of a machine, with a state of its own.
pub(crate) fn fabric(vm: &Vm, name: &str, qmp_socket: PathBuf) -> QemuFabric {
    QemuFabric::new(config(vm, name, qmp_socket)).unwrap()
}

pub(crate) fn config(vm: &Vm, name: &str, qmp_socket: PathBuf) -> QemuConfig {
    let disks = vm.disks().iter().zip(0_u32..).map(|(disk, index)| DiskDefinition {
        key: disk.name.clone(),
        lun: index.checked_sub(1),
        name: None,
        format: ImageFormat::Qcow2,
        path: disk.path.clone(),
    });
    let folder = vm.folder();
    let mut config =
        QemuConfig::new(folder.join(format!("s{name}")), folder.join(format!("r{name}")));
    config.scratch_free_bytes = 1;
    config.machines.push(MachineDefinition {
        id: Uuid::new_v4(),
        name: "debian".to_owned(),
        os_type: OsType::Linux,
        memory_mib: 512,
        cpus: 1,
        boot: Boot::Firmware,
        disks: disks.collect(),
        managed: false,
        qmp_socket: Some(qmp_socket),
        agent_socket: Some(vm.agent_socket()),
        console_log: None,
        extra_args: Vec::new(),
    });
    config
}

/// The program, without what only a debugger needs: it goes through the agent's narrow channel.
pub(crate) fn program() -> Vec<u8> {
    let program = std::env::var_os("COFFRE_GUEST_PROGRAM");
    let program = program.unwrap_or_else(|| env!("CARGO_BIN_EXE_coffre-guest").into());
    let folder = tempfile::tempdir().unwrap();
    let small = folder.path().join("program");
    let status = Command::new("objcopy").arg("--strip-all").arg(program).arg(&small).status();
    assert!(status.expect("objcopy comes with the linker").success());
    std::fs::read(small).unwrap()
}

pub(crate) fn extension(version: &str, program: &[u8]) -> Arc<Extension> {
    let manifest = serde_json::to_vec(&[Manifest::new(NAME, version)]).unwrap();
    let hash = |bytes: &[u8]| {
        let hash = digest::digest(&digest::SHA256, bytes);
        hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let file = |path: &str, bytes: &[u8]| ExtensionFile {
        path: path.to_owned(),
        sha256: hash(bytes),
        bytes: bytes.into(),
    };
    Arc::new(Extension {
        name: NAME.to_owned(),
        version: version.to_owned(),
        digest: hash(&[version.as_bytes(), program].concat()),
        handler: Handler::parse(&manifest).unwrap(),
        files: vec![file("HandlerManifest.json", &manifest), file(PROGRAM, program)],
        seal: Arc::new(|plain, certificate| {
            coffre_guest::cms::seal(plain, certificate.as_bytes()).map_err(|e| e.to_string())
        }),
    })
}

pub(crate) fn not_left_frozen(guest: &Guarded) {
    guest.check("echo alive > /root/alive && echo alive > /data/alive && sync");
}
