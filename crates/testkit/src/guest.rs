//! The guests that `guests/build.sh` makes: where their files are and what command line they need.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde::Deserialize;

/// A guest that can be booted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guest {
    /// busybox and the guest agent, no root disk, two data disks: `first` (xfs, `/mnt/vda`) and `second` (ext4,
    /// `/mnt/vdb`).
    Tiny,
    /// Debian with systemd on an ext4 disk `root`, and an xfs disk `data` at `/data`.
    Debian,
    /// The same with a PostgreSQL whose cluster is on `root` and whose write-ahead log is on `data`. It has no saved
    /// state.
    Postgres,
}

impl Guest {
    /// The name in file names and in `guests.json`.
    pub fn name(self) -> &'static str {
        match self {
            Guest::Tiny => "tiny",
            Guest::Debian => "debian",
            Guest::Postgres => "postgres",
        }
    }
}

/// The folder with the built guests.
#[derive(Debug, Clone)]
pub struct Guests {
    folder: PathBuf,
    warm_folder: Option<PathBuf>,
    description: Description,
}

/// The files of one guest, to start it without the harness.
#[derive(Debug, Clone)]
pub struct GuestFiles {
    /// Uncompressed kernel, for `-kernel`.
    pub kernel: PathBuf,
    /// For `-initrd`.
    pub initrd: PathBuf,
    /// Kernel command line, for `-append`.
    pub append: String,
    /// Memory the guest is given, in MiB. A saved state only fits this size.
    pub memory_mib: u32,
    /// The disks in the order they must be attached. The images are shared and read-only: attach copies or overlays.
    pub disks: Vec<GuestDisk>,
}

/// A disk as the build made it.
#[derive(Debug, Clone)]
pub struct GuestDisk {
    /// `root`, `data`, …; also the id of the device.
    pub name: String,
    /// The qcow2 image. Never to be written.
    pub image: PathBuf,
    /// Where the guest mounts it.
    pub mount: String,
    /// `ext4` or `xfs`.
    pub file_system: String,
}

#[derive(Debug, Clone, Deserialize)]
struct Description {
    machine: Vec<String>,
    disk: Vec<String>,
    #[serde(flatten)]
    guests: BTreeMap<String, GuestDescription>,
}

#[derive(Debug, Clone, Deserialize)]
struct GuestDescription {
    kernel: String,
    initrd: String,
    append: String,
    memory_mib: u32,
    disks: Vec<DiskDescription>,
}

#[derive(Debug, Clone, Deserialize)]
struct DiskDescription {
    name: String,
    image: String,
    mount: String,
    file_system: String,
}

impl Guests {
    /// Builds the guests, or finds them built.
    ///
    /// # Errors
    /// When `guests/build.sh` fails; its words are on the standard error.
    pub fn build() -> anyhow::Result<Guests> {
        Self::run_build(&[])
    }

    /// The same, with the saved machine states.
    ///
    /// # Errors
    /// As [`Guests::build`].
    pub fn build_warm() -> anyhow::Result<Guests> {
        let mut guests = Self::run_build(&["--warm"])?;
        // The name of the folder ends in a hash over the version of QEMU, which only the script computes.
        let mut states = Vec::new();
        for entry in std::fs::read_dir(&guests.folder)? {
            let path = entry?.path();
            let is_state =
                path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("warm-"));
            if is_state && path.join("complete").exists() {
                states.push((path.join("complete").metadata()?.modified()?, path));
            }
        }
        states.sort();
        guests.warm_folder = states.pop().map(|(_, path)| path);
        ensure!(guests.warm_folder.is_some(), "no machine state in {}", guests.folder.display());
        Ok(guests)
    }

    fn run_build(arguments: &[&str]) -> anyhow::Result<Guests> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../guests/build.sh");
        let output = Command::new(&script)
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("run {}", script.display()))?;
        ensure!(output.status.success(), "guests/build.sh failed ({})", output.status);
        let folder = PathBuf::from(String::from_utf8(output.stdout)?.trim_end());
        let text = std::fs::read_to_string(folder.join("guests.json")).with_context(|| {
            format!("read the description of the guests in {}", folder.display())
        })?;
        let description = serde_json::from_str(&text).context("parse guests.json")?;
        Ok(Guests { folder, warm_folder: None, description })
    }

    /// The folder, for people and messages.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The files of one guest.
    pub fn files(&self, guest: Guest) -> GuestFiles {
        let found = self.description.guests.get(guest.name());
        let described = found.expect("guests.json describes every guest of the enum");
        let disk = |disk: &DiskDescription| GuestDisk {
            name: disk.name.clone(),
            image: self.folder.join(&disk.image),
            mount: disk.mount.clone(),
            file_system: disk.file_system.clone(),
        };
        GuestFiles {
            kernel: self.folder.join(&described.kernel),
            initrd: self.folder.join(&described.initrd),
            append: described.append.clone(),
            memory_mib: described.memory_mib,
            disks: described.disks.iter().map(disk).collect(),
        }
    }

    /// The saved state of a guest and the disks as they were at that moment.
    pub(crate) fn warm(&self, guest: Guest) -> anyhow::Result<(PathBuf, Vec<GuestDisk>)> {
        let folder = self.warm_folder.as_ref().context("these guests were built without --warm")?;
        let mut disks = self.files(guest).disks;
        for disk in &mut disks {
            disk.image = folder.join(disk.image.file_name().expect("images are files"));
        }
        let state = folder.join(format!("{}.state", guest.name()));
        ensure!(state.exists(), "the guest {} has no saved state: boot it", guest.name());
        Ok((state, disks))
    }

    /// The part of QEMU's command line that is the same for every guest; sockets are in the given folder.
    pub(crate) fn machine_arguments(&self, folder: &str) -> Vec<String> {
        self.description.machine.iter().map(|part| part.replace("@DIR@", folder)).collect()
    }

    /// What attaches one disk.
    pub(crate) fn disk_arguments(&self, name: &str, path: &str, driver: &str) -> Vec<String> {
        let fill = |part: &String| {
            part.replace("@NAME@", name).replace("@PATH@", path).replace("driver=qcow2", driver)
        };
        self.description.disk.iter().map(fill).collect()
    }
}
