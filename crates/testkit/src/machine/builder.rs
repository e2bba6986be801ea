//! How a machine is to be, before it is started.

use anyhow::ensure;
use tempfile::TempDir;

use super::Machine;
use super::disk::{Format, blank_image, copy_image, machine_disk, overlay};
use crate::guest::{Guest, Guests};

/// How a machine is to be; [`Machine::build`] starts one.
#[derive(Debug)]
pub struct MachineBuilder {
    guest: Guest,
    flat: Option<Format>,
    blank: Vec<(String, u64, Format)>,
    arguments: Vec<String>,
}

impl MachineBuilder {
    pub(super) fn new(guest: Guest) -> Self {
        Self { guest, flat: None, blank: Vec::new(), arguments: Vec::new() }
    }

    /// Gives the machine full copies of the images in qcow2, not overlays: for tests that read, move or replace the
    /// image files. Only for [`MachineBuilder::cold`].
    pub fn flat_disks(self) -> Self {
        self.disks_as(Format::Qcow2)
    }

    /// Gives the machine full copies of the images in that format. Only for [`MachineBuilder::cold`].
    pub fn disks_as(mut self, format: Format) -> Self {
        self.flat = Some(format);
        self
    }

    /// Adds a blank disk behind the others. Only for [`MachineBuilder::cold`].
    pub fn blank_disk(mut self, name: &str, size_bytes: u64, format: Format) -> Self {
        self.blank.push((name.to_owned(), size_bytes, format));
        self
    }

    /// Adds an argument to QEMU's command line. Devices only for [`MachineBuilder::cold`].
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Boots the machine from its disks and waits until the guest agents answer.
    ///
    /// # Errors
    /// When the guests cannot be built or the guest does not come up; with the end of the serial log.
    pub fn cold(self) -> anyhow::Result<Machine> {
        let guests = Guests::build()?;
        let folder = new_folder()?;
        let mut disks = Vec::new();
        for disk in guests.files(self.guest).disks {
            let format = self.flat.unwrap_or(Format::Qcow2);
            let path = folder.path().join(format!("{}.{}", disk.name, format.name()));
            match self.flat {
                Some(_) => copy_image(&disk.image, &path, format)?,
                None => overlay(&disk.image, &path)?,
            }
            disks.push(machine_disk(&disk.name, path, format, disks.len(), Some(disk.mount)));
        }
        for (name, size_bytes, format) in &self.blank {
            let path = folder.path().join(format!("{name}.{}", format.name()));
            blank_image(&path, *size_bytes, *format)?;
            disks.push(machine_disk(name, path, *format, disks.len(), None));
        }
        let mut machine = Machine::new(self.guest, guests, folder, disks, self.arguments);
        machine.start()?;
        Ok(machine)
    }

    /// Starts the machine from its saved state, in a fraction of a second.
    ///
    /// # Errors
    /// As [`MachineBuilder::cold`], and when the builder asks for disks that the saved machine did not have.
    pub fn warm(self) -> anyhow::Result<Machine> {
        ensure!(
            self.flat.is_none() && self.blank.is_empty(),
            "a saved state only fits the disks it was saved with"
        );
        let guests = Guests::build_warm()?;
        let folder = new_folder()?;
        let (state, saved) = guests.warm(self.guest)?;
        let mut disks = Vec::new();
        for disk in saved {
            let path = folder.path().join(format!("{}.qcow2", disk.name));
            overlay(&disk.image, &path)?;
            disks.push(machine_disk(
                &disk.name,
                path,
                Format::Qcow2,
                disks.len(),
                Some(disk.mount),
            ));
        }
        let mut machine = Machine::new(self.guest, guests, folder, disks, self.arguments);
        machine.resume(&state)?;
        Ok(machine)
    }
}

/// A folder with a short name: the path of a unix socket has 107 bytes at most.
fn new_folder() -> anyhow::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("vm-").tempdir()?;
    let length = folder.path().join("harness-agent.sock").as_os_str().len();
    ensure!(length < 108, "TMPDIR is too long for unix sockets: {}", folder.path().display());
    Ok(folder)
}
