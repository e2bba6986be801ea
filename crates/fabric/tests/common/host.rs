//! A host with machines that have no operating system: they idle in their firmware while the test
//! writes into their disks the way the guest's device would.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use coffre_fabric::qemu::{Boot, DiskDefinition, MachineDefinition, QemuConfig, QemuFabric};
use coffre_fabric::qmp::QmpClient;
use coffre_fabric::{
    Changed, Fabric, FreezeWish, ImageFormat, Machine, OsType, Snapshot, SnapshotReport,
    SnapshotRequest, Stop,
};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use super::{run, text};

pub(crate) const MIB: u64 = 1 << 20;
pub(crate) const CLUSTER: u64 = 64 * 1024;
pub(crate) const DISK_BYTES: u64 = 32 * MIB;

/// A machine with two disks, and what the test knows to be on them.
pub(crate) struct Host {
    pub(crate) machine: Arc<dyn Machine>,
    pub(crate) config: QemuConfig,
    pub(crate) truth: BTreeMap<String, Vec<u8>>,
    monitor: Option<QmpClient>,
    seed: u64,
    pub(crate) folder: TempDir,
}

pub(crate) const NO_FREEZE: FreezeWish = FreezeWish { ask: false, timeout: Duration::ZERO };

impl Host {
    /// A machine with disks of these formats: `os`, `data1`, `data2` …; it is off.
    pub(crate) fn new(formats: &[ImageFormat]) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("scratch")).unwrap();
        let mut config = QemuConfig::new(folder.path().join("state"), folder.path().join("run"));
        config.scratch_free_bytes = 1;
        let mut truth = BTreeMap::new();
        let mut disks = Vec::new();
        for (index, format) in formats.iter().enumerate() {
            let key = if index == 0 { "os".to_owned() } else { format!("data{index}") };
            let path = folder.path().join(format!("{key}.img"));
            let size = DISK_BYTES.to_string();
            run("qemu-img", &["create", "-q", "-f", format.as_str(), text(&path), &size]);
            truth.insert(key.clone(), vec![0; DISK_BYTES as usize]);
            let lun = u32::try_from(index).unwrap().checked_sub(1);
            disks.push(DiskDefinition { key, lun, name: None, format: *format, path });
        }
        let monitor = format!("unix:{},server=on,wait=off", text(&folder.path().join("m")));
        config.machines.push(MachineDefinition {
            id: Uuid::new_v4(),
            name: "vm".to_owned(),
            os_type: OsType::Linux,
            memory_mib: 32,
            cpus: 1,
            boot: Boot::Firmware,
            disks,
            managed: true,
            qmp_socket: None,
            agent_socket: None,
            console_log: None,
            extra_args: vec!["-qmp".to_owned(), monitor],
        });
        let machine = open(&config);
        Self { machine, config, truth, monitor: None, seed: 0, folder }
    }

    /// The service starts anew: all that it held in memory is gone.
    pub(crate) fn restart_service(&mut self) {
        self.machine = open(&self.config);
    }

    pub(crate) fn start(&mut self) {
        self.machine.start().unwrap();
        self.monitor = Some(QmpClient::connect(&self.folder.path().join("m")).unwrap());
    }

    pub(crate) fn start_fails(&self) {
        let error = self.machine.start().unwrap_err().to_string();
        assert!(error.contains("is missing"), "{error}");
    }

    pub(crate) fn stop(&mut self) {
        self.monitor = None;
        self.machine.stop(Stop::Now).unwrap();
    }

    /// The machine's process dies as in a power failure of the host.
    pub(crate) fn kill(&mut self) {
        self.monitor = None;
        let pid = std::fs::read_to_string(self.runtime("qemu.pid")).unwrap();
        run("kill", &["-9", pid.trim()]);
        // The last of its threads closes its sockets.
        super::wait_until("QEMU is gone", || {
            std::os::unix::net::UnixStream::connect(self.runtime("qmp.sock")).is_err()
        });
    }

    /// A file in the machine's runtime folder.
    pub(crate) fn runtime(&self, name: &str) -> PathBuf {
        let id = self.config.machines[0].id.simple().to_string();
        self.config.runtime_folder.join(id).join(name)
    }

    pub(crate) fn monitor(&self) -> &QmpClient {
        self.monitor.as_ref().expect("the machine runs")
    }

    /// Writes like the guest. The range is a multiple of 512 bytes.
    pub(crate) fn write(&mut self, disk: &str, offset: u64, length: u64) {
        self.seed += 1;
        let byte = (self.seed % 250 + 1) as u8;
        self.guest_io(disk, &format!("write -P {byte} {offset} {length}"));
        let truth = self.truth.get_mut(disk).unwrap();
        truth[offset as usize..(offset + length) as usize].fill(byte);
    }

    /// Runs a command of qemu-io on the device of a disk.
    pub(crate) fn guest_io(&self, disk: &str, command: &str) {
        let line = format!("qemu-io -d /machine/peripheral/{disk}/virtio-backend \"{command}\"");
        let said = self
            .monitor()
            .command("human-monitor-command", json!({ "command-line": line }))
            .unwrap();
        let said = said.as_str().unwrap_or_default();
        assert!(!said.to_lowercase().contains("fail"), "{command}: {said}");
        assert!(!said.to_lowercase().contains("error"), "{command}: {said}");
    }

    pub(crate) fn request(&self, point: Uuid, parent: Option<Uuid>) -> SnapshotRequest {
        let scratch = self.folder.path().join("scratch");
        SnapshotRequest { point, parent, scratch, freeze: NO_FREEZE, local: None }
    }

    pub(crate) fn take(&self, point: Uuid, parent: Option<Uuid>) -> SnapshotReport {
        self.machine.take_snapshot(&self.request(point, parent)).unwrap()
    }

    pub(crate) fn snapshot(&self, point: Uuid) -> Box<dyn Snapshot> {
        self.machine.snapshot(point).unwrap().expect("the snapshot lives")
    }

    /// Nothing of ours is left: no points, no files, no nodes, jobs, exports, bitmaps but these.
    pub(crate) fn assert_clean(&self, bitmaps: &[Uuid]) {
        assert!(self.machine.leftovers().unwrap().is_empty());
        let scratch = std::fs::read_dir(self.folder.path().join("scratch")).unwrap();
        assert_eq!(scratch.count(), 0, "scratch files are left");
        if self.monitor.is_none() {
            return;
        }
        let ask = |command: &str| self.monitor().command(command, json!({})).unwrap().to_string();
        assert_eq!(ask("query-block-exports"), "[]");
        assert_eq!(ask("query-jobs"), "[]");
        let nodes = ask("query-named-block-nodes");
        assert!(!nodes.contains("\"cf-"), "{nodes}");
        let mut found: Vec<String> =
            nodes.split("\"coffre-").skip(1).map(|rest| rest[..32].to_owned()).collect();
        found.sort();
        found.dedup();
        let mut expected: Vec<String> =
            bitmaps.iter().map(|point| point.simple().to_string()).collect();
        expected.sort();
        assert_eq!(found, expected, "bitmaps");
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // A test that failed must leave no process; what is wrong was told already.
        self.monitor = None;
        for point in self.machine.leftovers().unwrap_or_default() {
            let _ = self.machine.release(point, coffre_fabric::Release::Abandoned);
        }
        let _ = self.machine.stop(Stop::Now);
    }
}

/// The machine of a configuration with one.
pub(crate) fn open(config: &QemuConfig) -> Arc<dyn Machine> {
    let fabric = QemuFabric::new(config.clone()).unwrap();
    fabric.machine(config.machines[0].id).unwrap()
}

/// All bytes of a disk of a point, read in odd pieces and by the map of zeros.
pub(crate) fn read_all(snapshot: &dyn Snapshot, disk: &str) -> Vec<u8> {
    let mut reader = snapshot.open(disk).unwrap();
    let size = reader.size_bytes();
    let mut bytes = vec![0; size as usize];
    let extents = reader.extents(0, size).unwrap();
    assert_eq!(extents.iter().map(|extent| extent.length).sum::<u64>(), size);
    for extent in extents.iter().filter(|extent| !extent.zero) {
        let mut at = extent.offset;
        while at < extent.end() {
            let length = (extent.end() - at).min(700_001);
            reader.read_at(at, &mut bytes[at as usize..(at + length) as usize]).unwrap();
            at += length;
        }
    }
    bytes
}

/// The changed ranges of a disk, as (offset, length).
pub(crate) fn changed(report: &SnapshotReport, disk: &str) -> Vec<(u64, u64)> {
    let disk = report.disks.iter().find(|one| one.key == disk).unwrap();
    match &disk.changed {
        Changed::Extents(ranges) => {
            ranges.iter().map(|range| (range.offset, range.length)).collect()
        }
        Changed::Unknown(reason) => panic!("not known: {reason}"),
    }
}

/// Why the changes of a disk are not known.
pub(crate) fn unknown(report: &SnapshotReport, disk: &str) -> String {
    let disk = report.disks.iter().find(|one| one.key == disk).unwrap();
    match &disk.changed {
        Changed::Extents(ranges) => panic!("known: {ranges:?}"),
        Changed::Unknown(reason) => reason.clone(),
    }
}
