//! Starting and stopping a machine that Coffre runs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::config::{Boot, DiskDefinition, MachineDefinition};
use super::machine::QemuMachine;
use super::operations::AGENT_SYNC_TIMEOUT;
use super::paths::Paths;
use crate::agent::AgentClient;
use crate::process::ProcessId;
use crate::qmp::QmpClient;
use crate::{FabricError, Result, tool};

const PROGRAM: &str = "qemu-system-x86_64";

/// How long QEMU may take to close its disks after it was told to quit.
const QUIT_TIMEOUT: Duration = Duration::from_secs(60);

/// Starts QEMU in a session of its own; when this returns it is up and the guest runs.
///
/// It ends neither with us nor with our terminal. (A service manager that kills the whole group of
/// processes must be told not to.)
pub(crate) fn start(definition: &MachineDefinition, paths: &Paths) -> Result<()> {
    for disk in &definition.disks {
        if !disk.path.exists() {
            return Err(FabricError::DiskMissing {
                machine: definition.name.clone(),
                disk: disk.key.clone(),
                path: disk.path.clone(),
            });
        }
    }
    paths.create_runtime_folder()?;
    for stale in [paths.qmp_socket(), paths.agent_socket(), paths.pid_file()] {
        let _ = std::fs::remove_file(stale);
    }
    let mut command = Command::new(PROGRAM);
    command.args(arguments(definition, paths, kvm_is_real()));
    tool::run(PROGRAM, &mut command).map(drop).map_err(|error| match error {
        FabricError::Tool { output, .. } => {
            FabricError::StartFailed { machine: definition.name.clone(), output }
        }
        other => other,
    })
}

/// The QEMU process of the machine, if it runs.
pub(crate) fn process(paths: &Paths) -> Result<Option<ProcessId>> {
    let process = ProcessId::read(&paths.pid_file())?;
    Ok(process.filter(|process| process.command_has(paths.qmp_socket().as_os_str())))
}

/// Waits until the machine's process ended; ends it when it does not.
pub(crate) fn wait_for_end(process: &ProcessId, machine: &str) -> Result<()> {
    if process.wait(QUIT_TIMEOUT) {
        return Ok(());
    }
    tracing::warn!(machine, "QEMU does not quit and is killed: change maps are lost");
    process.kill();
    if process.wait(QUIT_TIMEOUT) {
        return Ok(());
    }
    Err(FabricError::Timeout { doing: format!("ending QEMU of {machine}"), after: QUIT_TIMEOUT })
}

/// Whether the processor itself runs guests.
///
/// `/dev/kvm` alone says little: some hosts offer one that cannot boot ordinary kernels. Those
/// have neither of the two modules.
fn kvm_is_real() -> bool {
    let module = |name: &str| Path::new("/sys/module").join(name).exists();
    let device = std::fs::OpenOptions::new().read(true).write(true).open("/dev/kvm");
    (module("kvm_intel") || module("kvm_amd")) && device.is_ok()
}

/// The arguments of QEMU for a machine.
fn arguments(definition: &MachineDefinition, paths: &Paths, kvm: bool) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut add = |parts: &[&str]| all.extend(parts.iter().map(|part| (*part).to_owned()));
    add(&["-name", &format!("guest={}", escape(&definition.name))]);
    add(&["-uuid", &definition.id.to_string()]);
    add(&["-machine", "q35", "-accel", if kvm { "kvm" } else { "tcg" }]);
    if kvm {
        add(&["-cpu", "host"]);
    }
    add(&["-m", &format!("{}M", definition.memory_mib), "-smp", &definition.cpus.to_string()]);
    add(&["-nodefaults", "-no-user-config", "-display", "none", "-daemonize"]);
    add(&["-pidfile", &text(&paths.pid_file())]);
    add(&["-qmp", &format!("unix:{},server=on,wait=off", text(&paths.qmp_socket()))]);
    add(&["-device", "virtio-serial-pci,id=coffre-serial"]);
    let agent = escape(&text(&paths.agent_socket()));
    add(&["-chardev", &format!("socket,id=coffre-agent,path={agent},server=on,wait=off")]);
    add(&[
        "-device",
        "virtserialport,bus=coffre-serial.0,chardev=coffre-agent,name=org.qemu.guest_agent.0",
    ]);
    if let Some(log) = &definition.console_log {
        add(&["-serial", &format!("file:{}", text(log))]);
    }
    if let Boot::Kernel { kernel, initrd, append } = &definition.boot {
        add(&["-kernel", &text(kernel)]);
        if let Some(initrd) = initrd {
            add(&["-initrd", &text(initrd)]);
        }
        if !append.is_empty() {
            add(&["-append", append]);
        }
    }
    for disk in &definition.disks {
        add(&["-blockdev", &block_device(disk)]);
        // A kernel of the host takes the first place in the order of boot devices by itself.
        let first = disk.lun.is_none() && definition.boot == Boot::Firmware;
        let boot = if first { ",bootindex=0" } else { "" };
        let DiskDefinition { key, .. } = disk;
        let serial: String = key.chars().take(20).collect();
        add(&[
            "-device",
            &format!("virtio-blk-pci,id={key},drive={},serial={serial}{boot}", node(key)),
        ]);
    }
    all.extend(definition.extra_args.iter().cloned());
    all
}

/// Name of the node of a disk of a machine that we run.
fn node(key: &str) -> String {
    format!("disk-{key}")
}

fn block_device(disk: &DiskDefinition) -> String {
    json!({
        "driver": disk.format.as_str(),
        "node-name": node(&disk.key),
        "discard": "unmap",
        "file": { "driver": "file", "filename": disk.path, "discard": "unmap" },
    })
    .to_string()
}

/// QEMU's options are divided by commas; a comma in a value is written twice.
fn escape(value: &str) -> String {
    value.replace(',', ",,")
}

fn text(path: &Path) -> String {
    // Holds: the configuration was checked to have only UTF-8 paths (it is JSON or TOML).
    PathBuf::from(path).into_os_string().into_string().unwrap_or_default()
}

impl QemuMachine {
    /// Asks the agent first and presses the power button at half time, or at once without an
    /// agent. Returns whether the machine ended in time.
    pub(super) fn shut_down(
        &self,
        qmp: &QmpClient,
        process: &ProcessId,
        timeout: Duration,
    ) -> bool {
        let end = Instant::now() + timeout;
        let _channel = self.agent_channel();
        if let Some(socket) = self.agent_socket() {
            let asked = AgentClient::connect(&socket).and_then(|mut agent| {
                agent.sync(AGENT_SYNC_TIMEOUT)?;
                // It answers only if it cannot. The connection stays until the machine ends:
                // closed at once, what was sent may never reach the guest.
                agent.command("guest-shutdown", Value::Null, timeout / 2)
            });
            tracing::debug!(machine = self.name(), answer = ?asked, "the agent was asked");
            if process.wait(Duration::from_millis(100)) {
                return true;
            }
        }
        if let Err(error) = qmp.command("system_powerdown", Value::Null) {
            tracing::debug!(machine = self.name(), %error, "the power button does not work");
        }
        process.wait(end.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{ImageFormat, OsType};

    #[test]
    fn the_command_line_is_explicit() {
        let definition = MachineDefinition {
            id: Uuid::from_u128(7),
            name: "a,b".to_owned(),
            os_type: OsType::Linux,
            memory_mib: 256,
            cpus: 2,
            boot: Boot::Kernel {
                kernel: "/k".into(),
                initrd: Some("/i".into()),
                append: "quiet".to_owned(),
            },
            disks: vec![
                disk("os", None, ImageFormat::Qcow2),
                disk("data", Some(0), ImageFormat::Raw),
            ],
            managed: true,
            qmp_socket: None,
            agent_socket: None,
            console_log: None,
            extra_args: vec!["-S".to_owned()],
        };
        let paths = Paths::new(Path::new("/run/c"), Path::new("/state"), definition.id);
        let line = arguments(&definition, &paths, false).join(" ");
        for part in [
            "-name guest=a,,b",
            "-accel tcg",
            "-kernel /k -initrd /i -append quiet",
            r#""driver":"qcow2","file":{"discard":"unmap","driver":"file","filename":"/d,os"}"#,
            "virtio-blk-pci,id=os,drive=disk-os,serial=os -blockdev",
            "virtio-blk-pci,id=data,drive=disk-data,serial=data -S",
        ] {
            assert!(line.contains(part), "{part} in {line}");
        }
        let definition = MachineDefinition { boot: Boot::Firmware, ..definition };
        let line = arguments(&definition, &paths, true).join(" ");
        assert!(line.contains("-accel kvm -cpu host"));
        assert!(line.contains("serial=os,bootindex=0"));
    }

    fn disk(key: &str, lun: Option<u32>, format: ImageFormat) -> DiskDefinition {
        let path = format!("/d,{key}").into();
        DiskDefinition { key: key.to_owned(), lun, name: None, format, path }
    }
}
