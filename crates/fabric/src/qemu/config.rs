//! What a person writes down about machines.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{ImageFormat, OsType};

/// Room that must be free in a scratch folder before a snapshot is taken, in bytes. When half of it
/// is left while the point is read, the snapshot is given up so that the guest never meets a full
/// scratch folder. Large enough for the fastest guest between two looks (250 ms at 1 GB/s).
pub const SCRATCH_FREE_BYTES_DEFAULT: u64 = 512 << 20;

/// Configuration of the driver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QemuConfig {
    /// Folder for what must outlive the service: notes about snapshots that live. Created.
    pub state_folder: PathBuf,
    /// Folder for sockets and process ids. Created, for the owner only. The path must be short
    /// (a socket's path has less than 108 bytes): at most 60 bytes.
    pub runtime_folder: PathBuf,
    /// Machines that are described here.
    #[serde(default)]
    pub machines: Vec<MachineDefinition>,
    /// Folders with sockets of machines that somebody else runs: `<name>.qmp` and, if there is a
    /// guest agent, `<name>.qga` beside it.
    #[serde(default)]
    pub socket_folders: Vec<PathBuf>,
    /// Room that must be free in a scratch folder before a snapshot is taken, in bytes; half of it
    /// must stay free while the point is read.
    #[serde(default = "scratch_free_bytes_default")]
    pub scratch_free_bytes: u64,
}

fn scratch_free_bytes_default() -> u64 {
    SCRATCH_FREE_BYTES_DEFAULT
}

impl QemuConfig {
    /// A configuration with two folders and no machine.
    pub fn new(state_folder: impl Into<PathBuf>, runtime_folder: impl Into<PathBuf>) -> Self {
        Self {
            state_folder: state_folder.into(),
            runtime_folder: runtime_folder.into(),
            machines: Vec::new(),
            socket_folders: Vec::new(),
            scratch_free_bytes: SCRATCH_FREE_BYTES_DEFAULT,
        }
    }
}

/// One machine of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MachineDefinition {
    /// Stable id of the machine.
    pub id: Uuid,
    /// Name for people, unique in the configuration.
    pub name: String,
    /// Family of the guest's operating system.
    #[serde(default)]
    pub os_type: OsType,
    /// Memory in MiB.
    #[serde(default = "memory_mib_default")]
    pub memory_mib: u64,
    /// Number of virtual processors.
    #[serde(default = "cpus_default")]
    pub cpus: u32,
    /// What is booted.
    #[serde(default)]
    pub boot: Boot,
    /// The disks, in the order in which the guest meets them.
    pub disks: Vec<DiskDefinition>,
    /// Coffre builds the command line, starts and stops the machine. `false` = somebody else does,
    /// and `qmp_socket` says where it is reached.
    #[serde(default = "managed_default")]
    pub managed: bool,
    /// QMP socket of a machine that is not managed.
    #[serde(default)]
    pub qmp_socket: Option<PathBuf>,
    /// Socket of the guest agent's channel of a machine that is not managed; `None` = no agent.
    #[serde(default)]
    pub agent_socket: Option<PathBuf>,
    /// File that receives the guest's serial console, overwritten at each start; `None` = dropped.
    #[serde(default)]
    pub console_log: Option<PathBuf>,
    /// More arguments for QEMU, as they are (networks, for example).
    #[serde(default)]
    pub extra_args: Vec<String>,
}

impl MachineDefinition {
    /// Whether the machine can be as it is described; the error says what cannot.
    pub fn check(&self) -> crate::Result<()> {
        super::fabric::check_machine(self)
            .map_err(|text| crate::FabricError::Config(format!("machine {}: {text}", self.name)))
    }
}

fn memory_mib_default() -> u64 {
    512
}

fn cpus_default() -> u32 {
    1
}

fn managed_default() -> bool {
    true
}

/// What a managed machine boots.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "lowercase", tag = "from")]
pub enum Boot {
    /// The firmware looks for a boot loader on the disks.
    #[default]
    Firmware,
    /// A kernel of the host.
    Kernel {
        /// The kernel.
        kernel: PathBuf,
        /// The initial RAM disk.
        #[serde(default)]
        initrd: Option<PathBuf>,
        /// The kernel's command line.
        #[serde(default)]
        append: String,
    },
}

/// One disk of a machine of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DiskDefinition {
    /// Stable within the machine; also the id of the device. A letter, then letters, digits, `-`,
    /// `_`, at most 24.
    pub key: String,
    /// Logical unit number of a data disk; `None` = the disk of the operating system.
    #[serde(default)]
    pub lun: Option<u32>,
    /// Name for people; `None` = the key.
    #[serde(default)]
    pub name: Option<String>,
    /// Format of the image, never guessed.
    pub format: ImageFormat,
    /// The image.
    pub path: PathBuf,
}
