//! A test guest as a machine that the service starts and stops.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::guest::{Guest, Guests};
use crate::shell::Shell;
use crate::wire::Qmp;

const QMP_PATIENCE: Duration = Duration::from_secs(60);

/// The definition and the disks of a guest in the machines folder of a service, with a door of its own for the test.
#[derive(Debug)]
pub struct HostedGuest {
    name: String,
    id: Uuid,
    disks: Vec<(String, PathBuf)>,
    shell: Shell,
    monitor: PathBuf,
}

impl HostedGuest {
    /// Copies the disks of a guest into `folder` and writes its definition into the machines folder of the service whose
    /// data folder is `data`.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn install(
        guests: &Guests,
        guest: Guest,
        name: &str,
        folder: &Path,
        data: &Path,
    ) -> anyhow::Result<HostedGuest> {
        std::fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let files = guests.files(guest);
        let mut disks = Vec::new();
        let mut described = Vec::new();
        for (index, disk) in files.disks.iter().enumerate() {
            let path = folder.join(format!("{name}-{}.qcow2", disk.name));
            let copied = Command::new("cp")
                .args(["--sparse=always", "--no-preserve=mode"])
                .args([&disk.image, &path])
                .status()
                .context("start cp")?;
            ensure!(copied.success(), "copy {} to {}", disk.image.display(), path.display());
            let mut entry = json!({ "key": disk.name, "format": "qcow2", "path": path });
            // The guest `tiny` runs from memory: all its disks are data. Yet a VM has an OS disk: the first.
            if let Some(lun) = index.checked_sub(1) {
                entry["lun"] = json!(lun);
            }
            described.push(entry);
            disks.push((disk.name.clone(), path));
        }
        let door = folder.join("door");
        let monitor = folder.join("monitor");
        let id = Uuid::new_v4();
        let definition = json!({
            "id": id,
            "name": name,
            "memory_mib": files.memory_mib,
            "boot": { "from": "kernel", "kernel": files.kernel, "initrd": files.initrd, "append": files.append },
            "console_log": folder.join("console.log"),
            "extra_args": [
                "-qmp", format!("unix:{},server=on,wait=off", monitor.display()),
                "-chardev", format!("socket,path={},server=on,wait=off,id=harness", door.display()),
                "-device", "virtserialport,bus=coffre-serial.0,chardev=harness,name=org.coffre.harness.0",
                "-device", "virtio-rng-pci",
            ],
            "disks": described,
        });
        let longest = monitor.as_os_str().len();
        ensure!(longest < 108, "{} is too long for a socket", monitor.display());
        let machines = data.join("machines");
        std::fs::create_dir_all(&machines)?;
        let text = to_toml(&definition)?;
        std::fs::write(machines.join(format!("{name}.toml")), text)?;
        Ok(HostedGuest { name: name.to_owned(), id, disks, shell: Shell::at(&door), monitor })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Runs scripts in the guest, past the service.
    pub fn shell(&self) -> &Shell {
        &self.shell
    }

    /// A QMP connection of the test's own, while the VM runs.
    ///
    /// # Errors
    /// When QEMU does not answer.
    pub fn qmp(&self) -> anyhow::Result<Qmp> {
        Qmp::connect(&self.monitor, QMP_PATIENCE)
    }

    /// The image of a disk.
    ///
    /// # Errors
    /// When there is no such disk.
    pub fn image(&self, disk: &str) -> anyhow::Result<&Path> {
        let found = self.disks.iter().find(|(name, _)| name == disk);
        Ok(&found.with_context(|| format!("no disk {disk}"))?.1)
    }

    /// All images: name of the disk, path.
    pub fn images(&self) -> &[(String, PathBuf)] {
        &self.disks
    }

    /// Overwrites every image with noise of the same length, as a dying controller would.
    ///
    /// # Errors
    /// When an image cannot be written.
    pub fn destroy_disks(&self) -> anyhow::Result<()> {
        for (_, path) in &self.disks {
            let length = path.metadata()?.len();
            std::fs::write(path, vec![0xd7; 1 << 20])?;
            std::fs::OpenOptions::new().write(true).open(path)?.set_len(length)?;
        }
        Ok(())
    }

    /// Copies what a disk holds to a new raw file. The VM must be paused or off.
    ///
    /// # Errors
    /// When the image cannot be read.
    pub fn copy_disk(&self, disk: &str, to: &Path) -> anyhow::Result<()> {
        let copied = Command::new("qemu-img")
            .args(["convert", "-U", "-f", "qcow2", "-O", "raw"])
            .args([self.image(disk)?, to])
            .status()
            .context("start qemu-img")?;
        ensure!(copied.success(), "copy disk {disk}");
        Ok(())
    }

    /// Leaves the VM running when this value is dropped.
    pub fn leave_running(self) {
        std::mem::forget(self);
    }

    /// Kills its QEMU with SIGKILL, as a crash of the host would, and waits until it is gone.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill_qemu(&self) -> anyhow::Result<()> {
        let pid = self.qemu_pid()?.context("the VM does not run")?;
        let pid = rustix::process::Pid::from_raw(pid).context("a process has an id")?;
        rustix::process::kill_process(pid, rustix::process::Signal::KILL)?;
        let started = Instant::now();
        while self.qemu_pid()?.is_some() {
            ensure!(started.elapsed() < QMP_PATIENCE, "QEMU does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The id of its QEMU, if it runs, found by its command line.
    ///
    /// # Errors
    /// When the process table cannot be read.
    pub fn qemu_pid(&self) -> anyhow::Result<Option<i32>> {
        let wanted = format!("-uuid\0{}", self.id);
        for entry in std::fs::read_dir("/proc")? {
            let path = entry?.path();
            let Some(pid) = path.file_name().and_then(|it| it.to_str()?.parse().ok()) else {
                continue;
            };
            // A process may end while we look.
            let line = std::fs::read(path.join("cmdline")).unwrap_or_default();
            let line = String::from_utf8_lossy(&line);
            if line.starts_with("qemu-system") && line.contains(&wanted) {
                return Ok(Some(pid));
            }
        }
        Ok(None)
    }
}

impl Drop for HostedGuest {
    fn drop(&mut self) {
        // A VM outlives the service by design; the test is its host and takes it along.
        let _ = self.kill_qemu();
    }
}

/// JSON objects, arrays, strings and numbers as TOML.
fn to_toml(value: &Value) -> anyhow::Result<String> {
    let mut text = String::new();
    let object = value.as_object().context("a definition is an object")?;
    for (key, value) in object {
        text.push_str(&format!("{key} = {}\n", inline(value)?));
    }
    Ok(text)
}

fn inline(value: &Value) -> anyhow::Result<String> {
    Ok(match value {
        Value::Array(items) => {
            let items: anyhow::Result<Vec<String>> = items.iter().map(inline).collect();
            format!("[{}]", items?.join(", "))
        }
        Value::Object(map) => {
            let pairs: anyhow::Result<Vec<String>> =
                map.iter().map(|(key, value)| Ok(format!("{key} = {}", inline(value)?))).collect();
            format!("{{ {} }}", pairs?.join(", "))
        }
        other => other.to_string(),
    })
}
